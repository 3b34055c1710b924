//! Fixtures are written in the shapes of the real APIs: every object goes through the published type and back, and keeps
//! every field it had. What has no published Rust type goes through its slim type.

use k8s_openapi::api::{
    apps::v1 as apps, batch::v1 as batch, core::v1 as core, discovery::v1 as discovery,
    networking::v1 as networking, rbac::v1 as rbac, storage::v1 as storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as extensions;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1 as aggregation;
use kairos_doctor_checks::facts::need;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::cases::{CASES, none};

/// Real fields that no check reads and the slim types therefore drop, in kinds without a published Rust type.
const DROPPED: &[&str] = &[
    "valuesContent",
    "label_selector",
    "blockOwnerDeletion",
    "controller",
    "finalizers",
    "matches",
    "supportedKinds",
    "weight",
    "major",
    "minor",
    "goVersion",
    "platform",
    // what an issuer is told, and what goes between cert-manager and it
    "acme",
    "request",
    "authorizationURL",
    "url",
    "token",
    "key",
    "solver",
    "supportedKinds",
];

#[test]
fn every_object_has_the_shape_of_the_real_api() {
    let mut wrong = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for case in CASES.iter() {
        for (part, items) in case.bundle["parts"].as_object().into_iter().flatten() {
            for item in items.as_array().into_iter().flatten() {
                if !seen.insert((part.clone(), item.to_string())) {
                    continue;
                }
                let name = item["metadata"]["name"].as_str().or(item["name"].as_str()).unwrap_or_default();
                let kept = through(part, item).and_then(|back| keeps(item, &back, ""));
                if let Err(what) = kept {
                    wrong.push(format!("{}: {part} {name}: {what}", case.fixture.name()));
                }
            }
        }
    }
    none(wrong);
}

fn through(part: &str, item: &Value) -> Result<Value, String> {
    match part {
        "nodes" => typed::<core::Node>(item),
        "pods" => typed::<core::Pod>(item),
        "services" => typed::<core::Service>(item),
        "namespaces" => typed::<core::Namespace>(item),
        "events" => typed::<core::Event>(item),
        "configmaps" => typed::<core::ConfigMap>(item),
        "endpointslices" => typed::<discovery::EndpointSlice>(item),
        "deployments" => typed::<apps::Deployment>(item),
        "jobs" => typed::<batch::Job>(item),
        "ingresses" => typed::<networking::Ingress>(item),
        "cilium_config" => typed::<core::ConfigMap>(item),
        "storageclasses" => typed::<storage::StorageClass>(item),
        "csidrivers" => typed::<storage::CSIDriver>(item),
        "csinodes" => typed::<storage::CSINode>(item),
        "clusterroles" => typed::<rbac::ClusterRole>(item),
        "clusterrolebindings" => typed::<rbac::ClusterRoleBinding>(item),
        "roles" => typed::<rbac::Role>(item),
        "rolebindings" => typed::<rbac::RoleBinding>(item),
        "customresourcedefinitions" => typed::<extensions::CustomResourceDefinition>(item),
        "apiservices" => typed::<aggregation::APIService>(item),
        "daemonsets" => typed::<apps::DaemonSet>(item),
        _ => slim(part, item),
    }
}

fn typed<T: Serialize + DeserializeOwned>(item: &Value) -> Result<Value, String> {
    let typed: T = serde_json::from_value(item.clone()).map_err(|e| e.to_string())?;
    serde_json::to_value(typed).map_err(|e| e.to_string())
}

fn slim(part: &str, item: &Value) -> Result<Value, String> {
    let need = need(part).ok_or_else(|| "no such part".to_string())?;
    let loaded = need.load(&Value::Array(vec![item.clone()])).map_err(|e| e.to_string())?;
    Ok(need.encode(&loaded)[0].clone())
}

/// Every field of `had` is in `has`, with the same value; what the API leaves out when it is empty may be gone.
pub fn keeps(had: &Value, has: &Value, at: &str) -> Result<(), String> {
    match (had, has) {
        // values of a chart are kept by path
        _ if at.ends_with(".valuesContent") && has.is_string() => Ok(()),
        (Value::Object(had), Value::Object(has)) => had.iter().try_for_each(|(key, value)| {
            let at = format!("{at}.{key}");
            match has.get(key) {
                Some(kept) => keeps(value, kept, &at),
                None if empty(value) || dropped(key, value) => Ok(()),
                None => Err(format!("{at} is lost")),
            }
        }),
        (Value::Array(had), Value::Array(has)) if had.len() == has.len() => {
            let pairs = had.iter().zip(has).enumerate();
            pairs.into_iter().try_for_each(|(i, (had, has))| keeps(had, has, &format!("{at}[{i}]")))
        }
        _ if had == has || (empty(had) && empty(has)) => Ok(()),
        _ => Err(format!("{at} was {had} and is {has}")),
    }
}

fn dropped(key: &str, value: &Value) -> bool {
    let all = |fields: &serde_json::Map<String, Value>| fields.iter().all(|(key, value)| dropped(key, value));
    DROPPED.contains(&key) || value.as_object().is_some_and(all)
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(empty),
    }
}
