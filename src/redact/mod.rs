//! Pseudonyms for publishing: one dictionary from the facts, applied to every string of the facts. The report is made from
//! the redacted facts, so that a name has the same pseudonym in findings, evidence, commands and bundle.
//!
//! Kept: the relations that checks and readers rely on. An address stays in its network, private stays private, a host stays
//! in its domain, names sort as they did, and a server that has its node's name still has it.
//!
//! Stable: addresses and the cluster's UID have the same pseudonyms in every report of one cluster, since both are chosen
//! by a secret that the UID is (see `key`). Names of machines are numbered in their order, so that the report reads
//! well and is ranked as it was; they mean the same in two reports that give the same [`Replaced::naming`].

mod addresses;
mod controller_log;
mod dictionary;
mod domains;
mod identifiers;
mod key;
mod people;
mod pseudonyms;
mod seen;
#[cfg(test)]
mod tests;
mod text;
mod words;

use std::convert::Infallible;

use kairos_doctor_checks::facts::controller_log::ControllerLog;
use kairos_doctor_checks::facts::{Facts, Kind, NEEDS, Replaced};
use serde_json::{Map, Value, json};

pub use dictionary::Dictionary;
pub use key::cluster_pseudonym;
pub use pseudonyms::{Pseudonyms, renamed};

/// The same cluster under pseudonyms, with what was replaced. What is under pseudonyms already stays as it is, so that who
/// was given a redacted bundle sees the names that its sender sees.
pub fn redact(facts: Facts) -> Facts {
    if facts.replaced.is_some() {
        return facts;
    }
    let dictionary = Dictionary::of(&facts);
    redact_by(facts, &dictionary)
}

/// The same with a dictionary that is at hand. Objects are rewritten one after the other, since all of them as they stand in a
/// bundle take many times what the facts do; and each is given up then.
pub fn redact_by(mut facts: Facts, dictionary: &Dictionary) -> Facts {
    debug_assert!(facts.replaced.is_none(), "they have pseudonyms already");
    let mut redacted = Facts::new(facts.now);
    redacted.context = facts.context.as_ref().map(|_| "cluster".into());
    redacted.hetzner_context = facts.hetzner_context.as_ref().map(|_| "project".into());
    redacted.recorded_by = facts.recorded_by.clone();
    redacted.replaced = Some(dictionary.replaced());
    const SHAPE: &str = "an object keeps its shape under pseudonyms";
    for need in NEEDS {
        match facts.take(need) {
            Some(Ok(part)) => {
                let objects = need.drain(part);
                let objects =
                    objects.map(|object| Ok::<_, Infallible>(object_of(need.key, &object, dictionary)));
                let Ok(part) = need.gather(objects);
                redacted.put(need, Ok(part.expect(SHAPE)));
            }
            Some(Err(gap)) => {
                let gap = rewrite(&json!(gap), dictionary, need.key);
                redacted.put(need, Err(serde_json::from_value(gap).expect(SHAPE)));
            }
            None => {}
        }
    }
    redacted
}

/// What was replaced in these facts; `None` where nothing was.
pub fn replaced(facts: &Facts) -> Option<&Replaced> {
    facts.replaced.as_ref()
}

/// Keys whose values are a word of an API where they are one word, and never a name.
const VOCABULARY: &[&str] = &[
    "type",
    "kind",
    "status",
    "reason",
    "phase",
    "effect",
    "direction",
    "protocol",
    "apiVersion",
    "outcome",
    "why",
    "need",
    "externalTrafficPolicy",
    "addressType",
    "ipMode",
    "key",
];

/// Parts whose objects are named after a machine.
const OF_MACHINES: &[&str] = &["nodes", "ciliumnodes", "csinodes"];

/// Keys whose values are a machine's name.
const MACHINES: &[&str] =
    &["nodeName", "node", "kubernetes.io/hostname", "k3s.io/hostname", "etcd.k3s.cattle.io/node-name"];

/// One object of the part with that key.
fn object_of(key: &str, object: &Value, dictionary: &Dictionary) -> Value {
    let mut redacted = rewrite(object, dictionary, "");
    if let Some(name) = object["metadata"]["name"].as_str().filter(|_| OF_MACHINES.contains(&key)) {
        redacted["metadata"]["name"] = dictionary.machine(name).into();
    }
    if let Some(name) = object["name"].as_str().filter(|_| key.starts_with("hcloud.")) {
        redacted["name"] = dictionary.name_in(key, name).into();
    }
    if key == ControllerLog::NEED.key {
        controller_log::replace(object, &mut redacted, dictionary);
    }
    redacted
}

fn rewrite(value: &Value, dictionary: &Dictionary, key: &str) -> Value {
    match value {
        Value::String(text) => Value::String(string(text, dictionary, key)),
        Value::Number(number) => match (key, number.as_i64()) {
            ("id" | "network" | "certificates", Some(id)) => dictionary.id(id).into(),
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(|item| rewrite(item, dictionary, key)).collect(),
        Value::Object(fields) => object(value, fields, dictionary),
        other => other.clone(),
    }
}

fn string(text: &str, dictionary: &Dictionary, key: &str) -> String {
    let one_word = || text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/'));
    match key {
        key if VOCABULARY.contains(&key) && one_word() => text.to_string(),
        key if MACHINES.contains(&key) => dictionary.machine(text),
        "load-balancer.hetzner.cloud/name" => dictionary.name_in("hcloud.load_balancers", text),
        "load-balancer.hetzner.cloud/http-certificates"
        | "load-balancer.hetzner.cloud/http-managed-certificate-name" => {
            let names = text.split(',').map(|name| dictionary.name_in("hcloud.certificates", name.trim()));
            names.collect::<Vec<_>>().join(",")
        }
        // written as JSON: what stands in it has its keys there
        "valuesContent" => match serde_json::from_str::<Value>(text) {
            Ok(values) if values.is_object() => rewrite(&values, dictionary, "").to_string(),
            _ => dictionary.apply(text),
        },
        "k3s.io/node-args" => match serde_json::from_str::<Vec<String>>(text) {
            Ok(args) => serde_json::to_string(&node_args(&args, dictionary)).unwrap_or_default(),
            Err(_) => dictionary.apply(text),
        },
        _ => dictionary.apply(text),
    }
}

/// k3s's arguments, in which `--node-name` is followed by a name.
fn node_args(args: &[String], dictionary: &Dictionary) -> Vec<String> {
    let mut named = false;
    let one = |arg: &String| {
        let other = if named { dictionary.machine(arg) } else { dictionary.apply(arg) };
        named = matches!(&**arg, "--node-name" | "--with-node-id");
        other
    };
    args.iter().map(one).collect()
}

fn object(value: &Value, fields: &Map<String, Value>, dictionary: &Dictionary) -> Value {
    let field = |(key, value): (&String, &Value)| (key.clone(), rewrite(value, dictionary, key));
    let mut other: Map<String, Value> = fields.iter().map(field).collect();
    let of = |key: &str| value[key].as_str();
    let put = |other: &mut Map<String, Value>, key: &str, name: String| {
        other.insert(key.into(), name.into());
    };
    if let Some(network) = of("value").filter(|_| value["name"] == "HCLOUD_NETWORK") {
        put(&mut other, "value", dictionary.name_in("hcloud.networks", network));
    }
    if let Some(host) = of("address").filter(|_| value["type"] == "Hostname") {
        put(&mut other, "address", dictionary.machine(host));
    }
    if let Some(node) = of("name").filter(|_| value["kind"] == "Node") {
        put(&mut other, "name", dictionary.machine(node));
    }
    // a kubelet's certificate: its names are the node's
    if let Some(names) = value["dnsNames"].as_array().filter(|_| value["fingerprint"].is_string()) {
        let machine =
            |name: &Value| name.as_str().map_or(name.clone(), |name| dictionary.machine(name).into());
        let names: Vec<Value> = names.iter().map(machine).collect();
        other.insert("dnsNames".into(), names.into());
        if let Some(subject) = of("subject") {
            let (role, node) = match subject.strip_prefix("system:node:") {
                Some(node) => ("system:node:", node),
                None => ("", subject),
            };
            put(&mut other, "subject", format!("{role}{}", dictionary.machine(node)));
        }
    }
    if let Some(user) = of("name").filter(|_| people::is_person(value)) {
        put(&mut other, "name", dictionary.name_in("user", user));
    }
    // chart values: `env: {HCLOUD_NETWORK: {value: …}}` and `networking: {network: {value: …}}`
    for key in ["HCLOUD_NETWORK", "network"] {
        if let Some(network) = value[key]["value"].as_str() {
            other[key]["value"] = dictionary.name_in("hcloud.networks", network).into();
        }
        if let Some(network) = value[key]["value"].as_i64() {
            other[key]["value"] = dictionary.id(network).into();
        }
    }
    Value::Object(other)
}
