//! TLS handshakes with the kubelets: which certificate each one shows, and whether the cluster signed it.
//!
//! No client certificate is shown and nothing is requested; the handshake is finished and closed, because an aborted one
//! leaves a line in the kubelet's log. Sources: kubelet serving certificates in k3s (`pkg/agent/config`); the order in
//! which the API server chooses an address (`--kubelet-preferred-address-types`).

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::future::ready;
use futures::stream;
use kairos_doctor_checks::domain::addresses::{host_port, ip};
use kairos_doctor_checks::facts::kubelet::{Certificate, Failure, Kubelet};
use kairos_doctor_checks::facts::kubernetes::Node;
use kairos_doctor_checks::facts::{Kind, Part, Why};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, InvalidMessage, RootCertStore,
    SignatureScheme,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
#[expect(clippy::disallowed_types, reason = "a handshake, and nothing inside it")]
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::budget::Deadline;
use super::certificate::certificate;

mod sample;

/// One handshake is waited for no longer; a kubelet on the same network needs milliseconds.
const ONE: Duration = Duration::from_secs(3);
/// How long the peer may take to close after it was told goodbye.
const GOODBYE: Duration = Duration::from_millis(250);

/// Handshakes with each node's kubelet at its first InternalIP and at its first ExternalIP, as many as there is time for,
/// that of the address which the API server dials first: a `Part` of [`Kubelet`]. `progress` is told how many are done.
///
/// It does not fail: what went wrong is said in the item, and what was not tried has none. `trusted` means that the chain
/// leads to one of `roots`; whether the name fits and the date is right is for the checks to say. Nothing is waited for
/// beyond the deadline.
pub async fn shake_hands(
    nodes: &[Node],
    roots: &[CertificateDer<'static>],
    deadline: Deadline,
    progress: impl Fn(usize),
) -> Part {
    let targets = sample::in_order(nodes);
    let end = sample::end(deadline);
    let at_once = sample::at_once(targets.len(), end);
    let mut items = Vec::new();
    if let Some(tls) = Tls::new(roots).map(Arc::new) {
        // In tasks of their own: a handshake is half a millisecond of arithmetic, and there may be more than one core.
        let mut shakes = stream::iter(targets)
            .take_while(|_| ready(!end.left().is_zero()))
            .map(|target| tokio::spawn(shake(target, Arc::clone(&tls), end)))
            .buffer_unordered(at_once);
        while let Some(item) = shakes.next().await {
            match item {
                Ok(item) => items.push(item),
                Err(failed) => std::panic::resume_unwind(failed.into_panic()),
            }
            progress(items.len());
        }
    }
    Kubelet::NEED.join(vec![Arc::new(items)])
}

/// What all handshakes share.
struct Tls {
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    config: ClientConfig,
}

impl Tls {
    fn new(roots: &[CertificateDer<'static>]) -> Option<Tls> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let store = Arc::new(store);
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().ok()?;
        let mut config = builder.with_root_certificates(Arc::clone(&store)).with_no_client_auth();
        config.resumption = Resumption::disabled();
        Some(Tls { provider, roots: store, config })
    }
}

async fn shake(mut item: Kubelet, tls: Arc<Tls>, deadline: Deadline) -> Kubelet {
    let failure = |(why, detail): (Why, String)| Failure { why: why.as_str().into(), detail: detail.into() };
    let Some(address) = ip(&item.address).filter(|ip| !ip.is_unspecified() && !ip.is_multicast()) else {
        let detail = format!("`{}` is not the address of one machine", item.address);
        item.failure = Some(failure((Why::Malformed, detail)));
        return item;
    };
    let recorder = Arc::new(Recorder {
        provider: Arc::clone(&tls.provider),
        roots: Arc::clone(&tls.roots),
        seen: Mutex::default(),
    });
    let mut config = tls.config.clone();
    config.dangerous().set_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>);
    let met = meet(SocketAddr::new(address, item.port), config, deadline).await;
    let seen = std::mem::take(&mut *recorder.seen.lock().unwrap_or_else(|e| e.into_inner()));
    let at = host_port(&item.address, item.port);
    // A peer that breaks off after it proved its key (it wants a client certificate) has shown what was wanted.
    match (seen.leaf, met) {
        (Some(leaf), _) if seen.signed => {
            item.trusted = seen.distrust.is_none();
            item.distrust = seen.distrust.unwrap_or_default().into();
            item.certificate = Some(leaf);
        }
        (_, Err((why, what))) => item.failure = Some(failure((why, format!("{at} {what}")))),
        (None, Ok(())) if seen.unreadable => {
            item.failure =
                Some(failure((Why::Malformed, format!("{at} shows a certificate that cannot be read"))));
        }
        (_, Ok(())) => item.failure = Some(failure((Why::Malformed, format!("{at} shows no certificate")))),
    }
    item
}

/// Connects, shakes hands and says goodbye.
#[expect(clippy::disallowed_types, reason = "a handshake, and nothing inside it")]
async fn meet(at: SocketAddr, config: ClientConfig, deadline: Deadline) -> Result<(), (Why, String)> {
    let limit = deadline.left().min(ONE);
    let mut connected = false;
    let handshake = async {
        let stream = TcpStream::connect(at).await.map_err(|e| unreachable(&e))?;
        connected = true;
        TlsConnector::from(Arc::new(config))
            .connect(ServerName::IpAddress(at.ip().into()), stream)
            .await
            .map_err(|e| broken(&e))
    };
    let Some(stream) = deadline.within(ONE, handshake).await else {
        let within =
            if limit == ONE { format!("within {} s", ONE.as_secs()) } else { "in the time left".into() };
        let what = if connected {
            "accepted the connection and did not finish the handshake"
        } else {
            "did not accept a connection"
        };
        return Err((Why::TimedOut, format!("{what} {within}")));
    };
    let mut stream = stream?;
    let goodbye = async {
        stream.shutdown().await?;
        // What the peer still sends (session tickets) is read, or closing would reset the connection.
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = deadline.within(GOODBYE, goodbye).await;
    Ok(())
}

fn unreachable(error: &io::Error) -> (Why, String) {
    let what = match error.kind() {
        io::ErrorKind::ConnectionRefused => "refuses the connection".into(),
        io::ErrorKind::ConnectionReset => "resets the connection".into(),
        io::ErrorKind::TimedOut => return (Why::TimedOut, "did not accept a connection".into()),
        _ => format!("cannot be reached: {error}"),
    };
    (Why::Unreachable, what)
}

/// Whether that port takes connections at all: asked where a connection was not there in time, because it makes a
/// difference whether nobody listens or somebody is stuck in the TLS handshake.
#[expect(clippy::disallowed_types, reason = "it connects, and sends nothing")]
pub async fn takes_connections(host: &str, port: u16, deadline: Deadline) -> bool {
    let connected = deadline.within(deadline.connect() / 4, TcpStream::connect((host, port))).await;
    matches!(connected, Some(Ok(_)))
}

/// What a handshake that came to no end says about the peer.
fn broken(error: &io::Error) -> (Why, String) {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match tls {
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            (Why::Malformed, "does not speak TLS".into())
        }
        Some(Error::InvalidCertificate(CertificateError::BadSignature)) => {
            (Why::Malformed, "shows a certificate without holding its key".into())
        }
        Some(e) => (Why::Malformed, format!("does not finish the handshake: {e}")),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            (Why::Unreachable, "closed the connection during the handshake".into())
        }
        None if error.kind() == io::ErrorKind::ConnectionReset => {
            (Why::Unreachable, "resets the connection".into())
        }
        None => (Why::Unreachable, format!("broke the handshake off: {error}")),
    }
}

/// Takes any certificate and notes what it is; the signature of the handshake it checks for real, so that a copied
/// certificate without its key does not pass.
#[derive(Debug)]
struct Recorder {
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    leaf: Option<Certificate>,
    unreadable: bool,
    /// Why the chain leads to none of the roots.
    distrust: Option<String>,
    /// The peer holds the key.
    signed: bool,
}

impl Recorder {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Whether the chain leads to a root, with neither the name nor the date in the way: an expired certificate is judged
    /// as it was on its last day.
    fn chain(
        &self,
        der: &CertificateDer<'_>,
        leaf: Option<&Certificate>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), String> {
        if self.roots.is_empty() {
            return Err("no cluster certificate authority is known".into());
        }
        let second = |time: Option<jiff::Timestamp>| time.and_then(|t| u64::try_from(t.as_second()).ok());
        let first = leaf.and_then(|leaf| second(leaf.not_before.get())).unwrap_or(0);
        let last = leaf.and_then(|leaf| second(leaf.not_after.get())).unwrap_or(u64::MAX);
        let at = Duration::from_secs(now.as_secs().min(last).max(first));
        let parsed = ParsedCertificate::try_from(der).map_err(|e| e.to_string())?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let at = UnixTime::since_unix_epoch(at);
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, rest, at, algorithms).map_err(|e| {
            match e {
                Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                    "no authority of the cluster is in its chain".into()
                }
                e => e.to_string(),
            }
        })
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let leaf = certificate(end_entity);
        let distrust = self.chain(end_entity, leaf.as_ref(), intermediates, now).err();
        *self.seen() = Seen { unreadable: leaf.is_none(), leaf, distrust, signed: false };
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let valid = verify_tls12_signature(message, cert, dss, algorithms)?;
        self.seen().signed = true;
        Ok(valid)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let valid = verify_tls13_signature(message, cert, dss, algorithms)?;
        self.seen().signed = true;
        Ok(valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
