//! What was known before the run: an earlier report to compare with, and findings that somebody has accepted.

use std::path::Path;

use kairos_doctor_checks::engine::{self, Report};
use kairos_doctor_checks::facts::Facts;
use kairos_doctor_checks::{Check, Severity};

use crate::baseline::{self, Baseline, Comparison};
use crate::cli::{FailOn, Format, ReportArgs};
use crate::redact::{self, Dictionary, Pseudonyms};
use crate::report::{self, Outcome};
use crate::suppressions::{self, Entry, Suppressed};

pub struct Prior {
    entries: Vec<Entry>,
    baseline: Option<Baseline>,
}

/// A report, beside what was known before.
pub struct Judged {
    pub report: Report,
    pub suppressed: Suppressed,
    pub since: Option<Comparison>,
}

impl Prior {
    /// Reads what the options name. It comes before everything else: a run may write over its own baseline.
    ///
    /// # Errors
    /// One sentence naming the option and the file.
    pub fn read(args: &ReportArgs) -> Result<Prior, String> {
        if args.fail_on.is_some_and(FailOn::is_of_news) && args.baseline.is_none() {
            return Err(
                "--fail-on new needs --baseline REPORT.json, an earlier report to compare with".to_string()
            );
        }
        let entries = args.suppressions.as_deref().map(suppressions::read).transpose()?.unwrap_or_default();
        let baseline = args.baseline.as_deref().map(|path| match is_first(path, args) {
            true => Ok(Baseline::first(&path.display().to_string())),
            false => baseline::read(path),
        });
        Ok(Prior { entries, baseline: baseline.transpose()? })
    }

    /// Judges the facts.
    ///
    /// # Errors
    /// One sentence: the baseline is of another cluster.
    pub fn judge(&self, facts: &Facts, checks: &[&'static Check]) -> Result<Judged, String> {
        let (report, suppressed) = suppressions::apply(engine::run(facts, checks), &self.entries, None);
        let compare = |baseline: &Baseline| baseline.compare(&report, &suppressed);
        let since = self.baseline.as_ref().map(compare).transpose()?;
        Ok(Judged { report, suppressed, since })
    }

    /// The same under the pseudonyms of a dictionary of the facts, which are given up for it, and have none yet.
    pub fn redact(
        &self,
        facts: Facts,
        dictionary: Dictionary,
        checks: &[&'static Check],
        open: &Judged,
    ) -> Judged {
        if self.entries.is_empty() && open.since.is_none() {
            let report = engine::run(&redact::redact_by(facts, &dictionary), checks);
            return Judged { report, suppressed: Suppressed::default(), since: None };
        }
        let pseudonyms = Pseudonyms::of(&facts, dictionary);
        let all = engine::run(&facts, checks);
        let report = engine::run(&redact::redact_by(facts, pseudonyms.dictionary()), checks);
        let (report, suppressed) = suppressions::apply(report, &self.entries, Some((&pseudonyms, &all)));
        let since = open.since.as_ref().map(|since| since.under(&pseudonyms, &all));
        Judged { report, suppressed, since }
    }
}

impl Judged {
    /// The exit status; never anything but 0 for `None`.
    pub fn outcome(&self, fail_on: Option<FailOn>) -> Outcome {
        let limit: Option<Severity> = fail_on.and_then(FailOn::severity);
        match (&self.since, limit) {
            (Some(since), Some(limit)) if fail_on.is_some_and(FailOn::is_of_news) => {
                report::outcome_of_news(&self.report, since, limit)
            }
            _ => report::outcome(&self.report, limit),
        }
    }
}

/// A job that compares itself with what it wrote the last time has nothing to compare with at first. A file that is not
/// there and that the run does not write is a mistake.
fn is_first(path: &Path, args: &ReportArgs) -> bool {
    let written = |(format, to): &(Format, std::path::PathBuf)| *format == Format::Json && to == path;
    args.output_file.iter().any(written) && matches!(path.try_exists(), Ok(false))
}
