use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::facts::MASK;
use crate::facts::controller_log::Lines;

/// What is kept of a log.
fn texts(raw: &str) -> Vec<String> {
    kept(lines(raw)).iter().map(|line| line.text.to_string()).collect()
}

/// The controller's log at its start, as v1.35.0 writes it.
const START: &str = r#"2026-11-23T08:59:57.000000001Z I1123 08:59:57.000001       1 flags.go:64] FLAG: --cloud-provider="hcloud"
2026-11-23T08:59:57.000000002Z I1123 08:59:57.000002       1 flags.go:64] FLAG: --token="not-to-be-seen"
2026-11-23T08:59:57.000000003Z HCLOUD_TOKEN=not-to-be-seen
2026-11-23T08:59:58.000000001Z W1123 08:59:58.000001       1 cloud.go:70] unrecognized token format, expected 64 characters, got 20, proceeding anyway
2026-11-23T08:59:58.500000000Z F1123 08:59:58.500000       1 main.go:75] Cloud provider could not be initialized: hcloud/newCloud: unable to authenticate (unauthorized, 5c0e8f)
2026-11-23T08:59:58.500000001Z goroutine 1 [running]:
2026-11-23T08:59:58.500000002Z main.main() not-to-be-seen
"#;

#[test]
fn of_a_log_only_known_lines_are_kept() {
    assert_eq!(
        texts(START),
        [
            "unrecognized token format, expected 64 characters, got 20, proceeding anyway",
            "Cloud provider could not be initialized: hcloud/newCloud: unable to authenticate (unauthorized, 5c0e8f)",
        ]
    );
    let first = &kept(lines(START))[0];
    assert_eq!(first.time.get(), Some("2026-11-23T08:59:58.000000001Z".parse().unwrap()));
}

#[test]
fn a_token_in_a_known_line_is_masked() {
    let token = "aB3".repeat(22)[..64].to_string();
    let line =
        format!("invalid value for \"HCLOUD_LOAD_BALANCERS_ALGORITHM_TYPE\": unsupported value \"{token}\"");
    assert_eq!(texts(&line), [line.replace(&token, MASK)]);
}

#[test]
fn a_bundle_brings_no_line_in_that_a_log_would_not() {
    let bundle = json!([
        {"time": "2026-11-23T09:00:02Z", "text": "password: not-to-be-seen"},
        {"time": "2026-11-23T09:00:01Z", "text": "I1123 09:00:00.000001       1 a.go:1] leaderelection lost"},
        {"time": "2026-11-23T09:00:03Z", "text": "leaderelection lost"},
        {"time": "2026-11-23T09:00:00Z", "text": "error running controllers: x"},
    ]);
    let read: Lines = serde_json::from_value(bundle).unwrap();
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(
        written,
        json!([
            {"time": "2026-11-23T09:00:00Z", "text": "error running controllers: x"},
            {"time": "2026-11-23T09:00:03Z", "text": "leaderelection lost"},
        ])
    );
    let again: Lines = serde_json::from_value(written).unwrap();
    assert_eq!(again, read, "what was kept is kept as it is");
}

#[test]
fn the_newest_forty_are_kept_and_long_ones_are_cut() {
    let line = |n: usize| format!("2026-11-23T09:{:02}:00Z error running controllers: {n}\n", n % 60);
    let raw: String = (0..60).map(line).collect();
    let all = texts(&raw);
    assert_eq!(
        (all.len(), &*all[0], &*all[39]),
        (40, "error running controllers: 20", "error running controllers: 59")
    );
    let long = format!("error running controllers: {}", "x".repeat(9000));
    let cut = kept(lines(&long));
    assert!(cut[0].text.chars().count() < 2100 && kept(cut.clone()) == cut);
    // what makes it known stands beyond the cut
    assert_eq!(texts(&format!("{}leaderelection lost", "x".repeat(9000))), [""; 0]);
}

fn text(value: &str) -> Text {
    value.into()
}

#[test]
fn each_line_has_its_meaning() {
    let fatal = |rest: &str| format!("Cloud provider could not be initialized: {rest}");
    let config = |variable: &str| Word::Config { variable: variable.into() };
    let egress = |why: &str| {
        fatal(&format!("hcloud/newCloud: Get \"https://api.hetzner.cloud/v1/locations?\": {why}"))
    };
    for (said, word) in [
        (fatal(r#"environment variable "HCLOUD_TOKEN" is required"#), Word::TokenMissing),
        ("unrecognized token format, expected 64 characters, got 7, proceeding anyway".into(), Word::TokenForm { got: Some(7) }),
        (fatal("hcloud/newCloud: authorization token contains invalid characters"), Word::TokenForm { got: None }),
        (fatal("hcloud/newCloud: unable to authenticate (unauthorized)"), Word::TokenRejected),
        (
            r#"could not init cloud provider "hcloud": hcloud/newCloud: unable to authenticate (unauthorized)"#.into(),
            Word::TokenRejected,
        ),
        ("hcops/LoadBalancerOps.Create: token is only allowed to perform GET requests (token_readonly, 1a2b)".into(), Word::TokenReadOnly),
        ("hcops/LoadBalancerOps.Create: insufficient permissions (forbidden)".into(), Word::Forbidden),
        ("limit of 3600 requests per hour reached (rate_limit_exceeded)".into(), Word::RateLimited),
        (fatal("hcloud/newCloud: Network kube not found"), Word::NetworkNotFound { name: text("kube") }),
        (fatal("hcloud/newCloud: Network <HETZNER_NETWORK_NAME_OR_ID> not found"), Word::NetworkNotFound { name: text("<HETZNER_NETWORK_NAME_OR_ID>") }),
        (fatal("hcloud/newCloud: This node is not attached to Network my net"), Word::NotAttached { name: text("my net") }),
        (
            fatal("hcloud/newCloud: checking if server is in Network not possible: serverIsAttachedToNetwork: Get \"http://169.254.169.254/hetzner/v1/metadata/private-networks\": context deadline exceeded"),
            Word::Metadata,
        ),
        (fatal(r#"invalid value for "HCLOUD_INSTANCES_ADDRESS_FAMILY", expect one of: ipv4,ipv6,dualstack"#), config("HCLOUD_INSTANCES_ADDRESS_FAMILY")),
        (r#"failed to parse HCLOUD_DEBUG: strconv.ParseBool: parsing "": invalid syntax"#.into(), config("HCLOUD_DEBUG")),
        ("failed to read HCLOUD_TOKEN_FILE: open /x: no such file or directory".into(), config("HCLOUD_TOKEN_FILE")),
        (fatal("using Routes with Robot is not supported"), config("HCLOUD_NETWORK_ROUTES_ENABLED")),
        (
            fatal(r#"invalid value for "HCLOUD_LOAD_BALANCERS_LOCATION"/"HCLOUD_LOAD_BALANCERS_NETWORK_ZONE", only one of them can be set"#),
            Word::PlacementBoth,
        ),
        (r#""Observed a panic" panic="runtime error: invalid memory address or nil pointer dereference""#.into(), Word::Panic),
        ("panic: runtime error: invalid memory address or nil pointer dereference [recovered]".into(), Word::Panic),
        (
            r#"error retrieving resource lock kube-system/cloud-controller-manager: leases.coordination.k8s.io "cloud-controller-manager" is forbidden: User "system:serviceaccount:kube-system:hcloud-cloud-controller-manager" cannot get resource "leases" in API group "coordination.k8s.io" in the namespace "kube-system""#.into(),
            Word::Rbac { verb: text("get"), resource: text("leases") },
        ),
        (
            r#""Unhandled Error" err="failed to patch status: services \"web\" is forbidden: User \"system:serviceaccount:kube-system:hccm\" cannot patch resource \"services/status\" in API group \"\" in the namespace \"edge\"""#.into(),
            Word::Rbac { verb: text("patch"), resource: text("services/status") },
        ),
        (r#"error retrieving resource lock kube-system/cloud-controller-manager: Get "https://127.0.0.1:6443": dial tcp 127.0.0.1:6443: i/o timeout"#.into(), Word::Lease),
        ("leaderelection lost".into(), Word::Lease),
        (egress("dial tcp: lookup api.hetzner.cloud on 127.0.0.53:53: server misbehaving"), Word::Egress),
        (egress("dial tcp: lookup api.hetzner.cloud: i/o timeout"), Word::Egress),
        (egress("dial tcp 127.0.0.9:443: connect: network is unreachable"), Word::Egress),
        (egress("net/http: TLS handshake timeout"), Word::Egress),
        (egress("tls: failed to verify certificate: x509: certificate signed by unknown authority"), Word::Egress),
        (
            "error syncing 'k1': failed to get instance metadata for node k1: hcloud/instancesv2.InstanceMetadata: failed to get instance metadata: no matching server found for node 'k1': server not found, requeuing".into(),
            Word::ServerNotFound { node: text("k1") },
        ),
        (
            r#""Unhandled Error" err="error syncing 'k2': failed to get node modifiers from cloud provider: provided node ip for node \"k2\" is not valid: failed to get node address from cloud provider that matches ip: 127.0.0.12, requeuing""#.into(),
            Word::NodeIp { node: text("k2"), ip: text("127.0.0.12") },
        ),
        (
            "failed to convert provider id to server id: Provider ID does not have one of the the expected prefixes (hcloud://, hrobot://, hcloud://bm-): k3s://k1".into(),
            Word::ProviderId { id: text("k3s://k1") },
        ),
        ("providerID is missing a serverID: hcloud://".into(), Word::ProviderId { id: text("hcloud://") }),
        (r#""create routes provider" err="invalid CIDR address: ""#.into(), Word::RoutesOff),
        (
            "--configure-cloud-routes is set, but cloud provider does not support routes. Will not configure cloud provider routes.".into(),
            Word::RoutesOff,
        ),
        (
            "Failed to start service controller: the cloud provider does not support external load balancers".into(),
            Word::LoadBalancersOff,
        ),
        ("Failed to wait for apiserver being healthy: timed out".into(), Word::KubernetesApi),
        (fatal("something new"), Word::Fatal),
    ] {
        assert_eq!(classify(&said), Some(word), "{said}");
        assert_eq!(texts(&said), [said.as_str()], "it is kept");
    }
}

#[test]
fn what_is_alike_is_not_taken_for_it() {
    for other in [
        // the Kubernetes API, not Hetzner's
        r#"Get "https://127.0.0.1:443/api": dial tcp 127.0.0.1:443: connect: connection refused"#,
        // a dump of HCLOUD_DEBUG
        r#"{"error":{"code":"forbidden","message":"not-to-be-seen"}}"#,
        "Authorization: Bearer not-to-be-seen",
        r#"secrets "x" is forbidden: not-to-be-seen"#,
        "the network kube was not found",
        "GET https://api.hetzner.cloud/v1/servers not-to-be-seen",
        "",
    ] {
        assert_eq!((classify(other), texts(other)), (None, vec![]), "{other}");
    }
    // kept to be shown, and of no one meaning
    for kept in
        ["error running controllers: x", "invalid CIDR address: 10.0.0.0", "strconv.ParseBool: parsing \"x\""]
    {
        assert_eq!((classify(kept), texts(kept)), (None, vec![kept.to_string()]));
    }
}

#[test]
fn pieces_are_the_whole_line() {
    let line = "hcloud/newCloud: Network node not found";
    assert_eq!(
        pieces(line),
        [
            Piece::Words("hcloud/newCloud: "),
            Piece::Words("Network "),
            Piece::Network("node"),
            Piece::Words(" not found")
        ]
    );
    let line = "no matching server found for node 'node': server";
    assert_eq!(
        pieces(line),
        [Piece::Words("no matching server found for node"), Piece::Rest(" 'node': server")]
    );
}

fn facts(logs: &[Value]) -> Facts {
    let mut facts = Facts::new(Timestamp::UNIX_EPOCH);
    facts.put(&ControllerLog::NEED, Ok(ControllerLog::NEED.load(&json!(logs)).unwrap()));
    facts
}

fn log(status: i64, more: Value) -> Value {
    let mut log = json!({"namespace": "kube-system", "pod": "p", "container": "c", "status": status});
    log.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    log
}

#[test]
fn what_was_said_comes_newest_first_and_once() {
    let line = |second: u8, text: &str| json!({"time": format!("2026-11-23T09:00:0{second}Z"), "text": text});
    let lost = line(3, "leaderelection lost");
    let facts = facts(&[
        log(
            200,
            json!({"lines": [line(1, "Observed a panic"), line(2, "error running controllers: x"), lost]}),
        ),
        log(
            200,
            json!({"previous": true, "lines": [line(0, "hcloud/newCloud: Network kube not found"), lost]}),
        ),
    ]);
    let said: Vec<(Word, bool, String)> =
        words(&facts).unwrap().into_iter().map(|s| (s.word.clone(), s.log.previous, s.path())).collect();
    let path = |n: usize| format!("lines[{n}].text");
    assert_eq!(
        said,
        [
            (Word::Lease, false, path(2)),
            (Word::Panic, false, path(0)),
            (Word::NetworkNotFound { name: "kube".into() }, true, path(0)),
        ]
    );
}

#[test]
fn no_log_is_known_and_an_unread_one_is_a_gap() {
    let none = json!({"previous": true, "reason": "BadRequest",
        "message": "previous terminated container \"c\" in pod \"p\" not found"});
    let waits = json!({"reason": "BadRequest",
        "message": "container \"c\" in pod \"p\" is waiting to start: CreateContainerConfigError"});
    let gone = json!([{"text": "unable to retrieve container logs for containerd://0a"}]);
    for known in [
        vec![],
        vec![log(200, json!({})), log(400, none.clone())],
        vec![log(400, waits), log(400, none.clone())],
        vec![log(200, json!({})), log(200, json!({"previous": true, "lines": gone}))],
    ] {
        assert!(words(&facts(&known)).is_ok_and(|said| said.is_empty()), "{known:?}");
    }
    let x509 = "Get \"https://127.0.0.13:10250/containerLogs/kube-system/p/c\": tls: failed to verify certificate: x509: \
                certificate is valid for 127.0.0.1, not 127.0.0.13";
    for (unread, why, words_of_it) in [
        (log(500, json!({"message": x509})), Why::Unreachable, "x509: certificate is valid for"),
        (log(500, json!({"reason": "InternalError"})), Why::Malformed, "nothing that tells"),
        (log(403, json!({"message": "pods \"p\" is forbidden: …"})), Why::Forbidden, "answered 403"),
        (log(0, json!({"failure": {"why": "timed-out", "detail": "no answer"}})), Why::TimedOut, "no answer"),
        (log(200, json!({"lines": gone})), Why::NotRead, "unable to retrieve"),
    ] {
        let gap = words(&facts(&[unread, log(400, none.clone())])).unwrap_err();
        assert_eq!((gap.why, &*gap.need, gap.item.as_deref()), (why, "controller.log", Some("p")));
        assert!(gap.detail.starts_with("the controller's log could not be read: "), "{}", gap.detail);
        assert!(gap.detail.contains(words_of_it), "{}", gap.detail);
    }
    // who only looks for a word has what the other log says
    let said = json!({"previous": true, "lines": [{"text": "leaderelection lost"}]});
    let facts = facts(&[log(500, json!({"message": x509})), log(200, said)]);
    let heard = heard(&facts).unwrap();
    assert_eq!((heard.said.len(), heard.unread.unwrap().why), (1, Why::Unreachable));
}
