//! Pseudonyms for publishing: one dictionary from the facts, applied to every string of the facts. The report is made from
//! the redacted facts, so that a name has the same pseudonym in findings, evidence, commands and bundle.
//!
//! Kept: the relations that checks and readers rely on. An address stays in its network, private stays private, whatever
//! sorts before something else still does, and a server that has its node's name still has it.

mod addresses;
mod dictionary;

use kairos_doctor_checks::domain::hccm_log::{Piece, pieces};
use kairos_doctor_checks::facts::Facts;
use kairos_doctor_checks::facts::Kind;
use kairos_doctor_checks::facts::controller_log::ControllerLog;
use serde_json::{Map, Value};

use dictionary::Dictionary;
pub use dictionary::Tally;

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
            "parts" => parts(value, &dictionary),
            _ => rewrite(value, &dictionary, key),
        };
        redacted.insert(key.clone(), value);
    }
    let facts =
        Facts::from_bundle(&Value::Object(redacted)).expect("a bundle keeps its shape under pseudonyms");
    (facts, dictionary.tally())
}

fn parts(parts: &Value, dictionary: &Dictionary) -> Value {
    let mut redacted = rewrite(parts, dictionary, "parts");
    let key = ControllerLog::NEED.key;
    let logs = redacted[key].as_array_mut().into_iter().flatten();
    for (log, was) in logs.zip(parts[key].as_array().into_iter().flatten()) {
        let lines = log.get_mut("lines").and_then(Value::as_array_mut).into_iter().flatten();
        for (line, was) in lines.zip(was["lines"].as_array().into_iter().flatten()) {
            line["text"] = said(was["text"].as_str().unwrap_or_default(), dictionary).into();
        }
    }
    redacted
}

/// A line of the controller's log. Its own words stay, whatever nodes are called: by them it is known.
fn said(text: &str, dictionary: &Dictionary) -> String {
    let piece = |piece| match piece {
        Piece::Words(words) => words.to_string(),
        Piece::Network(name) => dictionary.name_in("hcloud.networks", name),
        Piece::Rest(text) => dictionary.apply(text),
    };
    pieces(text).into_iter().map(piece).collect()
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

#[cfg(test)]
mod tests {
    use kairos_doctor_checks::domain::hccm_log::{Word, words};
    use serde_json::json;

    use super::*;

    /// Nodes and networks may be called like a word of a sentence, and like nothing else that the facts know.
    #[test]
    fn names_in_the_controllers_log_are_replaced_and_its_words_are_not() {
        let line = |text: &str| json!({"time": "2026-11-23T09:00:00Z", "text": text});
        let bundle = json!({"format": "kairos-doctor/bundle/v1", "now": "2026-11-23T09:00:00Z", "parts": {
            "nodes": [{"metadata": {"name": "server"}}, {"metadata": {"name": "node"}}],
            "hcloud.networks": [{"id": 4711, "name": "Network"}],
            "controller.log": [{"namespace": "kube-system", "pod": "p", "container": "c", "status": 200, "lines": [
                line("no matching server found for node 'server': server not found"),
                line("no matching server found for node 'gone-1': server not found"),
                line("provided node ip for node \"node\" is not valid: failed to get node address from cloud provider that \
                      matches ip: 88.198.4.7"),
                line("hcloud/newCloud: This node is not attached to Network Network"),
                line("hcloud/newCloud: Network 4711 not found"),
                line("Get \"https://api.hetzner.cloud/v1\": dial tcp 88.198.4.7:443: i/o timeout"),
            ]}],
        }});
        let open = Facts::from_bundle(&bundle).unwrap();
        let (hidden, _) = redact(&open);
        let said = |facts: &Facts| -> Vec<Word> {
            words(facts).unwrap().into_iter().rev().map(|said| said.word).collect()
        };
        let (open, words) = (said(&open), said(&hidden));
        assert_eq!(open.len(), 6);
        let other = |index: usize| match &words[index] {
            Word::ServerNotFound { node } => node.to_string(),
            Word::NodeIp { node, ip } => format!("{node} {ip}"),
            Word::NotAttached { name } | Word::NetworkNotFound { name } => name.to_string(),
            word => format!("{word:?}"),
        };
        assert_eq!((&*other(0), &*other(1)), ("node-3", "node-1"));
        assert!(other(2).starts_with("node-2 ") && !other(2).ends_with("88.198.4.7"), "{}", other(2));
        assert_eq!((&*other(3), &*other(4), &*other(5)), ("network-1", "3000001", "Egress"));
        let text = hidden.to_bundle().to_string();
        assert!(!text.contains("gone-1") && !text.contains("88.198.4.7"), "{text}");
    }
}
