//! Certificates made on the fly.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use jiff::Timestamp;
use kairos_doctor_checks::facts::Facts;
use kairos_doctor_checks::facts::kubelet::{Certificate, ClusterCa};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use serde_json::Value;
use time::OffsetDateTime;

use crate::fault::Flaw;

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
            not_before: certificate.not_before.get(),
            not_after: certificate.not_after.get(),
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
#[derive(Clone)]
pub struct Authority(Arc<CertifiedIssuer<'static, KeyPair>>);

/// A certificate with its key, both in PEM.
pub struct Pem {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    /// The cluster's authority that a bundle recorded, with a key of its own.
    ///
    /// # Errors
    /// When it is no bundle, or says of its authority what no certificate can carry.
    pub fn of(bundle: &Value) -> Result<Authority, String> {
        Authority::recorded(&Facts::from_bundle(bundle).map_err(|e| e.to_string())?)
    }

    pub(crate) fn recorded(facts: &Facts) -> Result<Authority, String> {
        match facts.unproven::<ClusterCa>().ok().and_then(<[ClusterCa]>::first) {
            Some(ca) => {
                let names = Names::recorded(&ca.certificate)?;
                Authority::new(&Names { dns: Vec::new(), ips: Vec::new(), ..names })
            }
            None => Authority::new(&Names::new("k3s-server-ca@1767225600", &[], &[])),
        }
    }

    pub(crate) fn new(names: &Names) -> Result<Authority, String> {
        let mut params = names.params()?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(|e| e.to_string())?;
        Ok(Authority(Arc::new(CertifiedIssuer::self_signed(params, key).map_err(|e| e.to_string())?)))
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// For an API server on 127.0.0.1.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn api_server(&self) -> Result<Pem, String> {
        Ok(self.sign(&Names::new("kube-apiserver", &["localhost"], &[Ipv4Addr::LOCALHOST.into()]))?.pem())
    }

    /// For the API server as a client of the kubelets, which answer nobody else.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn kubelet_client(&self) -> Result<Pem, String> {
        Ok(self.sign_client()?.pem())
    }

    pub(crate) fn sign_client(&self) -> Result<Signed, String> {
        let mut params = Names::new("system:kube-apiserver", &[], &[]).params()?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.signed(params)
    }

    /// A server's certificate of this authority, with its chain.
    pub(crate) fn sign(&self, names: &Names) -> Result<Signed, String> {
        self.signed(server(names)?)
    }

    fn signed(&self, params: CertificateParams) -> Result<Signed, String> {
        let key = KeyPair::generate().map_err(|e| e.to_string())?;
        let leaf = params.signed_by(&key, &self.0).map_err(|e| e.to_string())?;
        Ok(Signed { pem: leaf.pem(), chain: vec![leaf.der().clone(), self.der()], key })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

/// A certificate, its chain and its key.
pub(crate) struct Signed {
    pem: String,
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Signed {
    /// A server's certificate that it signed itself.
    pub fn by_itself(names: &Names) -> Result<Signed, String> {
        let key = KeyPair::generate().map_err(|e| e.to_string())?;
        let leaf = server(names)?.self_signed(&key).map_err(|e| e.to_string())?;
        Ok(Signed { pem: leaf.pem(), chain: vec![leaf.der().clone()], key })
    }

    fn pem(self) -> Pem {
        Pem { certificate: self.pem, key: self.key.serialize_pem() }
    }

    /// The chain and the key, as TLS takes them.
    pub fn parts(self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (self.chain, PrivateKeyDer::Pkcs8(self.key.serialize_der().into()))
    }

    /// What a server needs to present it.
    pub fn serve(self) -> Result<Arc<ServerConfig>, String> {
        self.config(Arc::new(NoClientAuth))
    }

    /// What a kubelet needs: it asks its clients for a certificate of that authority, and shakes hands without one too.
    pub fn serve_clients_of(self, authority: &Authority) -> Result<Arc<ServerConfig>, String> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der()).map_err(|e| e.to_string())?;
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        self.config(clients.allow_unauthenticated().build().map_err(|e| e.to_string())?)
    }

    fn config(self, clients: Arc<dyn ClientCertVerifier>) -> Result<Arc<ServerConfig>, String> {
        let (chain, key) = self.parts();
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_client_cert_verifier(clients).with_single_cert(chain, key))
            .map_err(|e| e.to_string())?;
        Ok(Arc::new(config))
    }
}

/// A certificate with that flaw, or a good one.
pub(crate) fn flawed(authority: &Authority, names: Names, flaw: Option<Flaw>) -> Result<Signed, String> {
    match flaw {
        None => authority.sign(&names),
        Some(Flaw::SelfSigned) => Signed::by_itself(&names),
        Some(Flaw::Expired) => {
            // an hour more, so that it is three days for as long as a test may take
            let ago = |hours: i64| Timestamp::now().as_second() - hours * 3600;
            let at = |hours| Timestamp::from_second(ago(hours)).map_err(|e| e.to_string());
            authority.sign(&Names { not_before: Some(at(400 * 24)?), not_after: Some(at(73)?), ..names })
        }
        Some(Flaw::OtherHost) => {
            authority.sign(&Names::new("elsewhere", &["elsewhere.example"], &[[192, 0, 2, 1].into()]))
        }
    }
}

fn server(names: &Names) -> Result<CertificateParams, String> {
    let mut params = names.params()?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

/// Named here, because the process under test may have installed another one as its default, or none.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
