//! The metrics as node_exporter reads them from a file.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::{Desk, cluster};
use crate::cases::{CASES, none};
use crate::exposition::{Sample, read};

use kairos_doctor::report::{View, json, outcome, prometheus};
use kairos_doctor_checks::Severity;

fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let full = format!("kairos_doctor_{name}");
    let wanted = |s: &&Sample| {
        s.name == full && labels.iter().all(|(k, v)| s.labels.get(*k).map(String::as_str) == Some(*v))
    };
    let found: Vec<&Sample> = samples.iter().filter(wanted).collect();
    assert_eq!(found.len(), 1, "{full} {labels:?}");
    found[0].value
}

/// Over every fixture: the format's rules, and the same numbers as the JSON.
#[test]
fn every_report_keeps_the_rules_of_the_format() {
    let mut wrong = Vec::new();
    for case in CASES.iter() {
        let report = &case.report;
        let view = View {
            width: 80,
            colour: false,
            verbose: false,
            quiet: false,
            min_severity: Severity::Info,
            outcome: outcome(report, Some(Severity::Warning)),
            reads: None,
            replaced: None,
            since: None,
            suppressed: Default::default(),
        };
        let samples = match read(&prometheus::render(report, &view)) {
            Ok(samples) => samples,
            Err(what) => {
                wrong.push(format!("{}: {what}", case.fixture.name()));
                continue;
            }
        };
        let document: serde_json::Value = serde_json::from_str(&json::render(report, &view)).unwrap();
        let series = samples.iter().filter(|s| s.name == "kairos_doctor_finding").count();
        let mut agree = series == report.findings.len();
        agree &= value(&samples, "exit_status", &[]) == document["outcome"]["exit"];
        for severity in ["critical", "error", "warning", "info"] {
            let count = value(&samples, "findings", &[("severity", severity)]);
            agree &= count == document["summary"]["findings"][severity].as_f64().unwrap();
        }
        for checked in document["checks"].as_array().unwrap() {
            let text = |key: &str| checked[key].as_str().unwrap();
            let labels = [("code", text("code")), ("check", text("check")), ("status", text("status"))];
            agree &= value(&samples, "check_status", &labels) == 1.0;
        }
        let set =
            samples.iter().filter(|s| s.name == "kairos_doctor_check_status").map(|s| s.value).sum::<f64>();
        if !agree || set != document["checks"].as_array().unwrap().len() as f64 {
            wrong.push(format!("{}: other numbers than the JSON's", case.fixture.name()));
        }
    }
    none(wrong);
}

#[test]
fn the_file_is_replaced_whole_and_everybody_may_read_it() {
    let desk = Desk::new();
    let to = ["--output-file", "prometheus=@doctor.prom"];
    desk.doctor(&cluster("incidents/field-report"), &to);
    let path = desk.path("doctor.prom");
    let before = std::fs::metadata(&path).unwrap();
    assert_eq!(before.permissions().mode() & 0o444, 0o444);
    // Whoever has it open goes on reading the old one, to its end.
    let open = std::fs::File::open(&path).unwrap();
    let old = desk.read("doctor.prom");
    desk.doctor(&cluster("healthy/hcm-only-1"), &to);
    assert_ne!(std::fs::metadata(&path).unwrap().ino(), before.ino());
    assert_eq!(std::io::read_to_string(open).unwrap(), old);
    let samples = read(&desk.read("doctor.prom")).unwrap();
    assert_eq!(value(&samples, "exit_status", &[]), 0.0);
    assert_eq!(value(&samples, "findings", &[("severity", "critical")]), 0.0);
    let names = std::fs::read_dir(std::path::Path::new(&path).parent().unwrap()).unwrap();
    let mut names: Vec<_> = names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["cluster.json", "doctor.prom"], "nothing is left beside it");
    // What could not be attempted leaves the last run's file, whose time says how old it is.
    let run = desk.doctor(&cluster("healthy/hcm-only-1"), &[&to[..], &["--only", "nonsense"]].concat());
    assert_eq!((run.exit, read(&desk.read("doctor.prom")).unwrap().len()), (2, samples.len()));
}

/// The two readers that matter have a command for it: where one is installed, it judges too.
#[test]
fn promtool_takes_it() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let tool = std::env::var("PROMTOOL").unwrap_or_else(|_| "promtool".into());
    if Command::new(&tool).arg("--version").output().is_err() {
        eprintln!("skipped: there is no promtool (PROMTOOL names one)");
        return;
    }
    let desk = Desk::new();
    for fixture in ["incidents/field-report", "healthy/hcm-only-1", "blind/no-token", "kd100/server-off"] {
        let text = desk.doctor(&cluster(fixture), &["-o", "prometheus"]).out;
        let mut child = Command::new(&tool)
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let judged = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&judged.stdout) + String::from_utf8_lossy(&judged.stderr);
        assert!(judged.status.success() && said.trim().is_empty(), "{fixture}: {said}");
    }
}
