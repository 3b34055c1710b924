//! One root finding, open or folded.

use kairos_doctor_checks::engine::{Ranked, Report};
use kairos_doctor_checks::{Act, Changes, Confidence, Step, When};

use super::escape::{Place, code, fenced, sentence};
use crate::report::group::{Group, alike};
use crate::report::words::{self, cut, listed, spoken};
use crate::report::{View, command, since, yaml};

/// How much is shown of lists and values.
const FACTS: usize = 16;
const VALUE: usize = 400;
const NAMES: usize = 30;
/// How long a sentence may be, and a command or snippet; and how many steps are told.
const SENTENCE: usize = 1000;
const BLOCK: usize = 3000;
const STEPS: usize = 12;
/// Commands are scrolled here and not wrapped by the reader, but a line of this width needs no scrolling.
const WIDTH: usize = 100;

pub fn confidence(ranked: &Ranked) -> &'static str {
    match ranked.finding.confidence {
        Confidence::Confirmed => "confirmed",
        Confidence::Predicted => "predicted",
    }
}

/// A root and what it explains, with its evidence or without.
pub fn told(report: &Report, group: &Group, view: &View, open: bool, with_evidence: bool) -> String {
    let mut out = String::new();
    let root = group.root;
    let more =
        if group.others.is_empty() { String::new() } else { format!(" (and {})", group.others_counted()) };
    let (code, severity) = (root.check.code, root.effective.as_str());
    let says = format!("{}{}", since::mark(group, view), cut(&root.finding.says, VALUE));
    if open {
        out.push_str(&format!("#### {code} {severity}: {}{more}\n\n", sentence(&says, Place::Prose)));
    } else {
        let says = sentence(&says, Place::Html);
        out.push_str(&format!("<details>\n<summary><b>{code}</b> {severity}: {says}{more}</summary>\n\n"));
    }
    body(&mut out, report, group, view, with_evidence);
    if !open {
        out.push_str("</details>\n\n");
    }
    out
}

fn body(out: &mut String, report: &Report, group: &Group, view: &View, with_evidence: bool) {
    let finding = &group.root.finding;
    if let Some(because) = &finding.because {
        out.push_str(&format!("{}\n\n", sentence(&cut(because, SENTENCE), Place::Prose)));
    }
    for remark in since::remarks(group, view) {
        out.push_str(&format!("{}\n\n", sentence(&remark, Place::Prose)));
    }
    if finding.confidence == Confidence::Predicted && !group.is_shown_by_effects() {
        out.push_str("Predicted from the configuration: nothing has shown it yet.\n\n");
    }
    if let Some(deadline) = finding.deadline {
        out.push_str(&format!("Until {}.\n\n", words::deadline(deadline, report.generated_at)));
    }
    let of = |when: When| finding.steps.iter().filter(move |step| step.when == when);
    steps(out, report, "Now", of(When::Now).collect());
    for verify in finding.verify.iter().take(STEPS) {
        out.push_str(&format!(
            "**Verify:** {}\n\n",
            sentence(&cut(&words::expected(&verify.expect), SENTENCE), Place::Prose)
        ));
        block(out, "sh", &command::wrapped(&command::argv(&verify.argv, report), WIDTH, 0));
    }
    more(out, finding.verify.len(), "verification");
    steps(out, report, "For good", of(When::ForGood).collect());
    if !group.others.is_empty() {
        let names = listed(&group.other_names(), NAMES);
        let text = format!(
            "{}: {names}. The same fault and the same fix, each with its own names",
            group.others_counted()
        );
        out.push_str(&format!("**Also** {}.\n\n", sentence(&text, Place::Prose)));
    }
    if with_evidence {
        evidence(out, report, group.root);
    }
    let parts = since::apart(&group.beneath, view);
    let rows = parts.iter().flat_map(|(mark, part)| alike(part).into_iter().map(move |row| (mark, row)));
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        out.push_str("**Explains**\n\n");
    }
    for (mark, (first, names)) in rows.iter().take(FACTS) {
        let same =
            if names.is_empty() { String::new() } else { format!(" (the same: {})", listed(names, NAMES)) };
        let text = format!("{mark}{}{same}", cut(&first.finding.says, VALUE));
        out.push_str(&format!("- {}: {}\n", first.check.code, sentence(&text, Place::Prose)));
    }
    if rows.len() > FACTS {
        out.push_str(&format!("- and {} more\n", rows.len() - FACTS));
    }
    if !rows.is_empty() {
        out.push('\n');
    }
    out.push_str(&format!("More: `kairos-doctor explain {}`\n\n", group.root.check.code));
}

fn steps(out: &mut String, report: &Report, title: &str, steps: Vec<&Step>) {
    for (i, step) in steps.iter().take(STEPS).enumerate() {
        let title = if steps.len() > 1 { format!("{title}, {}", i + 1) } else { title.to_string() };
        let why = match (&step.act, step.changes) {
            (Act::Decide, _) => format!("decide: {}", cut(&step.why, SENTENCE)),
            (Act::Run(_), Changes::Nothing) => format!("{} (changes nothing)", cut(&step.why, SENTENCE)),
            _ => cut(&step.why, SENTENCE),
        };
        let hazard = step.hazard.as_ref();
        let hazard = hazard
            .map(|hazard| format!("> **Careful:** {}\n\n", sentence(&cut(hazard, SENTENCE), Place::Prose)));
        let hazard = hazard.unwrap_or_default();
        let why = format!("**{title}:** {}\n\n", sentence(&why, Place::Prose));
        // What is to be decided is in the sentence itself, so the hazard stands above that.
        out.push_str(&if step.act == Act::Decide { hazard + &why } else { why + &hazard });
        match &step.act {
            Act::Decide => {}
            Act::Write { place, snippet } => {
                let lines: Vec<String> = yaml::text(snippet).lines().map(str::to_string).collect();
                out.push_str(&format!("In {}:\n\n", sentence(&cut(place, VALUE), Place::Prose)));
                block(out, "yaml", &lines);
            }
            act => block(out, "sh", &command::lines(act, report, WIDTH, 0)),
        }
    }
    more(out, steps.len(), "step");
}

/// A command or snippet, whole or not at all.
fn block(out: &mut String, language: &str, lines: &[String]) {
    let text = fenced(language, lines);
    match text.chars().count() {
        ..=BLOCK => out.push_str(&format!("{text}\n")),
        count => out.push_str(&format!("({count} characters, too many for here: `-o json` has them)\n\n")),
    }
}

fn more(out: &mut String, count: usize, what: &str) {
    if count > STEPS {
        out.push_str(&format!("{} more: `-o json` has them.\n\n", words::counted(count - STEPS, what)));
    }
}

fn evidence(out: &mut String, report: &Report, root: &Ranked) {
    let all = &root.finding.evidence;
    if all.is_empty() {
        return;
    }
    out.push_str("**Because**\n\n| object | shows | value |\n| --- | --- | --- |\n");
    let mut last = String::new();
    for one in all.iter().take(FACTS) {
        let object = words::object(&one.source);
        let time = one.time.map(|t| format!(" ({})", words::ago(t, report.generated_at))).unwrap_or_default();
        let value = match one.value.as_deref() {
            None | Some("") => words::value(one.value.as_deref()),
            Some(value) => code(&cut(value, VALUE), Place::Cell),
        };
        let shown = if object == last { String::new() } else { sentence(&object, Place::Cell) };
        out.push_str(&format!("| {shown} | {} | {value}{time} |\n", code(&spoken(&one.path), Place::Cell)));
        last = object;
    }
    if all.len() > FACTS {
        out.push_str(&format!("| | | and {} more |\n", all.len() - FACTS));
    }
    out.push('\n');
}
