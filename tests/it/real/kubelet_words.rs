//! What a real API server says of kubelets that do not answer as they should, and what may be read into it.

use jiff::{SignedDuration, Timestamp};
use kairos_doctor_simulator::{Fault, Options, Target};
use serde_json::{Value, json};

use super::{Kubelets, Real, server};
use crate::live::drawn;

/// The end of what the API server said of each node's kubelet, without the port from which it happened to dial.
fn said(bundle: &Value) -> Vec<(i64, String)> {
    let tell = |probe: &Value| {
        let message = probe["message"].as_str().unwrap_or_default();
        let why = message.split_once("tailLines=1\": ").map_or(message, |(_, why)| why);
        let why = match why.split_once("->") {
            Some((from, to)) => format!("{}…->{to}", from.trim_end_matches(|c: char| c.is_ascii_digit())),
            None => why.to_string(),
        };
        (probe["status"].as_i64().unwrap_or_default(), why)
    };
    bundle["parts"]["pods.log"].as_array().unwrap().iter().map(tell).collect()
}

/// The same cluster, had the doctor not met any kubelet.
fn unmet(bundle: &Value) -> Value {
    let mut bundle = bundle.clone();
    for kubelet in bundle["parts"]["kubelets"].as_array_mut().unwrap() {
        kubelet["certificate"] = Value::Null;
        kubelet["failure"] = json!({"why": "unreachable", "detail": "not from here"});
    }
    bundle
}

fn gaps<'a>(report: &'a Value, need: &str) -> Vec<(&'a str, &'a str)> {
    let of = report["gaps"].as_array().unwrap().iter().filter(|gap| gap["need"] == need);
    of.map(|gap| (gap["item"].as_str().unwrap(), gap["why"].as_str().unwrap())).collect()
}

/// Changes the certificate of a node's kubelet at all of its addresses.
fn with_certificate(bundle: &mut Value, node: &str, change: impl Fn(&mut Value)) {
    let kubelets = bundle["parts"]["kubelets"].as_array_mut().unwrap().iter_mut();
    kubelets.filter(|kubelet| kubelet["node"] == node).for_each(change);
}

#[test]
fn only_words_that_prove_something_are_taken_for_proof() {
    let Some(assets) = server::assets("kubelet_words::only_words_that_prove_something_are_taken_for_proof")
    else {
        return;
    };
    let cut = Options::default()
        .failing(Target::kubelet("k1"), Fault::Truncate)
        .failing(Target::kubelet("k2"), Fault::HangUp)
        // only the doctor's: it dials both addresses of the node before the API server dials one
        .failing(Target::kubelet("k3").times(2), Fault::Reset);
    let mut real = Real::of(assets, "kd110/agent", cut, Kubelets::KnowTheApiServer);
    let plain = real.bundle.clone();
    the_words_are_taken_where_the_handshake_is_missing(&real);

    let recorded = real.collected(&[]);
    let not_covered = "tls: failed to verify certificate: x509: certificate is valid for 127.0.0.1, 127.0.0.203, not \
                       127.0.0.13";
    // Go says the same of a connection that ends in the handshake and after it: neither clears a certificate
    let all = [(500, "EOF".into()), (500, "EOF".into()), (500, not_covered.into())];
    assert_eq!(said(&recorded), all);
    assert_eq!(said(&real.collected_from(&real.simulator, &[])), all);
    let report = real.report_of(&unmet(&recorded), "json").json();
    assert_eq!(gaps(&report, "pods.log"), [("k1", "unreachable"), ("k2", "unreachable")]);
    assert_eq!(drawn(&report), ["KD110/Node/k3 critical"]);

    other_certificates(&mut real, plain.clone());
    no_tls_at_all(&mut real, plain);
}

fn the_words_are_taken_where_the_handshake_is_missing(real: &Real) {
    let (report, _) = real.report();
    assert_eq!(drawn(&report), ["KD110/Node/k3 critical"], "{report}");
    let evidence = report["findings"][0]["evidence"].as_array().unwrap();
    let words = evidence.iter().find(|e| e["path"] == "message").unwrap_or_else(|| panic!("{evidence:?}"));
    assert!(words["value"].as_str().unwrap().contains("x509: certificate is valid for "), "{words}");
    assert_eq!(report["findings"][0]["confidence"], "confirmed");
    // k2 showed its certificate to the doctor, and k1 to nobody
    assert_eq!(gaps(&report, "pods.log"), [("k1", "unreachable")]);
}

fn other_certificates(real: &mut Real, mut bundle: Value) {
    with_certificate(&mut bundle, "k1", |kubelet| {
        kubelet["trusted"] = false.into();
        kubelet["certificate"]["issuer"] = "another-ca".into();
    });
    with_certificate(&mut bundle, "k2", |kubelet| kubelet["certificate"]["ipAddresses"] = json!([]));
    let yesterday = Timestamp::now().saturating_sub(SignedDuration::from_hours(24)).unwrap();
    with_certificate(&mut bundle, "k3", |kubelet| {
        kubelet["certificate"]["notAfter"] = yesterday.to_string().into()
    });
    real.serve_instead(bundle, Options::default());
    let recorded = real.collected(&[]);
    let said_here = said(&recorded);
    let x509 = |why: &str| (500, format!("tls: failed to verify certificate: x509: {why}"));
    assert_eq!(said_here[0], x509("certificate signed by unknown authority"));
    let none = "cannot validate certificate for 127.0.0.12 because it doesn't contain any IP SANs";
    assert_eq!(said_here[1], x509(none));
    let (_, old) = &said_here[2];
    assert!(old.contains("x509: certificate has expired or is not yet valid: current time "), "{old}");
    let simulated = said(&real.collected_from(&real.simulator, &[]));
    assert_eq!(simulated[..2], said_here[..2]);
    let without_now = |text: &str| text.split("current time").next().map(String::from);
    assert_eq!(without_now(&simulated[2].1), without_now(old));
    let report = real.report_of(&unmet(&recorded), "json").json();
    assert_eq!(drawn(&report), ["KD110/Node/k2 critical", "KD110/Node/k3 critical predicted"], "{report}");
    assert_eq!(gaps(&report, "pods.log"), [("k1", "unreachable"), ("k3", "unreachable")]);
}

fn no_tls_at_all(real: &mut Real, bundle: Value) {
    let options = Options::default()
        .failing(Target::kubelet("k1"), Fault::Html502)
        .failing(Target::kubelet("k2"), Fault::Refuse)
        .failing(Target::kubelet("k3"), Fault::Silent);
    real.serve_instead(bundle, options);
    let recorded = real.collected(&[]);
    let port = real.simulator.kubelet_port();
    let all = [
        (500, "http: server gave HTTP response to HTTPS client".into()),
        (500, format!("dial tcp 127.0.0.12:{port}: connect: connection refused")),
        (500, "net/http: TLS handshake timeout".into()),
    ];
    assert_eq!(said(&recorded), all);
    assert_eq!(said(&real.collected_from(&real.simulator, &[])), all);
    let report = real.report_of(&recorded, "json").json();
    assert_eq!(
        gaps(&report, "pods.log"),
        [("k1", "unreachable"), ("k2", "unreachable"), ("k3", "timed-out")]
    );
    // what k3s was told makes k3 likely, and nothing clears the others
    assert_eq!(drawn(&report), ["KD110/Node/k3 critical predicted"], "{report}");
}
