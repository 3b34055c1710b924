//! Certificates as no authority would sign them.

use super::*;

#[tokio::test]
async fn thousands_of_names_are_counted_and_few_are_kept() {
    let ca = Authority::new("ca");
    let mut many = params("worker-1", &["127.0.0.21"]);
    many.subject_alt_names
        .extend((0..2500).map(|n| SanType::DnsName(format!("n{n}.example").try_into().unwrap())));
    let (leaf, key) = ca.sign(&many);
    assert!(leaf.len() > 30_000);
    let (port, _) = kubelet("127.0.0.21", config(vec![leaf], &key, None, false)).await;
    let item = one("127.0.0.21", port, std::slice::from_ref(&ca.root)).await;
    let shown = item.certificate.expect("a certificate");
    assert_eq!((shown.dns_names.len(), shown.ip_addresses.len(), shown.more_names), (64, 1, 2501 - 64));
    assert!(serde_json::to_string(&shown).unwrap().len() < 4096);
}

#[tokio::test]
async fn a_certificate_that_is_too_long_is_a_failure() {
    let ca = Authority::new("ca");
    let mut many = params("worker-1", &[]);
    many.subject_alt_names
        .extend((0..8000).map(|n| SanType::DnsName(format!("n{n}.example").try_into().unwrap())));
    let (leaf, key) = ca.sign(&many);
    let (port, _) = kubelet("127.0.0.22", config(vec![leaf], &key, None, false)).await;
    let item = one("127.0.0.22", port, std::slice::from_ref(&ca.root)).await;
    assert!(failure(&item).1.len() < 300, "{item:?}");
}

#[tokio::test]
async fn broken_der_is_no_certificate() {
    let ca = Authority::new("ca");
    let (leaf, key) = ca.sign(&params("worker-1", &["127.0.0.23"]));
    let half = CertificateDer::from(leaf[..leaf.len() / 2].to_vec());
    let noise = CertificateDer::from(vec![0x30; 500]);
    let mut changed = leaf.to_vec();
    changed[6] ^= 0xff;
    for broken in [half, noise, CertificateDer::from(changed), CertificateDer::from(Vec::new())] {
        for old in [false, true] {
            let (port, _) = kubelet("127.0.0.23", config(vec![broken.clone()], &key, None, old)).await;
            let item = one("127.0.0.23", port, std::slice::from_ref(&ca.root)).await;
            let (why, detail) = failure(&item);
            assert!(why == "malformed" || why == "unreachable", "{item:?}");
            assert!(detail.len() < 300, "{detail}");
        }
    }
}

#[tokio::test]
async fn a_hostile_subject_is_text() {
    let ca = Authority::new("ca\u{1b}]0;x\u{7}");
    let (leaf, key) = ca.sign(&params("worker-1", &["127.0.0.24"]));
    let mut evil = params("worker-1", &["127.0.0.24"]);
    evil.distinguished_name.push(DnType::CommonName, "worker-1\u{1b}[2J\u{202e}\n<b>");
    let (other, other_key) = ca.sign(&evil);
    for (leaf, key) in [(leaf, key), (other, other_key)] {
        let (port, _) = kubelet("127.0.0.24", config(vec![leaf], &key, None, false)).await;
        let item = one("127.0.0.24", port, std::slice::from_ref(&ca.root)).await;
        let shown = item.certificate.expect("a certificate");
        assert!(["worker-1", "worker-1[2J <b>"].contains(&&*shown.subject), "{}", shown.subject);
        assert_eq!(shown.issuer, "ca]0;x");
    }
}
