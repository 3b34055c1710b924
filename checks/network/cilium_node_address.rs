//! When Cilium knows another address of a node than Kubernetes does, the other agents send that node's pod traffic to an
//! address that does not take it, because they learn addresses from CiliumNodes and the cloud controller writes them onto
//! Nodes: the one place where the two meet (cilium `pkg/k8s/node.go`, `pkg/nodediscovery`).

use std::net::IpAddr;

use crate::domain::addresses::{ip, range};
use crate::domain::cilium::{self, Cilium};
use crate::facts::kubernetes::{CiliumNode, Node, Pod};
use crate::facts::{Facts, Kind, Known};
use crate::nodes::node_internal_ip;
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD511",
    slug: "cilium-node-address",
    title: "Cilium and Kubernetes agree on node addresses",
    examines: "CiliumNodes",
    severity: Severity::Error,
    needs: &[cilium::NEEDS[0], cilium::NEEDS[1], cilium::NEEDS[2], &Node::NEED, &CiliumNode::NEED],
    // what the Node says is wrong, and not what Cilium knows
    caused_by: &[
        Cause::here(&node_internal_ip::CHECK).when(|_, effect| effect.discriminator != Some("pod-cidrs"))
    ],
    explain: include_str!("cilium_node_address.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(cilium) = Cilium::find(facts)? else { return Ok(()) };
    facts.all::<Node>()?;
    let agents = cilium.agents_by_node();
    for own in facts.all::<CiliumNode>()? {
        let Some(node) = facts.node(&own.metadata.name)? else { continue };
        v.examined += 1;
        // A Node that no controller has given an address yet is another failure.
        let kubernetes: Vec<IpAddr> = node.addresses("InternalIP").filter_map(ip).collect();
        let listed = own.spec.addresses.iter().filter(|address| address.r#type == "InternalIP");
        let cilium_has: Vec<IpAddr> = listed.filter_map(|address| ip(&address.ip)).collect();
        // By family, for Cilium leaves out one that it does not use; in any order.
        let differs = |v4: bool| {
            let of = |all: &[IpAddr]| all.iter().copied().filter(|ip| ip.is_ipv4() == v4).collect::<Vec<_>>();
            let (theirs, ours) = (of(&kubernetes), of(&cilium_has));
            !theirs.is_empty() && !ours.is_empty() && !ours.iter().any(|ip| theirs.contains(ip))
        };
        let none = !kubernetes.is_empty() && cilium_has.is_empty();
        if none || differs(true) || differs(false) {
            let says = match (cilium_has.first(), kubernetes.first()) {
                (Some(ours), Some(theirs)) => {
                    format!("Cilium knows node {} as {ours}, Kubernetes as {theirs}", node.name())
                }
                _ => format!("Cilium knows no InternalIP of node {}", node.name()),
            };
            let finding = Finding::new(node, says)
                .because("Agents on other nodes send what is for its pods to the address that Cilium knows.")
                .shows(own, "spec.addresses[type=InternalIP].ip")
                .shows(node, "status.addresses[type=InternalIP].address");
            v.findings.push(restart(finding, agents.get(node.name()).copied(), node));
        }
        let cidrs = |all: &[crate::facts::Text]| {
            let mut all: Vec<_> = all.iter().filter_map(|cidr| range(cidr)).collect();
            all.sort();
            all
        };
        let (theirs, ours) = (cidrs(&node.spec.pod_cidrs), cidrs(&own.spec.ipam.pod_cidrs));
        // Of a dual-stack Node, Cilium takes the families that it uses.
        if cilium.uses_kubernetes_ipam()
            && !theirs.is_empty()
            && !ours.iter().all(|cidr| theirs.contains(cidr))
        {
            let says = format!(
                "Cilium hands out other pod addresses on node {} than Kubernetes gave it",
                node.name()
            );
            let finding = Finding::new(node, says)
                .discriminator("pod-cidrs")
                .because(
                    "Its pods' addresses are then in a range that may be another node's, and that the network's routes do \
                     not lead to.",
                )
                .shows(own, "spec.ipam.podCIDRs")
                .shows(node, "spec.podCIDRs")
                .shows(cilium.config, "data.ipam");
            let finding = restart(finding, agents.get(node.name()).copied(), node).step(
                Step::decide("then restart the pods of this node: they keep the addresses they have")
                    .hazard("drain the node for it; pods of one owner otherwise go down together"),
            );
            v.findings.push(cilium.honest(finding));
        }
    }
    Ok(())
}

fn restart(finding: Finding, agent: Option<&Pod>, node: &Node) -> Finding {
    let finding = match agent {
        Some(pod) => {
            let namespace = pod.metadata.namespace.as_deref().unwrap_or("kube-system");
            let args = ["delete", "pod", "-n", namespace, &*pod.metadata.name];
            finding.relates(pod).step(
                Step::kubectl(
                    Changes::Cluster,
                    "restarts the node's agent, which then writes what the Node says",
                    &args,
                )
                .hazard("connections of new pods on that node wait until it is back, mostly under a minute"),
            )
        }
        None => finding
            .step(Step::decide("get Cilium's agent to run on that node: only it writes its CiliumNode")),
    };
    let args = ["get", "ciliumnode", node.name(), "-o", "jsonpath={.spec.addresses} {.spec.ipam.podCIDRs}"];
    finding.verify_kubectl(&args, "the InternalIP and the podCIDRs of the Node")
}
