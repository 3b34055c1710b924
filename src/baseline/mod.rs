//! What has changed since an earlier report: `--baseline`.
//!
//! A finding is the same from run to run by its ID. What is gone is fixed only if its check could look this time; else it
//! is not comparable, and is carried on in the report, so that the next comparison still knows it.

mod read;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kairos_doctor_checks::engine::{Ranked, Report, Status};
use kairos_doctor_checks::facts::Text;
use kairos_doctor_checks::{ALL, Confidence, ObjectRef, Severity};

use crate::redact::Pseudonyms;
use crate::suppressions::Suppressed;

pub use read::read;

/// An earlier report, as far as it is compared.
pub struct Baseline {
    /// What it is called in messages.
    name: String,
    /// When the cluster was read for it; `None` for the first run, which has no earlier report.
    read_at: Option<Timestamp>,
    uid: Option<Text>,
    /// What was found then, and what was found before and could not be looked for then.
    findings: Vec<Earlier>,
    /// IDs that a suppressions file kept from being counted.
    suppressed: BTreeSet<String>,
    /// Codes of the checks that looked then.
    looked: BTreeSet<String>,
}

/// A finding of an earlier report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    pub id: String,
    pub code: Text,
    /// The check's slug.
    pub check: Text,
    pub severity: Severity,
    pub confidence: Confidence,
    pub object: ObjectRef,
    /// When it was last seen.
    pub seen_at: Timestamp,
}

/// A finding of an earlier report that nobody could look for this time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    pub earlier: Earlier,
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It was not in the earlier report.
    New,
    /// The severity rose, or what was predicted has come true.
    Worse,
    /// The severity fell, or what was confirmed is only predicted now.
    Better,
    Unchanged,
}

impl State {
    pub const ALL: [State; 4] = [State::New, State::Worse, State::Better, State::Unchanged];

    pub fn as_str(self) -> &'static str {
        match self {
            State::New => "new",
            State::Worse => "worse",
            State::Better => "better",
            State::Unchanged => "unchanged",
        }
    }

    /// What `--fail-on new` fails on.
    pub fn is_news(self) -> bool {
        matches!(self, State::New | State::Worse)
    }
}

/// A finding of this run beside the earlier report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since {
    pub state: State,
    /// What it was then, where it has changed.
    pub was: Option<(Severity, Confidence)>,
    /// What one must know to read the state.
    pub note: Option<&'static str>,
}

/// This run beside an earlier report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// When the cluster was read for the earlier report; `None`: this is the first run.
    pub read_at: Option<Timestamp>,
    /// Why it is not proven that both reports are of one cluster; `None` where it is.
    pub doubt: Option<&'static str>,
    /// Each finding of this run, by its ID.
    pub findings: BTreeMap<String, Since>,
    pub fixed: Vec<Earlier>,
    pub not_comparable: Vec<Unseen>,
    /// How many were found then and are suppressed now.
    pub suppressed: usize,
}

impl Baseline {
    /// For the first of many runs that each write what the next one compares with: nothing was found before.
    pub fn first(name: &str) -> Baseline {
        Baseline {
            name: name.into(),
            read_at: None,
            uid: None,
            findings: Vec::new(),
            suppressed: BTreeSet::new(),
            looked: BTreeSet::new(),
        }
    }

    /// Puts a run beside it. `suppressed` is what a suppressions file has taken out of `report`.
    ///
    /// # Errors
    /// One sentence: the earlier report is of another cluster.
    pub fn compare(&self, report: &Report, suppressed: &Suppressed) -> Result<Comparison, String> {
        let doubt = self.doubt(report)?;
        let before: BTreeMap<&str, &Earlier> = self.findings.iter().map(|e| (e.id.as_str(), e)).collect();
        let since = |ranked: &Ranked| match before.get(ranked.id.as_str()) {
            Some(earlier) => changed(ranked, earlier),
            None => Since { state: State::New, was: None, note: self.why_new(ranked) },
        };
        let mut comparison = Comparison {
            read_at: self.read_at,
            doubt,
            findings: report.findings.iter().map(|ranked| (ranked.id.clone(), since(ranked))).collect(),
            fixed: Vec::new(),
            not_comparable: Vec::new(),
            suppressed: 0,
        };
        for earlier in &self.findings {
            if comparison.findings.contains_key(&earlier.id) {
                continue;
            }
            if suppressed.findings.iter().any(|s| s.ranked.id == earlier.id) {
                comparison.suppressed += 1;
                continue;
            }
            match out_of_sight(report, earlier) {
                Some(why) => comparison.not_comparable.push(Unseen { earlier: earlier.clone(), why }),
                None => comparison.fixed.push(earlier.clone()),
            }
        }
        Ok(comparison)
    }

    /// Why it is not certain that both are of one cluster.
    fn doubt(&self, report: &Report) -> Result<Option<&'static str>, String> {
        match (&self.uid, &report.cluster.uid) {
            _ if self.read_at.is_none() => Ok(None),
            (Some(then), Some(now)) if then != now => Err(format!(
                "{} is a report of another cluster (its cluster.uid is {then}, this one's is {now}): \
                 give --baseline an earlier report of this cluster",
                self.name
            )),
            (Some(_), Some(_)) => Ok(None),
            (None, Some(_)) => Ok(Some("the earlier report does not know its cluster's UID")),
            (Some(_), None) => Ok(Some("this cluster's UID could not be read")),
            (None, None) => Ok(Some("neither report knows its cluster's UID")),
        }
    }

    fn why_new(&self, ranked: &Ranked) -> Option<&'static str> {
        if self.read_at.is_none() {
            return Some("no earlier report");
        }
        if self.suppressed.contains(&ranked.id) {
            return Some("it was suppressed");
        }
        let looked = self.looked.contains(ranked.check.code);
        (!looked).then_some("its check did not or could not look before")
    }
}

fn changed(now: &Ranked, then: &Earlier) -> Since {
    let confidence = now.finding.confidence;
    // Of the two that a confidence may be, the confirmed one is the lesser.
    let state = match (now.severity.cmp(&then.severity), then.confidence.cmp(&confidence)) {
        (std::cmp::Ordering::Equal, std::cmp::Ordering::Equal) => State::Unchanged,
        (std::cmp::Ordering::Greater, _) => State::Worse,
        (std::cmp::Ordering::Less, _) => State::Better,
        (_, std::cmp::Ordering::Greater) => State::Worse,
        (_, std::cmp::Ordering::Less) => State::Better,
    };
    let was = (state != State::Unchanged).then_some((then.severity, then.confidence));
    Since { state, was, note: None }
}

/// Why nobody can say that what was found then is gone; `None` when its check looked everywhere and did not find it.
fn out_of_sight(report: &Report, earlier: &Earlier) -> Option<String> {
    let code = &*earlier.code;
    let Some(checked) = report.checks.iter().find(|c| c.check.code == code) else {
        let known = ALL.iter().any(|check| check.code == code);
        return Some(if known {
            "its check was left out by --only or --skip".into()
        } else {
            format!("this version has no check {code}")
        });
    };
    if checked.status == Status::Unknown {
        return Some(format!("its check could not look: {}", checked.detail));
    }
    // A check that looked at most of it may have missed just this one.
    let gap = report.gaps.iter().find(|hidden| hidden.hides.contains(&code))?;
    Some(format!("its check could not see everything: {}", gap.gap.detail))
}

impl Comparison {
    pub fn count(&self, state: State) -> usize {
        self.findings.values().filter(|since| since.state == state).count()
    }

    pub fn of(&self, ranked: &Ranked) -> Option<&Since> {
        self.findings.get(&ranked.id)
    }

    /// The findings of that severity or worse that are new or worse.
    pub fn news(&self, report: &Report, limit: Severity) -> usize {
        let is_news = |ranked: &&Ranked| self.of(ranked).is_some_and(|since| since.state.is_news());
        report.findings.iter().filter(|f| f.severity >= limit).filter(is_news).count()
    }

    /// The same under pseudonyms. An object that this cluster does not have any more has none: it is withheld.
    pub fn under(&self, pseudonyms: &Pseudonyms, open: &Report) -> Comparison {
        let ids = pseudonyms.ids(&open.findings);
        let other = |earlier: &Earlier| {
            let object = pseudonyms.object(&earlier.object);
            Earlier {
                id: crate::redact::renamed(&earlier.id, &earlier.object, &object),
                object,
                ..earlier.clone()
            }
        };
        let unseen = |unseen: &Unseen| Unseen {
            earlier: other(&unseen.earlier),
            why: pseudonyms.dictionary().apply(&unseen.why),
        };
        let renamed = |(id, since): (&String, &Since)| (ids.get(id).unwrap_or(id).clone(), since.clone());
        Comparison {
            findings: self.findings.iter().map(renamed).collect(),
            fixed: self.fixed.iter().map(other).collect(),
            not_comparable: self.not_comparable.iter().map(unseen).collect(),
            ..self.clone()
        }
    }
}
