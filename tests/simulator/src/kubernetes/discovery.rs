//! `/apis`, plain and aggregated: which groups are served.

use std::collections::BTreeMap;

use kairos_doctor_checks::facts::{NEEDS, Origin};
use serde_json::{Value, json};

use super::kinds::kind;
use super::status;
use crate::http::Answer;

/// Groups that every cluster has and no need reads.
const ALWAYS: &[&str] = &["apiregistration.k8s.io", "authorization.k8s.io", "batch", "events.k8s.io"];

/// Versions of each served group, the preferred one first, with the plurals of each.
type Groups = BTreeMap<&'static str, Vec<(&'static str, Vec<&'static str>)>>;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// The answer to `GET /apis` for that `Accept`.
pub(crate) fn answer(accept: &str, serves_custom: impl Fn(&str) -> bool) -> Answer {
    let mut groups: Groups = ALWAYS.iter().map(|group| (*group, vec![("v1", Vec::new())])).collect();
    for need in NEEDS {
        let Origin::Kubernetes(resource) = need.from else { continue };
        if resource.group.is_empty() || (resource.custom && !serves_custom(resource.group)) {
            continue;
        }
        let versions = groups.entry(resource.group).or_default();
        for version in resource.versions {
            match versions.iter_mut().find(|(known, _)| known == version) {
                Some((_, plurals)) if plurals.contains(&resource.plural) => {}
                Some((_, plurals)) => plurals.push(resource.plural),
                None => versions.push((version, vec![resource.plural])),
            }
        }
    }
    let ranges: Vec<String> = accept.split(',').map(|range| range.replace(' ', "")).collect();
    let aggregated = ranges.iter().any(|range| {
        range.starts_with("application/json")
            && range.contains("g=apidiscovery.k8s.io")
            && range.split(';').any(|part| part == "v=v2")
    });
    let plain = accept.is_empty()
        || ranges.iter().any(|range| {
            let media = range.split(';').next().unwrap_or_default();
            matches!(media, "application/json" | "application/*" | "*/*") && !range.contains("as=")
        });
    if aggregated {
        let body = format!("{}\n", discovery_list(&groups));
        return Answer::new(200, AGGREGATED, body).with("Cache-Control", "public").with("Vary", "Accept");
    }
    if !plain {
        let message = "only the following media types are accepted: application/json, application/yaml, \
                       application/vnd.kubernetes.protobuf";
        return status::failure(406, Some("NotAcceptable"), None, message);
    }
    let groups: Vec<Value> = groups.iter().map(|(name, versions)| group(name, versions)).collect();
    let list = json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups});
    Answer::new(200, "application/json", format!("{list}\n")).with("Cache-Control", "no-cache, private")
}

fn group(name: &str, versions: &[(&str, Vec<&str>)]) -> Value {
    let version = |(version, _): &(&str, Vec<&str>)| json!({"groupVersion": format!("{name}/{version}"), "version": version});
    let versions: Vec<Value> = versions.iter().map(version).collect();
    json!({"name": name, "preferredVersion": versions.first(), "versions": versions})
}

fn discovery_list(groups: &Groups) -> Value {
    let version = |group: &str, (version, plurals): &(&str, Vec<&str>)| {
        let resources: Vec<Value> = plurals.iter().map(|plural| resource(group, version, plural)).collect();
        json!({"version": version, "resources": resources, "freshness": "Current"})
    };
    let items = groups.iter().map(|(name, versions)| {
        let versions: Vec<Value> = versions.iter().map(|v| version(name, v)).collect();
        json!({"metadata": {"name": name}, "versions": versions})
    });
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {},
        "items": items.collect::<Vec<_>>()})
}

fn resource(group: &str, version: &str, plural: &str) -> Value {
    let (kind, namespaced) = kind(plural).unwrap_or(("Unknown", true));
    json!({
        "resource": plural,
        "responseKind": {"group": group, "version": version, "kind": kind},
        "scope": if namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.to_lowercase(),
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    })
}
