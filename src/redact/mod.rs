//! Pseudonyms for publishing: one dictionary from the facts, applied to every string of the facts. The report is made from
//! the redacted facts, so that a name has the same pseudonym in findings, evidence, commands and bundle.
//!
//! Kept: the relations that checks and readers rely on. An address stays in its network, private stays private, whatever
//! sorts before something else still does, and a server that has its node's name still has it.

mod addresses;
mod controller_log;
mod dictionary;
mod pseudonyms;
mod text;

use kairos_doctor_checks::facts::Facts;
use serde_json::{Map, Value};

use dictionary::Dictionary;
pub use dictionary::Tally;
pub use pseudonyms::{Pseudonyms, renamed};

/// The same cluster under pseudonyms, and what was replaced, by kind.
pub fn redact(facts: &Facts) -> (Facts, Tally) {
    let bundle = facts.to_bundle();
    let dictionary = Dictionary::of(&bundle);
    let mut redacted = Map::new();
    for (key, value) in bundle.as_object().into_iter().flatten() {
        let value = match key.as_str() {
            "format" | "now" => value.clone(),
            "context" if value.is_string() => "cluster".into(),
            "hcloud_context" if value.is_string() => "project".into(),
            "parts" => controller_log::replace(value, rewrite(value, &dictionary, key), &dictionary),
            _ => rewrite(value, &dictionary, key),
        };
        redacted.insert(key.clone(), value);
    }
    let facts =
        Facts::from_bundle(&Value::Object(redacted)).expect("a bundle keeps its shape under pseudonyms");
    (facts, dictionary.tally())
}

/// Keys whose values are words of an API and never names.
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

fn rewrite(value: &Value, dictionary: &Dictionary, key: &str) -> Value {
    match value {
        Value::String(text) if VOCABULARY.contains(&key) => Value::String(text.clone()),
        Value::String(text) if key == "load-balancer.hetzner.cloud/name" => {
            Value::String(dictionary.name_in("hcloud.load_balancers", text))
        }
        Value::String(text) => Value::String(dictionary.apply(text)),
        Value::Number(number) => match (key, number.as_i64()) {
            ("id" | "network", Some(id)) => dictionary.id(id).into(),
            _ => value.clone(),
        },
        Value::Array(items) if key.starts_with("hcloud.") => {
            items.iter().map(|item| named(rewrite(item, dictionary, key), item, dictionary, key)).collect()
        }
        Value::Array(items) => items.iter().map(|item| rewrite(item, dictionary, key)).collect(),
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| (key.clone(), rewrite(value, dictionary, key));
            let mut fields: Map<String, Value> = fields.iter().map(field).collect();
            if let Some(network) = value["value"].as_str().filter(|_| value["name"] == "HCLOUD_NETWORK") {
                fields.insert("value".into(), dictionary.name_in("hcloud.networks", network).into());
            }
            Value::Object(fields)
        }
        other => other.clone(),
    }
}

/// An object of Hetzner's with the pseudonym of its name.
fn named(mut redacted: Value, item: &Value, dictionary: &Dictionary, part: &str) -> Value {
    if let Some(name) = item["name"].as_str() {
        redacted["name"] = dictionary.name_in(part, name).into();
    }
    redacted
}
