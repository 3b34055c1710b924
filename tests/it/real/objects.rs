//! The objects of a fixture, created through the real API: what it refuses, no cluster has.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use kairos_doctor_checks::facts::{NEEDS, Origin, Resource, need};
use serde_json::{Value, json};

use super::server::Server;

/// Kinds in the order in which they are created: who is named in an `ownerReference` comes first.
const ORDER: &[&str] = &[
    "namespaces",
    "helmcharts",
    "helmchartconfigs",
    "gateways",
    "services",
    "nodes",
    "deployments",
    "daemonsets",
    "pods",
    "endpointslices",
    "events",
];

/// What the server made of the objects of one need, still without their status.
pub struct Created {
    key: &'static str,
    objects: Vec<Value>,
}

/// Moves every time in a bundle by what makes its `now` the present: certificates are valid, and events recent.
pub fn bring_to_present(bundle: &mut Value) {
    fn walk(value: &mut Value, by: SignedDuration) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, by)),
            Value::Object(fields) => fields.values_mut().for_each(|field| walk(field, by)),
            Value::String(text) => {
                if let Ok(time) = text.parse::<Timestamp>() {
                    *text = (time + by).to_string();
                }
            }
            _ => {}
        }
    }
    let now: Timestamp = bundle["now"].as_str().expect("a bundle has a time").parse().expect("it is one");
    let present = Timestamp::from_second(Timestamp::now().as_second()).expect("it is a time");
    walk(bundle, present.duration_since(now));
}

/// Defines the custom resources of those groups. The schemas take anything: what the published ones refuse is not tested
/// here yet.
pub fn define(server: &Server, groups: &[&str]) {
    let mut all = Vec::new();
    for need in NEEDS {
        let Origin::Kubernetes(resource) = need.from else { continue };
        if !resource.custom || !groups.contains(&resource.group) {
            continue;
        }
        let Resource { group, plural, .. } = resource;
        let kind = kind(need.key);
        let version = |version: &&str| {
            json!({"name": version, "served": true, "storage": *version == resource.versions[0],
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})
        };
        let versions: Vec<Value> = resource.versions.iter().map(version).collect();
        let mut metadata = json!({"name": format!("{plural}.{group}")});
        if group.ends_with(".k8s.io") {
            // groups of the project are protected: their definitions name the review that allowed them
            metadata["annotations"] = json!({"api-approved.kubernetes.io": "unapproved, a test"});
        }
        all.push(json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": metadata,
            "spec": {"group": group, "scope": "Namespaced", "versions": versions,
                "names": {"plural": plural, "kind": kind, "singular": kind.to_lowercase(), "listKind": format!("{kind}List")}}}));
    }
    if !all.is_empty() {
        server.kubectl_with(&["create", "-f", "-"], &list(&all));
        server.kubectl(&["wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"]);
    }
}

/// Creates every Kubernetes object of the bundle; in the bundle each gets the UID that the server gave it, wherever that
/// stands: also in the names and labels of Hetzner load balancers.
pub fn create(server: &Server, bundle: &mut Value) -> Vec<Created> {
    describe_namespaces(bundle);
    let mut all = Vec::new();
    for key in ORDER {
        let need = need(key).expect("it is a need");
        let Origin::Kubernetes(resource) = need.from else { unreachable!("only these are in the list") };
        let wanted: Vec<Value> = bundle["parts"][key].as_array().into_iter().flatten().cloned().collect();
        if wanted.is_empty() {
            continue;
        }
        let named = format!("{}.{}", resource.plural, resource.group);
        let there = server.json(&["get", named.trim_end_matches('.'), "-A"]);
        let there = there["items"].as_array().expect("a list has items");
        let is =
            |a: &Value, b: &Value| ["name", "namespace"].iter().all(|f| a["metadata"][f] == b["metadata"][f]);
        let (mut objects, missing): (Vec<Value>, Vec<Value>) =
            wanted.iter().cloned().partition(|object| there.iter().any(|t| is(t, object)));
        for object in &mut objects {
            *object = there.iter().find(|t| is(t, object)).expect("it is there").clone();
        }
        let missing: Vec<Value> =
            missing.into_iter().map(|object| complete(key, &resource, object)).collect();
        if !missing.is_empty() {
            // strict: a field that does not exist would show that a fixture is not of this world
            let made = server
                .kubectl_with(&["create", "-f", "-", "--validate=strict", "-o", "json"], &list(&missing));
            objects.extend(items(&made));
        }
        for was in &wanted {
            let is_now = objects.iter().find(|o| is(o, was)).expect("it was created");
            replace_uid(bundle, key, was, &is_now["metadata"]["uid"]);
        }
        all.push(Created { key, objects });
    }
    all
}

/// Gives the created objects the status that they have in the bundle, nodes with the port of the kubelets.
pub fn set_status(server: &Server, bundle: &Value, created: Vec<Created>, kubelet_port: u16) {
    for Created { key, objects } in created {
        let recorded = bundle["parts"][key].as_array().expect("it was created from there");
        let with_status = |mut object: Value| {
            let of = |r: &&Value| r["metadata"]["uid"] == object["metadata"]["uid"];
            let mut status = recorded.iter().find(of)?.get("status")?.clone();
            if key == "nodes" {
                status["daemonEndpoints"]["kubeletEndpoint"]["Port"] = kubelet_port.into();
            }
            object["status"] = status;
            Some(object)
        };
        let objects: Vec<Value> = objects.into_iter().filter_map(with_status).collect();
        if !objects.is_empty() && !matches!(key, "namespaces" | "endpointslices" | "events") {
            server.kubectl_with(&["replace", "--subresource=status", "-f", "-"], &list(&objects));
        }
    }
}

/// What the API demands and a fixture leaves out.
fn complete(key: &str, resource: &Resource, mut object: Value) -> Value {
    object["kind"] = kind(key).into();
    object["apiVersion"] = match resource.group {
        "" => resource.versions[0].into(),
        group => format!("{group}/{}", resource.versions[0]).into(),
    };
    object
}

/// The kind of a need's objects, by the name that the doctor gives them.
fn kind(key: &str) -> String {
    let need = need(key).expect("it is a need");
    let one = need.load(&json!([{"metadata": {"name": "x"}}])).expect("an object with a name");
    need.references(&one)[0].kind.to_string()
}

fn replace_uid(bundle: &mut Value, key: &str, object: &Value, new: &Value) {
    let new = new.as_str().expect("the server gives every object a UID");
    let Some(old) = object["metadata"]["uid"].as_str() else {
        let all = bundle["parts"][key].as_array_mut().expect("the object is from there");
        let it =
            all.iter_mut().find(|o| o["metadata"] == object["metadata"]).expect("the object is from there");
        it["metadata"]["uid"] = new.into();
        return;
    };
    let plain = |uid: &str| uid.replace('-', "");
    // a load balancer that has no name of its own is called `a` and the Service's UID without dashes
    let text = bundle.to_string().replace(old, new).replace(&plain(old), &plain(new));
    *bundle = serde_json::from_str(&text).expect("only UIDs were replaced");
}

pub fn list(objects: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

/// The objects in what kubectl wrote, one document after the other.
pub fn items(text: &str) -> Vec<Value> {
    let documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    documents.map(|document| document.expect("kubectl writes JSON")).collect()
}

/// Fixtures name namespaces that they do not describe; nothing can be in one that is not there.
fn describe_namespaces(bundle: &mut Value) {
    let objects = bundle["parts"].as_object().expect("a bundle has parts").values();
    let named = objects.flat_map(|part| part.as_array().into_iter().flatten());
    let named: BTreeSet<String> =
        named.filter_map(|o| o["metadata"]["namespace"].as_str()).map(String::from).collect();
    let all = bundle["parts"]["namespaces"].as_array_mut().expect("every fixture has namespaces");
    for name in named {
        if !all.iter().any(|namespace| namespace["metadata"]["name"] == name.as_str()) {
            all.push(json!({"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}}));
        }
    }
}
