//! The kubelets, asked for directly and through the API server.

use kairos_doctor_simulator::{KubeletPort, Options, Simulator, Source};
use serde_json::json;

use crate::client::{connect, kubernetes};
use crate::{bundle, pod};

fn log(simulator: &Simulator, pod: &str) -> (u16, String, bool) {
    let got = kubernetes(
        simulator,
        &format!("/api/v1/namespaces/kube-system/pods/{pod}/log?tailLines=1&limitBytes=1"),
    );
    let reason = got.status >= 400 && got.json()["reason"].is_string();
    (got.status, if got.status >= 400 { got.message() } else { got.text() }, reason)
}

#[test]
fn the_api_server_says_what_go_says_of_each_kubelet() {
    let simulator = Simulator::start(&bundle(), Options::default());
    let port = simulator.kubelet_port();
    assert_eq!(log(&simulator, "p1"), (200, "t".into(), false));
    let failed = |number: u8, why: &str| {
        let url = format!(
            "https://127.0.71.{number}:{port}/containerLogs/kube-system/p{number}/c?limitBytes=1&tailLines=1"
        );
        (500, format!("Get \"{url}\": {why}"), false)
    };
    let tls = "tls: failed to verify certificate: x509: ";
    let not = format!("{tls}certificate is valid for 127.0.0.1, 127.0.71.99, not 127.0.71.2");
    assert_eq!(log(&simulator, "p2"), failed(2, &not));
    assert_eq!(log(&simulator, "p3"), failed(3, &format!("{tls}certificate signed by unknown authority")));
    let none = "cannot validate certificate for 127.0.71.4 because it doesn't contain any IP SANs";
    assert_eq!(log(&simulator, "p4"), failed(4, &format!("{tls}{none}")));
    let (_, old, _) = log(&simulator, "p5");
    assert!(old.contains("x509: certificate has expired or is not yet valid: current time "), "{old}");
    assert!(old.ends_with("Z is after 2025-02-01T00:00:00Z"), "{old}");
    assert_eq!(
        log(&simulator, "p6"),
        failed(6, &format!("dial tcp 127.0.71.6:{port}: connect: connection refused"))
    );
    assert_eq!(log(&simulator, "p7"), failed(7, "net/http: TLS handshake timeout"));
    let handshakes = simulator.requests().iter().filter(|r| r.source == Source::Kubelet).count();
    assert_eq!(handshakes, 0, "the API server's dials are not the client's");
}

#[test]
fn an_authority_of_the_same_name_is_called_unknown_with_the_candidate() {
    let mut bundle = bundle();
    bundle["parts"]["kubelets"][1]["certificate"]["issuer"] = "k3s-server-ca@1".into();
    let simulator = Simulator::start(&bundle, Options::default());
    let (_, message, _) = log(&simulator, "p3");
    assert!(message.ends_with(
        "x509: certificate signed by unknown authority (possibly because of \"x509: ECDSA verification failure\" while \
         trying to verify candidate authority certificate \"k3s-server-ca@1\")"
    ));
}

#[test]
fn what_is_wrong_before_any_dial_is_said_as_such() {
    let simulator = Simulator::start(&bundle(), Options::default());
    let two = "a container name must be specified for pod two, choose one of: [a b]";
    assert_eq!(log(&simulator, "two"), (400, two.into(), true));
    assert_eq!(log(&simulator, "nope"), (404, "pods \"nope\" not found".into(), true));
    assert_eq!(log(&simulator, "lost"), (404, "pods \"gone\" not found".into(), true));
    assert_eq!(log(&simulator, "waiting"), (204, String::new(), false));
    let path = "/api/v1/namespaces/kube-system/pods/p1/log";
    let other = kubernetes(&simulator, &format!("{path}?container=zz"));
    assert_eq!((other.status, other.message().as_str()), (400, "container zz is not valid for pod p1"));
    let invalid = kubernetes(&simulator, &format!("{path}?tailLines=-1&limitBytes=0"));
    assert_eq!(
        invalid.message(),
        "PodLogOptions \"p1\" is invalid: [tailLines: Invalid value: -1: must be greater than or equal to 0, \
         limitBytes: Invalid value: 0: must be greater than 0]"
    );
}

#[test]
fn a_recorded_answer_that_no_dial_gives_is_given_again() {
    let mut bundle = bundle();
    let message = "proxy error from 127.0.0.1:6443 while dialing 127.0.71.1:10250, code 502: 502 Bad Gateway";
    bundle["parts"]["pods.log"] = json!([{"node": "n1", "namespace": "kube-system", "pod": "p1", "container": "c",
        "status": 500, "message": message}]);
    let simulator = Simulator::start(&bundle, Options::default());
    assert_eq!(log(&simulator, "p1"), (500, message.into(), false));
}

#[test]
fn each_address_presents_its_certificate() {
    let simulator = Simulator::start(&bundle(), Options::default());
    let port = simulator.kubelet_port();
    for ip in ["127.0.71.1", "127.0.72.1"] {
        let mut stream = connect(&format!("{ip}:{port}"), simulator.cluster_ca()).unwrap();
        stream.conn.send_close_notify();
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    for number in [2, 3] {
        let refused = connect(&format!("127.0.71.{number}:{port}"), simulator.cluster_ca()).unwrap_err();
        assert!(refused.to_string().contains("certificate"), "{refused}");
    }
    let closed = connect(&format!("127.0.71.6:{port}"), simulator.cluster_ca()).unwrap_err();
    assert_eq!(closed.kind(), std::io::ErrorKind::ConnectionRefused);
    let seen: Vec<_> = simulator.requests().into_iter().map(|r| (r.method, r.path, r.received)).collect();
    assert!(seen.contains(&("TLS".into(), format!("n1 127.0.71.1:{port}"), 0)), "{seen:?}");
}

#[test]
fn nothing_beyond_this_machine_is_simulated() {
    for address in ["10.0.0.2", "192.0.2.1", "::1", "host.example"] {
        let mut bundle = bundle();
        bundle["parts"]["nodes"][0]["status"]["addresses"][0]["address"] = address.into();
        let refused = Simulator::try_start(&bundle, Options::default()).err().unwrap();
        assert!(refused.contains("127.0.0.0/8"), "{refused}");
    }
}

#[test]
fn the_usual_port_can_be_had() {
    let mut bundle = bundle();
    bundle["parts"]["nodes"] = json!([{"metadata": {"name": "n1"},
        "status": {"addresses": [{"type": "InternalIP", "address": "127.0.73.1"}]}}]);
    bundle["parts"]["pods"] = json!([pod("p1", "n1", &["c"])]);
    let options = Options { kubelet_port: KubeletPort::Fixed10250, ..Options::default() };
    let simulator = Simulator::start(&bundle, options);
    assert_eq!(simulator.kubelet_port(), 10250);
    assert_eq!(log(&simulator, "p1").0, 200);
}
