//! Which name becomes which, from the facts alone.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::mem::take;
use std::net::IpAddr;

use kairos_doctor_checks::ObjectRef;
use kairos_doctor_checks::facts::{Facts, Replaced};

use super::addresses::Addresses;
use super::identifiers::Identifiers;
use super::key::{Key, cluster_uid};
use super::seen::{HETZNER, Seen};
use super::text::{as_address, quoted, words};
use super::{people, words as everyday};

#[derive(Default)]
pub struct Dictionary {
    /// Names that are replaced wherever they stand as a word; in lower case where any case is meant.
    names: HashMap<String, String>,
    /// Names of nodes and servers, for where one knows that one stands.
    machines: HashMap<String, String>,
    /// Names of Hetzner's other objects, by part; and of contexts and users, by their kind.
    typed: HashMap<&'static str, HashMap<String, String>>,
    /// Typed names that are everyday words: replaced in a text only where they stand in quotes.
    plain: HashMap<String, String>,
    pub(super) identifiers: Identifiers,
    pub(super) addresses: Addresses,
    /// The longest of `names`, in bytes.
    longest: usize,
    replaced: Replaced,
}

impl Dictionary {
    pub fn of(facts: &Facts) -> Dictionary {
        let Seen { addresses, identifiers, machines, typed, kept, users, domains } = Seen::of(facts);
        let key = Key::of(facts);
        let mut d = Dictionary { addresses, ..Dictionary::default() };
        d.addresses.settle(&key);
        d.identifiers = Identifiers::of(identifiers, cluster_uid(facts));
        d.machines = numbered("node", &machines);
        d.typed_names(facts, &typed, &kept);
        d.users(&users);
        let of_domains = domains.pseudonyms(&|label| d.machines.get(label).cloned());
        d.names.extend(take(&mut d.identifiers.names));
        // In their order: two may differ in their case only.
        let machines_in_order: BTreeMap<&String, &String> = d.machines.iter().collect();
        for (name, other) in machines_in_order {
            if everyday::is_everyday(name) || of_domains.contains_key(name) {
                continue;
            }
            d.names.entry(name.to_ascii_lowercase()).or_insert_with(|| other.to_ascii_lowercase());
            d.names.insert(name.clone(), other.clone());
        }
        // a machine with a domain in its name lies in it
        for (name, other) in &mut d.machines {
            if let Some(lies) = of_domains.get(&name.to_ascii_lowercase()).filter(|_| name.contains('.')) {
                *other = lies.clone();
            }
        }
        for (name, other) in of_domains {
            d.names.entry(name).or_insert(other);
        }
        for (ip, other) in d.addresses.replaced() {
            if let (IpAddr::V4(ip), IpAddr::V4(other)) = (ip, other) {
                d.names.insert(ip.to_string().replace('.', "-"), other.to_string().replace('.', "-"));
            }
        }
        d.longest = d.names.keys().map(String::len).max().unwrap_or(0);
        let counts = [
            ("addresses", d.addresses.replaced().count()),
            ("machines", machines.len()),
            ("domains", domains.count()),
            ("hetzner_names", HETZNER.iter().map(|(part, ..)| d.typed[part].len()).sum()),
            ("identifiers", d.identifiers.count),
            ("people", d.typed["context"].len() + d.typed["user"].len()),
        ];
        let mut all: Vec<&[u8]> = vec![b"names"];
        all.extend(machines.iter().map(|name| name.as_bytes()));
        d.replaced = Replaced {
            naming: format!("{:04x}", key.number(&all) & 0xffff).into(),
            counts: counts.into_iter().filter(|(_, n)| *n > 0).map(|(kind, n)| (kind.into(), n)).collect(),
        };
        d
    }

    /// What was replaced, by kind.
    pub fn replaced(&self) -> Replaced {
        self.replaced.clone()
    }

    /// The pseudonym of a Hetzner ID; any other number is itself.
    pub fn id(&self, id: i64) -> i64 {
        self.identifiers.ids.get(&id).copied().unwrap_or(id)
    }

    /// The pseudonym of a name of that part, where one knows that it is one.
    pub fn name_in(&self, part: &str, name: &str) -> String {
        if part == "hcloud.servers" {
            return self.machine(name);
        }
        let known = self.typed.get(part).and_then(|names| names.get(name)).cloned();
        known.unwrap_or_else(|| self.apply(name))
    }

    /// The pseudonym of a node's or server's name, where one knows that it is one; `k1-0a1b2c3d` is an etcd member's.
    pub fn machine(&self, name: &str) -> String {
        if let Some(other) = self.machines.get(name) {
            return other.clone();
        }
        match name.rsplit_once('-').and_then(|(node, end)| Some((self.machines.get(node)?, end))) {
            Some((other, end)) if end.len() == 8 => format!("{other}-{end}"),
            _ => self.apply(name),
        }
    }

    /// The same object in a report on the redacted facts.
    pub fn object(&self, object: &ObjectRef) -> ObjectRef {
        let part = HETZNER.iter().find(|(.., kind)| object.namespace.is_none() && *kind == &*object.kind);
        let name = match (&*object.kind, part) {
            ("Node" | "Server" | "CiliumNode" | "CSINode", _) => self.machine(&object.name),
            // `k1 10.0.0.11:10250` and `k1 pod`
            ("Kubelet" | "LogProbe", _) => match object.name.split_once(' ') {
                Some((node, rest)) => format!("{} {}", self.machine(node), self.apply(rest)),
                None => self.machine(&object.name),
            },
            (_, Some((part, ..))) => self.name_in(part, &object.name),
            _ => self.apply(&object.name),
        };
        let mut other = object.clone();
        other.name = name.into();
        other.namespace = object.namespace.as_ref().map(|namespace| self.apply(namespace).into());
        other.id = object.id.map(|id| self.id(id));
        other
    }

    /// Load balancers, networks, firewalls and certificates by kind, and the contexts. A Service keeps its name, so a load
    /// balancer of the same name cannot lose it in a text.
    fn typed_names(
        &mut self,
        facts: &Facts,
        names: &BTreeMap<&'static str, BTreeSet<String>>,
        kept: &HashSet<String>,
    ) {
        let made_of_a_uid = |name: &str| {
            let named = |uid: &String| name.contains(uid.as_str());
            self.identifiers.names.contains_key(name) || self.identifiers.names.keys().any(named)
        };
        let mut typed: HashMap<&'static str, HashMap<String, String>> = HashMap::new();
        for (part, word, _) in HETZNER {
            let names = names.get(part).into_iter().flatten();
            let names = names.filter(|name| !self.machines.contains_key(*name) && !made_of_a_uid(name));
            typed.insert(part, numbered(word, &names.cloned().collect()));
        }
        let contexts = [(&facts.context, "cluster"), (&facts.hetzner_context, "project")];
        let contexts = contexts
            .into_iter()
            .filter_map(|(context, word)| Some((context.as_ref()?.to_string(), word.to_string())));
        typed.insert("context", contexts.collect());
        // In this order: a network and a firewall may have one name.
        let parts = HETZNER.iter().map(|(part, ..)| *part).chain(["context"]);
        for (name, other) in parts.flat_map(|part| &typed[part]) {
            if everyday::is_distinct(name) && !kept.contains(name) {
                self.names.entry(name.clone()).or_insert_with(|| other.clone());
            } else {
                self.plain.entry(name.clone()).or_insert_with(|| other.clone());
            }
        }
        self.typed = typed;
    }

    /// Users and groups that no program made.
    fn users(&mut self, users: &BTreeSet<String>) {
        let users = numbered("user", users);
        for (name, other) in &users {
            self.plain.entry(name.clone()).or_insert_with(|| other.clone());
        }
        self.typed.insert("user", users);
    }

    /// The same where whatever is a machine's name means the machine.
    pub fn apply_to_names(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for (at, word) in words(text) {
            let Some(other) = self.machines.get(word.trim_end_matches([':', '.'])) else { continue };
            out.push_str(&self.apply(&text[end..at]));
            out.push_str(other);
            end = at + word.trim_end_matches([':', '.']).len();
        }
        out + &self.apply(&text[end..])
    }

    /// The text with every name and address in it replaced.
    pub fn apply(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for (at, word) in words(text) {
            out.push_str(&text[end..at]);
            match self.plain.get(word).filter(|_| quoted(text, at, word.len())) {
                Some(other) => out.push_str(other),
                None => self.word(word, &mut out),
            }
            end = at + word.len();
        }
        out.push_str(&text[end..]);
        people::hidden(self.ids_in(out), &self.identifiers.authorities)
    }

    /// One run of letters, digits, dots, dashes, colons: at each boundary the longest part that is a name or an address.
    fn word(&self, word: &str, out: &mut String) {
        let mut rest = word;
        let mut before = None;
        while !rest.is_empty() {
            let length = match self.longest(rest, before) {
                Some((length, other)) => {
                    out.push_str(&other);
                    length
                }
                None => {
                    let boundary = rest.char_indices().find(|(_, c)| !c.is_alphanumeric());
                    let next = boundary.map_or(rest.len(), |(at, c)| at + c.len_utf8());
                    out.push_str(&rest[..next]);
                    next
                }
            };
            before = rest[..length].chars().next_back();
            rest = &rest[length..];
        }
    }

    fn longest(&self, word: &str, before: Option<char>) -> Option<(usize, String)> {
        if before.is_some_and(char::is_alphanumeric) {
            return None;
        }
        let cuts = word.char_indices().filter(|(_, c)| !c.is_alphanumeric()).map(|(at, _)| at);
        let mut ends: Vec<usize> = cuts.filter(|at| *at > 0).collect();
        ends.push(word.len());
        for end in ends.into_iter().rev() {
            let part = &word[..end];
            if let Some(ip) = as_address(part)
                && let Some(other) = self.addresses.of(ip.to_canonical())
            {
                let mapped = ip.is_ipv6() && other.is_ipv4();
                return Some((end, if mapped { format!("::ffff:{other}") } else { other.to_string() }));
            }
            if end > self.longest {
                continue;
            }
            let known = self.names.get(part).or_else(|| {
                let cased = part.bytes().any(|b| b.is_ascii_uppercase());
                cased.then(|| self.names.get(&part.to_ascii_lowercase())).flatten()
            });
            let inside = before == Some('-') || word[end..].starts_with('-');
            // A name is only taken out of a longer hyphenated word when it can be nothing else.
            if let Some(other) = known.filter(|_| !inside || everyday::is_distinct(part)) {
                return Some((end, other.clone()));
            }
        }
        None
    }

    /// `hcloud://4711881` and `(4711881)`: where a number is certainly an ID; a short number by itself is not.
    fn ids_in(&self, text: String) -> String {
        let ids = &self.identifiers.ids;
        if ids.is_empty() || !text.bytes().any(|b| b.is_ascii_digit()) {
            return text;
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
            let end = rest[start..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |n| start + n);
            let (before, digits) = (&rest[..start], &rest[start..end]);
            out.push_str(before);
            let joined = |c: char| c.is_alphanumeric() || c == '.' || (c == '-' && digits.len() < 7);
            let robot = out.ends_with("://bm-");
            let alone = (robot || !out.ends_with(joined)) && !rest[end..].starts_with(joined);
            let certain = digits.len() >= 6 || robot || out.ends_with("://") || text.len() == digits.len();
            let other = digits.parse().ok().and_then(|id| ids.get(&id)).filter(|_| alone && certain);
            out.push_str(&other.map_or_else(|| digits.to_string(), |id| id.to_string()));
            rest = &rest[end..];
        }
        out + rest
    }
}

/// Numbered in their order, so that the pseudonyms sort as the names did. Names that differ in their case only share a
/// number, and differ in their case.
fn numbered(word: &str, names: &BTreeSet<String>) -> HashMap<String, String> {
    let lower: BTreeSet<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    let digits = lower.len().to_string().len();
    let number: BTreeMap<String, usize> = lower.into_iter().zip(1..).collect();
    let mut taken = HashSet::new();
    let other = |name: &String| {
        let plain = format!("{word}-{:0digits$}", number[&name.to_ascii_lowercase()]);
        let lower = name.to_ascii_lowercase();
        let cased = if *name != lower && names.contains(&lower) { plain.to_ascii_uppercase() } else { plain };
        let mut other = cased.clone();
        for more in 2.. {
            if taken.insert(other.clone()) {
                break;
            }
            other = format!("{cased}-{more}");
        }
        (name.clone(), other)
    };
    names.iter().map(other).collect()
}
