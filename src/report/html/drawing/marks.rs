//! Which findings speak of which object, and where in the page each is told.

use std::collections::{HashMap, HashSet};

use kairos_doctor_checks::domain::topology::{Balancer, Topology};
use kairos_doctor_checks::engine::{Checked, Ranked, Report};
use kairos_doctor_checks::facts::Kind;
use kairos_doctor_checks::facts::hetzner::LoadBalancer;
use kairos_doctor_checks::{Check, ObjectRef, Severity};

use crate::report::group::{Group, alike};
use crate::report::html::finding::{anchor, sign};
use crate::report::{View, is_shown};

/// A finding's code on a part of the drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub rank: usize,
    pub code: &'static str,
    pub severity: Severity,
    /// This part is what is broken; else it is only named in the finding.
    pub here: bool,
    /// Where the finding is told in the page.
    pub anchor: String,
    pub says: String,
}

impl Tag {
    /// `✗ KD301`: sign and code, so that no colour is needed.
    pub fn label(&self) -> String {
        format!("{} {}", sign(self.severity), self.code)
    }
}

/// What is found at one part of the drawing.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The first of each code, the worst that is broken here first.
    pub tags: Vec<Tag>,
    /// The ranks of all that is shown here.
    pub ranks: Vec<usize>,
    /// Findings that are suppressed, or that the chosen severity keeps from being shown.
    pub hidden: usize,
}

/// What a part of the drawing is, for the checks that would say something of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Balancer,
    Service,
    /// Of a Gateway.
    Gateway,
    Node,
}

impl Of {
    /// Kubelets are left out: how each of them was seen is drawn.
    fn concerns(self, check: &Check) -> bool {
        let reads_balancers = || check.needs.iter().any(|need| need.key == LoadBalancer::NEED.key);
        match (self, check.area()) {
            (Of::Balancer, "load-balancers") => reads_balancers(),
            (Of::Service | Of::Gateway, "load-balancers") | (Of::Gateway, "gateway") => true,
            (Of::Node, "nodes") => !matches!(check.code, "KD100" | "KD110" | "KD113"),
            (Of::Node, "network") => true,
            _ => false,
        }
    }
}

pub struct Marks<'a> {
    report: &'a Report,
    /// Checks that could not look everywhere, and those that could not look at one part that is drawn, by its name.
    blind: HashSet<&'static str>,
    blind_at: HashMap<&'a str, HashSet<&'static str>>,
    by_object: HashMap<&'a ObjectRef, Vec<usize>>,
    /// What suppressed findings are about: it is not clean, and not told.
    suppressed: HashSet<&'a ObjectRef>,
    anchors: HashMap<&'a str, String>,
    min: Severity,
}

impl<'a> Marks<'a> {
    pub fn new(report: &'a Report, groups: &[Group<'a>], view: &'a View) -> Marks<'a> {
        let mut by_object: HashMap<&ObjectRef, Vec<usize>> = HashMap::new();
        for (at, found) in report.findings.iter().enumerate() {
            for place in found.finding.places() {
                by_object.entry(place).or_default().push(at);
            }
        }
        let suppressed = view.suppressed.findings.iter().flat_map(|hushed| hushed.ranked.finding.places());
        let mut anchors = HashMap::new();
        for group in groups {
            let root = anchor(group.root);
            for told_there in group.others.iter().chain(&group.beneath) {
                anchors.insert(told_there.id.as_str(), root.clone());
            }
            for (first, _) in alike(&group.beneath) {
                anchors.insert(first.id.as_str(), anchor(first));
            }
            anchors.insert(group.root.id.as_str(), root);
        }
        let drawn = drawn(&report.topology);
        let (mut blind, mut blind_at): (HashSet<_>, HashMap<_, HashSet<_>>) = Default::default();
        for hidden in &report.gaps {
            // A gap of one part is no other's; one of an object that is not drawn may be anybody's.
            let item = hidden.gap.item.as_deref().and_then(|item| item.split(' ').next());
            let codes = match item.filter(|item| drawn.contains(*item)) {
                Some(item) => blind_at.entry(item).or_default(),
                None => &mut blind,
            };
            codes.extend(hidden.hides.iter().copied());
        }
        Marks {
            report,
            blind,
            blind_at,
            by_object,
            suppressed: suppressed.collect(),
            anchors,
            min: view.min_severity,
        }
    }

    /// How many checks could not say all that they might of the part of that name.
    pub fn unjudged(&self, of: Of, name: &str) -> usize {
        let own = self.blind_at.get(name);
        let is_blind =
            |code: &str| self.blind.contains(code) || own.is_some_and(|codes| codes.contains(code));
        let concerned = |checked: &&Checked| of.concerns(checked.check) && is_blind(checked.check.code);
        self.report.checks.iter().filter(concerned).count()
    }

    /// What is found at a part that stands for these objects. A finding that names `deeper` (the kubelet of a node) is at
    /// home there.
    pub fn at(&self, objects: &[&ObjectRef], deeper: &[ObjectRef]) -> Found {
        let all: HashSet<usize> =
            objects.iter().flat_map(|o| self.by_object.get(o)).flatten().copied().collect();
        let elsewhere: HashSet<usize> =
            deeper.iter().flat_map(|o| self.by_object.get(o)).flatten().copied().collect();
        let suppressed = objects.iter().filter(|object| self.suppressed.contains(**object)).count();
        let mut found = Found { hidden: suppressed, ..Found::default() };
        let mut ranks: Vec<usize> = all.into_iter().collect();
        ranks.sort_unstable();
        for at in ranks {
            let ranked = &self.report.findings[at];
            let Some(anchor) = self.anchors.get(ranked.id.as_str()).filter(|_| is_shown(ranked, self.min))
            else {
                found.hidden += 1;
                continue;
            };
            let subject = &ranked.finding.subject;
            let here =
                !elsewhere.contains(&at) && objects.iter().any(|o| *o == subject || o.kind == "Kubelet");
            found.tags.push(tag(ranked, here, anchor));
        }
        found.ranks = found.tags.iter().map(|tag| tag.rank).collect();
        found.tags.sort_by_key(|tag| (!tag.here, std::cmp::Reverse(tag.severity), tag.rank));
        let mut seen = HashSet::new();
        found.tags.retain(|tag| seen.insert(tag.code));
        found
    }

    /// The shown roots that none of the drawn tags belongs to, nor anything that they explain.
    pub fn beside<'g>(&self, groups: &'g [Group<'a>], drawn: &HashSet<usize>) -> Vec<&'g Group<'a>> {
        let is_drawn = |group: &&Group| {
            let all = std::iter::once(group.root)
                .chain(group.others.iter().copied())
                .chain(group.beneath.iter().copied());
            all.map(|ranked| ranked.rank).any(|rank| drawn.contains(&rank))
        };
        groups.iter().filter(|group| !is_drawn(group)).collect()
    }
}

fn drawn(topology: &Topology) -> HashSet<String> {
    let mut names = HashSet::new();
    for way in topology.ways.as_deref().unwrap_or_default() {
        names.insert(way.service.path());
        if let Balancer::Hetzner(lb) = &way.balancer {
            names.insert(lb.object.path());
        }
    }
    names.extend(topology.nodes.iter().flatten().map(|station| station.node.path()));
    names
}

fn tag(ranked: &Ranked, here: bool, anchor: &str) -> Tag {
    Tag {
        rank: ranked.rank,
        code: ranked.check.code,
        severity: ranked.effective,
        here,
        anchor: anchor.to_string(),
        says: ranked.finding.says.clone(),
    }
}
