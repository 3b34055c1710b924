//! The certificates that Services ask Hetzner for, and whose they are.
//!
//! Source: hcloud-cloud-controller-manager `6485324f`, `internal/hcops/load_balancer.go` (`reconcileManagedCertificate`,
//! `hclbServiceOptsBuilder.extract`) and `internal/hcops/certificates.go`: a certificate is made at every sync by name, an
//! existing one of that name is left as it is, and then exactly one with the Service's UID as its label is looked for.
//! Only `certificate-type: managed`, in this spelling, asks for one; the protocol is not looked at.

use crate::facts::hetzner::{Certificate, CertificateError, LoadBalancer, Server, Zone};
use crate::facts::kubernetes::{Node, Service};
use crate::facts::{Facts, Kind, Known, Need};

pub const TYPE: &str = "load-balancer.hetzner.cloud/certificate-type";
pub const DOMAINS: &str = "load-balancer.hetzner.cloud/http-managed-certificate-domains";
pub const NAME: &str = "load-balancer.hetzner.cloud/http-managed-certificate-name";
pub const PROTOCOL: &str = "load-balancer.hetzner.cloud/protocol";

/// What [`wanted`] reads, and what every look at Hetzner's certificates needs.
pub const NEEDS: [&Need; 4] = [&Service::NEED, &Certificate::NEED, &Server::NEED, &Node::NEED];

/// A certificate as a Service's annotations ask for it.
pub struct Wanted<'a> {
    pub service: &'a Service,
    /// The name that the controller gives it.
    pub name: String,
    /// As the controller splits them: at commas, and nothing else.
    pub domains: Vec<&'a str>,
}

/// Every managed certificate that Services of this cluster ask for.
///
/// # Errors
/// The gap of Services.
pub fn wanted(facts: &Facts) -> Known<Vec<Wanted<'_>>> {
    let services = facts.all::<Service>()?.iter().filter(|service| service.wants_load_balancer());
    Ok(services.filter_map(Wanted::of).collect())
}

impl<'a> Wanted<'a> {
    /// `None` for a Service whose annotations ask for no managed certificate.
    pub fn of(service: &'a Service) -> Option<Wanted<'a>> {
        if service.annotation("certificate-type") != Some("managed") {
            return None;
        }
        let given = service.annotation("http-managed-certificate-name").filter(|name| !name.is_empty());
        let name = match given {
            Some(name) => name.to_string(),
            None => format!("ccm-managed-certificate-{}", service.metadata.uid),
        };
        let domains = service.annotation("http-managed-certificate-domains");
        Some(Wanted {
            service,
            name,
            domains: domains.map(|domains| domains.split(',').collect()).unwrap_or_default(),
        })
    }

    /// The domains as they were meant.
    pub fn hosts(&self) -> impl Iterator<Item = String> {
        self.domains.iter().map(|domain| host(domain)).filter(|host| !host.is_empty())
    }

    /// The certificates that the controller takes for this Service's: by their label.
    pub fn labelled<'c>(&self, all: &'c [Certificate]) -> Vec<&'c Certificate> {
        all.iter().filter(|c| c.service_uid() == Some(&*self.service.metadata.uid)).collect()
    }

    /// The certificate of the wanted name, whoever made it.
    pub fn named<'c>(&self, all: &'c [Certificate]) -> Option<&'c Certificate> {
        all.iter().find(|c| c.name == *self.name.as_str())
    }

    /// What to call its certificate: the controller's own names are long, and no name for people.
    pub fn called(&self) -> String {
        match self.name.starts_with("ccm-managed-certificate-") {
            true => format!("the certificate of Service {}", self.service.reference().path()),
            false => format!("certificate {}", self.name),
        }
    }

    /// It is this Service's, by label or by name.
    pub fn is(&self, certificate: &Certificate) -> bool {
        certificate.service_uid() == Some(&*self.service.metadata.uid)
            || certificate.name == *self.name.as_str()
    }
}

impl Certificate {
    /// The UID of the Service that HCCM made it for.
    pub fn service_uid(&self) -> Option<&str> {
        self.labels.0.get("hcloud-ccm/service-uid").map(|uid| &**uid)
    }

    pub fn is_managed(&self) -> bool {
        self.r#type == "managed"
    }

    /// `pending`, `completed` or `failed`.
    pub fn issuance(&self) -> &str {
        self.status.as_ref().map_or("", |status| &status.issuance)
    }

    pub fn renewal(&self) -> &str {
        self.status.as_ref().map_or("", |status| &status.renewal)
    }

    pub fn error(&self) -> Option<&CertificateError> {
        self.status.as_ref()?.error.as_ref()
    }

    /// The code of its error; actions were seen with a prefix that the status does not have.
    pub fn error_code(&self) -> &str {
        self.error().map_or("", |error| error.code.strip_prefix("certificate_").unwrap_or(&error.code))
    }

    /// It is valid for that host, by name or by a wildcard for one label.
    pub fn covers(&self, wanted: &str) -> bool {
        let wildcard = wanted.split_once('.').map(|(_, parent)| format!("*.{parent}"));
        self.domain_names.iter().any(|name| {
            let name = host(name);
            name == wanted || Some(name) == wildcard
        })
    }

    /// The load balancers that serve it.
    pub fn used_by<'a>(&self, all: &'a [LoadBalancer]) -> Vec<&'a LoadBalancer> {
        all.iter().filter(|lb| self.used_by.iter().any(|user| user.id == lb.id)).collect()
    }
}

/// A load balancer of this cluster: made for one of its Services, or with one of its servers as a target. Others of the
/// project are other clusters'.
pub fn is_ours(lb: &LoadBalancer, services: &[Service], nodes: &[Node]) -> bool {
    let server = |id: i64| nodes.iter().any(|node| node.server_id() == Some(id));
    let of_service = |uid: &str| services.iter().any(|service| service.metadata.uid == *uid);
    lb.service_uid().is_some_and(of_service)
        || lb.targets.iter().any(|target| target.server.as_ref().is_some_and(|s| server(s.id)))
}

/// The zone that a host's records stand in: the longest that encloses it.
pub fn zone_of<'a>(host: &str, zones: &'a [Zone]) -> Option<&'a Zone> {
    let bare = host.strip_prefix("*.").unwrap_or(host);
    let encloses = |zone: &&Zone| {
        let zone = zone.name.to_ascii_lowercase();
        bare == zone || bare.strip_suffix(&zone).is_some_and(|rest| rest.ends_with('.'))
    };
    zones.iter().filter(encloses).max_by_key(|zone| zone.name.len())
}

/// A host as it was meant: no spaces, no case, no dot at the end.
pub fn host(domain: &str) -> String {
    domain.trim().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone { name: name.into(), ..Zone::default() }
    }

    #[test]
    fn the_longest_zone_encloses_a_host_at_a_dot() {
        let zones = [zone("example.com"), zone("shop.example.com"), zone("ample.com")];
        assert_eq!(zone_of("www.shop.example.com", &zones).unwrap().name, "shop.example.com");
        assert_eq!(zone_of("*.example.com", &zones).unwrap().name, "example.com");
        assert!(zone_of("example.org", &zones).is_none());
        assert!(zone_of("badexample.com", &zones[..1]).is_none());
    }

    #[test]
    fn a_wildcard_covers_one_label() {
        let names = vec!["*.Example.com".into()];
        let certificate = Certificate { domain_names: names, ..Certificate::default() };
        assert!(certificate.covers("www.example.com"));
        assert!(!certificate.covers("a.b.example.com"));
        assert!(!certificate.covers("example.com"));
    }
}
