//! Findings that somebody has accepted.

use kairos_doctor::redact::{Dictionary, Pseudonyms, redact};
use kairos_doctor_checks::ALL;
use kairos_doctor_checks::engine;
use serde_json::{Value, json};

use super::{Desk, cluster, ids, without_sight};
use crate::cases::{CASES, Case, none};
use crate::live::drawn;

fn entry(check: &str, object: &str, until: &str) -> String {
    format!("  - {{check: {check}, object: {object}, reason: the vendor mends it, until: {until}}}\n")
}

fn file(entries: &[String]) -> String {
    format!("suppressions:\n{}", entries.concat())
}

const ARGS: &[&str] = &["--suppressions", "@accepted.yaml"];

#[test]
fn what_is_wrong_with_the_file_is_said_with_its_line() {
    let desk = Desk::new();
    let line = |text: &str| format!("suppressions:\n  - check: KD301\n{text}");
    for (text, words) in [
        (line("    object: Service/a/b\n    reason: x\n    until: soon\n"), &["line 5", "soon"][..]),
        (line("    object: Service/a/b\n    reason: x\n    until: 2026-02-30\n"), &["line 5", "2026-02-30"]),
        (line("    object: web\n    reason: x\n    until: 2026-12-31\n"), &["line 3", "Kind/name"]),
        (line("    object: Service/a/b\n    until: 2026-12-31\n"), &["line 2", "`reason`"]),
        (line("    object: Service/a/b\n    reason: ' '\n    until: 2026-12-31\n"), &["line 2", "`reason`"]),
        (line("    object: Service/a/b\n    reason: x\n"), &["line 2", "`until`"]),
        (line("    reason: x\n    until: 2026-12-31\n"), &["line 2", "`object`"]),
        (line("    object: Service/a/b\n    reason: x\n    untill: 2026-12-31\n"), &["line 5", "untill"]),
        (
            "suppressions:\n  - check: KD31\n    object: Service/a/b\n    reason: x\n    until: 2026-12-31\n"
                .into(),
            &["line 2", "did you mean"],
        ),
        (
            "suppressions:\n  - object: Service/a/b\n    reason: x\n    until: 2026-12-31\n".into(),
            &["line 2", "`check`"],
        ),
        ("suppressions: [\n".into(), &["line"]),
        ("ignore: []\n".into(), &["line 1", "ignore"]),
    ] {
        desk.write("accepted.yaml", &text);
        let run = desk.doctor(&cluster("healthy/hcm-only-1"), ARGS);
        assert_eq!((run.exit, run.out.as_str()), (2, ""), "{text}");
        assert!(run.err.contains("--suppressions") && run.err.contains("accepted.yaml"), "{}", run.err);
        assert!(words.iter().all(|word| run.err.contains(word)), "{words:?}: {}", run.err);
        assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    }
    let run = desk.doctor(&cluster("healthy/hcm-only-1"), &["--suppressions", "@nothing.yaml"]);
    assert!(run.exit == 2 && run.err.contains("nothing.yaml"), "{}", run.err);
    for nothing in ["", "# nothing yet\n", "suppressions:\n", "suppressions: []\n"] {
        desk.write("accepted.yaml", nothing);
        assert_eq!(desk.doctor(&cluster("healthy/hcm-only-1"), ARGS).exit, 0, "{nothing:?}");
    }
}

#[test]
fn what_is_suppressed_is_told_and_counted_and_does_not_fail_the_run() {
    let desk = Desk::new();
    let two = cluster("kd701/two");
    assert_eq!(desk.doctor(&two, &[]).exit, 1);
    desk.write(
        "accepted.yaml",
        &file(&[entry("default-storage-class", "StorageClass/local-path", "2099-12-31")]),
    );
    let (report, run) = desk.report(&two, ARGS);
    assert_eq!(run.exit, 0);
    assert_eq!(report["findings"], json!([]));
    assert_eq!(
        (&report["summary"]["suppressed"], &report["summary"]["findings"]["warning"]),
        (&json!(1), &json!(0))
    );
    let suppressed = &report["suppressed"][0];
    assert_eq!(suppressed["id"], "KD701/StorageClass/local-path#several");
    assert_eq!(
        (&suppressed["reason"], &suppressed["until"]),
        (&json!("the vendor mends it"), &json!("2099-12-31"))
    );
    assert_eq!(report["unused_suppressions"], Value::Null);
    for form in ["terminal", "markdown"] {
        let out = desk.doctor(&two, &[ARGS, &["--no-redact", "-v", "-o", form]].concat()).out;
        assert!(out.contains("nothing found but 1 suppressed"), "{form}: {out}");
        let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains("the vendor mends it") && flat.contains("2099-12-31"), "{form}: {out}");
    }
    let metrics = desk.doctor(&two, &[ARGS, &["-o", "prometheus"]].concat()).out;
    assert!(metrics.contains("kairos_doctor_findings_suppressed{cluster=\"prod\"} 1\n"), "{metrics}");
    assert!(!metrics.contains("kairos_doctor_finding{"), "{metrics}");
    // A finding that comes back when its suppression ends is news.
    desk.write("earlier.json", &report.to_string());
    let (_, run) = desk.report(&two, &["--baseline", "@earlier.json", "--fail-on", "new"]);
    assert_eq!(run.exit, 1);
}

#[test]
fn a_suppressed_cause_leaves_its_effects_and_is_named() {
    let desk = Desk::new();
    let broken = cluster("incidents/cilium-gateway");
    let service = "Service/edge/cilium-gateway-web";
    desk.write("accepted.yaml", &file(&[entry("KD301", service, "2099-12-31")]));
    let (report, run) = desk.report(&broken, ARGS);
    assert_eq!(run.exit, 1, "the effects count");
    let outline: Vec<String> =
        drawn(&report).iter().map(|l| l.split('/').next().unwrap().to_string()).collect();
    assert_eq!(outline, ["KD300", "  KD606", "    KD410", "      KD412"]);
    let ranks: Vec<_> =
        report["findings"].as_array().unwrap().iter().map(|f| f["rank"].as_u64().unwrap()).collect();
    assert_eq!(ranks, [1, 2, 3, 4]);
    assert_eq!(report["findings"][0]["explains"].as_array().unwrap().len(), 3);
    assert_eq!(report["findings"][0]["caused_by"], json!([format!("KD301/{service}")]));
    for form in ["terminal", "markdown"] {
        let out = desk.doctor(&broken, &[ARGS, &["--no-redact", "-o", form]].concat()).out.replace('\n', " ");
        let out = out.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "");
        let told = "Its cause is suppressed until 2099-12-31: KD301, Service edge/cilium-gateway-web";
        assert!(out.contains(told), "{form}: {out}");
    }
    // In the middle: what it explains stands beneath what explains it.
    desk.write("accepted.yaml", &file(&[entry("KD300", service, "2099-12-31")]));
    let (report, _) = desk.report(&broken, ARGS);
    let explains = report["findings"][0]["explains"].as_array().unwrap();
    assert_eq!((report["findings"][0]["code"].as_str(), explains.len()), (Some("KD301"), 3));
    assert_eq!(report["summary"]["suppressed"], 1);
}

#[test]
fn an_entry_that_does_nothing_is_told_where_one_can_know_it() {
    let desk = Desk::new();
    let two = cluster("kd701/two");
    let day = &two["now"].as_str().unwrap()[..10];
    let class = "StorageClass/local-path";
    let state = |entry: String, two: &Value, args: &[&str]| {
        desk.write("accepted.yaml", &file(&[entry]));
        let (report, run) = desk.report(two, &[ARGS, args].concat());
        let unused = report["unused_suppressions"].as_array().cloned().unwrap_or_default();
        let said = unused.iter().map(|u| format!("{} {}", u["why"].as_str().unwrap(), u["counts_again"]));
        (run.exit, said.collect::<Vec<_>>())
    };
    assert_eq!(state(entry("KD701", class, day), &two, &[]), (0, vec![]), "the last day counts");
    assert_eq!(state(entry("KD701", class, "2026-01-31"), &two, &[]), (1, vec!["expired true".into()]));
    assert_eq!(
        state(entry("KD701", "StorageClass/x", "2026-01-31"), &two, &[]),
        (1, vec!["expired false".into()])
    );
    assert_eq!(
        state(entry("KD701", "StorageClass/x", "2099-01-31"), &two, &[]),
        (1, vec!["unmatched false".into()])
    );
    assert_eq!(
        state(entry("KD301", "Service/a/b", "2099-01-31"), &two, &["--only", "KD701"]),
        (1, vec![]),
        "not asked"
    );
    let blind = without_sight(two.clone(), &["storageclasses"]);
    assert_eq!(
        state(entry("KD701", "StorageClass/x", "2099-01-31"), &blind, &[]),
        (3, vec![]),
        "could not look"
    );
    // One of several findings about one object.
    let one = entry("KD701", "\"StorageClass/local-path#several\"", "2099-01-31");
    assert_eq!(state(one, &two, &[]), (0, vec![]));
    let other = entry("KD701", "\"StorageClass/local-path#none\"", "2099-01-31");
    assert_eq!(state(other, &two, &[]), (1, vec!["unmatched false".into()]));
    for form in ["terminal", "markdown", "prometheus"] {
        desk.write("accepted.yaml", &file(&[entry("KD701", class, "2026-01-31")]));
        let out = desk.doctor(&two, &[ARGS, &["--no-redact", "-o", form]].concat()).out.replace('`', "");
        let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
        let told = match form {
            "prometheus" => "suppressions_unused{cluster=\"prod\",reason=\"expired\"} 1",
            _ => "ended on 2026-01-31: the finding counts again",
        };
        assert!(flat.contains(told), "{form}: {out}");
    }
}

#[test]
fn a_redacted_report_gives_neither_names_nor_reasons_away() {
    let desk = Desk::new();
    let broken: Value =
        serde_json::from_str(&cluster("kd110/agent").to_string().replace("\"k3\"", "\"jupiter-3\"")).unwrap();
    let used = entry("KD110", "Node/jupiter-3", "2099-12-31");
    desk.write("accepted.yaml", &file(&[used, entry("KD110", "Node/saturn-4", "2099-12-31")]));
    let (open, _) = desk.report(&broken, ARGS);
    assert_eq!(
        (ids(&open["suppressed"]), &open["unused_suppressions"][0]["object"]),
        (vec!["KD110/Node/jupiter-3".into()], &json!("Node/saturn-4"))
    );
    for form in ["json", "markdown", "terminal", "html"] {
        let run = desk.doctor(&broken, &[ARGS, &["--redact", "-v", "-o", form]].concat());
        for secret in ["jupiter", "saturn", "vendor"] {
            assert!(!run.out.contains(secret), "{form}: {secret}\n{}", run.out);
        }
        assert!(run.out.contains("withheld"), "{form}: {}", run.out);
    }
    let (hidden, _) = desk.report(&broken, &[ARGS, &["--redact"]].concat());
    assert_eq!(hidden["summary"], open["summary"]);
}

/// What suppressions and comparisons rest on when a report is redacted.
#[test]
fn the_id_of_a_finding_under_pseudonyms_is_known_from_its_own() {
    let mut wrong = Vec::new();
    let incident = |case: &Case| case.fixture.name().starts_with("incidents/");
    let broken = CASES.iter().filter(|case| !case.report.findings.is_empty()).enumerate();
    for (_, case) in broken.filter(|(n, case)| n % 3 == 0 || incident(case)) {
        let facts = redact(case.facts.clone());
        let mut hidden: Vec<String> =
            engine::run(&facts, ALL).findings.iter().map(|f| f.id.clone()).collect();
        let named = Pseudonyms::of(&case.facts, Dictionary::of(&case.facts)).ids(&case.report.findings);
        let mut named: Vec<String> = named.into_values().collect();
        hidden.sort();
        named.sort();
        if hidden != named {
            wrong.push(format!("{}: {hidden:?} {named:?}", case.fixture.name()));
        }
    }
    none(wrong);
}
