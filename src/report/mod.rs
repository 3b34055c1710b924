//! A report as a reader meets it: one renderer per file, and what they share in files of their own.
//!
//! Renderers are pure: a [`Report`] and a [`View`] go in, text comes out.

pub mod catalogue;
pub mod command;
mod explain;
mod gaps;
mod group;
pub mod html;
pub mod json;
pub mod markdown;
pub mod prometheus;
#[cfg(test)]
pub(crate) mod samples;
mod since;
pub mod terminal;
mod verdict;
mod words;
pub mod yaml;

use kairos_doctor_checks::Severity;
use kairos_doctor_checks::engine::{Ranked, Report, Status};
use kairos_doctor_checks::facts::Replaced;

use crate::baseline::Comparison;
use crate::suppressions::Suppressed;
use words::counted;

/// The name of the report's format, in JSON and in the fingerprint of the Markdown.
pub const SCHEMA: &str = "kairos-doctor/report/v1";

/// The exit status and the reason for it, the same for every format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub exit: u8,
    pub why: String,
}

/// What was read to make the report, for `-v`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reads {
    pub requests: usize,
    pub bytes: u64,
    pub seconds: f64,
    /// Every request: `GET <path>`, without the host.
    pub log: Vec<String>,
    /// What was listed, in the order of the bundle.
    pub lists: Vec<Listed>,
}

/// One kind of object, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The bundle's key: `nodes`, `hcloud.servers`.
    pub need: &'static str,
    /// How many there were; `None` where they could not be read, or not all of them.
    pub objects: Option<usize>,
    /// From the first request to the last answer.
    pub seconds: f64,
}

/// How a report is to be shown.
#[derive(Clone)]
pub struct View {
    /// Columns of the terminal.
    pub width: usize,
    pub colour: bool,
    pub verbose: bool,
    pub quiet: bool,
    /// Findings below are counted and not shown.
    pub min_severity: Severity,
    pub outcome: Outcome,
    pub reads: Option<Reads>,
    /// What was replaced by pseudonyms, counted by kind; `None` where nothing was.
    pub replaced: Option<Replaced>,
    /// What has changed since an earlier report; `None` where none was given.
    pub since: Option<Comparison>,
    /// What was taken out of the report because somebody has accepted it.
    pub suppressed: Suppressed,
}

/// 1 for a finding at or above `fail_on`, else 3 for a check that could not look, else 0; always 0 for `None` (`never`).
pub fn outcome(report: &Report, fail_on: Option<Severity>) -> Outcome {
    let Some(limit) = fail_on else { return Outcome { exit: 0, why: "--fail-on never".into() } };
    let bad = report.findings.iter().filter(|f| f.severity >= limit).count();
    decided(report, bad, "finding", limit)
}

/// The same for `--fail-on new`: only findings that are new or worse than in an earlier report make it 1.
pub fn outcome_of_news(report: &Report, since: &Comparison, limit: Severity) -> Outcome {
    decided(report, since.news(report, limit), "new or worse finding", limit)
}

fn decided(report: &Report, bad: usize, what: &str, limit: Severity) -> Outcome {
    let unknown = report.count_status(Status::Unknown);
    if bad > 0 {
        return Outcome { exit: 1, why: format!("{} at or above {}", counted(bad, what), limit.as_str()) };
    }
    if unknown > 0 {
        return Outcome { exit: 3, why: format!("{} could not look", counted(unknown, "check")) };
    }
    let seen = "every check that was asked could look";
    Outcome { exit: 0, why: format!("no {what} at or above {}, and {seen}", limit.as_str()) }
}

/// Whether a finding is shown: it, or something that it explains, is at least that severe. So a shown finding's root is
/// shown too.
pub fn is_shown(finding: &Ranked, min: Severity) -> bool {
    finding.effective >= min
}

/// The findings that are shown, in rank order, and how many are not.
pub fn shown(report: &Report, min: Severity) -> (Vec<&Ranked>, usize) {
    let shown: Vec<&Ranked> = report.findings.iter().filter(|f| is_shown(f, min)).collect();
    let hidden = report.findings.len() - shown.len();
    (shown, hidden)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn the_exit_status_follows_findings_then_sight() {
        let exit = |report: &Report, fail_on| outcome(report, fail_on).exit;
        let incident = samples::pending_service();
        assert_eq!(exit(&incident, Some(Severity::Warning)), 1);
        assert_eq!(exit(&incident, Some(Severity::Critical)), 1);
        assert_eq!(exit(&incident, None), 0);
        assert_eq!(exit(&samples::blind(), Some(Severity::Warning)), 3);
        assert_eq!(exit(&samples::blind(), None), 0);
        assert_eq!(exit(&samples::healthy(), Some(Severity::Info)), 0);
    }

    #[test]
    fn what_stands_beneath_a_hidden_finding_is_hidden() {
        let report = samples::mixed();
        for min in Severity::ALL {
            let (shown, hidden) = shown(&report, min);
            assert_eq!(shown.len() + hidden, report.findings.len());
            for finding in &shown {
                let root = report.findings[..finding.rank].iter().rfind(|f| f.depth == 0).unwrap();
                assert!(is_shown(root, min));
            }
        }
    }
}
