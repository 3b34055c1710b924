//! When a node that should take traffic is no target of a load balancer, its pods get none, and with no target at all the
//! load balancer answers nobody, because the cloud controller did not, or could not, add it.
//!
//! Sources: cloud-provider `controllers/service/controller.go` (which nodes: not being deleted, not labelled
//! `node.kubernetes.io/exclude-from-external-load-balancers`, not about to be removed by the autoscaler; readiness does not
//! count), HCCM `internal/hcops/load_balancer.go` (annotation `node-selector`, provider ID).

use std::collections::{HashMap, HashSet};

use super::targets::{Reason, Scene};
use super::{load_balancer_annotations, load_balancer_network_zone, load_balancer_sync};
use crate::certificates::{
    managed_certificate_annotations, managed_certificate_drift, managed_certificate_issued,
};
use crate::cloud_controller::ccm_running;
use crate::domain::hccm::{self, Ccm, load_balancer_of};
use crate::domain::names::some;
use crate::domain::selector;
use crate::facts::hetzner::{Firewall, LoadBalancer, Server};
use crate::facts::kubernetes::{EndpointSlice, LabelSelector, Node, Service};
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::nodes::{node_initialized, node_provider_id};
use crate::{Cause, Check, Finding, Severity, Verdict};

pub const CHECK: Check = Check {
    code: "KD306",
    slug: "load-balancer-has-targets",
    title: "every eligible node is a target",
    examines: "load balancers",
    severity: Severity::Error,
    needs: &[
        hccm::NEEDS[0],
        hccm::NEEDS[1],
        hccm::NEEDS[2],
        &Service::NEED,
        &EndpointSlice::NEED,
        &Node::NEED,
        &Server::NEED,
        &LoadBalancer::NEED,
        &Firewall::NEED,
    ],
    caused_by: &[
        // the controller stops at the first error, before the targets
        Cause::here(&load_balancer_network_zone::CHECK)
            .when(|cause, _| cause.severity.is_none_or(|severity| severity >= Severity::Error)),
        Cause::here(&load_balancer_annotations::CHECK)
            .when(|cause, _| load_balancer_annotations::aborts(cause)),
        Cause::here(&load_balancer_sync::CHECK),
        Cause::here(&managed_certificate_issued::CHECK).when(managed_certificate_issued::stops_setup),
        Cause::here(&managed_certificate_annotations::CHECK).when(managed_certificate_annotations::stops),
        Cause::here(&managed_certificate_drift::CHECK).when(managed_certificate_drift::stops),
        Cause::here(&node_provider_id::CHECK),
        Cause::here(&node_initialized::CHECK),
        Cause::everywhere(&ccm_running::CHECK).when(ccm_running::nobody_serves),
    ],
    explain: include_str!("load_balancer_has_targets.md"),
    judge,
};

/// How long the controller may take to add a new node, or to fill a new load balancer.
const GRACE_SECONDS: i64 = 180;

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let ccm = Ccm::find(facts)?;
    let Some(found) = &ccm else { return Ok(()) };
    let young = |since: crate::facts::Time| since.seconds_until(facts.now).is_some_and(|s| s < GRACE_SECONDS);
    let nodes: Vec<&Node> = facts
        .all::<Node>()?
        .iter()
        .filter(|node| node.is_cloud() && !young(node.metadata.creation_timestamp))
        .collect();
    // Most Services ask for the same nodes.
    let mut by_selector: HashMap<Option<&str>, Vec<Wanted>> = HashMap::new();
    for service in found.services(facts)? {
        let Some(lb) = load_balancer_of(facts, service)? else { continue };
        v.examined += 1;
        if young(service.metadata.creation_timestamp) {
            continue;
        }
        let mut gaps = Vec::new();
        let scene = Scene::new(facts, service, lb, Ok(ccm), &mut gaps);
        if scene.members.is_empty() {
            v.gaps.extend(gaps);
            v.findings.push(scene.tell_empty(Reason::NoTargets).severity(Severity::Critical));
            continue;
        }
        let (mut missing, targets) = (Vec::new(), Targets::of(&scene));
        let wanted = by_selector.entry(service.annotation("node-selector")).or_insert_with(|| {
            let eligible = Eligible::of(service);
            nodes.iter().filter_map(|node| Wanted::of(node, &eligible)).collect()
        });
        for wanted in wanted {
            match wanted.is_known {
                true if !targets.has(wanted) => missing.push(wanted.node),
                true => {}
                false => v.gaps.push(unread(service, wanted.node)),
            }
        }
        if !missing.is_empty() {
            v.gaps.extend(gaps);
            v.findings.push(tell(&scene, &missing));
        }
    }
    Ok(())
}

/// Which nodes the controller makes targets of a Service's load balancer.
pub(super) struct Eligible {
    /// The node-selector; `Some(None)` where it is none.
    selector: Option<Option<LabelSelector>>,
}

impl Eligible {
    pub fn of(service: &Service) -> Eligible {
        let text = service.annotation("node-selector").filter(|text| !text.is_empty());
        Eligible { selector: text.map(selector::parse) }
    }

    /// `None` when that hangs on a label that is not read.
    pub fn is(&self, node: &Node) -> Option<bool> {
        if node.metadata.deletion_timestamp.is_some()
            || node.is_excluded_from_load_balancers()
            || node.spec.taints.iter().any(|taint| taint.key == "ToBeDeletedByClusterAutoscaler")
        {
            return Some(false);
        }
        match &self.selector {
            Some(Some(selector)) => selector.selects(&node.metadata.labels),
            Some(None) => Some(false),
            None => Some(true),
        }
    }
}

fn unread(service: &Service, node: &Node) -> Gap {
    let path = service.reference().path();
    let detail = format!("the node-selector of {path} asks for a label that is not read");
    Gap::new(Node::NEED.key, Why::NotRead, detail).of(node.name())
}

/// A node that should be a target, or may be one.
struct Wanted<'a> {
    node: &'a Node,
    server: Option<i64>,
    /// No label that is not read decides it.
    is_known: bool,
}

impl<'a> Wanted<'a> {
    fn of(node: &'a Node, eligible: &Eligible) -> Option<Wanted<'a>> {
        let is = eligible.is(node);
        (is != Some(false)).then(|| Wanted { node, server: node.server_id(), is_known: is.is_some() })
    }
}

/// The nodes that are targets, by their servers' IDs and by their names.
struct Targets<'a> {
    ids: HashSet<i64>,
    names: HashSet<&'a str>,
}

impl<'a> Targets<'a> {
    fn of(scene: &Scene<'a>) -> Targets<'a> {
        Targets {
            ids: scene.members.iter().filter_map(|member| member.server).collect(),
            names: scene.members.iter().filter_map(|member| Some(scene.node(member)?.name())).collect(),
        }
    }

    fn has(&self, wanted: &Wanted) -> bool {
        wanted.server.is_some_and(|id| self.ids.contains(&id)) || self.names.contains(wanted.node.name())
    }
}

fn tell(scene: &Scene, missing: &[&Node]) -> Finding {
    let path = scene.service.reference().path();
    let names: Vec<&str> = missing.iter().map(|node| node.name()).collect();
    let says = format!("load balancer {} of {path} lacks {}", scene.lb.name, some(&names));
    let without_id = missing.iter().filter(|node| node.spec.provider_id.is_empty()).count();
    let mut finding = Finding::new(scene.service, says)
        .discriminator("missing")
        .because(match without_id {
            0 => "The controller adds every node that is not excluded; a sync that fails before its targets leaves them out.",
            _ => "The controller knows a node's server by its provider ID, and a node without one is no target.",
        })
        .shows(scene.lb, "targets")
        .verify_hcloud(&["load-balancer", "describe", &scene.lb.name], "it lists every node's server as a target");
    for node in missing.iter().take(8) {
        finding = finding.shows(*node, "spec.providerID");
    }
    for node in missing.iter().skip(8) {
        finding = finding.relates(*node);
    }
    finding.steps(scene.resync("adds the nodes that are missing"))
}
