//! The least rights that a run needs in Kubernetes, computed from the needs. `deploy/rbac.yaml` is this text.

use std::collections::{BTreeMap, BTreeSet};

use kairos_doctor_checks::facts::{NEEDS, Origin};
use serde_json::{Value, json};

/// The ServiceAccount, its namespace and both roles are named so.
pub const NAME: &str = "kairos-doctor";

const HEADER: &str = "\
# What kairos-doctor may read in the cluster, and nothing else: no Secrets, and only `get` and `list`.
# Generated from what the checks need; to write it anew: UPDATE_GENERATED=1 cargo test --test it rbac
";

/// What rules share: API group, the one name, verbs.
type Scope = (&'static str, Option<&'static str>, &'static [&'static str]);
type Rules = BTreeMap<Scope, BTreeSet<String>>;

/// The objects of `deploy/rbac.yaml`, in the order in which they are applied.
pub fn manifests() -> Vec<Value> {
    let mut everywhere = Rules::new();
    let mut inside: BTreeMap<&'static str, Rules> = BTreeMap::new();
    let mut paths = BTreeSet::from(["/apis"]);
    for need in NEEDS {
        match need.from {
            Origin::Kubernetes(r) => {
                let (rules, name, verbs): (_, _, &'static [&'static str]) = match r.only {
                    Some((namespace, name)) => (inside.entry(namespace).or_default(), Some(name), &["get"]),
                    None => (&mut everywhere, None, &["list"]),
                };
                rules.entry((r.group, name, verbs)).or_default().insert(r.plural.into());
            }
            Origin::KubernetesPath(path) => drop(paths.insert(path)),
            Origin::PodLogs { namespace, .. } => {
                let rules = inside.entry(namespace).or_default();
                rules.entry(("", None, &["get"])).or_default().insert("pods/log".into());
            }
            Origin::Hetzner(_) | Origin::Kubelets | Origin::Connection => {}
        }
    }
    let mut cluster_rules = rules(everywhere);
    cluster_rules.push(json!({"nonResourceURLs": paths, "verbs": ["get"]}));
    // whatever runs beside the doctor there may do no more than it
    let restricted = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let mut all = vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME, "labels": restricted}}),
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(Some(NAME)),
            "automountServiceAccountToken": false,
        }),
        role("ClusterRole", None, cluster_rules),
        binding("ClusterRole", None),
    ];
    for (namespace, here) in inside {
        all.push(role("Role", Some(namespace), rules(here)));
        all.push(binding("Role", Some(namespace)));
    }
    all
}

/// The text of `deploy/rbac.yaml`.
///
/// # Panics
/// Never: the manifests are plain data.
pub fn yaml() -> String {
    let mut text = HEADER.to_string();
    for manifest in manifests() {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(&manifest).expect("manifests are plain data"));
    }
    text
}

fn rules(rules: Rules) -> Vec<Value> {
    let rule = |((group, name, verbs), resources): (Scope, BTreeSet<String>)| {
        let mut rule = json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
        if let Some(name) = name {
            rule["resourceNames"] = json!([name]);
        }
        rule
    };
    rules.into_iter().map(rule).collect()
}

fn metadata(namespace: Option<&str>) -> Value {
    match namespace {
        Some(namespace) => json!({"name": NAME, "namespace": namespace}),
        None => json!({"name": NAME}),
    }
}

const API: &str = "rbac.authorization.k8s.io";

fn role(kind: &str, namespace: Option<&str>, rules: Vec<Value>) -> Value {
    json!({"apiVersion": format!("{API}/v1"), "kind": kind, "metadata": metadata(namespace), "rules": rules})
}

fn binding(kind: &str, namespace: Option<&str>) -> Value {
    json!({
        "apiVersion": format!("{API}/v1"),
        "kind": format!("{kind}Binding"),
        "metadata": metadata(namespace),
        "roleRef": {"apiGroup": API, "kind": kind, "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAME}],
    })
}
