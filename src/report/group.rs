//! Roots that are the same fault at many places are told once.

use kairos_doctor_checks::engine::Ranked;
use kairos_doctor_checks::{Act, Confidence, Finding, Severity};

use super::words::{self, kinds};

/// A root that is told in full, those that differ from it by their names only, and what all of them explain.
pub struct Group<'a> {
    pub root: &'a Ranked,
    pub others: Vec<&'a Ranked>,
    pub beneath: Vec<&'a Ranked>,
}

/// The shown findings by root, in rank order. With `together`, a root joins an earlier one when check, discriminator,
/// severity, confidence and every step are the same but for names and values: only then is the one's fix the other's.
pub fn groups<'a>(shown: &[&'a Ranked], together: bool) -> Vec<Group<'a>> {
    let mut groups: Vec<(String, Group)> = Vec::new();
    let mut at = 0;
    for finding in shown {
        if finding.depth > 0 {
            if let Some((_, group)) = groups.get_mut(at) {
                group.beneath.push(finding);
            }
            continue;
        }
        let shape = if together { shape(finding) } else { finding.id.clone() };
        at = match groups.iter().position(|(other, _)| *other == shape) {
            Some(same) => {
                groups[same].1.others.push(finding);
                same
            }
            None => {
                groups.push((shape, Group { root: finding, others: Vec::new(), beneath: Vec::new() }));
                groups.len() - 1
            }
        };
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

impl Group<'_> {
    /// Something that it explains is there for all to see: it is no mere prediction any more.
    pub fn is_shown_by_effects(&self) -> bool {
        self.beneath.iter().any(|effect| effect.finding.confidence == Confidence::Confirmed)
    }

    /// The worst of the root and what it explains.
    pub fn effective(&self) -> Severity {
        self.root.effective
    }

    /// `39 more nodes`, or `2 more` when they are of several kinds.
    pub fn others_counted(&self) -> String {
        let kind = &self.root.finding.subject.kind;
        let count = self.others.len();
        if self.others.iter().any(|other| other.finding.subject.kind != *kind) {
            return format!("{count} more");
        }
        match kinds(kind, count).split_once(' ') {
            Some((count, kind)) => format!("{count} more {kind}"),
            None => format!("{count} more"),
        }
    }

    pub fn other_names(&self) -> Vec<String> {
        self.others.iter().map(|other| words::name(&other.finding.subject)).collect()
    }
}

/// What a finding says and asks for, without the names and values in it.
fn shape(ranked: &Ranked) -> String {
    let finding = &ranked.finding;
    let masks = masks(finding);
    let mask = |text: &str| masked(text, &masks);
    let mut shape = format!(
        "{} {:?} {:?} {:?}",
        ranked.check.code, finding.discriminator, ranked.effective, finding.confidence
    );
    for step in &finding.steps {
        let act = match &step.act {
            Act::Decide => "decide".to_string(),
            Act::Run(argv) => format!("run {argv:?}"),
            Act::Apply(object) => format!("apply {object}"),
            Act::Write { place, snippet } => format!("write {place} {snippet}"),
        };
        let hazard = step.hazard.as_deref().unwrap_or_default();
        let told = mask(&format!("{} | {act} | {hazard}", step.why));
        shape.push_str(&format!("\n{:?} {:?} {told}", step.when, step.changes));
    }
    for verify in &finding.verify {
        shape.push_str(&mask(&format!("\n{:?} {}", verify.argv, verify.expect)));
    }
    shape
}

/// Everything that is this finding's own: names, IDs, and the values it rests on; the longest first.
fn masks(finding: &Finding) -> Vec<String> {
    let mut masks: Vec<String> = Vec::new();
    for place in finding.places() {
        masks.extend([place.path(), place.name.to_string()]);
        masks.extend(place.namespace.iter().map(|namespace| namespace.to_string()));
        masks.extend(place.id.map(|id| id.to_string()));
    }
    masks.extend(finding.evidence.iter().filter_map(|e| e.value.as_ref()).map(|v| v.to_string()));
    masks.retain(|mask| mask.len() > 1);
    masks.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    masks.dedup();
    masks
}

/// The text with a placeholder for each whole word that is masked: node `k3` is not in `k3s`.
fn masked(text: &str, masks: &[String]) -> String {
    let mut text = text.to_string();
    for mask in masks {
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find(mask.as_str()) {
            let end = at + mask.len();
            let before = rest[..at].chars().next_back().or(out.chars().next_back());
            let whole = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
            let found = whole(before) && whole(rest[end..].chars().next());
            out.push_str(&rest[..at]);
            out.push_str(if found { "\u{1}" } else { &rest[at..end] });
            rest = &rest[end..];
        }
        out.push_str(rest);
        text = out;
    }
    text
}

/// Findings beneath a root that say the same of several objects: the first, and the names of the others.
pub fn alike<'a>(beneath: &[&'a Ranked]) -> Vec<(&'a Ranked, Vec<String>)> {
    let mut rows: Vec<(String, &Ranked, Vec<String>)> = Vec::new();
    for finding in beneath {
        let masks = masks(&finding.finding);
        let says = masked(&finding.finding.says, &masks);
        let key = format!("{} {says}", finding.check.code);
        match rows.iter_mut().find(|(other, ..)| *other == key) {
            Some((.., names)) => names.push(words::name(&finding.finding.subject)),
            None => rows.push((key, finding, Vec::new())),
        }
    }
    rows.into_iter().map(|(_, first, names)| (first, names)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{samples, shown};

    #[test]
    fn the_same_fault_on_many_nodes_is_told_once() {
        let report = samples::kubelets(40);
        let (shown, _) = shown(&report, Severity::Info);
        let groups = groups(&shown, true);
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].others_counted(), "39 more nodes");
    }

    #[test]
    fn another_fix_is_told_apart() {
        // One of the nodes is an etcd member, where the others' fix would stop k3s for good.
        let report = samples::kubelets_with_etcd(5);
        let (shown, _) = shown(&report, Severity::Info);
        let groups = groups(&shown, true);
        let counts: Vec<usize> = groups.iter().map(|g| 1 + g.others.len()).collect();
        assert_eq!(counts, [1, 4]);
    }

    #[test]
    fn one_by_one_when_asked() {
        let report = samples::kubelets(5);
        let (shown, _) = shown(&report, Severity::Info);
        assert_eq!(groups(&shown, false).len(), 5);
    }
}
