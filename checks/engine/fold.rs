//! Which finding explains which, and in what order they are read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::Ranked;
use crate::{Check, Finding, ObjectRef, Reach, Severity};

type Found = (&'static Check, Finding);

/// Folds every finding under one root and puts the roots in order. The same findings in any order give the same list.
pub fn rank(mut found: Vec<Found>) -> Vec<Ranked> {
    found.sort_by(|a, b| name(a).cmp(&name(b)));
    let ids = ids(&found);
    let causes = nearest(causes(&found));
    let forest = Forest::new(&found, &causes);
    let mut order = Vec::with_capacity(found.len());
    for root in &forest.roots {
        forest.walk(*root, 0, &mut order);
    }
    let mut explained: HashMap<usize, Vec<String>> = HashMap::new();
    for (at, depth) in &order {
        if *depth > 0 {
            explained.entry(forest.root_of[*at]).or_default().push(ids[*at].clone());
        }
    }
    let mut slots: Vec<Option<Found>> = found.into_iter().map(Some).collect();
    let ranked = order.into_iter().enumerate().map(|(i, (at, depth))| {
        let (check, finding) = slots[at].take().expect("each finding stands under one root");
        Ranked {
            rank: i + 1,
            id: ids[at].clone(),
            check,
            severity: finding.severity.unwrap_or(check.severity),
            effective: forest.effective[at],
            depth,
            finding,
            caused_by: causes[at].iter().map(|cause| ids[*cause].clone()).collect(),
            explains: explained.remove(&at).unwrap_or_default(),
        }
    });
    ranked.collect()
}

fn name(found: &Found) -> (&'static str, &ObjectRef, Option<&'static str>) {
    (found.0.code, &found.1.subject, found.1.discriminator)
}

fn severity(found: &Found) -> Severity {
    found.1.severity.unwrap_or(found.0.severity)
}

fn ids(found: &[Found]) -> Vec<String> {
    let mut taken = HashSet::new();
    let unique = found.iter().map(|(check, finding)| {
        let mut id = format!("{}/{}/{}", check.code, finding.subject.kind, finding.subject.path());
        if let Some(discriminator) = finding.discriminator {
            id = format!("{id}#{discriminator}");
        }
        let mut attempt = id.clone();
        for n in 2.. {
            if taken.insert(attempt.clone()) {
                break;
            }
            attempt = format!("{id}~{n}");
        }
        attempt
    });
    unique.collect()
}

/// For each finding the findings that its check declares as causes and that meet it: the subject of the one is among the
/// places of the other.
fn causes(found: &[Found]) -> Vec<BTreeSet<usize>> {
    let mut by_code: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut by_subject: HashMap<(&str, &ObjectRef), Vec<usize>> = HashMap::new();
    let mut by_place: HashMap<(&str, &ObjectRef), Vec<usize>> = HashMap::new();
    let asked_for: HashSet<&str> =
        found.iter().flat_map(|(check, _)| check.caused_by).map(|cause| cause.code).collect();
    for (i, (check, finding)) in found.iter().enumerate().filter(|(_, (c, _))| asked_for.contains(c.code)) {
        by_code.entry(check.code).or_default().push(i);
        by_subject.entry((check.code, &finding.subject)).or_default().push(i);
        for place in finding.places() {
            by_place.entry((check.code, place)).or_default().push(i);
        }
    }
    let of = |(effect, (check, finding)): (usize, &'_ Found)| {
        let mut causes = BTreeSet::new();
        for cause in check.caused_by {
            let mut of_this: BTreeSet<usize> = BTreeSet::new();
            match cause.reach {
                Reach::Cluster => of_this.extend(by_code.get(cause.code).into_iter().flatten()),
                Reach::Place => {
                    for place in finding.places() {
                        of_this.extend(by_subject.get(&(cause.code, place)).into_iter().flatten());
                    }
                    of_this.extend(by_place.get(&(cause.code, &finding.subject)).into_iter().flatten());
                }
            }
            if let Some(condition) = cause.when {
                of_this.retain(|i| condition(&found[*i].1, finding));
            }
            causes.extend(of_this);
        }
        causes.remove(&effect);
        causes
    };
    found.iter().enumerate().map(of).collect()
}

/// The subject of the one is among the places of the other.
fn meet(cause: &Finding, effect: &Finding) -> bool {
    effect.places().any(|place| *place == cause.subject)
        || cause.places().any(|place| *place == effect.subject)
}

/// Drops a cause of which another cause is itself an effect: the nearest one explains. A circle is cut where it closes.
fn nearest(mut causes: Vec<BTreeSet<usize>>) -> Vec<BTreeSet<usize>> {
    let mut above: Vec<Option<BTreeSet<usize>>> = vec![None; causes.len()];
    for i in 0..causes.len() {
        ancestors(i, &mut causes, &mut above, &mut Vec::new());
    }
    let above: Vec<BTreeSet<usize>> = above.into_iter().map(Option::unwrap_or_default).collect();
    let near = |direct: &BTreeSet<usize>| {
        direct
            .iter()
            .copied()
            .filter(|cause| !direct.iter().any(|other| above[*other].contains(cause)))
            .collect()
    };
    causes.iter().map(near).collect()
}

fn ancestors(
    at: usize,
    causes: &mut Vec<BTreeSet<usize>>,
    above: &mut Vec<Option<BTreeSet<usize>>>,
    way: &mut Vec<usize>,
) {
    if above[at].is_some() {
        return;
    }
    way.push(at);
    let mut all = BTreeSet::new();
    for cause in causes[at].clone() {
        if way.contains(&cause) {
            debug_assert!(false, "findings that cause each other");
            causes[at].remove(&cause);
            continue;
        }
        ancestors(cause, causes, above, way);
        all.insert(cause);
        all.extend(above[cause].iter().flatten());
    }
    way.pop();
    above[at] = Some(all);
}

struct Forest {
    roots: Vec<usize>,
    children: Vec<Vec<usize>>,
    root_of: Vec<usize>,
    effective: Vec<Severity>,
}

impl Forest {
    fn new(found: &[Found], causes: &[BTreeSet<usize>]) -> Forest {
        let count = found.len();
        let mut tree = Forest {
            roots: (0..count).filter(|i| causes[*i].is_empty()).collect(),
            children: vec![Vec::new(); count],
            root_of: (0..count).collect(),
            effective: found.iter().map(severity).collect(),
        };
        // Where several causes claim a finding, one at the same place has it, then the worst, then the first by name.
        let mut settled: Vec<bool> = causes.iter().map(BTreeSet::is_empty).collect();
        while settled.contains(&false) {
            for i in 0..count {
                if settled[i] || !causes[i].iter().all(|cause| settled[*cause]) {
                    continue;
                }
                let parent = causes[i].iter().copied().min_by_key(|cause| {
                    let root = tree.root_of[*cause];
                    (!meet(&found[*cause].1, &found[i].1), Reverse(severity(&found[root])), root, *cause)
                });
                let parent = parent.expect("a finding without causes is a root");
                tree.children[parent].push(i);
                tree.root_of[i] = tree.root_of[parent];
                settled[i] = true;
            }
        }
        tree.weigh(found);
        tree
    }

    fn weigh(&mut self, found: &[Found]) {
        let mut explains = vec![0usize; found.len()];
        let mut order = Vec::new();
        for root in self.roots.clone() {
            self.walk(root, 0, &mut order);
        }
        for (at, _) in order.into_iter().rev() {
            for child in self.children[at].clone() {
                self.effective[at] = self.effective[at].max(self.effective[child]);
                explains[at] += 1 + explains[child];
            }
        }
        let soonest = |i: usize| found[i].1.deadline.map_or((true, None), |d| (false, Some(d)));
        let key = |i: &usize| (Reverse(self.effective[*i]), Reverse(explains[*i]), soonest(*i), *i);
        self.roots.sort_by_key(key);
        let effective = &self.effective;
        for children in &mut self.children {
            children.sort_by_key(|i| (Reverse(effective[*i]), *i));
        }
    }

    fn walk(&self, at: usize, depth: usize, order: &mut Vec<(usize, usize)>) {
        order.push((at, depth));
        for child in &self.children[at] {
            self.walk(*child, depth + 1, order);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ALL, Cause, Severity};

    const fn check(code: &'static str, severity: Severity, caused_by: &'static [Cause]) -> Check {
        Check {
            code,
            slug: "",
            title: "",
            examines: "",
            severity,
            needs: &[],
            caused_by,
            explain: "",
            judge: |_, _| Ok(()),
        }
    }
    static A: Check = check("KD1", Severity::Warning, &[]);
    static B: Check = check("KD2", Severity::Critical, &[Cause::here(&check("KD1", Severity::Warning, &[]))]);
    static C: Check = check(
        "KD3",
        Severity::Error,
        &[
            Cause::here(&check("KD1", Severity::Warning, &[])),
            Cause::everywhere(&check("KD2", Severity::Critical, &[])),
        ],
    );

    fn about(name: &str) -> Finding {
        Finding::about(ObjectRef::new("X", None, name), "says")
    }

    fn drawn(found: Vec<Found>) -> Vec<String> {
        rank(found).iter().map(|r| format!("{}{}", "  ".repeat(r.depth), r.id)).collect()
    }

    #[test]
    fn the_nearest_cause_explains_and_the_root_takes_the_worst_severity() {
        let found = vec![(&C, about("x")), (&A, about("x")), (&B, about("x")), (&B, about("other"))];
        let drawing = drawn(found.clone());
        assert_eq!(drawing, ["KD1/X/x", "  KD2/X/x", "    KD3/X/x", "KD2/X/other"]);
        assert_eq!(rank(found)[0].effective, Severity::Critical);
    }

    #[test]
    fn the_order_of_what_was_found_does_not_matter() {
        let found = [(&C, about("x")), (&A, about("x")), (&B, about("x")), (&B, about("other"))];
        let first = drawn(found.to_vec());
        for shift in 0..found.len() {
            let mut other = found.to_vec();
            other.rotate_left(shift);
            assert_eq!(drawn(other.clone()), first);
            other.reverse();
            assert_eq!(drawn(other), first);
        }
    }

    #[test]
    fn sharing_a_bystander_explains_nothing() {
        let bystander = ObjectRef::new("Pod", None, "controller");
        let found =
            vec![(&A, about("x").relates_to(bystander.clone())), (&B, about("y").relates_to(bystander))];
        assert_eq!(drawn(found), ["KD2/X/y", "KD1/X/x"]);
    }

    #[test]
    fn a_cause_with_a_condition_explains_only_where_it_holds() {
        static D: Check = check(
            "KD4",
            Severity::Error,
            &[Cause::here(&check("KD1", Severity::Warning, &[]))
                .when(|_, effect| effect.discriminator.is_some())],
        );
        let found = vec![(&A, about("x")), (&D, about("x")), (&D, about("x").discriminator("d"))];
        assert_eq!(drawn(found), ["KD1/X/x", "  KD4/X/x#d", "KD4/X/x"]);
    }

    #[test]
    fn declared_causes_make_no_circle() {
        fn follow(code: &str, way: &mut Vec<String>) {
            assert!(!way.iter().any(|c| c == code), "{way:?} leads back to {code}");
            way.push(code.to_string());
            for cause in ALL.iter().filter(|c| c.code == code).flat_map(|c| c.caused_by) {
                if cause.when.is_some() {
                    continue; // acyclic by its condition: every fixture's findings show it
                }
                assert!(
                    ALL.iter().any(|c| c.code == cause.code),
                    "{code} is caused by {}, which is no check",
                    cause.code
                );
                follow(cause.code, way);
            }
            way.pop();
        }
        for check in ALL {
            follow(check.code, &mut Vec::new());
        }
    }
}
