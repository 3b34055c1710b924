//! Whatever a Kubernetes API answers, it is asked for what the README lists, and nobody else is asked for anything.

use std::sync::Arc;
use std::time::Duration;

use kairos_doctor::collect::{self, Plan};
use kairos_doctor_checks::facts::NEEDS;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::listed::is_listed;
use super::peer::{Peer, answer, headers, line};

const TOKEN: &str = "sesame-sesame-sesame";
/// Runs, each of some dozen requests.
const RUNS: usize = 24;

/// What a server may say to have something else asked for.
const LEADING: &[&str] = &[
    "../../secrets",
    "..%2f..%2fsecrets",
    "a&watch=true",
    "a#",
    "a?b",
    "?",
    "http://trap/",
    "//trap/",
    "\u{0}",
    "\r\nX: y",
    "a b",
    "%",
    "%2e%2e",
    "pods/x/exec",
    "secrets",
    "v1/secrets",
    "v1/../../secrets",
    "eyJ2IjoxfQ==",
    "\u{202e}",
    "é",
    "A",
    "-",
    ".",
    "..",
    "",
    "v1",
    "v2",
    "nodes/a/proxy",
];

/// One run's server: for each request one of these answers.
#[derive(Clone, Debug)]
struct Script(Vec<(u16, &'static str, [&'static str; 4])>);

fn scripts() -> impl Strategy<Value = Script> {
    let status = prop_oneof![8 => Just(200u16), 1 => prop::sample::select(vec![201, 204, 301, 302, 307, 308, 401, 403, 404, 410, 500])];
    let header = prop::sample::select(vec![
        "",
        "",
        "location: http://trap/api/v1/secrets\r\n",
        "set-cookie: id=1; Path=/\r\n",
        "refresh: 0; url=http://trap/\r\n",
        "link: <http://trap/>; rel=\"next\"\r\n",
        "alt-svc: h2=\"trap\"\r\n",
        "upgrade: websocket\r\n",
        "www-authenticate: Negotiate\r\n",
        "content-type: text/html\r\n",
        "warning: 299 - \"use http://trap/\"\r\n",
    ]);
    let word = || prop::sample::select(LEADING);
    let words = (word(), word(), word(), word()).prop_map(|(a, b, c, d)| [a, b, c, d]);
    prop::collection::vec((status, header, words), 97).prop_map(Script)
}

/// A page of whatever the path lists, in which every word that may be asked for later is one of those.
fn body(path: &str, [first, second, third, token]: [&str; 4]) -> Value {
    let named = |name: &str| {
        json!({
            "metadata": {"name": name, "namespace": "kube-system", "uid": second, "selfLink": third,
                "labels": {"app": "hcloud-cloud-controller-manager", "app.kubernetes.io/name": first}},
            "spec": {"nodeName": second, "containers": [{"name": third,
                "image": "docker.io/hetznercloud/hcloud-cloud-controller-manager:v1.29.2",
                "command": ["/bin/hcloud-cloud-controller-manager"]}]},
            "status": {"phase": "Running", "containerStatuses": [{"name": third, "restartCount": 3, "ready": false,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]},
        })
    };
    match path {
        "/version" => json!({"major": "1", "minor": "35", "gitVersion": "v1.35.5+k3s1"}),
        "/apis" => json!({"kind": "APIGroupDiscoveryList", "items": [
            {"metadata": {"name": "gateway.networking.k8s.io"}, "versions": [
                {"version": first, "resources": [{"resource": second, "scope": "Namespaced", "verbs": ["list"]}]},
                {"version": "v1", "resources": [{"resource": "gateways", "verbs": ["list"]}, {"resource": third}]}]},
            {"metadata": {"name": first}, "versions": [{"version": "v1", "resources": []}]},
            {"metadata": {"name": "cilium.io"}, "versions": [
                {"version": "v2", "resources": [{"resource": "ciliumnodes", "verbs": ["list"]}]}]}]}),
        // the doctor dials the addresses of nodes: these have none
        "/api/v1/nodes" => {
            json!({"metadata": {"continue": token}, "items": [{"metadata": {"name": second}}]})
        }
        _ => {
            json!({"metadata": {"continue": token, "selfLink": "http://trap/"}, "items": [named(first), named("ccm-a")]})
        }
    }
}

#[test]
fn whatever_the_api_answers_it_is_asked_for_what_is_listed() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let mut runner = TestRunner::deterministic();
    let strategy = scripts();
    let (mut asked, mut further) = (0, 0);
    for run in 0..RUNS {
        let script = strategy.new_tree(&mut runner).unwrap().current();
        let trap = Arc::new(Peer::trap());
        let trapped = trap.address.to_string();
        let server = Peer::answering(move |number, head| {
            let path = line(head).1.split('?').next().unwrap_or_default();
            let (status, header, words) = script.0[number % script.0.len()];
            // without a first answer nothing else is asked
            let (status, header) = if path == "/version" { (200, "") } else { (status, header) };
            let body = body(path, words).to_string().replace("trap", &trapped);
            answer(&format!("{status} X"), &header.replace("trap", &trapped), &body)
        });
        let path = folder.path().join(format!("kubeconfig-{run}"));
        let config = json!({
            "current-context": "one", "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server.url()}}],
            "users": [{"name": "u", "user": {"token": TOKEN}}],
        });
        std::fs::write(&path, config.to_string()).unwrap();
        let plan = Plan {
            kubeconfig: Some(path),
            context: None,
            as_user: None,
            hcloud_token_file: None,
            hcloud_context: None,
            hetzner: false,
            timeout: Duration::from_secs(20),
            needs: NEEDS.to_vec(),
        };
        runtime.block_on(collect::collect(plan)).map(drop).expect("it could be attempted");
        for head in server.heads() {
            let (method, target) = line(&head);
            assert!(is_listed(method, target), "{method} {target}");
            further += usize::from(target.contains("continue=") || target.contains("/log?"));
            for (name, value) in headers(&head) {
                let known = ["host", "accept", "accept-encoding", "authorization", "user-agent"];
                assert!(known.contains(&name.as_str()), "{head}");
                assert!(name == "authorization" || !value.contains(TOKEN), "{head}");
                assert!(name != "host" || value == server.address.to_string(), "{head}");
            }
            asked += 1;
        }
        assert_eq!((trap.connections(), trap.bytes()), (0, 0), "nobody else is asked");
    }
    assert!(asked > RUNS * 20 && further > RUNS, "{asked} requests, {further} that an answer led to");
}
