//! When a load balancer sends traffic to the nodes' public addresses, firewalls stand in its way, because Hetzner's
//! firewalls filter public interfaces, and a server without a public IPv4 cannot be such a target at all.
//!
//! Sources: HCCM annotation `use-private-ip` (default false), Hetzner Cloud API (`firewalls` apply to public interfaces;
//! error `missing_ipv4`).

use std::collections::BTreeSet;

use super::load_balancer_annotations;
use super::load_balancer_has_targets::Eligible;
use super::targets::{Port, Scene};
use crate::domain::ccm_network::{self, CcmNetwork};
use crate::domain::hccm::{self, Ccm, load_balancer_of};
use crate::domain::names::some;
use crate::facts::hetzner::{Firewall, LoadBalancer, Network, Server};
use crate::facts::kubernetes::{EndpointSlice, Node, Service};
use crate::facts::{Facts, Kind, Known};
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD305",
    slug: "load-balancer-private-targets",
    title: "load balancers reach nodes over the private network",
    examines: "load balancers",
    severity: Severity::Warning,
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
        &Network::NEED,
    ],
    caused_by: &[Cause::here(&load_balancer_annotations::CHECK)
        .when(|cause, _| load_balancer_annotations::is_about(cause, &["use-private-ip"]))],
    explain: include_str!("load_balancer_private_targets.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let ccm = Ccm::find(facts)?;
    let Some(found) = &ccm else { return Ok(()) };
    for service in found.services(facts)? {
        let lb = load_balancer_of(facts, service)?;
        v.examined += 1;
        if let Some(lb) = lb {
            let mut gaps = Vec::new();
            let scene = Scene::new(facts, service, lb, Ok(ccm), &mut gaps);
            if scene.members.iter().any(|member| !member.private) {
                v.gaps.extend(gaps);
            }
            if let Some(finding) = behind_firewall(&scene) {
                v.findings.push(finding);
            }
        }
        if let Some(finding) = without_ipv4(facts, found, service, v)? {
            v.findings.push(finding);
        }
    }
    Ok(())
}

/// Health checks that a firewall drops, or will.
fn behind_firewall(scene: &Scene) -> Option<Finding> {
    let ports = scene.ports();
    let dropped = |port: &Port| -> BTreeSet<usize> {
        // what Hetzner finds healthy got through, whatever the rules look like from here
        let hit = |i: &usize| {
            let member = &scene.members[*i];
            // a target by address is not the controller's
            member.server.is_some()
                && !port.healthy.contains(i)
                && scene.firewalled(member, port) == Some(true)
        };
        if scene.refutes_firewall(port) {
            return BTreeSet::new();
        }
        (0..scene.members.len()).filter(hit).collect()
    };
    let hit: Vec<(&Port, BTreeSet<usize>)> = ports.iter().map(|port| (port, dropped(port))).collect();
    let hit: Vec<_> = hit.into_iter().filter(|(_, members)| !members.is_empty()).collect();
    let (first, members) = hit.first()?;
    let seen = hit.iter().any(|(port, members)| members.iter().any(|i| port.unhealthy.contains(i)));
    let (path, lb) = (scene.service.reference().path(), scene.lb);
    let says = format!("load balancer {} of {path} goes to public addresses behind a firewall", lb.name);
    let mut finding = Finding::new(scene.service, says)
        .discriminator("firewall")
        .because(format!(
            "Firewalls filter the nodes' public interfaces, and none of their rules lets port {} in; the private network is \
             not filtered.",
            first.lb.destination_port
        ))
        .relates(lb);
    if !seen {
        finding = finding.predicted();
    }
    let bad: BTreeSet<usize> = members.clone();
    let ports: Vec<&Port> = hit.iter().map(|(port, _)| *port).collect();
    finding = scene.firewall_steps(finding, &bad, &ports);
    Some(finding.verify_hcloud(
        &["load-balancer", "describe", &lb.name],
        "Use Private IP: yes on every target, and every target healthy within a minute",
    ))
}

/// A node that can only be reached privately, and a Service that is told to go to public addresses.
fn without_ipv4(facts: &Facts, ccm: &Ccm, service: &Service, v: &mut Verdict) -> Known<Option<Finding>> {
    let eligible = Eligible::of(service);
    let private = facts.machines()?.filter(|(_, server)| server.public_net.ipv4.is_none());
    let private: Vec<(&Node, &Server)> =
        private.filter(|(node, _)| eligible.is(node) == Some(true)).collect();
    if private.is_empty() {
        return Ok(None);
    }
    let wants_private = ccm.is_on(service, "use-private-ip", "HCLOUD_LOAD_BALANCERS_USE_PRIVATE_IP");
    if v.see(wants_private) != Some(false) {
        return Ok(None);
    }
    let names: Vec<&str> = private.iter().map(|(node, _)| node.name()).collect();
    let path = service.reference().path();
    let says = format!("Service {path} wants public addresses, and {} has no public IPv4", some(&names));
    let mut finding = Finding::new(service, says)
        .discriminator("no-ipv4")
        .severity(Severity::Error)
        .because("Hetzner refuses such a target (missing_ipv4), and the controller then adds no further one.")
        .shows(service, "metadata.annotations['load-balancer.hetzner.cloud/use-private-ip']");
    finding = ccm.shown(finding, "HCLOUD_LOAD_BALANCERS_USE_PRIVATE_IP");
    for (node, server) in &private {
        finding = finding.relates(*node).shows(*server, "public_net.ipv4");
    }
    let (namespace, name) =
        (service.metadata.namespace.as_deref().unwrap_or_default(), &*service.metadata.name);
    let set = "load-balancer.hetzner.cloud/use-private-ip=true";
    let args = ["annotate", "--overwrite", "service", name, "-n", namespace, set];
    let mut step = Step::kubectl(Changes::Cloud, "lets its load balancer use the private addresses", &args);
    if v.see(ccm_network::of(facts, ccm)) == Some(CcmNetwork::Off) {
        step = step.hazard("the controller knows no network: give it HCLOUD_NETWORK first");
    }
    Ok(Some(finding.step(step).step(Step::decide(
        "for every Service: HCLOUD_LOAD_BALANCERS_USE_PRIVATE_IP: {value: \"true\"} in the env values of the controller's chart",
    )
    .for_good()).verify_kubectl(&["describe", "service", name, "-n", namespace], "no missing_ipv4 in its newest events")))
}
