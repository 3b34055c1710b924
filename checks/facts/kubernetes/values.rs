//! Values of a Helm chart, by path: what no check reads may hold a token and is dropped.
//!
//! Sources of the paths: hcloud-cloud-controller-manager `chart/values.yaml`, cilium 1.15 to 1.20, traefik-helm-chart v25 to
//! v41, hcloud-csi `chart/values.yaml`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::super::wire::Field;
use super::super::{MASK, Text};
use super::sanitise;

/// `spec.valuesContent` of a HelmChart or HelmChartConfig, read as YAML. Written back as JSON, which is YAML too.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Values {
    /// Nothing is set, or nothing that is kept: to a check there is no difference.
    #[default]
    Empty,
    /// What is kept of a mapping: always something.
    Known(Value),
    /// It is no YAML mapping.
    Unreadable,
}

/// Paths whose values are kept; `*` is any one key.
const KEPT: &[&str] = &[
    // hcloud-cloud-controller-manager
    "kind",
    "monitoring.enabled",
    "nameOverride",
    "networking.clusterCIDR",
    "networking.enabled",
    "networking.network.value",
    "networking.network.valueFrom.secretKeyRef.*",
    "replicaCount",
    "robot.enabled",
    "strategy.rollingUpdate.*",
    "strategy.type",
    // cilium
    "MTU",
    "autoDirectNodeRoutes",
    "bpf.masquerade",
    "cni.exclusive",
    "defaultLBServiceIPAM",
    "devices",
    "directRoutingSkipUnreachable",
    "externalIPs.enabled",
    "gatewayAPI.enabled",
    "gatewayAPI.gatewayClass.create",
    "ingressController.enabled",
    "ingressController.ingressLBAnnotationPrefixes",
    "ingressController.loadbalancerMode",
    "ipam.mode",
    "ipam.operator.clusterPoolIPv4MaskSize",
    "ipam.operator.clusterPoolIPv4PodCIDRList",
    "ipv4NativeRoutingCIDR",
    "k8sServiceHost",
    "k8sServicePort",
    "kubeProxyReplacement",
    "l2announcements.enabled",
    "operator.replicas",
    "routingMode",
    "tunnelProtocol",
    // traefik
    "gateway.enabled",
    "gateway.listeners.*.hostname",
    "gateway.listeners.*.namespacePolicy",
    "gateway.listeners.*.namespacePolicy.from",
    "gateway.listeners.*.port",
    "gateway.listeners.*.protocol",
    "gateway.name",
    "gateway.namespace",
    "gateway.namespacePolicy",
    "gatewayClass.name",
    "ports.*.exposedPort",
    "ports.*.port",
    "providers.kubernetesGateway.enabled",
    "providers.kubernetesGateway.statusAddress.*",
    "providers.kubernetesGateway.statusAddress.service.*",
    "service.type",
    // hcloud-csi
    "storageClasses",
    "storageClasses.*.defaultStorageClass",
    "storageClasses.*.name",
];

impl Values {
    /// The value at a path of plain keys: `networking.enabled`.
    pub fn get(&self, path: &str) -> Option<&Value> {
        let Values::Known(values) = self else { return None };
        path.split('.').try_fold(values, |here, key| here.get(key))
    }

    /// The same as text: `true`, `6444`, `native`.
    pub fn text(&self, path: &str) -> Option<String> {
        match self.get(path)? {
            Value::String(text) => Some(text.clone()),
            Value::Bool(on) => Some(on.to_string()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Every scalar that is a template's placeholder, such as `<HETZNER_REGION>`, with its path as evidence gives it:
    /// `env.HCLOUD_NETWORK.value`, `devices[0]`, `annotations['a.b/c']`.
    pub fn placeholders(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if let Values::Known(values) = self {
            leaves(values, "", &mut |path, leaf| {
                if let Value::String(text) = leaf
                    && is_placeholder(text)
                {
                    found.push((path.to_string(), text.clone()));
                }
            });
        }
        found
    }
}

/// A placeholder of a published template that nobody filled in: the whole scalar is `<UPPER_CASE>`.
pub fn is_placeholder(text: &str) -> bool {
    let inner = text.trim().strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    inner.is_some_and(|name| {
        name.len() > 2
            && name.len() < 64
            && name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    })
}

fn leaves<'a>(value: &'a Value, path: &str, see: &mut impl FnMut(&str, &'a Value)) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = match (path, key.contains(['.', '['])) {
                    (_, true) => format!("{path}['{key}']"),
                    ("", false) => key.clone(),
                    (_, false) => format!("{path}.{key}"),
                };
                leaves(value, &path, see);
            }
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                leaves(value, &format!("{path}[{i}]"), see);
            }
        }
        leaf => see(path, leaf),
    }
}

/// Reads `text` as YAML. Nothing is dropped: for values that are looked at on the wire.
pub(in crate::facts) fn parse(text: &str) -> Option<Value> {
    serde_saphyr::from_str::<Value>(text).ok().filter(Value::is_object)
}

fn read(text: &str) -> Values {
    if text.trim().is_empty() {
        return Values::Empty;
    }
    match serde_saphyr::from_str::<Value>(text) {
        // Helm takes a file of comments for no values
        Ok(Value::Null) => Values::Empty,
        Ok(values) if values.is_object() => {
            keep(&values, &mut Vec::new()).map_or(Values::Empty, Values::Known)
        }
        _ => Values::Unreadable,
    }
}

/// What of `value` may be kept; `None` when nothing of it.
fn keep(value: &Value, way: &mut Vec<String>) -> Option<Value> {
    match value {
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (key, value) in fields {
                // Cleaned before it is judged, so that what was kept would be kept again.
                let key = Text::new(key).to_string();
                way.push(key.clone());
                if let Some(value) = keep(value, way) {
                    kept.insert(key, value);
                }
                way.pop();
            }
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(items) => {
            let kept: Vec<Option<Value>> = items
                .iter()
                .enumerate()
                .map(|(i, item)| {
                    way.push(i.to_string());
                    let kept = keep(item, way);
                    way.pop();
                    kept
                })
                .collect();
            let some = kept.iter().any(Option::is_some) || (items.is_empty() && listed(way));
            // what is dropped leaves its place, so that the others keep theirs
            some.then(|| Value::Array(kept.into_iter().map(Option::unwrap_or_default).collect()))
        }
        Value::String(text) => string(text, way).map(|text| Value::String(text.to_string())),
        Value::Null => None,
        scalar => (listed(way) || is_setting(way)).then(|| scalar.clone()),
    }
}

fn string(text: &str, way: &[String]) -> Option<Text> {
    if is_placeholder(text) || listed(way) || is_setting(way) || is_annotation(way) {
        return Some(Text::new(text));
    }
    match way.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["env", name, "value"] => sanitise::variable(name, text).filter(|value| *value != MASK),
        ["env", name, "valueFrom", "secretKeyRef" | "configMapKeyRef", "name" | "key"]
            if sanitise::keeps_variable(name) =>
        {
            Some(Text::new(text))
        }
        _ => None,
    }
}

fn listed(way: &[String]) -> bool {
    let fits = |pattern: &&str| {
        let keys: Vec<&str> = pattern.split('.').collect();
        let item = way.len() == keys.len() + 1 && way.last().is_some_and(|key| key.parse::<usize>().is_ok());
        let way = if item { &way[..keys.len()] } else { way };
        keys.len() == way.len() && keys.iter().zip(way).all(|(key, at)| *key == "*" || key == at)
    };
    KEPT.iter().any(fits)
}

/// A variable of the controller that was written as a number or Boolean.
fn is_setting(way: &[String]) -> bool {
    matches!(way, [env, name, value] if env == "env" && value == "value" && sanitise::variable(name, "").is_some_and(|v| v.is_empty()) && name.starts_with("HCLOUD_") && !name.contains("TOKEN"))
}

/// `service.annotations` of any chart, for the annotations that HCCM reads.
fn is_annotation(way: &[String]) -> bool {
    way.len() >= 2
        && way[way.len() - 2] == "annotations"
        && way[way.len() - 1].starts_with("load-balancer.hetzner.cloud/")
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Values::Empty => s.serialize_str(""),
            Values::Known(values) => s.serialize_str(&values.to_string()),
            // no YAML, and so unreadable again
            Values::Unreadable => s.serialize_str("{"),
        }
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Values, D::Error> {
        Ok(read(&String::deserialize(d)?))
    }
}

impl Field for Values {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_check_reads_is_dropped_wherever_a_token_hides() {
        let values = read(concat!(
            "networking: {enabled: true, clusterCIDR: 10.42.0.0/16, token: s3cr3t}\n",
            "env:\n  HCLOUD_TOKEN: {value: s3cr3t}\n  HCLOUD_NETWORK: {value: 815}\n  OTHER: {value: s3cr3t}\n",
            "extra: [s3cr3t, '<HETZNER_REGION>']\n",
        ));
        let text = serde_json::to_string(&values).unwrap();
        assert!(!text.contains("s3cr3t"), "{text}");
        assert_eq!(values.text("networking.enabled").as_deref(), Some("true"));
        assert_eq!(values.text("env.HCLOUD_NETWORK.value").as_deref(), Some("815"));
        assert_eq!(values.placeholders(), [("extra[1]".to_string(), "<HETZNER_REGION>".to_string())]);
    }

    #[test]
    fn what_is_written_back_reads_the_same() {
        for text in [
            "",
            "{",
            "a: b: c",
            "x: [y, '<NAME>']",
            "routingMode: native\nMTU: 1450\n",
            "storageClasses: []\n",
        ] {
            let once = read(text);
            let json = serde_json::to_string(&once).unwrap();
            assert_eq!(serde_json::from_str::<Values>(&json).unwrap(), once, "{text}");
        }
    }

    #[test]
    fn values_of_which_none_is_kept_are_as_none() {
        for text in ["", " \n", "# nothing\n", "null", "{}", "canary: {token: s3cr3t}", "networking: {}"] {
            assert_eq!(read(text), Values::Empty, "{text}");
        }
        for text in ["[]", "text", "a: b: c"] {
            assert_eq!(read(text), Values::Unreadable, "{text}");
        }
    }

    #[test]
    fn what_looks_like_markup_is_no_placeholder() {
        for text in ["<no value>", "<html>", "<b>", "a <NAME> b", "<A>"] {
            assert!(!is_placeholder(text), "{text}");
        }
        assert!(is_placeholder("<HETZNER_NETWORK_NAME_OR_ID>"));
    }
}
