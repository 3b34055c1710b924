//! When a managed certificate is not the one that its Service asks for, the load balancer keeps the old one or the sync
//! fails, because HCCM only ever creates: a certificate of that name is left as it is, and then exactly one with the
//! Service's UID as its label is looked for, else `not found` or `non-unique result` (hcloud-cloud-controller-manager
//! `6485324f`, `internal/hcops/certificates.go`, `GetCertificateByLabel`; issues 287, 596, 709).

use crate::domain::managed_certificates::{self, DOMAINS, NAME, Wanted, is_ours, wanted};
use crate::domain::owner;
use crate::facts::hetzner::{Certificate, LoadBalancer};
use crate::facts::kubernetes::{Node, Service};
use crate::facts::{Facts, Kind, Known};
use crate::remedies::managed_certificate::delete;
use crate::remedies::service_annotation::{self, Change};
use crate::{Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD403",
    slug: "managed-certificate-drift",
    title: "managed certificates match the Service that asked for them",
    examines: "Services that ask for a managed certificate",
    severity: Severity::Error,
    needs: &[
        managed_certificates::NEEDS[0],
        managed_certificates::NEEDS[1],
        managed_certificates::NEEDS[2],
        managed_certificates::NEEDS[3],
        owner::NEEDS[0],
        owner::NEEDS[1],
        owner::NEEDS[2],
        &LoadBalancer::NEED,
    ],
    caused_by: &[],
    explain: include_str!("managed_certificate_drift.md"),
    judge,
};

/// The controller finds not exactly one certificate, and gives up the Service before it adds ports and targets.
pub fn stops(cause: &Finding, _: &Finding) -> bool {
    matches!(cause.discriminator, Some("not-found" | "non-unique"))
}

const LABEL: &str = "hcloud-ccm/service-uid";

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let all = wanted(facts)?;
    if all.is_empty() {
        return Ok(());
    }
    let certificates = facts.all::<Certificate>()?;
    for wanted in all {
        v.examined += 1;
        let finding = match wanted.labelled(certificates)[..] {
            [] => match wanted.named(certificates) {
                Some(other) => someone_elses(facts, &wanted, other, certificates, v)?,
                None => continue, // not made yet
            },
            [certificate] => match domains(facts, &wanted, certificate, certificates, v) {
                Some(finding) => finding,
                None => continue,
            },
            [first, ..] => {
                let mut several = wanted.labelled(certificates);
                several.retain(|c| c.name != *wanted.name.as_str());
                too_many(&wanted, several.first().copied().unwrap_or(first))
            }
        };
        let name = &wanted.service.metadata.name;
        let namespace = wanted.service.metadata.namespace.as_deref().unwrap_or_default();
        v.findings.push(
            finding.relates(wanted.service).shows(wanted.service, "metadata.uid").verify_kubectl(
                &["describe", "service", name, "-n", namespace],
                "EnsuredLoadBalancer is its newest event, five minutes later at most",
            ),
        );
    }
    Ok(())
}

/// The wanted name is taken by a certificate with another label, or none.
fn someone_elses(
    facts: &Facts,
    wanted: &Wanted,
    other: &Certificate,
    certificates: &[Certificate],
    v: &mut Verdict,
) -> Known<Finding> {
    let (name, service) = (&other.name, wanted.service);
    let path = service.reference().path();
    let services = facts.all::<Service>()?;
    let rival = services.iter().find(|s| other.service_uid() == Some(&*s.metadata.uid));
    let mut users = Vec::new();
    if !other.used_by.is_empty() {
        users = other.used_by(facts.all::<LoadBalancer>()?);
    }
    let nodes = facts.all::<Node>()?;
    let foreign = users.iter().any(|lb| !is_ours(lb, services, nodes));
    let mut finding = Finding::new(other, format!("certificate {name} is not labelled as that of Service {path}"))
        .discriminator("not-found")
        .because(
            "A Service that was made anew has another UID. The controller makes no second certificate of that name, finds \
             none with its UID and stops with `not found`, before it sets targets.",
        )
        .shows(other, &format!("labels['{LABEL}']"))
        .shows(service, &format!("metadata.annotations['{NAME}']"));
    finding = users.iter().fold(finding, |finding, lb| finding.relates(*lb));
    let fits = wanted.hosts().all(|host| other.covers(&host));
    if let Some(rival) = rival {
        finding.says =
            format!("certificate {name}, wanted by Service {path}, is that of {}", rival.reference());
        finding = finding.relates(rival);
    } else if foreign {
        finding.says = format!("certificate {name}, wanted by Service {path}, is used outside this cluster");
    } else if fits {
        let label = format!("{LABEL}={}", service.metadata.uid);
        let args = ["certificate", "add-label", "--overwrite", name, &label];
        return Ok(finding.step(Step::hcloud(
            Changes::Cloud,
            "gives it to the Service that wants it now; the controller finds it at its next attempt",
            &args,
        )));
    }
    Ok(rename(finding, facts, wanted, certificates, v))
}

/// Several have the Service's UID: it was given another name once.
fn too_many(wanted: &Wanted, stale: &Certificate) -> Finding {
    let path = wanted.service.reference().path();
    let says = format!("Service {path} has two managed certificates, of which the controller wants one");
    Finding::new(stale, says)
        .discriminator("non-unique")
        .because("The controller wants exactly one certificate with the Service's UID, else it stops with `non-unique result`.")
        .shows(stale, &format!("labels['{LABEL}']"))
        .shows(stale, "used_by")
        .shows(wanted.service, &format!("metadata.annotations['{NAME}']"))
        .step(release(&stale.name))
        .step(delete(&stale.name))
}

/// The Service's own certificate is for other domains.
fn domains(
    facts: &Facts,
    wanted: &Wanted,
    certificate: &Certificate,
    certificates: &[Certificate],
    v: &mut Verdict,
) -> Option<Finding> {
    let (name, called) = (&certificate.name, wanted.called());
    let missing: Vec<String> = wanted.hosts().filter(|host| !certificate.covers(host)).collect();
    let asked =
        Certificate { domain_names: wanted.hosts().map(Into::into).collect(), ..Certificate::default() };
    let left: Vec<String> = certificate
        .domain_names
        .iter()
        .map(|domain| managed_certificates::host(domain))
        .filter(|domain| !asked.domain_names.is_empty() && !asked.covers(domain))
        // A wildcard that covers what is asked is another way to write it.
        .filter(|domain| !covers_any(domain, wanted))
        .collect();
    let finding = if let Some(first) = missing.first() {
        let more = if missing.len() > 1 { format!(" and {} more", missing.len() - 1) } else { String::new() };
        Finding::new(certificate, format!("{called} does not cover {first}{more}, asked for later"))
            .because("The controller makes a certificate once and never changes its domains: browsers refuse the new ones.")
    } else {
        let first = left.first()?;
        Finding::new(certificate, format!("{called} still names {first}, which nobody asks for"))
            .severity(Severity::Warning)
            .because("Once that domain leaves Hetzner DNS, the renewal of the whole certificate fails.")
    };
    let finding = finding
        .discriminator("domains")
        .shows(certificate, "domain_names")
        .shows(wanted.service, &format!("metadata.annotations['{DOMAINS}']"))
        .step(release(name));
    let finding = rename(finding, facts, wanted, certificates, v);
    Some(finding.step(delete(name)))
}

fn covers_any(domain: &str, wanted: &Wanted) -> bool {
    let one = Certificate { domain_names: vec![domain.into()], ..Certificate::default() };
    wanted.hosts().any(|host| one.covers(&host))
}

fn release(name: &str) -> Step {
    let why = "takes the old one from the Service; the load balancer serves it until it gets another";
    Step::hcloud(Changes::Cloud, why, &["certificate", "remove-label", name, LABEL])
}

/// Asks for a certificate of a new name, since one that exists is never changed.
fn rename(
    finding: Finding,
    facts: &Facts,
    wanted: &Wanted,
    certificates: &[Certificate],
    v: &mut Verdict,
) -> Finding {
    let host = wanted.hosts().next().unwrap_or_default();
    let base = host.trim_start_matches("*.").replace('.', "-");
    let taken = |name: &str| certificates.iter().any(|c| c.name == name);
    let numbered = (2..).map(|n| format!("{base}-{n}"));
    let name = std::iter::once(base.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or_default();
    let why = "asks for a new certificate under a name that is free, with the domains of the annotation";
    service_annotation::apply(finding, facts, wanted.service, &Change::set(NAME, &name, why), v)
}
