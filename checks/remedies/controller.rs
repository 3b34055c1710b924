//! Changing what the Hetzner Cloud Controller Manager is told, in a way that also becomes live.
//!
//! Sources: HCCM `chart/` (`env` is a map of name to `value`; `strategy` since chart 1.31.0), Kubernetes' defaulting of
//! `hostPort` on the host network: a second pod finds no free port on the same node.

use serde_json::{Map, Value, json};

use super::charts::{self, Chart};
use crate::domain::hccm::Ccm;
use crate::facts::kubernetes::{Deployment, Node};
use crate::facts::{Facts, Kind, Known, Need};
use crate::{Changes, Finding, Step};

/// What [`tell`] reads beside [`crate::domain::hccm::NEEDS`].
pub const NEEDS: [&Need; 3] = [charts::NEEDS[0], charts::NEEDS[1], &Node::NEED];

/// Steps that set variables of the controller, now and for good, and the way to see that the new pod runs.
///
/// # Errors
/// The gap of HelmCharts or workloads: who installed the controller is not known then.
pub fn tell(
    finding: Finding,
    facts: &Facts,
    ccm: &Ccm,
    variables: &[(&str, &str)],
    why: &str,
) -> Known<Finding> {
    let workload = ccm.workload(facts)?;
    let (kind, name) = (workload.kind.to_lowercase(), workload.name.to_string());
    let namespace = ccm.namespace();
    let target = format!("{kind}/{name}");
    let status = ["rollout", "status", "-n", &*namespace, &*target, "--timeout", "2m"];
    let finding = finding.verify_kubectl(&status, "successfully rolled out");
    let Some(chart) = ccm.chart(facts)? else {
        let set: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut args = vec!["set", "env", "-n", &*namespace, &*target];
        args.extend(set.iter().map(String::as_str));
        let env: Vec<Value> =
            variables.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let env = json!({"spec": {"template": {"spec": {"containers": [{"name": crate::domain::hccm::NAME, "env": env}]}}}});
        return Ok(finding
            .step(Step::kubectl(Changes::Cluster, why, &args))
            .steps(unstick(facts, ccm, None)?)
            .step(super::in_manifest(&workload.to_string(), env)));
    };
    let running = ccm.version().map(|tag| tag.trim_start_matches('v'));
    let mut env = Map::new();
    for (name, value) in variables {
        env.insert((*name).into(), json!({"value": value}));
    }
    let mut values = json!({ "env": env });
    let stuck = waits_for_a_port(facts, ccm)?;
    if stuck && since(ccm, (1, 31)) {
        // the surge pod of a rollout would wait for the host port of the pod it replaces
        values["strategy"] =
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}});
    }
    Ok(finding.relates(chart.chart).steps(chart.set(why, running, values)).steps(unstick(
        facts,
        ccm,
        Some(&chart),
    )?))
}

/// A rollout on the only node needs the old pod to go first; before chart 1.31.0 only by hand.
fn unstick(facts: &Facts, ccm: &Ccm, chart: Option<&Chart>) -> Known<Vec<Step>> {
    if !waits_for_a_port(facts, ccm)? || (chart.is_some() && since(ccm, (1, 31))) {
        return Ok(Vec::new());
    }
    let workload = ccm.workload(facts)?;
    if workload.kind != "Deployment" {
        return Ok(Vec::new());
    }
    let namespace = ccm.namespace();
    let scale = |replicas: &str, why: &str| {
        let target = format!("deployment/{}", workload.name);
        let replicas = format!("--replicas={replicas}");
        Step::kubectl(Changes::Cluster, why, &["scale", "-n", &namespace, &target, &replicas])
    };
    Ok(vec![
        scale("0", "the new pod waits for the old one's host port: stops the old one")
            .hazard("until the next command no cloud controller runs"),
        scale("1", "starts the new one"),
    ])
}

/// The controller is on the host network and no node is free of it: a second pod of it cannot be placed.
fn waits_for_a_port(facts: &Facts, ccm: &Ccm) -> Known<bool> {
    if !ccm.on_host_network() {
        return Ok(false);
    }
    let nodes = facts.all::<Node>()?.iter().filter(|node| !node.spec.unschedulable).count();
    let workloads = facts.all::<Deployment>()?;
    let reference = ccm.workload(facts)?;
    let replicas = workloads.iter().find(|w| w.reference() == reference).and_then(|w| w.spec.replicas);
    Ok(nodes as i64 <= replicas.unwrap_or(1))
}

/// The controller's version, which is its chart's, is at least that one.
fn since(ccm: &Ccm, least: (u64, u64)) -> bool {
    ccm.release().is_some_and(|(major, minor, _)| (major, minor) >= least)
}
