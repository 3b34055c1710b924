//! What has changed since an earlier report, and what is suppressed, in the words that every renderer uses.

use kairos_doctor_checks::engine::{Ranked, Report};
use kairos_doctor_checks::{Confidence, Severity};

use super::View;
use super::group::Group;
use super::words::{self, ago, clean, listed};
use crate::baseline::{Comparison, Earlier, Since, State};

/// How many names of a group are listed.
const NAMES: usize = 8;

/// `Since 2026-11-26 06:00 UTC (27 h ago): 1 new, 1 worse, 2 fixed.`; `None` without a baseline.
pub fn summary(report: &Report, view: &View) -> Option<String> {
    let since = view.since.as_ref()?;
    let Some(at) = since.read_at else {
        return Some(
            "There is no earlier report: this is the first run, and everything counts as new.".into(),
        );
    };
    let state = |state| (since.count(state), state.as_str());
    let counts = [
        state(State::New),
        state(State::Worse),
        state(State::Better),
        (since.fixed.len(), "fixed"),
        state(State::Unchanged),
        (since.not_comparable.len(), "not comparable"),
        (since.suppressed, "suppressed since"),
    ];
    let counts: Vec<String> =
        counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    let counts = if counts.is_empty() { "nothing then, nothing now".to_string() } else { counts.join(", ") };
    let when = format!("{} UTC ({})", at.strftime("%Y-%m-%d %H:%M"), ago(at, report.generated_at));
    let doubt = since.doubt.map(|doubt| format!(" That it is the same cluster is not proven: {doubt}."));
    Some(format!("Since {when}: {counts}.{}", doubt.unwrap_or_default()))
}

/// The comparison, where there is something to compare with: at the first run a mark says nothing.
fn compared(view: &View) -> Option<&Comparison> {
    view.since.as_ref().filter(|since| since.read_at.is_some())
}

/// What stands before a group's headline: `(new) `, `(worse: was a warning) `, `(1 of 40 new) `; nothing when it is as it was.
pub fn mark(group: &Group, view: &View) -> String {
    let Some(compared) = compared(view) else { return String::new() };
    let all: Vec<&Since> = members(group).filter_map(|f| compared.of(f)).collect();
    let count = |state| all.iter().filter(|since| since.state == state).count();
    let (new, worse) = (count(State::New), count(State::Worse));
    let words = match all.as_slice() {
        [one] => one_mark(one),
        _ if new == all.len() => "new".into(),
        _ if worse == all.len() => "worse".into(),
        _ => {
            let parts = [(new, "new"), (worse, "worse")].into_iter().filter(|(n, _)| *n > 0);
            let parts: Vec<String> = parts.map(|(n, word)| format!("{n} of {} {word}", all.len())).collect();
            parts.join(", ")
        }
    };
    if words.is_empty() { words } else { format!("({words}) ") }
}

fn one_mark(since: &Since) -> String {
    let was = since.was.map(|(severity, confidence)| was(severity, confidence));
    match (since.state, was, since.note) {
        (State::Unchanged, ..) => String::new(),
        (state, Some(was), _) => format!("{}: was {was}", state.as_str()),
        (state, _, Some(note)) => format!("{}: {note}", state.as_str()),
        (state, ..) => state.as_str().into(),
    }
}

fn was(severity: Severity, confidence: Confidence) -> String {
    match confidence {
        Confidence::Confirmed => severity.as_str().into(),
        Confidence::Predicted => format!("{}, predicted", severity.as_str()),
    }
}

fn members<'a>(group: &'a Group<'a>) -> impl Iterator<Item = &'a Ranked> {
    std::iter::once(group.root).chain(group.others.iter().copied())
}

/// Which of several in a group are new or worse, and what of it is suppressed; a sentence each.
pub fn remarks(group: &Group, view: &View) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(compared) = compared(view).filter(|_| !group.others.is_empty()) {
        for (state, word) in [(State::New, "New"), (State::Worse, "Worse")] {
            let of = |f: &&Ranked| compared.of(f).is_some_and(|since| since.state == state);
            let names: Vec<String> =
                members(group).filter(of).map(|f| words::name(&f.finding.subject)).collect();
            if !names.is_empty() && names.len() <= group.others.len() {
                remarks.push(format!("{word}: {}.", listed(&names, NAMES)));
            }
        }
    }
    let mut told = Vec::new();
    for hushed in members(group).flat_map(|f| view.suppressed.causes(f)) {
        if !told.contains(&&hushed.ranked.id) {
            told.push(&hushed.ranked.id);
            let (code, object) = (hushed.ranked.check.code, words::object(&hushed.ranked.finding.subject));
            let (until, reason) = (hushed.until, clean(&hushed.reason));
            remarks.push(format!("Its cause is suppressed until {until}: {code}, {object} ({reason})."));
        }
    }
    remarks
}

/// Findings beneath a root apart by whether they are new or worse, and the word for each; the known ones last.
pub fn apart<'a>(beneath: &[&'a Ranked], view: &View) -> Vec<(&'static str, Vec<&'a Ranked>)> {
    let Some(compared) = compared(view) else { return vec![("", beneath.to_vec())] };
    let word = |f: &Ranked| match compared.of(f).map(|since| since.state) {
        Some(State::New) => "(new) ",
        Some(State::Worse) => "(worse) ",
        _ => "",
    };
    let of = |wanted: &'static str| {
        let part: Vec<&Ranked> = beneath.iter().copied().filter(|f| word(f) == wanted).collect();
        (!part.is_empty()).then_some((wanted, part))
    };
    ["(new) ", "(worse) ", ""].into_iter().filter_map(of).collect()
}

/// A heading and its lines.
pub struct Section {
    pub title: &'static str,
    pub says: String,
    /// A code and what is said of it.
    pub lines: Vec<(String, String)>,
}

/// What is gone since the earlier report, what of it nobody could look for, what is suppressed, and which suppressions do
/// nothing. Of what is suppressed the lines are there only with `verbose`.
pub fn sections(view: &View, verbose: bool) -> Vec<Section> {
    let mut all = Vec::new();
    if let Some(since) = &view.since {
        let object = |e: &Earlier| words::object(&e.object);
        let fixed =
            since.fixed.iter().map(|e| (clean(&e.code), format!("{}: {}", object(e), clean(&e.check))));
        all.push(Section {
            title: "fixed",
            says: format!("{} since the earlier report", since.fixed.len()),
            lines: fixed.collect(),
        });
        let unseen = since.not_comparable.iter();
        let unseen =
            unseen.map(|u| (clean(&u.earlier.code), format!("{}: {}", object(&u.earlier), clean(&u.why))));
        all.push(Section {
            title: "not comparable",
            says: format!(
                "{} of the earlier report, which nobody could look for",
                since.not_comparable.len()
            ),
            lines: unseen.collect(),
        });
    }
    let hushed = view.suppressed.findings.iter().map(|h| {
        let object = words::object(&h.ranked.finding.subject);
        (h.ranked.check.code.to_string(), format!("{object}, until {}: {}", h.until, clean(&h.reason)))
    });
    let hushed: Vec<_> = hushed.collect();
    let unused: Vec<_> =
        view.suppressed.unused.iter().map(|u| (u.check.code.to_string(), clean(&u.sentence()))).collect();
    all.retain(|section| !section.lines.is_empty());
    if verbose && !hushed.is_empty() {
        let says = words::counted(hushed.len(), "finding");
        all.push(Section { title: "suppressed", says, lines: hushed });
    }
    if !unused.is_empty() {
        let says = match unused.len() {
            1 => "1 entry does nothing".into(),
            n => format!("{n} entries do nothing"),
        };
        all.push(Section { title: "suppressions", says, lines: unused });
    }
    all
}
