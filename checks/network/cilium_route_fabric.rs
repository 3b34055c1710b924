//! When Cilium routes natively and neither it nor Hetzner's network has routes to the pods, pods of different nodes do not
//! reach each other, because the network's gateway drops packets for addresses that no server and no route has
//! (docs.hetzner.com, Networks; hetznercloud/hcloud-cloud-controller-manager `hcloud/routes.go` makes those routes).
//!
//! Which of three it is depends on two switches: direct routes and the controller's routes both on is KD208, direct routes
//! alone are KD501, no direct routes and a route missing is this one. So each configuration has one finding.

use crate::cloud_controller::{ccm_cluster_cidr, ccm_network, ccm_running};
use crate::domain::cilium::{self, Cilium};
use crate::domain::hccm::{self, Ccm};
use crate::domain::pod_network::{self, PodRange, Way};
use crate::domain::routes::{Off, Routes};
use crate::facts::hetzner::Network;
use crate::facts::kubernetes::Node;
use crate::facts::{Facts, Known};
use crate::remedies::{cilium as remedy, controller};
use crate::{Cause, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD503",
    slug: "cilium-route-fabric",
    title: "native routing has routes to follow",
    examines: "Cilium configurations",
    severity: Severity::Critical,
    needs: &[
        cilium::NEEDS[0],
        cilium::NEEDS[1],
        cilium::NEEDS[2],
        hccm::NEEDS[1],
        pod_network::NEEDS[0],
        pod_network::NEEDS[1],
        pod_network::NEEDS[2],
        pod_network::NEEDS[3],
        remedy::NEEDS[0],
        remedy::NEEDS[1],
    ],
    caused_by: &[
        Cause::everywhere(&ccm_network::CHECK).when(|cause, _| cause.discriminator == Some("unset")),
        Cause::everywhere(&ccm_cluster_cidr::CHECK).when(ccm_cluster_cidr::turns_routes_off),
        Cause::everywhere(&ccm_running::CHECK).when(nobody_makes_them),
    ],
    explain: include_str!("cilium_route_fabric.md"),
    judge,
};

const NOBODY: &str = "No cloud controller runs that would make the routes.";
const NOT_DONE: &str = "The cloud controller is told to make them, and has not.";

/// It would make them if it ran.
fn nobody_makes_them(cause: &Finding, effect: &Finding) -> bool {
    let because = effect.because.as_deref().unwrap_or_default();
    ccm_running::nobody_serves(cause, effect) && [NOBODY, NOT_DONE].iter().any(|why| because.starts_with(why))
}

/// How long the controller may take to make a new node's route; it looks every 30 s.
const GRACE_SECONDS: i64 = 120;

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(cilium) = Cilium::find(facts)? else { return Ok(()) };
    v.examined += 1;
    if !cilium.is_native() || cilium.routes_directly() {
        return cilium.is_live();
    }
    let ccm = Ccm::find(facts)?;
    let routes = ccm.as_ref().map(Ccm::routes).transpose()?;
    let managed = matches!(routes, Some(Routes::Managed(_)));
    let (mut missing, mut unled) = (Vec::new(), Vec::new());
    for pods in pod_network::ranges(facts, &cilium)? {
        let age = pods.node.metadata.creation_timestamp.seconds_until(facts.now);
        match pod_network::way(facts, &pods)? {
            Way::Missing(_) if managed && age.is_some_and(|age| age < GRACE_SECONDS) => {}
            Way::Missing(networks) => missing.push((pods, networks)),
            Way::Routed(network) if !covers(network, &pods) => unled.push((pods, vec![network])),
            Way::Routed(_) | Way::Elsewhere => {}
        }
    }
    let scene = Scene { facts, cilium: &cilium, ccm, routes };
    if !missing.is_empty() {
        let finding = scene.missing(&missing, v);
        v.findings.push(cilium.honest(finding));
    } else if !unled.is_empty() {
        let finding = scene.no_host_route(&unled, v);
        v.findings.push(cilium.honest(finding));
    } else {
        return cilium.is_live();
    }
    Ok(())
}

/// Hosts send packets for all of a network's range to its gateway; others take the default route, to the internet.
fn covers(network: &Network, pods: &PodRange) -> bool {
    crate::domain::addresses::range(&network.ip_range).is_some_and(|all| all.contains(&pods.cidr))
}

type Lost<'a> = (PodRange<'a>, Vec<&'a Network>);

struct Scene<'a> {
    facts: &'a Facts,
    cilium: &'a Cilium<'a>,
    ccm: Option<Ccm<'a>>,
    routes: Option<Routes>,
}

impl Scene<'_> {
    fn missing(&self, missing: &[Lost], v: &mut Verdict) -> Finding {
        let nodes = self.facts.all::<Node>().unwrap_or_default();
        let names: Vec<&str> = missing.iter().map(|(pods, _)| pods.node.name()).collect();
        let latent = nodes.len() < 2;
        let says = match (latent, &names[..]) {
            (true, _) => {
                "native routing will fail as soon as a second node joins: no route leads to pods".to_string()
            }
            (_, [one]) => format!("pods on {one} are out of reach: Hetzner's network has no route to them"),
            (_, several) => {
                format!(
                    "pods on {} nodes are out of reach: Hetzner's network has no routes to them",
                    several.len()
                )
            }
        };
        let mut because = match &self.routes {
            None => NOBODY.to_string(),
            Some(Routes::Managed(_)) if !self.cilium.uses_kubernetes_ipam() => {
                "The cloud controller makes routes for the ranges on the Nodes, and Cilium hands out others."
                    .into()
            }
            Some(Routes::Managed(_)) => NOT_DONE.into(),
            Some(Routes::Off(off)) => format!("The cloud controller makes none: {}.", why(off)),
        };
        if missing.iter().any(|(pods, networks)| !networks.iter().any(|network| covers(network, pods))) {
            because += " The network's range leaves the pods out as well, so nodes would send those packets to the internet.";
        }
        let finding =
            Finding::about(crate::facts::Kind::reference(self.cilium.config), says).because(because);
        let finding = if latent { finding.severity(Severity::Info) } else { finding };
        let finding = self.shown(finding, missing, v);
        let finding = match (&self.routes, &self.ccm) {
            (Some(Routes::Off(Off::Told)), Some(ccm))
                if ccm.container().flag("cluster-cidr").is_some_and(|cidr| !cidr.is_empty())
                    && missing
                        .iter()
                        .all(|(pods, networks)| networks.iter().any(|network| covers(network, pods))) =>
            {
                let on = [("HCLOUD_NETWORK_ROUTES_ENABLED", "true")];
                let why = "the controller then makes a route to each node's pods";
                match v.see(controller::tell(finding.clone(), self.facts, ccm, &on, why)) {
                    Some(finding) => return self.verified(finding),
                    None => finding,
                }
            }
            (Some(Routes::Managed(_)), Some(ccm)) if self.cilium.uses_kubernetes_ipam() => {
                let target = ccm.reference();
                let name = format!("{}/{}", target.kind.to_lowercase(), target.name);
                let args = ["logs", "-n", &*ccm.namespace(), &name, "--tail", "200"];
                let look = Step::kubectl(
                    crate::Changes::Nothing,
                    "says why: a limit of the network, a server outside of it, a token that may not write",
                    &args,
                );
                return self.verified(finding.step(look).step(Step::decide(
                    "mend what the controller reports; pods reach each other without any route in a tunnel (routingMode: \
                     tunnel)",
                )));
            }
            _ => finding,
        };
        let finding = finding.step(Step::decide(
            "a tunnel is the safe way, and the steps below; native routing needs all of: the controller's routes (chart value \
             networking.enabled, with clusterCIDR), a network whose range holds the pods, ipam.mode kubernetes, MTU 1450",
        ));
        remedy::to_tunnel(finding, self.facts, self.cilium, v)
    }

    fn no_host_route(&self, unled: &[Lost], v: &mut Verdict) -> Finding {
        let says = "the network's range leaves the pods out: nodes need routes of their own to them";
        let finding = Finding::about(crate::facts::Kind::reference(self.cilium.config), says)
            .discriminator("host-route")
            .severity(Severity::Info)
            .because(
                "Hetzner's network has the routes, but a server sends only the network's own range to its gateway and the \
                 rest to the internet. Whether the nodes were given such routes cannot be seen from here.",
            );
        let finding = self.shown(finding, unled, v);
        let look = Step {
            changes: crate::Changes::Nothing,
            ..Step::on_node(
                "on a node: goes by the private interface if all is well, by the public one if not",
                &["ip", "route", "get", &unled[0].0.cidr.network().to_string()],
            )
        };
        let finding = finding.step(look).step(Step::decide(
            "if it does not: a tunnel (routingMode: tunnel), a network whose range holds the pods (10.0.0.0/8), or routes in \
             the cloud-config of every node",
        ));
        self.verified(finding)
    }

    fn shown(&self, finding: Finding, lost: &[Lost], v: &mut Verdict) -> Finding {
        let config = self.cilium.config;
        let mut finding = finding
            .predicted()
            .shows(config, "data['routing-mode']")
            .shows(config, "data['auto-direct-node-routes']");
        for (pods, networks) in lost.iter().take(8) {
            finding = pods.shown(finding);
            for network in networks {
                if !finding.related.iter().any(|seen| seen.id == Some(network.id)) {
                    finding = finding.shows(*network, "routes").shows(*network, "ip_range");
                }
            }
        }
        if let Some(ccm) = &self.ccm {
            finding = ccm.shown(ccm.shown(finding, "HCLOUD_NETWORK"), "HCLOUD_NETWORK_ROUTES_ENABLED");
            if let Some(workload) = v.see(ccm.workload(self.facts)) {
                finding = finding.relates_to(workload);
            }
        }
        for node in self.facts.all::<Node>().unwrap_or_default() {
            finding = finding.relates(node);
        }
        finding
    }

    fn verified(&self, finding: Finding) -> Finding {
        let Some(network) = finding.related.iter().find(|object| object.kind == "Network") else {
            return finding;
        };
        let network = network.name.to_string();
        finding.verify_hcloud(&["network", "describe", &network], "one route for each node's pod range")
    }
}

fn why(off: &Off) -> String {
    match off {
        Off::NoNetwork => "it has no network to put them into".into(),
        Off::Told => "HCLOUD_NETWORK_ROUTES_ENABLED is false".into(),
        Off::NotStarted => "its route controller is not started".into(),
        Off::NoCidr => "it was given no --cluster-cidr".into(),
        Off::BadCidr(cidr) => format!("--cluster-cidr {cidr} is not one range"),
    }
}
