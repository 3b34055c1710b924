//! A recorded cluster gives the report that the live one gave.

use kairos_doctor_checks::ALL;
use kairos_doctor_checks::engine;
use kairos_doctor_checks::facts::Facts;

use crate::cases::{CASES, all_of, none};

#[test]
fn a_bundle_gives_the_same_report_and_the_same_bundle() {
    let mut wrong = Vec::new();
    for case in CASES.iter() {
        let name = case.fixture.name();
        let bundle = case.facts.to_bundle();
        let text = serde_json::to_string(&bundle).expect("plain data");
        let back = Facts::from_bundle(&serde_json::from_str(&text).expect("just written"));
        let back = back.unwrap_or_else(|e| panic!("{name}: {e}"));
        if all_of(&engine::run(&back, ALL)) != all_of(&case.report) {
            wrong.push(format!("{name}: its bundle gives another report"));
        }
        if back.to_bundle() != bundle {
            wrong.push(format!("{name}: its bundle gives another bundle"));
        }
    }
    none(wrong);
}
