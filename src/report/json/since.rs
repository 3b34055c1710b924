//! What the JSON says of other runs and of what is accepted. A later run reads it as its baseline.

use kairos_doctor_checks::engine::{Ranked, Report};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Subject, confidence, subject};
use crate::baseline::{Comparison, Earlier, State, Unseen};
use crate::report::{View, is_shown};
use crate::suppressions::{self, Hushed};

/// A finding beside the earlier report.
#[derive(Serialize, JsonSchema)]
pub struct Since {
    /// new, worse (the severity rose, or what was predicted came true), better or unchanged.
    state: &'static str,
    /// What it was then; null where it is the same, or was not there.
    was: Option<Was>,
    /// What one must know to read the state.
    note: Option<&'static str>,
}

#[derive(Serialize, JsonSchema)]
struct Was {
    severity: &'static str,
    confidence: &'static str,
}

/// What has changed since an earlier report.
#[derive(Serialize, JsonSchema)]
pub struct Baseline {
    /// When the cluster was read for the earlier report, RFC 3339; null: this is the first run.
    generated_at: Option<String>,
    /// Why it is not proven that both reports are of one cluster; null where it is.
    doubt: Option<&'static str>,
    /// How many of all findings are new, those below --min-severity included.
    new: usize,
    worse: usize,
    better: usize,
    unchanged: usize,
    /// How many were found then and are suppressed now.
    suppressed: usize,
    /// Found then, and not now, though the check looked everywhere.
    fixed: Vec<Short>,
    /// Found before, and the check could not look this time. The next comparison with this report still knows them.
    not_comparable: Vec<Short>,
}

/// A finding without its words.
#[derive(Serialize, JsonSchema)]
pub struct Short {
    id: String,
    code: String,
    /// The check's slug.
    check: String,
    severity: &'static str,
    confidence: &'static str,
    /// The object to repair.
    subjects: Vec<Subject>,
    /// When it was last seen, RFC 3339, where that was before this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_at: Option<String>,
    /// Why it is not comparable.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// A finding that is suppressed.
#[derive(Serialize, JsonSchema)]
pub struct Accepted {
    #[serde(flatten)]
    finding: Short,
    /// What is wrong.
    says: String,
    /// The words of whoever accepted it; `withheld` under pseudonyms.
    reason: String,
    /// The last day, in UTC.
    until: String,
}

/// An entry of the suppressions file that suppresses nothing.
#[derive(Serialize, JsonSchema)]
pub struct Unused {
    line: u64,
    code: &'static str,
    check: &'static str,
    object: String,
    until: String,
    /// expired or unmatched.
    why: &'static str,
    /// Whether there is a finding that it suppressed as long as it held, and that counts again.
    counts_again: bool,
}

pub fn since(since: &crate::baseline::Since) -> Since {
    Since {
        state: since.state.as_str(),
        was: since
            .was
            .map(|(severity, was)| Was { severity: severity.as_str(), confidence: confidence(was) }),
        note: since.note,
    }
}

pub fn baseline(comparison: &Comparison) -> Baseline {
    Baseline {
        generated_at: comparison.read_at.map(|at| at.to_string()),
        doubt: comparison.doubt,
        new: comparison.count(State::New),
        worse: comparison.count(State::Worse),
        better: comparison.count(State::Better),
        unchanged: comparison.count(State::Unchanged),
        suppressed: comparison.suppressed,
        fixed: comparison.fixed.iter().map(|e| earlier(e, None)).collect(),
        not_comparable: comparison
            .not_comparable
            .iter()
            .map(|Unseen { earlier: e, why }| earlier(e, Some(why.clone())))
            .collect(),
    }
}

pub fn hidden(report: &Report, view: &View) -> Vec<Short> {
    report.findings.iter().filter(|f| !is_shown(f, view.min_severity)).map(short).collect()
}

pub fn accepted(hushed: &Hushed) -> Accepted {
    Accepted {
        finding: short(&hushed.ranked),
        says: hushed.ranked.finding.says.clone(),
        reason: (&hushed.reason).into(),
        until: hushed.until.to_string(),
    }
}

pub fn unused(unused: &suppressions::Unused) -> Unused {
    Unused {
        line: unused.line,
        code: unused.check.code,
        check: unused.check.slug,
        object: (&unused.object).into(),
        until: unused.until.to_string(),
        why: unused.why.as_str(),
        counts_again: unused.why == suppressions::Idle::Expired,
    }
}

fn short(ranked: &Ranked) -> Short {
    Short {
        id: ranked.id.clone(),
        code: ranked.check.code.into(),
        check: ranked.check.slug.into(),
        severity: ranked.severity.as_str(),
        confidence: confidence(ranked.finding.confidence),
        subjects: vec![subject(&ranked.finding.subject)],
        seen_at: None,
        why: None,
    }
}

fn earlier(earlier: &Earlier, why: Option<String>) -> Short {
    Short {
        id: earlier.id.clone(),
        code: (&earlier.code).into(),
        check: (&earlier.check).into(),
        severity: earlier.severity.as_str(),
        confidence: confidence(earlier.confidence),
        subjects: vec![subject(&earlier.object)],
        seen_at: Some(earlier.seen_at.to_string()),
        why,
    }
}
