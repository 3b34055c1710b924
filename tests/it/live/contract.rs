//! The command line and the JSON are contracts: exit status, streams, filters, forms.

use std::process::Stdio;

use kairos_doctor_simulator::Options;

use super::{Cluster, bare, drawn, run};

#[test]
fn the_exit_status_is_the_same_in_every_form_and_follows_fail_on() {
    for (fixture, statuses) in [
        ("incidents/field-report", [1, 1, 1, 1, 0]),
        ("healthy/hcm-only-1", [0, 0, 0, 0, 0]),
        ("blind/no-token", [3, 3, 3, 3, 0]),
    ] {
        let cluster = Cluster::of("healthy/hcm-only-1", Options::default());
        let bundle = kairos_doctor::fixture::Fixture::named(fixture).unwrap().bundle();
        let path = cluster.file("case.json");
        std::fs::write(&path, bundle.to_string()).unwrap();
        let from = path.to_str().unwrap();
        for form in ["terminal", "json", "markdown", "html"] {
            for (level, status) in ["info", "warning", "error", "critical", "never"].into_iter().zip(statuses)
            {
                let run = run(bare(&["--from", from, "-o", form, "--fail-on", level]));
                assert_eq!(run.exit, status, "{fixture} {form} {level}: {}", run.err);
                assert_eq!(run.err, "", "{fixture} {form} {level}");
            }
        }
    }
}

#[test]
fn what_could_not_be_attempted_leaves_stdout_empty() {
    let cluster = Cluster::of("healthy/hcm-only-1", Options::default());
    for (args, words) in [
        (&["--only", "nonsense"][..], "nonsense"),
        (&["--only", "KD301", "--skip", "KD301"], "no check"),
        (&["--from", "/nonexistent.json"], "/nonexistent.json"),
        (&["--context", "other"], "other"),
        (&["--kubeconfig", "/nonexistent"], "/nonexistent"),
        (&["--hcloud-token-file", "/nonexistent"], "/nonexistent"),
        (&["--timeout", "soon"], "30s"),
        (&["--output-file", "json"], "FORMAT=PATH"),
        (&["--from", "x.json", "--no-hetzner"], "--no-hetzner"),
        (&["explain", "KD999"], "KD999"),
        (&["demo", "nonsense"], "field-report"),
    ] {
        let run = cluster.doctor(args);
        assert_eq!((run.exit, run.out.as_str()), (2, ""), "{args:?}");
        assert!(run.err.contains(words), "{args:?}: {}", run.err);
        assert!(!run.err.contains("panicked"), "{args:?}: {}", run.err);
    }
}

#[test]
fn only_and_skip_take_codes_slugs_and_areas() {
    let demo = |args: &[&str]| run(bare(&[&["demo", "-o", "json"], args].concat())).json();
    let all: Vec<String> = demo(&[])["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["code"].as_str().unwrap().to_string())
        .collect();
    assert_eq!(all.len(), kairos_doctor_checks::ALL.len());
    let of = |keep: &dyn Fn(&str) -> bool| -> Vec<&str> {
        let kept = kairos_doctor_checks::ALL.iter().filter(|check| keep(check.area()));
        kept.map(|check| check.code).collect()
    };
    for (args, expected) in [
        (["--only", "KD300,KD301,KD304"], vec!["KD300", "KD301", "KD304"]),
        (["--only", "load-balancers"], of(&|area| area == "load-balancers")),
        (["--skip", "nodes"], of(&|area| area != "nodes")),
    ] {
        let report = demo(&args);
        let codes: Vec<_> =
            report["checks"].as_array().unwrap().iter().map(|c| c["code"].as_str().unwrap()).collect();
        assert_eq!(codes, expected, "{args:?}");
    }
    assert_eq!(drawn(&demo(&["--only", "load-balancer-address"])).len(), 1);
}

#[test]
fn min_severity_hides_and_counts_but_does_not_change_the_exit_status() {
    let all = run(bare(&["demo", "-o", "json", "--fail-on", "warning"]));
    let some = run(bare(&["demo", "-o", "json", "--fail-on", "warning", "--min-severity", "critical"]));
    assert_eq!(all.exit, some.exit);
    let (all, some) = (all.json(), some.json());
    assert_eq!(all["summary"]["findings"], some["summary"]["findings"]);
    let shown = some["findings"].as_array().unwrap().len() as u64;
    assert_eq!(
        shown + some["summary"]["hidden"].as_u64().unwrap(),
        all["findings"].as_array().unwrap().len() as u64
    );
}

#[test]
fn the_same_report_goes_to_files_and_to_stdout() {
    let cluster = Cluster::of("incidents/field-report", Options::default());
    let file = cluster.file("report.json");
    let run = cluster.doctor(&["-o", "json", "--output-file", &format!("json={}", file.display())]);
    assert_eq!(std::fs::read_to_string(file).unwrap(), run.out);
}

#[test]
fn a_recording_goes_to_stdout_too_and_a_file_of_it_is_its_owners() {
    use std::os::unix::fs::PermissionsExt;
    let cluster = Cluster::of("healthy/hcm-only-1", Options::default());
    let run = cluster.doctor(&["collect", "--no-redact", "-o", "-"]);
    assert_eq!((run.exit, run.json()["format"].as_str()), (0, Some("kairos-doctor/bundle/v1")));
    let (_, path) = cluster.collected(&[]);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o077, 0);
}

#[test]
fn the_schema_that_is_published_is_the_one_of_the_program() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/report-v1.schema.json");
    let schema = kairos_doctor::report::json::schema();
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(path, &schema).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        schema,
        "UPDATE_GENERATED=1 cargo test writes it anew"
    );
}

#[test]
fn nobody_who_reads_standard_error_is_no_crash() {
    let mut child =
        bare(&["--kubeconfig", "/nonexistent"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

/// Half a character of UTF-16 is more than the parser of kubeconfigs can bear.
#[test]
fn a_crash_is_not_taken_for_an_answer() {
    let path = std::env::temp_dir().join(format!("kairos-doctor-utf16-{}", std::process::id()));
    std::fs::write(&path, [0xff, 0xfe, 0]).unwrap();
    let run = run(bare(&["--kubeconfig", path.to_str().unwrap()]));
    std::fs::remove_file(&path).unwrap();
    assert_eq!((run.exit, &*run.out), (2, ""), "{}", run.err);
}

#[test]
fn a_reader_that_goes_away_is_a_quiet_end() {
    let mut command = bare(&["demo", "-v"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn colour_is_only_where_it_is_asked_for() {
    let escape = |args: &[&str]| run(bare(args)).out.contains('\u{1b}');
    assert!(!escape(&["demo"]));
    assert!(escape(&["demo", "--color", "always"]));
    assert!(!escape(&["demo", "-o", "json", "--color", "always"]));
    assert!(!escape(&["demo", "-o", "markdown", "--color", "always"]));
}

#[test]
fn every_check_is_listed_and_explained() {
    let list = run(bare(&["checks"])).out;
    let json = run(bare(&["checks", "-o", "json"])).json();
    for (check, listed) in kairos_doctor_checks::ALL.iter().zip(json.as_array().unwrap()) {
        assert!(list.contains(check.code) && list.contains(check.slug), "{list}");
        assert_eq!(listed["code"], check.code);
        for key in ["slug", "area", "title", "severity", "needs", "caused_by"] {
            assert!(!listed[key].is_null(), "{key} of {listed}");
        }
        for name in [check.code, check.slug] {
            let page = run(bare(&["explain", name]));
            assert_eq!(page.exit, 0);
            assert!(page.out.starts_with(&format!(
                "{} {} · {}",
                check.code,
                check.slug,
                check.severity.as_str()
            )));
        }
    }
    let near = run(bare(&["explain", "load-balancer-locatoin"]));
    assert!(near.exit == 2 && near.err.contains("load-balancer-location"), "{}", near.err);
}

#[test]
fn completions_and_the_manual_page_are_there() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(run(bare(&["completions", shell])).out.contains("kairos-doctor"), "{shell}");
    }
    let man = run(bare(&["man"])).out;
    for word in ["fail\\-on", "hcloud\\-context", "EXIT STATUS"] {
        assert!(man.contains(word), "{word}");
    }
}
