//! What is found in a real cluster is what the fixture says.

use std::collections::BTreeSet;
use std::time::Instant;

use kairos_doctor::fixture::Fixture;
use kairos_doctor_simulator::Options;
use serde_json::{Value, json};

use super::{Kubelets, Real, server};
use crate::cases::none;
use crate::live::{codes, drawn, expected};

const FIELD_REPORT: &str = "incidents/field-report";

#[test]
fn every_incident_is_found_ranked_and_folded() {
    let Some(assets) = server::assets("incident::every_incident_is_found_ranked_and_folded") else { return };
    let incidents: Vec<&str> = Fixture::names().filter(|name| name.starts_with("incidents/")).collect();
    assert!(incidents.contains(&FIELD_REPORT));
    let mut wrong = Vec::new();
    for incident in incidents {
        let began = Instant::now();
        let real = Real::of(assets.clone(), incident, Options::default(), Kubelets::KnowTheApiServer);
        wrong.extend(differs(&real, incident).into_iter().map(|what| format!("{incident}: {what}")));
        if incident == FIELD_REPORT {
            the_api_server_told_what_it_met(&real);
        }
        println!("{incident}: {:.1} s", began.elapsed().as_secs_f32());
    }
    none(wrong);
}

/// In what the diagnosis of the real cluster is another than the fixture's.
fn differs(real: &Real, incident: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut same = |what: &str, is: Value, should: Value| {
        if is != should {
            wrong.push(format!("{what}: {is:#}, and not {should:#}"));
        }
    };
    let (report, run) = real.report();
    let simulated = real.report_of(&real.bundle, "json").json();
    same("its words on stderr", run.err.clone().into(), "".into());
    same("its version", report["cluster"]["kubernetes_version"].clone(), real.version());
    let project = |report: &Value| report["cluster"]["hetzner"]["project"].clone();
    same("whose project it is", project(&report), project(&simulated));
    // Only the server sets creation times: all is too young for what waits, and nothing else differs.
    let ids = |report: &Value| -> BTreeSet<String> {
        let findings = report["findings"].as_array().unwrap().iter();
        findings.map(|f| f["id"].as_str().unwrap().to_string()).collect()
    };
    let more: Vec<String> = ids(&report).difference(&ids(&simulated)).cloned().collect();
    same("it finds more", json!(more), json!([]));
    let unknown = codes(&report, "unknown");
    // nor does anybody but the server say when Cilium's configuration was written: after the agents started
    let not_live = report["gaps"].as_array().unwrap().iter().filter(|gap| gap["need"] == "cilium_config");
    let hidden: Vec<&str> =
        not_live.flat_map(|gap| gap["hides"].as_array().unwrap()).filter_map(Value::as_str).collect();
    let mut others = unknown.clone();
    others.retain(|code| !hidden.contains(&&**code));
    let mut known = codes(&simulated, "unknown");
    known.retain(|code| !hidden.contains(&&**code));
    same("it cannot look at", json!(others), json!(known));
    let alarms = |f: &&Value| f["severity"] != "info";
    let exit = match (report["findings"].as_array().unwrap().iter().find(alarms), unknown.is_empty()) {
        (Some(_), _) => 1,
        (None, true) => 0,
        (None, false) => 3,
    };
    same("its exit status", run.exit.into(), exit.into());

    // what is recorded gives the same bytes
    let recorded = real.collected(&[]);
    let mut now = recorded.clone();
    now["now"] = report["generated_at"].clone();
    same("what is recorded", real.report_of(&now, "json").out.into(), run.out.into());

    let restored = real.report_of(&real.restored(recorded), "json").json();
    same("it finds", json!(drawn(&restored)), json!(expected(incident)));
    same(
        "it cannot look at, later,",
        json!(codes(&restored, "unknown")),
        json!(codes(&simulated, "unknown")),
    );
    wrong
}

/// The API server dialled each kubelet, and says of the bad one what Go's TLS says.
fn the_api_server_told_what_it_met(real: &Real) {
    let recorded = real.restored(real.collected(&[]));
    let probes = recorded["parts"]["pods.log"].as_array().unwrap();
    let of = |node: &str| probes.iter().find(|p| p["node"] == node).unwrap_or_else(|| panic!("{probes:?}"));
    assert_eq!(of("k1")["status"], 200);
    let met = of("k3");
    assert_eq!((&met["status"], &met["reason"]), (&json!(500), &Value::Null));
    let port = real.simulator.kubelet_port();
    let message = met["message"].as_str().unwrap();
    let began = format!("Get \"https://127.0.0.13:{port}/containerLogs/kube-system/");
    let why = "tls: failed to verify certificate: x509: certificate is valid for 127.0.0.1, 127.0.0.203, not 127.0.0.13";
    assert!(message.starts_with(&began) && message.ends_with(&format!("\": {why}")), "{message}");

    // With the kubelets out of the doctor's reach the words alone prove it, and the 200 of the others clears them.
    let mut unseen = recorded.clone();
    unseen["parts"].as_object_mut().unwrap().remove("kubelets");
    unseen["gaps"] = json!({"kubelets": {"need": "kubelets", "why": "left-out", "detail": "not dialled"}});
    let report = real.report_of(&unseen, "json").json();
    let found = report["findings"].as_array().unwrap();
    let found = found.iter().find(|f| f["id"] == "KD110/Node/k3");
    let found = found.unwrap_or_else(|| panic!("{}", report["findings"]));
    assert_eq!(found["confidence"], "confirmed");
    assert!(!drawn(&report).iter().any(|line| line.contains("KD110/Node/k1")));
}
