//! What a real API server answers where protobuf is asked for. `UPDATE_GENERATED=1` keeps its answers, for the test that needs
//! no server (`tests/it/protobuf.rs`).

use std::fs;

use kairos_doctor_checks::facts::protobuf;
use kairos_doctor_simulator::Options;
use reqwest::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};

use super::{Kubelets, Real, demands, server};
use crate::protobuf::{answers, needs};

/// Enough to show a kind: a real server has dozens of roles.
const PAGE: usize = 4;

#[tokio::test]
async fn an_api_server_says_the_same_in_both_forms() {
    let Some(assets) = server::assets("protobuf::an_api_server_says_the_same_in_both_forms") else { return };
    let real = Real::of(assets, "incidents/field-report", Options::default(), Kubelets::KnowNobody);
    real.server.kubectl_with(&["create", "-f", "-"], &demands::documents(&more()));
    let client = client(&real);
    for (need, resource) in needs() {
        let url = format!("{}{}?limit={PAGE}", real.server.address(), resource.path(resource.versions[0]));
        let mut bodies = Vec::new();
        for form in ["application/json", protobuf::MEDIA_TYPE] {
            let request = client.get(&url).bearer_auth(server::ADMIN).header(ACCEPT, form);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.headers()[CONTENT_TYPE], form, "{url}");
            bodies.push(answer.bytes().await.unwrap());
        }
        assert!(protobuf::is(&bodies[1]) && !protobuf::is(&bodies[0]), "{url}");
        let [json, protobuf] = [0, 1].map(|form| {
            let page = need.decode(&bodies[form]).unwrap_or_else(|e| panic!("{url}: {e}"));
            (need.encode(&need.join(vec![page.items])), page.next)
        });
        assert_eq!(json.0, protobuf.0, "{url}");
        // The token has the moment in it.
        assert_eq!(json.1.is_some(), protobuf.1.is_some(), "{url}");
        assert_ne!(json.0, json!([]), "{url}: nothing to compare");
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            for (path, body) in answers(need).iter().zip(&bodies) {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, body).unwrap();
            }
        }
    }
    let nowhere = format!("{}/api/v1/pods?limit=x", real.server.address());
    let request = client.get(nowhere).bearer_auth(server::ADMIN).header(ACCEPT, protobuf::MEDIA_TYPE);
    let refusal = request.send().await.unwrap().bytes().await.unwrap();
    let status: Value = protobuf::status(&refusal).unwrap();
    assert_eq!(status["reason"], "BadRequest", "{status}");
}

/// Kinds of which the incident has no object, and fields that are zero.
fn more() -> Vec<Value> {
    let pod = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "example.com/c:1",
        "env": [{"name": "HCLOUD_NETWORK", "valueFrom": {"secretKeyRef": {"name": "hcloud", "key": "network", "optional": false}}}, {"name": "HCLOUD_TOKEN", "value": ""}],
        "envFrom": [{"prefix": "HCLOUD_", "secretRef": {"name": "hcloud"}}]}]});
    let object = |api: &str, kind: &str, spec: Value| json!({"apiVersion": api, "kind": kind, "metadata": {"name": "a-form", "namespace": "default"}, "spec": spec});
    let deployment = json!({"replicas": 0, "selector": {"matchLabels": {"app": "a"}},
        "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": pod["containers"].clone()}}});
    let mut slice = object("discovery.k8s.io/v1", "EndpointSlice", Value::Null);
    slice["addressType"] = "IPv4".into();
    slice["endpoints"] = json!([{"addresses": ["192.0.2.9"], "conditions": {"ready": false}}]);
    let mut event = object("v1", "Event", Value::Null);
    event["involvedObject"] = json!({"kind": "Node", "name": "a-form", "namespace": "default"});
    event["eventTime"] = "2026-11-20T07:02:12.418201Z".into();
    let of_event = [
        ("type", "Warning"),
        ("reason", "R"),
        ("action", "A"),
        ("reportingInstance", "i"),
        ("reportingComponent", "example.com/c"),
    ];
    of_event.into_iter().for_each(|(field, text)| event[field] = text.into());
    for object in [&mut slice, &mut event] {
        object.as_object_mut().unwrap().remove("spec");
    }
    vec![
        object("v1", "Pod", pod.clone()),
        object("batch/v1", "Job", json!({"backoffLimit": 0, "template": {"spec": pod}})),
        object("apps/v1", "Deployment", deployment),
        object(
            "networking.k8s.io/v1",
            "Ingress",
            json!({"ingressClassName": "traefik", "tls": [{"hosts": ["a.example.com"], "secretName": "t"}],
            "defaultBackend": {"service": {"name": "a", "port": {"number": 80}}}}),
        ),
        object(
            "v1",
            "Service",
            json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false, "loadBalancerClass": "example.com/l",
            "ports": [{"port": 80}], "selector": {"app": "a"}}),
        ),
        slice,
        event,
    ]
}

fn client(real: &Real) -> Client {
    let authority = reqwest::Certificate::from_pem(real.authority.pem().as_bytes()).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().tls_certs_only([authority]).build().unwrap()
}
