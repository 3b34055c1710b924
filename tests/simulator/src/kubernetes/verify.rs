//! A TLS client that judges a kubelet's certificate in the order, and in the words, of Go's `crypto/x509`.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::pki::{Authority, provider};

/// The cluster's authority, as the API server trusts it for kubelets, and what the API server shows them.
#[derive(Debug)]
pub(crate) struct ClusterCa {
    der: CertificateDer<'static>,
    chains: Arc<WebPkiServerVerifier>,
    shows: (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>),
}

impl ClusterCa {
    pub fn new(authority: &Authority) -> Result<ClusterCa, String> {
        let der = authority.der();
        let mut roots = RootCertStore::empty();
        roots.add(der.clone()).map_err(|e| e.to_string())?;
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|e| e.to_string())?;
        Ok(ClusterCa { der, chains, shows: authority.sign_client()?.parts() })
    }

    /// A client for one handshake, and where the objection to the certificate will stand.
    pub fn client(self: &Arc<ClusterCa>) -> Result<(ClientConfig, Arc<Judge>), String> {
        let judge = Arc::new(Judge { ca: self.clone(), objection: Mutex::default() });
        let (chain, key) = &self.shows;
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(judge.clone())
            .with_client_auth_cert(chain.clone(), key.clone_key())
            .map_err(|e| e.to_string())?;
        Ok((config, judge))
    }

    /// Go looks at the leaf's dates, then at its names, and only then for a chain.
    fn objection(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        ip: IpAddr,
        now: UnixTime,
    ) -> Option<String> {
        let Ok((_, parsed)) = X509Certificate::from_der(leaf) else {
            return Some("x509: malformed certificate".into());
        };
        if let Some(text) = out_of_date(&parsed, now) {
            return Some(text);
        }
        let ips = addresses(&parsed);
        if ips.is_empty() {
            let text = "because it doesn't contain any IP SANs";
            return Some(format!("x509: cannot validate certificate for {ip} {text}"));
        }
        if !ips.contains(&ip) {
            let valid = ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Some(format!("x509: certificate is valid for {valid}, not {ip}"));
        }
        let chain =
            self.chains.verify_server_cert(leaf, between, &ServerName::IpAddress(ip.into()), &[], now);
        chain.err().map(|_| self.unknown_authority(&parsed))
    }

    fn unknown_authority(&self, leaf: &X509Certificate) -> String {
        let unknown = "x509: certificate signed by unknown authority";
        match X509Certificate::from_der(&self.der) {
            // the name fits and the key does not
            Ok((_, ca)) if ca.subject().as_raw() == leaf.issuer().as_raw() => {
                let name = ca.subject().iter_common_name().next().and_then(|cn| cn.as_str().ok());
                format!(
                    "{unknown} (possibly because of \"x509: ECDSA verification failure\" while trying to verify \
                     candidate authority certificate \"{}\")",
                    name.unwrap_or_default()
                )
            }
            _ => unknown.into(),
        }
    }
}

fn out_of_date(leaf: &X509Certificate, now: UnixTime) -> Option<String> {
    let rfc3339 =
        |seconds: i64| jiff::Timestamp::from_second(seconds).map(|time| time.to_string()).unwrap_or_default();
    let seconds = now.as_secs().cast_signed();
    let validity = leaf.validity();
    let (from, until) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    let (relation, limit) = match seconds {
        s if s < from => ("before", from),
        s if s > until => ("after", until),
        _ => return None,
    };
    Some(format!(
        "x509: certificate has expired or is not yet valid: current time {} is {relation} {}",
        rfc3339(seconds),
        rfc3339(limit)
    ))
}

fn addresses(leaf: &X509Certificate) -> Vec<IpAddr> {
    let Ok(Some(names)) = leaf.subject_alternative_name() else { return Vec::new() };
    let address = |name: &GeneralName| match name {
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(IpAddr::from),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(IpAddr::from),
            _ => None,
        },
        _ => None,
    };
    names.value.general_names.iter().filter_map(address).collect()
}

/// Verifies one handshake and keeps why it was refused.
#[derive(Debug)]
pub(crate) struct Judge {
    ca: Arc<ClusterCa>,
    objection: Mutex<Option<String>>,
}

impl Judge {
    pub fn objection(&self) -> Option<String> {
        self.objection.lock().expect("no one panics while noting").clone()
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let ServerName::IpAddress(ip) = name else {
            return Err(Error::General("a kubelet is dialled by its address".into()));
        };
        match self.ca.objection(leaf, between, (*ip).into(), now) {
            None => Ok(ServerCertVerified::assertion()),
            Some(text) => {
                *self.objection.lock().expect("no one panics while noting") = Some(text.clone());
                Err(Error::General(text))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.ca.chains.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.ca.chains.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.ca.chains.supported_verify_schemes()
    }
}
