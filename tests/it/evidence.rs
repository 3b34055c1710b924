//! What a finding shows stands in the cluster: each (object, path) resolves, on the wire, to the value it states.

use kairos_doctor_checks::facts::{NEEDS, path};
use kairos_doctor_checks::{Evidence, ObjectRef};
use serde_json::Value;

use crate::cases::{CASES, Case, none};

#[test]
fn every_piece_of_evidence_is_in_the_fixture() {
    let mut wrong = Vec::new();
    for case in CASES.iter() {
        for found in &case.report.findings {
            if found.finding.evidence.is_empty() {
                wrong.push(format!("{}: {} shows nothing", case.fixture.name(), found.id));
            }
            for evidence in &found.finding.evidence {
                let at =
                    format!("{}: {}: {} {}", case.fixture.name(), found.id, evidence.source, evidence.path);
                match object(case, &evidence.source) {
                    None => wrong.push(format!("{at}: no such object")),
                    Some(object) if !states(object, evidence) => {
                        let is = path::resolve(object, &evidence.path);
                        wrong.push(format!("{at}: states {:?}, is {is:?}", evidence.value));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    none(wrong);
}

/// The object on the wire. Its reference is taken from the facts, which keep the order of names and not of the wire.
fn object<'a>(case: &'a Case, source: &ObjectRef) -> Option<&'a Value> {
    let parts = case.bundle["parts"].as_object()?;
    parts.iter().find_map(|(key, items)| {
        let need = NEEDS.iter().find(|need| need.key == key)?;
        items.as_array()?.iter().find(|item| {
            let Ok(part) = need.load(&Value::Array(vec![(*item).clone()])) else { return false };
            need.references(&part).first() == Some(source)
        })
    })
}

/// The value itself; of structures every field that is stated.
fn states(object: &Value, evidence: &Evidence) -> bool {
    let is = path::resolve(object, &evidence.path);
    let stated = evidence.value.as_ref().map(|value| value.as_str());
    if is.as_deref() == stated {
        return true;
    }
    let json =
        |text: &str| serde_json::from_str::<Value>(text).ok().filter(|v| v.is_object() || v.is_array());
    match (is.as_deref().and_then(json), stated.and_then(json)) {
        (Some(is), Some(stated)) => crate::drift::keeps(&stated, &is, "").is_ok(),
        _ => false,
    }
}

#[test]
fn headlines_are_one_line() {
    let mut wrong = Vec::new();
    for case in CASES.iter() {
        for found in &case.report.findings {
            let says = &found.finding.says;
            if says.chars().count() > 100 || says.ends_with('.') || says.contains('\n') {
                wrong.push(format!("{}: {} columns: {says}", case.fixture.name(), says.chars().count()));
            }
        }
    }
    none(wrong);
}

#[test]
fn every_finding_says_what_to_do_and_how_to_see_that_it_worked() {
    let mut wrong = Vec::new();
    for case in CASES.iter() {
        for found in &case.report.findings {
            if found.finding.steps.is_empty() || found.finding.verify.is_empty() {
                wrong.push(format!("{}: {} leaves the reader alone", case.fixture.name(), found.id));
            }
        }
    }
    none(wrong);
}
