//! When no zone on Hetzner DNS encloses the domain of a managed certificate, or the zone is not delegated, issuance will
//! most likely fail, because Hetzner proves the domain by a record that it writes into that zone (Hetzner Cloud API,
//! `POST /certificates`). A hint and no proof: the zone may be another project's, and delegating `_acme-challenge` alone is
//! enough (Hetzner's tutorial configure-lb-cert-with-external-domain).

use crate::domain::managed_certificates::{self, DOMAINS, Wanted, wanted, zone_of};
use crate::facts::hetzner::{Certificate, Zone};
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::remedies::managed_certificate::dns_options;
use crate::{Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD404",
    slug: "managed-certificate-dns-zone",
    title: "domains of managed certificates are on Hetzner DNS",
    examines: "domains of managed certificates",
    severity: Severity::Info,
    needs: &[
        managed_certificates::NEEDS[0],
        managed_certificates::NEEDS[1],
        managed_certificates::NEEDS[2],
        managed_certificates::NEEDS[3],
        &Zone::NEED,
    ],
    caused_by: &[],
    explain: include_str!("managed_certificate_dns_zone.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let all = wanted(facts)?;
    if all.is_empty() {
        return Ok(());
    }
    let certificates = facts.all::<Certificate>()?;
    for wanted in all {
        let certificate =
            wanted.labelled(certificates).first().copied().or_else(|| wanted.named(certificates));
        let issued = |host: &str| {
            certificate
                .is_some_and(|c| c.issuance() == "completed" && c.renewal() != "failed" && c.covers(host))
        };
        let mut without = Vec::new();
        for host in wanted.hosts() {
            v.examined += 1;
            if issued(&host) {
                continue; // Hetzner has proved the domain
            }
            let zones = facts.all::<Zone>()?;
            match zone_of(&host, zones) {
                None => without.push(host),
                Some(zone) => undelegated(&wanted, certificate, &host, zone, v),
            }
        }
        if let Some(finding) = no_zone(&wanted, certificate, &without) {
            v.findings.push(finding);
        }
    }
    Ok(())
}

fn no_zone(wanted: &Wanted, certificate: Option<&Certificate>, hosts: &[String]) -> Option<Finding> {
    let first = hosts.first()?;
    let more = if hosts.len() > 1 { format!(" and {} more", hosts.len() - 1) } else { String::new() };
    let says = format!(
        "no zone of this Hetzner project encloses {first}{more}, wanted by {}",
        wanted.service.reference()
    );
    let mut finding = Finding::new(wanted.service, says)
        .because("Hetzner issues managed certificates only for domains on its DNS; a zone of another project must be shared.")
        .predicted()
        .shows(wanted.service, &format!("metadata.annotations['{DOMAINS}']"))
        .steps(dns_options(first))
        .verify_hcloud(&["zone", "list"], format!("a zone that {first} belongs to"));
    if let Some(certificate) = certificate {
        finding = finding.relates(certificate);
    }
    Some(finding)
}

/// The zone is there; whether the world asks it for the domain, Hetzner looks up from time to time.
fn undelegated(wanted: &Wanted, certificate: Option<&Certificate>, host: &str, zone: &Zone, v: &mut Verdict) {
    let found = v.findings.iter_mut().find(|finding| finding.subject == zone.reference());
    if let Some(finding) = found {
        *finding = related(finding.clone(), wanted, certificate);
        return;
    }
    let nameservers = &zone.authoritative_nameservers;
    let secondary = zone.mode == "secondary";
    let says = match &*nameservers.delegation_status {
        _ if secondary => format!("zone {} is a secondary one: Hetzner cannot prove {host} in it", zone.name),
        "valid" | "partially-valid" => return,
        "" | "unknown" => {
            let detail = format!("Hetzner has not looked up whether {} is delegated to it", zone.name);
            return v.gaps.push(Gap::new(Zone::NEED.key, Why::NotRead, detail).of(zone.name.clone()));
        }
        "unregistered" => format!("zone {} is at Hetzner, but the domain is not registered", zone.name),
        _ => format!("zone {} is at Hetzner, but its domain is not delegated there", zone.name),
    };
    let mut finding = Finding::new(zone, says)
        .because("The proof that Hetzner writes into the zone is then not seen by Let's Encrypt.")
        .predicted();
    finding = match secondary {
        true => finding.shows(zone, "mode").step(Step::decide(format!(
            "make {} a primary zone, or make a primary zone _acme-challenge.{host} and delegate that name to it",
            zone.name
        ))),
        false => finding
            .shows_at(
                zone,
                "authoritative_nameservers.delegation_status",
                nameservers.delegation_last_check,
            )
            .shows(zone, "authoritative_nameservers.delegated")
            .step(Step::decide(format!(
                "at the registrar of {} set the name servers {}; or, if its DNS shall stay elsewhere, delegate only \
                 _acme-challenge.{} to them",
                zone.name,
                nameservers.assigned.join(", "),
                host.strip_prefix("*.").unwrap_or(host)
            ))),
    };
    let finding = finding.verify_hcloud(&["zone", "describe", &zone.name], "the delegation status is valid");
    v.findings.push(related(finding, wanted, certificate));
}

fn related(finding: Finding, wanted: &Wanted, certificate: Option<&Certificate>) -> Finding {
    let finding = finding.relates(wanted.service);
    match certificate {
        Some(certificate) => finding.relates(certificate),
        None => finding,
    }
}
