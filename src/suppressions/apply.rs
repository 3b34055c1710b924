//! Takes what is suppressed out of a report. What it explains moves up to the next cause that is not suppressed.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use kairos_doctor_checks::Severity;
use kairos_doctor_checks::engine::{Ranked, Report, Status};
use kairos_doctor_checks::facts::Text;

use super::{Entry, Hushed, Idle, Suppressed, Unused};
use crate::redact::Pseudonyms;

/// The report without what the entries suppress on the day it was made, and what they did. With `pseudonyms`, `report` is
/// the redacted one of `open`, and nothing of the file is told that might be a name.
pub fn apply(
    report: Report,
    entries: &[Entry],
    pseudonyms: Option<(&Pseudonyms, &Report)>,
) -> (Report, Suppressed) {
    let open = pseudonyms.map_or(&report, |(_, open)| open);
    let today = open.generated_at.to_zoned(TimeZone::UTC).date();
    let mut by_id: BTreeMap<String, &Entry> = BTreeMap::new();
    let mut unused = Vec::new();
    for entry in entries {
        let matched: Vec<&Ranked> = open.findings.iter().filter(|f| entry.names(f)).collect();
        let why = match (entry.until < today, matched.is_empty()) {
            (true, false) => Idle::Expired,
            (true, true) => Idle::ExpiredAndGone,
            (false, true) if !looked(open, entry) => continue,
            (false, true) => Idle::Unmatched,
            (false, false) => {
                for finding in matched {
                    by_id.entry(finding.id.clone()).or_insert(entry);
                }
                continue;
            }
        };
        let object = match pseudonyms {
            None => Text::new(&entry.object),
            Some((pseudonyms, _)) => pseudonyms.object_named(&entry.object).into(),
        };
        unused.push(Unused { line: entry.line, check: entry.check, object, until: entry.until, why });
    }
    if let Some((pseudonyms, open)) = pseudonyms {
        let ids = pseudonyms.ids(&open.findings);
        by_id = by_id.into_iter().map(|(id, entry)| (ids.get(&id).cloned().unwrap_or(id), entry)).collect();
    }
    let (gone, findings) = without(&report.findings, |f| by_id.contains_key(&f.id));
    let hushed = |ranked: Ranked| {
        let entry = by_id[&ranked.id];
        let reason = if pseudonyms.is_some() { "withheld".into() } else { entry.reason.clone() };
        Hushed { ranked, reason, until: entry.until }
    };
    let suppressed = Suppressed { findings: gone.into_iter().map(hushed).collect(), unused };
    (Report { findings, ..report }, suppressed)
}

impl Entry {
    fn names(&self, finding: &Ranked) -> bool {
        if finding.check.code != self.check.code {
            return false;
        }
        let subject = &finding.finding.subject;
        format!("{}/{}", subject.kind, subject.path()) == self.object
            || finding.id.strip_prefix(self.check.code).and_then(|id| id.strip_prefix('/'))
                == Some(&*self.object)
    }
}

/// Whether the check of an entry looked everywhere, so that what it did not find is not there.
fn looked(report: &Report, entry: &Entry) -> bool {
    let code = entry.check.code;
    let asked = report.checks.iter().any(|c| c.check.code == code && c.status != Status::Unknown);
    asked && !report.gaps.iter().any(|hidden| hidden.hides.contains(&code))
}

/// Those that are taken out, and the others, each under the next one above it that is left, ranked as the engine ranks.
fn without(all: &[Ranked], is_out: impl Fn(&Ranked) -> bool) -> (Vec<Ranked>, Vec<Ranked>) {
    let mut out = Vec::new();
    let mut trees: Vec<Tree> = Vec::new();
    // From the root down to the last finding: whether it is left.
    let mut way: Vec<bool> = Vec::new();
    for ranked in all {
        way.truncate(ranked.depth);
        let is_left = !is_out(ranked);
        let depth = way.iter().filter(|left| **left).count();
        way.push(is_left);
        if is_left {
            insert(&mut trees, depth, ranked);
        } else {
            out.push(ranked.clone());
        }
    }
    let mut left = Vec::new();
    if out.is_empty() {
        left.extend_from_slice(all);
        return (out, left);
    }
    trees.iter_mut().for_each(Tree::weigh);
    trees.sort_by_key(|tree| {
        let deadline = tree.top.finding.deadline;
        (Reverse(tree.effective), Reverse(tree.size), deadline.is_none(), deadline, name(tree.top))
    });
    for tree in &trees {
        tree.walk(0, &mut left);
    }
    for at in 0..left.len() {
        left[at].rank = at + 1;
        let beneath = left[at + 1..].iter().take_while(|f| f.depth > 0).map(|f| f.id.clone());
        left[at].explains = if left[at].depth == 0 { beneath.collect() } else { Vec::new() };
    }
    (out, left)
}

/// A finding and what stands beneath it.
struct Tree<'a> {
    top: &'a Ranked,
    beneath: Vec<Tree<'a>>,
    effective: Severity,
    size: usize,
}

fn insert<'a>(trees: &mut Vec<Tree<'a>>, depth: usize, ranked: &'a Ranked) {
    match trees.last_mut().filter(|_| depth > 0) {
        Some(last) => insert(&mut last.beneath, depth - 1, ranked),
        None => trees.push(Tree { top: ranked, beneath: Vec::new(), effective: ranked.severity, size: 1 }),
    }
}

fn name(ranked: &Ranked) -> (&'static str, &kairos_doctor_checks::ObjectRef, Option<&'static str>) {
    (ranked.check.code, &ranked.finding.subject, ranked.finding.discriminator)
}

impl Tree<'_> {
    fn weigh(&mut self) {
        for tree in &mut self.beneath {
            tree.weigh();
            self.effective = self.effective.max(tree.effective);
            self.size += tree.size;
        }
        self.beneath.sort_by_key(|tree| (Reverse(tree.effective), name(tree.top)));
    }

    fn walk(&self, depth: usize, out: &mut Vec<Ranked>) {
        out.push(Ranked { depth, effective: self.effective, ..self.top.clone() });
        for tree in &self.beneath {
            tree.walk(depth + 1, out);
        }
    }
}
