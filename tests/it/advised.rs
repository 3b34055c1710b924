//! Every finding on the list of `advice` is told what stands there.

use kairos_doctor_checks::engine::Ranked;
use kairos_doctor_checks::{Act, Step};

use crate::advice::ADVICE;
use crate::cases::{CASES, none};

#[test]
fn findings_advise_what_helps_and_nothing_that_harms() {
    let mut wrong = Vec::new();
    for (fixture, id, must, must_not) in ADVICE {
        let Some(case) = CASES.iter().find(|case| case.fixture.name() == *fixture) else {
            wrong.push(format!("{fixture}: no such fixture"));
            continue;
        };
        let Some(found) = case.report.findings.iter().find(|f| f.id == *id) else {
            wrong.push(format!("{fixture}: {id} is not found"));
            continue;
        };
        let text = text(found);
        for words in must.iter().filter(|words| !text.contains(**words)) {
            wrong.push(format!("{fixture}: {id} does not say `{words}` in\n{text}"));
        }
        for words in must_not.iter().filter(|words| text.contains(**words)) {
            wrong.push(format!("{fixture}: {id} says `{words}` in\n{text}"));
        }
    }
    none(wrong);
}

/// All that is said, a line each.
fn text(found: &Ranked) -> String {
    let finding = &found.finding;
    let step = |step: &Step| {
        let act = match &step.act {
            Act::Decide => String::new(),
            Act::Run(argv) => argv.join(" "),
            Act::Apply(object) => object.to_string(),
            Act::Write { place, snippet } => format!("{place}: {snippet}"),
        };
        format!("{} {} | {act}\n", step.hazard.as_deref().unwrap_or_default(), step.why)
    };
    let because = finding.because.as_deref().unwrap_or_default();
    format!("{}\n{because}\n{}", finding.says, finding.steps.iter().map(step).collect::<String>())
}
