//! What k3s was started with, as it writes it onto its Node: `k3s.io/node-args`, with config files merged in.
//!
//! Source: k3s-io/k3s `pkg/nodeconfig/nodeconfig.go`, `pkg/configfilearg/parser.go`.

use crate::facts::kubernetes::{Node, is_placeholder};

/// The arguments, a flag and its value as two items; empty when the annotation is not there.
fn args(node: &Node) -> Vec<String> {
    let json = node.metadata.annotation("k3s.io/node-args").unwrap_or_default();
    serde_json::from_str(json).unwrap_or_default()
}

/// Its kubelet is k3s's, by its version: `v1.34.2+k3s1`. Other distributions never write arguments.
pub fn runs_on(node: &Node) -> bool {
    node.status.node_info.kubelet_version.contains("+k3s")
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

/// What `--disable` names: every value of it, and of those every part between commas (k3s `pkg/cli/server/server.go`).
pub fn disabled(node: &Node) -> Vec<String> {
    let values = arg_values(node, "disable");
    let parts = values.iter().flat_map(|value| value.split(',')).map(str::trim);
    parts.filter(|part| !part.is_empty()).map(str::to_string).collect()
}

/// A flag that is on or off: `--flag` and `--flag=true` are on.
pub fn is_on(node: &Node, flag: &str) -> bool {
    arg(node, flag).is_some_and(|value| value != "false")
}

/// Arguments whose value is a template's placeholder that nobody filled in: the flag and the value.
pub fn placeholders(node: &Node) -> Vec<(String, String)> {
    let all = args(node);
    let mut found = Vec::new();
    for (i, arg) in all.iter().enumerate() {
        let (flag, value) = match arg.split_once('=') {
            Some((flag, value)) => (flag, value),
            None => (i.checked_sub(1).map_or("", |before| &*all[before]), &**arg),
        };
        if is_placeholder(value) {
            found.push((flag.to_string(), value.to_string()));
        }
    }
    found
}
