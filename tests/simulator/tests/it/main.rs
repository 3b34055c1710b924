//! A small cluster, served and asked.

mod client;
mod faults;
mod hetzner;
mod kubelets;
mod kubernetes;
mod secrets;

use serde_json::{Value, json};

fn node(number: u8) -> Value {
    let mut annotations = json!({"k3s.io/hostname": format!("n{number}")});
    annotations["k3s.io/node-args"] = r#"["server","--node-ip","127.0.71.1"]"#.into();
    json!({
        "metadata": {"name": format!("n{number}"), "annotations": annotations},
        "spec": {"providerID": format!("hcloud://{number}")},
        "status": {
            "addresses": [{"type": "InternalIP", "address": format!("127.0.71.{number}")},
                {"type": "Hostname", "address": format!("n{number}")}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        },
    })
}

fn pod(name: &str, node: &str, containers: &[&str]) -> Value {
    let containers: Vec<Value> =
        containers.iter().map(|name| json!({"name": name, "image": "i", "args": ["--v=2"]})).collect();
    json!({"metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"nodeName": node, "containers": containers}, "status": {"phase": "Running"}})
}

fn kubelet(number: u8, certificate: Value, trusted: bool) -> Value {
    json!({"node": format!("n{number}"), "addressType": "InternalIP", "address": format!("127.0.71.{number}"),
        "port": 10250, "certificate": certificate, "trusted": trusted})
}

fn failed(number: u8, why: &str) -> Value {
    let mut item = kubelet(number, Value::Null, false);
    item["failure"] = json!({"why": why, "detail": "recorded"});
    item
}

/// Seven nodes, each with another kubelet: good, of another address, of another authority, without addresses, out of
/// date, closed, silent.
fn bundle() -> Value {
    let certificate = |ip: &str, subject: &str, issuer: &str| {
        json!({"subject": subject, "issuer": issuer, "dnsNames": [subject, "localhost"], "ipAddresses": ["127.0.0.1", ip],
            "notBefore": "2025-01-01T00:00:00Z", "notAfter": "2125-01-01T00:00:00Z"})
    };
    let mut nameless = certificate("127.0.71.4", "n4", "k3s-server-ca@1");
    nameless["ipAddresses"] = json!([]);
    let mut old = certificate("127.0.71.5", "n5", "k3s-server-ca@1");
    old["notAfter"] = "2025-02-01T00:00:00Z".into();
    let mut nodes: Vec<Value> = (1..=7).map(node).collect();
    nodes[0]["status"]["addresses"]
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "ExternalIP", "address": "127.0.72.1"}));
    let mut pods: Vec<Value> = (1..=7).map(|n| pod(&format!("p{n}"), &format!("n{n}"), &["c"])).collect();
    pods.extend([pod("two", "n1", &["a", "b"]), pod("waiting", "", &["c"]), pod("lost", "gone", &["c"])]);
    let event = |name: &str, kind: &str, r#type: &str| {
        json!({"metadata": {"name": name, "namespace": "edge"}, "type": r#type, "reason": "R",
            "involvedObject": {"kind": kind, "name": "x", "namespace": "edge"}})
    };
    let server = |id: i64| {
        json!({"id": id, "name": format!("n{id}"), "status": "running",
            "public_net": {"ipv4": {"ip": format!("127.0.72.{id}")}}})
    };
    json!({
        "format": "kairos-doctor/bundle/v1",
        "now": "2026-02-03T04:05:06Z",
        "context": "edge",
        "parts": {
            "version": [{"gitVersion": "v1.33.1+k3s1"}],
            "cluster_ca": [{"certificate": {"subject": "k3s-server-ca@1"}}],
            "nodes": nodes,
            "pods": pods,
            "events": [event("a", "Node", "Warning"), event("b", "Pod", "Warning"), event("c", "Node", "Normal")],
            "services": [{"metadata": {"name": "web", "namespace": "edge"}, "spec": {"type": "LoadBalancer"}}],
            "cilium_config": [{"metadata": {"name": "cilium-config", "namespace": "kube-system"},
                "data": {"routing-mode": "tunnel"}}],
            "helmchartconfigs": [{"metadata": {"name": "traefik", "namespace": "kube-system"}}],
            "hcloud.servers": (1..=60).map(server).collect::<Vec<_>>(),
            "hcloud.load_balancers": [{"id": 9, "name": "web", "services": [{"listen_port": 80}]}],
            "kubelets": [
                kubelet(2, certificate("127.0.71.99", "n2", "k3s-server-ca@1"), true),
                kubelet(3, certificate("127.0.71.3", "n3", "other-ca"), false),
                kubelet(4, nameless, true),
                kubelet(5, old, true),
                failed(6, "unreachable"),
                failed(7, "timed-out"),
            ],
        },
    })
}
