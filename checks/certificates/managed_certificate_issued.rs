//! When Hetzner cannot issue or renew a managed certificate, its load balancer serves none or soon an expired one, because
//! nobody tries again by itself after `failed` (Hetzner Cloud API, `certificate.status` and `actions/retry`).

use crate::certificates::managed_certificate_dns_zone;
use crate::domain::managed_certificates::{self, Wanted, is_ours, wanted};
use crate::facts::hetzner::{Certificate, LoadBalancer};
use crate::facts::kubernetes::{Node, Service};
use crate::facts::{Facts, Kind, Known};
use crate::remedies::managed_certificate::{dns_options, meaning, retry};
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD401",
    slug: "managed-certificate-issued",
    title: "Hetzner managed certificates are issued and renewed",
    examines: "managed certificates of this cluster",
    severity: Severity::Critical,
    needs: &[
        managed_certificates::NEEDS[0],
        managed_certificates::NEEDS[1],
        managed_certificates::NEEDS[2],
        managed_certificates::NEEDS[3],
        &LoadBalancer::NEED,
    ],
    caused_by: &[Cause::here(&managed_certificate_dns_zone::CHECK).when(is_about_dns)],
    explain: include_str!("managed_certificate_issued.md"),
    judge,
};

/// A certificate that is valid for longer than that is only late.
const URGENT_DAYS: i64 = 14;

const ABOUT_DNS: [&str; 3] =
    ["dns_zone_not_found", "could_not_verify_domain_delegated_to_zone", "dns_zone_is_secondary_zone"];

/// The zone explains what Hetzner says about the zone, and not a limit of Let's Encrypt.
fn is_about_dns(_: &Finding, effect: &Finding) -> bool {
    let code = effect.evidence.iter().find(|e| e.path == "status.error.code").and_then(|e| e.value.as_ref());
    code.is_some_and(|code| ABOUT_DNS.iter().any(|about| code.ends_with(about)))
}

/// The controller waits for the issuance of a new certificate and gives up the Service when it fails, before it adds ports
/// and targets; its next attempt finds the certificate, and goes on (HCCM `internal/hcops/certificates.go`).
pub fn stops_setup(cause: &Finding, effect: &Finding) -> bool {
    cause.evidence.iter().any(|evidence| evidence.path == "status.issuance")
        && matches!(effect.discriminator, Some("no-ports" | "no-targets"))
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let certificates = facts.all::<Certificate>()?;
    let services = facts.all::<Service>()?;
    let wanted = wanted(facts)?;
    let (nodes, balancers) = (facts.all::<Node>()?, facts.all::<LoadBalancer>()?);
    for certificate in certificates.iter().filter(|c| c.is_managed()) {
        let users: Vec<&LoadBalancer> =
            certificate.used_by(balancers).into_iter().filter(|lb| is_ours(lb, services, nodes)).collect();
        let by: Vec<&Wanted> = wanted.iter().filter(|wanted| wanted.is(certificate)).collect();
        if users.is_empty() && by.is_empty() {
            continue; // another cluster's, or nobody's
        }
        v.examined += 1;
        if certificate.issuance() == "failed" || certificate.renewal() == "failed" {
            let finding = tell(facts, certificate, &users, &by);
            v.findings.push(finding);
        }
    }
    Ok(())
}

fn tell(facts: &Facts, certificate: &Certificate, users: &[&LoadBalancer], by: &[&Wanted]) -> Finding {
    let name = &certificate.name;
    let called = by.first().map_or_else(|| format!("certificate {name}"), |wanted| wanted.called());
    let code = certificate.error_code();
    let known = meaning(code);
    let reason = match known {
        Some((reason, _)) => format!(": {reason}"),
        None if code.is_empty() => String::new(),
        None => format!(": {code}"),
    };
    let issuance = certificate.issuance() == "failed";
    let mut finding = if issuance {
        Finding::new(certificate, format!("{called} cannot be issued{reason}"))
            .because("Its load balancer has nothing to answer HTTPS with; the controller attaches it all the same.")
            .shows(certificate, "status.issuance")
    } else {
        let left = certificate.not_valid_after.seconds_until(facts.now).map(|seconds| -seconds / 86_400);
        let says = match left {
            Some(days) if certificate.not_valid_after.is_before(facts.now.into()) => {
                format!("{called} expired {} d ago and cannot be renewed{reason}", -days)
            }
            Some(days) => format!("{called} cannot be renewed, {days} d are left{reason}"),
            None => format!("{called} cannot be renewed{reason}"),
        };
        let mut finding = Finding::new(certificate, says)
            .because("It is served until it expires, then every client refuses it.")
            .shows(certificate, "status.renewal")
            .shows(certificate, "not_valid_after");
        finding.deadline = certificate.not_valid_after.get();
        let urgent = left.is_none_or(|days| days < URGENT_DAYS);
        if urgent { finding } else { finding.severity(Severity::Error) }
    };
    finding = finding.shows(certificate, "status.error.code").shows(certificate, "status.error.message");
    finding = finding.shows(certificate, "domain_names");
    finding = users.iter().fold(finding, |finding, lb| finding.relates(*lb));
    finding = by.iter().fold(finding, |finding, wanted| finding.relates(wanted.service));
    finding = remedy(finding, certificate, code, known.map_or("", |(_, advice)| advice));
    let expect = if issuance { "issuance is completed" } else { "renewal is scheduled, and a later end" };
    finding.verify_hcloud(&["certificate", "describe", name], expect)
}

fn remedy(finding: Finding, certificate: &Certificate, code: &str, advice: &str) -> Finding {
    let name = &certificate.name;
    let host = certificate.domain_names.first().map_or("the domain", |host| &**host);
    let finding = match code {
        "dns_zone_not_found" | "could_not_verify_domain_delegated_to_zone" => {
            finding.steps(dns_options(host))
        }
        _ if !advice.is_empty() => finding.step(Step::decide(advice)),
        _ => finding.step(Step::hcloud(
            Changes::Nothing,
            "shows what Hetzner says about it",
            &["certificate", "describe", name],
        )),
    };
    finding.step(retry(name)).step(
        Step::decide(format!(
            "to give it up instead, keep the order: take the certificate annotations off the Service, wait until the load \
             balancer's service no longer names it (used_by is empty), then `hcloud certificate delete {name}`; in use it is \
             refused"
        ))
        .for_good(),
    )
}
