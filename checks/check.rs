//! A check: one failure mode, and how one can tell.

use serde::{Deserialize, Serialize};

use crate::facts::{Facts, Known, Need};
use crate::finding::{Finding, Verdict};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Warning,
    Error,
    Critical,
}

impl Severity {
    /// The worst first.
    pub const ALL: [Severity; 4] = [Severity::Critical, Severity::Error, Severity::Warning, Severity::Info];

    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
            Severity::Critical => "critical",
        }
    }
}

/// A check whose finding may be the reason for this one's.
#[derive(Clone, Copy, Debug)]
pub struct Cause {
    pub code: &'static str,
    pub reach: Reach,
    /// Whether this finding of the cause explains that finding of the effect; `None` is always.
    pub when: Option<Condition>,
}

/// `fn(cause, effect)`.
pub type Condition = fn(&Finding, &Finding) -> bool;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It explains findings that share an object with it.
    Place,
    /// It explains every finding of this check, wherever.
    Cluster,
}

impl Cause {
    /// Explains this check's findings about the same objects.
    pub const fn here(check: &Check) -> Cause {
        Cause { code: check.code, reach: Reach::Place, when: None }
    }

    /// Explains every finding of this check.
    pub const fn everywhere(check: &Check) -> Cause {
        Cause { code: check.code, reach: Reach::Cluster, when: None }
    }

    /// The same by code, where two checks explain each other's findings, though never the same ones: constants that name
    /// each other do not compile. A test holds that there is such a check.
    pub const fn everywhere_of(code: &'static str) -> Cause {
        Cause { code, reach: Reach::Cluster, when: None }
    }

    /// Only where `condition` says so of the two findings.
    pub const fn when(mut self, condition: Condition) -> Cause {
        self.when = Some(condition);
        self
    }
}

pub struct Check {
    /// `KD301`: stable, printed, searched for and suppressed by users.
    pub code: &'static str,
    /// `load-balancer-location`.
    pub slug: &'static str,
    /// True when healthy: the line of the list, and of a check that could not look.
    pub title: &'static str,
    /// What it looks at, in the plural: "4 LoadBalancer Services".
    pub examines: &'static str,
    pub severity: Severity,
    /// Everything that `judge` may read; nothing else exists for it.
    pub needs: &'static [&'static Need],
    pub caused_by: &'static [Cause],
    /// The page of this check, in Markdown.
    pub explain: &'static str,
    pub judge: fn(&Facts, &mut Verdict) -> Known<()>,
}

impl Check {
    /// The catalogue's chapter, and the folder that the check lives in.
    pub fn area(&self) -> &'static str {
        match self.code.as_bytes().get(2) {
            Some(b'1') => "nodes",
            Some(b'2') => "cloud-controller",
            Some(b'3') => "load-balancers",
            Some(b'4') => "certificates",
            Some(b'5') => "network",
            Some(b'6') => "gateway",
            Some(b'7') => "storage",
            Some(b'8') => "k3s",
            _ => "safety",
        }
    }
}
