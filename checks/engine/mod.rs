//! Runs checks over facts and makes the report: statuses are derived, causes folded, findings ranked.

mod fold;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use jiff::Timestamp;

pub use fold::rank;

use crate::domain::cluster::Cluster;
use crate::domain::topology::Topology;
use crate::facts::{Facts, Gap, Text, Why};
use crate::{Check, Finding, Severity, Verdict};

/// Everything a renderer needs.
#[derive(Clone)]
pub struct Report {
    pub generated_at: Timestamp,
    pub context: Option<Text>,
    pub hetzner_context: Option<Text>,
    pub cluster: Cluster,
    pub topology: Topology,
    /// In the order of their rank: each root, then what it explains.
    pub findings: Vec<Ranked>,
    pub checks: Vec<Checked>,
    pub gaps: Vec<Hidden>,
}

/// A finding with its place in the report.
#[derive(Clone)]
pub struct Ranked {
    /// Counted from 1.
    pub rank: usize,
    /// `KD301/Service/edge/web`, with `#discriminator` where there is one.
    pub id: String,
    pub check: &'static Check,
    /// Its own.
    pub severity: Severity,
    /// The worst of its own and what it explains.
    pub effective: Severity,
    /// 0 for a root; what a root explains stands beneath it, deeper by one for each step of the way.
    pub depth: usize,
    pub finding: Finding,
    /// The nearest causes.
    pub caused_by: Vec<String>,
    /// Everything under this root, in rank order; empty unless it is one.
    pub explains: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Healthy,
    Found,
    Unknown,
    NotApplicable,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Healthy => "healthy",
            Status::Found => "found",
            Status::Unknown => "unknown",
            Status::NotApplicable => "not_applicable",
        }
    }
}

/// How one check went.
#[derive(Clone)]
pub struct Checked {
    pub check: &'static Check,
    pub status: Status,
    pub examined: usize,
    /// One line: what was looked at, or why it could not be.
    pub detail: String,
}

/// A gap, and the checks that would have needed it.
#[derive(Clone)]
pub struct Hidden {
    pub gap: Gap,
    pub hides: Vec<&'static str>,
}

/// So many threads judge at most.
const MOST_THREADS: usize = 4;

/// Judges `facts` by `checks`. The order of `checks` does not matter.
pub fn run(facts: &Facts, checks: &[&'static Check]) -> Report {
    let mut checks = checks.to_vec();
    checks.sort_by_key(|check| check.code);
    let mut found = Vec::new();
    let mut checked = Vec::new();
    let mut gaps: BTreeMap<Gap, BTreeSet<&'static str>> = BTreeMap::new();
    let verdicts = judge_all(facts, &checks);
    for (check, verdict) in checks.into_iter().zip(verdicts) {
        checked.push(status_of(check, &verdict));
        for gap in verdict.gaps {
            gaps.entry(gap).or_default().insert(check.code);
        }
        found.extend(verdict.findings.into_iter().map(|finding| (check, finding)));
    }
    Report {
        generated_at: facts.now,
        context: facts.context.clone(),
        hetzner_context: facts.hetzner_context.clone(),
        cluster: Cluster::of(facts),
        topology: Topology::of(facts),
        findings: fold::rank(found),
        checks: checked,
        gaps: gaps
            .into_iter()
            .map(|(gap, hides)| Hidden { gap, hides: hides.into_iter().collect() })
            .collect(),
    }
}

/// What each check says, in their order. On 5,000 nodes one core took a sixth of the run for it, so several do it.
fn judge_all(facts: &Facts, checks: &[&'static Check]) -> Vec<Verdict> {
    let verdicts: Vec<OnceLock<Verdict>> = checks.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(at) = Some(next.fetch_add(1, Relaxed)).filter(|at| *at < checks.len()) {
            verdicts[at].get_or_init(|| judge(facts, checks[at]));
        }
    };
    let helpers = thread::available_parallelism().map_or(0, |cores| cores.get().min(MOST_THREADS) - 1);
    thread::scope(|scope| {
        for _ in 0..helpers {
            // Where no more threads can be had, this one does it alone.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    verdicts.into_iter().map(|verdict| verdict.into_inner().expect("each had its turn")).collect()
}

/// What one check says, on its own: with nothing but its declared needs, and a panic turned into a gap.
pub fn judge(facts: &Facts, check: &'static Check) -> Verdict {
    let facts = facts.only(check.needs);
    let judged = catch_unwind(AssertUnwindSafe(|| {
        let mut verdict = Verdict::default();
        if let Err(gap) = (check.judge)(&facts, &mut verdict) {
            verdict.gaps.push(gap);
        }
        verdict
    }));
    let mut verdict = judged.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<&str>().copied().map(str::to_string);
        let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        let detail = format!("a bug in {}, please report it: {words}", check.code);
        let gap = Gap::new(check.slug, Why::Malformed, detail);
        Verdict { gaps: vec![gap], ..Verdict::default() }
    });
    verdict.findings.iter_mut().for_each(Finding::tighten);
    verdict.gaps.sort();
    verdict.gaps.dedup();
    verdict
}

/// Never healthy when it could not look; left out on purpose is "not asked" and not "unknown".
fn status_of(check: &'static Check, verdict: &Verdict) -> Checked {
    let objects = format!("{} {}", verdict.examined, singular(check.examines, verdict.examined));
    let unknown: Vec<&Gap> = verdict.gaps.iter().filter(|gap| gap.why != Why::LeftOut).collect();
    let (status, detail) = if !verdict.findings.is_empty() {
        let n = verdict.findings.len();
        (Status::Found, format!("{n} finding{} in {objects}", if n == 1 { "" } else { "s" }))
    } else if let Some(gap) = unknown.first() {
        let more =
            if unknown.len() > 1 { format!(" (and {} more)", unknown.len() - 1) } else { String::new() };
        (Status::Unknown, format!("{}{more}", gap.detail))
    } else if let Some(gap) = verdict.gaps.first() {
        (Status::NotApplicable, gap.detail.to_string())
    } else if verdict.examined == 0 {
        (Status::NotApplicable, format!("nothing to judge among {}", check.examines))
    } else {
        (Status::Healthy, objects)
    };
    Checked { check, status, examined: verdict.examined, detail }
}

/// The words of `examines` for that many: "1 node", "3 nodes".
fn singular(examines: &str, count: usize) -> &str {
    if count == 1 { examines.strip_suffix('s').unwrap_or(examines) } else { examines }
}

impl Report {
    /// How many findings have that severity of their own.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|f| f.severity == severity).count()
    }

    pub fn count_status(&self, status: Status) -> usize {
        self.checks.iter().filter(|c| c.status == status).count()
    }

    pub fn roots(&self) -> impl Iterator<Item = &Ranked> {
        self.findings.iter().filter(|f| f.depth == 0)
    }

    /// The findings beneath a root, in order.
    pub fn beneath<'a>(&'a self, root: &'a Ranked) -> impl Iterator<Item = &'a Ranked> {
        self.findings[root.rank..].iter().take_while(|f| f.depth > 0)
    }
}
