//! Neither the order of what was served nor the order of what was found shows in a report.

use kairos_doctor_checks::facts::Facts;
use kairos_doctor_checks::{ALL, Check, engine};
use serde_json::Value;

use crate::cases::{CASES, all_of, none};

#[test]
fn the_order_of_objects_does_not_matter() {
    let mut wrong = Vec::new();
    for case in CASES.iter() {
        let whole = all_of(&case.report);
        let mut bundle = case.bundle.clone();
        for round in 0..2 {
            for items in bundle["parts"].as_object_mut().into_iter().flat_map(|parts| parts.values_mut()) {
                let items = items.as_array_mut().expect("a part is a list");
                match round {
                    0 => items.reverse(),
                    _ if items.is_empty() => {}
                    _ => items.rotate_left(1),
                }
            }
            let facts = Facts::from_bundle(&bundle).expect("the same objects");
            if all_of(&engine::run(&facts, ALL)) != whole {
                wrong.push(format!("{}: another report in round {round}", case.fixture.name()));
            }
        }
    }
    none(wrong);
}

#[test]
fn the_order_of_checks_and_of_findings_does_not_matter() {
    let mut wrong = Vec::new();
    for case in CASES.iter() {
        let whole = all_of(&case.report);
        let mut checks: Vec<&'static Check> = ALL.to_vec();
        checks.reverse();
        if all_of(&engine::run(&case.facts, &checks)) != whole {
            wrong.push(format!("{}: another report with the checks reversed", case.fixture.name()));
        }
        let mut found: Vec<_> = case.report.findings.iter().map(|f| (f.check, f.finding.clone())).collect();
        for round in 0..found.len() {
            found.rotate_left(1);
            if round % 2 == 1 {
                found.reverse();
            }
            let ids = |ranked: &[engine::Ranked]| {
                ranked.iter().map(|f| (f.id.clone(), f.depth, f.explains.clone())).collect::<Vec<_>>()
            };
            if ids(&engine::rank(found.clone())) != ids(&case.report.findings) {
                wrong.push(format!("{}: another order of findings in round {round}", case.fixture.name()));
            }
        }
    }
    none(wrong);
}

#[test]
fn a_part_is_a_list() {
    for case in CASES.iter() {
        assert!(case.bundle["parts"].as_object().is_some_and(|parts| parts.values().all(Value::is_array)));
    }
}
