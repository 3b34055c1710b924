//! The rights of `deploy/rbac.yaml` are those that a run uses: none is missing, and none is for nothing.

use std::collections::BTreeSet;

use kairos_doctor_checks::facts::{NEEDS, Origin};
use kairos_doctor_simulator::{Options, Source};
use serde_json::Value;

use super::listed::is_listed;
use crate::live::Cluster;

/// `list apps/deployments`, `get kube-system//configmaps/NAME`, `get /version`
fn granted() -> BTreeSet<String> {
    let text = include_str!("../../../deploy/rbac.yaml");
    let all: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    let mut rights = BTreeSet::new();
    let list = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|v| v.as_str().unwrap().to_string()).collect()
    };
    for role in &all {
        let place = role["metadata"]["namespace"].as_str().map(|n| format!("{n}/")).unwrap_or_default();
        for rule in role["rules"].as_array().into_iter().flatten() {
            for verb in list(&rule["verbs"]) {
                rights.extend(list(&rule["nonResourceURLs"]).iter().map(|url| format!("{verb} {url}")));
                let names = list(&rule["resourceNames"]);
                for group in list(&rule["apiGroups"]) {
                    for resource in list(&rule["resources"]) {
                        let right = format!("{verb} {place}{group}/{resource}");
                        match names.as_slice() {
                            [] => drop(rights.insert(right)),
                            names => rights.extend(names.iter().map(|name| format!("{right}/{name}"))),
                        }
                    }
                }
            }
        }
    }
    rights
}

/// The right that a request takes, as Kubernetes derives it from a path.
fn taken(path: &str) -> String {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (group, rest) = match segments.as_slice() {
        ["api", "v1", rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => return format!("get {path}"),
    };
    match rest {
        ["namespaces", namespace, "pods", _, "log"] => format!("get {namespace}/{group}/pods/log"),
        ["namespaces", namespace, resource, name] => format!("get {namespace}/{group}/{resource}/{name}"),
        [resource] => format!("list {group}/{resource}"),
        other => panic!("no right is known for {path}: {other:?}"),
    }
}

#[test]
fn a_full_run_takes_every_right_that_is_granted_and_no_other() {
    let custom = NEEDS.iter().filter_map(|need| match need.from {
        Origin::Kubernetes(resource) if resource.custom => Some(resource.group.to_string()),
        _ => None,
    });
    let options = Options { crd_groups: Some(custom.collect()), ..Options::default() };
    let cluster = Cluster::of("incidents/field-report", options);
    cluster.collected(&[]);
    let requests = cluster.simulator.requests();
    let kubernetes = || requests.iter().filter(|r| r.source == Source::Kubernetes);
    let used: BTreeSet<String> = kubernetes().map(|r| taken(&r.path)).collect();
    assert_eq!(used, granted());

    // and each request, query and all, is one that the README lists
    for request in requests.iter().filter(|r| r.source != Source::Kubelet) {
        let target = if request.query.is_empty() {
            request.path.clone()
        } else {
            format!("{}?{}", request.path, request.query)
        };
        assert!(is_listed(&request.method, &target), "{} {target}", request.method);
        assert_eq!(request.received, 0, "{target} had a body");
    }
}

/// Kubelets are given nothing: no request, and no byte inside TLS.
#[test]
fn kubelets_are_asked_for_nothing() {
    let cluster = Cluster::of("incidents/field-report", Options::default());
    cluster.collected(&[]);
    let requests = cluster.simulator.requests();
    let kubelets: Vec<_> = requests.iter().filter(|r| r.source == Source::Kubelet).collect();
    assert!(!kubelets.is_empty());
    for handshake in kubelets {
        assert_eq!((handshake.method.as_str(), handshake.received), ("TLS", 0), "{handshake:?}");
    }
}
