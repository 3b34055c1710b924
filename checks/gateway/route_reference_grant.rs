//! When a route sends requests to a Service of another namespace, they fail, because Gateway API asks that namespace for a
//! ReferenceGrant first (`ResolvedRefs=False`, `RefNotPermitted`; kubernetes-sigs/gateway-api `apis/v1beta1/referencegrant_types.go`).
//! The route stays accepted, and the rule answers with an error.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::gateway::{ROUTES, Route, current};
use crate::domain::gateway_controller::Program;
use crate::facts::kubernetes::{CustomResourceDefinition, GATEWAY_GROUP, ObjectReference, ReferenceGrant};
use crate::facts::{Facts, Kind, Known};
use crate::remedies::in_manifest;
use crate::{Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD603",
    slug: "route-reference-grant",
    title: "cross-namespace backends are granted",
    examines: "routes with backends in other namespaces",
    severity: Severity::Error,
    needs: &[ROUTES[0], ROUTES[1], &ReferenceGrant::NEED, &CustomResourceDefinition::NEED],
    caused_by: &[],
    explain: include_str!("route_reference_grant.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    for route in Route::all(facts, v) {
        let refused = refused(route);
        // A controller that the doctor does not know may ask for no grant: only what it says counts.
        let foreign = if refused.is_none() && is_of_others(route) { Vec::new() } else { foreign(route) };
        if foreign.is_empty() && refused.is_none() {
            continue;
        }
        let grants = facts.all::<ReferenceGrant>()?;
        v.examined += 1;
        // by namespace, since each needs a grant of its own
        let mut missing: BTreeMap<&str, Vec<Backend>> = BTreeMap::new();
        for backend in foreign {
            if !grants.iter().any(|grant| backend.is_granted(route, grant)) {
                missing.entry(backend.namespace).or_default().push(backend);
            }
        }
        if missing.is_empty() && refused.is_none() {
            continue;
        }
        let finding = tell(facts, route, &missing, refused, v);
        v.findings.push(finding);
    }
    Ok(())
}

/// A backend in another namespace than its route.
struct Backend<'a> {
    namespace: &'a str,
    reference: &'a ObjectReference,
    path: String,
}

impl Backend<'_> {
    fn group(&self) -> &str {
        self.reference.group.as_deref().unwrap_or_default()
    }

    fn kind(&self) -> &str {
        self.reference.kind.as_deref().unwrap_or("Service")
    }

    /// A grant without a name is for all objects of its kind.
    fn is_granted(&self, route: Route, grant: &ReferenceGrant) -> bool {
        let from = grant.spec.from.iter().any(|from| {
            from.group == GATEWAY_GROUP && from.kind == route.kind() && from.namespace == *route.namespace()
        });
        let to = grant.spec.to.iter().any(|to| {
            let named = to.name.as_ref().filter(|name| !name.is_empty());
            to.group == *self.group()
                && to.kind == *self.kind()
                && named.is_none_or(|name| *name == self.reference.name)
        });
        grant.metadata.namespace.as_deref() == Some(self.namespace) && from && to
    }
}

fn foreign<'a>(route: Route<'a>) -> Vec<Backend<'a>> {
    let mut all = Vec::new();
    for (i, rule) in route.spec().rules.iter().enumerate() {
        for (j, reference) in rule.backend_refs.iter().enumerate() {
            let Some(namespace) = reference.namespace.as_deref() else { continue };
            if namespace != route.namespace() {
                let path = format!("spec.rules[{i}].backendRefs[{j}]");
                all.push(Backend { namespace, reference, path });
            }
        }
    }
    all
}

/// Whether controllers have written about it, and all are ones whose rules the doctor does not know.
fn is_of_others(route: Route) -> bool {
    let parents = &route.status().parents;
    !parents.is_empty() && parents.iter().all(|parent| Program::claiming(&parent.controller_name).is_none())
}

/// Where a controller says that it may not, of this generation of the route.
fn refused(route: Route) -> Option<String> {
    let parents = route.status().parents.iter().enumerate();
    parents.into_iter().find_map(|(i, parent)| {
        let condition = current(&parent.conditions, "ResolvedRefs", route.meta())?;
        let not = condition.status == "False" && condition.reason == "RefNotPermitted";
        not.then(|| format!("status.parents[{i}].conditions[type=ResolvedRefs]"))
    })
}

fn tell(
    facts: &Facts,
    route: Route,
    missing: &BTreeMap<&str, Vec<Backend>>,
    refused: Option<String>,
    v: &mut Verdict,
) -> Finding {
    let what = route.reference();
    let namespaces: Vec<&str> = missing.keys().copied().collect();
    let says = match &namespaces[..] {
        [] => format!("{what} refers to another namespace without its leave"),
        names => format!("{what} may not send requests to namespace {}", names.join(", ")),
    };
    let mut finding = Finding::about(what.clone(), says).because(
        "No ReferenceGrant there allows it; the route stays accepted, and these requests get an error.",
    );
    for backend in missing.values().flatten() {
        finding = route.shown(finding, &backend.path);
    }
    finding = match refused {
        Some(path) => {
            route.shown(route.shown(finding, &format!("{path}.reason")), &format!("{path}.message"))
        }
        None => finding.predicted(),
    };
    let (name, namespace) = (&*route.meta().name, route.namespace());
    finding = finding.verify_kubectl(
        &["get", route.resource(), name, "-n", namespace, "-o", "yaml"],
        "under status.parents the condition ResolvedRefs is True",
    );
    if missing.is_empty() {
        // every backend is granted: then it is a reference of a filter, or the controller has not looked again
        let args = ["get", route.resource(), name, "-n", namespace, "-o", "yaml"];
        return finding
            .discriminator("other")
            .because("All its backends are granted, so it is another reference: a filter's.")
            .step(Step::kubectl(
                Changes::Nothing,
                "shows in the condition's message which reference it is",
                &args,
            ));
    }
    let version = version(facts, v);
    for (to, backends) in missing {
        let grant = grant(facts, route, to, backends, version);
        let reference =
            format!("ReferenceGrant {to}/{}", grant["metadata"]["name"].as_str().unwrap_or_default());
        let why = format!(
            "lets {}s of namespace {namespace} use these Services of {to}, and no others",
            route.kind()
        );
        finding = finding.step(Step::apply(why, grant.clone())).step(in_manifest(&reference, grant));
    }
    finding
}

/// The version in which the cluster serves ReferenceGrants: v1 is newer than most bundles.
fn version(facts: &Facts, v: &mut Verdict) -> &'static str {
    let definitions = v.see(facts.all::<CustomResourceDefinition>()).unwrap_or_default();
    let of = definitions.iter().find(|d| d.metadata.name == "referencegrants.gateway.networking.k8s.io");
    let v1 = of.is_some_and(|d| {
        d.spec.versions.iter().any(|version| version.name == "v1" && version.served == Some(true))
    });
    if v1 { "v1" } else { "v1beta1" }
}

fn grant(facts: &Facts, route: Route, namespace: &str, backends: &[Backend], version: &str) -> Value {
    let grants = facts.all::<ReferenceGrant>().unwrap_or_default();
    let taken = |name: &str| {
        grants.iter().any(|g| g.metadata.name == *name && g.metadata.namespace.as_deref() == Some(namespace))
    };
    let plain = format!("{}-from-{}", route.meta().name, route.namespace());
    let name = if taken(&plain) { format!("{plain}-backends") } else { plain };
    let mut to: Vec<Value> = Vec::new();
    for backend in backends {
        let item = json!({"group": backend.group(), "kind": backend.kind(), "name": backend.reference.name});
        if !to.contains(&item) {
            to.push(item);
        }
    }
    json!({
        "apiVersion": format!("{GATEWAY_GROUP}/{version}"),
        "kind": "ReferenceGrant",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"from": [{"group": GATEWAY_GROUP, "kind": route.kind(), "namespace": route.namespace()}], "to": to},
    })
}
