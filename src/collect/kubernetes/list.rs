//! All objects of one need, page by page.

use std::collections::HashSet;

use http::StatusCode;
use kairos_doctor_checks::facts::kubelet::ClusterCa;
use kairos_doctor_checks::facts::{Gap, Kind, Known, Need, Origin, Page, Part, Resource, Why};
use tokio::task::spawn_blocking;

use super::Kubernetes;
use super::ask::{Answer, asked};
use super::discovery::Choice;
use crate::collect::budget::{BODY_CAP, Trouble};
use crate::collect::guard::{Get, PageOf};

/// When a page is larger than what is read of a body.
const SMALLER_PAGE: usize = 100;
/// More pages than the largest cluster has; a server that never ends is left here.
const MOST_PAGES: usize = 2000;

/// A body of this many bytes takes longer to decode than to hand to another thread.
const LARGE: usize = 64 * 1024;

/// What one pass over the pages came to.
enum Pass {
    All(Part),
    /// 404: the resource, or the one object, is not there.
    Absent(Trouble),
    /// 410: the list has to be begun anew.
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
        let mut absent = None;
        for version in versions {
            match self.whole_list(need, version).await {
                Ok(Ok(part)) => return Ok(part),
                Ok(Err(trouble)) => absent = Some(trouble),
                Err(trouble) => return Err(trouble.gap(need.key)),
            }
        }
        match absent {
            Some(trouble) if !resource.custom && resource.only.is_none() => Err(trouble.gap(need.key)),
            _ => Ok(need.join(Vec::new())),
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
    async fn whole_list(&self, need: &'static Need, version: &str) -> Result<Result<Part, Trouble>, Trouble> {
        for begun_anew in [false, true] {
            match self.pass(need, version).await? {
                Pass::All(part) => return Ok(Ok(part)),
                Pass::Absent(trouble) => return Ok(Err(trouble)),
                Pass::Expired(trouble) if begun_anew => return Err(trouble),
                Pass::Expired(_) => {}
            }
        }
        unreachable!("the second pass returns")
    }

    async fn pass(&self, need: &'static Need, version: &str) -> Result<Pass, Trouble> {
        let mut pages = Vec::new();
        let mut seen: HashSet<String> = HashSet::new();
        let mut limit = PageOf::FIRST.limit;
        let mut after: Option<String> = None;
        while pages.len() < MOST_PAGES {
            let get = Get::of(need, version, PageOf { limit, after: after.as_deref() })
                .map_err(|refused| Trouble::new(Why::Malformed, refused.to_string()))?;
            let answer = self.ask(&get).await?;
            match answer.status {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => return Ok(Pass::Absent(answer.trouble(&get))),
                StatusCode::GONE if after.is_some() => return Ok(Pass::Expired(answer.trouble(&get))),
                _ => return Err(answer.trouble(&get)),
            }
            if !answer.whole {
                if limit > SMALLER_PAGE && need_is_paged(need) {
                    limit = SMALLER_PAGE;
                    continue;
                }
                return Err(too_large(&get, limit));
            }
            let (answer, page) = self.decode(need, answer).await;
            let page = page.map_err(|e| answer.unreadable(&get, &e))?;
            drop(answer);
            pages.push(page.items);
            match page.next {
                None => return Ok(Pass::All(need.join(pages))),
                Some(token) if seen.contains(&token) => {
                    let detail = format!("{} gave the same `continue` token twice", asked(&get));
                    return Err(Trouble::new(Why::Malformed, detail));
                }
                Some(token) => {
                    seen.insert(token.clone());
                    after = Some(token);
                }
            }
        }
        let path = need_path(need, version);
        Err(Trouble::new(Why::Malformed, format!("GET {path} had not ended after {MOST_PAGES} pages")))
    }

    /// Decodes large bodies beside whatever else is going on: all requests and handshakes are one task, which a page of 500
    /// pods would hold up for ten milliseconds.
    async fn decode(&self, need: &'static Need, answer: Answer) -> (Answer, Result<Page, serde_json::Error>) {
        let small = answer.body.len() < LARGE;
        let decode = move || {
            let page = need.decode(&answer.body);
            (answer, page)
        };
        if small {
            return decode();
        }
        let _turn = self.decoding.acquire().await;
        match spawn_blocking(decode).await {
            Ok(decoded) => decoded,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
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

fn too_large(get: &Get, limit: usize) -> Trouble {
    let cap = BODY_CAP / (1024 * 1024);
    Trouble::new(
        Why::Malformed,
        format!("{}: a page of {limit} is too large (more than {cap} MiB)", asked(get)),
    )
}
