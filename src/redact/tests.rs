use std::collections::BTreeSet;

use kairos_doctor_checks::engine::{self, Report};
use kairos_doctor_checks::facts::{FORMAT, Facts};
use kairos_doctor_checks::{ALL, ObjectRef};
use serde_json::{Value, json};

use super::{Dictionary, redact, redact_by};
use crate::demo;
use crate::fixture::Fixture;
use crate::report::{self, View, samples};

fn dictionary() -> Dictionary {
    Dictionary::of(&facts(
        &json!({"format": FORMAT, "now": "2026-11-23T09:00:00Z", "context": "acme-prod", "hcloud_context": "billing", "parts": {
            "namespaces": [{"metadata": {"name": "kube-system", "uid": "5a1b8c1e-0000-4000-8000-000000000001"}}],
            "nodes": [
                {"metadata": {"name": "k1", "uid": "0b2f6c1e-1111-2222-3333-444455556666"}, "status": {"addresses": [
                    {"address": "88.198.4.7"}, {"address": "2a01:4f8:c0c:1::1"}]}},
                {"metadata": {"name": "worker"}}, {"metadata": {"name": "bertha"}}, {"metadata": {"name": "k1.acme.de"}}],
            "hcloud.servers": [{"id": 4711881, "name": "k1"}, {"id": 4711882, "name": "K1"}],
            "hcloud.networks": [{"id": 815001, "name": "acme-net"}, {"id": 815002, "name": "private"}],
            "api_server": [{"host": "api.shop.example.org"}],
            "kubelets": [{"certificate": {"issuer": "CN=k3s-server-ca@1699999999", "fingerprint": "ab".repeat(32)}}],
        }}),
    ))
}

fn facts(bundle: &Value) -> Facts {
    Facts::from_bundle(bundle).unwrap()
}

#[test]
fn a_name_is_the_same_wherever_it_stands() {
    let d = dictionary();
    for (text, other) in [
        ("k1", "node-2"),
        ("K1", "NODE-2"),
        ("etcd-k1, k1-1a2b3c4d and kube-proxy-k1-x", "etcd-node-2, node-2-1a2b3c4d and kube-proxy-node-2-x"),
        ("debug-bertha-7", "debug-node-1-7"),
        ("hcloud://4711881", "hcloud://1000001"),
        ("https://api.shop.example.org:6443", "https://host-1.host-2.domain-2.example:6443"),
        ("k1.acme.de", "node-2.domain-1.example"),
        ("secret acme-de-tls", "secret domain-1-example-tls"),
        ("a0b2f6c1e111122223333444455556666"[..32].into(), "a0000000100004000800000000000000"),
        (
            "network acme-net is `private`, as private as can be",
            "network network-1 is `network-2`, as private as can be",
        ),
        ("context `billing`, context acme-prod", "context `project`, context cluster"),
        ("k3s-server-ca@1699999999", "k3s-server-ca@1000000001"),
        ("v1.34.2+k3s1 at /home/alice/.kube", "v1.34.2+k3s1 at ~/.kube"),
    ] {
        assert_eq!(d.apply(text), other, "{text}");
    }
    assert!(!d.apply(&"ab".repeat(32)).contains("abab"));
}

#[test]
fn an_everyday_word_that_is_a_node_name_is_left_inside_other_words() {
    assert_eq!(dictionary().apply("worker-pool of worker"), "worker-pool of worker");
    assert_eq!(dictionary().machine("worker"), "node-4");
    assert_eq!(dictionary().machine("worker-1a2b3c4d"), "node-4-1a2b3c4d");
}

#[test]
fn an_address_is_replaced_in_any_spelling_and_what_belongs_to_it_is_kept() {
    let d = dictionary();
    let (four, six) = (d.apply("88.198.4.7"), d.apply("2a01:4f8:c0c:1::1"));
    assert!(four != "88.198.4.7" && !six.starts_with("2a01"), "{four} {six}");
    for (text, other) in [
        ("Get \"https://88.198.4.7:10250/x\".", format!("Get \"https://{four}:10250/x\".")),
        ("from 88.198.4.7.", format!("from {four}.")),
        ("::ffff:88.198.4.7", format!("::ffff:{four}")),
        ("static-88-198-4-7", format!("static-{}", four.replace('.', "-"))),
        ("[2A01:04F8:0C0C:0001::1]:6443", format!("[{six}]:6443")),
        ("2a01:4f8:c0c:1:0:0:0:1%eth0", format!("{six}%eth0")),
    ] {
        assert_eq!(d.apply(text), other, "{text}");
    }
}

#[test]
fn what_is_under_pseudonyms_stays_as_it_is() {
    let facts = demo::dressed(&demo::named(None).unwrap());
    let once = redact(facts);
    assert_eq!(redact(once.clone()).to_bundle(), once.to_bundle());
    let read = Facts::from_bundle(&once.to_bundle()).unwrap();
    assert_eq!(read.replaced, once.replaced);
    assert_eq!(redact(read).to_bundle(), once.to_bundle());
}

#[test]
fn two_reports_of_a_cluster_agree_and_say_whether_names_do() {
    let fixture = demo::named(None).unwrap();
    let bundle = demo::dressed(&fixture).to_bundle();
    let mut later = bundle.clone();
    later["now"] = "2026-11-24T08:00:00Z".into();
    later["parts"]["events"] = json!([]);
    let (one, two) = (Dictionary::of(&facts(&bundle)), Dictionary::of(&facts(&later)));
    assert_eq!(one.replaced().naming, two.replaced().naming);
    let servers = later["parts"]["hcloud.servers"].as_array_mut().unwrap();
    let mut new = servers[0].clone();
    (new["name"], new["id"]) = ("a0".into(), 1.into());
    servers.push(new);
    let three = Dictionary::of(&facts(&later));
    for ip in ["203.0.113.201", "10.0.0.11"] {
        assert_eq!(one.apply(ip), two.apply(ip));
        assert_eq!(one.apply(ip), three.apply(ip));
    }
    assert_ne!(one.replaced().naming, three.replaced().naming, "every name moves by one");
    let uid = |d: &Dictionary, bundle: &Value| {
        redact_by(facts(bundle), d).to_bundle()["parts"]["namespaces"]
            .as_array()
            .unwrap()
            .iter()
            .find(|n| n["metadata"]["name"] == "kube-system")
            .unwrap()["metadata"]["uid"]
            .clone()
    };
    assert_eq!(uid(&one, &bundle), uid(&three, &later));
}

/// The same codes on the same subjects in the same order, for every cluster that is built in.
#[test]
fn a_redacted_bundle_gives_the_same_findings() {
    let mut wrong = Vec::new();
    for fixture in Fixture::all() {
        let name = fixture.name();
        let bundle = demo::dressed(&fixture).to_bundle();
        let dictionary = Dictionary::of(&facts(&bundle));
        let hidden = redact_by(facts(&bundle), &dictionary);
        let read = Facts::from_bundle(&hidden.to_bundle()).unwrap();
        let open = engine::run(&Facts::from_bundle(&bundle).unwrap(), ALL);
        let hidden = engine::run(&read, ALL);
        let (was, is) = (outline(&open, &|o| dictionary.object(o)), outline(&hidden, &ObjectRef::clone));
        if was != is {
            let lines = was.lines().zip(is.lines()).find(|(a, b)| a != b);
            wrong.push(format!(
                "{name}: {}\n{lines:?}",
                if was.lines().count() == is.lines().count() { "" } else { "another number" }
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// A node may be called like a word of the systems around it: nothing but its name changes by that.
#[test]
fn a_node_called_by_an_everyday_word_gives_the_same_findings() {
    let mut wrong = Vec::new();
    let clusters = [
        "incidents/field-report",
        "incidents/other-project",
        "incidents/placeholders",
        "incidents/second-boot",
    ];
    for cluster in clusters {
        let text = demo::dressed(&Fixture::named(cluster).unwrap()).to_bundle().to_string();
        for name in [
            "web",
            "k3s",
            "server",
            "traefik",
            "cilium",
            "hcloud",
            "node",
            "v1",
            "tcp",
            "ready",
            "k1.acme-corp.de",
        ] {
            let bundle: Value = serde_json::from_str(&called(&text, "k1", name)).unwrap();
            let dictionary = Dictionary::of(&facts(&bundle));
            let hidden = redact_by(facts(&bundle), &dictionary);
            let open = engine::run(&Facts::from_bundle(&bundle).unwrap(), ALL);
            let hidden = engine::run(&hidden, ALL);
            let (was, is) = (outline(&open, &|o| dictionary.object(o)), outline(&hidden, &ObjectRef::clone));
            if was != is {
                wrong.push(format!(
                    "{cluster} {name}: {:?}",
                    was.lines().zip(is.lines()).find(|(a, b)| a != b)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The text with another name in the place of each whole word.
fn called(text: &str, name: &str, other: &str) -> String {
    let edge = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric());
    let mut out = String::new();
    let mut end = 0;
    for (at, _) in text.match_indices(name) {
        if edge(text[..at].chars().next_back()) && edge(text[at + name.len()..].chars().next()) {
            out += &text[end..at];
            out += other;
            end = at + name.len();
        }
    }
    out + &text[end..]
}

fn outline(report: &Report, object: &dyn Fn(&ObjectRef) -> ObjectRef) -> String {
    let mut out = String::new();
    for f in &report.findings {
        let mut related: Vec<String> =
            f.finding.places().skip(1).map(|o| format!("{:?}", object(o))).collect();
        related.sort();
        let subject = object(&f.finding.subject);
        out += &format!(
            "{} {} {:?} {:?} {:?} {subject:?} {related:?} evidence {}\n",
            f.check.code,
            f.depth,
            f.severity,
            f.finding.confidence,
            f.effective,
            f.finding.evidence.len()
        );
    }
    for c in &report.checks {
        out += &format!("{} {:?} {}\n", c.check.code, c.status, c.examined);
    }
    for g in &report.gaps {
        out += &format!("{} {:?} {:?}\n", g.gap.need, g.gap.why, g.hides);
    }
    out
}

/// Every form of what is published of these facts, by name.
fn published(facts: &Facts) -> Vec<(&'static str, String)> {
    let facts = redact(facts.clone());
    let report = engine::run(&facts, ALL);
    let view = View { verbose: true, replaced: facts.replaced.clone(), ..samples::view(&report, 100) };
    vec![
        ("recording", facts.to_bundle().to_string()),
        ("json", report::json::render(&report, &view)),
        ("markdown", report::markdown::render(&report, &view)),
        ("terminal", report::terminal::render(&report, &view)),
        ("html", report::html::render(&report, &view)),
        ("prometheus", report::prometheus::render(&report, &view)),
    ]
}

/// A redacted report and recording hold none of the names, addresses and domains: all are searched for.
#[test]
fn nothing_that_is_published_holds_an_original() {
    let mut wrong = Vec::new();
    let mut searched = 0;
    let folders = ["incidents/", "healthy/", "blind/"];
    for fixture in
        Fixture::all().into_iter().filter(|f| folders.iter().any(|folder| f.name().starts_with(folder)))
    {
        let facts = demo::dressed(&fixture);
        let names = originals(&facts.to_bundle());
        searched += names.len();
        for (form, text) in published(&facts) {
            if let Some((name, around)) = leaked(&text, &names) {
                wrong.push(format!("{} {form}: {name} in …{around}…", fixture.name()));
            }
        }
    }
    assert!(searched > 1000, "{searched}");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Names where nobody expects them: in the texts that controllers write, in other names, in any spelling.
#[test]
fn names_in_odd_places_are_found() {
    let mut bundle = demo::dressed(&demo::named(None).unwrap()).to_bundle();
    let plant = |value: &mut Value, text: &str| *value = text.into();
    let parts = &mut bundle["parts"];
    plant(
        &mut parts["nodes"][0]["metadata"]["labels"]["kubernetes.io/hostname"],
        "K1.Corp-Intern.Acme-Group.de",
    );
    parts["nodes"][0]["status"]["conditions"][0]["message"] =
        "kubelet on k1 (10.0.0.11, 203.0.113.201, 2A01:04F8:0C0C:BEEF::0001, fe80::9400:ff:fe12:3456%eth0) posts; lookup \
         ntp.acme-group.de on 192.168.178.1:53; owner jane.doe@acme-group.de; disk /home/janedoe/k3s; via \
         static.7.4.198.88.clients.your-server.de and 88-198-4-7.sslip.io"
            .into();
    parts["events"][0]["message"] = "Get \"https://janedoe:hunter2@registry.acme-group.de/v2/\": x509: certificate is valid for \
         k2.acme-group.de, KIND-K3, 88.198.4.7, not registry.acme-group.de; User \"jane.doe\" cannot list; pod etcd-k2-x of hcloud://4711882"
        .into();
    parts["services"][0]["metadata"]["annotations"]["load-balancer.hetzner.cloud/hostname"] =
        "shop.acme-group.de".into();
    parts["pods"][0]["spec"]["containers"][0]["image"] = "registry.acme-group.de/mirror/pause:3.10".into();
    parts["namespaces"][0]["metadata"]["name"] = "tenant-acme-group-de".into();
    bundle["gaps"] = json!({"kubelets": {"need": "kubelets", "item": "k2 10.0.0.12:10250", "why": "unreachable",
        "detail": "dial tcp 10.0.0.12:10250 with context `demo`; /home/janedoe/.kube/config"}});
    parts_without(&mut bundle, "kubelets");
    let facts = Facts::from_bundle(&bundle).unwrap();
    let words = [
        "acme-group",
        "corp-intern",
        "janedoe",
        "jane.doe",
        "hunter2",
        "sslip",
        "your-server",
        "88.198.4.7",
        "7.4.198.88",
        "88-198-4-7",
        "192.168.178.1",
        "2a01",
        "04f8",
        "9400:ff",
        "k1",
        "k2",
        "K1",
        "K3",
        "KIND-K3",
        "4711882",
        "10.0.0.12",
        "203.0.113.201",
    ];
    let names: BTreeSet<String> = words.into_iter().map(String::from).collect();
    for (form, text) in published(&facts) {
        assert_eq!(leaked(&text, &names), None, "{form}");
        for word in ["acme-group", "Acme", "jane", "hunter2", "2A01", "BEEF"] {
            assert!(!text.contains(word), "{word} in {form}");
        }
    }
}

fn parts_without(bundle: &mut Value, part: &str) {
    bundle["parts"].as_object_mut().unwrap().remove(part);
}

/// Everything in an open bundle that names somebody's cluster, gathered without the dictionary.
pub fn originals(bundle: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let parts = &bundle["parts"];
    let items = |part: &str| parts[part].as_array().cloned().unwrap_or_default();
    let mut take = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => drop(all.insert(text.clone())),
        Value::Number(number) => drop(all.insert(number.to_string())),
        _ => {}
    };
    take(&bundle["context"]);
    take(&bundle["hcloud_context"]);
    for (key, list) in parts.as_object().into_iter().flatten() {
        for item in list.as_array().into_iter().flatten() {
            take(&item["metadata"]["uid"]);
            take(&item["certificate"]["fingerprint"]);
            if key.starts_with("hcloud.") && key != "hcloud.locations" {
                take(&item["name"]);
                take(&item["id"]);
            }
        }
    }
    for node in items("nodes") {
        take(&node["metadata"]["name"]);
        node["status"]["addresses"].as_array().into_iter().flatten().for_each(|a| take(&a["address"]));
    }
    for server in items("api_server") {
        take(&server["host"]);
        take(&server["server"]);
    }
    let text = bundle.to_string();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | ':')) {
        let address = word
            .trim_end_matches('.')
            .parse::<std::net::IpAddr>()
            .or_else(|_| word.rsplit_once(':').map_or(word, |w| w.0).parse());
        if let Ok(ip) = address {
            all.insert(ip.to_string());
        }
        // the domains of all fixtures are RFC 2606's
        let name = word.trim_matches(['.', ':', '-']);
        if [".com", ".org", ".net"].iter().any(|end| name.ends_with(&format!("example{end}"))) {
            all.insert(name.to_string());
            all.insert(name.replace('.', "-"));
        }
    }
    all.extend(["example.com", "example.org", "example.net"].map(String::from));
    all.retain(|name| !names_nobody(name, parts));
    all
}

/// Words that stay: addresses that every cluster has, names that objects in the cluster have too (they stay, and the report
/// says so), and everyday words, which are replaced where they are a name.
fn names_nobody(name: &str, parts: &Value) -> bool {
    let ranges = [
        "10.42.",
        "10.43.",
        "127.",
        "0.0.0.0",
        "169.254.169.254",
        "192.192.192.192",
        "::",
        "10.0.0.0",
        "255.",
        "224.",
    ];
    let object = |item: &Value| item["metadata"]["name"] == *name || item["metadata"]["namespace"] == *name;
    let lists = parts
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !["nodes", "ciliumnodes", "csinodes"].contains(&&***key));
    let kept = lists.flat_map(|(_, list)| list.as_array().into_iter().flatten()).any(object);
    kept || super::words::is_everyday(name)
        || name == "10.0.0.0"
        || ranges.iter().any(|range| name == *range || (range.ends_with('.') && name.starts_with(range)))
        || name == "::"
        || name == "::1"
}

/// The first of `names` that stands in `text` as a word, with what is around it.
pub fn leaked<'a>(text: &str, names: &'a BTreeSet<String>) -> Option<(&'a String, String)> {
    let edge = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric());
    names.iter().find_map(|name| {
        let (at, _) = text.match_indices(name.as_str()).find(|(at, _)| {
            edge(text[..*at].chars().next_back()) && edge(text[at + name.len()..].chars().next())
        })?;
        let before: String = text[..at].chars().rev().take(60).collect();
        let around = before.chars().rev().chain(text[at..].chars().take(60)).collect();
        Some((name, around))
    })
}
