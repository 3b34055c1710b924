//! What is found live is what the fixture says, and a recorded cluster gives the same bytes.

use kairos_doctor::fixture::Fixture;
use kairos_doctor_simulator::Options;
use serde_json::{Value, json};

use super::{Cluster, codes, drawn, expected};

#[test]
fn an_incident_gives_exactly_its_findings_ranked_and_folded() {
    for fixture in Fixture::names().filter(|name| name.starts_with("incidents/")) {
        let cluster = Cluster::of(fixture, Options::default());
        let (report, run) = cluster.report(&[]);
        assert_eq!(drawn(&report), expected(fixture), "{fixture}: {}", run.out);
        assert_eq!(run.exit, 1, "{fixture}");
        assert_eq!(codes(&report, "unknown"), [""; 0], "{fixture}: {}", report["gaps"]);
        assert_eq!(report["cluster"]["hetzner"]["project"], "same", "{fixture}");
    }
}

#[test]
fn healthy_clusters_give_nothing_and_exit_0() {
    for fixture in Fixture::names().filter(|name| name.starts_with("healthy/")) {
        let cluster = Cluster::of(fixture, Options::default());
        let (report, run) = cluster.report(&[]);
        assert_eq!(drawn(&report), [""; 0], "{fixture}");
        assert_eq!(run.exit, 0, "{fixture}: {}", report["gaps"]);
        assert_eq!(report["gaps"], json!([]), "{fixture}");
        let text = cluster.doctor(&[]).out;
        assert!(text.starts_with("✓ ") && text.contains("nothing was out of sight"), "{fixture}: {text}");
    }
}

#[test]
fn without_a_token_it_says_so_and_exits_3() {
    let cluster = Cluster::of("healthy/hcm-cilium-3", Options::default());
    let run = cluster.doctor_with(&["-o", "json"], &[("HCLOUD_TOKEN", "")]);
    let report = run.json();
    assert_eq!((run.exit, drawn(&report)), (3, vec![]));
    let gap = &report["gaps"][0];
    assert_eq!((gap["need"].as_str(), gap["why"].as_str()), (Some("hcloud"), Some("not-configured")));
    assert!(gap["detail"].as_str().unwrap().contains("HCLOUD_TOKEN"), "{gap}");
    assert_eq!(report["gaps"].as_array().unwrap().len(), 1, "one gap, not one for each list");
    let text = cluster.doctor_with(&[], &[("HCLOUD_TOKEN", "")]).out;
    assert!(text.starts_with("? ") && text.contains("not a clean"), "{text}");
}

#[test]
fn left_out_on_purpose_is_not_unknown() {
    let cluster = Cluster::of("healthy/hcm-cilium-3", Options::default());
    let (report, run) = cluster.report(&["--no-hetzner"]);
    assert_eq!((run.exit, codes(&report, "unknown")), (0, vec![]));
    assert!(codes(&report, "not_applicable").contains(&"KD304".to_string()));
    assert!(!cluster.simulator.requests().iter().any(|r| r.path.starts_with("/v1/")));
}

#[test]
fn an_api_server_that_is_off_is_a_finding() {
    let cluster = Cluster::of("incidents/field-report", Options::default().without_api_server());
    let (report, run) = cluster.report(&[]);
    assert_eq!(run.exit, 1, "{}", run.err);
    assert_eq!(run.err, "");
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0]["code"], "KD100");
    assert!(findings[0]["says"].as_str().unwrap().ends_with("refuses connections"));
    let others: Vec<&str> = kairos_doctor_checks::ALL.iter().map(|check| check.code).skip(1).collect();
    assert_eq!(codes(&report, "unknown"), others);
    assert_eq!(report["gaps"].as_array().unwrap().len(), 1, "{}", report["gaps"]);
}

/// The moment is a fact: with the moment of the live run, the recorded cluster gives the live run's bytes.
#[test]
fn a_recorded_cluster_gives_the_bytes_of_the_live_run() {
    let cluster = Cluster::of("incidents/field-report", Options::default());
    for form in ["json", "terminal", "markdown", "html"] {
        let (live, _) =
            cluster.report(&["--output-file", &format!("{form}={}", cluster.file("live").display())]);
        let (mut bundle, path) = cluster.collected(&[]);
        bundle["now"] = live["generated_at"].clone();
        std::fs::write(&path, bundle.to_string()).unwrap();
        let again = cluster.doctor(&["--from", path.to_str().unwrap(), "-o", form]);
        assert_eq!(again.out, std::fs::read_to_string(cluster.file("live")).unwrap());
        assert_eq!(again.exit, 1);
    }
}

#[test]
fn compressed_bundles_are_read_too() {
    let cluster = Cluster::of("incidents/field-report", Options::default());
    let path = cluster.file("packed.json.gz");
    let path = path.to_str().unwrap();
    assert_eq!(cluster.doctor(&["collect", "--no-redact", "-o", path]).exit, 0);
    assert!(std::fs::read(path).unwrap().starts_with(&[0x1f, 0x8b]));
    let report = cluster.doctor(&["--from", path, "-o", "json"]).json();
    assert_eq!(drawn(&report), expected("incidents/field-report"));
}

/// In whatever order and in whatever pages the servers say it.
#[test]
fn the_order_of_what_is_served_does_not_matter() {
    let facts = |options| {
        let (mut bundle, _) = Cluster::of("incidents/field-report", options).collected(&[]);
        bundle["now"] = Value::Null;
        // ports are the simulator's choice
        let text = bundle.to_string();
        let port =
            bundle["parts"]["nodes"][0]["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"].to_string();
        let server = bundle["parts"]["api_server"][0]["port"].to_string();
        text.replace(&port, "10250").replace(&server, "6443")
    };
    let ca = |text: &str| {
        let mut bundle: Value = serde_json::from_str(text).unwrap();
        // each simulator makes its own certificates
        bundle["parts"]["cluster_ca"] = Value::Null;
        for kubelet in bundle["parts"]["kubelets"].as_array_mut().unwrap() {
            kubelet["certificate"]["fingerprint"] = Value::Null;
        }
        bundle
    };
    let straight = ca(&facts(Options::default()));
    for seed in 1..=4 {
        let shuffled = ca(&facts(Options::default().shuffled(seed)));
        for (key, part) in straight["parts"].as_object().unwrap() {
            assert_eq!(&shuffled["parts"][key], part, "seed {seed}: {key}");
        }
        assert_eq!(shuffled, straight, "seed {seed}");
    }
}
