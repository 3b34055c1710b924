//! What of a recorded cluster are pseudonyms.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Text;

/// What was replaced by pseudonyms, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Two reports of one cluster with the same mark give the same machine the same name.
    pub naming: Text,
    /// How many of each kind: `addresses`, `machines`, `domains`, `hetzner_names`, `identifiers`, `people`.
    pub counts: BTreeMap<Text, usize>,
}

/// The kinds in the order in which they are said, each for one and for several.
const KINDS: &[(&str, &str, &str)] = &[
    ("addresses", "IP address", "IP addresses"),
    ("machines", "node and server name", "node and server names"),
    ("domains", "domain name", "domain names"),
    ("hetzner_names", "other Hetzner name", "other Hetzner names"),
    ("identifiers", "identifier", "identifiers"),
    ("people", "context or user", "contexts and users"),
];

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = KINDS.iter().filter_map(|(key, one, several)| {
            let count = *self.counts.get(*key)?;
            Some(format!("{count} {}", if count == 1 { one } else { several }))
        });
        // of a later version
        let other = self.counts.iter().filter(|(key, _)| KINDS.iter().all(|(known, ..)| *key != known));
        let all: Vec<String> = known.chain(other.map(|(key, count)| format!("{count} {key}"))).collect();
        f.write_str(&if all.is_empty() { "nothing".to_string() } else { all.join(", ") })
    }
}
