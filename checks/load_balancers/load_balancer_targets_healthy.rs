//! When a load balancer's health checks fail, it sends no traffic there, because something between the load balancer and
//! the pods does not answer. Each reason needs another fix, so they are told apart, nearest to the load balancer first.
//! `targets` tells them apart; here stands what to do about each.

use std::collections::BTreeMap;

use super::targets::{Port, Reason, Scene};
use super::{load_balancer_annotations, load_balancer_private_targets, load_balancer_sync};
use crate::certificates::{managed_certificate_drift, managed_certificate_issued};
use crate::cloud_controller::{ccm_network, ccm_running};
use crate::domain::hccm::{self, Ccm, load_balancer_of};
use crate::facts::hetzner::{Firewall, LoadBalancer, Server};
use crate::facts::kubernetes::{EndpointSlice, Node, Service};
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::network::{
    cilium_api_endpoint, cilium_direct_routes, cilium_node_address, cilium_route_fabric, flannel_interface,
};
use crate::{Cause, Check, Finding, Severity, Verdict};

pub const CHECK: Check = Check {
    code: "KD304",
    slug: "load-balancer-targets-healthy",
    title: "every load balancer port has a healthy target",
    examines: "load balancers",
    severity: Severity::Critical,
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
        Cause::here(&load_balancer_private_targets::CHECK).when(through_a_firewall),
        // the controller stops at the first error: ports stay as they were
        Cause::here(&load_balancer_annotations::CHECK).when(|cause, effect| {
            load_balancer_annotations::aborts(cause)
                && matches!(effect.discriminator, Some("no-ports" | "stale-port"))
        }),
        Cause::here(&load_balancer_sync::CHECK)
            .when(|_, effect| matches!(effect.discriminator, Some("no-ports" | "stale-port"))),
        Cause::here(&managed_certificate_issued::CHECK)
            .when(|cause, effect| managed_certificate_issued::stops_a_sync(cause) && has_no_ports(effect)),
        Cause::here(&managed_certificate_drift::CHECK)
            .when(|cause, effect| managed_certificate_drift::stops_a_sync(cause) && has_no_ports(effect)),
        Cause::everywhere(&ccm_network::CHECK).when(without_network),
        Cause::everywhere(&ccm_running::CHECK).when(out_of_date),
        Cause::everywhere(&cilium_direct_routes::CHECK).when(is_cross_node),
        Cause::everywhere(&cilium_route_fabric::CHECK).when(is_cross_node),
        Cause::everywhere(&flannel_interface::CHECK).when(is_cross_node),
        Cause::here(&cilium_node_address::CHECK).when(is_cross_node),
        Cause::everywhere(&cilium_api_endpoint::CHECK).when(is_without_network),
    ],
    explain: include_str!("load_balancer_targets_healthy.md"),
    judge,
};

/// The certificate comes before the first port.
fn has_no_ports(effect: &Finding) -> bool {
    effect.discriminator == Some(Reason::NoPorts.discriminator())
}

fn through_a_firewall(cause: &Finding, effect: &Finding) -> bool {
    cause.discriminator == Some("firewall") && effect.discriminator == Some(Reason::Firewall.discriminator())
}

/// A controller without a network detaches load balancers from every network.
fn without_network(cause: &Finding, effect: &Finding) -> bool {
    cause.discriminator == Some("unset") && effect.discriminator == Some("not-in-network")
}

/// Nobody keeps it up to date; where the old pod of a rollout serves, it does.
fn out_of_date(cause: &Finding, effect: &Finding) -> bool {
    let stale = matches!(effect.discriminator, Some("stale-port" | "no-ports"));
    stale && cause.severity != Some(Severity::Error)
}

/// The way between nodes is broken, and not the load balancer: what breaks it explains this.
fn is_cross_node(_: &Finding, effect: &Finding) -> bool {
    effect.discriminator == Some(Reason::CrossNode.discriminator())
}

/// Its nodes are down because Cilium does not start on them.
fn is_without_network(cause: &Finding, effect: &Finding) -> bool {
    let mut nodes = effect.related.iter().filter(|object| object.kind == "Node").peekable();
    effect.discriminator == Some(Reason::NodeDown.discriminator())
        && nodes.peek().is_some()
        && nodes.all(|node| cause.related.contains(node))
}

/// How long the controller may take to fill a new load balancer.
const GRACE_SECONDS: i64 = 120;

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    // All pods are searched for it: once, and not for each Service.
    let ccm = Ccm::find(facts);
    for service in facts.all::<Service>()?.iter().filter(|s| s.wants_load_balancer()) {
        let Some(lb) = load_balancer_of(facts, service)? else { continue };
        v.examined += 1;
        let mut gaps = Vec::new();
        let scene = Scene::new(facts, service, lb, ccm.clone(), &mut gaps);
        // that it has no targets is a finding of its own: KD306
        let empty = scene.empty();
        let ports = scene.ports();
        let age = service.metadata.creation_timestamp.seconds_until(facts.now);
        let settled = age.is_none_or(|age| age >= GRACE_SECONDS);
        let unjudged: Vec<String> = ports
            .iter()
            .filter(|port| settled && scene.unjudged(port))
            .map(|port| port.lb.listen_port.to_string())
            .collect();
        if !unjudged.is_empty() {
            let detail = format!("Hetzner has not judged the targets of port {} yet", unjudged.join(", "));
            v.gaps.push(Gap::new(LoadBalancer::NEED.key, Why::NotRead, detail).of(lb.name.to_string()));
        }
        // What would only explain is not missed while there is nothing to explain.
        let nothing = empty.is_none_or(|reason| reason == Reason::NoTargets);
        if nothing && ports.iter().all(|port| port.unhealthy.is_empty()) {
            continue;
        }
        v.gaps.extend(gaps);
        if let Some(reason) = empty {
            if settled && reason != Reason::NoTargets {
                v.findings.push(scene.tell_empty(reason));
            }
            continue;
        }
        let mut by_cause: BTreeMap<Reason, Vec<Port>> = BTreeMap::new();
        for port in ports {
            if let Some(reason) = scene.reason(&port) {
                by_cause.entry(reason).or_default().push(port);
            }
        }
        for (reason, ports) in by_cause {
            let finding = scene.tell(reason, &ports);
            v.findings.push(finding);
        }
    }
    Ok(())
}
