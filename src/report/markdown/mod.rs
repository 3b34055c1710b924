//! The report as a GitHub issue or comment: it fits, it folds, and no name in it can do anything.

#[doc(hidden)]
pub mod escape;
mod finding;
mod fit;
#[cfg(test)]
mod gfm;
#[cfg(test)]
mod tests;

use kairos_doctor_checks::engine::{Ranked, Report, Status};

use super::gaps::blind;
use super::group::{Group, groups};
use super::verdict::{cluster, verdict};
use super::words::{counted, cut};
use super::{View, shown, since};
use crate::redact::cluster_pseudonym;
use escape::{Place, code, html, sentence};
use fit::{Both, Parts, Told};

/// In characters. GitHub refuses a pull request's text above 65,536 of them, an issue's or comment's above 262,144 bytes
/// (measured by others in 2025 and 2026; its message says 65,536 characters for all of them); this leaves room for
/// what somebody writes around it.
pub const LONGEST: usize = 60_000;
/// So many roots stand open; the others unfold.
const OPEN: usize = 3;
/// How much is told of one answer, and how many answers of one source.
const DETAIL: usize = 240;
const ANSWERS: usize = 8;
/// How many lines of one section on what was before.
const LINES: usize = 20;
/// How much of the verdict and of a remedy.
const HEADLINE: usize = 600;

/// The whole report, at most [`LONGEST`] characters: what does not fit is left out whole, as [`Parts::fitted`] says.
pub fn render(report: &Report, view: &View) -> String {
    let (shown, hidden) = shown(report, view.min_severity);
    let groups = groups(&shown, true);
    let told = |(i, group): (usize, &Group)| Told {
        text: Both {
            full: finding::told(report, group, view, i < OPEN, true),
            brief: finding::told(report, group, view, i < OPEN, false),
        },
        findings: 1 + group.others.len() + group.beneath.len(),
    };
    let (gaps, checks) = (|answers| gaps(report, answers), |details| checks(report, details));
    let parts = Parts {
        head: head(report, view, &groups, hidden),
        rows: shown.iter().map(|ranked| row(ranked)).collect(),
        told: groups.iter().enumerate().map(told).collect(),
        open: OPEN,
        prior: prior(view),
        gaps: Both { full: gaps(ANSWERS), brief: gaps(1) },
        checks: Both { full: checks(true), brief: checks(false) },
    };
    parts.fitted()
}

/// The mark, the verdict, the cluster, and what stands under pseudonyms.
fn head(report: &Report, view: &View, groups: &[Group], hidden: usize) -> String {
    let mut out = format!("<!-- kairos-doctor: report/v1 {} -->\n\n", mark(report, view));
    let verdict = verdict(report, groups, hidden, view);
    let text = sentence(&cut(&verdict.text, HEADLINE), Place::Prose);
    out.push_str(&format!("### {} {text}\n\n", verdict.mark.sign()));
    let piece = |piece: &String| sentence(&cut(piece, DETAIL), Place::Prose);
    let pieces: Vec<String> = cluster(report).iter().map(piece).collect();
    let read = report.generated_at.strftime("%Y-%m-%d %H:%M UTC");
    out.push_str(&format!("{} · read {read}\n\n", pieces.join(" · ")));
    if let Some(replaced) = &view.replaced {
        let (naming, replaced) =
            (&replaced.naming, sentence(&cut(&replaced.to_string(), HEADLINE), Place::Prose));
        out.push_str(&format!(
            "Pseudonyms (naming {}) stand for {replaced}, in commands too. Namespaces and names of objects in the cluster stay.\n\n",
            code(naming, Place::Prose)
        ));
    }
    if let Some(summary) = since::summary(report, view) {
        out.push_str(&format!("{}\n\n", sentence(&cut(&summary, HEADLINE), Place::Prose)));
    }
    out
}

/// Lets a job find and replace its own comment on this cluster: the same for every report of it, redacted or not, and no
/// identifier of it.
fn mark(report: &Report, view: &View) -> String {
    let uid = report.cluster.uid.as_deref().map(|uid| match &view.replaced {
        Some(_) => uid.to_string(),
        None => cluster_pseudonym(uid),
    });
    let hex = |uid: String| uid.chars().filter(char::is_ascii_hexdigit).take(16).collect::<String>();
    uid.map(hex).filter(|mark| !mark.is_empty()).unwrap_or_else(|| "unknown".into())
}

fn row(ranked: &Ranked) -> String {
    let under = if ranked.depth > 0 { "↳ " } else { "" };
    let says = sentence(&cut(&ranked.finding.says, DETAIL), Place::Cell);
    let (code, severity) = (ranked.check.code, ranked.effective.as_str());
    format!("| {under}{code} | {severity} | {says} | {} |\n", finding::confidence(ranked))
}

/// What is gone, what is suppressed and which suppressions do nothing.
fn prior(view: &View) -> String {
    let mut out = String::new();
    for section in since::sections(view, true) {
        let (title, says) = (section.title, sentence(&cut(&section.says, HEADLINE), Place::Prose));
        out.push_str(&format!("**{}{}:** {says}\n\n", title[..1].to_uppercase(), &title[1..]));
        for (code, line) in section.lines.iter().take(LINES) {
            out.push_str(&format!(
                "- {}: {}\n",
                sentence(code, Place::Prose),
                sentence(&cut(line, DETAIL), Place::Prose)
            ));
        }
        if section.lines.len() > LINES {
            out.push_str(&format!("- and {} more\n", section.lines.len() - LINES));
        }
        out.push('\n');
    }
    out
}

/// What was not seen, with at most that many answers of each source.
fn gaps(report: &Report, answers: usize) -> String {
    let all = blind(report);
    let mut out = String::new();
    if all.is_empty() {
        return out;
    }
    out.push_str("#### Not seen\n\n");
    for one in &all {
        let on_purpose = if one.on_purpose { ", left out on purpose" } else { "" };
        out.push_str(&format!("- **{}**{on_purpose}", one.source));
        let codes = |codes: &[&str]| codes.join(" ");
        if !one.hides.is_empty() {
            out.push_str(&format!(" hides {}", codes(&one.hides)));
        }
        if !one.narrows.is_empty() {
            let and = if one.hides.is_empty() { " " } else { ", and " };
            out.push_str(&format!("{and}limits what {} can say", codes(&one.narrows)));
        }
        out.push('\n');
        for tried in one.tried.iter().take(answers) {
            out.push_str(&format!("  - {}\n", sentence(&cut(tried, DETAIL), Place::Prose)));
        }
        if one.tried.len() > answers {
            out.push_str(&format!("  - and {} more\n", one.tried.len() - answers));
        }
        out.push_str(&format!("  - to see it: {}\n", sentence(&cut(&one.remedy, HEADLINE), Place::Prose)));
    }
    out.push('\n');
    out
}

/// All checks, with what each of them looked at or without.
fn checks(report: &Report, details: bool) -> String {
    let count = |status, word: &str| match report.count_status(status) {
        0 => None,
        n => Some(format!("{n} {word}")),
    };
    let counts = [
        count(Status::Found, "found something"),
        count(Status::Healthy, "healthy"),
        count(Status::Unknown, "could not look"),
        count(Status::NotApplicable, "not applicable"),
    ];
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    let total = counted(report.checks.len(), "check");
    let mut out = format!("<details>\n<summary>{total}: {}</summary>\n\n", html(&counts.join(", ")));
    out.push_str("| check | | status | detail |\n| --- | --- | --- | --- |\n");
    for checked in &report.checks {
        let detail =
            if details { sentence(&cut(&checked.detail, DETAIL), Place::Cell) } else { String::new() };
        out.push_str(&format!(
            "| {} | {} | {} | {detail} |\n",
            checked.check.code,
            code(checked.check.slug, Place::Cell),
            checked.status.as_str().replace('_', " "),
        ));
    }
    out.push_str("\n</details>\n");
    out
}
