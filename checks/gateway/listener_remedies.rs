//! Changing a listener of a Gateway, where its owner does not undo it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::domain::gateway::{self, Parent, Route};
use crate::domain::gateway_controller::traefik_chart;
use crate::facts::kubernetes::{Gateway, Listener};
use crate::facts::{Facts, Kind, Known};
use crate::remedies::charts::{Chart, chart_name};
use crate::remedies::in_manifest;
use crate::{Act, Changes, Step, Verdict};

/// `kubectl patch` with a JSON patch, for what a merge patch would replace whole: lists.
pub fn json_patch(why: String, kind: &str, namespace: &str, name: &str, operations: &Value) -> Step {
    let patch = operations.to_string();
    let args = ["patch", kind, name, "-n", namespace, "--type", "json", "-p", &patch];
    Step::kubectl(Changes::Cluster, why, &args)
}

/// The chart of Traefik that renders a Gateway.
pub fn traefik_of<'a>(facts: &'a Facts, gateway: &Gateway) -> Known<Option<Chart<'a>>> {
    Ok(Chart::of(facts, &gateway.metadata)?.filter(|chart| chart_name(chart.chart) == "traefik"))
}

/// Lets a route's namespace use a listener. `why` it is refused now is not said here.
pub fn admit(facts: &Facts, gateway: &Gateway, parent: &Parent, v: &mut Verdict) -> Vec<Step> {
    let Some((index, listener)) = parent.listeners(gateway).into_iter().next() else { return Vec::new() };
    let namespace = parent.route.namespace();
    if let Some(steps) = by_label(gateway, listener, namespace) {
        return steps;
    }
    match v.see(traefik_of(facts, gateway)).flatten() {
        Some(chart) => by_chart(&chart, gateway, listener),
        None => by_patch(facts, gateway, index, listener),
    }
}

/// A listener that admits by label: the namespace gets the labels.
fn by_label(gateway: &Gateway, listener: &Listener, namespace: &str) -> Option<Vec<Step>> {
    if gateway::admits_from(listener) != "Selector" {
        return None;
    }
    let selector = gateway::admits_labels(listener)?;
    let labels: Vec<String> = selector.match_labels.0.iter().map(|(k, l)| format!("{k}={l}")).collect();
    let own_name = labels.iter().any(|label| label.starts_with("kubernetes.io/metadata.name="));
    if labels.is_empty() || !selector.match_expressions.is_empty() || own_name {
        let words = serde_json::to_string(selector).unwrap_or_default();
        return Some(vec![Step::decide(format!(
            "let the selector of listener {} in {} match namespace {namespace} as well: {words}",
            listener.name,
            gateway.reference()
        ))]);
    }
    let mut args = vec!["label", "namespace", namespace];
    args.extend(labels.iter().map(String::as_str));
    let why = format!("gives namespace {namespace} the labels that listener {} asks for", listener.name);
    let pairs = selector.match_labels.0.iter().map(|(k, l)| (k.to_string(), json!(l)));
    let snippet = json!({"metadata": {"labels": Value::Object(pairs.collect::<Map<_, _>>())}});
    Some(vec![
        Step::kubectl(Changes::Cluster, why, &args),
        in_manifest(&format!("Namespace {namespace}"), snippet),
    ])
}

const OPENS: &str = "every namespace may then claim any host name on this listener";

/// k3s' Traefik: the chart renders the Gateway anew at every start.
fn by_chart(chart: &Chart, gateway: &Gateway, listener: &Listener) -> Vec<Step> {
    let label = gateway.metadata.label("helm.sh/chart").and_then(traefik_chart);
    let why = format!("lets listener {} take routes from all namespaces", listener.name);
    let name = &*listener.name;
    let mut steps = match label.or_else(|| traefik_chart(&chart.chart.spec.chart)) {
        Some(..=28) => {
            chart.set(&why, None, json!({"experimental": {"kubernetesGateway": {"namespacePolicy": "All"}}}))
        }
        Some(29) => chart.set(&why, None, json!({"gateway": {"namespacePolicy": "All"}})),
        // a string up to chart 36, an object from 37 on: the other form fails the upgrade
        Some(30..=36) => {
            chart.set(&why, None, json!({"gateway": {"listeners": {name: {"namespacePolicy": "All"}}}}))
        }
        Some(_) => {
            let policy = json!({"namespacePolicy": {"from": "All"}});
            chart.set(&why, None, json!({"gateway": {"listeners": {name: policy}}}))
        }
        None => vec![Step::decide(format!(
            "set gateway.listeners.{name}.namespacePolicy in the values of the chart traefik: to All up to version 36, to \
             {{from: All}} from version 37 on"
        ))],
    };
    let change = steps.iter().position(|step| !matches!(step.act, Act::Decide)).unwrap_or_default();
    if let Some(step) = steps.get_mut(change) {
        step.add_hazard(OPENS);
    }
    steps
}

/// A Gateway of one's own: its listener admits by name the namespaces whose routes name it, and no others.
fn by_patch(facts: &Facts, gateway: &Gateway, index: usize, listener: &Listener) -> Vec<Step> {
    let own = gateway.metadata.namespace.as_deref().unwrap_or_default();
    let mut names: BTreeSet<&str> = BTreeSet::from([own]);
    // All that name it, so that the fix for one route does not undo the fix for another.
    for route in Route::all(facts, &mut Verdict::default()) {
        if route.parents().any(|parent| parent.names(gateway)) {
            names.insert(route.namespace());
        }
    }
    let namespaces = json!({"from": "Selector", "selector": {"matchExpressions": [
        {"key": "kubernetes.io/metadata.name", "operator": "In", "values": names}]}});
    let operation = match listener.allowed_routes {
        Some(_) => {
            json!({"op": "add", "path": format!("/spec/listeners/{index}/allowedRoutes/namespaces"), "value": namespaces})
        }
        None => {
            json!({"op": "add", "path": format!("/spec/listeners/{index}/allowedRoutes"),
                "value": {"namespaces": namespaces}})
        }
    };
    let listed: Vec<&str> = names.into_iter().collect();
    let why = format!("lets listener {} take routes from {}", listener.name, listed.join(", "));
    let snippet = json!({"spec": {"listeners": [{"name": listener.name, "allowedRoutes": {"namespaces": namespaces}}]}});
    vec![
        json_patch(why, "gateway", own, &gateway.metadata.name, &json!([operation])).hazard(
            "whoever may write routes in these namespaces may then claim any host name on this listener",
        ),
        in_manifest(&gateway.reference().to_string(), snippet),
    ]
}
