//! Changing what the Hetzner Cloud Controller Manager is told, in a way that also becomes live.
//!
//! Sources: HCCM `chart/` (`env` is a map of name to `value` or `valueFrom`; `networking.enabled` appends `HCLOUD_NETWORK`
//! beside it; `strategy` since chart 1.31.0), Helm (a null takes a value away; one that a chart renders as null is not set),
//! Kubernetes' defaulting of `hostPort` on the host network: a second pod finds no free port on the same node.

use serde_json::{Map, Value, json};

use super::charts::{self, Chart};
use crate::domain::hccm::{Ccm, Var, image_tag};
use crate::facts::hetzner::Network;
use crate::facts::kubernetes::{Deployment, Node};
use crate::facts::{Facts, Kind, Known, Need};
use crate::{Changes, Finding, Step};

/// What [`tell`] reads beside [`crate::domain::hccm::NEEDS`].
pub const NEEDS: [&Need; 3] = [charts::NEEDS[0], charts::NEEDS[1], &Node::NEED];

/// A version of the controller (and of its chart) that works with the Hetzner API as it is.
pub const KNOWN_VERSION: &str = "1.35.0";

const NETWORK: &str = "HCLOUD_NETWORK";

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
    let Some(chart) = ccm.chart(facts)? else { return set_env(finding, facts, ccm, variables, why) };
    let mut env = Map::new();
    let mut values = Map::new();
    for (name, value) in variables {
        // What is already given from elsewhere has to go: a variable has one source.
        let from_chart = chart.value(&format!("env.{name}.valueFrom.secretKeyRef.name")).is_some();
        let from_network = *name == NETWORK && has_networking(&chart);
        let elsewhere = from_chart || from_network || matches!(ccm.var(name), Var::Elsewhere(_));
        let given = match elsewhere {
            true => json!({"value": value, "valueFrom": null}),
            false => json!({"value": value}),
        };
        match from_network {
            true => drop(values.insert("networking".into(), json!({"network": given}))),
            false => drop(env.insert((*name).into(), given)),
        }
    }
    if !env.is_empty() {
        values.insert("env".into(), Value::Object(env));
    }
    give(finding, facts, ccm, &chart, why, Value::Object(values))
}

/// Steps that give the controller its network, on the path on which it was meant to get it: never on two.
///
/// # Errors
/// As [`tell`].
pub fn give_network(
    finding: Finding,
    facts: &Facts,
    ccm: &Ccm,
    network: &Network,
    why: &str,
) -> Known<Finding> {
    let id = network.id.to_string();
    let is_meant = match ccm.chart(facts)? {
        Some(chart) => has_networking(&chart),
        None => false,
    };
    // With a network comes the route controller, which nobody asked for.
    let routes = is_meant || ccm.container().var(NETWORK).is_some();
    let variables = [(NETWORK, &*id), ("HCLOUD_NETWORK_ROUTES_ENABLED", "false")];
    tell(finding, facts, ccm, if routes { &variables[..1] } else { &variables }, why)
}

/// Steps that give these values to the controller's chart, and the way to see that the new pod runs.
///
/// # Errors
/// The gap of workloads or nodes.
pub fn give(
    finding: Finding,
    facts: &Facts,
    ccm: &Ccm,
    chart: &Chart,
    why: &str,
    mut values: Value,
) -> Known<Finding> {
    if waits_for_a_port(facts, ccm)? && since(ccm, (1, 31)) {
        values["strategy"] = strategy();
    }
    let running = installed(facts, ccm)?;
    let finding = finding.relates(chart.chart).steps(chart.set(why, running, values));
    rolled_out(finding.steps(unstick(facts, ccm, Some(chart))?), ccm, facts)
}

/// Steps that bring the controller to [`KNOWN_VERSION`].
///
/// # Errors
/// The gap of HelmCharts, workloads or nodes.
pub fn upgrade(finding: Finding, facts: &Facts, ccm: &Ccm) -> Known<Finding> {
    let why = format!("installs version {KNOWN_VERSION}, and keeps it until you choose another");
    let Some(chart) = ccm.chart(facts)? else {
        let workload = ccm.workload(facts)?;
        let image = format!("docker.io/hetznercloud/hcloud-cloud-controller-manager:v{KNOWN_VERSION}");
        let (target, namespace) = (target(&workload), ccm.namespace());
        let set = format!("{}={image}", ccm.container().name);
        let run = Step::kubectl(Changes::Cluster, why, &["set", "image", "-n", &namespace, &target, &set]);
        let finding = finding.step(run).steps(unstick(facts, ccm, None)?);
        let container = json!({"name": ccm.container().name, "image": image});
        let values = json!({"image": {"tag": format!("v{KNOWN_VERSION}")}});
        return rolled_out(for_good(finding, ccm, facts, values, container)?, ccm, facts);
    };
    let spec = json!({"version": KNOWN_VERSION, "failurePolicy": "abort"});
    let patch = json!({ "spec": spec }).to_string();
    let (name, namespace) = (&*chart.chart.metadata.name, chart.chart.metadata.namespace.as_deref());
    let namespace = namespace.unwrap_or_default();
    let mut finding = finding.relates(chart.chart);
    if waits_for_a_port(facts, ccm)? {
        let why = "lets the old pod go before the new one comes: on one node both want the same host port";
        let patch = json!({"spec": {"strategy": strategy()}}).to_string();
        let (workload, of) = (ccm.workload(facts)?, ccm.namespace());
        if workload.kind == "Deployment" {
            let args = ["patch", "deployment", &*workload.name, "-n", &*of, "--type", "merge", "-p", &patch];
            finding = finding.step(Step::kubectl(Changes::Cluster, why, &args));
        }
    }
    let args = ["patch", "helmchart", name, "-n", namespace, "--type", "merge", "-p", &patch];
    let finding = finding.step(Step::kubectl(Changes::Cluster, why, &args)).step(
        Step::write(
            Changes::Cluster,
            "the same in the cloud-config, whose manifest is written anew at every boot",
            format!("the HelmChart {name} in your cloud-config in /oem"),
            json!({ "spec": spec }),
        )
        .for_good(),
    );
    rolled_out(finding, ccm, facts)
}

/// Steps that make live what the workload says already, where the new pod waits for the old one's port.
///
/// # Errors
/// The gap of workloads.
pub fn make_live(finding: Finding, facts: &Facts, ccm: &Ccm) -> Known<Finding> {
    let (workload, namespace) = (ccm.workload(facts)?, ccm.namespace());
    if workload.kind != "Deployment" {
        let why = "starts it anew from what its workload says now";
        return rolled_out(finding.steps(restart(ccm, why)), ccm, facts);
    }
    let patch = json!({"spec": {"strategy": strategy()}}).to_string();
    let args = ["patch", "deployment", &*workload.name, "-n", &*namespace, "--type", "merge", "-p", &patch];
    let why = "lets the old pod go before the new one comes; the Deployment then goes on by itself";
    let finding = finding.step(Step::kubectl(Changes::Cluster, why, &args).hazard(
        "no cloud controller runs for some seconds; if the new settings are wrong, until they are mended",
    ));
    let finding = match ccm.chart(facts)? {
        Some(chart) if since(ccm, (1, 31)) => {
            let running = installed(facts, ccm)?;
            finding.steps(chart.set_for_good(running, json!({"strategy": strategy()})))
        }
        Some(_) => finding,
        None => {
            let spec = json!({"spec": {"strategy": strategy()}});
            finding.step(super::in_manifest(&workload.to_string(), spec))
        }
    };
    rolled_out(finding, ccm, facts)
}

/// Deletes the controller's pod, which starts it anew even where a rollout would wait for a free host port.
pub fn restart(ccm: &Ccm, why: impl Into<String>) -> Option<Step> {
    let pod = ccm.pod()?;
    let args = ["delete", "pod", &*pod.metadata.name, "-n", &*ccm.namespace()];
    Some(Step::kubectl(Changes::Cluster, why, &args))
}

/// Puts another token into the Secret that the controller reads, and starts it anew.
pub fn new_token(finding: Finding, ccm: &Ccm) -> Finding {
    let from = ccm.container().var("HCLOUD_TOKEN").and_then(|var| var.value_from.as_ref());
    let key = from.and_then(|from| from.secret_key_ref.as_ref());
    let (name, key) = key.map_or(("hcloud", "token"), |key| (&*key.name, &*key.key));
    let namespace = ccm.namespace();
    let file = "token.yaml";
    let patch = ["patch", "secret", name, "-n", &*namespace, "--type", "merge", "--patch-file", file];
    let mut data = Map::new();
    data.insert(key.into(), "THE NEW TOKEN".into());
    finding
        .step(Step::decide(
            "make a token with Read & Write permission in the Hetzner project that has this cluster's servers: Console, \
             Security, API tokens",
        ))
        .step(Step::write(
            Changes::Nothing,
            "on your machine, so that the token stands in no command",
            file,
            json!({ "stringData": data }),
        ))
        .step(Step::kubectl(Changes::Cluster, format!("puts it into Secret {name}; then delete {file}"), &patch))
        .steps(restart(ccm, "starts the controller anew: it reads the token once; restart hcloud-csi, too"))
        .step(
            Step::decide(format!(
                "put it into the manifest of Secret {name} in the cloud-config in /oem, too, which is applied at every start"
            ))
            .for_good(),
        )
}

/// A Deployment that replaces its pod in place.
pub fn strategy() -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}})
}

/// The chart gives the controller its network itself.
pub fn has_networking(chart: &Chart) -> bool {
    chart.value("networking.enabled").is_some_and(|on| on == "true")
}

/// The same where no chart of k3s installs it.
fn set_env(
    finding: Finding,
    facts: &Facts,
    ccm: &Ccm,
    variables: &[(&str, &str)],
    why: &str,
) -> Known<Finding> {
    let (target, namespace) = (target(&ccm.workload(facts)?), ccm.namespace());
    let set: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut args = vec!["set", "env", "-n", &*namespace, &*target];
    args.extend(set.iter().map(String::as_str));
    let env: Vec<Value> =
        variables.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let container = json!({"name": ccm.container().name, "env": env});
    let mut map = Map::new();
    for (name, value) in variables {
        map.insert((*name).into(), json!({"value": value}));
    }
    let finding = finding.step(Step::kubectl(Changes::Cluster, why, &args)).steps(unstick(facts, ccm, None)?);
    rolled_out(for_good(finding, ccm, facts, json!({ "env": map }), container)?, ccm, facts)
}

/// Where a change survives that no chart of k3s makes: in the values of a release that somebody installs with Helm, else in
/// the manifest.
pub fn for_good(
    finding: Finding,
    ccm: &Ccm,
    facts: &Facts,
    values: Value,
    container: Value,
) -> Known<Finding> {
    let workload = ccm.workload(facts)?;
    let meta = ccm.meta(facts)?;
    if let Some(release) = meta.and_then(|meta| meta.annotation("meta.helm.sh/release-name")) {
        let why = "the same in its values: what kubectl sets is undone by the next upgrade";
        let place = format!("the values of the Helm release {release} in {}", ccm.namespace());
        return Ok(finding.step(Step::write(Changes::Cluster, why, place, values).for_good()));
    }
    let spec = json!({"spec": {"template": {"spec": {"containers": [container]}}}});
    Ok(finding.step(super::in_manifest(&workload.to_string(), spec)))
}

fn target(workload: &crate::ObjectRef) -> String {
    format!("{}/{}", workload.kind.to_lowercase(), workload.name)
}

/// The way to see that the controller's new pod runs.
///
/// # Errors
/// The gap of workloads.
pub fn rolled_out(finding: Finding, ccm: &Ccm, facts: &Facts) -> Known<Finding> {
    let (workload, namespace) = (ccm.workload(facts)?, ccm.namespace());
    if workload.kind == "Pod" {
        let args = ["get", "pod", &*workload.name, "-n", &*namespace];
        return Ok(finding.verify_kubectl(&args, "it is ready, and its restarts stay what they are"));
    }
    let target = target(&workload);
    let status = ["rollout", "status", "-n", &*namespace, &*target, "--timeout", "2m"];
    Ok(finding.verify_kubectl(&status, "successfully rolled out"))
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
    let deployments = facts.all::<Deployment>()?;
    let wanted = deployments.iter().find(|w| w.reference() == workload).and_then(|w| w.spec.replicas);
    let scale = |replicas: &str, why: &str| {
        let target = format!("deployment/{}", workload.name);
        let replicas = format!("--replicas={replicas}");
        Step::kubectl(Changes::Cluster, why, &["scale", "-n", &namespace, &target, &replicas])
    };
    Ok(vec![
        scale("0", "the new pod waits for the old one's host port: stops the old one")
            .hazard("until the next command no cloud controller runs"),
        scale(&wanted.unwrap_or(1).max(1).to_string(), "starts the new one"),
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

/// The version that its chart was installed with: what its workload says, since its pod may still be an older one. A chart
/// that is pinned to the old pod's would go back.
fn installed<'a>(facts: &'a Facts, ccm: &Ccm<'a>) -> Known<Option<&'a str>> {
    let set = ccm.template(facts)?.and_then(|container| image_tag(&container.image));
    Ok(set.or(ccm.version()).map(|tag| tag.trim_start_matches('v')))
}

/// The controller's version, which is its chart's, is at least that one.
fn since(ccm: &Ccm, least: (u64, u64)) -> bool {
    ccm.release().is_some_and(|(major, minor, _)| (major, minor) >= least)
}
