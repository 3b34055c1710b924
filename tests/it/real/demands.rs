//! What the API demands before it takes an object: its kind and version, and for a custom resource its definition. The bench
//! needs it too.

use kairos_doctor_checks::facts::Resource;
use kairos_doctor_simulator::kind;
use serde_json::{Value, json};

use super::server::Server;

/// `<plural>.<group>`, as definitions and kubectl name resources.
pub fn named(resource: &Resource) -> String {
    format!("{}.{}", resource.plural, resource.group).trim_end_matches('.').into()
}

/// What the API demands and a fixture leaves out.
pub fn complete(resource: &Resource, version: &str, mut object: Value) -> Value {
    object["kind"] = kind(resource.plural).expect("every need has a kind").0.into();
    object["apiVersion"] = match resource.group {
        "" => version.into(),
        group => format!("{group}/{version}").into(),
    };
    object
}

/// The objects, one document after the other. Of a `List` kubectl is the judge, and not the server alone.
pub fn documents(objects: &[Value]) -> String {
    objects.iter().map(Value::to_string).collect()
}

/// Installs definitions, and returns when their resources are served.
pub fn install(server: &Server, definitions: &[Value]) {
    if !definitions.is_empty() {
        server.kubectl_with(&["create", "-f", "-"], &documents(definitions));
        let wait = ["wait", "crd", "--all", "--for=condition=Established", "--timeout=30s"];
        // it fails where nobody has written a condition yet
        server.eventually("the definitions to be served", || server.try_kubectl(&wait, "").is_ok());
    }
}

/// A definition that takes anything.
pub fn takes_anything(resource: &Resource) -> Value {
    let Resource { group, plural, .. } = resource;
    let (kind, namespaced) = kind(plural).expect("every need has a kind");
    let version = |version: &&str| {
        json!({"name": version, "served": true, "storage": *version == resource.versions[0],
            "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})
    };
    let versions: Vec<Value> = resource.versions.iter().map(version).collect();
    let mut metadata = json!({"name": named(resource)});
    if group.ends_with(".k8s.io") {
        // groups of the project are protected: their definitions name the review that allowed them
        metadata["annotations"] = json!({"api-approved.kubernetes.io": "unapproved, a test"});
    }
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": metadata,
        "spec": {"group": group, "scope": if namespaced { "Namespaced" } else { "Cluster" }, "versions": versions,
            "names": {"plural": plural, "kind": kind, "singular": kind.to_lowercase(), "listKind": format!("{kind}List")}}})
}
