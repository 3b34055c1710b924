//! A recorded cluster gives the report that the live one gave.

use kairos_doctor::redact::redact;
use kairos_doctor_checks::ALL;
use kairos_doctor_checks::engine;
use kairos_doctor_checks::facts::kubernetes::Node;
use kairos_doctor_checks::facts::{Document, FORMAT, Facts};
use serde_json::{Value, json};

use crate::cases::{CASES, all_of, none};

#[test]
fn a_bundle_gives_the_same_report_and_the_same_bundle() {
    let mut wrong = Vec::new();
    for case in CASES.iter() {
        let name = case.fixture.name();
        let bundle = case.facts.to_bundle();
        let text = serde_json::to_string(&case.facts.bundle()).expect("plain data");
        let sorted = bundle.to_string();
        if text != sorted {
            wrong.push(format!("{name}: it is written in another order than a value has"));
        }
        let back: Document = serde_json::from_reader(text.as_bytes()).expect("just written");
        let back = back.facts.unwrap_or_else(|e| panic!("{name}: {e}"));
        if all_of(&engine::run(&back, ALL)) != all_of(&case.report) {
            wrong.push(format!("{name}: its bundle gives another report"));
        }
        if back.to_bundle() != bundle {
            wrong.push(format!("{name}: its bundle gives another bundle"));
        }
    }
    none(wrong);
}

/// However many there are, in any order, and one that stands there twice.
#[test]
fn objects_are_sorted_and_one_of_each() {
    for count in [0, 1, 127, 128, 129, 256, 257] {
        let node = |number: usize| json!({"metadata": {"name": format!("n{number:03}")}});
        let mut nodes: Vec<Value> = (0..count).rev().map(node).collect();
        nodes.extend(nodes.first().cloned());
        let bundle = json!({"format": FORMAT, "now": "2026-11-23T09:00:00Z", "parts": {"nodes": nodes}});
        let facts = Facts::from_bundle(&bundle).unwrap();
        let names: Vec<&str> = facts.all::<Node>().unwrap().iter().map(Node::name).collect();
        assert_eq!(names, (0..count).map(|number| format!("n{number:03}")).collect::<Vec<_>>());
        let hidden = redact(facts);
        assert_eq!(hidden.all::<Node>().unwrap().len(), count);
        assert!(hidden.all::<Node>().unwrap().iter().all(|node| node.name().starts_with("node-")));
    }
}
