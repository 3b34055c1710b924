//! What it asks for, what it leaves behind, and what it must never tell.

use std::collections::{BTreeMap, BTreeSet};

use kairos_doctor::collect::guard;
use kairos_doctor::fixture::Fixture;
use kairos_doctor_checks::facts::{NEEDS, Origin};
use kairos_doctor_simulator::{Options, Simulator};

use super::Cluster;

/// Paths of all requests that reached the servers, log requests with placeholders, and how often each came.
fn asked(simulator: &Simulator) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in simulator.requests().iter().filter(|r| r.method != "TLS") {
        let mut segments: Vec<&str> = request.path.split('/').collect();
        if segments.last() == Some(&"log") {
            let name = segments.len() - 2;
            segments[name] = "{name}";
        }
        *counts.entry(segments.join("/")).or_default() += 1;
    }
    counts
}

/// Whole clusters in which something is wrong: all of them, so that one that is added is held to the same.
fn incidents() -> impl Iterator<Item = &'static str> {
    Fixture::names().filter(|name| name.starts_with("incidents/"))
}

/// No secret that stands anywhere in what is served comes out anywhere; and every one of them was served.
#[test]
fn no_canary_comes_out() {
    for fixture in incidents() {
        let cluster = Cluster::of(fixture, Options::default().inflated());
        let mut outputs = Vec::new();
        for args in [
            &["-v"][..],
            &["-v", "-o", "json"],
            &["-v", "-o", "html"],
            &["-o", "markdown", "--no-redact"],
            &["-o", "markdown"],
            &["collect", "--no-redact", "-v", "-o", cluster.file("bundle.json").to_str().unwrap()],
        ] {
            let run = cluster.doctor(args);
            assert_ne!(run.exit, 2, "{}", run.err);
            outputs.push((args.join(" "), run.out));
            outputs.push((format!("{} (stderr)", args.join(" ")), run.err));
        }
        outputs.push(("bundle".into(), std::fs::read_to_string(cluster.file("bundle.json")).unwrap()));
        assert_eq!(cluster.simulator.unserved_canaries(), [""; 0]);
        let canaries = cluster.simulator.canaries();
        assert!(canaries.len() > 20, "{}", canaries.len());
        for (what, text) in outputs {
            for canary in &canaries {
                assert!(!text.contains(canary.as_str()), "{fixture}: `{canary}` in the output of {what}");
            }
        }
    }
}

/// How much is asked depends on the size of the cluster, and not on what is wrong with it.
#[test]
fn an_incident_costs_no_request_more_than_health() {
    for fixture in incidents() {
        let incident = Fixture::named(fixture).unwrap();
        let base = incident.base().expect("an incident is a change to a healthy cluster");
        let healthy = Cluster::of(base, Options::default());
        let incident = Cluster::of(fixture, Options::default());
        healthy.doctor(&[]);
        incident.doctor(&[]);
        let (healthy, incident) = (asked(&healthy.simulator), asked(&incident.simulator));
        for (path, times) in &incident {
            // fewer where there is less to ask, as no controller has no log
            assert!(healthy.get(path).is_some_and(|most| times <= most), "{fixture} and {base}: {path}");
        }
    }
}

/// What may be asked, one line each: what the guard lets through, and the lists of Hetzner's API.
fn reads() -> Vec<String> {
    let hetzner = NEEDS.iter().filter_map(|need| match need.from {
        Origin::Hetzner(collection) => Some(format!("GET /v1/{}?per_page=50&page={{n}}", collection.path)),
        _ => None,
    });
    guard::templates().into_iter().chain(hetzner).collect()
}

/// One list for everything: the guard's, the README's, and the log of a run that reads all there is.
#[test]
fn it_asks_for_what_the_readme_says_and_nothing_else() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (begin, end) = ("<!-- reads -->\n```\n", "```\n<!-- /reads -->");
    let from = readme.find(begin).expect("README has the list of what it reads") + begin.len();
    let to = readme.find(end).expect("README has the end of the list");
    let lines = reads().join("\n") + "\n";
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(path, format!("{}{lines}{}", &readme[..from], &readme[to..])).unwrap();
    } else {
        assert_eq!(&readme[from..to], lines, "UPDATE_GENERATED=1 cargo test writes it anew");
    }

    let custom = NEEDS.iter().filter_map(|need| match need.from {
        Origin::Kubernetes(resource) if resource.custom => Some(resource.group.to_string()),
        _ => None,
    });
    let options = Options { crd_groups: Some(custom.collect()), ..Options::default() };
    let cluster = Cluster::of("incidents/field-report", options);
    cluster.collected(&[]);
    for method in cluster.simulator.methods().keys() {
        assert!(method == "GET" || method == "TLS", "{method}");
    }
    // A resource is asked for in one of its versions.
    let unversioned = |path: &str| {
        let version =
            |part: &&str| part.strip_prefix('v').is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()));
        path.split('/').filter(|part| !version(part)).collect::<Vec<_>>().join("/")
    };
    let listed: BTreeSet<String> =
        reads().iter().map(|line| unversioned(line["GET ".len()..].split('?').next().unwrap())).collect();
    let asked: BTreeSet<String> = asked(&cluster.simulator).keys().map(|path| unversioned(path)).collect();
    assert_eq!(asked, listed);
}

/// Kubelets see a whole handshake and a goodbye.
#[test]
fn every_kubelet_is_dialled_once_on_each_address() {
    let cluster = Cluster::of("healthy/hcm-cilium-3", Options::default());
    cluster.doctor(&[]);
    let requests = cluster.simulator.requests();
    let mut dialled: Vec<&str> =
        requests.iter().filter(|r| r.method == "TLS").map(|r| r.path.as_str()).collect();
    dialled.sort();
    let once: BTreeSet<&str> = dialled.iter().copied().collect();
    assert_eq!(once.len(), 6, "three nodes with two addresses: {dialled:?}");
}
