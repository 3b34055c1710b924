//! What fails when it is told to.

use std::io::ErrorKind;
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use kairos_doctor_simulator::{Fault, Options, Simulator, Source, Target};

use crate::bundle;
use crate::client::{connect, hetzner, kubernetes, kubernetes_with};

#[test]
fn the_api_server_can_be_off_while_hetzner_stays() {
    let simulator = Simulator::start(&bundle(), Options::default().without_api_server());
    let refused = kubernetes_with(&simulator, "/version", &[]).err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(hetzner(&simulator, "/servers").status, 200);
    assert!(simulator.requests().iter().all(|r| r.source == Source::Hetzner));
}

#[test]
fn a_fault_strikes_its_path_alone_and_as_often_as_told() {
    let too_many = Fault::Status {
        code: 429,
        content_type: "application/json".into(),
        headers: vec![("Retry-After".into(), "1".into())],
        body: "{}".into(),
    };
    let simulator = Simulator::start(
        &bundle(),
        Options::default()
            .failing(Target::kubernetes("/api/v1/nodes").times(1), too_many)
            .failing(Target::kubernetes("/api/v1/pods"), Fault::Truncate)
            .failing(Target::kubernetes("/api/v1/services"), Fault::Reset)
            .failing(Target::hetzner("/v1/servers"), Fault::Html502),
    );
    let first = kubernetes(&simulator, "/api/v1/nodes");
    assert_eq!((first.status, first.headers["retry-after"].as_str()), (429, "1"));
    assert_eq!(kubernetes(&simulator, "/api/v1/nodes").status, 200);
    let cut = kubernetes_with(&simulator, "/api/v1/pods", &[]).err().unwrap();
    assert_eq!(cut.kind(), ErrorKind::UnexpectedEof);
    let reset = kubernetes_with(&simulator, "/api/v1/services", &[]).err().unwrap();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    let bad = hetzner(&simulator, "/servers");
    assert_eq!((bad.status, bad.headers["content-type"].as_str()), (502, "text/html"));
    assert!(bad.text().starts_with("<html>"));
    assert_eq!(hetzner(&simulator, "/locations").status, 200);
}

#[test]
fn a_silent_source_accepts_and_says_nothing() {
    let silent = Options::default()
        .failing(Target::all(Source::Kubernetes), Fault::Silent)
        .failing(Target::kubelet("n1"), Fault::Silent);
    let simulator = Simulator::start(&bundle(), silent);
    let kubelet = format!("127.0.71.1:{}", simulator.kubelet_port());
    for address in [simulator.server().strip_prefix("https://").unwrap(), &kubelet] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(matches!(
            stream.read(&mut [0; 1]).unwrap_err().kind(),
            ErrorKind::WouldBlock | ErrorKind::TimedOut
        ));
    }
    assert_eq!(hetzner(&simulator, "/servers").status, 200);
}

#[test]
fn kubelets_fail_too() {
    let simulator = Simulator::start(
        &bundle(),
        Options::default()
            .failing(Target::kubelet("n1"), Fault::Html502)
            .failing(Target::kubelet("n2"), Fault::Refuse),
    );
    let port = simulator.kubelet_port();
    let ask = |ip: &str| connect(&format!("{ip}:{port}"), simulator.cluster_ca()).err().unwrap();
    assert_eq!(ask("127.0.71.1").kind(), ErrorKind::InvalidData);
    assert_eq!(ask("127.0.71.2").kind(), ErrorKind::ConnectionRefused);
    let log = kubernetes(&simulator, "/api/v1/namespaces/kube-system/pods/p1/log?limitBytes=1");
    assert!(log.message().ends_with("http: server gave HTTP response to HTTPS client"), "{}", log.message());
}
