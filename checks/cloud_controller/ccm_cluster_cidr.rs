//! When a pod range lies outside the controller's `--cluster-cidr`, its route is made and never removed, because HCCM looks
//! only for routes within that range when it cleans up (`hcloud/routes.go`, `isResponsibleForRoute`, `warnCIDRMismatch`).
//! When the flag holds two ranges, no routes are made at all: HCCM reads one (`newRoutes`, `net.ParseCIDR`).

use ipnet::IpNet;
use serde_json::json;

use crate::domain::addresses::range;
use crate::domain::cilium::{self, Cilium};
use crate::domain::hccm::{self, Ccm};
use crate::domain::k3s;
use crate::domain::routes::{Off, Routes};
use crate::facts::kubernetes::{Event, Node};
use crate::facts::{Facts, Kind, Known};
use crate::remedies::{charts, controller, in_manifest};
use crate::{Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD203",
    slug: "ccm-cluster-cidr",
    title: "the cloud controller's cluster CIDR covers every pod CIDR",
    examines: "pod CIDRs",
    severity: Severity::Warning,
    needs: &[
        hccm::NEEDS[0],
        hccm::NEEDS[1],
        hccm::NEEDS[2],
        charts::NEEDS[0],
        charts::NEEDS[1],
        cilium::NEEDS[0],
        &Node::NEED,
        &Event::NEED,
    ],
    caused_by: &[],
    explain: include_str!("ccm_cluster_cidr.md"),
    judge,
};

/// The range that k3s takes pods' addresses from where nobody says otherwise.
const DEFAULT: &str = "10.42.0.0/16";

/// Its flag is not one range, and so no route is made; with another range they all are.
pub fn turns_routes_off(cause: &Finding, _: &Finding) -> bool {
    !cause.related.iter().any(|object| object.kind == "Node")
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(ccm) = Ccm::find(facts)? else { return Ok(()) };
    let cover = match ccm.routes()? {
        Routes::Managed(range) => Ok(range),
        Routes::Off(Off::BadCidr(given)) => Err(given),
        Routes::Off(_) => return Ok(()), // the flag is inert
    };
    let nodes = facts.all::<Node>()?;
    let ranges = |node: &Node| node.spec.pod_cidrs.iter().filter_map(|text| range(text)).collect::<Vec<_>>();
    v.examined += nodes.iter().map(|node| ranges(node).len()).sum::<usize>();
    let workload = ccm.workload(facts)?;
    let finding = match &cover {
        Err(_) => {
            let says = "the cloud controller makes no routes: its cluster CIDR is not one range";
            Finding::about(workload, says).because(
                "It reads one range; two, as for dual-stack, turn its routes off with one line in its log.",
            )
        }
        Ok(cover) => {
            let outside: Vec<(&Node, IpNet)> = nodes
                .iter()
                .flat_map(|node| ranges(node).into_iter().map(move |range| (node, range)))
                // the family that it makes no routes for is never covered
                .filter(|(_, range)| {
                    range.addr().is_ipv4() == cover.addr().is_ipv4() && !cover.contains(range)
                })
                .collect();
            let Some((first, range)) = outside.first() else { return Ok(()) };
            let others = match outside.len() {
                1 => String::new(),
                n => format!(" and {} more", n - 1),
            };
            let says = format!(
                "the cloud controller's cluster CIDR {cover} leaves out {range} of {}{others}",
                first.name()
            );
            let mut finding = Finding::about(workload, says).because(
                "Routes are made for those ranges all the same, and never removed: they pile up towards the limit of 100 in a \
                 network.",
            );
            for (node, _) in outside.iter().take(8) {
                finding = finding.shows(*node, "spec.podCIDRs");
            }
            let events = v.see(facts.all::<Event>()).unwrap_or_default();
            let warned = events.iter().filter(|event| {
                event.reason == "ClusterCIDRMisconfigured"
                    && outside.iter().any(|(node, _)| event.is_about(&node.reference()))
            });
            if let Some(event) = warned.max_by_key(|event| (event.last_seen(), event.reference())) {
                finding = finding.shows_at(event, "message", event.last_seen());
            }
            finding
        }
    };
    let mut finding = ccm.shown_flag(finding, "cluster-cidr");
    if let Some(Some(cilium)) = v.see(Cilium::find(facts))
        && cilium.is_native()
    {
        finding = finding.shows(cilium.config, "data.routing-mode").severity(Severity::Error);
    }
    let wanted = cluster_range(nodes);
    let finding = v.advise(finding, |finding| remedy(finding, facts, &ccm, wanted));
    v.findings.push(finding);
    Ok(())
}

/// The range that the cluster's pods have their addresses from: as a server was told, else the default where it fits.
fn cluster_range(nodes: &[Node]) -> Option<String> {
    let told = nodes.iter().find_map(|node| k3s::arg(node, "cluster-cidr"));
    let told = told.as_deref().unwrap_or(DEFAULT);
    let one = told.split(',').filter_map(range).find(|range| range.addr().is_ipv4())?;
    let all = nodes.iter().flat_map(|node| &node.spec.pod_cidrs).filter_map(|text| range(text));
    all.filter(|range| range.addr().is_ipv4()).all(|range| one.contains(&range)).then(|| one.to_string())
}

fn remedy(finding: Finding, facts: &Facts, ccm: &Ccm, wanted: Option<String>) -> Known<Finding> {
    let Some(wanted) = wanted else {
        return Ok(seen(finding).step(Step::decide(
            "which range holds every node's pod CIDR (kubectl get nodes -o yaml, spec.podCIDR): that one, and an IPv4 one only, \
             is the controller's --cluster-cidr",
        )));
    };
    let why = "names the range that the nodes' pod CIDRs are taken from";
    match ccm.chart(facts)? {
        Some(chart) => {
            // without its networking the chart makes no such flag, and somebody gave it as an argument
            let values = match controller::has_networking(&chart) {
                true => json!({"networking": {"clusterCIDR": wanted}}),
                false => json!({"args": {"cluster-cidr": wanted}}),
            };
            controller::give(finding, facts, ccm, &chart, why, values)
        }
        None => {
            let flag = format!("--cluster-cidr={wanted}");
            let container = json!({"name": ccm.container().name, "args": [flag]});
            let snippet = json!({"spec": {"template": {"spec": {"containers": [container]}}}});
            let workload = ccm.workload(facts)?.to_string();
            Ok(seen(finding)
                .step(Step::decide(format!(
                    "{why}: put {flag} in place of the controller's {}",
                    "--cluster-cidr"
                )))
                .step(in_manifest(&workload, snippet)))
        }
    }
}

/// How to see it where the reader makes the change.
fn seen(finding: Finding) -> Finding {
    let args = ["get", "events", "-A", "--field-selector", "reason=ClusterCIDRMisconfigured"];
    finding.verify_kubectl(&args, "none that is younger than the controller's pod")
}
