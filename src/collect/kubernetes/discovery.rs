//! Which custom resources are served, and in which versions: so that one which is not installed is known to be empty.
//!
//! Source: kubernetes `staging/src/k8s.io/api/apidiscovery/v2/types.go` and `apimachinery/pkg/apis/meta/v1/types.go`.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use futures::future::try_join;
use http::StatusCode;
use kairos_doctor_checks::facts::Resource;
use serde::Deserialize;

use super::Kubernetes;
use crate::collect::guard::Get;

/// The versions of each group.
pub(super) struct Served(BTreeMap<String, Vec<ServedVersion>>);

struct ServedVersion {
    name: String,
    /// `None` when the server did not tell.
    resources: Option<Vec<String>>,
}

/// Where a resource can be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// In these versions, to be tried in this order.
    Try(Vec<&'static str>),
    /// Nowhere: it is not installed.
    Absent,
    /// Only in versions that are not read.
    Unread(Vec<String>),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answered {
    kind: String,
    items: Vec<Group>,
    groups: Vec<Group>,
}

/// A group of either form of discovery.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Group {
    name: String,
    metadata: Named,
    versions: Vec<Version>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Version {
    version: String,
    freshness: String,
    resources: Vec<Listed>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Listed {
    resource: String,
}

impl Kubernetes {
    /// Asks what is served beside the first request, so that custom resources can be listed with all others; leaves it when
    /// there is nobody to ask.
    pub async fn discover(&self) {
        let ask = async {
            self.served().await;
            Ok(())
        };
        // The first to fail ends both, and nobody waits for what it says: whoever lists something is told as well.
        let _ = try_join(self.reached(), ask).await;
    }

    /// What is served; `None` when the server would not say.
    pub(super) async fn served(&self) -> Option<&Served> {
        let ask = async || {
            let answer = self.ask(&Get::groups()).await.ok()?;
            self.no_groups.store(answer.status == StatusCode::NOT_FOUND, Relaxed);
            if answer.status != StatusCode::OK || !answer.whole {
                return None;
            }
            Served::read(&answer.body)
        };
        self.served.get_or_init(ask).await.as_ref()
    }
}

impl Served {
    fn read(body: &[u8]) -> Option<Served> {
        let answered: Answered = serde_json::from_slice(body).ok()?;
        let aggregated = match &*answered.kind {
            "APIGroupDiscoveryList" => true,
            "APIGroupList" => false,
            _ => return None,
        };
        let groups = if aggregated { answered.items } else { answered.groups };
        let of = |version: Version| {
            // What a stale version (an aggregated API server that is away) lists may be out of date.
            let told = aggregated && version.freshness != "Stale";
            let resources = version.resources.into_iter().map(|listed| listed.resource).collect();
            ServedVersion { name: version.version, resources: told.then_some(resources) }
        };
        let of_group = |group: Group| {
            let name = if aggregated { group.metadata.name } else { group.name };
            (name, group.versions.into_iter().map(of).collect())
        };
        Some(Served(groups.into_iter().map(of_group).collect()))
    }

    /// It is said to be there, resource and all.
    pub(super) fn lists(&self, resource: &Resource) -> bool {
        let versions = self.0.get(resource.group).into_iter().flatten();
        versions.flat_map(|version| version.resources.iter().flatten()).any(|name| name == resource.plural)
    }

    pub(super) fn choose(&self, resource: &Resource) -> Choice {
        let Some(versions) = self.0.get(resource.group) else { return Choice::Absent };
        let plural = resource.plural;
        let may_have = |version: &&ServedVersion| {
            version.resources.as_ref().is_none_or(|told| told.iter().any(|name| name == plural))
        };
        let served: Vec<&String> = versions.iter().filter(may_have).map(|version| &version.name).collect();
        let read: Vec<&'static str> =
            resource.versions.iter().copied().filter(|wanted| served.iter().any(|v| v == wanted)).collect();
        match (read.is_empty(), served.is_empty()) {
            (false, _) => Choice::Try(read),
            (true, true) => Choice::Absent,
            (true, false) => Choice::Unread(served.into_iter().cloned().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAYS: Resource = Resource::custom("gateway.networking.k8s.io", &["v1", "v1beta1"], "gateways");

    fn aggregated(versions: &str) -> Choice {
        let body = format!(
            r#"{{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","items":[
            {{"metadata":{{"name":"gateway.networking.k8s.io"}},"versions":[{versions}]}}]}}"#
        );
        Served::read(body.as_bytes()).unwrap().choose(&GATEWAYS)
    }

    #[test]
    fn the_preferred_of_the_served_versions_is_chosen() {
        let v1beta1 = r#"{"version":"v1beta1","freshness":"Current","resources":[{"resource":"gateways"}]}"#;
        let v1 = r#"{"version":"v1","resources":[{"resource":"gateways"},{"resource":"httproutes"}]}"#;
        assert_eq!(aggregated(&format!("{v1beta1},{v1}")), Choice::Try(vec!["v1", "v1beta1"]));
        assert_eq!(aggregated(v1beta1), Choice::Try(vec!["v1beta1"]));
    }

    #[test]
    fn a_group_without_the_resource_has_none_of_it() {
        assert_eq!(aggregated(r#"{"version":"v1","resources":[{"resource":"httproutes"}]}"#), Choice::Absent);
        let stale = r#"{"version":"v1","freshness":"Stale","resources":[]}"#;
        assert_eq!(aggregated(stale), Choice::Try(vec!["v1"]), "a stale list proves nothing");
        let old = r#"{"version":"v1alpha2","resources":[{"resource":"gateways"}]}"#;
        assert_eq!(aggregated(old), Choice::Unread(vec!["v1alpha2".into()]));
    }

    #[test]
    fn the_plain_list_of_groups_tells_the_versions_only() {
        let body = r#"{"kind":"APIGroupList","groups":[{"name":"gateway.networking.k8s.io","versions":[
            {"groupVersion":"gateway.networking.k8s.io/v1beta1","version":"v1beta1"}]}]}"#;
        let served = Served::read(body.as_bytes()).unwrap();
        assert_eq!(served.choose(&GATEWAYS), Choice::Try(vec!["v1beta1"]));
        assert_eq!(served.choose(&Resource::custom("helm.cattle.io", &["v1"], "helmcharts")), Choice::Absent);
        assert!(Served::read(b"{\"kind\":\"Status\"}").is_none());
        assert!(Served::read(b"<html>").is_none());
    }
}
