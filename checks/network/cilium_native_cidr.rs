//! When `ipv4-native-routing-cidr` does not hold the pods, Cilium gives packets between pods of different nodes the node's
//! address, and network policies no longer know who sent them; when it also holds the nodes, packets from pods to other
//! machines of the private network keep the pod's address, which Hetzner's gateway drops where no route leads to it
//! (cilium documentation, masquerading: destinations in that range are not masqueraded).

use serde_json::json;

use crate::domain::addresses::{ip, range};
use crate::domain::cilium::{self, Cilium};
use crate::domain::pod_network::{self, PodRange, Way};
use crate::facts::kubernetes::Node;
use crate::facts::{Facts, Known};
use crate::network::{cilium_direct_routes, cilium_route_fabric};
use crate::remedies::cilium as remedy;
use crate::{Cause, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD502",
    slug: "cilium-native-cidr",
    title: "Cilium's native routing CIDR covers the pod CIDRs",
    examines: "Cilium configurations",
    severity: Severity::Error,
    needs: &[
        cilium::NEEDS[0],
        cilium::NEEDS[1],
        cilium::NEEDS[2],
        pod_network::NEEDS[0],
        pod_network::NEEDS[1],
        pod_network::NEEDS[2],
        pod_network::NEEDS[3],
        remedy::NEEDS[0],
        remedy::NEEDS[1],
    ],
    // A range that holds the nodes does harm only where the routes are missing that they say are missing.
    caused_by: &[
        Cause::everywhere(&cilium_direct_routes::CHECK)
            .when(|_, effect| effect.discriminator == Some(NODE_RANGE)),
        Cause::everywhere(&cilium_route_fabric::CHECK)
            .when(|_, effect| effect.discriminator == Some(NODE_RANGE)),
    ],
    explain: include_str!("cilium_native_cidr.md"),
    judge,
};

const KEY: &str = "ipv4-native-routing-cidr";
const NODE_RANGE: &str = "node-range";

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(cilium) = Cilium::find(facts)? else { return Ok(()) };
    v.examined += 1;
    let masquerades = cilium.config.get("enable-ipv4-masquerade") != Some("false")
        && !cilium.config.is_true("enable-ip-masq-agent");
    if !cilium.is_native() || !masquerades {
        return cilium.is_live(); // nothing reads it
    }
    let given = cilium.config.get(KEY);
    let nodes = facts.all::<Node>()?;
    let ranges = pod_network::ranges(facts, &cilium)?;
    let native = given.and_then(range);
    let outside: Vec<&PodRange> =
        ranges.iter().filter(|pods| native.is_none_or(|native| !native.contains(&pods.cidr))).collect();
    let holds_node = |node: &&Node| {
        let mut addresses = node.addresses("InternalIP").filter_map(ip);
        addresses.any(|address| native.is_some_and(|native| native.contains(&address)))
    };
    let held: Vec<&Node> = nodes.iter().filter(holds_node).collect();
    let finding = if given.is_none() {
        let says = "Cilium's agents do not start any more: native routing without a native routing CIDR";
        Finding::new(cilium.config, says)
            .discriminator("missing")
            .because("They refuse to masquerade without knowing which addresses are to be left alone.")
            .severity(Severity::Critical)
    } else if let Some(first) = outside.first() {
        let given = given.unwrap_or_default();
        let latent = nodes.len() < 2;
        let says = match latent {
            true => format!("Cilium's native routing CIDR {given} will hide pods once a second node joins"),
            false => format!("Cilium's native routing CIDR {given} leaves out the pods' {}", first.cidr),
        };
        let mut because =
            "Packets to pods of another node then leave with the node's address: network policies take them \
                           for the node's."
                .to_string();
        if !held.is_empty() {
            because += " It holds the nodes instead, so packets from pods to other machines of the private network keep \
                        the pod's address, which Hetzner drops.";
        }
        let mut finding = Finding::new(cilium.config, says).because(because);
        if latent {
            finding = finding.severity(Severity::Info);
        }
        for pods in outside.iter().take(8) {
            finding = pods.shown(finding);
        }
        finding
    } else if let Some(node) = held.first() {
        let mut unrouted = Vec::new();
        for pods in &ranges {
            if matches!(pod_network::way(facts, pods)?, Way::Missing(_)) {
                unrouted.push(pods);
            }
        }
        let Some(first) = unrouted.first() else { return cilium.is_live() };
        let given = given.unwrap_or_default();
        let says =
            format!("pods reach no other machine of the private network: {given} holds the nodes, too");
        let finding = Finding::new(cilium.config, says)
            .discriminator(NODE_RANGE)
            .severity(Severity::Warning)
            .because(
                "Packets to addresses in this range keep the pod's address, and Hetzner drops what comes from an address \
                 that is neither the server's nor behind a route to it.",
            )
            .shows(*node, "status.addresses[type=InternalIP].address");
        first.shown(finding)
    } else {
        return cilium.is_live();
    };
    let finding = finding
        .predicted()
        .shows(cilium.config, "data['routing-mode']")
        .shows(cilium.config, &format!("data['{KEY}']"));
    let finding = match pod_network::cluster_cidr(&ranges, nodes, &cilium) {
        Some(all) => {
            let change = remedy::Change {
                why: "keeps the pods' addresses between pods, and only there",
                values: json!({"ipv4NativeRoutingCIDR": all.to_string()}),
                settings: json!({KEY: all.to_string()}),
                readers: &["daemonset/cilium"],
                hazard: None,
            };
            remedy::tell(finding, facts, &cilium, change, v)
        }
        None => finding
            .step(Step::decide(
                "set ipv4NativeRoutingCIDR in Cilium's values to the range that all pod ranges are cut from, and restart \
                 the agents",
            ))
            .verify_kubectl(
                &["get", "configmap", "cilium-config", "-n", "kube-system", "-o", "yaml"],
                "ipv4-native-routing-cidr is the pods' range",
            ),
    };
    v.findings.push(cilium.honest(finding));
    Ok(())
}
