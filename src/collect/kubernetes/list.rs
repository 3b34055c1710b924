//! All objects of one need, page by page.

use std::collections::HashSet;
use std::sync::atomic::Ordering::Relaxed;

use kairos_doctor_checks::facts::kubelet::ClusterCa;
use kairos_doctor_checks::facts::{Gap, Kind, Known, Need, Origin, Part, Resource, Why};

use super::Kubernetes;
use super::discovery::Choice;
use super::pages::{Absence, Fetched, Flight};
use crate::collect::budget::{BODY_CAP, Trouble};

/// When a page is larger than what is read of a body.
const SMALLER_PAGES: [usize; 2] = [100, 10];
/// So many pages in a row may be empty, as they may where a field is selected.
const MOST_EMPTY: usize = 8;
/// More pages than the largest cluster has; a server that never ends is left here.
const MOST_PAGES: usize = 2000;

/// What one pass over the pages came to.
enum Pass {
    All(Part),
    /// 404: the resource, or the one object, is not there.
    Absent(Absence),
    /// 410, or pages that show one object twice: the list has to be begun anew.
    Expired(Trouble),
}

impl Kubernetes {
    /// All objects of a need, sorted and one of each. A custom resource that is not installed is an empty list.
    ///
    /// # Errors
    /// One gap that says what was asked and what came back; the one of the whole API when that does not answer.
    pub async fn list(&self, need: &'static Need) -> Known<Part> {
        self.reached().await?;
        if *need == ClusterCa::NEED {
            return self.cluster_ca().await.map(|authority| authority.part);
        }
        let resource = match need.from {
            Origin::Kubernetes(resource) => resource,
            Origin::KubernetesPath(_) => return self.version().await,
            _ => return Err(Gap::new(need.key, Why::NotRead, "it is not read from the Kubernetes API")),
        };
        let versions = match self.choose(&resource).await {
            Choice::Try(versions) => versions,
            Choice::Absent => return Ok(need.join(Vec::new())),
            Choice::Unread(served) => {
                let detail = format!(
                    "{}.{} are served as {} only, and read as {}",
                    resource.plural,
                    resource.group,
                    served.join(", "),
                    resource.versions.join(", ")
                );
                return Err(Gap::new(need.key, Why::NotRead, detail));
            }
        };
        let mut absent = Ok(need.join(Vec::new()));
        for version in versions {
            match self.whole_list(need, version).await {
                Ok(Ok(part)) => return Ok(part),
                Ok(Err(_)) if absent.is_err() => {}
                Ok(Err(absence)) if self.believes(&resource, &absence).await => {}
                Ok(Err(Absence { trouble, .. })) => absent = Err(trouble.gap(need.key)),
                Err(trouble) => return Err(trouble.gap(need.key)),
            }
        }
        absent
    }

    /// Whether 404 means that there is none, and not that something in between knows no better.
    async fn believes(&self, resource: &Resource, absence: &Absence) -> bool {
        match resource.only {
            Some((_, name)) => absence.status.message().contains(&format!("\"{name}\" not found")),
            None if resource.custom => {
                let listed = self.served().await.is_some_and(|served| served.lists(resource));
                // Every API server has a list of groups.
                let has_groups = !self.no_groups.load(Relaxed);
                !listed && has_groups && absence.is_of_an_api_server()
            }
            None => false,
        }
    }

    async fn choose(&self, resource: &Resource) -> Choice {
        match resource.custom {
            true => match self.served().await {
                Some(served) => served.choose(resource),
                None => Choice::Try(resource.versions.to_vec()),
            },
            false => Choice::Try(resource.versions[..1].to_vec()),
        }
    }

    /// The list in one version, begun anew once when it expires on the way; `Ok(Err(_))` when it is not there.
    async fn whole_list(&self, need: &'static Need, version: &str) -> Result<Result<Part, Absence>, Trouble> {
        for begun_anew in [false, true] {
            match self.pass(need, version).await? {
                Pass::All(part) => return Ok(Ok(part)),
                Pass::Absent(absence) => return Ok(Err(absence)),
                Pass::Expired(trouble) if begun_anew => return Err(trouble),
                Pass::Expired(_) => {}
            }
        }
        unreachable!("the second pass returns")
    }

    async fn pass(&self, need: &'static Need, version: &str) -> Result<Pass, Trouble> {
        let path = need_path(need, version);
        let malformed = |what: &str| Trouble::new(Why::Malformed, format!("GET {path} {what}"));
        let twice = || malformed("shows the same objects on several pages");
        let (mut whole, mut pages, mut shown) = (need.join(Vec::new()), 0, 0);
        let (mut firsts, mut empty) = (HashSet::new(), 0);
        let mut flight = Flight::new(self, need, version);
        while pages < MOST_PAGES {
            let (after, fetched) = flight.next().await;
            let page = match fetched? {
                Fetched::Page(page) => page,
                Fetched::Absent(absence) => return Ok(Pass::Absent(absence)),
                Fetched::Expired(trouble) => return Ok(Pass::Expired(trouble)),
                Fetched::TooLarge => {
                    let limit = flight.limit;
                    match SMALLER_PAGES.into_iter().find(|smaller| *smaller < limit) {
                        Some(smaller) if need_is_paged(need) => flight.again(after, smaller),
                        _ => return Err(malformed(&too_large(limit))),
                    }
                    continue;
                }
            };
            let first = need.first(&page.items);
            if first.as_ref().is_some_and(|first| !is_one(need, &first.name)) {
                return Err(malformed("was answered with JSON of another kind"));
            }
            // A server that begins again and again is not followed.
            empty = if first.is_none() { empty + 1 } else { 0 };
            if first.is_some_and(|first| !firsts.insert(first)) {
                return Ok(Pass::Expired(twice()));
            }
            if empty > MOST_EMPTY {
                return Err(malformed("gives empty pages, and always a next one"));
            }
            pages += 1;
            shown += need.len(&page.items);
            need.append(&mut whole, page.items);
            let Some(token) = page.next else {
                let part = need.join(vec![whole]);
                // Pages are of one moment: what stands on two of them stands where another object should be.
                let whole = need.len(&part) == shown;
                return Ok(if whole { Pass::All(part) } else { Pass::Expired(twice()) });
            };
            if !flight.go_on(token) {
                return Err(malformed("gave the same `continue` token twice"));
            }
        }
        Err(malformed(&format!("had not ended after {MOST_PAGES} pages")))
    }
}

/// Whether it may be of that need, which may be for one object only. Every object has a name.
fn is_one(need: &Need, name: &str) -> bool {
    match need.from {
        Origin::Kubernetes(Resource { only: Some((_, wanted)), .. }) => name == wanted,
        _ => !name.is_empty(),
    }
}

fn need_is_paged(need: &'static Need) -> bool {
    matches!(need.from, Origin::Kubernetes(Resource { only: None, .. }))
}

fn need_path(need: &Need, version: &str) -> String {
    match need.from {
        Origin::Kubernetes(resource) => resource.path(version),
        _ => String::new(),
    }
}

fn too_large(limit: usize) -> String {
    let cap = BODY_CAP / (1024 * 1024);
    format!("does not end its answer: {limit} objects are more than {cap} MiB")
}
