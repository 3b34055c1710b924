//! Asks the API server for one byte of a log on each node: it dials the node's kubelet for that, and says how it went.
//! The byte itself is never read.

use std::sync::Arc;

use futures::future::join_all;
use http::StatusCode;
use kairos_doctor_checks::domain::kubelet::known_message;
use kairos_doctor_checks::facts::kubelet::{Failure as Failed, LogProbe};
use kairos_doctor_checks::facts::kubernetes::{Node, Pod};
use kairos_doctor_checks::facts::{Gap, Kind, Known, Origin, Part, Why};
use serde_json::from_slice;

use super::Kubernetes;
use super::ask::{Status, read_error};
use super::failure::Failure;
use crate::collect::budget::Came;
use crate::collect::guard::Get;

/// On this many nodes at most.
pub const MOST_NODES: usize = 8;

impl Kubernetes {
    /// One probe on each of at most [`MOST_NODES`] nodes: those of `wanted` first, in their order, then the others by name.
    ///
    /// # Errors
    /// When the doctor may not read logs at all, or the API does not answer.
    pub async fn log_probe(&self, pods: &[Pod], nodes: &[Node], wanted: &[&str]) -> Known<Part> {
        self.reached().await?;
        let targets = targets(pods, nodes, wanted);
        let probes =
            join_all(targets.into_iter().map(|(node, pod, container)| self.probe(node, pod, container)))
                .await;
        let mut probes: Vec<LogProbe> = probes.into_iter().flatten().collect();
        if !probes.is_empty() && probes.iter().all(|probe| is_forbidden(probe.status, &probe.message)) {
            let probe = probes.swap_remove(0);
            let detail = format!(
                "asked for the log of {}, the server answered {}: {}",
                probe.pod, probe.status, probe.message
            );
            return Err(Gap::new(LogProbe::NEED.key, Why::Forbidden, detail));
        }
        Ok(LogProbe::NEED.join(vec![Arc::new(probes)]))
    }

    /// `None` for a pod that has no name Kubernetes would give: it is not asked for.
    async fn probe(&self, node: &str, pod: &Pod, container: &str) -> Option<LogProbe> {
        let get = Get::log(&LogProbe::NEED, &pod.metadata.name, container).ok()?;
        let mut probe = LogProbe {
            node: node.into(),
            namespace: namespace().into(),
            pod: pod.metadata.name.clone(),
            container: container.into(),
            ..LogProbe::default()
        };
        let came = Came::default();
        match self.limited(&came, self.answer(&get, &came)).await {
            Ok((code, status)) => {
                probe.status = code.as_u16().into();
                probe.reason = status.reason.unwrap_or_default();
                probe.message = known_message(&status.message.unwrap_or_default()).into();
            }
            Err(failure) => {
                let trouble = failure.trouble("GET a pod's log");
                probe.failure =
                    Some(Failed { why: trouble.why.as_str().into(), detail: trouble.detail.into() });
            }
        }
        Some(probe)
    }

    async fn answer(&self, get: &Get, came: &Came) -> Result<(StatusCode, Status), Failure> {
        let (head, body) = self.send(get).await?;
        let code = head.status;
        // A body of 2xx is the log.
        if code.is_success() {
            return Ok((code, Status::default()));
        }
        let body = read_error(body, came).await?;
        Ok((code, from_slice(&body).unwrap_or_default()))
    }
}

/// The API server said no. A kubelet's no shows that it was reached, and names the subresource.
pub(super) fn is_forbidden(status: i64, message: &str) -> bool {
    matches!(status, 401 | 403) && !message.contains("( pods/log ")
}

fn namespace() -> &'static str {
    match LogProbe::NEED.from {
        Origin::PodLogs { namespace, .. } => namespace,
        _ => unreachable!("probes are logs of pods"),
    }
}

/// Node, pod and container of each probe.
fn targets<'a>(pods: &'a [Pod], nodes: &'a [Node], wanted: &[&str]) -> Vec<(&'a str, &'a Pod, &'a str)> {
    let mut names: Vec<&str> = nodes.iter().map(Node::name).collect();
    names.sort_unstable_by_key(|name| (wanted.iter().position(|w| w == name).unwrap_or(usize::MAX), *name));
    names.dedup();
    let target = |name: &&'a str| {
        let on_it = pods.iter().filter(|pod| pod.spec.node_name == **name && is_candidate(pod));
        let pod = on_it.min_by_key(|pod| (rank(pod), &pod.metadata.name))?;
        Some((*name, pod, container(pod)?))
    };
    names.iter().filter_map(target).take(MOST_NODES).collect()
}

fn is_candidate(pod: &Pod) -> bool {
    pod.metadata.namespace.as_deref() == Some(namespace())
        && pod.is_running()
        && pod.metadata.deletion_timestamp.is_none()
        && pod.metadata.label("app.kubernetes.io/name") != Some("kairos-doctor")
        && container(pod).is_some()
}

/// Pods of DaemonSets before others, and among them those that every node of such a cluster has.
fn rank(pod: &Pod) -> u8 {
    let of_daemon_set = pod.metadata.owner_references.iter().any(|owner| owner.kind == "DaemonSet");
    let name = &*pod.metadata.name;
    match of_daemon_set {
        true if name.contains("csi-node") => 0,
        true if name.starts_with("cilium-") => 1,
        true => 2,
        false => 3,
    }
}

/// The first container that runs, so that its log exists; the first there is when none says so.
fn container(pod: &Pod) -> Option<&str> {
    let runs = |name: &str| {
        pod.status
            .container_statuses
            .iter()
            .any(|status| status.name == *name && status.state.running.is_some())
    };
    let names = || pod.spec.containers.iter().map(|container| &*container.name);
    names().find(|name| runs(name)).or_else(|| names().next())
}
