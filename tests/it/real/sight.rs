//! A healthy cluster with everything in sight, and with parts of it out of sight.

use kairos_doctor::fixture::Fixture;
use kairos_doctor_simulator::{Options, Simulator};
use serde_json::{Value, json};

use super::objects::JUDGED;
use super::{Kubelets, Real, server};
use crate::live::{drawn, run};

/// What a report says of sight: the gaps without their words, which name other users and servers, and how each check went.
fn sight(report: &Value) -> (Vec<Value>, Vec<Value>) {
    let gap = |g: &Value| json!([g["need"], g["item"], g["why"], g["hides"]]);
    let check = |c: &Value| json!([c["code"], c["status"]]);
    let of = |key: &str| report[key].as_array().unwrap().iter();
    (of("gaps").map(gap).collect(), of("checks").map(check).collect())
}

#[test]
fn a_healthy_cluster_is_healthy_and_blindness_is_told() {
    let Some(assets) = server::assets("sight::a_healthy_cluster_is_healthy_and_blindness_is_told") else {
        return;
    };
    let base = "healthy/hcm-cilium-3";
    let real = Real::of(assets, base, Options::default(), Kubelets::KnowTheApiServer);
    let (report, seen) = real.report();
    assert_eq!((seen.exit, drawn(&report), &report["gaps"]), (0, vec![], &json!([])), "{}", seen.out);
    let told = |fixture: &str| {
        let mut bundle = Fixture::named(fixture).unwrap().bundle();
        if let Some(part) = bundle["parts"].get_mut(JUDGED) {
            *part = json!([]);
        }
        sight(&real.report_of(&bundle, "json").json())
    };
    assert_eq!(sight(&report), told(base));

    let mut command = real.command(&["-o", "json"]);
    command.env_remove("HCLOUD_TOKEN");
    let no_token = run(command);
    assert_eq!(no_token.exit, 3);
    assert_eq!(sight(&no_token.json()), told("blind/no-token"));

    // the Hetzner API of another project, and the nodes' kubelets where they were
    let mut bundle = real.bundle.clone();
    let other = Fixture::named("blind/other-project").unwrap().bundle();
    for (key, part) in
        other["parts"].as_object().unwrap().iter().filter(|(key, _)| key.starts_with("hcloud."))
    {
        bundle["parts"][key] = part.clone();
    }
    let simulator = Simulator::start(&bundle, Options::default());
    let mut command = real.command(&["-o", "json"]);
    command
        .env("HCLOUD_ENDPOINT", simulator.hetzner_endpoint())
        .env("SSL_CERT_FILE", simulator.hetzner_ca_file());
    let other_project = run(command);
    assert_eq!(other_project.exit, 3);
    assert_eq!(sight(&other_project.json()), told("blind/other-project"));

    let no_rbac = Fixture::named("blind/no-rbac").unwrap().bundle();
    let withheld: Vec<&str> = no_rbac["gaps"].as_object().unwrap().keys().map(String::as_str).collect();
    real.withhold(&withheld);
    let (report, blind) = real.report();
    assert_eq!((blind.exit, drawn(&report)), (3, vec![]), "{}", blind.out);
    assert_eq!(sight(&report), told("blind/no-rbac"));
    real.withhold(&[]);
    assert_eq!(real.report().1.exit, 0);
}
