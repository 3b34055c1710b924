//! What k3s was started with, as it writes it onto its Node: `k3s.io/node-args`, with config files merged in.
//!
//! Source: k3s-io/k3s `pkg/nodeconfig/nodeconfig.go`, `pkg/configfilearg/parser.go`.

use crate::facts::kubernetes::Node;

/// The arguments, a flag and its value as two items; empty when the annotation is not there.
fn args(node: &Node) -> Vec<String> {
    let json = node.metadata.annotation("k3s.io/node-args").unwrap_or_default();
    serde_json::from_str(json).unwrap_or_default()
}

pub fn has_args(node: &Node) -> bool {
    !args(node).is_empty()
}

/// Every value of a flag, in order; a flag without a value gives `true`.
pub fn arg_values(node: &Node, flag: &str) -> Vec<String> {
    let all = args(node);
    let mut values = Vec::new();
    for (i, arg) in all.iter().enumerate() {
        let Some(name) = arg.strip_prefix("--") else { continue };
        match name.split_once('=') {
            Some((name, value)) if name == flag => values.push(value.to_string()),
            None if name == flag => {
                let next = all.get(i + 1).filter(|next| !next.starts_with("--"));
                values.push(next.cloned().unwrap_or_else(|| "true".into()));
            }
            _ => {}
        }
    }
    values
}

/// The last value of a flag.
pub fn arg(node: &Node, flag: &str) -> Option<String> {
    arg_values(node, flag).pop()
}

/// The components that `--disable` names: lists are separated by commas, and the flag may be given again.
pub fn disabled_components(node: &Node) -> Vec<String> {
    let values = arg_values(node, "disable");
    let items = values.iter().flat_map(|value| value.split(',')).map(|item| item.trim().to_string());
    items.filter(|item| !item.is_empty()).collect()
}
