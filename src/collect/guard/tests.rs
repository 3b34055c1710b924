mod logs;

use std::sync::Arc;

use http::{HeaderValue, Method, Request};
use kairos_doctor_checks::facts::controller_log::ControllerLog;
use kairos_doctor_checks::facts::kubelet::LogProbe;
use kairos_doctor_checks::facts::kubernetes::{Event, Gateway, Pod, Version};
use kairos_doctor_checks::facts::{Kind, NEEDS, Origin};
use kube::Config;
use kube::client::{Body, ClientBuilder};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::*;
use crate::collect::budget::Meter;
use crate::collect::loopback::{Loopback, reply};

fn asked(method: &str, target: &str) -> Result<(), Refused> {
    let request = Request::builder().method(method).uri(target).body(()).unwrap();
    check(&request.into_parts().0, false)
}

fn refused(target: &str) {
    assert!(asked("GET", target).is_err(), "{target}");
}

/// Every `Get` that can be made.
fn all() -> Vec<Get> {
    let mut all = vec![Get::groups(), Get::log(&LogProbe::NEED, "cilium-abc.d", "cilium-agent").unwrap()];
    all.extend(
        [false, true].map(|previous| Get::tail(&ControllerLog::NEED, "hccm-abc.d", "c", previous).unwrap()),
    );
    for need in NEEDS {
        let versions: &[&str] = match need.from {
            Origin::Kubernetes(resource) => resource.versions,
            Origin::KubernetesPath(_) => &[""],
            _ => continue,
        };
        for version in versions {
            for (limit, after) in [(500, None), (100, Some("eyJ2IjoibWV0YS5rOHMuaW8vdjEi+/=&%..%2f"))] {
                all.push(Get::of(need, version, PageOf { limit, after }).unwrap());
            }
        }
    }
    all
}

#[test]
fn what_the_doctor_asks_may_be_asked() {
    for get in all() {
        let (parts, body) = get.request().into_parts();
        assert_eq!(check(&parts, !http_body::Body::is_end_stream(&body)), Ok(()), "{}", get.target());
    }
}

#[test]
fn a_get_is_made_of_what_a_need_says_and_nothing_else() {
    assert!(Get::of(&Pod::NEED, "v2", PageOf::FIRST).is_err());
    assert!(Get::of(&Pod::NEED, "v1/secrets", PageOf::FIRST).is_err());
    assert!(Get::of(&Pod::NEED, "v1", PageOf { limit: 501, after: None }).is_err());
    assert!(Get::of(&Pod::NEED, "v1", PageOf { limit: 0, after: None }).is_err());
    assert!(Get::of(&Pod::NEED, "v1", PageOf { limit: 5, after: Some("a b") }).is_err());
    assert!(Get::of(&LogProbe::NEED, "v1", PageOf::FIRST).is_err());
    assert!(Get::log(&Pod::NEED, "a", "b").is_err());
    assert!(Get::log(&ControllerLog::NEED, "a", "b").is_err());
    assert!(Get::tail(&LogProbe::NEED, "a", "b", false).is_err());
    assert!(Get::tail(&Pod::NEED, "a", "b", false).is_err());
    for hostile in
        ["", ".", "..", "a/../../secrets", "a%2fb", "A", "a?follow=true", "a\u{0}", "-a", "a.", "é"]
    {
        assert!(Get::log(&LogProbe::NEED, hostile, "c").is_err(), "{hostile}");
        assert!(Get::log(&LogProbe::NEED, "p", hostile).is_err(), "{hostile}");
        assert!(Get::tail(&ControllerLog::NEED, hostile, "c", true).is_err(), "{hostile}");
        assert!(Get::tail(&ControllerLog::NEED, "p", hostile, true).is_err(), "{hostile}");
    }
    assert!(Get::log(&LogProbe::NEED, &"a".repeat(254), "c").is_err());
    assert_eq!(Get::of(&Version::NEED, "", PageOf::FIRST).unwrap().target(), "/version");
    assert_eq!(
        Get::of(&Event::NEED, "v1", PageOf::FIRST).unwrap().target(),
        "/api/v1/events?limit=500&fieldSelector=type%3DWarning%2CinvolvedObject.kind%21%3DPod"
    );
    assert_eq!(
        Get::tail(&ControllerLog::NEED, "p", "c", true).unwrap().target(),
        "/api/v1/namespaces/kube-system/pods/p/log?container=c&tailLines=200&limitBytes=65536&timestamps=true&previous=true"
    );
    let beta = Get::of(&Gateway::NEED, "v1beta1", PageOf { limit: 1, after: Some("a=") }).unwrap();
    assert_eq!(beta.target(), "/apis/gateway.networking.k8s.io/v1beta1/gateways?limit=1&continue=a%3D");
}

#[test]
fn what_answers_to_get_and_acts_is_refused() {
    for path in
        ["exec?command=sh", "attach", "portforward", "proxy", "proxy/", "ephemeralcontainers", "eviction", ""]
    {
        refused(&format!("/api/v1/namespaces/kube-system/pods/a/{path}"));
    }
    for path in [
        "/api/v1/nodes/a/proxy/containerLogs/x",
        "/api/v1/secrets?limit=500",
        "/api/v1/namespaces/kube-system/secrets?limit=500",
        "/api/v1/configmaps?limit=500",
        "/api/v1/namespaces/kube-system/configmaps/other",
        "/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt/",
        "/api/v1/watch/pods?limit=500",
        "/apis/apps/v1/deployments/scale?limit=500",
        "/logs/",
        "/debug/pprof/profile",
        "/",
        "/version/",
        "//version",
        "/./version",
        "/api/../version",
        "/vers%69on",
        "/api/v1%2fpods?limit=500",
        "/api/v1/pods/?limit=500",
        "/api/v1/Pods?limit=500",
    ] {
        refused(path);
    }
    assert!(asked("GET", "https://127.0.0.1/version").is_err());
}

#[test]
fn query_keys_and_their_values_are_listed() {
    let list = "/api/v1/pods";
    assert!(asked("GET", &format!("{list}?limit=500")).is_ok());
    assert!(asked("GET", &format!("{list}?continue=abc&limit=1")).is_ok());
    for query in [
        "",
        "?",
        "?limit",
        "?limit=",
        "?limit=0",
        "?limit=501",
        "?limit=0500",
        "?limit=+5",
        "?limit=5&",
        "?&limit=5",
        "?limit=5&limit=5",
        "?limit=5&watch=true",
        "?limit=5&watch",
        "?limit=5&resourceVersion=0",
        "?limit=5;watch=1",
        "?limit=5&fieldSelector=a",
        "?limit=5&continue=",
        "?limit=5&continue=a%20b",
        "?limit=5&continue=a%2db",
        "?limit=5&continue=a%3d",
        "?limit=5&continue=a+b",
        "?limit=5&continue=%",
        "?limit=5&continue=%ff",
        "?%6cimit=5",
        "?limit=5&timeoutSeconds=9",
        "?LIMIT=5",
    ] {
        refused(&format!("{list}{query}"));
    }
    refused("/version?limit=5");
    refused("/apis?limit=5");
    refused("/api/v1/events?limit=5");
    refused("/api/v1/events?limit=5&fieldSelector=type%3DWarning");
    refused("/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt?watch=true");
    let log = "/api/v1/namespaces/kube-system/pods/a/log?container=c&tailLines=1&limitBytes=1";
    assert!(asked("GET", log).is_ok());
    assert!(asked("GET", &format!("{log}&previous=true")).is_ok());
    for more in
        ["follow=true", "insecureSkipTLSVerifyBackend=true", "previous=1", "sinceSeconds=1", "container=c"]
    {
        refused(&format!("{log}&{more}"));
    }
    refused("/api/v1/namespaces/kube-system/pods/a/log");
    refused("/api/v1/namespaces/kube-system/pods/a/log?container=c&tailLines=2&limitBytes=1");
    refused("/api/v1/namespaces/kube-system/pods/a/log?container=c&tailLines=1&limitBytes=10");
    refused("/api/v1/namespaces/default/pods/a/log?container=c&tailLines=1&limitBytes=1");
    refused("/api/v1/namespaces/kube-system/pods/../log?container=c&tailLines=1&limitBytes=1");
}

#[test]
fn other_methods_headers_and_bodies_are_refused() {
    for method in ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "get", "WATCH"] {
        assert!(asked(method, "/version").is_err(), "{method}");
    }
    for (name, value) in [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("x-http-method-override", "DELETE"),
        ("impersonate-user", "admin"),
        ("transfer-encoding", "chunked"),
        ("content-length", "5"),
    ] {
        let request = Request::builder().uri("/version").header(name, value).body(()).unwrap();
        assert!(check(&request.into_parts().0, false).is_err(), "{name}");
    }
    let request = Request::builder().uri("/version").body(()).unwrap();
    assert!(check(&request.into_parts().0, true).is_err());
}

#[test]
fn the_list_is_what_the_documentation_says() {
    let lines = templates();
    assert!(lines.contains(&"GET /version".into()));
    assert!(lines.contains(&"GET /apis".into()));
    assert!(lines.contains(
        &"GET /apis/gateway.networking.k8s.io/v1beta1/gateways?limit={1..500}&continue={token}".into()
    ));
    assert!(lines.is_sorted());
    assert!(!lines.iter().any(|line| line.contains("secret")), "Secrets are never asked for");
}

/// Requests around the listed ones: parts of them, put together in every way.
fn requests() -> impl Strategy<Value = Request<Vec<u8>>> {
    let method =
        prop::sample::select(vec!["GET", "GET", "GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"]);
    let listed: Vec<String> = all().iter().map(|get| get.path().to_owned()).collect();
    let segment = prop::sample::select(vec![
        "api",
        "apis",
        "v1",
        "apps",
        "pods",
        "nodes",
        "namespaces",
        "kube-system",
        "secrets",
        "log",
        "exec",
        "proxy",
        "a",
        "..",
        ".",
        "",
        "%2e%2e",
        "a%2fb",
        "%61pi",
        "watch",
        "kube-root-ca.crt",
        "configmaps",
        "version",
    ]);
    let made =
        prop::collection::vec(segment.clone(), 1..8).prop_map(|segments| format!("/{}", segments.join("/")));
    let longer =
        (prop::sample::select(listed.clone()), segment).prop_map(|(path, more)| format!("{path}/{more}"));
    let path = prop_oneof![prop::sample::select(listed), made, longer];
    let pair = prop::sample::select(vec![
        "limit=500",
        "limit=5",
        "limit=0",
        "watch=true",
        "follow=true",
        "container=c",
        "tailLines=1",
        "limitBytes=1",
        "tailLines=200",
        "limitBytes=65536",
        "timestamps=true",
        "previous=true",
        "insecureSkipTLSVerifyBackend=true",
        "continue=abc",
        "continue=%61",
        "resourceVersion=0",
        "fieldSelector=type%3DWarning%2CinvolvedObject.kind%21%3DPod",
        "fieldSelector=a",
        "command=sh",
        "",
    ]);
    let query = prop::collection::vec(pair, 0..4);
    let join = |(path, query): (String, Vec<&str>)| {
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    };
    let made = (path, query).prop_map(join);
    let whole: Vec<String> = all().iter().map(|get| get.target().to_owned()).collect();
    let target = prop_oneof![1 => prop::sample::select(whole), 2 => made];
    let header = prop::option::weighted(
        0.3,
        prop::sample::select(vec![
            "accept",
            "accept-encoding",
            "upgrade",
            "connection",
            "x-http-method-override",
            "expect",
        ]),
    );
    let body = prop::option::weighted(0.2, prop::collection::vec(any::<u8>(), 1..9));
    (method, target, header, body).prop_filter_map("a URI", |(method, target, header, body)| {
        let mut request = Request::builder().method(method).uri(target);
        if let Some(name) = header {
            request = request.header(name, "upgrade");
        }
        request.body(body.unwrap_or_default()).ok()
    })
}

/// The rules again, written down the other way round: what a request that passes looks like.
fn harmless(request: &Request<Vec<u8>>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    let path = request.uri().path();
    let is_log = path.ends_with("/log");
    let keys: Vec<&str> =
        query.split('&').filter(|p| !p.is_empty()).map(|p| p.split('=').next().unwrap()).collect();
    let known = ["limit", "continue", "fieldSelector"];
    let of_log = ["container", "tailLines", "limitBytes", "timestamps", "previous"];
    request.method() == Method::GET
        && request.body().is_empty()
        && request.headers().keys().all(|name| name == "accept" || name == "accept-encoding")
        && !path.contains('%')
        && !path.contains("//")
        && !path.split('/').any(|s| matches!(s, "secrets" | "exec" | "proxy" | "watch" | "." | ".."))
        && keys.iter().all(|key| if is_log { of_log.contains(key) } else { known.contains(key) })
        && (!is_log || (path.starts_with("/api/v1/namespaces/kube-system/pods/") && keys.len() >= 3))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_passes_is_harmless(request in requests()) {
        let harmless = harmless(&request);
        let (parts, body) = request.into_parts();
        if check(&parts, !body.is_empty()).is_ok() {
            prop_assert!(harmless, "{parts:?}");
        }
    }

    #[test]
    fn no_text_makes_a_get_that_reaches_further(pod in "\\PC{0,40}", container in "\\PC{0,40}", token in "\\PC{0,60}") {
        for get in [Get::log(&LogProbe::NEED, &pod, &container), Get::tail(&ControllerLog::NEED, &pod, &container, true), Get::of(&Pod::NEED, "v1", PageOf { limit: 9, after: Some(&token) })] {
            let Ok(get) = get else { continue };
            prop_assert_eq!(check(&get.request().into_parts().0, false), Ok(()));
        }
    }
}

#[test]
fn a_refused_request_sends_not_one_byte() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Loopback::serve(|_| reply(200, "{}")).await;
        let meter = Arc::new(Meter::default());
        let mut config = Config::new(format!("http://{}", server.address).parse().unwrap());
        config.default_retry = false;
        let guard = Guard::new(Arc::clone(&meter));
        let client = ClientBuilder::try_from(config).unwrap().with_layer(&guard).build();
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut passed = 0;
        for _ in 0..1500 {
            let request = requests().new_tree(&mut runner).unwrap().current();
            let (parts, body) = request.into_parts();
            let expected = check(&parts, !body.is_empty());
            let before = server.bytes();
            let sent = client.send(Request::from_parts(parts, Body::from(body))).await;
            match expected {
                Ok(()) => {
                    passed += 1;
                    sent.unwrap();
                    assert!(server.bytes() > before);
                }
                Err(refused) => {
                    let Err(kube::Error::Service(error)) = sent else { panic!("it was sent") };
                    assert_eq!(error.downcast_ref::<Refused>(), Some(&refused));
                    assert_eq!(server.bytes(), before);
                }
            }
        }
        assert!((20..1400).contains(&passed), "both happen: {passed}");
        assert_eq!(meter.log().len(), passed, "what is sent is noted");
        assert_eq!(server.targets().len(), passed);
        let mut upgrade = Get::groups().request();
        upgrade.headers_mut().insert("upgrade", HeaderValue::from_static("websocket"));
        assert!(client.send(upgrade).await.is_err());
        assert_eq!(server.targets().len(), passed);
    });
}
