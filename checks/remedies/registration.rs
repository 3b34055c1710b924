//! Letting a node register itself anew: the only way to another provider ID, which cannot be changed once it is set.
//!
//! Sources: kubernetes validates `spec.providerID` as immutable; k3s `pkg/etcd/controller.go` (`onRemove`: deleting the Node
//! of an etcd member takes that member out of etcd, its own never).

use crate::facts::kubernetes::Node;
use crate::{Changes, Finding, Step};

/// Deletes the Node and restarts k3s on it; of several etcd members each is a case of its own.
pub fn anew(finding: Finding, node: &Node, nodes: &[Node]) -> Finding {
    let name = node.name();
    let members = nodes.iter().filter(|n| n.is_etcd()).count();
    if node.is_etcd() && members > 1 {
        return finding.step(
            Step::decide(format!(
                "when to take etcd member {name} out and let it join again: one member at a time, after a snapshot, with \
                 /var/lib/rancher/k3s/server/db emptied on it before it starts"
            ))
            .hazard("deleting the Node of an etcd member takes the member out of etcd, and k3s there does not start again by itself"),
        );
    }
    let unit = if node.is_control_plane() { "k3s" } else { "k3s-agent" };
    finding
        .step(
            Step::kubectl(
                Changes::Cluster,
                "a provider ID cannot be changed: deletes the Node, so that it registers without one",
                &["delete", "node", name],
            )
            .hazard("its pods are stopped and made anew: drain the node before, if they mind. Labels and taints that were set by hand \
                 are gone, and its pod range may be another"),
        )
        .step(Step::on_node(
            format!(
                "on node {name}: registers the Node again, tainted until the cloud controller has seen it"
            ),
            &["sudo", "systemctl", "restart", unit],
        ))
}
