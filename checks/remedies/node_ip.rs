//! Telling k3s which address is the node's own, on a node that is already installed.
//!
//! Source: k3s merges `/etc/rancher/k3s/config.yaml.d/*.yaml` at every start (`pkg/configfilearg`); a flag on its command
//! line wins over them.

use std::net::IpAddr;

use serde_json::json;

use super::etcd;
use crate::domain::addresses::ip;
use crate::domain::k3s;
use crate::facts::kubernetes::Node;
use crate::{Changes, Finding, Step};

/// Makes k3s use `address` as its node-ip; on an etcd member by the plan that moves it.
pub fn tell(finding: Finding, node: &Node, nodes: &[Node], address: IpAddr) -> Finding {
    if etcd::stops_with(node, address) {
        return etcd::plan(finding, node, nodes, address);
    }
    finding.steps(write(node, "node-ip", &both_families(node, "InternalIP", address)))
}

/// The address, and in a dual-stack cluster the node's address of the other family after it: k3s does not start with one
/// alone.
pub fn both_families(node: &Node, kind: &str, address: IpAddr) -> String {
    let mut all = node.addresses(kind).filter_map(ip);
    match all.find(|other| is_dual_stack(node) && other.is_ipv4() != address.is_ipv4()) {
        Some(other) => format!("{address},{other}"),
        None => address.to_string(),
    }
}

/// The node has pod ranges of both families.
pub fn is_dual_stack(node: &Node) -> bool {
    let v6 = |cidr: &str| cidr.contains(':');
    let cidrs = &node.spec.pod_cidrs;
    cidrs.iter().any(|c| v6(c)) && cidrs.iter().any(|c| !v6(c))
}

/// Writes `node-ip` or `node-external-ip` and restarts k3s, now and from the node's own cloud-config.
pub fn write(node: &Node, flag: &str, value: &str) -> Vec<Step> {
    // A file for each: one that held node-ip and is written over with another flag takes node-ip away.
    let file = format!("/etc/rancher/k3s/config.yaml.d/90-{flag}.yaml");
    let mut write = Step::write(
        Changes::Node,
        format!("on node {}: tells k3s its address, which then stands in the certificate", node.name()),
        file.clone(),
        json!({flag: value}),
    );
    if let Some(other) = k3s::arg(node, flag) {
        write = write.hazard(format!(
            "k3s is already told {flag} {other}: if that stands on its command line, the file is not read; change it there"
        ));
    } else if flag == "node-ip" && k3s::arg(node, "flannel-iface").is_some() {
        write = write
            .hazard("k3s takes its address from flannel-iface; name the private interface there instead");
    }
    vec![write, restart(node), for_good(&file, &format!("{flag}: {value}\n"))]
}

/// The same file from the cloud-config.
pub fn for_good(file: &str, content: &str) -> Step {
    Step::write(
        Changes::Node,
        "the same from the cloud-config of this node alone, never of one that several share",
        "a file in /oem on that node",
        json!({"write_files": [{"path": file, "permissions": "0600", "content": content}]}),
    )
    .for_good()
}

/// Restarts k3s on the node.
pub fn restart(node: &Node) -> Step {
    let unit = if node.is_control_plane() { "k3s" } else { "k3s-agent" };
    let why = format!("on node {}: k3s asks for a new certificate at every start", node.name());
    let restart = Step::on_node(why, &["sudo", "systemctl", "restart", unit]);
    match node.is_control_plane() {
        true => restart.hazard("the API of this server is away for some seconds"),
        false => restart,
    }
}
