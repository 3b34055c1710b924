//! The commands that a report prints for now do what they say, where they touch nothing but Kubernetes.

use kairos_doctor_simulator::Options;
use serde_json::{Value, json};

use super::{Kubelets, Real, server};

const LOCATION: &str = "load-balancer.hetzner.cloud/location";

fn finding<'a>(report: &'a Value, id: &str) -> Option<&'a Value> {
    report["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == id)
}

/// Runs the commands of these steps, as an administrator whose kubeconfig has a context of the same name.
fn type_in(real: &Real, steps: &Value) -> usize {
    let steps = steps.as_array().unwrap().iter();
    let argv = |step: &Value| -> Option<Vec<String>> { serde_json::from_value(step["argv"].clone()).ok() };
    let commands: Vec<Vec<String>> = steps
        .filter(|step| step["when"] != "for-good")
        .filter_map(argv)
        .filter(|argv| argv[0] == "kubectl")
        .collect();
    for argv in &commands {
        let args: Vec<&str> = argv[1..].iter().map(String::as_str).collect();
        assert!(args.windows(2).any(|pair| pair == ["--context", "prod"]), "{args:?}");
        real.server.kubectl(&args);
    }
    commands.len()
}

#[test]
fn a_gateway_gets_its_location_and_hands_it_on() {
    let Some(assets) = server::assets("fixes::a_gateway_gets_its_location_and_hands_it_on") else { return };
    let real = Real::of(assets, "kd301/gateway", Options::default(), Kubelets::KnowTheApiServer);
    let id = "KD301/Service/edge/cilium-gateway-web";
    let (report, _) = real.report();
    let found = finding(&report, id).unwrap_or_else(|| panic!("{}", report["findings"]));
    assert_eq!(type_in(&real, &found["fix"]), 1, "{}", found["fix"]);
    let gateway = real.server.json(&["get", "gateway", "web", "-n", "edge"]);
    let annotations = &gateway["spec"]["infrastructure"]["annotations"];
    // the patch adds to what was there
    let name = json!("cilium-gateway-web");
    assert_eq!(annotations, &json!({LOCATION: "nbg1", "load-balancer.hetzner.cloud/name": name}));

    // Cilium's operator would do this now
    let set = format!("{LOCATION}={}", annotations[LOCATION].as_str().unwrap());
    real.server.kubectl(&["annotate", "service", "cilium-gateway-web", "-n", "edge", &set]);
    assert!(finding(&real.report().0, id).is_none());
    assert_eq!(type_in(&real, &found["verify"]), 1);
}

#[test]
fn a_plain_service_gets_its_location() {
    let Some(assets) = server::assets("fixes::a_plain_service_gets_its_location") else { return };
    let real = Real::of(assets, "kd301/plain", Options::default(), Kubelets::KnowTheApiServer);
    let (report, _) = real.report();
    let found = &report["findings"][0];
    assert_eq!(found["code"], "KD301", "{}", report["findings"]);
    assert_eq!(type_in(&real, &found["fix"]), 1, "{}", found["fix"]);
    let subject = &found["subjects"][0];
    let (name, namespace) = (subject["name"].as_str().unwrap(), subject["namespace"].as_str().unwrap());
    let service = real.server.json(&["get", "service", name, "-n", namespace]);
    assert_eq!(service["metadata"]["annotations"][LOCATION], "nbg1");
    assert_eq!(real.report().0["findings"], json!([]));
}
