//! Every fixture through all checks: the complete findings, nothing else, and each leaf of a change matters.

use kairos_doctor::fixture::Fixture;
use kairos_doctor_checks::ALL;
use kairos_doctor_checks::engine::{self, Report, Status};
use serde_json::{Map, Value};

use crate::cases::{CASES, Case, all_of, none, of_check, outline};

#[test]
fn every_fixture_gives_its_findings_in_their_order_and_no_other() {
    let mut wrong = Vec::new();
    for case in CASES.iter() {
        let line = |e: kairos_doctor::fixture::Expected| {
            let predicted = if e.predicted { " predicted" } else { "" };
            format!("{}{} {}{predicted}", "  ".repeat(e.depth), e.id, e.severity)
        };
        let expected: Vec<String> = case.fixture.expect().into_iter().map(line).collect();
        let found = outline(&case.report);
        if expected != found {
            let (name, found) = (case.fixture.name(), found.join("\n  - "));
            wrong.push(format!("{name} expects\n  - {}\n gives\n  - {found}", expected.join("\n  - ")));
        }
        // What it is no case of may be a case of another check.
        let own = case.fixture.name().split('/').next().unwrap_or_default().to_uppercase();
        if case.fixture.is_quiet() && expected.iter().any(|line| line.trim_start().starts_with(&own)) {
            wrong
                .push(format!("{}: a near miss that expects findings of its own check", case.fixture.name()));
        }
    }
    none(wrong);
}

#[test]
fn every_check_is_healthy_with_something_examined_in_some_healthy_cluster() {
    let healthy: Vec<&Case> = CASES.iter().filter(|c| c.fixture.name().starts_with("healthy/")).collect();
    let mut wrong = Vec::new();
    for check in ALL {
        let status = |case: &&&Case| {
            let checked = case.report.checks.iter().find(|c| c.check.code == check.code);
            checked.is_some_and(|c| c.status == Status::Healthy && c.examined > 0)
        };
        if healthy.iter().find(status).is_none() {
            wrong.push(format!("{} is healthy in no healthy cluster", check.code));
        }
    }
    for case in healthy {
        for checked in &case.report.checks {
            if !matches!(checked.status, Status::Healthy | Status::NotApplicable) {
                let (code, detail) = (checked.check.code, &checked.detail);
                wrong.push(format!("{}: {code} is {:?}: {detail}", case.fixture.name(), checked.status));
            }
        }
    }
    none(wrong);
}

#[test]
fn a_doctor_that_is_blind_says_so() {
    let mut wrong = Vec::new();
    for case in CASES.iter().filter(|case| case.fixture.name().starts_with("blind/")) {
        if case.report.count_status(Status::Unknown) == 0 || case.report.gaps.is_empty() {
            wrong.push(format!("{}: nothing is unknown", case.fixture.name()));
        }
    }
    none(wrong);
}

#[test]
fn every_check_has_a_firing_fixture_and_a_near_miss() {
    let mut wrong = Vec::new();
    for check in ALL {
        let own = |report: &Report| report.findings.iter().any(|f| f.check.code == check.code);
        if !of_check(check).any(|c| !c.fixture.is_quiet() && own(&c.report)) {
            wrong.push(format!("{}: no fixture in which it finds something", check.code));
        }
        if !of_check(check).any(|c| c.fixture.is_quiet() && !own(&c.report)) {
            wrong.push(format!("{}: no near miss", check.code));
        }
    }
    none(wrong);
}

#[test]
fn undoing_any_leaf_of_a_change_changes_the_result() {
    let mut wrong = Vec::new();
    for case in firing().filter(|c| !c.fixture.is_quiet()) {
        let whole = all_of(&case.report);
        for leaf in leaves(&case.fixture) {
            let undone = engine::run(&without(&case.fixture, &[&leaf]).facts(), ALL);
            if all_of(&undone) == whole {
                wrong.push(format!("{}: {} makes no difference", case.fixture.name(), leaf.join(" › ")));
            }
        }
    }
    none(wrong);
}

/// Of a near miss not every leaf matters by itself (a load balancer that is healthy anyway), but it is one or two leaves
/// away from a finding of its own check.
#[test]
fn a_near_miss_is_near() {
    let mut wrong = Vec::new();
    for case in firing().filter(|c| c.fixture.is_quiet()) {
        let code = case.fixture.name().split('/').next().unwrap_or_default().to_uppercase();
        let fires = |undo: &[&Vec<String>]| {
            let report = engine::run(&without(&case.fixture, undo).facts(), ALL);
            report.findings.iter().any(|f| f.check.code == code)
        };
        let leaves = leaves(&case.fixture);
        let one = leaves.iter().any(|leaf| fires(&[leaf]));
        let pairs = leaves.iter().enumerate().flat_map(|(i, a)| leaves[i + 1..].iter().map(move |b| (a, b)));
        if !one && !pairs.into_iter().any(|(a, b)| fires(&[a, b])) {
            wrong.push(format!("{}: {code} is more than two leaves away", case.fixture.name()));
        }
    }
    none(wrong);
}

#[test]
fn healing_clears_the_roots_and_brings_nothing_new() {
    let mut wrong = Vec::new();
    for case in CASES.iter().filter(|case| case.fixture.heals()) {
        let healed = engine::run(&case.fixture.healed(), ALL);
        let before: Vec<&String> = case.report.findings.iter().map(|f| &f.id).collect();
        for f in &healed.findings {
            let root = case.report.roots().any(|root| root.id == f.id);
            if root || !before.contains(&&f.id) {
                wrong.push(format!("{}: healed, and yet {}: {}", case.fixture.name(), f.id, f.finding.says));
            }
        }
    }
    none(wrong);
}

fn firing() -> impl Iterator<Item = &'static Case> {
    CASES.iter().filter(|case| case.fixture.name().starts_with("kd"))
}

/// The places in a change where something is set. An object that the change brings is one leaf: it is written whole.
fn leaves(fixture: &Fixture) -> Vec<Vec<String>> {
    fn below(value: &Value, way: &mut Vec<String>, leaves: &mut Vec<Vec<String>>) {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                for (key, value) in fields {
                    way.push(key.clone());
                    below(value, way, leaves);
                    way.pop();
                }
            }
            _ => leaves.push(way.clone()),
        }
    }
    let mut all = Vec::new();
    for (part, objects) in fixture.change() {
        for (name, patch) in objects.as_object().into_iter().flatten() {
            let mut way = vec![part.clone(), name.clone()];
            if patch.is_null() || fixture.is_new(part, name) {
                all.push(way);
            } else {
                below(patch, &mut way, &mut all);
            }
        }
    }
    all
}

fn without(fixture: &Fixture, leaves: &[&Vec<String>]) -> Fixture {
    fn remove(fields: &mut Map<String, Value>, way: &[String]) {
        match way {
            [] => {}
            [last] => drop(fields.remove(last)),
            [first, rest @ ..] => {
                if let Some(inner) = fields.get_mut(first).and_then(Value::as_object_mut) {
                    remove(inner, rest);
                }
            }
        }
    }
    let mut change = fixture.change().clone();
    for leaf in leaves {
        remove(&mut change, leaf);
    }
    fixture.with_change(change)
}

/// What Hetzner or the cluster has not said yet is neither healthy nor a finding.
#[test]
fn what_nobody_has_said_yet_is_unknown() {
    let mut wrong = Vec::new();
    for (name, code) in [
        ("kd304/never-judged", "KD304"),
        ("kd110/no-address", "KD110"),
        ("kd101/unproven", "KD101"),
        ("kd101/robot", "KD101"),
        ("kd102/unknown-network", "KD102"),
        ("kd105/drop-in", "KD105"),
        ("kd105/no-args", "KD105"),
        ("kd113/not-said", "KD113"),
        ("kd601/labels-unread", "KD601"),
        ("kd807/no-args", "KD807"),
    ] {
        let case = CASES.iter().find(|case| case.fixture.name() == name).expect("the fixture is there");
        let checked = case.report.checks.iter().find(|c| c.check.code == code).expect("the check ran");
        if checked.status != Status::Unknown {
            wrong.push(format!("{name}: {code} is {:?}: {}", checked.status, checked.detail));
        }
    }
    none(wrong);
}
