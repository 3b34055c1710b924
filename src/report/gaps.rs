//! What could not be seen, put together by source and reason, so that one remedy is said once.

use std::collections::{BTreeMap, HashMap};

use kairos_doctor_checks::engine::{Hidden, Report, Status};
use kairos_doctor_checks::facts::Why;

use super::command;
use super::words::{clean, listed};

/// Gaps of one source that one remedy closes.
pub struct Blind {
    /// `Hetzner`, `kubelets`, `k8s API`.
    pub source: &'static str,
    /// Left out on purpose: no check is unknown for it.
    pub on_purpose: bool,
    /// What was tried and what came back, a line each.
    pub tried: Vec<String>,
    /// Checks that say nothing without it.
    pub hides: Vec<&'static str>,
    /// Checks that found something and would perhaps find more with it.
    pub narrows: Vec<&'static str>,
    pub remedy: String,
}

/// The gaps that make checks unknown first, then the others, then what was left out.
pub fn blind(report: &Report) -> Vec<Blind> {
    let mut by_remedy: BTreeMap<(bool, &str, &str), Vec<&Hidden>> = BTreeMap::new();
    for hidden in &report.gaps {
        let gap = &hidden.gap;
        let key = (gap.why == Why::LeftOut, gap.source(), gap.remedy());
        by_remedy.entry(key).or_default().push(hidden);
    }
    let one = |((on_purpose, source, remedy), hidden): ((bool, &str, &'static str), Vec<&Hidden>)| {
        let mut codes: Vec<&str> = hidden.iter().flat_map(|h| h.hides.iter().copied()).collect();
        codes.sort();
        codes.dedup();
        let found =
            |code: &&str| report.checks.iter().any(|c| c.check.code == *code && c.status == Status::Found);
        let (narrows, hides) = codes.into_iter().partition(found);
        let source = match source {
            "hcloud" => "Hetzner",
            "kubelets" => "kubelets",
            _ => "k8s API",
        };
        Blind {
            source,
            on_purpose,
            tried: tried(&hidden),
            hides,
            narrows,
            remedy: with_context(remedy, report),
        }
    };
    let mut blind: Vec<Blind> = by_remedy.into_iter().map(one).collect();
    blind.sort_by_key(|b| (b.on_purpose, b.hides.is_empty(), std::cmp::Reverse(b.hides.len())));
    blind
}

/// Commands in a remedy name the run's context, as all others do.
fn with_context(remedy: &str, report: &Report) -> String {
    let kubectl = ["kubectl".to_string()];
    let kubectl = command::line(&command::argv(&kubectl, report));
    remedy.replace("`kubectl ", &format!("`{kubectl} ")).replace("| kubectl ", &format!("| {kubectl} "))
}

/// The same answer to several requests is said once.
fn tried(hidden: &[&Hidden]) -> Vec<String> {
    let mut by_detail: Vec<(&str, Vec<String>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for Hidden { gap, .. } in hidden {
        let what = match &gap.item {
            Some(item) => clean(item),
            None => what(&gap.need),
        };
        let place = *places.entry(&gap.detail).or_insert_with(|| {
            by_detail.push((&gap.detail, Vec::new()));
            by_detail.len() - 1
        });
        by_detail[place].1.push(what);
    }
    let line = |(detail, mut what): (&str, Vec<String>)| {
        what.retain(|w| !w.is_empty());
        what.dedup();
        let detail = clean(detail);
        if what.is_empty() { detail } else { format!("{}: {detail}", listed(&what, 5)) }
    };
    by_detail.into_iter().map(line).collect()
}

/// A need in everyday words; nothing when it is a whole source.
fn what(need: &str) -> String {
    match need {
        "hcloud" | "kubernetes" | "kubelets" => String::new(),
        "pods.log" => "pods/log".into(),
        "controller.log" => "the cloud controller's log".into(),
        need => clean(need.strip_prefix("hcloud.").unwrap_or(need)).replace('_', " "),
    }
}
