//! Changing what Cilium is told, in a way that its agents also read.
//!
//! Source: cilium chart 1.15 to 1.20: `rollOutCiliumPods` is false, so a changed ConfigMap restarts nothing, and agents copy
//! it when their pod starts (init container `config`).

use serde_json::{Value, json};

use super::charts::{self, Chart};
use crate::domain::cilium::Cilium;
use crate::facts::{Facts, Need};
use crate::{Act, Changes, Finding, Step, Verdict};

/// What [`tell`] reads beside [`crate::domain::cilium::NEEDS`].
pub const NEEDS: [&Need; 2] = charts::NEEDS;

/// A change of settings: as values of the chart and as keys of the ConfigMap.
pub struct Change<'a> {
    pub why: &'a str,
    pub values: Value,
    pub settings: Value,
    /// Who reads them: `daemonset/cilium`, `deployment/cilium-operator`.
    pub readers: &'a [&'a str],
    /// What happens until all have restarted.
    pub hazard: Option<&'a str>,
}

/// Steps that change Cilium's settings, now and for good, and the way to see that its pods run with them.
pub fn tell(
    mut finding: Finding,
    facts: &Facts,
    cilium: &Cilium,
    change: Change,
    v: &mut Verdict,
) -> Finding {
    let chart = v.see(Chart::named(facts, "cilium"));
    let namespace = cilium.config.metadata.namespace.as_deref().unwrap_or("kube-system");
    match chart {
        Some(Some(chart)) => {
            let steps = values(&chart, cilium, change.why, change.values);
            finding = finding.relates(chart.chart).steps(steps);
        }
        _ => {
            let patch = json!({ "data": change.settings }).to_string();
            let args =
                ["patch", "configmap", "cilium-config", "-n", namespace, "--type", "merge", "-p", &patch];
            finding = finding.step(Step::kubectl(Changes::Cluster, change.why, &args)).step(
                Step::write(
                    Changes::Cluster,
                    "the same where the chart's values are kept: its next upgrade writes the ConfigMap anew",
                    "values of the cilium chart",
                    change.values,
                )
                .for_good(),
            );
        }
    }
    let mut args = vec!["rollout", "restart", "-n", namespace];
    args.extend(change.readers);
    let restart = Step::kubectl(
        Changes::Cluster,
        "once cilium-config shows the new settings: they are read at the start of a pod only",
        &args,
    );
    finding = finding.step(match change.hazard {
        Some(hazard) => restart.hazard(hazard),
        None => restart,
    });
    for reader in change.readers {
        let args = ["rollout", "status", "-n", namespace, reader, "--timeout", "10m"];
        finding = finding.verify_kubectl(&args, "successfully rolled out");
    }
    finding
}

/// Steps that give the chart these values. Several findings may each want a HelmChartConfig of this name, and the second that
/// is applied takes the first one's values away.
pub fn values(chart: &Chart, cilium: &Cilium, why: &str, values: Value) -> Vec<Step> {
    let careful = |step: Step| {
        match step.act {
        Act::Apply(_) => step.hazard(
            "another finding may name this HelmChartConfig, too: then write its values and these into one, for the second that \
             is applied replaces the first",
        ),
        _ => step,
    }
    };
    chart.set(why, cilium.version(), values).into_iter().map(careful).collect()
}

/// From native routing to a tunnel, which needs nothing of the network between the nodes.
pub fn to_tunnel(finding: Finding, facts: &Facts, cilium: &Cilium, v: &mut Verdict) -> Finding {
    let change = Change {
        why: "carries pod traffic in VXLAN between the nodes' own addresses, which every network passes on",
        // agents do not start with direct-routing-skip-unreachable alone
        values: json!({
            "routingMode": "tunnel", "tunnelProtocol": "vxlan", "MTU": 1450,
            "autoDirectNodeRoutes": false, "directRoutingSkipUnreachable": false,
        }),
        settings: json!({
            "routing-mode": "tunnel", "tunnel-protocol": "vxlan", "mtu": "1450",
            "auto-direct-node-routes": "false", "direct-routing-skip-unreachable": "false",
        }),
        readers: &["daemonset/cilium"],
        hazard: Some(
            "until the last agent has restarted, pods on nodes that have and pods on nodes that have not do not reach each \
             other",
        ),
    };
    tell(finding, facts, cilium, change, v)
}
