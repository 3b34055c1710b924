//! The exit status over form × severity × `--fail-on` × coverage.

use serde_json::Value;

use super::{Desk, cluster, without_sight};

const FORMS: [&str; 5] = ["terminal", "json", "markdown", "html", "prometheus"];
const LEVELS: [&str; 4] = ["info", "warning", "error", "critical"];

/// A cluster with one finding of that severity or none, the check that finds it, and the same cluster partly out of sight.
fn clusters() -> Vec<(Option<usize>, bool, Value, String)> {
    let mut all = Vec::new();
    for (level, fixture, code) in [
        (None, "healthy/hcm-cilium-3", "KD301"),
        (Some(0), "kd404/no-zone", "KD404"),
        (Some(1), "kd701/two", "KD701"),
        (Some(2), "kd603/no-grant", "KD603"),
        (Some(3), "kd301/gateway", "KD301"),
    ] {
        let checks = format!("{code},KD113");
        let blind = without_sight(cluster(fixture), &["apiservices"]);
        all.push((level, false, cluster(fixture), checks.clone()));
        all.push((level, true, blind, checks));
    }
    all
}

#[test]
fn the_exit_status_over_form_severity_fail_on_and_coverage() {
    let desk = Desk::new();
    let mut seen = std::collections::BTreeMap::new();
    for (level, blind, cluster, checks) in clusters() {
        let (report, _) = desk.report(&cluster, &["--only", &checks]);
        let found: Vec<&str> =
            report["findings"].as_array().unwrap().iter().map(|f| f["severity"].as_str().unwrap()).collect();
        assert_eq!(found, level.map(|level| LEVELS[level]).into_iter().collect::<Vec<_>>(), "{checks}");
        assert_eq!(report["summary"]["checks"]["unknown"], u64::from(blind), "{checks}");
        desk.write("earlier.json", &report.to_string());
        for (limit, name) in LEVELS.iter().enumerate() {
            let expected = match level.is_some_and(|level| level >= limit) {
                true => 1,
                false if blind => 3,
                false => 0,
            };
            // Compared with an empty first run everything is new; compared with itself nothing is.
            let first = ["--baseline", "@none.json", "--output-file", "json=@none.json"];
            let new = format!("new:{name}");
            for (args, expected) in [
                (vec!["--fail-on", name], expected),
                ([&["--fail-on", &new][..], &first].concat(), expected),
                (vec!["--fail-on", &new, "--baseline", "@earlier.json"], if blind { 3 } else { 0 }),
            ] {
                for form in FORMS {
                    let run = desk.doctor(&cluster, &[&["--only", &checks, "-o", form], &args[..]].concat());
                    assert_eq!(
                        (run.exit, run.err.as_str()),
                        (expected, ""),
                        "{level:?} {blind} {form} {args:?}"
                    );
                    *seen.entry(run.exit).or_insert(0) += 1;
                    let _ = std::fs::remove_file(desk.path("none.json"));
                }
            }
        }
        for form in FORMS {
            let run = desk.doctor(&cluster, &["--only", &checks, "-o", form, "--fail-on", "never"]);
            assert_eq!((run.exit, run.err.as_str()), (0, ""), "{level:?} {blind} {form} never");
        }
    }
    assert_eq!(seen.values().sum::<i32>(), 10 * 4 * 3 * 5);
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [0, 1, 3]);
}

#[test]
fn the_default_is_warning_and_new_means_from_warning_on() {
    let desk = Desk::new();
    let first = ["--baseline", "@none.json", "--output-file", "json=@none.json", "--fail-on", "new"];
    for (fixture, checks, exit) in [("kd404/no-zone", "KD404", 0), ("kd701/two", "KD701", 1)] {
        for args in [&[][..], &first] {
            let run = desk.doctor(&cluster(fixture), &[&["--only", checks], args].concat());
            assert_eq!(run.exit, exit, "{fixture} {args:?}");
            let _ = std::fs::remove_file(desk.path("none.json"));
        }
    }
}
