//! Certificates, parsed into facts: what a check reads of them, never the bytes.

use std::net::IpAddr;

use jiff::Timestamp;
use kairos_doctor_checks::facts::kubelet::Certificate;
use kairos_doctor_checks::facts::{Text, Time};
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, SupportedCipherSuite};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};
use x509_parser::time::ASN1Time;

/// So many names of each kind are kept. A kubelet's certificate has a handful.
const MOST_NAMES: usize = 64;
/// So many names stand in a sentence.
const SHOWN_NAMES: usize = 8;

/// Reads one certificate; `None` when the bytes are none. Subject and issuer are their common names; a date outside the
/// range of calendars is absent.
pub fn certificate(der: &[u8]) -> Option<Certificate> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let names = parsed.subject_alternative_name().ok().flatten();
    let names = names.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    let mut dns_names = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    let mut ip_addresses = names.iter().filter_map(|name| match name {
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    });
    let (dns, ips) = (dns_names.by_ref().take(MOST_NAMES), ip_addresses.by_ref().take(MOST_NAMES));
    // A node shows the same one at each of its addresses.
    let dns: Vec<Text> = dns.map(Text::shared).collect();
    let ips: Vec<Text> = ips.map(|ip| Text::shared(&ip.to_string())).collect();
    Some(Certificate {
        subject: common_name(parsed.subject()),
        issuer: common_name(parsed.issuer()),
        dns_names: exactly(dns),
        ip_addresses: exactly(ips),
        more_names: (dns_names.count() + ip_addresses.count()) as i64,
        not_before: time(parsed.validity().not_before),
        not_after: time(parsed.validity().not_after),
        fingerprint: fingerprint(der),
    })
}

/// What a TLS error says, short where the peer decides how long it is: a certificate may be for thousands of names.
pub fn brief(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }) =
        error
    else {
        return error.to_string();
    };
    let mut names = presented.iter().take(SHOWN_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    match presented.len().checked_sub(SHOWN_NAMES) {
        None if presented.is_empty() => names += "no name",
        None | Some(0) => {}
        Some(more) => names += &format!(" and {more} more"),
    }
    format!("the certificate is not for {}, but for {names}", expected.to_str())
}

/// The certificates of a PEM text, in its order; anything else in it is passed over.
pub fn pem_certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok).collect()
}

fn common_name(name: &X509Name) -> Text {
    name.iter_common_name().next().and_then(|cn| cn.as_str().ok()).map(Text::shared).unwrap_or_default()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// There may be thousands of certificates, each with few names.
fn exactly(mut names: Vec<Text>) -> Vec<Text> {
    names.shrink_to_fit();
    names
}

fn time(time: ASN1Time) -> Time {
    Timestamp::from_second(time.timestamp()).ok().into()
}

/// SHA-256, by way of the one crypto provider in the tree.
fn fingerprint(der: &[u8]) -> Text {
    let SupportedCipherSuite::Tls13(suite) = TLS13_AES_128_GCM_SHA256 else { return Text::default() };
    let digest = suite.common.hash_provider.hash(der);
    Text::from(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

#[cfg(test)]
mod tests;
