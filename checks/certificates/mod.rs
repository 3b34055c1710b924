//! Certificates at Hetzner and from cert-manager.

pub mod managed_certificate_annotations;
pub mod managed_certificate_dns_zone;
pub mod managed_certificate_drift;
pub mod managed_certificate_issued;
