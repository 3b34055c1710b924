//! What to do about the DNS of a managed certificate, and how to be rid of one.
//!
//! Sources: Hetzner Cloud API (`POST /certificates`: only domains on Hetzner DNS; the codes of `actions/retry`); Hetzner's
//! tutorial configure-lb-cert-with-external-domain (a zone of which only `_acme-challenge` is delegated is enough, and one of
//! another project has to be shared); cli `1255e956` (`hcloud certificate retry`).

use crate::{Changes, Step};

/// The ways to a certificate for a host whose zone Hetzner does not find or does not answer for.
pub fn dns_options(host: &str) -> Vec<Step> {
    let bare = host.strip_prefix("*.").unwrap_or(host);
    vec![
        Step::decide(format!(
            "either: make the zone of {bare} in this project (`hcloud zone create --name ZONE`), copy its records, and set \
             Hetzner's name servers at the registrar"
        )),
        Step::decide(format!(
            "or: if the zone is in another project, share it there (zone, Actions, General settings); if its DNS shall stay \
             elsewhere, make the zone here and delegate only _acme-challenge.{bare} to it with NS records"
        )),
        Step::decide(
            "or: let cert-manager issue it and end TLS in the cluster (take certificate-type and protocol off the Service), \
             or upload it and name it in http-certificates",
        ),
    ]
}

/// What a code of `status.error` means, and what it takes.
pub fn meaning(code: &str) -> Option<(&'static str, &'static str)> {
    Some(match code {
        "dns_zone_not_found" => ("Hetzner DNS has no zone for it", ""),
        "could_not_verify_domain_delegated_to_zone" => ("its domain is not delegated to Hetzner DNS", ""),
        "dns_zone_is_secondary_zone" => (
            "its zone at Hetzner is a secondary one",
            "Hetzner cannot write the proof into a secondary zone: make it a primary zone, or delegate _acme-challenge to one",
        ),
        "caa_record_does_not_allow_ca" => (
            "a CAA record forbids Let's Encrypt",
            "add the CAA record `0 issue \"letsencrypt.org\"` to the domain (for wildcards `issuewild`), or remove those there",
        ),
        "ca_dns_validation_failed" => (
            "Let's Encrypt does not see the DNS record",
            "compare `dig NS` of the domain with the zone's name servers, and look for a broken DNSSEC (DS record at the parent)",
        ),
        "ca_too_many_authorizations_failed_recently" => {
            ("too many attempts failed", "wait an hour with the DNS put right: each further attempt counts")
        }
        "ca_too_many_certificates_issued_for_registered_domain" => (
            "Let's Encrypt's weekly limit of the domain is used up",
            "wait until certificates of the last seven days leave the limit, or use one wildcard for all hosts",
        ),
        "ca_too_many_duplicate_certificates" => (
            "the same certificate was issued too often this week",
            "use the one that exists (`hcloud certificate list`) and stop what makes it anew",
        ),
        _ => return None,
    })
}

/// It is only for certificates whose issuance or renewal failed.
pub fn retry(name: &str) -> Step {
    let why = "tries again, once the cause is gone: Hetzner limits attempts, and so does Let's Encrypt";
    Step::hcloud(Changes::Cloud, why, &["certificate", "retry", name])
}

/// Deletes one that nothing uses any more.
pub fn delete(name: &str) -> Step {
    let why = "deletes the old one once nothing uses it; the controller never does";
    Step::hcloud(Changes::Cloud, why, &["certificate", "delete", name]).hazard(
        "refused with `certificate still in use` as long as a load balancer serves it (used_by); to give up managed \
         certificates altogether take the annotations off first, then wait for the load balancer's service",
    )
}
