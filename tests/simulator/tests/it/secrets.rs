//! Canaries: all are served, and none survives decoding.

use kairos_doctor_checks::facts::{NEEDS, Origin};
use kairos_doctor_simulator::{Options, Simulator};
use serde_json::json;

use crate::bundle;
use crate::client::{hetzner, kubernetes};

#[test]
fn every_canary_is_served_and_none_becomes_a_fact() {
    let simulator = Simulator::start(&bundle(), Options::default().inflated());
    let plain = Simulator::start(&bundle(), Options::default());
    assert!(simulator.canaries().len() > 50);
    assert!(!simulator.unserved_canaries().is_empty());
    for need in NEEDS {
        let ask = |simulator: &Simulator| match need.from {
            Origin::Kubernetes(r) if r.custom && r.group != "helm.cattle.io" => None,
            Origin::Kubernetes(r) => Some(kubernetes(simulator, &r.path(r.versions[0])).body),
            Origin::KubernetesPath(path) => Some(kubernetes(simulator, path).body),
            Origin::Hetzner(c) => Some(hetzner(simulator, &format!("/{}?per_page=50", c.path)).body),
            _ => None,
        };
        // the certificate authority is read from its text by the collector
        if need.key == "cluster_ca" {
            ask(&simulator);
            continue;
        }
        let Some(body) = ask(&simulator) else { continue };
        let facts = need.encode(&need.join(vec![need.decode(&body).unwrap().items])).to_string();
        for canary in simulator.canaries() {
            assert!(!facts.contains(&canary), "{canary} became a fact of {}", need.key);
        }
        // there a masked value shows that something was left out; of Cilium's configuration also who wrote it, and when
        if !["nodes", "pods", "deployments", "daemonsets", "cilium_config"].contains(&need.key) {
            let plain = need.decode(&ask(&plain).unwrap()).unwrap().items;
            assert_eq!(need.encode(&need.join(vec![plain])).to_string(), facts, "inflating changed a fact");
        }
    }
    assert_eq!(simulator.unserved_canaries(), Vec::<String>::new());
}

#[test]
fn who_asks_for_a_whole_log_sees_a_canary() {
    let simulator = Simulator::start(&bundle(), Options::default());
    let log = kubernetes(&simulator, "/api/v1/namespaces/kube-system/pods/p1/log").text();
    assert!(simulator.canaries().iter().any(|canary| log.contains(canary)), "{log}");
}

#[test]
fn counters_count() {
    let simulator = Simulator::start(&bundle(), Options::default());
    kubernetes(&simulator, "/version?x=1");
    hetzner(&simulator, "/servers");
    assert_eq!(json!(simulator.methods()), json!({"GET": 2}));
    let request = simulator.requests().remove(0);
    assert_eq!((request.path.as_str(), request.query.as_str(), request.status), ("/version", "x=1", 200));
    let bytes = simulator.bytes(request.source);
    assert!(bytes.sent as usize > request.sent && bytes.received > 100, "{bytes:?}");
    let kubeconfig = std::fs::read_to_string(simulator.kubeconfig_path()).unwrap();
    assert_eq!(kubeconfig, simulator.kubeconfig());
    assert!(kubeconfig.contains(simulator.server()) && kubeconfig.contains("\"current-context\": \"edge\""));
    let path = simulator.kubeconfig_path();
    drop(simulator);
    assert!(!path.exists());
}
