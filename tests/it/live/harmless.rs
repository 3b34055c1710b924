//! What it asks for, what it leaves behind, and what it must never tell.

use std::collections::{BTreeMap, BTreeSet};

use kairos_doctor::collect::guard;
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

/// No secret that stands anywhere in what is served comes out anywhere; and every one of them was served.
#[test]
fn no_canary_comes_out() {
    let cluster = Cluster::of("incidents/field-report", Options::default().inflated());
    let mut outputs = Vec::new();
    for args in [
        &["-v"][..],
        &["-v", "-o", "json"],
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
            assert!(!text.contains(canary.as_str()), "`{canary}` in the output of {what}");
        }
    }
}

/// How much is asked depends on the size of the cluster, and not on what is wrong with it.
#[test]
fn an_incident_costs_no_request_more_than_health() {
    let healthy = Cluster::of("healthy/hcm-cilium-3", Options::default());
    let incident = Cluster::of("incidents/field-report", Options::default());
    healthy.doctor(&[]);
    incident.doctor(&[]);
    assert_eq!(asked(&healthy.simulator), asked(&incident.simulator));
}

/// One list for everything: what the guard lets through, what a full run asks, and what the README says it reads.
#[test]
fn it_asks_for_what_the_readme_says_and_nothing_else() {
    let cluster = Cluster::of("incidents/field-report", Options::default());
    cluster.collected(&[]);
    for method in cluster.simulator.methods().keys() {
        assert!(method == "GET" || method == "TLS", "{method}");
    }
    let asked: BTreeSet<String> = asked(&cluster.simulator).into_keys().collect();
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let begin = readme.find("<!-- reads -->").expect("README has the list of what it reads");
    let end = readme.find("<!-- /reads -->").expect("README has the end of the list");
    let listed: BTreeSet<String> = readme[begin..end]
        .lines()
        .filter_map(|line| Some(line.strip_prefix("GET ")?.split_whitespace().next()?.to_string()))
        .collect();
    assert_eq!(asked, listed);

    let hetzner = NEEDS.iter().filter_map(|need| match need.from {
        Origin::Hetzner(collection) => Some(format!("/v1/{}", collection.path)),
        _ => None,
    });
    let allowed: BTreeSet<String> = guard::templates().into_iter().chain(hetzner).collect();
    for path in &listed {
        assert!(allowed.contains(path), "{path} is not in {allowed:#?}");
    }
    let older = |path: &&String| !path.contains("beta") && !listed.contains(*path);
    assert_eq!(allowed.iter().filter(older).collect::<Vec<_>>(), [""; 0], "allowed and never asked");
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
