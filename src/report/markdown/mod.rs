//! The report as a GitHub issue or comment: it fits, it folds, and no name in it can do anything.

mod escape;
mod finding;
#[cfg(test)]
mod tests;

use kairos_doctor_checks::engine::{Ranked, Report, Status};

use super::gaps::blind;
use super::group::groups;
use super::verdict::{cluster, verdict};
use super::words::{counted, cut};
use super::{SCHEMA, View, shown, since};
use escape::{Place, code, html, sentence};

/// GitHub takes 65,536 characters; this leaves room for what somebody writes around it.
pub const LONGEST: usize = 60_000;
/// So many roots stand open; the others unfold.
const OPEN: usize = 3;
/// How much is told of one answer, and how many answers of one source.
const DETAIL: usize = 240;
const ANSWERS: usize = 8;
/// How many lines of one section on what was before.
const LINES: usize = 20;

/// The whole report, at most [`LONGEST`] characters: findings are left out from the end of the ranking, whole, and counted.
pub fn render(report: &Report, view: &View) -> String {
    let (shown, _) = shown(report, view.min_severity);
    let fits = |count: usize| {
        let text = compose(report, view, &shown, count);
        (text.chars().count() <= LONGEST).then_some(text)
    };
    if let Some(text) = fits(shown.len()) {
        return text;
    }
    // The most findings that fit: the text grows with every finding.
    let (mut some, mut none) = (0, shown.len());
    while none - some > 1 {
        let half = some + (none - some) / 2;
        if fits(half).is_some() { some = half } else { none = half }
    }
    compose(report, view, &shown, some)
}

fn compose(report: &Report, view: &View, shown: &[&Ranked], count: usize) -> String {
    let told = &shown[..count];
    let mut out = fingerprint(report);
    let all = groups(shown, true);
    let verdict = verdict(report, &all, report.findings.len() - shown.len(), view);
    out.push_str(&format!("### {} {}\n\n", verdict.mark.sign(), sentence(&verdict.text, Place::Prose)));
    let pieces: Vec<String> = cluster(report).iter().map(|piece| sentence(piece, Place::Prose)).collect();
    let read = report.generated_at.strftime("%Y-%m-%d %H:%M UTC");
    out.push_str(&format!("{} · read {read}\n\n", pieces.join(" · ")));
    if let Some(replaced) = &view.replaced {
        out.push_str(&format!(
            "Pseudonyms stand for {}, in commands too. Namespaces and names of objects in the cluster stay.\n\n",
            sentence(replaced, Place::Prose)
        ));
    }
    if let Some(summary) = since::summary(report, view) {
        out.push_str(&format!("{}\n\n", sentence(&summary, Place::Prose)));
    }
    if !told.is_empty() {
        table(&mut out, told);
    }
    let groups = groups(told, true);
    for (i, group) in groups.iter().enumerate() {
        finding::told(&mut out, report, group, view, i < OPEN);
    }
    if count < shown.len() {
        let missing = counted(shown.len() - count, "finding");
        out.push_str(&format!(
            "**{missing} of the lowest rank left out**, so that this stays below 60,000 characters; `-o json` has all.\n\n"
        ));
    }
    prior(&mut out, view);
    gaps(&mut out, report);
    checks(&mut out, report);
    out
}

/// Lets a job find and replace its own comment on this cluster. A hash, so that it gives no identifier away.
fn fingerprint(report: &Report) -> String {
    let uid = report.cluster.uid.as_deref().unwrap_or_default();
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = SCHEMA.bytes().chain([0]).chain(uid.bytes()).fold(0xcbf2_9ce4_8422_2325, fnv);
    format!("<!-- kairos-doctor: report/v1 {hash:016x} -->\n\n")
}

fn table(out: &mut String, told: &[&Ranked]) {
    out.push_str("| code | severity | what | confidence |\n| --- | --- | --- | --- |\n");
    for ranked in told {
        let under = if ranked.depth > 0 { "↳ " } else { "" };
        out.push_str(&format!(
            "| {under}{} | {} | {} | {} |\n",
            ranked.check.code,
            ranked.effective.as_str(),
            sentence(&cut(&ranked.finding.says, DETAIL), Place::Cell),
            finding::confidence(ranked)
        ));
    }
    out.push('\n');
}

/// What is gone, what is suppressed and which suppressions do nothing.
fn prior(out: &mut String, view: &View) {
    for section in since::sections(view, true) {
        let (title, says) = (section.title, sentence(&section.says, Place::Prose));
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
}

fn gaps(out: &mut String, report: &Report) {
    let all = blind(report);
    if all.is_empty() {
        return;
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
        for tried in one.tried.iter().take(ANSWERS) {
            out.push_str(&format!("  - {}\n", sentence(&cut(tried, DETAIL), Place::Prose)));
        }
        if one.tried.len() > ANSWERS {
            out.push_str(&format!("  - and {} more\n", one.tried.len() - ANSWERS));
        }
        out.push_str(&format!("  - to see it: {}\n", sentence(&one.remedy, Place::Prose)));
    }
    out.push('\n');
}

fn checks(out: &mut String, report: &Report) {
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
    out.push_str(&format!("<details>\n<summary>{total}: {}</summary>\n\n", html(&counts.join(", "))));
    out.push_str("| check | | status | detail |\n| --- | --- | --- | --- |\n");
    for checked in &report.checks {
        out.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            checked.check.code,
            code(checked.check.slug, Place::Cell),
            checked.status.as_str().replace('_', " "),
            sentence(&cut(&checked.detail, DETAIL), Place::Cell)
        ));
    }
    out.push_str("\n</details>\n");
}
