//! What to say of unhealthy targets, and what to do about each reason.

use std::collections::BTreeSet;

use super::targets::{Port, Reason, Scene};
use crate::domain::hccm::Var;
use crate::domain::names::some;
use crate::facts::Kind;
use crate::facts::hetzner::Server;
use crate::facts::kubernetes::Node;
use crate::{Changes, Finding, Severity, Step};

impl<'a> Scene<'a> {
    /// Nothing is behind the load balancer, or it listens nowhere.
    pub fn tell_empty(&self, reason: Reason) -> Finding {
        let (path, lb) = (self.service.reference().path(), self.lb);
        let (says, place, does) = match reason {
            Reason::NoPorts => ("listens on no port", "services", "adds its ports"),
            _ => ("has no targets", "targets", "adds the nodes again"),
        };
        let finding = Finding::new(self.service, format!("load balancer {} of {path} {says}", lb.name))
            .discriminator(reason.discriminator())
            .shows(lb, place)
            .verify_hcloud(
                &["load-balancer", "describe", &lb.name],
                "it lists its services and healthy targets",
            );
        if let Some(finding) = self.meant_empty(reason, &finding) {
            return finding;
        }
        finding
            .because("The cloud controller sets its ports first and its targets then; an error in between leaves it so.")
            .steps(self.resync(does))
    }

    /// Where the controller does what it is told, it will do so again after a restart.
    fn meant_empty(&self, reason: Reason, finding: &Finding) -> Option<Finding> {
        if reason == Reason::NoPorts {
            self.service.tcp_ports().next().is_none().then_some(())?;
            return Some(
                finding
                    .clone()
                    .because("Hetzner's load balancers forward TCP only, and this Service has no TCP port.")
                    .shows(self.service, "spec.ports[0].protocol")
                    .step(Step::decide(
                        "add a TCP port to the Service, or reach UDP without a load balancer: a NodePort or hostPort, and the \
                         servers' addresses in DNS",
                    )),
            );
        }
        let nodes = self.nodes?;
        if !nodes.is_empty() && nodes.iter().all(Node::is_excluded_from_load_balancers) {
            let label = "node.kubernetes.io/exclude-from-external-load-balancers";
            let mut finding =
                finding.clone().because("Every node is labelled to stay out of external load balancers.");
            for node in nodes.iter().take(8) {
                finding = finding.shows(node, &format!("metadata.labels['{label}']"));
            }
            let name = if let [node] = nodes { node.name() } else { "NODE" };
            if name == "NODE" {
                return Some(finding.step(Step::decide(format!(
                    "which nodes should take traffic: kubectl label node NAME {label}- takes the label away"
                ))));
            }
            let args = ["label", "node", name, &format!("{label}-")];
            return Some(finding.step(Step::kubectl(Changes::Cloud, "lets the node be a target", &args)));
        }
        let selector = self.service.annotation("node-selector").filter(|selector| !selector.is_empty())?;
        Some(
            finding
                .clone()
                .because("The controller adds only nodes that its annotation node-selector fits.")
                .shows(self.service, &annotation("load-balancer.hetzner.cloud/node-selector"))
                .step(Step::decide(format!(
                    "label the nodes that should take traffic so that `{selector}` fits them, or take the annotation away"
                )))
                .steps(self.look()),
        )
    }

    pub fn tell(&self, reason: Reason, ports: &[Port]) -> Finding {
        let path = self.service.reference().path();
        // Where one port has no healthy target, those are the ones it is said of.
        let worst = ports.iter().any(|p| p.healthy.is_empty());
        let listen: Vec<String> = ports
            .iter()
            .filter(|p| p.healthy.is_empty() == worst)
            .map(|p| p.lb.listen_port.to_string())
            .collect();
        let which = format!("{} {}", if listen.len() == 1 { "port" } else { "ports" }, listen.join(", "));
        let dead = worst;
        let bad: BTreeSet<usize> = ports.iter().flat_map(|p| &p.unhealthy).copied().collect();
        let names: Vec<String> = bad.iter().map(|i| self.name(&self.members[*i])).collect();
        let names = some(&names);
        let on = if listen.len() == self.lb.services.len() { String::new() } else { format!(" on {which}") };
        let state = if dead { "no healthy target" } else { "unhealthy targets" };
        let about = |why: String| format!("Service {path} has {state}{on}: {why}");
        let lb = self.lb;
        let mut finding = Finding::new(self.service, "")
            .discriminator(reason.discriminator())
            .severity(if dead { Severity::Critical } else { Severity::Warning })
            .relates(lb);
        for i in bad.iter().take(8) {
            for port in ports {
                let place = &self.members[*i].place;
                let port = port.lb.listen_port;
                finding = finding.shows(lb, &format!("{place}.health_status[listen_port={port}].status"));
            }
        }
        for i in &bad {
            if let Some(node) = self.node(&self.members[*i]) {
                finding = finding.relates(node);
            }
        }
        let first = &ports[0];
        let namespace = self.service.metadata.namespace.as_deref().unwrap_or_default();
        let name = &*self.service.metadata.name;
        finding = match reason {
            Reason::NoPorts | Reason::NoTargets => return self.tell_empty(reason),
            Reason::StalePort => {
                finding.says = about(match (first.lb.destination_port, first.node_port) {
                    (old, Some(new)) => format!("it goes to nodePort {old}, which is now {new}"),
                    (_, None) => "the Service has no such port any more".into(),
                });
                finding
                    .shows(lb, &format!("services[listen_port={}].destination_port", first.lb.listen_port))
                    .shows(self.service, &format!("spec.ports[port={}].nodePort", first.lb.listen_port))
                    .steps(self.resync("brings every load balancer up to date"))
            }
            Reason::NoEndpoints => {
                finding.says = about("no pod of it is ready".into());
                let slices = format!("kubernetes.io/service-name={name}");
                for slice in self.slices.iter().flatten() {
                    finding = finding.shows(*slice, "endpoints");
                }
                finding
                    .step(Step::kubectl(
                        Changes::Nothing,
                        "shows the pods the Service selects and why they are not ready",
                        &["describe", "service", name, "-n", namespace],
                    ))
                    .step(Step::decide(
                        "mend or start those pods, or correct the Service's selector: the load balancer follows by itself",
                    ))
                    .verify_kubectl(&["get", "endpointslices", "-n", namespace, "-l", &slices], "it lists endpoints")
            }
            Reason::HealthCheck => self.health_check(finding, first, about),
            Reason::NodeDown => {
                let why: BTreeSet<String> = bad.iter().filter_map(|i| self.down(&self.members[*i])).collect();
                finding.says = about(match why.len() {
                    0..=1 => some(&why.into_iter().collect::<Vec<_>>()),
                    n => format!("{n} nodes or servers are down"),
                });
                for i in &bad {
                    let member = &self.members[*i];
                    let down = |s: &&Server| s.status != "running" && !s.status.is_empty();
                    if let Some(server) = self.server(member).filter(down) {
                        let name = &*server.name;
                        let step = match &*server.status {
                            "off" => {
                                let why = format!("starts server {name}");
                                Step::hcloud(Changes::Cloud, why, &["server", "poweron", name])
                            }
                            _ => {
                                let why = format!("shows server {name}; wait until it runs");
                                Step::hcloud(Changes::Nothing, why, &["server", "describe", name])
                            }
                        };
                        finding = finding.shows(server, "status").step(step);
                    } else if let Some(node) = self.node(member) {
                        let args = ["describe", "node", node.name()];
                        let why = format!("shows why node {} is not ready", node.name());
                        finding = finding
                            .shows(node, "status.conditions[type=Ready].status")
                            .step(Step::kubectl(Changes::Nothing, why, &args));
                    }
                }
                finding
            }
            Reason::NotInNetwork => {
                finding.says = about("its load balancer is in no network".into());
                finding = finding.shows(lb, "private_net").shows(lb, "targets[0].use_private_ip");
                if let Ok(Some(ccm)) = &self.ccm {
                    finding = ccm.shown(finding, "HCLOUD_NETWORK");
                    if !matches!(ccm.var("HCLOUD_NETWORK"), Var::Unset | Var::Is("")) {
                        // it has its network, and attaches at every sync
                        return finding
                            .steps(self.resync("attaches every load balancer to its network"))
                            .verify_hcloud(
                                &["load-balancer", "describe", &lb.name],
                                "it lists its private network",
                            );
                    }
                }
                finding.step(Step::decide(
                    "give the cloud controller its network (HCLOUD_NETWORK): it then attaches every load balancer to it; \
                     what is attached by hand it detaches again",
                ))
            }
            Reason::NoneLocal => {
                finding.says = about("its policy is Local, and no target runs its pods".into());
                for slice in self.slices.iter().flatten().filter(|slice| !slice.endpoints.is_empty()) {
                    finding = finding.shows(*slice, "endpoints[0].nodeName");
                }
                let cluster = r#"{"spec":{"externalTrafficPolicy":"Cluster"}}"#;
                let args = ["patch", "service", name, "-n", namespace, "--type", "merge", "-p", cluster];
                let hazard = match self.service.annotation("health-check-port") {
                    None => "the pods then see a node's address instead of the client's",
                    Some(_) => {
                        "the pods then see a node's address instead of the client's, and the health-check nodePort closes: take \
                         the annotation health-check-port away too"
                    }
                };
                finding
                    .shows(self.service, "spec.externalTrafficPolicy")
                    .step(
                        Step::kubectl(Changes::Cluster, "lets every node pass traffic on to the pods", &args)
                            .hazard(hazard),
                    )
                    .step(Step::decide("or run a pod of it on a node that is a target").for_good())
            }
            Reason::CrossNode => {
                finding.says = about(format!("just where none of its pods runs ({names})"));
                finding.because = Some(
                    "Nodes with a pod of the Service answer, nodes that must pass the packet on do not: the way between \
                     the nodes is broken, not the load balancer."
                        .into(),
                );
                for slice in self.slices.iter().flatten().filter(|slice| !slice.endpoints.is_empty()) {
                    finding = finding.shows(*slice, "endpoints[0].nodeName");
                }
                // the way has two ends: nodes with a pod, and those that do not reach them
                let with_pods = self.endpoint_nodes().unwrap_or_default();
                let ends = self.nodes.into_iter().flatten().filter(|node| {
                    let unhealthy =
                        |i: &usize| self.node(&self.members[*i]).map(Node::name) == Some(node.name());
                    with_pods.contains(node.name()) || bad.iter().any(unhealthy)
                });
                finding = ends.take(16).fold(finding, |finding, node| finding.relates(node));
                let local = r#"{"spec":{"externalTrafficPolicy":"Local"}}"#;
                let args = ["patch", "service", name, "-n", namespace, "--type", "merge", "-p", local];
                finding
                    .step(
                        Step::kubectl(Changes::Cluster, "until then: lets only nodes with a pod answer", &args).hazard(
                            "pods that talk to each other across nodes stay broken; a Gateway's Service takes it from its \
                             Gateway class",
                        ),
                    )
                    .step(
                        Step::decide("mend the pod network: Cilium's or Flannel's routes between the nodes' private addresses")
                            .for_good(),
                    )
            }
            Reason::Firewall => self.firewall(finding, &bad, ports, about),
            Reason::Unexplained => {
                finding.says = about(match self.blind {
                    true => format!("not all reasons could be looked at ({names})"),
                    false => format!("no usual reason fits ({names})"),
                });
                if let Some(node) = bad.iter().find_map(|i| self.node(&self.members[*i]))
                    && let Some(address) = node.addresses("InternalIP").next()
                {
                    let url = format!(
                        "http://{}",
                        crate::domain::addresses::host_port(address, first.lb.destination_port as u16)
                    );
                    finding = finding.step(Step {
                        changes: Changes::Nothing,
                        ..Step::on_node(
                            "on another node: does the nodePort answer there? any answer means yes",
                            &["curl", "-m", "5", "-so", "/dev/null", "-w", "%{http_code}\\n", &url],
                        )
                    });
                }
                finding
            }
        };
        let expect = format!("{which}: every target healthy within a minute");
        finding.verify_hcloud(&["load-balancer", "describe", &lb.name], expect)
    }

    /// A restarted controller ensures every load balancer anew; deleting its pod restarts it even where a rollout would
    /// wait for a free host port.
    pub fn resync(&self, why: &str) -> Vec<Step> {
        let [look] = self.look();
        match &self.ccm {
            Err(_) => vec![look],
            Ok(Some(ccm)) if ccm.pod().is_some() => {
                let pod = ccm.reference();
                let delete = ["delete", "pod", &*pod.name, "-n", &*ccm.namespace()];
                let restart = format!("restarts the cloud controller, which {why}");
                vec![look, Step::kubectl(Changes::Cloud, restart, &delete)]
            }
            Ok(_) => vec![Step::decide(
                "bring the cloud controller back: it does not run, so nothing keeps load balancers up to date",
            )],
        }
    }

    fn look(&self) -> [Step; 1] {
        let namespace = self.service.metadata.namespace.as_deref().unwrap_or_default();
        let describe = ["describe", "service", &*self.service.metadata.name, "-n", namespace];
        [Step::kubectl(Changes::Nothing, "shows why the controller did not do it by itself", &describe)]
    }

    fn health_check(&self, finding: Finding, port: &Port, about: impl Fn(String) -> String) -> Finding {
        let check = &port.lb.health_check;
        let listen = port.lb.listen_port;
        let mut finding =
            finding.shows(self.lb, &format!("services[listen_port={listen}].health_check.protocol"));
        let namespace = self.service.metadata.namespace.as_deref().unwrap_or_default();
        let name = &*self.service.metadata.name;
        let mut key = "load-balancer.hetzner.cloud/health-check-protocol";
        let mut set = format!("{key}=tcp");
        if check.port != 0 && check.port != port.lb.destination_port {
            finding.says =
                about(format!("its health check asks port {}, not {}", check.port, port.lb.destination_port));
            finding = finding
                .shows(self.lb, &format!("services[listen_port={listen}].health_check.port"))
                .shows(self.lb, &format!("services[listen_port={listen}].destination_port"));
            key = "load-balancer.hetzner.cloud/health-check-port";
            set = format!("{key}-");
            if self.service.annotation("health-check-port").is_none() {
                // set in the console: the next sync sets it back
                return finding.shows(self.service, &annotation(key)).steps(self.resync("sets it back"));
            }
        } else {
            let path = check.http.as_ref().map_or("/", |http| &*http.path);
            let codes = check.http.as_ref().map_or(&[][..], |http| &http.status_codes);
            let codes: Vec<String> = codes.iter().map(|code| code.replace('?', "x")).collect();
            let codes = if codes.is_empty() { "2xx or 3xx".into() } else { codes.join(" or ") };
            finding.says = about(format!("its health check wants HTTP {codes} from {path}"));
            finding.because = Some(
                "A proxy without a route for that host and path answers 404, which counts as unhealthy though the way is \
                 open."
                    .into(),
            );
        }
        finding = finding.shows(self.service, &annotation(key));
        let why = if set.ends_with('-') {
            "asks the Service's own port"
        } else {
            "asks whether the port is open, which every proxy answers"
        };
        finding
            .step(Step::kubectl(Changes::Cloud, why, &["annotate", "--overwrite", "service", name, "-n", namespace, &set]))
            .step(
                Step::decide(
                    "put the same into the Service's manifest, chart values or Gateway, or let the health check ask a path \
                     that the application answers (health-check-http-path)",
                )
                .for_good(),
            )
    }
}

fn annotation(key: &str) -> String {
    format!("metadata.annotations['{key}']")
}
