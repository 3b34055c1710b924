//! What bad input and wayward servers get: a clear sentence, the rest of the diagnosis, the right exit status. Nothing
//! panics, nothing hangs.

use std::time::{Duration, Instant};

use kairos_doctor::fixture::Fixture;
use kairos_doctor_simulator::{Fault, Options, Source, Target};
use serde_json::{Value, json};

use super::{Cluster, Run, bare, codes, drawn, expected, run};

const INCIDENT: &str = "incidents/field-report";

/// The simulated cluster's kubeconfig with something changed, in a file.
fn kubeconfig(cluster: &Cluster, change: impl Fn(&mut Value)) -> String {
    let mut config = serde_json::from_str(cluster.simulator.kubeconfig()).unwrap();
    change(&mut config);
    let path = cluster.file("changed.yaml");
    std::fs::write(&path, config.to_string()).unwrap();
    path.to_str().unwrap().to_string()
}

fn gap(report: &Value, need: &str) -> Value {
    let gaps = report["gaps"].as_array().unwrap();
    gaps.iter().find(|g| g["need"] == need).unwrap_or_else(|| panic!("no gap {need}: {gaps:#?}")).clone()
}

fn calm(run: &Run) {
    assert!(!run.err.contains("panicked") && !run.err.contains("bug"), "{}", run.err);
}

/// What is found when one source is missing: everything that the others say, and nothing more.
fn rest(report: &Value) -> Vec<String> {
    drawn(report).iter().map(|l| l.trim().split(' ').next().unwrap().to_string()).collect()
}

#[test]
fn credentials_that_are_refused_are_a_finding() {
    let cluster = Cluster::of(INCIDENT, Options::default());
    let path = kubeconfig(&cluster, |config| config["users"][0]["user"]["token"] = "nonsense".into());
    let (report, run) = cluster.report(&["--kubeconfig", &path]);
    assert_eq!(rest(&report), [format!("KD100/ApiServer/{}", cluster.simulator.server())]);
    assert!(report["findings"][0]["says"].as_str().unwrap().contains("credentials"), "{}", run.out);
    assert_eq!(run.exit, 1);
    calm(&run);
}

#[test]
fn another_certificate_authority_is_a_finding() {
    let cluster = Cluster::of(INCIDENT, Options::default());
    let other = Cluster::of("healthy/hcm-only-1", Options::default());
    let other: Value = serde_json::from_str(other.simulator.kubeconfig()).unwrap();
    let path = kubeconfig(&cluster, |config| {
        let authority = "certificate-authority-data";
        config["clusters"][0]["cluster"][authority] = other["clusters"][0]["cluster"][authority].clone();
    });
    let (report, run) = cluster.report(&["--kubeconfig", &path]);
    assert_eq!(run.exit, 1, "{}", run.err);
    assert!(report["findings"][0]["says"].as_str().unwrap().contains("does not trust"), "{}", run.out);
    calm(&run);
}

#[test]
fn a_kubeconfig_that_cannot_be_used_is_told_apart() {
    let cluster = Cluster::of("healthy/hcm-only-1", Options::default());
    type Change = fn(&mut Value);
    for (change, words) in [
        ((|config| *config = "nonsense".into()) as Change, "changed.yaml"),
        (|config| config["contexts"][0]["context"]["user"] = "missing".into(), "`missing`"),
        (|config| config["contexts"][0]["context"]["cluster"] = "missing".into(), "`missing`"),
        (
            |config| config["clusters"][0]["cluster"]["certificate-authority-data"] = "bm9uc2Vuc2U=".into(),
            "certificate",
        ),
    ] {
        let path = kubeconfig(&cluster, change);
        let run = cluster.doctor(&["--kubeconfig", &path]);
        assert_eq!((run.exit, run.out.as_str()), (2, ""), "{words}: {}", run.err);
        assert!(run.err.contains(words) && run.err.lines().count() == 1, "{words}: {}", run.err);
        calm(&run);
    }
}

#[test]
fn an_exec_plugin_that_hangs_does_not() {
    let cluster = Cluster::of("healthy/hcm-only-1", Options::default());
    let path = kubeconfig(&cluster, |config| {
        config["users"][0]["user"] = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1",
            "command": "sleep", "args": ["600"], "interactiveMode": "Never"}});
    });
    let begun = Instant::now();
    let run = cluster.doctor(&["--kubeconfig", &path, "--timeout", "1s"]);
    assert_eq!(run.exit, 2);
    assert!(run.err.contains("sleep"), "{}", run.err);
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_right_that_is_missing_hides_only_what_needs_it() {
    for (need, hidden) in [
        ("nodes", &["KD110", "KD301", "KD304"][..]),
        ("events", &[]),
        ("services", &["KD300", "KD301", "KD304"]),
        ("gateways", &[]),
        ("helmcharts", &[]),
    ] {
        let cluster = Cluster::of(INCIDENT, Options::default().withholding(need));
        let (report, run) = cluster.report(&[]);
        calm(&run);
        let unknown = codes(&report, "unknown");
        for code in hidden {
            let seen = codes(&report, "healthy").contains(&code.to_string());
            assert!(!seen, "{need} is missing and {code} is healthy");
        }
        if !hidden.is_empty() {
            let gap = gap(&report, need);
            assert_eq!(gap["why"], "forbidden");
            assert!(gap["detail"].as_str().unwrap().contains("system:serviceaccount:"), "{gap}");
            assert!(gap["remedy"].as_str().unwrap().contains("deploy/rbac.yaml"), "{gap}");
        }
        let found = rest(&report);
        assert!(
            found.iter().all(|id| expected(INCIDENT).iter().any(|line| line.contains(id.as_str()))),
            "{found:?}"
        );
        assert!([1, 3].contains(&run.exit), "{need}: {unknown:?}");
    }
}

#[test]
fn a_definition_that_is_not_installed_is_no_gap() {
    let cluster =
        Cluster::of("healthy/hcm-only-3", Options { crd_groups: Some(vec![]), ..Options::default() });
    let (report, run) = cluster.report(&[]);
    assert_eq!((run.exit, report["gaps"].as_array().unwrap().len()), (0, 0), "{}", report["gaps"]);
}

#[test]
fn faults_of_one_source_leave_the_other_and_end_in_time() {
    let html = Fault::Html502;
    let slow_down = Fault::Status {
        code: 429,
        content_type: "application/json".into(),
        headers: vec![("Retry-After".into(), "86400".into())],
        body:
            r#"{"error":{"code":"rate_limit_exceeded","message":"limit of 3600 requests per hour reached"}}"#
                .into(),
    };
    let rejected =
        Fault::json(401, r#"{"error":{"code":"unauthorized","message":"unable to authenticate"}}"#);
    for (fault, why) in [
        (Fault::Refuse, "unreachable"),
        (Fault::Silent, "timed-out"),
        (Fault::Reset, "unreachable"),
        (Fault::Truncate, "unreachable"),
        (html.clone(), "unreachable"),
        (slow_down, "rate-limited"),
        (rejected, "forbidden"),
    ] {
        let options = Options::default().failing(Target::all(Source::Hetzner), fault.clone());
        let cluster = Cluster::of(INCIDENT, options);
        let begun = Instant::now();
        let (report, run) = cluster.report(&["--timeout", "5s"]);
        assert!(begun.elapsed() < Duration::from_secs(15), "{fault:?}");
        calm(&run);
        assert_eq!(run.exit, 1, "{fault:?}");
        let hetzner: Vec<&Value> = report["gaps"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|g| g["need"].as_str().unwrap().starts_with("hcloud"))
            .collect();
        assert!(!hetzner.is_empty() && hetzner.iter().all(|g| g["why"] == why), "{fault:?}: {hetzner:#?}");
        assert!(hetzner.iter().all(|g| g["detail"].as_str().unwrap().len() < 400), "{hetzner:#?}");
        assert!(!codes(&report, "healthy").contains(&"KD304".to_string()), "{fault:?}");
        let found = rest(&report);
        assert!(found.iter().any(|id| id.starts_with("KD110/")), "{fault:?}: {found:?}");
        assert!(found.iter().any(|id| id.starts_with("KD301/")), "{fault:?}: {found:?}");
    }
}

#[test]
fn an_api_server_that_misbehaves_is_a_finding_and_hetzner_is_read_all_the_same() {
    for (fault, words) in [
        (Fault::Silent, "does not answer"),
        (Fault::Html502, ""),
        (Fault::Truncate, ""),
        (
            Fault::json(503, r#"{"kind":"Status","status":"Failure","message":"etcd is gone","code":503}"#),
            "fails",
        ),
    ] {
        let options = Options::default().failing(Target::all(Source::Kubernetes), fault.clone());
        let cluster = Cluster::of(INCIDENT, options);
        let begun = Instant::now();
        let (report, run) = cluster.report(&["--timeout", "6s"]);
        assert!(begun.elapsed() < Duration::from_secs(15), "{fault:?}");
        calm(&run);
        assert_eq!(run.exit, 1, "{fault:?}");
        let found = report["findings"].as_array().unwrap();
        assert_eq!((found.len(), &found[0]["code"]), (1, &Value::from("KD100")), "{fault:?}");
        assert!(found[0]["says"].as_str().unwrap().contains(words), "{fault:?}: {}", found[0]["says"]);
        assert!(cluster.simulator.requests().iter().any(|r| r.path == "/v1/servers"), "{fault:?}");
        assert_eq!(codes(&report, "healthy"), [""; 0]);
    }
}

#[test]
fn one_list_that_fails_leaves_the_others() {
    for fault in [Fault::Silent, Fault::Html502, Fault::Truncate, Fault::json(200, "{\"items\": 7}")] {
        let options = Options::default().failing(Target::kubernetes("/api/v1/events"), fault.clone());
        let cluster = Cluster::of(INCIDENT, options);
        let (report, run) = cluster.report(&["--timeout", "6s"]);
        calm(&run);
        assert!(gap(&report, "events")["detail"].as_str().unwrap().len() < 400);
        let found = rest(&report);
        for code in ["KD110/", "KD304/", "KD301/"] {
            assert!(found.iter().any(|id| id.starts_with(code)), "{fault:?}: {found:?}");
        }
    }
}

#[test]
fn kubelets_that_cannot_be_reached_are_unknown_and_the_api_server_is_asked_instead() {
    let options = Options::default().failing(Target::all(Source::Kubelet), Fault::Refuse);
    let cluster = Cluster::of("healthy/hcm-cilium-3", options);
    let (report, run) = cluster.report(&[]);
    calm(&run);
    assert!(!codes(&report, "healthy").contains(&"KD110".to_string()));
    assert_eq!(run.exit, 3, "{}", run.out);
}

#[test]
fn a_token_of_another_project_is_one_gap_and_no_false_alarm() {
    let cluster = Cluster::of("blind/other-project", Options::default());
    let (report, run) = cluster.report(&[]);
    calm(&run);
    assert_eq!(report["cluster"]["hetzner"]["project"], "other");
    assert_eq!(drawn(&report), [""; 0], "{}", run.out);
    assert_eq!((run.exit, gap(&report, "hcloud")["why"].as_str()), (3, Some("other-project")));
}

#[test]
fn what_is_no_recording_says_what_it_is_and_what_helps() {
    use std::io::Write;
    let cluster = Cluster::of("healthy/hcm-only-1", Options::default());
    let whole = Fixture::named(INCIDENT).unwrap().bundle().to_string();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(whole.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let damaged = gzip_that_says_otherwise(&whole.replacen(':', ";", 1), &packed);
    let report = run(bare(&["demo", "-o", "json"])).out;
    let markdown = run(bare(&["demo", "-o", "markdown"])).out;
    let later = whole.replacen("kairos-doctor/bundle/v1", "kairos-doctor/bundle/v2", 1);
    let record = "kairos-doctor collect -o FILE";
    let path = cluster.file("half.json");
    for (bytes, words) in [
        (&whole.as_bytes()[..whole.len() / 2], ["cut off", "download it again"]),
        (&packed[..packed.len() / 2], ["no whole gzip file", "download it again"]),
        (&packed[..packed.len() - 8], ["no whole gzip file", "download it again"]),
        (&damaged, ["no whole gzip file", "download it again"]),
        (&b""[..], ["cut off", "download it again"]),
        (&b"[]"[..], ["no recording", record]),
        (&b"{\"format\": \"other\"}"[..], ["other", record]),
        (&b"not json"[..], ["no JSON", record]),
        (format!("{whole}\n{whole}").as_bytes(), ["more than one JSON document", "name a file with one"]),
        (report.as_bytes(), ["is a report", record]),
        (markdown.as_bytes(), ["is a report in Markdown", record]),
        (later.as_bytes(), ["kairos-doctor/bundle/v2", "the newest"]),
        (&b"PK\x03\x04 and more"[..], ["zip archive", "unpack it"]),
        (&b"<!DOCTYPE html><html>"[..], ["web page", record]),
        (&b"apiVersion: v1\nkind: Config\n"[..], ["is YAML", record]),
        (
            &br#"{"apiVersion": "v1", "kind": "List", "items": []}"#[..],
            ["object of the Kubernetes API", record],
        ),
        (whole.replacen("\"parts\"", "\"parks\"", 1).as_bytes(), ["damaged", "parts"]),
        (
            &br#"{"format": "kairos-doctor/bundle/v9", "parts": {"nodes": 7}}"#[..],
            ["bundle/v9", "the newest"],
        ),
        (
            part(r#"[{"metadata": 7}, {"metadata": {}}]"#, "v1").as_bytes(),
            ["damaged: part `nodes`", "integer `7`"],
        ),
        (part("7", "v1").as_bytes(), ["damaged: part `nodes`", "no list"]),
        (part(r#"[{"metadata": 7}]"#, "v9").as_bytes(), ["bundle/v9", "the newest"]),
        (&br#"{"parts": [{"id": 1}], "name": "x"}"#[..], ["no recording", record]),
        (
            part(r#"[{"metadata": 7}]"#, "v1").trim_end_matches('}').as_bytes(),
            ["cut off", "download it again"],
        ),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let run = run(bare(&["--from", path.to_str().unwrap()]));
        assert_eq!(
            (run.exit, run.out.as_str(), run.err.lines().count()),
            (2, "", 1),
            "{words:?} {}",
            run.err
        );
        let says = words.iter().all(|words| run.err.contains(words));
        assert!(says && run.err.contains("half.json"), "{words:?}: {}", run.err);
    }
}

/// A recording whose format stands behind its nodes.
fn part(nodes: &str, version: &str) -> String {
    let now = "2026-11-23T09:00:00Z";
    format!(
        r#"{{"parts": {{"nodes": {nodes}}}, "now": "{now}", "format": "kairos-doctor/bundle/{version}"}}"#
    )
}

/// The text, with the checksum of another: what a flipped bit leaves.
fn gzip_that_says_otherwise(text: &str, other: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    let mut packed = packed.finish().unwrap();
    let end = packed.len() - 8;
    packed[end..].copy_from_slice(&other[other.len() - 8..]);
    packed
}

#[test]
fn a_recording_is_read_from_standard_input_too() {
    use std::io::Write;
    let whole = Fixture::named(INCIDENT).unwrap().bundle().to_string();
    let mut command = bare(&["--from", "-", "-o", "json"]);
    let mut child =
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(whole.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!((ended.status.code(), drawn(&report)), (Some(1), expected(INCIDENT)));
}
