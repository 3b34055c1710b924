//! The cause graph: every declared cause explains something in some fixture.

use std::collections::BTreeSet;

use kairos_doctor_checks::ALL;

use crate::cases::{CASES, none};

#[test]
fn every_declared_cause_is_seen_to_explain() {
    let mut seen: BTreeSet<(&str, String)> = BTreeSet::new();
    for found in CASES.iter().flat_map(|case| &case.report.findings) {
        for cause in &found.caused_by {
            seen.insert((found.check.code, cause.split('/').next().unwrap_or_default().to_string()));
        }
    }
    let mut wrong = Vec::new();
    for check in ALL {
        for cause in check.caused_by {
            if !seen.contains(&(check.code, cause.code.to_string())) {
                wrong.push(format!("{} is explained by {} in no fixture", check.code, cause.code));
            }
        }
    }
    none(wrong);
}
