//! What to put in place of a template's placeholder, and where.
//!
//! Source of the names: kairos-io/hadron `examples/hetzner-cloud`.

use serde_json::{Map, Value, json};

use super::charts::Chart;
use super::controller;
use crate::domain::hccm::{Ccm, NAME};
use crate::facts::Facts;
use crate::facts::kubernetes::Node;
use crate::{Changes, Finding, ObjectRef, Step};

/// Locations that a node's label is believed for without asking.
const LOCATIONS: &[&str] = &["ash", "fsn1", "hel1", "hil", "nbg1", "sin"];

/// Steps that replace these placeholders, each with the path where it stands, in the finding's subject.
pub fn fill_in(
    finding: Finding,
    facts: &Facts,
    names: &[(String, String)],
    chart: Option<&Chart>,
) -> Finding {
    if names.is_empty() {
        return finding;
    }
    let subject = finding.subject.clone();
    let mut finding = finding.steps(lookups(names));
    let mut values = Map::new();
    let mut open: Vec<String> = Vec::new();
    for (path, name) in names {
        match (chart, value_for(facts, name)) {
            (Some(_), Some(value)) if !path.contains(['[', '\'']) => put(&mut values, path, value),
            _ => open.push(format!("{name} at `{path}`")),
        }
    }
    if let (Some(chart), false) = (chart, values.is_empty()) {
        let steps = chart.set("replaces the placeholder by where the nodes are", None, Value::Object(values));
        let (name, namespace) = (&chart.chart.metadata.name, chart.chart.metadata.namespace.as_deref());
        let job = format!("helm-install-{name}");
        let get = ["get", "job", &job, "-n", namespace.unwrap_or_default()];
        finding = finding.steps(steps).verify_kubectl(&get, "COMPLETIONS shows 1/1, of a job that is new");
    }
    if !open.is_empty() {
        finding =
            finding.step(Step::decide(format!("what is to stand in {subject} for {}", open.join(", "))));
        finding = apply(finding, facts, &subject);
    }
    let why = format!(
        "search your cloud-config in /oem for `<`: {subject} is written from it, and other placeholders may be left there"
    );
    finding.step(Step::decide(why).for_good())
}

/// Commands that show what can be meant.
fn lookups(names: &[(String, String)]) -> Vec<Step> {
    let has = |words: &[&str]| names.iter().any(|(_, name)| words.iter().any(|word| name.contains(word)));
    let mut steps = Vec::new();
    if has(&["REGION", "LOCATION"]) {
        let why = "the locations there are; it has to be one of the servers' network zone";
        steps.push(Step::hcloud(Changes::Nothing, why, &["location", "list"]));
    }
    if has(&["NETWORK"]) {
        steps.push(Step::hcloud(Changes::Nothing, "the networks of the project", &["network", "list"]));
    }
    if has(&["SERVER"]) {
        steps.push(Step::hcloud(Changes::Nothing, "the servers of the project", &["server", "list"]));
    }
    if has(&["TOKEN"]) {
        steps.push(Step::decide(
            "make a token with read and write access in the cluster's project (Console, Security, API tokens)",
        ));
    }
    steps
}

/// What the nodes themselves tell: their location, if they share one.
fn value_for(facts: &Facts, name: &str) -> Option<String> {
    if !["REGION", "LOCATION"].iter().any(|word| name.contains(word)) {
        return None;
    }
    let nodes = facts.all::<Node>().unwrap_or_default();
    let mut regions: Vec<&str> =
        nodes.iter().filter_map(|node| node.metadata.label("topology.kubernetes.io/region")).collect();
    regions.sort();
    regions.dedup();
    match regions[..] {
        [only] if LOCATIONS.contains(&only) => Some(only.to_string()),
        _ => None,
    }
}

/// `a.b.c` as nested fields.
fn put(values: &mut Map<String, Value>, path: &str, value: String) {
    match path.split_once('.') {
        None => drop(values.insert(path.into(), json!(value))),
        Some((first, rest)) => {
            let inner = values.entry(first).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// How the subject itself is changed.
fn apply(finding: Finding, facts: &Facts, subject: &ObjectRef) -> Finding {
    let (name, namespace) = (&*subject.name, subject.namespace.as_deref().unwrap_or_default());
    let kind = subject.kind.to_lowercase();
    if kind == "node" {
        let get = ["get", "node", name, "-o", r"jsonpath={.metadata.annotations.k3s\.io/node-args}"];
        return finding
            .step(Step::decide(format!(
                "put it into a file in /etc/rancher/k3s/config.yaml.d/ on node {name} and restart k3s; what stands on the command \
                 line is in /etc/systemd/system/k3s.service.d/override.conf"
            )))
            .verify_kubectl(&get, "no `<` is left");
    }
    let edit = Step::kubectl(Changes::Cluster, "put it in", &["edit", &kind, name, "-n", namespace]);
    let get = ["get", &kind, name, "-n", namespace, "-o", "yaml"];
    match &*kind {
        "secret" => {
            let why = "the controller reads it at its start only";
            let edit = edit.hazard("values below `data` are base64; write yours below `stringData` instead");
            let ccm = Ccm::find(facts).ok().flatten();
            // a rollout would wait for the host port that the old pod holds
            let finding = finding.step(edit).steps(ccm.and_then(|ccm| controller::restart(&ccm, why)));
            let workload = ccm.and_then(|ccm| ccm.workload(facts).ok());
            let target = workload.map_or_else(
                || format!("deployment/{NAME}"),
                |w| format!("{}/{}", w.kind.to_lowercase(), w.name),
            );
            let log = ["logs", "-n", namespace, &*target, "--tail", "20"];
            finding.verify_kubectl(&log, "no error stands there")
        }
        _ => finding.step(edit).verify_kubectl(&get, "no placeholder is left"),
    }
}
