//! Findings that somebody has accepted, with the reason and an end: `--suppressions`.
//!
//! ```yaml
//! suppressions:
//!   - check: KD504                # a code or slug
//!     object: Node/k1             # Kind/name or Kind/namespace/name, as in the finding's ID
//!     reason: replaced with the next image
//!     until: 2026-12-31           # the last day, in UTC
//! ```

mod apply;
mod read;

use jiff::civil::Date;
use kairos_doctor_checks::Check;
use kairos_doctor_checks::engine::Ranked;
use kairos_doctor_checks::facts::Text;

pub use apply::apply;
pub use read::{of, read};

/// One entry of the file.
#[derive(Clone)]
pub struct Entry {
    pub line: u64,
    pub check: &'static Check,
    /// `Kind/name` or `Kind/namespace/name`; with `#discriminator` only the one finding.
    pub object: String,
    pub reason: Text,
    /// The last day on which it holds.
    pub until: Date,
}

/// What the entries did to a report.
#[derive(Clone, Default)]
pub struct Suppressed {
    /// In the order of their rank; none of them counts any more.
    pub findings: Vec<Hushed>,
    /// Entries that do nothing, in the order of the file.
    pub unused: Vec<Unused>,
}

/// A finding that is suppressed.
#[derive(Clone)]
pub struct Hushed {
    pub ranked: Ranked,
    pub reason: Text,
    pub until: Date,
}

/// An entry that suppresses nothing.
#[derive(Clone)]
pub struct Unused {
    pub line: u64,
    pub check: &'static Check,
    pub object: Text,
    pub until: Date,
    pub why: Idle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Its last day is over, and what it suppressed counts again.
    Expired,
    /// Its last day is over, and there is nothing that it would suppress.
    ExpiredAndGone,
    /// Its check looked, and found nothing of the kind.
    Unmatched,
}

impl Idle {
    pub fn as_str(self) -> &'static str {
        match self {
            Idle::Expired | Idle::ExpiredAndGone => "expired",
            Idle::Unmatched => "unmatched",
        }
    }
}

impl Unused {
    /// What is to be told of it, one sentence without a full stop.
    pub fn sentence(&self) -> String {
        let entry = format!("line {} ({} of {})", self.line, self.check.code, self.object);
        match self.why {
            Idle::Expired => format!("{entry} ended on {}: the finding counts again", self.until),
            Idle::ExpiredAndGone => format!("{entry} ended on {} and matches nothing: remove it", self.until),
            Idle::Unmatched => format!("{entry} matches nothing: remove it"),
        }
    }
}

impl Suppressed {
    /// The suppressed findings that are nearest causes of this one.
    pub fn causes<'a>(&'a self, ranked: &'a Ranked) -> impl Iterator<Item = &'a Hushed> {
        self.findings.iter().filter(|hushed| ranked.caused_by.contains(&hushed.ranked.id))
    }
}
