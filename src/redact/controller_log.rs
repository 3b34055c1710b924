//! Names in the lines of the cloud controller's log.

use kairos_doctor_checks::domain::hccm_log::{Piece, Word, classify, pieces};
use serde_json::Value;

use super::dictionary::Dictionary;

/// The nodes that a log names; one of them may be gone.
pub fn nodes(log: &Value) -> impl Iterator<Item = String> {
    let lines = log["lines"].as_array().into_iter().flatten();
    let node = |line: &Value| match classify(line["text"].as_str()?)? {
        Word::ServerNotFound { node } | Word::NodeIp { node, .. } if !node.is_empty() => {
            Some(node.to_string())
        }
        _ => None,
    };
    lines.filter_map(node)
}

/// Puts in the place of each line of a log the one with pseudonyms by which it is still known.
pub fn replace(log: &Value, redacted: &mut Value, dictionary: &Dictionary) {
    let lines = redacted.get_mut("lines").and_then(Value::as_array_mut).into_iter().flatten();
    for (line, was) in lines.zip(log["lines"].as_array().into_iter().flatten()) {
        line["text"] = said(was["text"].as_str().unwrap_or_default(), dictionary).into();
    }
}

/// The words of the controller's own stay, whatever nodes are called.
fn said(text: &str, dictionary: &Dictionary) -> String {
    let piece = |piece| match piece {
        Piece::Words(words) => words.to_string(),
        Piece::Network(name) => dictionary.name_in("hcloud.networks", name),
        Piece::Rest(text) => dictionary.apply_to_names(text),
    };
    pieces(text).into_iter().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use kairos_doctor_checks::domain::hccm_log::{Word, words};
    use kairos_doctor_checks::facts::Facts;
    use kairos_doctor_checks::facts::controller_log::ControllerLog;
    use serde_json::json;

    use crate::redact::redact;

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
        let hidden = redact(open.clone());
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

        // a log that could not be read stays one
        let mut bundle = bundle;
        bundle["parts"].as_object_mut().unwrap().remove("controller.log");
        bundle["gaps"] =
            json!({"controller.log": {"need": "controller.log", "why": "forbidden", "detail": "no"}});
        let hidden = redact(Facts::from_bundle(&bundle).unwrap());
        assert_eq!(hidden.all::<ControllerLog>().unwrap_err().detail, "no");
    }
}
