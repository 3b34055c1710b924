//! What is found in a real cluster is what the fixture says.

use jiff::{SignedDuration, Timestamp};
use kairos_doctor_simulator::Options;
use serde_json::{Value, json};

use super::{Kubelets, Real, server};
use crate::live::{codes, drawn, expected};

const INCIDENT: &str = "incidents/field-report";

#[test]
fn the_incident_is_found_ranked_and_folded() {
    let Some(assets) = server::assets("incident::the_incident_is_found_ranked_and_folded") else { return };
    let real = Real::of(assets, INCIDENT, Options::default(), Kubelets::KnowTheApiServer);
    let (report, run) = real.report();
    assert_eq!((run.exit, run.err.as_str()), (1, ""));
    assert_eq!(report["gaps"], json!([]));
    assert_eq!(codes(&report, "unknown"), [""; 0]);
    assert_eq!(report["cluster"]["hetzner"]["project"], "same");
    assert_eq!(report["cluster"]["kubernetes_version"], real.version());

    // Only the server sets creation times: every Service is younger than the two minutes for which KD300 waits, and every
    // Certificate than the fifteen of KD410.
    let plain = |lines: Vec<String>| -> Vec<String> {
        let mut lines: Vec<String> = lines.iter().map(|line| line.trim().to_string()).collect();
        lines.retain(|line| !line.starts_with("KD300/") && !line.starts_with("KD410/"));
        lines.sort();
        lines
    };
    assert_eq!(plain(drawn(&report)), plain(expected(INCIDENT)));
    assert_eq!(drawn(&report).len(), expected(INCIDENT).len() - 2);

    // what is recorded gives the same bytes
    let mut bundle = real.collected(&[]);
    let recorded = bundle["now"].as_str().unwrap().parse::<Timestamp>().unwrap();
    bundle["now"] = report["generated_at"].clone();
    assert_eq!(real.report_of(&bundle, "json").out, run.out);

    // and an hour later, all of it
    bundle["now"] = (recorded + SignedDuration::from_hours(1)).to_string().into();
    let later = real.report_of(&bundle, "json");
    assert_eq!(drawn(&later.json()), expected(INCIDENT), "{}", later.out);

    the_api_server_told_what_it_met(&real, &bundle);
}

/// The API server dialled each kubelet, and says of the bad one what Go's TLS says.
fn the_api_server_told_what_it_met(real: &Real, bundle: &Value) {
    let probes = bundle["parts"]["pods.log"].as_array().unwrap();
    let statuses: Vec<_> =
        probes.iter().map(|p| (p["node"].as_str().unwrap(), p["status"].as_i64().unwrap())).collect();
    assert_eq!(statuses, [("k1", 200), ("k2", 200), ("k3", 500)]);
    let port = real.simulator.kubelet_port();
    let url = format!(
        "https://127.0.0.13:{port}/containerLogs/kube-system/hcloud-csi-node-k3ccc/csi-node-driver-registrar\
         ?limitBytes=1&tailLines=1"
    );
    let why = "tls: failed to verify certificate: x509: certificate is valid for 127.0.0.1, 127.0.0.203, not 127.0.0.13";
    assert_eq!(probes[2]["message"], format!("Get \"{url}\": {why}"));
    assert_eq!(probes[2]["reason"], Value::Null);

    // With the kubelets out of the doctor's reach the words alone prove it, and the 200 of the others clears them.
    let mut unseen = bundle.clone();
    unseen["parts"].as_object_mut().unwrap().remove("kubelets");
    unseen["gaps"] = json!({"kubelets": {"need": "kubelets", "why": "left-out", "detail": "not dialled"}});
    let report = real.report_of(&unseen, "json").json();
    let found = report["findings"].as_array().unwrap();
    let found: Vec<&Value> = found.iter().filter(|f| f["code"] == "KD110").collect();
    assert_eq!(found.len(), 1, "{}", report["findings"]);
    assert_eq!((&found[0]["id"], &found[0]["confidence"]), (&json!("KD110/Node/k3"), &json!("confirmed")));
}
