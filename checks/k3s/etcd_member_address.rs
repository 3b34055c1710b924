//! When an etcd member was registered with the public address because node-ip was not there at the first start, the boot
//! that brings node-ip stops k3s, because a member that has another peer URL than the registered one is none
//! (k3s `pkg/etcd/etcd.go`, `Test`: `this server is a not a member of the etcd cluster`). Kairos's published cloud-configs
//! write node-ip at every boot at which `/etc/rancher/k3s/config.yaml` is not there yet, of addresses that begin with `10.`.

use serde_json::json;

use crate::domain::addresses::ip;
use crate::domain::k3s;
use crate::domain::machines::{private_ips, server_of};
use crate::facts::hetzner::Server;
use crate::facts::kubernetes::Node;
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::remedies::{etcd, node_ip};
use crate::{Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD807",
    slug: "etcd-member-address",
    title: "etcd members keep the address they joined with",
    examines: "etcd members",
    severity: Severity::Critical,
    needs: &[&Node::NEED, &Server::NEED],
    caused_by: &[],
    explain: include_str!("etcd_member_address.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let nodes = facts.all::<Node>()?;
    let members: Vec<&Node> = nodes.iter().filter(|node| node.is_etcd()).collect();
    if members.is_empty() {
        return Ok(());
    }
    let servers = facts.all::<Server>()?;
    for node in members {
        let Some(server) = server_of(node, servers) else { continue };
        v.examined += 1;
        // What the boot stage would find: it matches 10.0.0.0/8 alone.
        let Some(coming) = private_ips(server).find(|address| address.to_string().starts_with("10.")) else {
            continue;
        };
        let registered = etcd::registered(node).or_else(|| node.provided_ips().find_map(ip));
        let Some(registered) = registered.filter(|registered| *registered != coming) else { continue };
        if !server.public_addresses().any(|public| public == registered) {
            continue;
        }
        if !k3s::has_args(node) {
            let detail = format!("node {} does not show the arguments of its k3s", node.name());
            v.gaps.push(Gap::new(Node::NEED.key, Why::NotRead, detail).of(node.name()));
            continue;
        }
        if k3s::arg(node, "node-ip").is_some() {
            continue; // told, in a file that is there or before every file
        }
        let says = format!(
            "etcd member {} joined as {registered}: with node-ip {coming} k3s does not start",
            node.name()
        );
        let mut finding = Finding::new(node, says)
            .predicted()
            .shows(node, etcd::ADDRESS)
            .shows(node, "metadata.annotations['alpha.kubernetes.io/provided-node-ip']")
            .shows(node, "metadata.annotations['k3s.io/node-args']")
            .shows(server, "private_net");
        finding = if is_kairos(node) {
            finding.shows(node, "status.nodeInfo.osImage").because(
                "k3s was started without node-ip. A boot stage as in Kairos's Hetzner examples writes it at the next boot, and \
                 etcd then refuses this server as a stranger.",
            )
        } else {
            finding.severity(Severity::Warning).because(
                "k3s was started without node-ip. If a boot stage writes it, as Kairos's Hetzner examples do, etcd refuses this \
                 server as a stranger from then on; nothing shows whether this node is one of Kairos.",
            )
        };
        let finding = keep(finding, node, registered);
        v.findings.push(etcd::plan(finding, node, nodes, coming).verify_kubectl(
            &["get", "node", node.name(), "-o", "jsonpath={.metadata.annotations.k3s\\.io/node-args}"],
            "--node-ip and the address that the member is registered with, after the next start of k3s",
        ));
    }
    Ok(())
}

/// The cheap step that stops the clock: node-ip as it is, before anything else writes another.
fn keep(finding: Finding, node: &Node, registered: std::net::IpAddr) -> Finding {
    if node_ip::is_dual_stack(node) {
        return finding; // one family alone would stop k3s too
    }
    let file = "/etc/rancher/k3s/config.yaml.d/90-node-ip.yaml";
    let write = Step::write(
        Changes::Node,
        format!(
            "before the next boot, on node {}: keeps the address that the member has; this file wins over one that a boot \
             stage writes",
            node.name()
        ),
        file,
        json!({"node-ip": registered.to_string()}),
    );
    finding.step(write)
}

/// Signs of Kairos; without them nothing is shown, since its Ubuntu flavours look like Ubuntu.
fn is_kairos(node: &Node) -> bool {
    let info = &node.status.node_info;
    let words = [&info.os_image, &info.kernel_version].map(|text| text.to_lowercase());
    words.iter().any(|text| text.contains("kairos") || text.contains("hadron"))
        || node.metadata.label("kairos.io/managed").is_some()
}
