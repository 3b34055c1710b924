mod hostile;
mod short_of_time;

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use kairos_doctor_checks::facts::kubernetes::NodeAddress;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::sample::targets;
use super::*;

struct Authority {
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().clone();
        Authority { root, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, params: &CertificateParams) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().der().clone(), key)
    }
}

/// A kubelet's certificate as k3s makes it.
fn params(node: &str, addresses: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, node);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names = vec![SanType::DnsName(node.try_into().unwrap())];
    params.subject_alt_names.extend(addresses.iter().map(|a| SanType::IpAddress(a.parse().unwrap())));
    params
}

#[derive(Debug)]
struct Fixed(Arc<CertifiedKey>);

impl ResolvesServerCert for Fixed {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        assert_eq!(hello.server_name(), None, "an address is no server name");
        Some(self.0.clone())
    }
}

type Chain = Vec<CertificateDer<'static>>;

/// A server configuration that does not ask whether key and certificate belong together.
fn config(chain: Chain, key: &KeyPair, client_ca: Option<&Authority>, old: bool) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = if old { [&TLS12] } else { [&TLS13] };
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&versions).unwrap();
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(ca.root.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let der = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = CertifiedKey::new(chain, provider.key_provider.load_private_key(der).unwrap());
    builder.with_cert_resolver(Arc::new(Fixed(Arc::new(key))))
}

/// How the server saw the last connection end.
const WAITING: u8 = 0;
const CLEAN: u8 = 1;
const BROKEN: u8 = 2;

async fn listen(address: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Serves like a kubelet: the handshake, then nothing until the client closes; notes what it received.
async fn kubelet(address: &str, config: ServerConfig) -> (u16, Arc<AtomicU8>) {
    let (listener, port) = listen(address).await;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let end = Arc::new(AtomicU8::new(WAITING));
    let noted = end.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let clean = match acceptor.accept(stream).await {
                Ok(mut stream) => matches!(stream.read(&mut [0; 64]).await, Ok(0)),
                Err(_) => false,
            };
            noted.store(if clean { CLEAN } else { BROKEN }, Relaxed);
        }
    });
    (port, end)
}

/// Serves raw bytes, and what it does is up to `peer`.
async fn raw<F: Future<Output = ()> + Send>(
    address: &str,
    peer: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) -> u16 {
    let (listener, port) = listen(address).await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            peer(stream).await;
        }
    });
    port
}

fn node(name: &str, port: u16, addresses: &[(&str, &str)]) -> Node {
    let mut node = Node::default();
    node.metadata.name = name.into();
    node.status.daemon_endpoints.kubelet_endpoint.port = port;
    node.status.addresses = addresses
        .iter()
        .map(|(kind, address)| NodeAddress { r#type: (*kind).into(), address: (*address).into() })
        .collect();
    node
}

fn internal(address: &str, port: u16) -> Node {
    node("worker-1", port, &[("Hostname", "worker-1"), ("InternalIP", address)])
}

async fn shakes(nodes: &[Node], roots: &[CertificateDer<'static>], millis: u64) -> Vec<Kubelet> {
    let deadline = Deadline::after(Duration::from_millis(millis));
    let part = shake_hands(nodes, roots, deadline, |_| ()).await;
    part.downcast_ref::<Vec<Kubelet>>().unwrap().clone()
}

async fn one(address: &str, port: u16, roots: &[CertificateDer<'static>]) -> Kubelet {
    shakes(&[internal(address, port)], roots, 2000).await.remove(0)
}

fn failure(item: &Kubelet) -> (&str, &str) {
    assert!(item.certificate.is_none() && !item.trusted);
    let failure = item.failure.as_ref().expect("a failure");
    (&failure.why, &failure.detail)
}

#[tokio::test]
async fn a_good_certificate_is_read_and_the_connection_closed_cleanly() {
    let ca = Authority::new("k3s-server-ca");
    let (leaf, key) = ca.sign(&params("worker-1", &["127.0.0.2", "::1"]));
    for old in [false, true] {
        let config = config(vec![leaf.clone(), ca.root.clone()], &key, None, old);
        let (port, end) = kubelet("127.0.0.2", config).await;
        let item = one("127.0.0.2", port, std::slice::from_ref(&ca.root)).await;
        assert_eq!(
            (&*item.node, &*item.address_type, &*item.address),
            ("worker-1", "InternalIP", "127.0.0.2")
        );
        assert!(item.trusted && item.distrust.is_empty() && item.failure.is_none(), "{item:?}");
        let shown = item.certificate.unwrap();
        assert_eq!((&*shown.subject, &*shown.issuer), ("worker-1", "k3s-server-ca"));
        assert_eq!(shown.ip_addresses, ["127.0.0.2", "::1"]);
        sleep(Duration::from_millis(50)).await;
        assert_eq!(end.load(Relaxed), CLEAN);
    }
}

#[tokio::test]
async fn neither_name_nor_date_takes_the_trust() {
    let ca = Authority::new("ca");
    let roots = [ca.root.clone()];
    let (leaf, key) = ca.sign(&params("worker-1", &["10.0.0.9"]));
    let (port, _) = kubelet("127.0.0.3", config(vec![leaf], &key, None, false)).await;
    let item = one("127.0.0.3", port, &roots).await;
    assert!(item.trusted, "{item:?}");
    assert_eq!(item.certificate.unwrap().ip_addresses, ["10.0.0.9"]);

    for (from, to) in [(2020, 2021), (2094, 2095)] {
        let mut dated = params("worker-1", &["127.0.0.3"]);
        (dated.not_before, dated.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let (leaf, key) = ca.sign(&dated);
        let (port, _) = kubelet("127.0.0.3", config(vec![leaf.clone()], &key, None, false)).await;
        let item = one("127.0.0.3", port, &roots).await;
        assert!(item.trusted, "{item:?}");
        let ends = item.certificate.unwrap().not_after.get().unwrap();
        assert_eq!(ends.to_string(), format!("{to}-01-01T00:00:00Z"));
        let other = Authority::new("ca");
        assert!(!one("127.0.0.3", port, &[other.root]).await.trusted, "an old date hides no foreign chain");
    }
}

#[tokio::test]
async fn another_authority_is_told_apart_from_none() {
    let (ca, other) = (Authority::new("ca"), Authority::new("ca"));
    let (leaf, key) = other.sign(&params("worker-1", &["127.0.0.4"]));
    let (port, _) = kubelet("127.0.0.4", config(vec![leaf, other.root.clone()], &key, None, false)).await;
    let item = one("127.0.0.4", port, std::slice::from_ref(&ca.root)).await;
    assert!(!item.trusted && item.certificate.is_some() && item.failure.is_none());
    assert!(item.distrust.contains("certificate"), "{}", item.distrust);
    let item = one("127.0.0.4", port, &[]).await;
    assert!(!item.trusted && item.certificate.is_some());
    assert_eq!(item.distrust, "no cluster certificate authority is known");

    let key = KeyPair::generate().unwrap();
    let own = params("worker-1", &["127.0.0.4"]).self_signed(&key).unwrap().der().clone();
    let (port, _) = kubelet("127.0.0.4", config(vec![own], &key, None, false)).await;
    let item = one("127.0.0.4", port, &[ca.root, other.root]).await;
    assert!(!item.trusted && item.certificate.is_some() && !item.distrust.is_empty());
}

#[tokio::test]
async fn an_intermediate_authority_is_followed() {
    let ca = Authority::new("ca");
    let mut between = CertificateParams::default();
    between.distinguished_name.push(DnType::CommonName, "between");
    between.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (middle, middle_key) = ca.sign(&between);
    let second = Authority { root: middle.clone(), issuer: Issuer::new(between, middle_key) };
    let (leaf, key) = second.sign(&params("worker-1", &[]));
    let (port, _) = kubelet("127.0.0.5", config(vec![leaf, middle], &key, None, false)).await;
    assert!(one("127.0.0.5", port, &[ca.root]).await.trusted);
}

#[tokio::test]
async fn a_copied_certificate_without_its_key_shows_nothing() {
    let ca = Authority::new("ca");
    let (leaf, _) = ca.sign(&params("worker-1", &["127.0.0.6"]));
    let key = KeyPair::generate().unwrap();
    for old in [false, true] {
        let (port, _) = kubelet("127.0.0.6", config(vec![leaf.clone()], &key, None, old)).await;
        let item = one("127.0.0.6", port, std::slice::from_ref(&ca.root)).await;
        let detail = format!("127.0.0.6:{port} shows a certificate without holding its key");
        assert_eq!(failure(&item), ("malformed", &*detail));
    }
}

#[tokio::test]
async fn a_kubelet_that_wants_a_client_certificate_has_shown_its_own() {
    let ca = Authority::new("ca");
    let (leaf, key) = ca.sign(&params("worker-1", &["127.0.0.7"]));
    for old in [false, true] {
        let (port, _) = kubelet("127.0.0.7", config(vec![leaf.clone()], &key, Some(&ca), old)).await;
        let item = one("127.0.0.7", port, std::slice::from_ref(&ca.root)).await;
        assert!(item.trusted && item.certificate.is_some() && item.failure.is_none(), "{item:?}");
    }
}

#[tokio::test]
async fn peers_that_are_no_kubelets() {
    let ca = [Authority::new("ca").root];
    let port = raw("127.0.0.8", async |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        sleep(Duration::from_millis(20)).await;
    })
    .await;
    let item = one("127.0.0.8", port, &ca).await;
    assert_eq!(failure(&item), ("malformed", &*format!("127.0.0.8:{port} does not speak TLS")));

    let port = raw("127.0.0.8", async |mut stream| {
        let _ = stream.read(&mut [0; 4096]).await;
    })
    .await;
    let item = one("127.0.0.8", port, &ca).await;
    let detail = format!("127.0.0.8:{port} closed the connection during the handshake");
    assert_eq!(failure(&item), ("unreachable", &*detail));

    let (listener, port) = listen("127.0.0.8").await;
    drop(listener);
    let item = one("127.0.0.8", port, &ca).await;
    assert_eq!(failure(&item), ("unreachable", &*format!("127.0.0.8:{port} refuses the connection")));
}

#[tokio::test]
async fn slow_and_silent_peers_end_with_the_deadline() {
    let silent = raw("127.0.0.9", async |stream| {
        tokio::spawn(async move {
            let _stream = stream;
            std::future::pending::<()>().await;
        });
    })
    .await;
    let slow = raw("127.0.0.9", async |mut stream| {
        // The beginning of a record of 16 KiB, and then a byte at a time.
        tokio::spawn(async move {
            for byte in [0x16, 0x03, 0x03, 0x40, 0x00].into_iter().chain(std::iter::repeat(2)) {
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
                sleep(Duration::from_millis(50)).await;
            }
        });
    })
    .await;
    let nodes =
        [node("a", silent, &[("InternalIP", "127.0.0.9")]), node("b", slow, &[("InternalIP", "127.0.0.9")])];
    let began = Instant::now();
    for item in shakes(&nodes, &[], 400).await {
        let (why, detail) = failure(&item);
        assert_eq!(why, "timed-out");
        let says = "accepted the connection and did not finish the handshake in the time left";
        assert!(detail.ends_with(says), "{detail}");
    }
    assert!(began.elapsed() < Duration::from_millis(1500));
    assert!(shakes(&nodes, &[], 0).await.is_empty(), "nobody is dialled when the time is up");
}

#[tokio::test]
async fn addresses_that_are_dialled() {
    let addresses = [
        ("ExternalIP", "127.0.0.11"),
        ("InternalIP", "127.0.0.10"),
        ("InternalIP", "127.0.0.12"),
        ("Hostname", "127.0.0.13"),
        ("ExternalIP", "127.0.0.14"),
    ];
    let dialled = |node: &Node| -> Vec<String> {
        targets(node).iter().map(|t| format!("{} {}:{}", t.address_type, t.address, t.port)).collect()
    };
    let both = ["InternalIP 127.0.0.10:10250", "ExternalIP 127.0.0.11:10250"];
    assert_eq!(dialled(&node("a", 0, &addresses)), both);
    let same = node("a", 7, &[("InternalIP", "127.0.0.1"), ("ExternalIP", "127.0.0.1")]);
    assert_eq!(dialled(&same), ["InternalIP 127.0.0.1:7"]);
    assert_eq!(dialled(&node("a", 1, &[("ExternalIP", "::1")])), ["ExternalIP ::1:1"]);
    assert!(dialled(&node("a", 1, &[("Hostname", "a")])).is_empty());

    for wrong in ["worker-1", "0.0.0.0", "::", "224.0.0.1", "ff02::1"] {
        let item = one(wrong, 1, &[]).await;
        let says = format!("`{wrong}` is not the address of one machine");
        assert_eq!(failure(&item), ("malformed", &*says));
    }
}

#[tokio::test]
async fn many_nodes_are_met_and_counted() {
    let ca = Authority::new("ca");
    let (leaf, key) = ca.sign(&params("worker", &[]));
    let (port, _) = kubelet("127.0.0.1", config(vec![leaf], &key, None, false)).await;
    let nodes: Vec<Node> =
        (0..100).map(|n| node(&format!("n{n}"), port, &[("InternalIP", "127.0.0.1")])).collect();
    let (calls, last) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let deadline = Deadline::after(Duration::from_secs(20));
    let part = shake_hands(&nodes, std::slice::from_ref(&ca.root), deadline, |done| {
        calls.fetch_add(1, Relaxed);
        last.store(done, Relaxed);
    })
    .await;
    let items = part.downcast_ref::<Vec<Kubelet>>().unwrap();
    assert_eq!((items.len(), calls.load(Relaxed), last.load(Relaxed)), (100, 100, 100));
    assert!(items.iter().all(|item| item.trusted && item.failure.is_none()), "{:?}", items[0]);
}

#[tokio::test]
async fn ipv6_is_written_with_brackets() {
    // An IPv4 address in IPv6's clothes, so that the test stays in 127.0.0.0/8.
    let (listener, port) = listen("127.0.0.15").await;
    drop(listener);
    let item = one("::ffff:127.0.0.15", port, &[]).await;
    assert_eq!(failure(&item).1, format!("[::ffff:127.0.0.15]:{port} refuses the connection"));
}

#[test]
fn it_can_run_as_a_task_of_its_own() {
    fn sendable<T: Send>(_: T) {}
    sendable(shake_hands(&[], &[], Deadline::after(ONE), |_| ()));
}
