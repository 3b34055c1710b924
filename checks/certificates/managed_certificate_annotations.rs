//! When one of the three annotations of a managed certificate is missing or misspelt, the load balancer gets no certificate
//! or does not use it, because HCCM compares `certificate-type` letter by letter, splits the domains at commas without
//! trimming, and leaves the protocol at TCP (hcloud-cloud-controller-manager `6485324f`, `reconcileManagedCertificate`,
//! `StringsFromService`, `hclbServiceOptsBuilder.extract`).

use crate::domain::hccm::last_event;
use crate::domain::managed_certificates::{DOMAINS, PROTOCOL, TYPE, host};
use crate::domain::owner;
use crate::facts::kubernetes::{Event, Service};
use crate::facts::{Facts, Kind, Known};
use crate::load_balancers::load_balancer_annotations;
use crate::remedies::service_annotation::{self, Change};
use crate::{Cause, Check, Confidence, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD402",
    slug: "managed-certificate-annotations",
    title: "managed certificates are requested in full",
    examines: "Services that ask for a managed certificate",
    severity: Severity::Error,
    needs: &[owner::NEEDS[0], owner::NEEDS[1], owner::NEEDS[2], &Service::NEED, &Event::NEED],
    caused_by: &[Cause::here(&load_balancer_annotations::CHECK)
        .when(|cause, _| load_balancer_annotations::is_about(cause, ASKED))],
    explain: include_str!("managed_certificate_annotations.md"),
    judge,
};

/// The three that a managed certificate takes.
const ASKED: &[&str] = &["certificate-type", "http-managed-certificate-domains", "protocol"];

/// The controller was seen to give up the Service there, before it adds ports and targets.
pub fn stops(cause: &Finding, _: &Finding) -> bool {
    cause.confidence == Confidence::Confirmed
}

/// What is wrong with one Service's annotations, the worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    NoDomains,
    /// `Managed`: read as uploaded.
    Misspelt,
    /// Domains without the type.
    NotAsked,
    Spaces,
    Protocol,
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    for service in facts.all::<Service>()?.iter().filter(|service| service.wants_load_balancer()) {
        let Some(faults) = faults(service) else { continue };
        v.examined += 1;
        if let Some(worst) = faults.first() {
            let finding = tell(facts, service, *worst, &faults, v);
            v.findings.push(finding);
        }
    }
    Ok(())
}

/// `None` where no managed certificate is meant.
fn faults(service: &Service) -> Option<Vec<Fault>> {
    let kind = service.annotation("certificate-type");
    let domains = service.annotation("http-managed-certificate-domains");
    let https = service.annotation("protocol").is_some_and(|protocol| protocol.eq_ignore_ascii_case("https"));
    let mut faults = Vec::new();
    match kind {
        Some("managed") => {}
        Some(kind) if kind.trim().eq_ignore_ascii_case("managed") => faults.push(Fault::Misspelt),
        _ => {
            let uploaded = service.annotation("http-certificates").is_some_and(|list| !list.is_empty());
            if uploaded || domains.is_none() || (kind.is_some() && !https) {
                return None; // an uploaded certificate, or none; domains that are left over do nothing
            }
            faults.push(Fault::NotAsked);
        }
    }
    let list: Vec<&str> = domains.map(|domains| domains.split(',').collect()).unwrap_or_default();
    if list.iter().all(|domain| domain.trim().is_empty()) {
        faults.push(Fault::NoDomains);
    } else if list.iter().any(|domain| domain.is_empty() || domain.contains(char::is_whitespace)) {
        faults.push(Fault::Spaces);
    }
    if !https {
        faults.push(Fault::Protocol);
    }
    faults.sort();
    Some(faults)
}

fn tell(facts: &Facts, service: &Service, worst: Fault, faults: &[Fault], v: &mut Verdict) -> Finding {
    let path = service.reference().path();
    let (says, because) = match worst {
        Fault::NoDomains => (
            format!("Service {path} asks for a managed certificate, but names no domains"),
            "The controller stops there with `no domains for managed certificate`, before it adds ports or targets.",
        ),
        Fault::Misspelt => (
            format!("Service {path} gets no managed certificate: its type is not spelt `managed`"),
            "The controller takes any other word for uploaded certificates, and none is named.",
        ),
        Fault::NotAsked => (
            format!("Service {path} names certificate domains, but its certificate-type is not managed"),
            "The type is uploaded unless it says otherwise; the domains are then not read.",
        ),
        Fault::Spaces => (
            format!("Service {path} has spaces or empty entries in its list of certificate domains"),
            "The controller splits at commas only, so that the space becomes part of a domain, which Hetzner refuses.",
        ),
        Fault::Protocol => (
            format!("no port of Service {path} uses its managed certificate: its protocol is not https"),
            "The certificate is issued all the same; the load balancer passes TCP on and never shows it.",
        ),
    };
    let mut finding = Finding::new(service, says).because(because);
    for key in [TYPE, DOMAINS, PROTOCOL] {
        finding = finding.shows(service, &format!("metadata.annotations['{key}']"));
    }
    let refused = v.see(last_event(facts, service, "SyncLoadBalancerFailed")).flatten();
    let words = ["managed certificate", "domain_names", "certificates"];
    finding = match refused.filter(|event| words.iter().any(|word| event.message.contains(word))) {
        Some(event) => finding.shows_at(event, "message", event.last_seen()),
        None => finding.predicted(),
    };
    let finding = remedy(finding, facts, service, faults, v);
    let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
    let describe = ["describe", "service", &service.metadata.name, "-n", namespace];
    finding.verify_kubectl(&describe, "EnsuredLoadBalancer is its newest event")
}

fn remedy(
    mut finding: Finding,
    facts: &Facts,
    service: &Service,
    faults: &[Fault],
    v: &mut Verdict,
) -> Finding {
    let mut change = Change::default();
    let mut why = Vec::new();
    for fault in faults {
        match fault {
            Fault::NoDomains => {
                finding = finding.step(Step::decide(format!(
                    "choose the domains, and write them into the annotation {DOMAINS} with commas and no spaces; their zones \
                     have to be on Hetzner DNS"
                )));
            }
            Fault::Misspelt | Fault::NotAsked => {
                change.set.push((TYPE.into(), "managed".into()));
                why.push("asks for a managed certificate");
            }
            Fault::Spaces => {
                let list = service.annotation("http-managed-certificate-domains").unwrap_or_default();
                let hosts: Vec<String> = list.split(',').map(host).filter(|host| !host.is_empty()).collect();
                change.set.push((DOMAINS.into(), hosts.join(",")));
                why.push("names the domains without spaces");
            }
            // Of several ports one may speak TLS itself.
            Fault::Protocol if service.tcp_ports().count() > 1 => {
                finding = finding.step(Step::decide(format!(
                    "the protocol is that of every port of the Service, and the load balancer then speaks plain HTTP to all \
                     of them: either set {PROTOCOL}=https and let none of them expect TLS, or give HTTPS a Service of its own"
                )));
            }
            Fault::Protocol => {
                change.set.push((PROTOCOL.into(), "https".into()));
                why.push("lets the load balancer end TLS with it");
                change.hazard = Some(
                    "the load balancer then speaks plain HTTP to the port behind it, which must not expect TLS".into(),
                );
            }
        }
    }
    if change.set.is_empty() {
        return finding;
    }
    change.why = why.join(", ");
    service_annotation::apply(finding, facts, service, &change, v)
}
