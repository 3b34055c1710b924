//! When a Service names `loadBalancerSourceRanges`, its Hetzner load balancer stays open to everybody all the same, because
//! Hetzner's load balancers have no source filter and the cloud controller does not read the field.
//!
//! Sources: hcloud-cloud-controller-manager (no reference to the field anywhere), Hetzner Cloud API `load_balancers` (no such
//! property, and firewalls cannot be applied to one), kube-proxy (filters packets to the load balancer's address, and those
//! that come in by nodePort carry a node's), cilium `operator/pkg/gateway-api/gateway_reconcile.go` (`ensureService`).

use std::net::IpAddr;

use crate::domain::addresses::range;
use crate::domain::hccm::{self, Ccm, load_balancer_of};
use crate::facts::hetzner::{LoadBalancer, Server};
use crate::facts::kubernetes::{Node, Service};
use crate::facts::{Facts, Kind, Known};
use crate::{Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD310",
    slug: "load-balancer-source-ranges",
    title: "source ranges are enforced where they are written",
    examines: "LoadBalancer Services",
    severity: Severity::Error,
    needs: &[
        hccm::NEEDS[0],
        hccm::NEEDS[1],
        hccm::NEEDS[2],
        &Service::NEED,
        &Node::NEED,
        &Server::NEED,
        &LoadBalancer::NEED,
    ],
    caused_by: &[],
    explain: include_str!("load_balancer_source_ranges.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(ccm) = Ccm::find(facts)? else { return Ok(()) };
    for service in ccm.services(facts)? {
        v.examined += 1;
        let ranges = &service.spec.load_balancer_source_ranges;
        if ranges.is_empty() || ranges.iter().any(|text| is_everybody(text)) {
            continue;
        }
        let lb = v.see(load_balancer_of(facts, service));
        if let Some(Some(lb)) = lb
            && !lb.public_net.enabled
        {
            continue; // only the private network reaches it, as the ranges want it or not
        }
        let finding = tell(service, lb.flatten());
        v.findings.push(finding);
    }
    Ok(())
}

/// `0.0.0.0/0` keeps nobody out.
fn is_everybody(text: &str) -> bool {
    range(text).is_some_and(|net| net.prefix_len() == 0 && matches!(net.addr(), IpAddr::V4(_)))
}

fn tell(service: &Service, lb: Option<&LoadBalancer>) -> Finding {
    let path = service.reference().path();
    let says = format!("Service {path} names source ranges that its load balancer does not enforce");
    let mut because = String::from(
        "Hetzner's load balancers have no source filter and the cloud controller does not read the field: everybody gets \
         through.",
    );
    if service.metadata.name.starts_with("cilium-gateway-") {
        because.push_str(
            " Cilium takes the field away again besides, when it writes the Gateway's Service anew.",
        );
    }
    let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
    let name = &*service.metadata.name;
    let mut finding =
        Finding::new(service, says).because(because).shows(service, "spec.loadBalancerSourceRanges");
    finding = match lb {
        Some(lb) => finding.shows(lb, "public_net.enabled"),
        None => finding.predicted(),
    };
    let off = "load-balancer.hetzner.cloud/disable-public-network=true";
    finding
        .step(Step::decide(
            "who may reach it: filter in the proxy that terminates the connection (an allow list there needs the client's \
             address, so proxy protocol on both sides), or take the load balancer off the internet",
        ))
        .step(
            Step::kubectl(
                Changes::Cloud,
                "if only the private network should reach it: takes the load balancer's public interface away",
                &["annotate", "--overwrite", "service", name, "-n", namespace, off],
            )
            .hazard(
                "nobody outside the private network reaches the Service then; and its targets must be private \
                 (use-private-ip) before, or Hetzner refuses it",
            ),
        )
        .step(
            Step::decide(
                "take loadBalancerSourceRanges out of the manifest, so that nobody believes in it; keep the filter where it \
                 works",
            )
            .for_good(),
        )
        .verify_kubectl(
            &["get", "service", name, "-n", namespace, "-o", "jsonpath={.spec.loadBalancerSourceRanges}"],
            "empty, and a client from outside the ranges is refused by what filters now",
        )
}
