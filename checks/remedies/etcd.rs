//! Moving a member of k3s's embedded etcd to another address: k3s refuses to start when it changes.
//!
//! Sources: k3s `pkg/etcd/etcd.go` (`Test`: no member has both its name and its peer URL; `Reset` rewrites the peer URL of the
//! only member), `pkg/etcd/controller.go` (the registered address on the Node; deleting the Node of another member removes
//! it), k3s-io/k3s#6524 and #10362.

use std::net::IpAddr;

use crate::domain::addresses::ip;
use crate::facts::kubernetes::Node;
use crate::{Changes, Finding, Step};

/// Where k3s writes the address that a member is registered with.
pub const ADDRESS: &str = "metadata.annotations['etcd.k3s.cattle.io/node-address']";

/// The address that the member is registered with, as k3s writes it onto the Node.
pub fn registered(node: &Node) -> Option<IpAddr> {
    ip(node.metadata.annotation("etcd.k3s.cattle.io/node-address")?)
}

/// k3s would not start with `address` as its node-ip: the node is a member, and registered with another one.
pub fn stops_with(node: &Node, address: IpAddr) -> bool {
    node.is_etcd() && registered(node) != Some(address)
}

/// The only safe way to give a member another address.
pub fn plan(finding: Finding, node: &Node, nodes: &[Node], to: IpAddr) -> Finding {
    let members = nodes.iter().filter(|n| n.is_etcd()).count();
    let registered = match registered(node) {
        Some(address) => format!("registered as {address}"),
        None => "registered with an address that the Node does not show".into(),
    };
    let snapshot = Step {
        changes: Changes::Nothing,
        ..Step::on_node(
            format!("on node {}: a snapshot first, whatever you decide", node.name()),
            &["sudo", "k3s", "etcd-snapshot", "save"],
        )
    };
    let shown = finding.evidence.iter().any(|evidence| evidence.path == ADDRESS);
    let finding = if shown { finding } else { finding.shows(node, ADDRESS) };
    let finding = finding.step(snapshot);
    let hazard = format!(
        "do not write node-ip {to} before: this node is an etcd member, {registered}, and k3s refuses to start when that changes. \
         A boot stage that writes node-ip does the same at the next boot"
    );
    let plan = if members > 1 {
        "move the members one after the other: delete the node, wait until etcd has dropped it, empty \
         /var/lib/rancher/k3s/server/db there, and let it join again with node-ip set from its first start"
            .to_string()
    } else {
        format!(
            "plan a maintenance window: stop k3s, write node-ip {to} here, in place of any other in \
             /etc/rancher/k3s/config.yaml.d, and in the cloud-config, run `k3s server --cluster-reset --node-ip={to}`, start k3s"
        )
    };
    finding.step(Step::decide(format!("when to move this etcd member to {to}; {plan}")).hazard(hazard))
}
