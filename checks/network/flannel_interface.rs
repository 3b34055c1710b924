//! When Flannel was not told its interface, it takes the one of the default route, which on Hetzner's servers is the public
//! one: pod traffic then crosses the internet unencrypted, or a firewall drops it. `node-ip` does not change that
//! (k3s-io/k3s `pkg/agent/flannel/flannel.go`, `LookupExtInterface`).

use std::net::IpAddr;

use crate::domain::addresses::ip;
use crate::domain::k3s;
use crate::domain::machines::{private_ips, server_of};
use crate::facts::hetzner::Server;
use crate::facts::kubernetes::Node;
use crate::facts::{Facts, Kind, Known};
use crate::{Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD508",
    slug: "flannel-interface",
    title: "Flannel traffic stays on the private network",
    examines: "nodes with Flannel",
    severity: Severity::Error,
    needs: &[&Node::NEED, &Server::NEED],
    caused_by: &[],
    explain: include_str!("flannel_interface.md"),
    judge,
};

const PUBLIC_IP: &str = "flannel.alpha.coreos.com/public-ip";
const BACKEND: &str = "flannel.alpha.coreos.com/backend-type";

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let nodes = facts.all::<Node>()?;
    let without = |node: &Node| k3s::arg(node, "flannel-backend").is_some_and(|backend| backend == "none");
    if nodes.iter().any(without) {
        return Ok(()); // annotations of a Flannel that is gone stay
    }
    if nodes.iter().any(|node| k3s::is_on(node, "flannel-external-ip")) {
        return Ok(()); // it was told to use the public addresses, as for nodes outside Hetzner
    }
    for node in nodes {
        let Some(used) = node.metadata.annotation(PUBLIC_IP).and_then(ip) else { continue };
        v.examined += 1;
        // WireGuard encrypts, and is chosen to cross the internet
        if node.metadata.annotation(BACKEND).is_some_and(|backend| backend.contains("wireguard"))
            || !node.is_cloud()
        {
            continue;
        }
        let Some(private) = private_instead_of(facts, node, used)? else { continue };
        let finding = tell(nodes, node, private);
        v.findings.push(finding);
    }
    Ok(())
}

/// The private address that Flannel should use, where what it uses is the node's public one. Mostly the Node itself says
/// both; where its InternalIP is public, the server does.
fn private_instead_of(facts: &Facts, node: &Node, used: IpAddr) -> Known<Option<IpAddr>> {
    let internal: Vec<IpAddr> = node.addresses("InternalIP").filter_map(ip).collect();
    let external: Vec<IpAddr> = node.addresses("ExternalIP").filter_map(ip).collect();
    let private =
        internal.iter().copied().find(|ip| ip.is_ipv4() == used.is_ipv4() && !external.contains(ip));
    match private {
        Some(private) if external.contains(&used) => return Ok(Some(private)),
        Some(private) if private == used && !external.is_empty() => return Ok(None),
        _ => {}
    }
    let Some(server) = server_of(node, facts.all::<Server>()?) else { return Ok(None) };
    let is_public = server.public_addresses().any(|ip| ip == used);
    Ok(private_ips(server).find(|ip| is_public && ip.is_ipv4() == used.is_ipv4()))
}

fn tell(nodes: &[Node], node: &Node, private: IpAddr) -> Finding {
    let name = node.name();
    let latent = nodes.len() < 2;
    let says = match latent {
        true => format!("Flannel on node {name} will use the internet as soon as a second node joins"),
        false => {
            format!("Flannel on node {name} sends pod traffic over the internet, not the private network")
        }
    };
    let finding = Finding::new(node, says)
        .because(
            "Without flannel-iface it takes the interface of the default route, which is the public one. VXLAN is not \
             encrypted, and a firewall that does not admit UDP 8472 drops it.",
        )
        .shows(node, &format!("metadata.annotations['{PUBLIC_IP}']"))
        .shows(node, &format!("metadata.annotations['{BACKEND}']"))
        .shows(node, "status.addresses[type=InternalIP].address")
        .shows(node, "metadata.annotations['k3s.io/node-args']");
    let finding = if latent { finding.severity(Severity::Info) } else { finding };
    let look = Step {
        changes: Changes::Nothing,
        ..Step::on_node(
            format!("on node {name}: names the interface that has {private} (enp7s0, ens10 and others)"),
            &["ip", "-brief", "-4", "address"],
        )
    };
    let finding = finding.step(look);
    let unit = if node.is_control_plane() { "k3s" } else { "k3s-agent" };
    let restart = Step::on_node(
        format!("on node {name}: k3s reads it at its start"),
        &["sudo", "systemctl", "restart", unit],
    )
    .hazard(
        "pods on nodes that have changed and pods on nodes that have not do not reach each other meanwhile",
    );
    let told = k3s::arg(node, "node-ip");
    let has_it = told.as_deref().is_some_and(|all| all.split(',').filter_map(ip).any(|told| told == private));
    let what = format!(
        "in /etc/rancher/k3s/config.yaml.d/90-flannel-iface.yaml of node {name}: flannel-iface with that name, and the same \
         from this node's cloud-config in /oem"
    );
    // flannel-iface alone also sets the node's address, and with it the etcd member's.
    let finding = if has_it || !node.is_etcd() {
        let decide = Step::decide(what);
        let decide = match has_it {
            true => decide,
            false => decide.hazard(format!(
                "without node-ip it also becomes the node's address: its InternalIP and its kubelet's certificate; set \
                 node-ip to {private} beside it"
            )),
        };
        finding.step(decide).step(restart)
    } else {
        let registered = node.metadata.annotation("etcd.k3s.cattle.io/node-address").unwrap_or_default();
        finding.shows(node, "metadata.annotations['etcd.k3s.cattle.io/node-address']").step(
            Step::decide(format!(
                "when to move this etcd member to {private}: a snapshot first (k3s etcd-snapshot save); one server: stop k3s, \
                 k3s server --cluster-reset with node-ip and flannel-iface set, start k3s; several: one after the other leaves \
                 and joins again with both set"
            ))
            .hazard(match ip(registered) == Some(private) {
                true => format!("write node-ip {private} together with flannel-iface, never flannel-iface alone"),
                false => "do not write flannel-iface before: without node-ip it changes the address that this etcd member is \
                          registered with, and k3s refuses to start"
                    .to_string(),
            }),
        )
    };
    let path = r"jsonpath={.metadata.annotations.flannel\.alpha\.coreos\.com/public-ip}";
    finding.verify_kubectl(&["get", "node", name, "-o", path], private.to_string())
}
