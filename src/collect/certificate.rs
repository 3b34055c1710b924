//! Certificates, parsed into facts: what a check reads of them, never the bytes.

use std::net::IpAddr;

use jiff::Timestamp;
use kairos_doctor_checks::facts::kubelet::Certificate;
use kairos_doctor_checks::facts::{Text, Time};
use rustls::SupportedCipherSuite;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};
use x509_parser::time::ASN1Time;

/// So many names of each kind are kept. A kubelet's certificate has a handful.
const MOST_NAMES: usize = 64;

/// Reads one certificate; `None` when the bytes are none. Subject and issuer are their common names; a date outside the
/// range of calendars is absent.
pub fn certificate(der: &[u8]) -> Option<Certificate> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let names = parsed.subject_alternative_name().ok().flatten();
    let names = names.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    let dns_names = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(Text::new(name)),
        _ => None,
    });
    let ip_addresses = names.iter().filter_map(|name| match name {
        GeneralName::IPAddress(bytes) => address(bytes).map(|ip| Text::from(ip.to_string())),
        _ => None,
    });
    Some(Certificate {
        subject: common_name(parsed.subject()),
        issuer: common_name(parsed.issuer()),
        dns_names: dns_names.take(MOST_NAMES).collect(),
        ip_addresses: ip_addresses.take(MOST_NAMES).collect(),
        not_before: time(parsed.validity().not_before),
        not_after: time(parsed.validity().not_after),
        fingerprint: fingerprint(der),
    })
}

/// The certificates of a PEM text, in its order; anything else in it is passed over.
pub fn pem_certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok).collect()
}

fn common_name(name: &X509Name) -> Text {
    name.iter_common_name().next().and_then(|cn| cn.as_str().ok()).map(Text::new).unwrap_or_default()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

fn time(time: ASN1Time) -> Time {
    Time(Timestamp::from_second(time.timestamp()).ok())
}

/// SHA-256, by way of the one crypto provider in the tree.
fn fingerprint(der: &[u8]) -> Text {
    let SupportedCipherSuite::Tls13(suite) = TLS13_AES_128_GCM_SHA256 else { return Text::default() };
    let digest = suite.common.hash_provider.hash(der);
    Text::from(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

#[cfg(test)]
mod tests;
