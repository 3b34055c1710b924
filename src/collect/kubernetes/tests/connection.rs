//! What the first request shows, and that nothing else is asked when there is nobody.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;

use super::*;

/// The fact, and the gap of every list.
async fn outcome(kubernetes: &Kubernetes) -> (ApiServer, Gap) {
    let server = kubernetes.api_server().await;
    let gap = kubernetes.list(&Pod::NEED).await.expect_err("nothing can be read");
    for need in [&Node::NEED, &HelmChart::NEED, &Version::NEED] {
        assert_eq!(kubernetes.list(need).await.err().as_ref(), Some(&gap), "it is one gap");
    }
    assert_eq!(kubernetes.cluster_ca().await.err().as_ref(), Some(&gap));
    assert_eq!(kubernetes.log_probe(&[], &[], &[]).await.err().as_ref(), Some(&gap));
    assert_eq!(gap.need, "kubernetes");
    assert!(gap.detail.starts_with(&*server.server), "{gap:?}");
    assert!(!gap.detail.contains("not-to-be-seen"));
    (server, gap)
}

async fn outcome_of(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> (ApiServer, Gap) {
    let server = Loopback::serve(answer).await;
    let found = outcome(&client(&server).await).await;
    assert!(server.targets().iter().all(|target| target == "/version"), "nothing else is asked");
    found
}

#[tokio::test]
async fn an_answer_names_the_version_and_is_asked_for_once() {
    let server = serve(|_| reply(404, "")).await;
    let kubernetes = client(&server).await;
    let (fact, again) = tokio::join!(kubernetes.api_server(), kubernetes.api_server());
    assert_eq!(fact, again);
    assert_eq!((&*fact.outcome, &*fact.detail), ("answered", "Kubernetes v1.35.5+k3s1"));
    assert_eq!(fact.addresses, ["127.0.0.1"]);
    assert_eq!(fact.port, server.address.port());
    let version = kubernetes.version().await.unwrap();
    assert_eq!(names::<Version>(&version), ["v1.35.5+k3s1"]);
    assert_eq!(server.targets(), ["/version"]);
}

#[tokio::test]
async fn what_is_served_is_asked_beside_the_first_request_and_each_once() {
    let answer = r#"{"kind": "APIGroupDiscoveryList", "items": []}"#;
    let server = serve(move |_| reply(200, answer)).await;
    let kubernetes = client(&server).await;
    tokio::join!(kubernetes.discover(), kubernetes.api_server(), kubernetes.discover());
    kubernetes.list(&Gateway::NEED).await.unwrap();
    let mut asked = server.targets();
    asked.sort();
    assert_eq!(asked, ["/apis", "/version"]);
}

#[tokio::test]
async fn where_there_is_nobody_to_ask_what_is_served_is_not_waited_for() {
    let server = Loopback::serve(|target| match target {
        "/version" => status(401, "Unauthorized", "Unauthorized"),
        _ => Reply::Silence,
    });
    let kubernetes = client(&server.await).await;
    let begun = Instant::now();
    kubernetes.discover().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "it waits for the list of groups");
    assert!(!kubernetes.api_server().await.answered());
}

#[tokio::test]
async fn a_refused_port() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let kubernetes =
        client_of(&format!("https://{address}"), "", "token: x", &[], Duration::from_secs(5)).await;
    let (server, gap) = outcome(&kubernetes).await;
    assert_eq!((&*server.outcome, gap.why), ("refused", Why::Unreachable));
    assert_eq!(server.detail, "the connection was refused");
}

#[tokio::test]
async fn a_silent_server_ends_at_the_deadline() {
    let server = Loopback::serve(|_| Reply::Silence).await;
    let url = format!("http://{}", server.address);
    let kubernetes = client_of(&url, "", "token: x", &[], Duration::from_secs(3)).await;
    let begun = Instant::now();
    let (fact, gap) = outcome(&kubernetes).await;
    assert!(begun.elapsed() < Duration::from_secs(20), "it waits for the server, not for the deadline");
    assert_eq!((&*fact.outcome, gap.why), ("timed-out", Why::TimedOut));
    assert_eq!(server.targets().len(), 1);
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_told_from_a_port_that_takes_nobody() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let authority = trust(&Authority::new().pem());
    let kubernetes = client_of(&url, &authority, "token: x", &[], Duration::from_secs(3)).await;
    let (fact, gap) = outcome(&kubernetes).await;
    assert_eq!((&*fact.outcome, gap.why), ("timed-out", Why::TimedOut));
    assert_eq!(fact.detail, "takes connections and does not finish the TLS handshake within 1.2 s");
}

#[tokio::test]
async fn too_little_time_says_nothing_of_the_server() {
    let server = Loopback::serve(|_| Reply::Silence).await;
    let url = format!("http://{}", server.address);
    let kubernetes = client_of(&url, "", "token: x", &[], Duration::from_millis(20)).await;
    let (fact, gap) = outcome(&kubernetes).await;
    assert_eq!((&*fact.outcome, gap.why), ("not-asked", Why::TimedOut));
    assert!(gap.detail.contains("--timeout"), "{}", gap.detail);
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    // Too long for a label: it is refused before anybody is asked.
    let url = format!("https://{}.test:6443", "a".repeat(64));
    let kubernetes = client_of(&url, "", "token: x", &[], Duration::from_secs(5)).await;
    let (server, gap) = outcome(&kubernetes).await;
    assert_eq!((&*server.outcome, gap.why), ("unresolved", Why::Unreachable));
    assert!(server.detail.contains("does not resolve"), "{}", server.detail);
}

#[tokio::test]
async fn answers_that_are_not_the_hoped_for_one() {
    let html = "<html><head><title>502 Bad Gateway</title></head></html>";
    let (server, gap) = outcome_of(move |_| reply_with(502, "content-type: text/html\r\n", html)).await;
    assert_eq!((&*server.outcome, gap.why), ("failing", Why::Unreachable));
    assert!(server.detail.contains("HTML (\"502 Bad Gateway\") and not JSON"), "{}", server.detail);
    let (server, gap) = outcome_of(|_| status(401, "Unauthorized", "Unauthorized")).await;
    assert_eq!((&*server.outcome, gap.why), ("unauthorized", Why::Forbidden));
    let (server, _) = outcome_of(|_| reply(200, "<html>Welcome</html>")).await;
    assert_eq!(
        (&*server.outcome, &*server.detail),
        (
            "not-kubernetes",
            "GET /version was answered with HTML (\"Welcome\") and not JSON: a proxy or login page in between?"
        )
    );
    let (server, _) = outcome_of(|_| reply(200, r#"{"version":"3","secret":"not-to-be-seen"}"#)).await;
    assert_eq!((&*server.outcome, server.detail.contains("gitVersion")), ("not-kubernetes", true));
    let (server, _) = outcome_of(|_| reply_with(302, "location: /login\r\n", "")).await;
    assert_eq!(server.outcome, "not-kubernetes");
    let no_gzip = "content-encoding: GZIP\r\n";
    let (server, _) = outcome_of(move |_| reply_with(200, no_gzip, r#"{"gitVersion":"v1.35.4"}"#)).await;
    assert_eq!(
        (&*server.outcome, &*server.detail),
        ("not-kubernetes", "its answer says that it is gzip, and is not")
    );
    let (server, _) = outcome_of(|_| Reply::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n".into())).await;
    assert_eq!(server.outcome, "not-kubernetes");
    let (server, gap) = outcome_of(|_| Reply::Cut).await;
    assert_eq!((&*server.outcome, gap.why), ("unreachable", Why::Unreachable));
}

#[tokio::test]
async fn forbidden_is_an_answer() {
    let server = Loopback::serve(|target| match target {
        "/version" => status(403, "Forbidden", "forbidden: User \"x\" cannot get path \"/version\""),
        _ => list(&["a"], ""),
    })
    .await;
    let kubernetes = client(&server).await;
    assert!(kubernetes.api_server().await.answered());
    assert_eq!(names::<Pod>(&kubernetes.list(&Pod::NEED).await.unwrap()), ["a"]);
    let gap = kubernetes.version().await.err().unwrap();
    assert_eq!((&*gap.need, gap.why), ("version", Why::Forbidden));
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "k3s-server-ca");
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn sign(&self, years: (i32, i32)) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.subject_alt_names = vec![SanType::IpAddress("127.0.0.1".parse().unwrap())];
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate, key)
    }

    fn server(&self, asks_for_client: bool) -> rustls::ServerConfig {
        let (certificate, key) = self.sign((2020, 4000));
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if asks_for_client {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        builder.with_single_cert(vec![certificate.der().clone()], key).unwrap()
    }
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn trust(pem: &str) -> String {
    format!(", certificate-authority-data: {}", base64(pem))
}

async fn tls_outcome(
    asks: bool,
    of: &Authority,
    trusted: &str,
    user: &str,
    answer: fn(&str) -> Reply,
) -> ApiServer {
    let server = Loopback::serve_tls(of.server(asks), answer).await;
    let url = format!("https://{}", server.address);
    client_of(&url, trusted, user, &[], Duration::from_secs(10)).await.api_server().await
}

#[tokio::test]
async fn certificates() {
    let (ours, other) = (Authority::new(), Authority::new());
    let answers: fn(&str) -> Reply = |_| reply(200, VERSION);
    let server = tls_outcome(false, &ours, &trust(&ours.pem()), "token: x", answers).await;
    assert_eq!(server.outcome, "answered", "{}", server.detail);
    let server = tls_outcome(false, &ours, &trust(&other.pem()), "token: x", answers).await;
    assert_eq!(server.outcome, "tls", "{}", server.detail);
    assert!(server.detail.contains("certificate"), "{}", server.detail);
    let server = tls_outcome(false, &ours, ", insecure-skip-tls-verify: true", "token: x", answers).await;
    assert_eq!(server.outcome, "answered", "{}", server.detail);

    let user = |(certificate, key): (rcgen::Certificate, KeyPair)| {
        let (certificate, key) = (base64(&certificate.pem()), base64(&key.serialize_pem()));
        format!("client-certificate-data: {certificate}, client-key-data: {key}")
    };
    let expired = user(ours.sign((2020, 2021)));
    let server = tls_outcome(true, &ours, &trust(&ours.pem()), &expired, answers).await;
    assert_eq!(server.outcome, "client-certificate-expired", "{}", server.detail);
    assert_eq!(server.client_not_after.get().unwrap().to_string(), "2021-01-01T00:00:00Z");
    // Kubernetes lets the handshake pass, and says 401.
    let refuses: fn(&str) -> Reply = |_| status(401, "Unauthorized", "Unauthorized");
    let server = tls_outcome(false, &ours, &trust(&ours.pem()), &expired, refuses).await;
    assert_eq!(server.outcome, "client-certificate-expired", "{}", server.detail);
    let foreign = user(other.sign((2020, 4000)));
    let server = tls_outcome(true, &ours, &trust(&ours.pem()), &foreign, answers).await;
    assert_eq!(server.outcome, "unauthorized", "{}", server.detail);
    let good = user(ours.sign((2020, 4000)));
    let server = tls_outcome(true, &ours, &trust(&ours.pem()), &good, answers).await;
    assert_eq!(server.outcome, "answered", "{}", server.detail);
}

#[tokio::test]
async fn https_asked_of_a_server_without_tls() {
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
            std::mem::forget(stream);
        }
    });
    let authority = trust(&Authority::new().pem());
    let kubernetes =
        client_of(&format!("https://{address}"), &authority, "token: x", &[], Duration::from_secs(5)).await;
    let (server, _) = outcome(&kubernetes).await;
    assert_eq!(server.outcome, "not-kubernetes", "{}", server.detail);
}

#[tokio::test]
async fn through_a_proxy_nothing_else_is_dialled() {
    let proxy = Loopback::serve(|_| reply(403, "no")).await;
    let variable = format!("http://jane:hidden@{}", proxy.address);
    let authority = trust(&Authority::new().pem());
    let vars = [("HTTPS_PROXY", variable.as_str()), ("NO_PROXY", "127.0.0.1")];
    let kubernetes =
        client_of("https://10.9.9.9:6443", &authority, "token: x", &vars, Duration::from_secs(5)).await;
    let (server, gap) = outcome(&kubernetes).await;
    assert_eq!(server.outcome, "unreachable", "{}", server.detail);
    assert!(
        gap.detail.contains("through the proxy http://127.0.0.1") && !gap.detail.contains("hidden"),
        "{}",
        gap.detail
    );
    assert!(
        proxy.heads().iter().all(|head| head.starts_with("CONNECT 10.9.9.9:6443 ")),
        "{:?}",
        proxy.heads()
    );
    assert!(proxy.connections() > 0);
}
