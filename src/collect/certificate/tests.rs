use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};

use super::*;

fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.distinguished_name.push(DnType::OrganizationName, "system:nodes");
    params
}

#[test]
fn names_addresses_and_dates_are_read() {
    let mut params = params("system:node:worker-1");
    params.subject_alt_names = vec![
        SanType::DnsName("worker-1".try_into().unwrap()),
        SanType::IpAddress("10.0.0.2".parse().unwrap()),
        SanType::IpAddress("2001:db8::1".parse().unwrap()),
        SanType::Rfc822Name("a@example".try_into().unwrap()),
    ];
    params.not_before = date_time_ymd(2025, 1, 2);
    params.not_after = date_time_ymd(2026, 3, 4);
    let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let read = certificate(made.der()).unwrap();
    assert_eq!(read.subject, "system:node:worker-1");
    assert_eq!(read.issuer, "system:node:worker-1");
    assert_eq!(read.dns_names, ["worker-1"]);
    assert_eq!(read.ip_addresses, ["10.0.0.2", "2001:db8::1"]);
    assert_eq!(read.not_before.get(), Some("2025-01-02T00:00:00Z".parse().unwrap()));
    assert_eq!(read.not_after.get(), Some("2026-03-04T00:00:00Z".parse().unwrap()));
    assert_eq!(read.fingerprint.len(), 64);
}

#[test]
fn a_fingerprint_is_sha_256() {
    // The digest of the empty text, from FIPS 180-4's test vectors.
    assert_eq!(fingerprint(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[test]
fn names_are_capped_and_far_dates_do_no_harm() {
    let mut params = params("many");
    params.subject_alt_names =
        (0..200).map(|n| SanType::DnsName(format!("n{n}").try_into().unwrap())).collect();
    params.not_after = date_time_ymd(4096, 1, 1);
    let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let read = certificate(made.der()).unwrap();
    assert_eq!((read.dns_names.len(), read.more_names), (MOST_NAMES, 200 - MOST_NAMES as i64));
    assert!(read.covered().ends_with("n6, n7 and 192 more"), "{}", read.covered());
    assert!(read.not_after.is_some());
}

#[test]
fn hostile_names_become_text() {
    let mut params = params("k1\u{1b}[2J\u{202e}\n<b>");
    params.subject_alt_names = vec![SanType::DnsName("xn--ple-5cd4f.com".try_into().unwrap())];
    let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let mut der = made.der().to_vec();
    assert_eq!(certificate(&der).unwrap().subject, "k1[2J <b>");
    // The same bytes as names that no authority would sign: not ASCII, not UTF-8.
    let name = b"xn--ple-5cd4f.com";
    let at = der.windows(name.len()).position(|part| part == name).unwrap();
    der[at..at + 4].copy_from_slice("аа".as_bytes());
    let read = certificate(&der).unwrap();
    assert!(read.dns_names.iter().all(|name| name.is_ascii()), "{:?}", read.dns_names);
    der[at] = 0xff;
    let read = certificate(&der).unwrap();
    assert!(read.dns_names.iter().all(|name| name.is_ascii()), "{:?}", read.dns_names);
}

#[test]
fn a_certificate_with_a_byte_changed_is_read_or_is_none() {
    let made = params("k1").self_signed(&KeyPair::generate().unwrap()).unwrap();
    let der = made.der();
    for at in 0..der.len() {
        for value in [0, 0x7f, 0x80, 0xff, der[at] ^ 1] {
            let mut broken = der.to_vec();
            broken[at] = value;
            if let Some(read) = certificate(&broken) {
                assert!(read.fingerprint.len() == 64 && read.subject.len() < der.len());
            }
        }
        assert_eq!(certificate(&der[..at]), None);
    }
}

#[test]
fn a_tls_error_about_names_is_short() {
    let presented: Vec<String> = (0..3000).map(|n| format!("DnsName(\"n{n}.example\")")).collect();
    let expected = rustls::pki_types::ServerName::try_from("api.example").unwrap().to_owned();
    let error = |presented| {
        brief(&rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            expected: expected.clone(),
            presented,
        }))
    };
    let said = error(presented);
    assert!(
        said.starts_with("the certificate is not for api.example, but for ")
            && said.ends_with(" and 2992 more")
    );
    assert!(said.len() < 400, "{said}");
    assert!(error(Vec::new()).ends_with("but for no name"));
}

#[test]
fn bytes_that_are_no_certificate_are_none() {
    assert_eq!(certificate(b""), None);
    assert_eq!(certificate(b"\x30\x82\xff\xff"), None);
    assert_eq!(address(&[1, 2, 3]), None);
}

#[test]
fn pem_texts_give_every_certificate() {
    let one = params("one").self_signed(&KeyPair::generate().unwrap()).unwrap();
    let two = params("two").self_signed(&KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap().serialize_pem();
    let pem = format!("# roots\n{}{key}{}\n", one.pem(), two.pem());
    let read = pem_certificates(&pem);
    assert_eq!(read, [one.der().clone(), two.der().clone()]);
    assert!(pem_certificates("no PEM at all").is_empty());
    assert!(pem_certificates("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----").is_empty());
}
