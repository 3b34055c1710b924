//! The objects of a bundle, completed to what the real APIs serve.

use std::collections::{BTreeMap, BTreeSet};

use kairos_doctor_checks::facts::kubelet::{ClusterCa, LogProbe};
use kairos_doctor_checks::facts::{Facts, Kind, NEEDS, Origin};
use serde_json::{Map, Value, json};

use crate::hetzner::complete;
use crate::inflate::Inflate;
use crate::kubernetes::list;
use crate::options::Options;
use crate::shuffle::Numbers;

pub(crate) struct World {
    pub version: Value,
    pub log_probes: Vec<LogProbe>,
    pub seed: Option<u64>,
    /// Kubernetes objects by group and plural, in the order in which they are served.
    resources: BTreeMap<(&'static str, &'static str), Vec<Value>>,
    /// Hetzner objects by the path of their list.
    pub collections: BTreeMap<&'static str, Vec<Value>>,
    custom: BTreeSet<String>,
}

impl World {
    /// Makes the served objects, and the canaries that stand in them.
    pub fn new(
        bundle: &Value,
        facts: &Facts,
        options: &Options,
        kubelet_port: u16,
        ca: &str,
    ) -> (World, BTreeSet<String>) {
        let mut inflate = Inflate::new(options.inflate);
        let mut resources: BTreeMap<_, Vec<Value>> = BTreeMap::new();
        let mut collections: BTreeMap<&'static str, Vec<Value>> = BTreeMap::new();
        let mut custom: BTreeSet<String> = BTreeSet::from(["helm.cattle.io".into()]);
        let mut version = version();
        for need in NEEDS {
            let recorded = bundle["parts"][need.key].as_array();
            let recorded = || recorded.into_iter().flatten().cloned();
            match need.from {
                Origin::Kubernetes(resource) => {
                    let mut items: Vec<Value> = match resource.only {
                        Some(_) if need.key == ClusterCa::NEED.key => vec![root_ca(ca)],
                        _ => recorded().collect(),
                    };
                    if resource.custom && !items.is_empty() {
                        custom.insert(resource.group.into());
                    }
                    for item in &mut items {
                        item["metadata"]["resourceVersion"] = list::RESOURCE_VERSION.into();
                        if resource.plural == "nodes" {
                            item["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] =
                                kubelet_port.into();
                        }
                        default(resource.plural, item);
                        inflate.kubernetes(need.key, resource.plural, item);
                    }
                    resources.entry((resource.group, resource.plural)).or_default().append(&mut items);
                }
                Origin::KubernetesPath(_) => {
                    if let Some(Value::Object(fields)) = recorded().next() {
                        merge(&mut version, &fields);
                    }
                }
                Origin::Hetzner(collection) => {
                    let items = collections.entry(collection.path).or_default();
                    items.extend(recorded().map(|item| complete(collection.path, item)));
                    for item in items {
                        inflate.hetzner(need.key, collection.path, item);
                    }
                }
                Origin::PodLogs { .. } | Origin::Kubelets | Origin::Connection => {}
            }
        }
        for ((_, plural), items) in &mut resources {
            items.sort_by_key(list::key);
            if let Some(seed) = options.shuffle {
                Numbers::new(seed, plural).shuffle(items);
            }
        }
        for (path, items) in &mut collections {
            items.sort_by_key(|item| item["id"].as_i64());
            if let Some(seed) = options.shuffle {
                Numbers::new(seed, path).shuffle(items);
            }
        }
        if let Some(groups) = &options.crd_groups {
            custom = groups.iter().cloned().collect();
        }
        let log_probes = facts.unproven::<LogProbe>().map(<[_]>::to_vec).unwrap_or_default();
        let world = World { version, log_probes, seed: options.shuffle, resources, collections, custom };
        (world, inflate.planted())
    }

    pub fn items(&self, group: &str, plural: &str) -> &[Value] {
        let found = self.resources.iter().find(|((g, p), _)| *g == group && *p == plural);
        found.map(|(_, items)| items.as_slice()).unwrap_or_default()
    }

    /// The CustomResourceDefinitions of that group are installed.
    pub fn serves_group(&self, group: &str) -> bool {
        self.custom.contains(group)
    }
}

/// What the API server writes into each object where nobody said otherwise, as far as a need reads it.
fn default(plural: &str, item: &mut Value) {
    if !matches!(plural, "namespaces" | "nodes" | "services" | "events" | "configmaps") {
        let generation = &mut item["metadata"]["generation"];
        if generation.is_null() {
            *generation = 1.into();
        }
    }
    if plural == "deployments" && item["spec"]["strategy"]["type"].is_null() {
        item["spec"]["strategy"]["type"] = "RollingUpdate".into();
    }
}

fn merge(into: &mut Value, fields: &Map<String, Value>) {
    for (key, value) in fields {
        into[key] = value.clone();
    }
}

fn version() -> Value {
    json!({"major": "1", "minor": "35", "emulationMajor": "1", "emulationMinor": "35", "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "34", "gitVersion": "v1.35.4+k3s1", "gitCommit": "unknown", "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z", "goVersion": "go1.26.8", "compiler": "gc", "platform": "linux/amd64"})
}

fn root_ca(pem: &str) -> Value {
    let about = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such \
                 as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions \
                 of Kubernetes clusters.";
    json!({"metadata": {"name": "kube-root-ca.crt", "namespace": "kube-system",
            "annotations": {"kubernetes.io/description": about}},
        "data": {"ca.crt": pem}})
}
