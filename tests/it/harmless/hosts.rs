//! Nothing that a server says makes the program talk to another one.

use kairos_doctor_simulator::{Fault, Options, Source, Target};

use super::peer::Peer;
use crate::live::{Cluster, bare, run};

/// Answers that send a client elsewhere.
fn sends_elsewhere(code: u16, to: &str) -> Fault {
    let headers = [
        ("location", to.to_string()),
        ("refresh", format!("0; url={to}")),
        ("link", format!("<{to}>; rel=\"next\"")),
        ("content-location", to.to_string()),
    ];
    Fault::Status {
        code,
        content_type: "application/json".into(),
        headers: headers.map(|(name, value)| (name.to_string(), value)).into(),
        body: "{}".into(),
    }
}

#[test]
fn no_redirect_is_followed_with_a_token_or_without() {
    for code in [301, 302, 303, 307, 308] {
        let trap = Peer::trap();
        let elsewhere = sends_elsewhere(code, &format!("{}/api/v1/pods", trap.url()));
        let faults = vec![
            (Target::kubernetes("/api/v1/"), elsewhere.clone()),
            (Target::kubernetes("/apis"), elsewhere.clone()),
            (Target::hetzner(""), elsewhere),
        ];
        let cluster = Cluster::of("healthy/hcm-cilium-3", Options { faults, ..Options::default() });
        let (report, run) = cluster.report(&["--timeout", "10s"]);
        assert_eq!(run.exit, 3, "{}", run.err);
        assert_eq!((trap.connections(), trap.bytes()), (0, 0), "{code}");
        let gaps = report["gaps"].to_string();
        assert!(gaps.contains("no redirect is followed"), "{gaps}");
    }
}

/// The first answer of all, by which the API server is known.
#[test]
fn an_api_server_that_redirects_is_none() {
    let trap = Peer::trap();
    let faults =
        vec![(Target::all(Source::Kubernetes), sends_elsewhere(302, &format!("{}/version", trap.url())))];
    let cluster = Cluster::of("healthy/hcm-cilium-3", Options { faults, ..Options::default() });
    let (report, run) = cluster.report(&[]);
    assert_eq!(run.exit, 1, "{}", run.err);
    assert!(report["findings"][0]["id"].as_str().unwrap().starts_with("KD100/"), "{}", run.out);
    assert_eq!(trap.connections(), 0);
}

/// Credentials go out encrypted or, on this machine, to itself.
#[test]
fn credentials_of_a_kubeconfig_are_not_sent_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    for (user, refused) in [
        ("token: sesame", true),
        ("tokenFile: /nonexistent", true),
        ("username: jane, password: sesame", true),
        ("exec: {apiVersion: client.authentication.k8s.io/v1, command: /nonexistent}", true),
    ] {
        let config = format!(
            "current-context: one\ncontexts: [{{name: one, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: 'http://192.0.2.1:8080'}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
        );
        std::fs::write(&path, config).unwrap();
        let run = run(bare(&["--kubeconfig", path.to_str().unwrap()]));
        assert_eq!(run.exit == 2, refused, "{}", run.err);
        assert!(run.err.contains("in the clear") && !run.err.contains("sesame"), "{user}: {}", run.err);
        assert_eq!(run.out, "");
    }
}
