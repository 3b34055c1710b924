//! The firewalls between a load balancer and its targets, and the ways around or through them.

use std::collections::BTreeSet;

use super::targets::{Port, Scene};
use crate::domain::names::some;
use crate::facts::hetzner::{Firewall, Server};
use crate::{Changes, Finding, Step};

impl<'a> Scene<'a> {
    /// Firewalls drop the health checks.
    pub fn firewall(
        &self,
        mut finding: Finding,
        bad: &BTreeSet<usize>,
        ports: &[Port],
        about: impl Fn(String) -> String,
    ) -> Finding {
        let names: Vec<String> = self.firewalls_of(bad).iter().map(|f| f.name.to_string()).collect();
        finding.says = about(match &names[..] {
            [name] => format!("firewall {name} drops the health checks"),
            names => format!("firewalls {} drop the health checks", some(names)),
        });
        self.firewall_steps(finding, bad, &ports.iter().collect::<Vec<_>>())
    }

    fn firewalls_of(&self, bad: &BTreeSet<usize>) -> Vec<&'a Firewall> {
        let servers = bad.iter().filter_map(|i| self.server(&self.members[*i]));
        let mut firewalls: Vec<&Firewall> =
            servers.flat_map(|server| self.applied(server).unwrap_or_default()).collect();
        firewalls.sort_by_key(|f| f.id);
        firewalls.dedup_by_key(|f| f.id);
        firewalls
    }

    /// The firewalls that stand between the load balancer and those members, and the ways around or through them.
    pub fn firewall_steps(&self, finding: Finding, bad: &BTreeSet<usize>, ports: &[&Port]) -> Finding {
        let firewalls = self.firewalls_of(bad);
        let servers: Vec<&Server> = bad.iter().filter_map(|i| self.server(&self.members[*i])).collect();
        let mut finding = finding;
        if let Some(first) = bad.first() {
            let place = &self.members[*first].place;
            finding = finding.shows(self.lb, &format!("{place}.use_private_ip"));
        }
        for firewall in &firewalls {
            finding = finding.shows(*firewall, "rules");
        }
        let in_network = |s: &&Server| {
            s.private_net.iter().any(|n| self.lb.private_net.iter().any(|lb| lb.network == n.network))
        };
        let namespace = self.service.metadata.namespace.as_deref().unwrap_or_default();
        let name = &*self.service.metadata.name;
        // It moves every target, the healthy ones too.
        if self.members.iter().all(|m| self.server(m).as_ref().is_some_and(in_network)) {
            let set = "load-balancer.hetzner.cloud/use-private-ip=true";
            let why = "sends traffic and health checks over the private network, which no firewall filters";
            return finding
                .step(
                    Step::kubectl(Changes::Cloud, why, &["annotate", "--overwrite", "service", name, "-n", namespace, set])
                        .hazard("the controller removes and adds each target again: open connections end"),
                )
                .step(
                    Step::decide(
                        "for every Service: HCLOUD_LOAD_BALANCERS_USE_PRIVATE_IP: {value: \"true\"} in the env values of the \
                         hcloud-cloud-controller-manager chart, as your cloud-config in /oem writes it",
                    )
                    .hazard(
                        "the published cloud-configs do not pin that chart: any change to its values also upgrades the \
                         controller; set the version that runs first",
                    )
                    .for_good(),
                );
        }
        let Some(source) = self.lb.public_net.ipv4.as_ref().map(|a| format!("{}/32", a.ip)) else {
            return finding
                .step(Step::decide("let the load balancer's address in, or use private addresses"));
        };
        // One firewall of each server is enough, for it takes only one to let a packet in.
        let mut through: Vec<&str> = servers
            .iter()
            .filter_map(|server| self.applied(server)?.into_iter().min_by_key(|f| f.id))
            .map(|firewall| &*firewall.name)
            .collect();
        through.sort();
        through.dedup();
        for firewall in through {
            for port in ports {
                let port = port.lb.destination_port.to_string();
                let rule =
                    ["firewall", "add-rule", "--direction", "in", "--protocol", "tcp", "--port", &port];
                let args: Vec<&str> = rule.into_iter().chain(["--source-ips", &source, firewall]).collect();
                finding = finding.step(Step::hcloud(
                    Changes::Cloud,
                    "lets the load balancer in, and nobody else",
                    &args,
                ));
            }
        }
        finding.step(
            Step::decide(
                "better: put servers and load balancers into one private network, give the controller HCLOUD_NETWORK and \
                 use private addresses; the rule then goes away",
            )
            .for_good(),
        )
    }
}
