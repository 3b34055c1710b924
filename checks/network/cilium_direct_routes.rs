//! When Cilium is told to route directly between nodes (`auto-direct-node-routes`) on Hetzner's cloud network, pods of
//! different nodes do not reach each other, because there every server is behind the network's gateway and Cilium installs
//! no route whose next hop is not on the link (cilium `pkg/datapath/linux/node.go`: `route to destination … contains gateway
//! …, must be directly reachable`; the error is a warning in the log, the agent stays ready).

use crate::domain::cilium::{self, Cilium};
use crate::domain::hccm::{self, Ccm};
use crate::domain::pod_network::{self, Way};
use crate::facts::kubernetes::Node;
use crate::facts::{Facts, Known};
use crate::remedies::cilium as remedy;
use crate::{Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD501",
    slug: "cilium-direct-routes",
    title: "Cilium installs no direct node routes across a routed network",
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
    caused_by: &[],
    explain: include_str!("cilium_direct_routes.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(cilium) = Cilium::find(facts)? else { return Ok(()) };
    v.examined += 1;
    if !cilium.routes_directly() {
        return cilium.is_live();
    }
    let ccm = Ccm::find(facts)?;
    if Ccm::manages_routes(facts)? {
        return Ok(()); // both make routes: KD208
    }
    let nodes = facts.all::<Node>()?;
    let mut off_link = Vec::new();
    for node in nodes {
        if pod_network::is_off_link(facts, node)? {
            off_link.push(node);
        }
    }
    let mut lost = Vec::new();
    for pods in pod_network::ranges(facts, &cilium)? {
        if let Way::Missing(networks) = pod_network::way(facts, &pods)? {
            lost.push((pods, networks));
        }
    }
    if off_link.is_empty() || lost.is_empty() {
        return Ok(()); // one layer-2 segment, or somebody else made the network's routes
    }
    let latent = nodes.len() < 2;
    let says = match latent {
        true => "Cilium's direct routes will fail as soon as a second node joins".to_string(),
        false => format!(
            "pods of the {} nodes do not reach each other: Cilium's direct routes are refused",
            nodes.len()
        ),
    };
    let mut finding = Finding::new(cilium.config, says)
        .because(
            "In Hetzner's cloud network every server is behind a gateway, so Cilium cannot name another node as the next \
             hop and leaves the route out; the network itself has no route to the pods either.",
        )
        .predicted()
        .shows(cilium.config, "data['routing-mode']")
        .shows(cilium.config, "data['auto-direct-node-routes']");
    if cilium.config.is_true("direct-routing-skip-unreachable") {
        finding = finding.shows(cilium.config, "data['direct-routing-skip-unreachable']");
    }
    if let Some(ccm) = ccm {
        finding = ccm.shown(ccm.shown(finding, "HCLOUD_NETWORK"), "HCLOUD_NETWORK_ROUTES_ENABLED");
        if let Some(workload) = v.see(ccm.workload(facts)) {
            finding = finding.relates_to(workload);
        }
    }
    for (pods, networks) in lost.iter().take(8) {
        finding = pods.shown(finding);
        for network in networks {
            if !finding.related.iter().any(|seen| seen.id == Some(network.id)) {
                finding = finding.shows(*network, "routes");
            }
        }
    }
    for node in off_link {
        finding = finding.relates(node);
    }
    if latent {
        finding = finding.severity(Severity::Info);
    }
    finding = finding.step(Step::decide(
        "a tunnel is the safe way, and the steps below; native routing works here only with routes that the cloud controller \
         makes: kairos-doctor explain KD503 has the recipe",
    ));
    let finding = cilium.honest(remedy::to_tunnel(finding, facts, &cilium, v));
    v.findings.push(finding);
    Ok(())
}
