//! What a run with a fault may say, in view of what was said without it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kairos_doctor_checks::{ALL, Check};
use kairos_doctor_simulator::{Fault, Options};
use serde_json::Value;

use super::cell::{Cell, Then, Who};
use super::runs::{Run, against};

/// More memory than this no fault may cost.
const MOST_MEMORY: u64 = 150 * 1024 * 1024;
/// Longer no sentence is.
const LONGEST: usize = 400;

/// A cluster without faults.
pub struct Baseline {
    pub fixture: &'static str,
    status: BTreeMap<String, String>,
    findings: BTreeSet<Found>,
}

/// One finding: its identity, check, severity, confidence and sentence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    id: String,
    code: String,
    rest: [String; 3],
}

impl Baseline {
    pub fn of(fixture: &'static str) -> Baseline {
        let run = against(fixture, Options::default(), Duration::from_secs(30));
        assert!(matches!(run.exit, Some(0 | 1)), "{fixture}: {}", run.err);
        Baseline { fixture, status: statuses(&run.report), findings: findings(&run.report) }
    }

    /// What is wrong with a run, a line each.
    pub fn objections(&self, cell: &Cell, run: &Run) -> Vec<String> {
        let mut all = Vec::new();
        let mut object = |text: String| all.push(format!("{} in {}: {text}", cell.name(), self.fixture));
        if run.report.is_null() {
            object(format!("exit {:?} and no report: {}", run.exit, run.err));
            return all;
        }
        if run.err.contains("panicked") || run.err.contains("bug") {
            object(format!("a bug: {}", run.err));
        }
        if run.peak > MOST_MEMORY {
            object(format!("took {} MiB", run.peak >> 20));
        }
        if run.exit != Some(exit_of(&run.report)) {
            object(format!("exit {:?}, and its report says {}", run.exit, exit_of(&run.report)));
        }
        let (status, found) = (statuses(&run.report), findings(&run.report));
        for check in ALL {
            let (before, now) = (&self.status[check.code], &status[check.code]);
            let seen = !touched(check, cell.who) || cell.then == Then::Whole;
            if seen && before != now {
                object(format!(
                    "{} was {before} and is {now}, though all that it needs is there",
                    check.code
                ));
            }
            // Another certificate in its place may lack nothing.
            let replaced =
                is_of_the_fault(cell.who, check.code) && matches!(cell.fault, Fault::Certificate(_));
            if before == "found" && !matches!(now.as_str(), "found" | "unknown") && !replaced {
                object(format!("{} was found and is {now}", check.code));
            }
            let of = |all: &BTreeSet<Found>| -> Vec<Found> {
                all.iter().filter(|f| f.code == check.code).cloned().collect()
            };
            if seen && of(&self.findings) != of(&found) {
                object(format!("{} finds something else: {:?}", check.code, of(&found)));
            }
        }
        let known: BTreeSet<&String> = self.findings.iter().map(|f| &f.id).collect();
        for new in found.iter().filter(|f| !known.contains(&f.id) && !is_of_the_fault(cell.who, &f.code)) {
            object(format!("a false alarm: {} {:?}", new.id, new.rest));
        }
        match cell.then {
            Then::Whole => {
                if !run.report["gaps"].as_array().is_some_and(Vec::is_empty) {
                    object(format!("something is missing: {}", run.report["gaps"]));
                }
            }
            Then::Says(words) | Then::Finds(words) => match sentence(cell, &run.report) {
                None => object("nothing names the fault".into()),
                Some((sentence, remedy)) => {
                    if !sentence.contains(words) {
                        object(format!("`{words}` is not in: {sentence}"));
                    }
                    if sentence.contains('\n') || sentence.chars().count() > LONGEST {
                        object(format!("this is no sentence: {sentence}"));
                    }
                    if remedy.is_empty() {
                        object(format!("no remedy: {sentence}"));
                    }
                    if run.exit == Some(0) {
                        object("exit 0, and something was not seen".into());
                    }
                }
            },
        }
        all
    }
}

/// The sentence that names the fault, and what to do about it.
pub fn sentence(cell: &Cell, report: &Value) -> Option<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    if let Then::Finds(words) = cell.then {
        let findings = report["findings"].as_array()?;
        let of_it =
            || findings.iter().filter(|f| is_of_the_fault(cell.who, f["code"].as_str().unwrap_or_default()));
        // Other things may be wrong with it as well.
        let finding = of_it().find(|f| text(&f["says"]).contains(words)).or_else(|| of_it().next())?;
        let detail = finding["evidence"].as_array()?.iter().find(|e| e["path"] == "detail");
        let detail = detail.map(|e| format!(": {}", text(&e["value"]))).unwrap_or_default();
        let remedy = text(&finding["fix"][0]["why"]);
        return Some((format!("{}{detail}", text(&finding["says"])), remedy));
    }
    let gaps = report["gaps"].as_array()?;
    let of_it = || gaps.iter().filter(|g| cell.who.is_named_by(g["need"].as_str().unwrap_or_default()));
    // One thing can show in several ways; it is enough that one of them names it.
    let named = |g: &&Value| matches!(cell.then, Then::Says(words) if text(&g["detail"]).contains(words));
    let gap = of_it().find(named).or_else(|| of_it().next())?;
    Some((text(&gap["detail"]), text(&gap["remedy"])))
}

/// Checks that speak of the fault itself.
fn is_of_the_fault(who: Who, code: &str) -> bool {
    match who {
        Who::Kubernetes => code == "KD100",
        Who::Kubelets | Who::OneKubelet => matches!(code, "KD110" | "KD112"),
        _ => false,
    }
}

/// Something that the check needs is, or may be, out of sight.
fn touched(check: &Check, who: Who) -> bool {
    // Whose project it is, is said by nodes and servers.
    let hetzner = check.needs.iter().any(|need| need.source() == "hcloud");
    let project = hetzner && matches!(who, Who::Servers | Who::Hetzner);
    project || check.needs.iter().any(|need| who.touches(need))
}

fn exit_of(report: &Value) -> i32 {
    let severe = |f: &Value| f["severity"] != "info";
    if report["findings"].as_array().is_some_and(|all| all.iter().any(severe)) {
        1
    } else if statuses(report).values().any(|status| status == "unknown") {
        3
    } else {
        0
    }
}

fn statuses(report: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().expect("it is text").to_string();
    let checks = report["checks"].as_array().expect("a report has checks");
    checks.iter().map(|c| (text(&c["code"]), text(&c["status"]))).collect()
}

fn findings(report: &Value) -> BTreeSet<Found> {
    let text = |value: &Value| value.as_str().expect("it is text").to_string();
    let all = report["findings"].as_array().expect("a report has findings").iter();
    let found = |f: &Value| Found {
        id: text(&f["id"]),
        code: text(&f["code"]),
        rest: ["severity", "confidence", "says"].map(|key| text(&f[key])),
    };
    all.map(found).collect()
}
