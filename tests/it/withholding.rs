//! Every check × fixture × need × reason with that need missing: a check that could not look says so.

use std::collections::BTreeSet;

use kairos_doctor_checks::ALL;
use kairos_doctor_checks::engine::judge;
use kairos_doctor_checks::facts::{Gap, NEEDS, Why};
use kairos_doctor_checks::{Check, Finding, ObjectRef, Verdict};

use crate::cases::{CASES, Case, none};

#[test]
fn a_need_that_is_missing_is_named_or_was_not_needed() {
    let half = CASES.len() / 2;
    let (mut wrong, mut named) = std::thread::scope(|scope| {
        let first = scope.spawn(|| withhold(&CASES[..half]));
        let (mut wrong, mut named) = withhold(&CASES[half..]);
        let first = first.join().expect("its failures are returned, not thrown");
        wrong.extend(first.0);
        named.extend(first.1);
        (wrong, named)
    });
    for check in ALL {
        for need in check.needs.iter().filter(|need| !named.contains(&(check.code, need.key))) {
            wrong.push(format!(
                "{} declares {}, and misses it in no fixture: add one or drop it",
                check.code, need.key
            ));
        }
    }
    named.clear();
    none(wrong);
}

type Named = BTreeSet<(&'static str, &'static str)>;

fn withhold(cases: &[Case]) -> (Vec<String>, Named) {
    let mut wrong = Vec::new();
    let mut named = Named::new();
    for case in cases {
        for check in ALL {
            let whole = judge(&case.facts, check);
            for need in NEEDS {
                let declared = check.needs.contains(need);
                if case.facts.part(need).is_some_and(Result::is_err) {
                    continue; // missing already
                }
                // What was not declared cannot be read at all: one reason stands for all.
                for why in Why::ALL.into_iter().take(if declared { Why::ALL.len() } else { 1 }) {
                    let gap = Gap::new(need.key, why, "withheld");
                    let seen = judge(&case.facts.without(need, gap.clone()), check);
                    let names = seen.gaps.contains(&gap);
                    if names && declared {
                        named.insert((check.code, need.key));
                    }
                    if let Some(what) = fault(&whole, &seen, names) {
                        let at = (case.fixture.name(), check.code, need.key, why.as_str());
                        wrong.push(format!("{} {} without {} ({}): {what}", at.0, at.1, at.2, at.3));
                    }
                }
            }
        }
    }
    (wrong, named)
}

fn fault(whole: &Verdict, seen: &Verdict, names: bool) -> Option<String> {
    if !names {
        let same =
            whole.findings == seen.findings && whole.gaps == seen.gaps && whole.examined == seen.examined;
        return (!same).then(|| {
            let ids = |v: &Verdict| v.findings.iter().map(|f| f.says.clone()).collect::<Vec<_>>().join("; ");
            format!("no gap, and another verdict: `{}` was `{}`", ids(seen), ids(whole))
        });
    }
    if seen.gaps.iter().any(|gap| gap.detail.starts_with("a bug in ")) {
        return Some("it panics".into());
    }
    // A finding may get lost, and the check is then unknown; one about something that was fine is made up.
    let subjects: BTreeSet<&ObjectRef> = whole.findings.iter().map(|f| &f.subject).collect();
    let made_up = |f: &&Finding| {
        !subjects.contains(&f.subject) && f.confidence == kairos_doctor_checks::Confidence::Confirmed
    };
    seen.findings.iter().find(made_up).map(|f| format!("says `{}` only because it cannot look", f.says))
}

#[test]
fn nothing_that_is_missing_makes_a_check_healthy() {
    let mut wrong = Vec::new();
    for case in CASES.iter() {
        for check in ALL.iter().filter(|check| found(case, check)) {
            for need in check.needs {
                let seen =
                    judge(&case.facts.without(need, Gap::new(need.key, Why::Forbidden, "withheld")), check);
                if seen.findings.is_empty() && seen.gaps.is_empty() {
                    wrong.push(format!(
                        "{}: {} is healthy without {}",
                        case.fixture.name(),
                        check.code,
                        need.key
                    ));
                }
            }
        }
    }
    none(wrong);
}

fn found(case: &Case, check: &Check) -> bool {
    case.report.findings.iter().any(|f| f.check.code == check.code)
}
