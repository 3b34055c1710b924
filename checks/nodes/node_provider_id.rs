//! When a node's provider ID is missing, foreign or another server's, the node gets no load balancer targets, volumes or
//! addresses, because the cloud controller finds its server by that ID alone and never changes it
//! (hcloud-cloud-controller-manager `internal/providerid`, `hcloud/instances.go`).

use super::{
    PROVIDED, TAINT, external_cloud_provider, is_new, node_ip_known_to_cloud, node_name_matches_server,
};
use crate::domain::hccm::{self, Ccm};
use crate::domain::machines::{ByAddress, by_name, server_of};
use crate::facts::hetzner::Server;
use crate::facts::kubernetes::Node;
use crate::facts::{Facts, Kind, Known};
use crate::remedies::registration;
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD103",
    slug: "node-provider-id",
    title: "every node carries the provider ID of its own server",
    examines: "nodes",
    severity: Severity::Critical,
    needs: &[&Node::NEED, &Server::NEED, hccm::NEEDS[0], hccm::NEEDS[1], hccm::NEEDS[2]],
    caused_by: &[
        Cause::here(&node_name_matches_server::CHECK),
        Cause::here(&node_ip_known_to_cloud::CHECK),
        Cause::here(&external_cloud_provider::CHECK),
    ],
    explain: include_str!("node_provider_id.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    if Ccm::find(facts)?.is_none() {
        return Ok(()); // nobody here gives out Hetzner's provider IDs
    }
    let nodes = facts.all::<Node>()?;
    let servers = v.see(facts.all::<Server>());
    let machines = servers.map(|servers| Machines { servers, by_address: ByAddress::new(servers) });
    for node in nodes.iter().filter(|node| node.is_cloud()) {
        v.examined += 1;
        let Some(wrong) = Wrong::of(node, machines.as_ref()) else { continue };
        // An autoscaler makes and deletes servers while the lists are read, one after the other.
        let passing = is_new(node, facts) || node.metadata.deletion_timestamp.is_some();
        if passing && matches!(wrong, Wrong::Gone(None)) {
            continue;
        }
        v.findings.push(wrong.finding(node, nodes));
    }
    Ok(())
}

struct Machines<'a> {
    servers: &'a [Server],
    by_address: ByAddress<'a>,
}

enum Wrong<'a> {
    /// k3s's own cloud controller was first.
    K3s,
    /// Of another kind of machine, though the node is a server of this project.
    Foreign(&'a Server),
    /// `hcloud://` and no number.
    Malformed,
    /// No server has that ID.
    Gone(Option<&'a Server>),
    /// Another server than the one the node runs on.
    Other(&'a Server),
    /// None, and no taint by which the controller would come to set one.
    Missing(&'a Server),
}

impl<'a> Wrong<'a> {
    fn of(node: &Node, machines: Option<&Machines<'a>>) -> Option<Wrong<'a>> {
        let id = &*node.spec.provider_id;
        if id.starts_with("k3s://") {
            return Some(Wrong::K3s);
        }
        if id.starts_with("hcloud://") && node.server_id().is_none() {
            return Some(Wrong::Malformed);
        }
        let Machines { servers, by_address } = machines?;
        let own = || by_address.server_of(node).or_else(|| by_name(node.name(), servers));
        if node.server_id().is_some() {
            return match server_of(node, servers) {
                Some(claimed) => by_address.misnamed(node, claimed).map(Wrong::Other),
                None => Some(Wrong::Gone(own())),
            };
        }
        // A machine elsewhere has another provider ID, or none, and that is right.
        match id {
            "" if node.is_uninitialized() => None, // it waits: KD104
            "" => own().map(Wrong::Missing),
            _ => own().map(Wrong::Foreign),
        }
    }

    fn server(&self) -> Option<&'a Server> {
        match self {
            Wrong::K3s | Wrong::Malformed => None,
            Wrong::Gone(server) => *server,
            Wrong::Foreign(server) | Wrong::Other(server) | Wrong::Missing(server) => Some(server),
        }
    }

    fn finding(&self, node: &Node, nodes: &[Node]) -> Finding {
        let (name, id) = (node.name(), &node.spec.provider_id);
        let says = match self {
            Wrong::K3s => format!("node {name} has the provider ID {id}, which k3s's own controller gave it"),
            Wrong::Foreign(_) => format!("node {name} has the provider ID {id}, which is not Hetzner's"),
            Wrong::Malformed => format!("the provider ID of node {name} names no server: {id}"),
            Wrong::Gone(_) => format!("node {name} has the provider ID {id}, and no server has it"),
            Wrong::Other(own) => {
                format!("node {name} has the provider ID of another server: it runs on {}", own.name)
            }
            Wrong::Missing(_) => {
                format!("node {name} has no provider ID, and no taint by which it would get one")
            }
        };
        let because = match self {
            Wrong::Missing(_) => {
                "The cloud controller only initialises nodes that have its taint. Somebody took it away, or the kubelet was \
                 not started with cloud-provider=external."
            }
            Wrong::Malformed => {
                "The cloud controller fails on it, and with it the sync of every load balancer."
            }
            Wrong::Gone(_) => {
                "The cloud controller asks for that ID and no other. Once the node is not ready, it deletes the Node as one \
                 of a server that is gone."
            }
            Wrong::K3s | Wrong::Foreign(_) | Wrong::Other(_) => {
                "The cloud controller finds a node's server by this ID alone: no load balancer targets, volumes or addresses \
                 of its own server."
            }
        };
        let mut finding = Finding::new(node, says).because(because).shows(node, "spec.providerID");
        finding = finding.shows(node, TAINT);
        if let Some(server) = self.server() {
            finding = finding.shows(node, PROVIDED).shows(server, "id");
        }
        let expect = match self.server() {
            Some(server) => format!("hcloud://{}", server.id),
            None => "hcloud:// and the server's ID".into(),
        };
        self.remedy(finding, node, nodes)
            .verify_kubectl(&["get", "node", name, "-o", "jsonpath={.spec.providerID}"], expect)
    }

    fn remedy(&self, finding: Finding, node: &Node, nodes: &[Node]) -> Finding {
        match self {
            Wrong::Missing(_) => finding.step(
                Step::kubectl(
                    Changes::Cluster,
                    "gives the node the taint back: the controller initialises it and takes it away again",
                    &[
                        "taint",
                        "node",
                        node.name(),
                        "node.cloudprovider.kubernetes.io/uninitialized=true:NoSchedule",
                    ],
                )
                .hazard("until then no new pod is placed there; running ones stay"),
            ),
            Wrong::K3s => {
                let first = Step::decide(
                    "first give every server --disable-cloud-controller (KD105): else k3s gives the same ID again",
                );
                registration::anew(finding.step(first), node, nodes)
            }
            Wrong::Gone(None) => registration::anew(
                finding.step(Step::decide(
                    "whether the machine still runs: of a server that was deleted, delete only the Node, the first of the \
                     next steps",
                )),
                node,
                nodes,
            ),
            _ => registration::anew(finding, node, nodes),
        }
    }
}
