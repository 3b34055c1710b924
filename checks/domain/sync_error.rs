//! What the cloud controller says when it cannot make a load balancer what its Service asks for, and which check explains it.
//!
//! Sources: kubernetes/cloud-provider `controllers/service/controller.go` (the two reasons, retries after 5 s to 300 s), HCCM
//! `6485324f` `internal/hcops`, hcloud-go `hcloud/error.go` (an API error ends in `(code)` or `(code, correlation-id)`).

use super::hccm::last_event;
use crate::facts::kubernetes::{Event, Service};
use crate::facts::{Facts, Known};

/// The newest failure to make or to update a Service's load balancer.
///
/// # Errors
/// The gap of events. That there is none proves nothing: events live for an hour.
pub fn last<'a>(facts: &'a Facts, service: &Service) -> Known<Option<&'a Event>> {
    let made = last_event(facts, service, "SyncLoadBalancerFailed")?;
    let updated = last_event(facts, service, "UpdateLoadBalancerFailed")?;
    Ok(made.into_iter().chain(updated).max_by_key(|event| event.last_seen()))
}

/// Twice the longest pause between two attempts: what failed last before that has gone well since, or nobody tries.
pub const STALE_SECONDS: i64 = 600;

/// Nothing has failed for so long that, where all else fits, it has gone well since.
pub fn is_stale(facts: &Facts, event: &Event) -> bool {
    event.last_seen().seconds_until(facts.now).is_some_and(|age| age > STALE_SECONDS)
}

/// Which check explains that message by objects of the cluster, and so alone reports it. A message that fits several
/// reasons (`no_subnet_available`: none in the zone, or a full one) is nobody's.
pub fn claimed(message: &str) -> Option<&'static str> {
    let has = |words: &str| message.contains(words);
    let code = code(message).unwrap_or_default();
    if has("neither load-balancer.hetzner.cloud/location nor") {
        return Some("KD301");
    }
    if refuses_place(message) {
        return Some("KD302");
    }
    if refuses_zone(message) {
        return Some("KD303");
    }
    if has("missing network id") || (has("attachToNetwork: ") && has(": not found")) {
        return Some("KD204");
    }
    if has("annotation/") || has("could not parse private") || has("unable to parse the node-selector") {
        return Some("KD309");
    }
    if has("no domains for managed certificate") {
        return Some("KD402");
    }
    if has("GetCertificateByLabel") {
        return Some("KD403");
    }
    match code.strip_prefix("certificate_").unwrap_or(code) {
        "unauthorized" | "forbidden" | "token_readonly" => Some("KD207"),
        code if ISSUANCE.contains(&code) => Some("KD401"),
        _ => None,
    }
}

/// Why Let's Encrypt or Hetzner's DNS refuses a managed certificate.
const ISSUANCE: &[&str] = &[
    "caa_record_does_not_allow_ca",
    "ca_dns_validation_failed",
    "ca_too_many_authorizations_failed_recently",
    "ca_too_many_certificates_issued_for_registered_domain",
    "ca_too_many_duplicate_certificates",
    "could_not_verify_domain_delegated_to_zone",
    "dns_zone_is_secondary_zone",
    "dns_zone_not_found",
];

/// A new load balancer's location or network zone is not one: `invalid input in field 'location' (invalid_input)`, since
/// v1.35.0 also `: invalid fields: location (…)`.
pub fn refuses_place(message: &str) -> bool {
    let names =
        |field: &str| message.contains(&format!("'{field}'")) || message.contains(&format!("{field} ("));
    message.contains("LoadBalancerOps.Create: ")
        && message.contains("(invalid_input")
        && (names("location") || names("network_zone"))
}

/// A load balancer does not take servers of another network zone.
pub fn refuses_zone(message: &str) -> bool {
    message.contains("same network zone") || message.contains("cross network zone")
}

/// The API's code at the end of an error: the first word in brackets that could be one.
pub fn code(message: &str) -> Option<&str> {
    message.split('(').skip(1).find_map(|rest| {
        let (inside, _) = rest.split_once(')')?;
        let (code, id) = inside.split_once(", ").unwrap_or((inside, ""));
        let word = !code.is_empty() && code.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        (word && id.chars().all(|c| c.is_ascii_hexdigit())).then_some(code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_stands_in_brackets() {
        let said = |text: &str| code(text).map(str::to_string);
        assert_eq!(said("limit exceeded (resource_limit_exceeded)").unwrap(), "resource_limit_exceeded");
        assert_eq!(said("x (locked, 3f2a9c)").unwrap(), "locked");
        assert_eq!(
            said("bad (invalid_input, 3f2a): invalid fields: name (too long)").unwrap(),
            "invalid_input"
        );
        assert_eq!(said("server web (4711): gone (not_found)").unwrap(), "not_found");
        assert_eq!(said("context deadline exceeded"), None);
    }

    #[test]
    fn each_message_has_one_check_or_none() {
        let create = "Error syncing load balancer: failed to ensure load balancer: \
                      hcloud/loadBalancers.EnsureLoadBalancer: hcops/LoadBalancerOps.Create: ";
        let of = |tail: &str| claimed(&format!("{create}{tail}"));
        assert_eq!(
            of(
                "neither load-balancer.hetzner.cloud/location nor load-balancer.hetzner.cloud/network-zone set"
            ),
            Some("KD301")
        );
        assert_eq!(of("invalid input in field 'location' (invalid_input)"), Some("KD302"));
        assert_eq!(
            of("invalid input (invalid_input, 3f2a): invalid fields: location (unknown)"),
            Some("KD302")
        );
        assert_eq!(of("invalid input in field 'name' (invalid_input)"), None);
        assert_eq!(of("the token is read only (token_readonly)"), Some("KD207"));
        assert_eq!(of("load balancer limit exceeded (resource_limit_exceeded)"), None);
        let said = "target k3: servers and load balancers needs to be in the same network zone, \
                    cross network zone is not supported (unsupported_error)";
        assert_eq!(claimed(said), Some("KD303"));
        assert_eq!(claimed("ReconcileHCLBTargets: use private ip: missing network id"), Some("KD204"));
        assert_eq!(claimed("x (certificate_dns_zone_not_found)"), Some("KD401"));
        assert_eq!(claimed("hcops/CertificateOps.GetCertificateByLabel: not found"), Some("KD403"));
        let said = "annotation/Name.DurationFromService: time: missing unit in duration \"15\"";
        assert_eq!(claimed(said), Some("KD309"));
    }
}
