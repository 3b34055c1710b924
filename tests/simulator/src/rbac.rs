//! Enforces the rights of `deploy/rbac.yaml`: what is not granted there is refused.

use kairos_doctor_checks::facts::{Need, Origin};
use serde::Deserialize;

use crate::kubernetes::request::{Wanted, What};

/// The rights that are shipped.
const SHIPPED: &str = include_str!("../../../deploy/rbac.yaml");

const ACCOUNT: (&str, &str) = ("kairos-doctor", "kairos-doctor");

/// As whom a client with the right token is known.
pub(crate) const USER: &str = "system:serviceaccount:kairos-doctor:kairos-doctor";

/// What the ServiceAccount may do.
pub(crate) struct Rights {
    /// With the namespace of the binding; `None` is everywhere.
    rules: Vec<(Option<String>, Rule)>,
    withheld: Vec<Origin>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
    resource_names: Vec<String>,
    #[serde(rename = "nonResourceURLs")]
    paths: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Manifest {
    kind: String,
    metadata: Name,
    rules: Vec<Rule>,
    role_ref: Name,
    subjects: Vec<Name>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Name {
    kind: String,
    name: String,
    namespace: Option<String>,
}

impl Rights {
    /// Reads manifests, those that are shipped unless others are given. Errors: no YAML.
    pub fn new(manifests: Option<&str>, withheld: &[&Need]) -> Result<Rights, String> {
        let manifests: Vec<Manifest> = serde_saphyr::from_multiple(manifests.unwrap_or(SHIPPED))
            .map_err(|e| format!("the RBAC manifests: {e}"))?;
        let ours = |s: &Name| {
            s.kind == "ServiceAccount" && s.name == ACCOUNT.1 && s.namespace.as_deref() == Some(ACCOUNT.0)
        };
        let mut rules = Vec::new();
        for binding in manifests.iter().filter(|m| m.subjects.iter().any(ours)) {
            let place = (binding.kind == "RoleBinding").then(|| binding.metadata.namespace.clone()).flatten();
            let bound = |role: &&Manifest| {
                role.kind == binding.role_ref.kind
                    && role.metadata.name == binding.role_ref.name
                    && (role.kind == "ClusterRole" || role.metadata.namespace == binding.metadata.namespace)
            };
            for role in manifests.iter().filter(bound) {
                rules.extend(role.rules.iter().map(|rule| (place.clone(), rule.clone())));
            }
        }
        Ok(Rights { rules, withheld: withheld.iter().map(|need| need.from).collect() })
    }

    pub fn allow(&self, wanted: &Wanted) -> bool {
        !self.withheld.iter().any(|origin| is_of(origin, wanted))
            && self.rules.iter().any(|(place, rule)| rule.allows(place.as_deref(), wanted))
    }
}

impl Rule {
    fn allows(&self, place: Option<&str>, wanted: &Wanted) -> bool {
        let has = |list: &[String], value: &str| list.iter().any(|known| known == "*" || known == value);
        if !has(&self.verbs, wanted.verb) {
            return false;
        }
        match &wanted.what {
            What::Path(path) => self.paths.iter().any(|known| match known.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => known == path,
            }),
            What::Object(object) => {
                (place.is_none() || place == object.namespace.as_deref())
                    && has(&self.api_groups, &object.group)
                    && has(&self.resources, &object.resource())
                    && (self.resource_names.is_empty()
                        || object.name.as_ref().is_some_and(|name| self.resource_names.contains(name)))
            }
        }
    }
}

/// The request reads what that need reads.
fn is_of(origin: &Origin, wanted: &Wanted) -> bool {
    match (origin, &wanted.what) {
        (Origin::KubernetesPath(path), What::Path(asked)) => path == asked,
        (Origin::PodLogs { namespace, .. }, What::Object(object)) => {
            object.resource() == "pods/log" && object.namespace.as_deref() == Some(*namespace)
        }
        (Origin::Kubernetes(resource), What::Object(object)) => {
            resource.group == object.group
                && resource.plural == object.resource()
                && resource.only.is_none_or(|(_, name)| object.name.as_deref() == Some(name))
        }
        _ => false,
    }
}
