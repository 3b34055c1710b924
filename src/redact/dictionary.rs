//! Which name becomes which, from the facts alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ipnet::IpNet;
use serde_json::Value;

use super::addresses::Addresses;
use super::controller_log;
use super::text::{address_prefixes, as_address, home, is_domain, word_after, words};

/// What was replaced, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub addresses: usize,
    pub machines: usize,
    pub domains: usize,
    pub names: usize,
    pub identifiers: usize,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = [
            (self.addresses, "IP address", "es"),
            (self.machines, "node and server name", "s"),
            (self.domains, "domain name", "s"),
            (self.names, "other Hetzner name", "s"),
            (self.identifiers, "identifier", "s"),
        ];
        let said: Vec<String> = kinds
            .iter()
            .filter(|(n, ..)| *n > 0)
            .map(|(n, one, plural)| format!("{n} {one}{}", if *n == 1 { "" } else { plural }))
            .collect();
        f.write_str(if said.is_empty() { "nothing" } else { "" })?;
        f.write_str(&said.join(", "))
    }
}

#[derive(Default)]
pub struct Dictionary {
    names: HashMap<String, String>,
    /// Names of load balancers, networks and firewalls, by part: replaced only where such a name stands, since they are
    /// often everyday words or the name of a Service.
    typed: HashMap<&'static str, HashMap<String, String>>,
    ids: BTreeMap<i64, i64>,
    addresses: Addresses,
    tally: Tally,
}

impl Dictionary {
    pub fn of(bundle: &Value) -> Dictionary {
        let mut dictionary = Dictionary::default();
        let parts = &bundle["parts"];
        dictionary.identifiers(parts);
        dictionary.named(parts);
        dictionary.domains(parts);
        dictionary.note_addresses(bundle);
        dictionary.addresses.settle();
        dictionary.tally.addresses = dictionary.addresses.count();
        dictionary
    }

    pub fn tally(&self) -> Tally {
        self.tally.clone()
    }

    /// The pseudonym of a Hetzner ID; any other number is itself.
    pub fn id(&self, id: i64) -> i64 {
        self.ids.get(&id).copied().unwrap_or(id)
    }

    /// The pseudonym of a name of that part, where one knows that it is one.
    pub fn name_in(&self, part: &str, name: &str) -> String {
        let known = self.typed.get(part).and_then(|names| names.get(name)).cloned();
        known.unwrap_or_else(|| self.apply(name))
    }

    /// UIDs of Kubernetes objects and IDs of Hetzner's, with the load balancer names that HCCM makes of them.
    fn identifiers(&mut self, parts: &Value) {
        let mut uids = BTreeSet::new();
        let mut ids: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
        for (key, items) in parts.as_object().into_iter().flatten() {
            for item in items.as_array().into_iter().flatten() {
                uids.extend(item["metadata"]["uid"].as_str());
                let owners = item["metadata"]["ownerReferences"].as_array();
                uids.extend(owners.into_iter().flatten().filter_map(|o| o["uid"].as_str()));
                if key.starts_with("hcloud.") {
                    uids.extend(item["labels"]["hcloud-ccm/service-uid"].as_str());
                    ids.entry(key).or_default().extend(item["id"].as_i64());
                }
            }
        }
        let name = |uid: &str| format!("a{}", uid.replace('-', "")).chars().take(32).collect::<String>();
        for (n, uid) in uids.into_iter().filter(|uid| uid.len() >= 8).enumerate() {
            let other = format!("{:08x}-0000-4000-8000-000000000000", n + 1);
            self.names.insert(name(uid), name(&other));
            self.names.insert(uid.to_string(), other);
            self.tally.identifiers += 1;
        }
        // Each kind counts from a number of its own, so that what else was read does not matter.
        for (kind, ids) in ids {
            let base = match kind {
                "hcloud.servers" => 1_000_000,
                "hcloud.load_balancers" => 2_000_000,
                "hcloud.networks" => 3_000_000,
                "hcloud.firewalls" => 4_000_000,
                _ => 5_000_000,
            };
            self.tally.identifiers += ids.len();
            self.ids.extend(ids.into_iter().zip(base + 1..));
        }
    }

    /// Nodes and servers together, so that what is equal stays equal; load balancers, networks and firewalls by kind.
    fn named(&mut self, parts: &Value) {
        let names = |part: &str, path: &[&str]| -> BTreeSet<String> {
            let items = parts[part].as_array().into_iter().flatten();
            items
                .filter_map(|item| path.iter().fold(item, |v, key| &v[key]).as_str())
                .map(str::to_string)
                .collect()
        };
        let mut machines = names("nodes", &["metadata", "name"]);
        machines.extend(names("hcloud.servers", &["name"]));
        machines.extend(names("kubelets", &["node"]));
        machines.extend(controller_log::nodes(parts));
        self.tally.machines = self.enlist("node", machines);
        for (part, word) in [
            ("hcloud.load_balancers", "load-balancer"),
            ("hcloud.networks", "network"),
            ("hcloud.firewalls", "firewall"),
        ] {
            let names: BTreeSet<String> =
                names(part, &["name"]).into_iter().filter(|name| !self.names.contains_key(name)).collect();
            self.tally.names += names.len();
            self.typed.insert(part, numbered(word, names));
        }
    }

    fn enlist(&mut self, word: &str, names: BTreeSet<String>) -> usize {
        let count = names.len();
        for (name, other) in numbered(word, names) {
            self.names.entry(name).or_insert(other);
        }
        count
    }

    /// Host names: the registered part becomes `domain-N.example`, what stands before it `host-N`.
    fn domains(&mut self, parts: &Value) {
        let mut found: BTreeSet<String> = BTreeSet::new();
        let mut note = |text: &str| {
            for name in text.split(',').map(|n| n.trim().trim_start_matches("*.").trim_end_matches('.')) {
                if is_domain(name) {
                    found.insert(name.to_ascii_lowercase());
                }
            }
        };
        for (key, items) in parts.as_object().into_iter().flatten() {
            for item in items.as_array().into_iter().flatten() {
                match key.as_str() {
                    "api_server" => item["host"].as_str().into_iter().for_each(&mut note),
                    "kubelets" => strings(&item["certificate"]["dnsNames"]).for_each(&mut note),
                    "services" => {
                        let annotations = item["metadata"]["annotations"].as_object();
                        for (name, value) in annotations.into_iter().flatten() {
                            if ["hostname", "domain", "domains", "rdns"].iter().any(|end| name.ends_with(end))
                            {
                                value.as_str().into_iter().for_each(&mut note);
                            }
                        }
                        let ingress = item["status"]["loadBalancer"]["ingress"].as_array();
                        ingress
                            .into_iter()
                            .flatten()
                            .filter_map(|i| i["hostname"].as_str())
                            .for_each(&mut note);
                    }
                    _ => {}
                }
            }
        }
        let base = |name: &str| {
            let labels: Vec<&str> = name.split('.').collect();
            labels[labels.len().saturating_sub(2)..].join(".")
        };
        let bases: BTreeSet<String> = found.iter().map(|name| base(name)).collect();
        let hosts: BTreeSet<&str> =
            found.iter().filter_map(|n| n.strip_suffix(&format!(".{}", base(n)))).collect();
        for name in &found {
            let n = bases.iter().position(|b| *b == base(name)).unwrap_or(0) + 1;
            let host = name.strip_suffix(&format!(".{}", base(name)));
            let host =
                host.and_then(|h| hosts.iter().position(|o| *o == h)).map(|h| format!("host-{}.", h + 1));
            let pseudonym = format!("{}domain-{n}.example", host.unwrap_or_default());
            self.names.entry(name.clone()).or_insert(pseudonym);
        }
        for (n, name) in bases.iter().enumerate() {
            self.names.entry(name.clone()).or_insert_with(|| format!("domain-{}.example", n + 1));
        }
        self.tally.domains = found.len();
    }

    fn note_addresses(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                for (_, word) in words(text) {
                    for (length, ip) in address_prefixes(word) {
                        let prefix = word_after(text, word, length);
                        let net = prefix.and_then(|len| IpNet::new(ip, len).ok());
                        self.addresses.note(net.unwrap_or_else(|| IpNet::from(ip)));
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.note_addresses(item)),
            Value::Object(fields) => fields.values().for_each(|item| self.note_addresses(item)),
            _ => {}
        }
    }

    /// The text with every name and address in it replaced.
    pub fn apply(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for (at, word) in words(text) {
            out.push_str(&text[end..at]);
            self.word(word, &mut out);
            end = at + word.len();
        }
        out.push_str(&text[end..]);
        home(self.ids_in(out))
    }

    /// One run of letters, digits, dots, dashes, colons: the longest part from its start that is a name or an address.
    fn word(&self, word: &str, out: &mut String) {
        let mut rest = word;
        while !rest.is_empty() {
            let Some((length, other)) = self.longest(rest) else {
                // not known: past the next boundary
                let next = rest.find(['.', ':', '_']).map_or(rest.len(), |n| n + 1);
                out.push_str(&rest[..next]);
                rest = &rest[next..];
                continue;
            };
            out.push_str(&other);
            rest = &rest[length..];
        }
    }

    fn longest(&self, word: &str) -> Option<(usize, String)> {
        let cuts = word.char_indices().filter(|(_, c)| !c.is_alphanumeric()).map(|(at, _)| at);
        let mut ends: Vec<usize> = cuts.filter(|at| *at > 0).collect();
        ends.push(word.len());
        for end in ends.into_iter().rev() {
            let part = &word[..end];
            if let Some(ip) = as_address(part)
                && let Some(other) = self.addresses.of(ip)
            {
                return Some((end, other.to_string()));
            }
            let known = self.names.get(part).or_else(|| self.names.get(&part.to_ascii_lowercase()));
            // A name is only taken out of a longer hyphenated word when it cannot be an everyday word.
            let whole = end == word.len()
                || !word[end..].starts_with('-')
                || part.chars().any(|c| c.is_ascii_digit());
            if let Some(other) = known
                && whole
            {
                return Some((end, other.clone()));
            }
        }
        None
    }

    /// `hcloud://4711881` and `(4711881)`: where a number is certainly an ID; a short number by itself is not.
    fn ids_in(&self, text: String) -> String {
        if self.ids.is_empty() || !text.bytes().any(|b| b.is_ascii_digit()) {
            return text;
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
            let end = rest[start..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |n| start + n);
            let (before, digits) = (&rest[..start], &rest[start..end]);
            let alone = !before.ends_with(|c: char| c.is_alphanumeric() || c == '.' || c == '-')
                && !rest[end..].starts_with(|c: char| c.is_alphanumeric() || c == '.' || c == '-');
            let certain = digits.len() >= 6 || before.ends_with("hcloud://") || text.len() == digits.len();
            let other = digits.parse().ok().and_then(|id| self.ids.get(&id)).filter(|_| alone && certain);
            out.push_str(before);
            out.push_str(&other.map_or_else(|| digits.to_string(), |id| id.to_string()));
            rest = &rest[end..];
        }
        out + rest
    }
}

/// Numbered in their order, so that the pseudonyms sort as the names did.
fn numbered(word: &str, names: BTreeSet<String>) -> HashMap<String, String> {
    let digits = names.len().to_string().len();
    let other = |(n, name)| (name, format!("{word}-{:0digits$}", n + 1));
    names.into_iter().enumerate().map(other).collect()
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn dictionary() -> Dictionary {
        Dictionary::of(&json!({"parts": {
            "nodes": [{"metadata": {"name": "k1", "uid": "0b2f6c1e-1111-2222-3333-444455556666"}, "status": {"addresses": [{"address": "88.198.4.7"}]}},
                      {"metadata": {"name": "worker", "uid": "1b2f6c1e-1111-2222-3333-444455556666"}}],
            "hcloud.servers": [{"id": 4711881, "name": "k1"}],
            "api_server": [{"host": "api.shop.example.org"}],
        }}))
    }

    #[test]
    fn a_name_is_the_same_wherever_it_stands() {
        let d = dictionary();
        assert_eq!(d.apply("k1"), "node-1");
        assert_eq!(d.apply("k1-1a2b3c4d"), "node-1-1a2b3c4d");
        assert_eq!(d.apply("hcloud://4711881"), "hcloud://1000001");
        assert_eq!(d.apply("https://api.shop.example.org:6443"), "https://host-1.domain-1.example:6443");
        assert_eq!(
            d.apply("a0b2f6c1e111122223333444455556666"[..32].to_string().as_str()),
            "a0000000100004000800000000000000"
        );
    }

    #[test]
    fn an_everyday_word_that_is_a_node_name_is_left_inside_other_words() {
        assert_eq!(dictionary().apply("worker-pool of worker"), "worker-pool of node-2");
    }

    #[test]
    fn an_address_with_a_port_or_a_prefix_is_replaced_and_the_rest_kept() {
        let d = dictionary();
        let other = d.apply("88.198.4.7");
        assert_ne!(other, "88.198.4.7");
        assert_eq!(d.apply("Get \"https://88.198.4.7:10250/x\""), format!("Get \"https://{other}:10250/x\""));
        assert_eq!(d.apply("v1.34.2+k3s1 at /home/alice/.kube"), "v1.34.2+k3s1 at ~/.kube");
    }
}
