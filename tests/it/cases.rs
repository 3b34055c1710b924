//! Every fixture, read and diagnosed once for all drivers.

use std::fmt::Write;
use std::sync::LazyLock;

use kairos_doctor::fixture::Fixture;
use kairos_doctor_checks::engine::{self, Report};
use kairos_doctor_checks::facts::Facts;
use kairos_doctor_checks::{ALL, Check, Confidence};
use serde_json::Value;

pub struct Case {
    pub fixture: Fixture,
    /// The objects as they are on the wire.
    pub bundle: Value,
    pub facts: Facts,
    pub report: Report,
}

pub static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let case = |fixture: Fixture| {
        let bundle = fixture.bundle();
        let facts = fixture.facts();
        let report = engine::run(&facts, ALL);
        Case { fixture, bundle, facts, report }
    };
    Fixture::all().into_iter().map(case).collect()
});

/// The fixtures of one check's folder: `kd301/…`.
pub fn of_check(check: &Check) -> impl Iterator<Item = &'static Case> {
    let folder = format!("{}/", check.code.to_lowercase());
    CASES.iter().filter(move |case| case.fixture.name().starts_with(&folder))
}

/// The lines of `expect` that a report would have.
pub fn outline(report: &Report) -> Vec<String> {
    let line = |f: &engine::Ranked| {
        let predicted = if f.finding.confidence == Confidence::Predicted { " predicted" } else { "" };
        format!("{}{} {}{predicted}", "  ".repeat(f.depth), f.id, f.severity.as_str())
    };
    report.findings.iter().map(line).collect()
}

/// All that a report says, for comparing two of them.
pub fn all_of(report: &Report) -> String {
    let mut out = format!("{:?} {:?} {:?}\n", report.generated_at, report.context, report.cluster);
    for f in &report.findings {
        let place = (f.rank, &f.id, f.severity, f.effective, f.depth, &f.caused_by, &f.explains);
        let _ = writeln!(out, "{place:?} {:?}", f.finding);
    }
    for c in &report.checks {
        let _ = writeln!(out, "{} {:?} {} {}", c.check.code, c.status, c.examined, c.detail);
    }
    for hidden in &report.gaps {
        let _ = writeln!(out, "{:?} {:?}", hidden.gap, hidden.hides);
    }
    out
}

/// Fails once, with everything that is wrong.
pub fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
