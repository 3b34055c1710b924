//! Certificates made on the fly.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use kairos_doctor_checks::facts::kubelet::Certificate;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;

/// 2020 and 2120, in seconds: what stands where a bundle says nothing.
const BEGINNING: i64 = 1_577_836_800;
const END: i64 = 4_733_510_400;

/// What a certificate says.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub subject: String,
    pub dns: Vec<String>,
    pub ips: Vec<IpAddr>,
    pub not_before: Option<Timestamp>,
    pub not_after: Option<Timestamp>,
}

impl Names {
    pub fn new(subject: &str, dns: &[&str], ips: &[IpAddr]) -> Names {
        let dns = dns.iter().map(ToString::to_string).collect();
        Names { subject: subject.into(), dns, ips: ips.to_vec(), not_before: None, not_after: None }
    }

    /// The same that a recorded certificate says. Errors: a name that no certificate can carry.
    pub fn recorded(certificate: &Certificate) -> Result<Names, String> {
        let ip = |text: &str| text.parse().map_err(|_| format!("`{text}` is no IP address"));
        Ok(Names {
            subject: certificate.subject.to_string(),
            dns: certificate.dns_names.iter().map(ToString::to_string).collect(),
            ips: certificate.ip_addresses.iter().map(|text| ip(text)).collect::<Result<_, _>>()?,
            not_before: certificate.not_before.0,
            not_after: certificate.not_after.0,
        })
    }

    fn params(&self) -> Result<CertificateParams, String> {
        let at = |time: Option<Timestamp>, default: i64| {
            OffsetDateTime::from_unix_timestamp(time.map_or(default, Timestamp::as_second))
                .map_err(|e| e.to_string())
        };
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, self.subject.as_str());
        params.not_before = at(self.not_before, BEGINNING)?;
        params.not_after = at(self.not_after, END)?;
        for name in &self.dns {
            let name = name.as_str().try_into().map_err(|e| format!("DNS name `{name}`: {e}"))?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        params.subject_alt_names.extend(self.ips.iter().copied().map(SanType::IpAddress));
        Ok(params)
    }
}

/// A certificate authority with its key.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new(names: &Names) -> Result<Authority, String> {
        let mut params = names.params()?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(|e| e.to_string())?;
        Ok(Authority(CertifiedIssuer::self_signed(params, key).map_err(|e| e.to_string())?))
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// What a server needs to present a certificate of this authority, with its chain.
    pub fn serve(&self, names: &Names) -> Result<Arc<ServerConfig>, String> {
        let key = KeyPair::generate().map_err(|e| e.to_string())?;
        let leaf = server(names)?.signed_by(&key, &self.0).map_err(|e| e.to_string())?;
        config(vec![leaf.der().clone(), self.der()], &key)
    }
}

/// What a server needs to present a certificate that it signed itself.
pub(crate) fn serve_self_signed(names: &Names) -> Result<Arc<ServerConfig>, String> {
    let key = KeyPair::generate().map_err(|e| e.to_string())?;
    let leaf = server(names)?.self_signed(&key).map_err(|e| e.to_string())?;
    config(vec![leaf.der().clone()], &key)
}

fn server(names: &Names) -> Result<CertificateParams, String> {
    let mut params = names.params()?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn config(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Result<Arc<ServerConfig>, String> {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|e| e.to_string())?;
    Ok(Arc::new(config))
}

/// Named here, because the process under test may have installed another one as its default, or none.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
