//! The guard in front of kube's own client: methods × paths × encodings × headers × query keys × bodies, against a socket that
//! counts bytes.

use std::sync::Arc;

use http::{Request, Uri};
use kairos_doctor::collect::budget::Meter;
use kairos_doctor::collect::guard::{self, Guard, Refused};
use kube::Config;
use kube::client::{Body, Client, ClientBuilder};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::listed::{LISTED, is_listed};
use super::peer::{Peer, answer};

/// How many requests are tried. Of these some are listed, and the others near to one that is.
const TRIED: usize = 4000;

/// Something that a request may be told to do besides.
const MORE: &[&str] = &[
    "watch=true",
    "watch=1",
    "follow=true",
    "limit=1",
    "limit=0",
    "limit=501",
    "resourceVersion=0",
    "resourceVersionMatch=Exact",
    "sendInitialEvents=true",
    "timeoutSeconds=1",
    "labelSelector=a",
    "fieldSelector=a",
    "fieldSelector=type%3DWarning",
    "continue=a",
    "continue=%61",
    "continue=a%2fb",
    "pretty=true",
    "dryRun=All",
    "allowWatchBookmarks=true",
    "insecureSkipTLSVerifyBackend=true",
    "previous=true",
    "container=c",
    "tailLines=1",
    "limitBytes=1",
    "timestamps=true",
    "sinceSeconds=1",
    "stream=All",
    "command=sh",
    "stdin=true",
    "tty=true",
    "LIMIT=1",
    "limit",
    "=",
    "",
    "%6cimit=5",
    "limit=5;watch=1",
    "propagationPolicy=Orphan",
    "as=admin",
];

/// What slips into a path or a query when somebody tries.
const SLIPPED: &[&str] = &[
    "/",
    "//",
    "/.",
    "/..",
    "/../",
    "%2f",
    "%2F",
    "%2e%2e",
    "%252f",
    "%00",
    "%0d%0a",
    "%20",
    "%",
    "%u002f",
    "..;/",
    ";a=b",
    ";",
    "?",
    "&",
    "#",
    "@",
    ":",
    "*",
    "+",
    "=",
    "/exec",
    "/attach",
    "/portforward",
    "/proxy",
    "/proxy/metrics",
    "/log",
    "/status",
    "/scale",
    "/eviction",
    "/ephemeralcontainers",
    "/token",
    "secrets",
    "watch/",
    "~",
    "\\",
    "-",
];

/// A target near to a listed one.
fn targets() -> impl Strategy<Value = String> {
    let listed: Vec<String> = LISTED.iter().map(|line| line.example()).collect();
    let one = || prop::sample::select(listed.clone());
    let at = any::<prop::sample::Index>();
    let edited = (one(), at, 0..7usize, prop::sample::select(SLIPPED), any::<bool>()).prop_map(
        |(target, at, how, slipped, upper)| {
            let mut text: Vec<String> = target.chars().map(String::from).collect();
            let at = at.index(text.len());
            let hex = |text: &str| {
                let byte = text.as_bytes()[0];
                if upper { format!("{byte:02X}") } else { format!("{byte:02x}") }
            };
            match how {
                0 => text[at] = format!("%{}", hex(&text[at])),
                1 => text[at] = format!("%25{}", hex(&text[at])),
                2 => text[at] = text[at].to_uppercase(),
                3 => drop(text.remove(at)),
                4 => text.insert(at, slipped.to_string()),
                5 => text.push(slipped.to_string()),
                _ => text.truncate(at),
            }
            text.concat()
        },
    );
    let told = (one(), prop::collection::vec(prop::sample::select(MORE), 1..4)).prop_map(|(target, more)| {
        let sign = if target.contains('?') { '&' } else { '?' };
        format!("{target}{sign}{}", more.join("&"))
    });
    let alone =
        (one(), prop::collection::vec(prop::sample::select(MORE), 0..5)).prop_map(|(target, more)| {
            let path = target.split('?').next().unwrap_or_default().to_string();
            if more.is_empty() { path } else { format!("{path}?{}", more.join("&")) }
        });
    let crossed = (one(), one()).prop_map(|(a, b)| {
        let path = a.split('?').next().unwrap_or_default().to_string();
        b.split_once('?').map_or(path.clone(), |(_, query)| format!("{path}?{query}"))
    });
    // Hetzner's paths are listed too, and are nothing that Kubernetes is asked for
    let elsewhere = (prop::sample::select(vec!["http://trap", "https://trap", "//trap", "trap:443"]), one())
        .prop_map(|(host, target)| format!("{host}{target}"));
    prop_oneof![2 => one(), 4 => edited, 2 => told, 2 => alone, 1 => crossed, 1 => elsewhere]
}

#[derive(Clone, Debug)]
struct Tried {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn tried() -> impl Strategy<Value = Tried> {
    let known =
        vec!["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE", "get", "Get", "WATCH"];
    let method = prop_oneof![
        6 => Just("GET".to_string()),
        1 => prop::sample::select(known).prop_map(String::from),
        1 => "[A-Za-z]{1,9}",
    ];
    let names = vec![
        "accept",
        "accept",
        "upgrade",
        "connection",
        "authorization",
        "host",
        "cookie",
        "expect",
        "te",
        "content-type",
        "content-length",
        "transfer-encoding",
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "impersonate-user",
        "impersonate-group",
        "impersonate-uid",
        "x-forwarded-host",
        "x-original-url",
        "x-remote-user",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "x-stream-protocol-version",
        "range",
    ];
    let name =
        prop_oneof![4 => prop::sample::select(names).prop_map(String::from), 1 => "[a-z][a-z0-9-]{0,18}"];
    let value =
        prop::sample::select(vec!["DELETE", "websocket", "Upgrade", "system:masters", "5", "chunked", "*/*"]);
    let header = (name, value.prop_map(String::from));
    let headers = prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(header, 1..3)];
    let body = prop_oneof![6 => Just(vec![]), 1 => prop::collection::vec(any::<u8>(), 1..20)];
    (method, targets(), headers, body).prop_map(|(method, target, headers, body)| Tried {
        method,
        target,
        headers,
        body,
    })
}

impl Tried {
    /// Nothing when no HTTP library makes such a request.
    fn request(&self, trap: &Peer) -> Option<Request<Body>> {
        let uri: Uri = self.target.replace("trap", &trap.address.to_string()).parse().ok()?;
        let mut request = Request::builder().method(self.method.as_str()).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Body::from(self.body.clone())).ok()
    }

    /// What the README lists: all of it, and nothing else.
    fn is_harmless(&self) -> bool {
        let of_kubernetes = !self.target.starts_with("/v1/");
        of_kubernetes
            && is_listed(&self.method, &self.target)
            && self.body.is_empty()
            && self.headers.iter().all(|(name, _)| name == "accept")
    }
}

fn client(server: &Peer, meter: &Arc<Meter>) -> Client {
    let mut config = Config::new(server.url().parse().expect("a URL"));
    config.default_retry = false;
    config.auth_info.token = Some(String::from("sesame-sesame-sesame").into());
    let guard = Guard::new(meter.clone());
    ClientBuilder::try_from(config).expect("a client").with_layer(&guard).build()
}

#[test]
fn what_the_readme_lists_is_sent_and_of_everything_else_not_one_byte() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (server, trap, meter) =
            (Peer::answering(|_, _| answer("200 OK", "", "{}")), Peer::trap(), Arc::new(Meter::default()));
        let client = client(&server, &meter);
        let mut runner = TestRunner::deterministic();
        let strategy = tried();
        let (mut sent, mut refused) = (0, 0);
        for _ in 0..TRIED {
            let tried = strategy.new_tree(&mut runner).unwrap().current();
            let Some(request) = tried.request(&trap) else { continue };
            let uri = request.uri().to_string();
            // a fragment is gone before anything sees it
            let seen = Tried { target: uri.clone(), ..tried.clone() };
            let before = (server.connections(), server.bytes());
            let outcome = client.send(request).await;
            match outcome {
                Ok(_) => {
                    assert!(seen.is_harmless(), "it was sent: {tried:?}");
                    sent += 1;
                }
                Err(kube::Error::Service(error)) if error.downcast_ref::<Refused>().is_some() => {
                    assert!(!seen.is_harmless(), "it is listed, and was refused: {tried:?}: {error}");
                    assert_eq!((server.connections(), server.bytes()), before, "{tried:?}");
                    refused += 1;
                }
                Err(other) => panic!("{tried:?}: {other}"),
            }
        }
        assert!(sent > TRIED / 20 && refused > TRIED / 2, "both happen: {sent}, {refused}");
        assert_eq!(server.heads().len(), sent);
        assert_eq!(meter.log().len(), sent, "what is sent is noted");
        assert_eq!((trap.connections(), trap.bytes()), (0, 0), "no token goes to another host");
    });
}

/// The list that people read is the one that the guard has.
#[test]
fn every_listed_request_of_kubernetes_passes() {
    for line in LISTED.iter().map(|line| line.example()).filter(|line| !line.starts_with("/v1/")) {
        let (parts, ()) = Request::builder().uri(&line).body(()).unwrap().into_parts();
        assert_eq!(guard::check(&parts, false), Ok(()), "{line}");
    }
}
