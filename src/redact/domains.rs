//! Host names and domains: which of them are somebody's, and the pseudonym that keeps what lies within what.

use std::collections::{BTreeMap, BTreeSet};

use kairos_doctor_checks::facts::Kind;
use kairos_doctor_checks::facts::hetzner::Zone;
use serde_json::Value;

use super::text::{is_domain, words};
use super::words::is_everyday;

/// Domains of projects and services that every such cluster names: they tell nothing about its owner.
const EVERYBODYS: &[&str] = &[
    "amazonaws.com",
    "argoproj.io",
    "aws.com",
    "azure.com",
    "cattle.io",
    "ceph.com",
    "ceph.io",
    "cert-manager.io",
    "cilium.io",
    "cluster.local",
    "cncf.io",
    "containo.us",
    "coreos.com",
    "docker.com",
    "docker.io",
    "envoyproxy.io",
    "external-dns.io",
    "fluxcd.io",
    "gcr.io",
    "ghcr.io",
    "github.com",
    "github.io",
    "githubusercontent.com",
    "gitlab.com",
    "golang.org",
    "googleapis.com",
    "grafana.com",
    "haproxy.org",
    "helm.sh",
    "hetzner.cloud",
    "hetzner.com",
    "hetzner.de",
    "hetzner-cloud.de",
    "istio.io",
    "jetstack.io",
    "k3s.io",
    "k8s.io",
    "kairos.io",
    "kubernetes.io",
    "kyverno.io",
    "letsencrypt.org",
    "linkerd.io",
    "longhorn.io",
    "metallb.io",
    "microsoft.com",
    "monitoring.coreos.com",
    "nginx.org",
    "openebs.io",
    "pkg.dev",
    "prometheus.io",
    "quay.io",
    "rancher.com",
    "rancher.io",
    "suse.com",
    "traefik.io",
    "ubuntu.com",
    "velero.io",
    "x-k8s.io",
    "zerossl.com",
];

/// The last labels that a name in running text needs to be taken for a domain; two letters are a country.
const ENDS: &[&str] = &[
    "agency",
    "app",
    "arpa",
    "berlin",
    "biz",
    "blog",
    "cloud",
    "cologne",
    "com",
    "community",
    "company",
    "corp",
    "dev",
    "digital",
    "email",
    "example",
    "gmbh",
    "hamburg",
    "home",
    "host",
    "hosting",
    "intern",
    "internal",
    "intranet",
    "invalid",
    "koeln",
    "lan",
    "local",
    "localdomain",
    "media",
    "net",
    "network",
    "nrw",
    "online",
    "org",
    "plus",
    "private",
    "ruhr",
    "saarland",
    "services",
    "shop",
    "site",
    "software",
    "solutions",
    "space",
    "store",
    "studio",
    "swiss",
    "systems",
    "team",
    "tech",
    "technology",
    "test",
    "tirol",
    "tools",
    "website",
    "wien",
    "work",
    "world",
    "xyz",
    "zone",
];

/// Ends of two letters that are file names, or words, more often than countries.
const NO_COUNTRIES: &[&str] = &[
    "cc", "cn", "go", "id", "in", "is", "js", "md", "no", "pl", "ps", "py", "rb", "rs", "sh", "so", "to",
    "ts", "db",
];

/// Labels that say nothing about whose domain it is, and by which readers see what it is for.
const KEPT_LABELS: &[&str] = &["_acme-challenge", "www"];

/// Fields that hold host names and nothing else.
const HOST_FIELDS: &[&str] = &[
    "host",
    "hosts",
    "hostname",
    "hostnames",
    "dnsName",
    "dnsNames",
    "domain_names",
    "assigned",
    "delegated",
];

#[derive(Default)]
pub struct Domains {
    found: BTreeSet<String>,
}

impl Domains {
    /// Takes up every host name in one object of the part with that key.
    pub fn object(&mut self, key: &str, object: &Value) {
        self.look(object, key);
        if key == Zone::NEED.key {
            self.note(object["name"].as_str().unwrap_or_default());
        }
    }

    fn look(&mut self, value: &Value, key: &str) {
        match value {
            Value::String(text) => {
                let annotation =
                    ["hostname", "domain", "domains", "rdns"].iter().any(|end| key.ends_with(end));
                if annotation || HOST_FIELDS.contains(&key) {
                    text.split(',').for_each(|name| self.note(name));
                }
                self.scan(text);
            }
            Value::Array(items) => items.iter().for_each(|item| self.look(item, key)),
            Value::Object(fields) => fields.iter().for_each(|(key, item)| self.look(item, key)),
            _ => {}
        }
    }

    /// A name that stands where host names do.
    fn note(&mut self, name: &str) {
        let name = name.trim().trim_start_matches("*.").trim_matches('.').to_ascii_lowercase();
        if is_domain(&name) && !is_everybodys(&name) {
            self.found.insert(name);
        }
    }

    /// Names in running text that can hardly be anything else.
    pub fn scan(&mut self, text: &str) {
        if !text.contains('.') {
            return;
        }
        for (at, word) in words(text) {
            let mail = text[..at].ends_with('@');
            for name in word.split([':', '_']) {
                let name = name.trim_matches(['.', '-']);
                let Some((_, end)) = name.rsplit_once('.') else { continue };
                let country = end.len() == 2
                    && end.bytes().all(|b| b.is_ascii_lowercase())
                    && !NO_COUNTRIES.contains(&end);
                if mail || country || ENDS.contains(&&*end.to_ascii_lowercase()) {
                    self.note(name);
                }
            }
        }
    }

    /// Each name and its pseudonym: the last two labels become `domain-N.example`, each label before them `host-N`, a
    /// machine's name the machine's pseudonym. So a name stays within the zone it was in.
    pub fn pseudonyms(&self, machine: &dyn Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
        let bases: BTreeSet<&str> = self.found.iter().map(|name| base(name)).collect();
        let labels: BTreeSet<&str> = self.found.iter().flat_map(|name| before(name).split('.')).collect();
        let labels =
            labels.into_iter().filter(|l| !l.is_empty() && !KEPT_LABELS.contains(l) && machine(l).is_none());
        let width = |count: usize| count.to_string().len();
        let labels: Vec<&str> = labels.collect();
        let labels: BTreeMap<&str, String> = numbered(&labels, "host-", width(labels.len()));
        let bases: Vec<&str> = bases.into_iter().collect();
        let bases: BTreeMap<&str, String> = numbered(&bases, "domain-", width(bases.len()));
        let mut all = BTreeMap::new();
        for name in &self.found {
            let end = format!("{}.example", bases[base(name)]);
            all.insert(base(name).to_string(), end.clone());
            let mut here = base(name).to_string();
            let mut other = end;
            // every name on the way to it, so that a zone between is known too
            for label in before(name).rsplit('.').filter(|label| !label.is_empty()) {
                here = format!("{label}.{here}");
                let label =
                    machine(label).or_else(|| labels.get(label).cloned()).unwrap_or_else(|| label.into());
                other = format!("{label}.{other}");
                all.insert(here.clone(), other.clone());
            }
        }
        // `web-example-com`, as Secrets and namespaces are named after the domain they are for
        let dashed: Vec<(String, String)> =
            all.iter().map(|(name, other)| (name.replace('.', "-"), other.replace('.', "-"))).collect();
        all.extend(dashed);
        for (name, other) in bases {
            // and by the owner's part of it alone
            let owner = name.split('.').next().unwrap_or_default();
            if owner.len() >= 5 && !is_everyday(owner) {
                all.entry(owner.to_string()).or_insert(other);
            }
        }
        all
    }

    pub fn count(&self) -> usize {
        self.found.len()
    }
}

fn numbered<'a>(names: &[&'a str], word: &str, digits: usize) -> BTreeMap<&'a str, String> {
    names.iter().enumerate().map(|(n, name)| (*name, format!("{word}{:0digits$}", n + 1))).collect()
}

/// The last two labels.
fn base(name: &str) -> &str {
    let mut dots = name.rmatch_indices('.').skip(1);
    dots.next().map_or(name, |(at, _)| &name[at + 1..])
}

/// The labels before them, without the dot.
fn before(name: &str) -> &str {
    name[..name.len() - base(name).len()].trim_end_matches('.')
}

fn is_everybodys(name: &str) -> bool {
    EVERYBODYS
        .iter()
        .any(|known| name == *known || name.strip_suffix(known).is_some_and(|rest| rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(parts: &Value) -> Domains {
        let mut domains = Domains::default();
        for (key, objects) in parts.as_object().unwrap() {
            objects.as_array().unwrap().iter().for_each(|object| domains.object(key, object));
        }
        domains
    }

    #[test]
    fn a_name_stays_within_its_zone_and_a_host_keeps_its_machine() {
        let parts = json!({
            "hcloud.zones": [{"name": "sub.acme-corp.de"}],
            "services": [{"metadata": {"annotations": {"x/hostname": "www.shop.sub.acme-corp.de, K1.acme-corp.de"}}}],
            "events": [{"message": "lookup old.acme.internal: no such host; see reflector.go:12, config.yaml, a@mail.acme.io"}],
        });
        let machine = |label: &str| (label == "k1").then(|| "node-1".to_string());
        let all = of(&parts).pseudonyms(&machine);
        let of = |name: &str| all.get(name).map_or("", String::as_str);
        assert_eq!(of("acme-corp.de"), "domain-1.example");
        assert!(
            of("www.shop.sub.acme-corp.de").ends_with(&format!(".{}", of("sub.acme-corp.de"))),
            "{all:?}"
        );
        assert!(of("www.shop.sub.acme-corp.de").starts_with("www.host-"));
        assert_eq!(of("k1.acme-corp.de"), "node-1.domain-1.example");
        assert_eq!(of("sub-acme-corp-de"), of("sub.acme-corp.de").replace('.', "-"));
        assert_eq!(of("acme-corp"), "domain-1");
        assert!(all.contains_key("old.acme.internal") && all.contains_key("mail.acme.io"));
        assert!(!all.keys().any(|name| name.contains("reflector") || name.contains("config")), "{all:?}");
    }

    #[test]
    fn what_every_cluster_names_is_nobodys() {
        let parts = json!({"pods": [{"spec": {"image": "registry.k8s.io/pause:3.10"}}],
            "events": [{"message": "load-balancer.hetzner.cloud/location of traefik.kube-system.svc.cluster.local"}]});
        assert_eq!(of(&parts).count(), 0);
    }
}
