//! Certificates at Hetzner and from cert-manager.

pub mod cert_manager_certificates;
mod cert_manager_words;
pub mod gateway_certificate_refs;
pub mod managed_certificate_annotations;
pub mod managed_certificate_dns_zone;
pub mod managed_certificate_drift;
pub mod managed_certificate_issued;
