//! What there is to replace in a cluster, gathered object by object.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;
use kairos_doctor_checks::facts::{Facts, NEEDS};
use serde_json::{Value, json};

use super::addresses::Addresses;
use super::domains::Domains;
use super::text::{address_prefixes, strings, word_after, words};
use super::{controller_log, identifiers, people};

/// Hetzner's kinds whose names are pseudonyms, and the word for each.
pub(super) const HETZNER: &[(&str, &str, &str)] = &[
    ("hcloud.load_balancers", "load-balancer", "LoadBalancer"),
    ("hcloud.networks", "network", "Network"),
    ("hcloud.firewalls", "firewall", "Firewall"),
    ("hcloud.certificates", "certificate", "Certificate"),
];

#[derive(Default)]
pub(super) struct Seen {
    pub addresses: Addresses,
    pub identifiers: identifiers::Found,
    /// Names of nodes and servers together, so that what is equal stays equal.
    pub machines: BTreeSet<String>,
    /// Names of each kind of [`HETZNER`].
    pub typed: BTreeMap<&'static str, BTreeSet<String>>,
    /// Those names, and those of the contexts, that something in Kubernetes has too.
    pub kept: HashSet<String>,
    /// Users and groups that no program made.
    pub users: BTreeSet<String>,
    pub domains: Domains,
}

impl Seen {
    pub fn of(facts: &Facts) -> Seen {
        let mut seen = Seen::default();
        let contexts = [&facts.context, &facts.hetzner_context].into_iter().flatten();
        let mut wanted: HashSet<String> = contexts.map(|context| context.to_string()).collect();
        wanted.iter().for_each(|context| seen.text(context));
        for need in NEEDS {
            match facts.part(need) {
                Some(Ok(part)) => {
                    let Some((key, ..)) = HETZNER.iter().find(|(key, ..)| *key == need.key) else { continue };
                    let names = need.objects(part).filter_map(|object| text(&object["name"]));
                    let names: BTreeSet<String> = names.collect();
                    wanted.extend(names.iter().cloned());
                    seen.typed.insert(key, names);
                }
                Some(Err(gap)) => seen.gap(&json!(gap)),
                None => {}
            }
        }
        for need in NEEDS {
            let Some(Ok(part)) = facts.part(need) else { continue };
            for object in need.objects(part) {
                seen.object(need.key, &object, &wanted);
            }
        }
        seen.machines.retain(|name| !name.is_empty() && name.parse::<IpAddr>().is_err());
        seen
    }

    fn gap(&mut self, gap: &Value) {
        strings(gap, &mut |text| {
            self.text(text);
            self.domains.scan(text);
            self.users.extend(people::users_in(text));
        });
    }

    fn object(&mut self, key: &str, object: &Value, wanted: &HashSet<String>) {
        strings(object, &mut |text| self.text(text));
        self.identifiers.object(key, object);
        self.domains.object(key, object);
        self.machines_of(key, object);
        self.people(key, object);
        if !key.starts_with("hcloud.") && key != "nodes" {
            let metadata = &object["metadata"];
            let names = [&metadata["name"], &metadata["namespace"]].into_iter().filter_map(Value::as_str);
            self.kept.extend(names.filter(|name| wanted.contains(*name)).map(str::to_string));
        }
    }

    /// What stands in any text.
    fn text(&mut self, text: &str) {
        self.identifiers.text(text);
        for (_, word) in words(text) {
            for (length, ip) in address_prefixes(word) {
                let ip = ip.to_canonical();
                let net = word_after(text, word, length).and_then(|len| IpNet::new(ip, len).ok());
                // An address with the size of its network, `10.0.0.5/24`, and that network.
                let net = net.unwrap_or_else(|| IpNet::from(ip));
                self.addresses.note(net.trunc());
                if net.trunc() != net {
                    self.addresses.note(IpNet::from(ip));
                }
            }
        }
    }

    fn machines_of(&mut self, key: &str, object: &Value) {
        match key {
            "nodes" => {
                self.machines.extend(text(&object["metadata"]["name"]));
                for address in object["status"]["addresses"].as_array().into_iter().flatten() {
                    let name = text(&address["address"]).filter(|_| address["type"] == "Hostname");
                    self.machines.extend(name);
                }
            }
            "ciliumnodes" => self.machines.extend(text(&object["metadata"]["name"])),
            "hcloud.servers" => self.machines.extend(text(&object["name"])),
            "kubelets" => self.machines.extend(text(&object["node"])),
            "pods" => self.machines.extend(text(&object["spec"]["nodeName"])),
            "controller.log" => self.machines.extend(controller_log::nodes(object)),
            // A name without a domain that only the kubeconfig's machine knows.
            "api_server" => {
                let host = text(&object["host"]);
                self.machines.extend(host.filter(|host| !host.contains(['.', ':']) && host != "localhost"));
            }
            _ => {}
        }
    }

    fn people(&mut self, key: &str, object: &Value) {
        match key {
            "events" => strings(object, &mut |text| self.users.extend(people::users_in(text))),
            "clusterrolebindings" | "rolebindings" => {
                let subjects = object["subjects"].as_array().into_iter().flatten();
                let people = subjects.filter(|subject| people::is_person(subject));
                self.users.extend(people.filter_map(|subject| text(&subject["name"])));
            }
            _ => {}
        }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_string)
}
