//! One root finding, and the others that are the same.

use kairos_doctor_checks::engine::{Ranked, Report};
use kairos_doctor_checks::{Act, Changes, Confidence, Severity, Step, When};

use super::evidence;
use super::page::{GUTTER, Ink, Page};
use crate::report::group::{Group, alike};
use crate::report::words::{self, clean, cut, listed};
use crate::report::{View, command, since, yaml};

/// How many findings beneath a root, and how many of its like, are named without `-v`.
const FEW: usize = 8;

pub fn severity_ink(severity: Severity) -> Ink {
    match severity {
        Severity::Critical | Severity::Error => Ink::Bad,
        Severity::Warning => Ink::Warn,
        Severity::Info => Ink::Note,
    }
}

/// `critical[KD204] the cloud controller is not told its network`.
/// `mark` stands before the sentence.
pub fn headline(page: &mut Page, group: &Group, mark: &str) {
    let root = group.root;
    let lead = format!("{}[{}] ", root.effective.as_str(), root.check.code);
    let more = match group.others.len() {
        0 => String::new(),
        _ => format!(" (and {})", group.others_counted()),
    };
    let says = format!("{mark}{}{more}", root.finding.says);
    page.hung(&lead, severity_ink(root.effective), 2, &says, Ink::Strong);
}

/// The one sentence on why that is wrong.
pub fn because(page: &mut Page, root: &Ranked) {
    if let Some(because) = &root.finding.because {
        page.hung("  ", Ink::Plain, 2, because, Ink::Plain);
    }
}

pub fn told(page: &mut Page, report: &Report, group: &Group, view: &View) {
    let finding = &group.root.finding;
    let verbose = view.verbose;
    headline(page, group, &since::mark(group, view));
    because(page, group.root);
    for remark in since::remarks(group, view) {
        page.hung("  ", Ink::Plain, 2, &remark, Ink::Plain);
    }
    if finding.confidence == Confidence::Predicted && !group.is_shown_by_effects() {
        let text = "Predicted from the configuration: nothing has shown it yet.";
        page.hung("  ", Ink::Plain, 2, text, Ink::Plain);
    }
    if let Some(deadline) = finding.deadline {
        let text = format!("Until {}.", words::deadline(deadline, report.generated_at));
        page.hung("  ", Ink::Plain, 2, &text, Ink::Plain);
    }
    page.blank();
    for (when, label) in [(When::Now, "now"), (When::ForGood, "for good")] {
        if when == When::ForGood {
            verify(page, report, group);
        }
        let steps: Vec<&Step> = finding.steps.iter().filter(|step| step.when == when).collect();
        for (i, told) in steps.iter().enumerate() {
            let bullet = if steps.len() > 1 { format!("{}. ", i + 1) } else { String::new() };
            step(page, report, if i == 0 { label } else { "" }, &bullet, told);
        }
    }
    others(page, group, verbose);
    page.blank();
    evidence::because(page, report, &finding.evidence, verbose);
    explains(page, group, view);
    page.beside("more", "", &format!("kairos-doctor explain {}", group.root.check.code), Ink::Plain);
}

fn step(page: &mut Page, report: &Report, label: &str, bullet: &str, step: &Step) {
    let why = match (&step.act, step.changes) {
        (Act::Decide, _) => format!("decide: {}", step.why),
        (Act::Run(_), Changes::Nothing) => format!("{} (changes nothing)", step.why),
        _ => step.why.clone(),
    };
    let under = " ".repeat(bullet.len());
    let hazard = step.hazard.as_ref().map(|hazard| format!("careful: {hazard}"));
    match hazard {
        // What is to be decided is in the sentence itself, so the hazard stands above that.
        Some(hazard) if step.act == Act::Decide => {
            page.beside(label, bullet, &hazard, Ink::Careful);
            page.beside("", &under, &why, Ink::Plain);
        }
        Some(hazard) => {
            page.beside(label, bullet, &why, Ink::Plain);
            page.beside("", &under, &hazard, Ink::Careful);
        }
        None => page.beside(label, bullet, &why, Ink::Plain),
    }
    if let Act::Write { place, snippet } = &step.act {
        page.beside("", &under, &format!("in {place}:"), Ink::Plain);
        let lines: Vec<String> = yaml::text(snippet).lines().map(|line| format!("    {line}")).collect();
        page.copied(&lines, Ink::Command);
    }
    let lines = command::lines(&step.act, report, page.width, 4);
    page.copied(&lines, Ink::Command);
}

fn verify(page: &mut Page, report: &Report, group: &Group) {
    let all = &group.root.finding.verify;
    for (i, verify) in all.iter().enumerate() {
        let bullet = if all.len() > 1 { format!("{}. ", i + 1) } else { String::new() };
        let expect = words::expected(&verify.expect);
        page.beside(if i == 0 { "verify" } else { "" }, &bullet, &expect, Ink::Plain);
        let lines = command::wrapped(&command::argv(&verify.argv, report), page.width, 4);
        page.copied(&lines, Ink::Command);
    }
}

/// The other places of the same fault, in as few lines as will do.
fn others(page: &mut Page, group: &Group, verbose: bool) {
    if group.others.is_empty() {
        return;
    }
    let most = if verbose { usize::MAX } else { 2 * FEW };
    let text = format!(
        "{}: {}. The same fault and the same fix, each with its own names: -v or -o json writes each one out",
        group.others_counted(),
        listed(&group.other_names(), most)
    );
    page.beside("also", "", &text, Ink::Plain);
}

fn explains(page: &mut Page, group: &Group, view: &View) {
    let verbose = view.verbose;
    let parts = since::apart(&group.beneath, view);
    let rows = parts.iter().flat_map(|(mark, part)| alike(part).into_iter().map(move |row| (mark, row)));
    let rows: Vec<_> = rows.collect();
    let most = if verbose { rows.len() } else { FEW };
    for (i, (mark, (first, names))) in rows.iter().take(most).enumerate() {
        let label = if i == 0 { "explains" } else { "" };
        let bullet = format!("{}  ", first.check.code);
        page.beside(label, &bullet, &format!("{mark}{}", first.finding.says), Ink::Plain);
        if !names.is_empty() {
            let text = format!("the same: {}", listed(names, if verbose { usize::MAX } else { FEW }));
            page.beside("", &" ".repeat(bullet.len()), &text, Ink::Plain);
        }
    }
    if rows.len() > most {
        page.beside("", "", &format!("and {} more (-v)", rows.len() - most), Ink::Plain);
    }
}

/// Where evidence may begin on its own line.
pub const UNDER: usize = GUTTER + 2;

/// A value as it is shown: all of it with `-v`, else the beginning.
pub fn shortened(value: &str, verbose: bool) -> String {
    if verbose { clean(value) } else { cut(&clean(value), 240) }
}
