//! When a route names a Gateway that does not exist, nobody serves it and nothing says so, because a controller writes no
//! status for a parent that it does not know (traefik `pkg/provider/kubernetes/gateway`, `matchingGatewayListeners`). The chart
//! of Traefik calls its Gateway `traefik-gateway`, not `traefik` (traefik-helm-chart `templates/gateway.yaml`).

use serde_json::{Value, json};

use crate::domain::gateway::{Parent, ROUTES, Route, most_like};
use crate::facts::kubernetes::Gateway;
use crate::facts::{Facts, Kind, Known};
use crate::gateway::listener_remedies::json_patch;
use crate::remedies::in_manifest;
use crate::{Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD602",
    slug: "route-parent-exists",
    title: "routes name a Gateway that exists",
    examines: "route parents",
    severity: Severity::Error,
    needs: &[ROUTES[0], ROUTES[1], &Gateway::NEED],
    caused_by: &[],
    explain: include_str!("route_parent_exists.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let gateways = facts.all::<Gateway>()?;
    for route in Route::all(facts, v) {
        let parents: Vec<Parent> = route.parents().collect();
        v.examined += parents.len();
        let missing: Vec<Parent> =
            parents.into_iter().filter(|parent| !gateways.iter().any(|g| parent.names(g))).collect();
        if !missing.is_empty() {
            v.findings.push(tell(gateways, route, &missing));
        }
    }
    Ok(())
}

fn tell(gateways: &[Gateway], route: Route, missing: &[Parent]) -> Finding {
    let what = route.reference();
    let paths: Vec<String> = missing.iter().map(Parent::path).collect();
    let mut finding = Finding::about(
        what.clone(),
        format!("{what} names Gateway {}, which does not exist", paths.join(", ")),
    )
    .because("No controller knows that Gateway, so none serves the route or writes a status.");
    let mut operations = Vec::new();
    let mut refs: Vec<Value> = route.spec().parent_refs.iter().map(|reference| json!(reference)).collect();
    for parent in missing {
        finding = route.shown(finding, &format!("spec.parentRefs[{}]", parent.index));
        let Some(meant) = meant(gateways, parent) else { continue };
        finding = finding.shows(meant, "metadata.name");
        let at = format!("/spec/parentRefs/{}", parent.index);
        let namespace = meant.metadata.namespace.as_deref().unwrap_or_default();
        if meant.metadata.name != *parent.name() {
            operations
                .push(json!({"op": "replace", "path": format!("{at}/name"), "value": meant.metadata.name}));
            refs[parent.index]["name"] = json!(meant.metadata.name);
        }
        if namespace != parent.namespace() {
            operations.push(json!({"op": "add", "path": format!("{at}/namespace"), "value": namespace}));
            refs[parent.index]["namespace"] = json!(namespace);
        }
    }
    let (name, namespace) = (&*route.meta().name, route.namespace());
    finding = finding.verify_kubectl(
        &["get", route.resource(), name, "-n", namespace, "-o", "yaml"],
        "status.parents has an entry with the condition Accepted",
    );
    if operations.is_empty() {
        let known: Vec<String> = gateways.iter().map(|gateway| gateway.reference().path()).collect();
        let known = if known.is_empty() {
            "there is none yet".into()
        } else {
            format!("there are {}", known.join(", "))
        };
        return finding.step(Step::decide(format!(
            "create Gateway {}, or let the route name another in spec.parentRefs: {known}",
            paths.join(", ")
        )));
    }
    let why = "names the Gateway that is there".to_string();
    let snippet = json!({"spec": {"parentRefs": refs}});
    finding
        .step(
            json_patch(why, route.resource(), namespace, name, &Value::Array(operations)).hazard(
                "see that this is the Gateway you mean: from then on it serves the route's host names",
            ),
        )
        .step(in_manifest(&what.to_string(), snippet))
}

/// The Gateway that was meant: the chart's, whose name the documentation of this set-up has wrong; one of a like name in the
/// same namespace; one of that name elsewhere.
fn meant<'a>(gateways: &'a [Gateway], parent: &Parent) -> Option<&'a Gateway> {
    let here = || gateways.iter().filter(|g| g.metadata.namespace.as_deref() == Some(parent.namespace()));
    let elsewhere = |name: &str| {
        let mut found = gateways.iter().filter(|gateway| gateway.metadata.name == *name);
        found.next().filter(|_| found.next().is_none())
    };
    let like = most_like(parent.name(), here().map(|gateway| &*gateway.metadata.name));
    here()
        .find(|gateway| Some(&*gateway.metadata.name) == like)
        .or_else(|| elsewhere(parent.name()))
        .or_else(|| (parent.name() == "traefik").then(|| elsewhere("traefik-gateway")).flatten())
}
