use std::time::Instant;

use kairos_doctor_checks::facts::Kind;
use kairos_doctor_checks::facts::hetzner::{LoadBalancer, Location, Network, Server};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use super::fake::Fake;
use super::fake::Reply::{self, Close, Endless, Send, Silent};
use super::*;

const TOKEN: &str = "sesame-sesame-sesame";

fn json(body: impl Into<String>) -> Reply {
    Send("200 OK".into(), vec![], body.into())
}

fn status(status: &str, body: &str) -> Reply {
    Send(status.into(), vec![], body.into())
}

fn page(names: &[&str], next: Option<u32>) -> String {
    let servers: Vec<_> = names.iter().map(|n| serde_json::json!({"id": 1, "name": n})).collect();
    serde_json::json!({"servers": servers, "meta": {"pagination": {"next_page": next}}}).to_string()
}

fn access(endpoint: String) -> Access {
    Access { token: SecretString::from(TOKEN), endpoint, context: None, notes: vec![] }
}

fn reader(fake: &Fake) -> Hetzner {
    Hetzner::new(&access(format!("http://{}/v1", fake.address)), soon()).unwrap()
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

async fn servers(fake: &Fake) -> Known<Vec<String>> {
    let part = reader(fake).list(&Server::NEED, soon(), &Meter::default()).await?;
    Ok(part.downcast_ref::<Vec<Server>>().unwrap().iter().map(|s| s.name.to_string()).collect())
}

#[tokio::test]
async fn every_page_is_read_once() {
    let fake = Fake::start(|n, _| match n {
        1 => json(page(&["c", "a"], Some(2))),
        2 => json(page(&["b"], Some(3))),
        _ => json(page(&["d"], None)),
    })
    .await;
    let meter = Meter::default();
    let part = reader(&fake).list(&Server::NEED, soon(), &meter).await.unwrap();
    assert_eq!(Server::NEED.len(&part), 4);
    let asked: Vec<String> = (1..=3).map(|n| format!("GET /v1/servers?page={n}&per_page=50")).collect();
    assert_eq!(meter.log(), asked);
    assert!(meter.total_bytes() > 100);
    let heads = fake.heads();
    assert_eq!(heads.len(), 3);
    for head in heads {
        assert!(head.contains(&format!("authorization: Bearer {TOKEN}\r\n")), "{head}");
        assert!(head.contains(concat!("user-agent: kairos-doctor/", env!("CARGO_PKG_VERSION"))), "{head}");
    }
}

#[tokio::test]
async fn pages_that_lead_nowhere_are_refused() {
    for next in [0, 1] {
        let fake = Fake::start(move |_, _| json(page(&["a"], Some(next)))).await;
        let gap = servers(&fake).await.unwrap_err();
        assert_eq!((&*gap.need, gap.why), ("hcloud.servers", Why::Malformed));
        assert_eq!(
            gap.detail,
            format!("the pages of the Hetzner API lead nowhere: page 1 names page {next} as the next one")
                .as_str()
        );
        assert_eq!(fake.heads().len(), 1);
    }
    let fake = Fake::start(|n, _| json(page(&[&n.to_string()], Some(n as u32 + 1)))).await;
    let gap = servers(&fake).await.unwrap_err();
    assert_eq!((gap.why, &*gap.detail), (Why::NotRead, "there are more than 200 pages of 50"));
    assert_eq!(fake.heads().len(), 200);
}

/// Two pages of `names`, which say how many there are.
fn paged(number: usize, names: &[&str], total: usize) -> Reply {
    let shown = if number == 1 { &names[..2] } else { &names[2..] };
    let mut page: serde_json::Value = serde_json::from_str(&page(shown, (number == 1).then_some(2))).unwrap();
    page["meta"]["pagination"]["total_entries"] = total.into();
    json(page.to_string())
}

#[tokio::test]
async fn a_list_that_changes_while_it_is_read_is_begun_anew() {
    let number = |head: &str| if head.contains("page=2") { 2 } else { 1 };
    // `d` moves to the first page after that was read, and `b` to the second one.
    let fake = Fake::start(move |n, head| {
        let order = if n == 2 { ["d", "a", "b", "c"] } else { ["a", "b", "c", "d"] };
        paged(number(head), &order, 4)
    })
    .await;
    assert_eq!(servers(&fake).await.unwrap(), ["a", "b", "c", "d"]);
    assert_eq!(fake.heads().len(), 4);

    // One is deleted: nothing is twice, and `c` is nowhere.
    let fake = Fake::start(move |n, head| match n {
        1 => paged(1, &["a", "b", "c", "d"], 4),
        2 => paged(2, &["b", "c", "d"], 3),
        _ => paged(number(head), &["b", "c", "d"], 3),
    })
    .await;
    assert_eq!(servers(&fake).await.unwrap(), ["b", "c", "d"]);

    let fake = Fake::start(move |n, head| paged(number(head), &["a", "b", "c", "d"], n)).await;
    let gap = servers(&fake).await.unwrap_err();
    assert_eq!((&*gap.need, gap.why), ("hcloud.servers", Why::Changed));
    assert!(gap.detail.starts_with("the list changed while it was being read, 3 times in a row"));
    assert_eq!(fake.heads().len(), 6);
}

#[tokio::test]
async fn a_refused_token_is_one_gap_for_all_of_hetzner() {
    let body = r#"{"error":{"code":"unauthorized","message":"unable to authenticate","details":null}}"#;
    let fake = Fake::start(move |_, _| status("401 Unauthorized", body)).await;
    let hetzner = reader(&fake);
    let mut gaps = Vec::new();
    for need in [&Server::NEED, &LoadBalancer::NEED, &Network::NEED, &Location::NEED] {
        gaps.push(hetzner.list(need, soon(), &Meter::default()).await.unwrap_err());
    }
    gaps.dedup();
    assert_eq!(gaps.len(), 1);
    assert_eq!((&*gaps[0].need, gaps[0].why), ("hcloud", Why::Forbidden));
    assert_eq!(gaps[0].detail, "the Hetzner API refuses the token (unauthorized): unable to authenticate");
    assert_eq!(fake.heads().len(), 4, "a refusal is not tried again");
}

#[tokio::test]
async fn a_pause_that_is_too_long_is_not_waited_for() {
    let body = r#"{"error":{"code":"rate_limit_exceeded","message":"limit of 3600 reached"}}"#;
    let pause = |seconds: &str| vec![("retry-after", seconds.to_string())];
    let fake =
        Fake::start(move |_, _| Send("429 Too Many Requests".into(), pause("99999999"), body.into())).await;
    let began = Instant::now();
    let gap = servers(&fake).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!((&*gap.need, gap.why), ("hcloud", Why::RateLimited));
    assert!(gap.detail.contains("limit of 3600 reached"), "{}", gap.detail);
    assert!(gap.detail.ends_with("it asks for a pause of more than a year"), "{}", gap.detail);
    assert_eq!(fake.heads().len(), 1);

    let fake = Fake::start(move |n, _| match n {
        1 => Send("429 Too Many Requests".into(), pause("0"), body.into()),
        _ => json(page(&["a"], None)),
    })
    .await;
    assert_eq!(servers(&fake).await.unwrap(), ["a"]);
}

#[tokio::test]
async fn a_gateway_in_trouble_is_asked_three_times() {
    let html = format!("<html>\n<body><h1>Bad\tGateway</h1> {TOKEN} {}</body>", "x".repeat(5000));
    let fake = Fake::start(move |_, _| status("502 Bad Gateway", &html)).await;
    let gap = servers(&fake).await.unwrap_err();
    assert_eq!((&*gap.need, gap.why), ("hcloud", Why::Unreachable));
    let words = "502 (a proxy in between gets no proper answer from the server): HTML (\"Bad Gateway";
    assert!(gap.detail.starts_with(&format!("the Hetzner API answers {words}")), "{}", gap.detail);
    assert!(gap.detail.len() < 300 && !gap.detail.contains(TOKEN), "{}", gap.detail);
    assert_eq!(fake.heads().len(), 3);
}

#[tokio::test]
async fn once_something_was_answered_a_failure_is_that_list_alone() {
    let fake = Fake::start(|_, head| match head.contains("/servers") {
        true => json(page(&["a"], None)),
        false => status("500 Internal Server Error", ""),
    })
    .await;
    let hetzner = reader(&fake);
    hetzner.list(&Server::NEED, soon(), &Meter::default()).await.unwrap();
    let gap = hetzner.list(&Network::NEED, soon(), &Meter::default()).await.unwrap_err();
    assert_eq!((&*gap.need, gap.why), ("hcloud.networks", Why::Unreachable));
    assert_eq!(gap.detail, "the Hetzner API answers 500 (the server failed inside), without a body");
}

#[tokio::test]
async fn other_refusals_say_what_the_api_said() {
    let body = r#"{"error":{"code":"deprecated_api_endpoint","message":"it is gone","details":{"a":1}}}"#;
    let fake = Fake::start(move |_, _| status("410 Gone", body)).await;
    let gap = servers(&fake).await.unwrap_err();
    assert_eq!((&*gap.need, gap.why), ("hcloud.servers", Why::Malformed));
    assert_eq!(gap.detail, "the Hetzner API answers 410 (it is gone): it is gone (deprecated_api_endpoint)");

    let elsewhere = || vec![("location", "http://127.0.0.1:1/elsewhere".to_string())];
    let fake = Fake::start(move |_, _| Send("302 Found".into(), elsewhere(), String::new())).await;
    let gap = servers(&fake).await.unwrap_err();
    assert_eq!(gap.detail, "the Hetzner API answers 302 Found; no redirect is followed");
    assert_eq!(fake.heads().len(), 1);
}

#[tokio::test]
async fn wrong_json_is_malformed() {
    for (body, says) in [
        (r#"{"servers": [{"id": "#, "JSON that ends in the middle"),
        (r#"{"server": []}"#, "no `servers`"),
        (r#"{"servers": {"a": 1}}"#, "invalid type"),
        ("<html>welcome to the guest network</html>", "welcome to the guest network"),
        ("", "answers with nothing"),
    ] {
        let fake = Fake::start(move |_, _| json(body)).await;
        let gap = servers(&fake).await.unwrap_err();
        assert_eq!((&*gap.need, gap.why), ("hcloud.servers", Why::Malformed), "{body}");
        assert!(gap.detail.contains(says), "{}", gap.detail);
    }
}

#[tokio::test]
async fn an_endless_body_is_cut() {
    let fake = Fake::start(|_, _| Endless).await;
    let hetzner = reader(&fake);
    let deadline = Deadline::after(Duration::from_secs(30));
    let gap = hetzner.list(&Server::NEED, deadline, &Meter::default()).await.unwrap_err();
    assert_eq!(
        (gap.why, &*gap.detail),
        (Why::Malformed, "the Hetzner API does not end its answer: it is longer than 16 MiB")
    );
}

#[tokio::test]
async fn a_silent_peer_ends_with_the_deadline() {
    let fake = Fake::start(|_, _| Silent).await;
    let (hetzner, meter) = (reader(&fake), Meter::default());
    let began = Instant::now();
    let deadline = Deadline::after(Duration::from_millis(150));
    let gap = hetzner.list(&Server::NEED, deadline, &meter).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!((&*gap.need, gap.why), ("hcloud", Why::TimedOut));
    let says = format!("http://{} gave no answer within 75 ms", fake.address);
    assert_eq!(gap.detail, says.as_str(), "others have the rest of the time");
    let gap = hetzner.list(&Network::NEED, deadline, &meter).await.unwrap_err();
    assert_eq!((&*gap.need, gap.why), ("hcloud", Why::TimedOut));
    let asked = meter.log().len();
    hetzner.list(&Location::NEED, deadline, &meter).await.unwrap_err();
    assert_eq!(meter.log().len(), asked, "without time nothing is asked");
}

#[tokio::test]
async fn a_broken_connection_is_tried_again_and_a_refused_one_is_not() {
    let fake = Fake::start(|n, _| if n < 3 { Close } else { json(page(&["a"], None)) }).await;
    assert_eq!(servers(&fake).await.unwrap(), ["a"]);
    let fake = Fake::start(|_, _| Close).await;
    let gap = servers(&fake).await.unwrap_err();
    assert_eq!((&*gap.need, gap.why), ("hcloud", Why::Unreachable));
    assert!(gap.detail.contains("broke the connection off: "), "{}", gap.detail);
    assert_eq!(fake.heads().len(), 3);

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = Fake { address: free, heads: Arc::default() };
    let gap = servers(&gone).await.unwrap_err();
    assert_eq!((&*gap.need, gap.why), ("hcloud", Why::Unreachable));
    assert!(gap.detail.contains("cannot be reached: Connection refused"), "{}", gap.detail);
}

#[tokio::test]
async fn little_that_remains_is_left_to_the_controllers() {
    let rate = |remaining: u32, limit: u32| {
        vec![("RateLimit-Limit", limit.to_string()), ("RateLimit-Remaining", remaining.to_string())]
    };
    for (remaining, limit, enough) in [(359, 3600, false), (99, 500, false), (360, 3600, true)] {
        let fake = Fake::start(move |n, _| {
            let next = (n == 1).then_some(2);
            Send("200 OK".into(), rate(remaining, limit), page(&["a"], next))
        })
        .await;
        let read = servers(&fake).await;
        assert_eq!(read.is_ok(), enough, "{remaining} of {limit}");
        if let Err(gap) = read {
            assert_eq!((&*gap.need, gap.why), ("hcloud.servers", Why::RateLimited));
            let says = format!("stopped after page 1: {remaining} of {limit} requests are left");
            assert!(gap.detail.starts_with(&says), "{}", gap.detail);
        }
    }
    let fake = Fake::start(move |_, _| Send("200 OK".into(), rate(1, 3600), page(&["a"], None))).await;
    assert_eq!(servers(&fake).await.unwrap(), ["a"], "the last page is complete");
}

#[tokio::test]
async fn the_server_must_prove_itself() {
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["127.0.0.1".to_string()]).unwrap().self_signed(&key).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let fake = Fake::start_tls(Some(acceptor), |_, _| json(page(&["a"], None))).await;
    let access = access(format!("https://{}/v1", fake.address));
    let mut roots = RootCertStore::empty();
    for trusted in [false, true] {
        if trusted {
            roots.add(own.der().clone()).unwrap();
        }
        let hetzner = Hetzner::build(&access, roots.clone(), Client::builder().no_proxy(), soon()).unwrap();
        match hetzner.list(&Server::NEED, soon(), &Meter::default()).await {
            Ok(part) => assert!(trusted && Server::NEED.len(&part) == 1),
            Err(gap) => {
                assert!(!trusted, "{gap:?}");
                assert_eq!((&*gap.need, gap.why), ("hcloud", Why::Unreachable));
                assert!(gap.detail.contains("certificate"), "{}", gap.detail);
            }
        }
    }
    assert_eq!(fake.heads().len(), 1, "a token goes to no server that is not trusted");
}

#[test]
fn a_token_never_goes_out_in_the_clear() {
    let gap = Hetzner::new(&access("http://192.0.2.1/v1".into()), soon()).err().unwrap();
    assert_eq!(gap.detail, "the Hetzner endpoint would send the token in the clear");
}

#[test]
fn it_can_run_as_a_task_of_its_own() {
    fn sendable<T: std::marker::Send>(_: T) {}
    let hetzner = Hetzner::new(&access("http://127.0.0.1:1/v1".into()), soon()).unwrap();
    sendable(hetzner.list(&Server::NEED, soon(), &Meter::default()));
}

/// What a process with that environment, and nothing else in it, says when it lists the servers of `endpoint`.
async fn in_environment(endpoint: &str, vars: &[(&str, &str)]) -> String {
    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "collect::hetzner::tests::child", "--nocapture"])
        .env_clear()
        .env("TEST_ENDPOINT", endpoint)
        .envs(vars.iter().copied())
        .output()
        .await
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The other half of [`in_environment`]; by itself it does nothing.
#[tokio::test]
async fn child() {
    let Ok(endpoint) = std::env::var("TEST_ENDPOINT") else { return };
    let gap = match Hetzner::new(&access(endpoint), soon()) {
        Ok(hetzner) => hetzner.list(&Server::NEED, soon(), &Meter::default()).await.err(),
        Err(gap) => Some(gap),
    };
    println!("{}", gap.unwrap().detail);
}

#[tokio::test]
async fn a_machine_without_certificate_authorities_says_so() {
    let vars = [("SSL_CERT_FILE", "/nowhere/roots.pem")];
    let said = in_environment("https://127.0.0.1:1/v1", &vars).await;
    let says = "this machine has no certificate authorities to verify https://127.0.0.1:1/v1 with: ";
    assert!(said.contains(says) && said.contains("/nowhere/roots.pem"), "{said}");
}

#[tokio::test]
async fn the_proxy_of_the_environment_is_used_and_its_exceptions_too() {
    let root =
        CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap().pem().into_bytes();
    let path = std::env::temp_dir().join(format!("kairos-doctor-{}-roots.pem", std::process::id()));
    std::fs::write(&path, root).unwrap();
    let proxy = Fake::start(|_, _| status("403 Forbidden", "not from here")).await;
    let url = format!("http://{}", proxy.address);
    let mut vars = vec![("SSL_CERT_FILE", path.to_str().unwrap()), ("HTTPS_PROXY", url.as_str())];
    let said = in_environment("https://127.0.0.1:1/v1", &vars).await;
    let heads = proxy.heads();
    assert!(heads.len() == 1 && heads[0].starts_with("CONNECT 127.0.0.1:1 "), "{heads:?} {said}");
    assert!(!heads[0].contains(TOKEN), "the proxy never sees the token");
    assert!(said.contains("https://127.0.0.1:1 cannot be reached: "), "{said}");
    assert!(said.contains(" (HTTPS_PROXY is set)"), "{said}");

    vars.push(("NO_PROXY", "127.0.0.0/8"));
    let said = in_environment("https://127.0.0.1:1/v1", &vars).await;
    assert!(said.contains("Connection refused"), "{said}");
    assert_eq!(proxy.heads().len(), 1);
    std::fs::remove_file(path).unwrap();
}
