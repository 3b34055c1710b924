//! When Hetzner refuses what the controller asks for, the load balancer stays as it was or is not made, because HCCM gives
//! up at the first error and starts again after at most five minutes (`SyncLoadBalancerFailed`, `UpdateLoadBalancerFailed`,
//! kubernetes/cloud-provider `controllers/service/controller.go`). The code at the end of the message says why. Where a
//! nearer check explains the same message, this one is silent.

use super::sync_codes::meaning;
use crate::domain::hccm::{self, Ccm, load_balancer_of};
use crate::domain::sync_error;
use crate::facts::hetzner::{LoadBalancer, Server};
use crate::facts::kubernetes::{Event, Node, Service};
use crate::facts::{Facts, Kind, Known};
use crate::load_balancers::load_balancer_network_zone;
use crate::nodes::node_provider_id;
use crate::{ALL, Cause, Check, Finding, Severity, Verdict};

pub const CHECK: Check = Check {
    code: "KD307",
    slug: "load-balancer-sync",
    title: "load balancers reconcile without error",
    examines: "LoadBalancer Services",
    severity: Severity::Error,
    needs: &[
        hccm::NEEDS[0],
        hccm::NEEDS[1],
        hccm::NEEDS[2],
        &Service::NEED,
        &Event::NEED,
        &Node::NEED,
        &Server::NEED,
        &LoadBalancer::NEED,
    ],
    caused_by: &[
        Cause::everywhere(&node_provider_id::CHECK).when(names_its_id),
        Cause::here(&load_balancer_network_zone::CHECK).when(|cause, effect| {
            cause.severity.is_none_or(|severity| severity >= Severity::Error)
                && (says(effect, "(no_subnet_available") || says(effect, "(unsupported_error"))
        }),
    ],
    explain: include_str!("load_balancer_sync.md"),
    judge,
};

/// One provider ID that does not parse stops the targets of every load balancer; a foreign one is passed over (HCCM
/// `internal/providerid`, `ReconcileHCLBTargets`).
fn names_its_id(cause: &Finding, effect: &Finding) -> bool {
    let refuses = ["unable to parse server id: ", "providerID is missing a serverID: "];
    let ids = cause.evidence.iter().filter(|evidence| evidence.path == "spec.providerID");
    ids.filter_map(|evidence| evidence.value.as_ref())
        .any(|id| refuses.iter().any(|words| says(effect, &format!("{words}{id}"))))
}

/// The message that a finding shows has these words.
fn says(finding: &Finding, words: &str) -> bool {
    let messages = finding.evidence.iter().filter(|evidence| evidence.path == "message");
    messages.filter_map(|evidence| evidence.value.as_ref()).any(|message| message.contains(words))
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(ccm) = Ccm::find(facts)? else { return Ok(()) };
    for service in ccm.services(facts)? {
        v.examined += 1;
        let Some(event) = sync_error::last(facts, service)? else { continue };
        // who explains it by the cluster's objects also knows whether it is over
        if sync_error::claimed(&event.message).is_some_and(|code| ALL.iter().any(|check| check.code == code))
        {
            continue;
        }
        let meaning = meaning(&event.message);
        let lb = v.see(load_balancer_of(facts, service));
        // Only failures are read: that it went well since is seen by what there is.
        let fits = service.has_ingress() && lb.is_some_and(|lb| lb.is_some_and(|lb| fits(lb, service)));
        let over = meaning.cure.passes() || sync_error::is_stale(facts, event);
        if over && (fits || lb.is_none() && service.has_ingress()) {
            continue; // the gap is noted where it is not known
        }
        let path = service.reference().path();
        let says = format!("Service {path}: its load balancer cannot be set up: {}", meaning.what);
        let mut finding = Finding::new(service, says).because(meaning.because).shows_at(
            event,
            "message",
            event.last_seen(),
        );
        if meaning.cure.passes() && service.has_ingress() {
            finding = finding.severity(Severity::Warning);
        }
        let lb = lb.flatten();
        if let Some(lb) = lb {
            finding = finding.relates(lb);
        }
        let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
        let args = ["describe", "service", &*service.metadata.name, "-n", namespace];
        let finding = finding
            .steps(meaning.cure.steps(service, lb))
            .verify_kubectl(&args, "the newest event is EnsuredLoadBalancer");
        v.findings.push(finding);
    }
    Ok(())
}

/// The load balancer is what its Service asks for: each port leads to the current nodePort, and somebody is behind it.
fn fits(lb: &LoadBalancer, service: &Service) -> bool {
    let has = |port: i64, node_port: i64| {
        lb.services.iter().any(|s| s.listen_port == port && s.destination_port == node_port)
    };
    service.tcp_ports().all(|port| has(port.port, port.node_port)) && !lb.targets.is_empty()
}
