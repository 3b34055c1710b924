//! When the cloud controller makes routes for pods and Cilium is told to do the same between nodes
//! (`auto-direct-node-routes`), one of them works for nothing, because a Hetzner network hands every packet to its gateway:
//! Cilium finds the other node not directly reachable and installs no route (cilium `pkg/datapath/linux/node.go`).

use serde_json::json;

use crate::domain::cilium::{self, Cilium};
use crate::domain::hccm::{self, Ccm};
use crate::domain::routes::Routes;
use crate::facts::kubernetes::CiliumConfig;
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::remedies::charts;
use crate::remedies::cilium::{self as cilium_remedies, Change};
use crate::{Check, Finding, Severity, Verdict};

pub const CHECK: Check = Check {
    code: "KD208",
    slug: "ccm-leaves-routes-to-cilium",
    title: "only one of cloud controller and Cilium manages pod routes",
    examines: "Cilium configurations",
    severity: Severity::Warning,
    needs: &[
        hccm::NEEDS[0],
        hccm::NEEDS[1],
        hccm::NEEDS[2],
        cilium::NEEDS[0],
        charts::NEEDS[0],
        charts::NEEDS[1],
    ],
    caused_by: &[],
    explain: include_str!("ccm_leaves_routes_to_cilium.md"),
    judge,
};

const KEY: &str = "auto-direct-node-routes";

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(cilium) = Cilium::find(facts)? else { return Ok(()) };
    let Some(ccm) = Ccm::find(facts)? else { return Ok(()) };
    v.examined += 1;
    if !cilium.is_native() {
        return Ok(());
    }
    if !cilium.config.is_true(KEY) {
        // What agents run with that are older than the last change is not known.
        if cilium.stale_pods().next().is_some() && matches!(ccm.routes()?, Routes::Managed(_)) {
            let detail =
                "cilium-config was written after Cilium's agents started: what they run with is not known";
            v.gaps.push(Gap::new(CiliumConfig::NEED.key, Why::NotRead, detail));
        }
        return Ok(());
    }
    let Routes::Managed(_) = ccm.routes()? else { return Ok(()) };
    let mut finding = Finding::new(cilium.config, "both the cloud controller and Cilium are told to make the routes between pods")
        .because(
            "The controller's routes work; Cilium's cannot be installed in a Hetzner network, and each agent logs that it tried.",
        )
        .relates_to(ccm.workload(facts)?)
        .shows(cilium.config, &format!("data.{KEY}"))
        .shows(cilium.config, "data.routing-mode");
    if let Some(agents) = cilium.agents {
        finding = finding.relates(agents);
    }
    finding = ccm.shown(finding, "HCLOUD_NETWORK");
    finding = ccm.shown_of_container(finding, "args");
    let finding = remedy(finding, facts, &cilium, v);
    v.findings.push(finding);
    Ok(())
}

fn remedy(finding: Finding, facts: &Facts, cilium: &Cilium, v: &mut Verdict) -> Finding {
    let change = Change {
        why: "leaves the routes to the cloud controller: Cilium then follows those of the network",
        // agents do not start with direct-routing-skip-unreachable alone
        values: json!({"autoDirectNodeRoutes": false, "directRoutingSkipUnreachable": false}),
        settings: json!({KEY: "false", "direct-routing-skip-unreachable": "false"}),
        readers: &["daemonset/cilium"],
        hazard: Some("new connections wait for some seconds on each node"),
    };
    cilium_remedies::tell(finding, facts, cilium, change, v)
}
