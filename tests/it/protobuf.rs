//! Lists in the form that API servers have among each other become the same facts as in JSON.

use std::fs;
use std::path::PathBuf;

use kairos_doctor_checks::facts::{NEEDS, Need, Origin, Page, Resource, protobuf};
use kairos_doctor_simulator::kind;
use kairos_doctor_simulator::protobuf::body;
use serde_json::{Value, json};

use crate::cases::{CASES, none};

/// Needs whose lists are asked for in this form.
pub fn needs() -> impl Iterator<Item = (&'static Need, Resource)> {
    NEEDS.iter().filter_map(|need| match need.from {
        Origin::Kubernetes(resource) if protobuf::reads(&resource) => Some((*need, resource)),
        _ => None,
    })
}

/// A list as an API server answers it.
pub fn list(resource: &Resource, items: &Value) -> Value {
    let api_version = match resource.group {
        "" => resource.versions[0].to_string(),
        group => format!("{group}/{}", resource.versions[0]),
    };
    json!({"kind": format!("{}List", kind(resource.plural).unwrap().0), "apiVersion": api_version,
        "metadata": {"resourceVersion": "7", "continue": "next", "remainingItemCount": 3}, "items": items})
}

fn facts(need: &Need, page: Page) -> Value {
    need.encode(&need.join(vec![page.items]))
}

/// The facts of both forms of a list, and what each says of the next page.
fn both(need: &Need, list: &Value) -> [(Value, Option<String>); 2] {
    let protobuf = body(list).expect("a built-in kind has it");
    [list.to_string().into_bytes(), protobuf].map(|body| {
        let page = need.decode(&body).unwrap_or_else(|e| panic!("{}: {e}", need.key));
        let next = page.next.clone();
        (facts(need, page), next)
    })
}

#[test]
fn every_fixture_becomes_the_same_facts() {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for case in CASES.iter() {
        for (need, resource) in needs() {
            let items = &case.bundle["parts"][need.key];
            if !items.is_array() {
                continue;
            }
            compared += items.as_array().unwrap().len();
            let [json, protobuf] = both(need, &list(&resource, items));
            if json != protobuf {
                wrong.push(format!("{} {}:\n{}\n{}", case.fixture.name(), need.key, json.0, protobuf.0));
            }
        }
    }
    none(wrong);
    assert!(compared > 10_000, "{compared}");
}

#[test]
fn what_json_leaves_out_is_left_out() {
    let of = |key: &str, item: Value| {
        let (need, resource) = needs().find(|(need, _)| need.key == key).unwrap();
        let [json, protobuf] = both(need, &list(&resource, &json!([item])));
        assert_eq!(json, protobuf, "{key}");
        protobuf.0[0].clone()
    };
    let name = json!({"name": "x", "namespace": "y"});
    // A pointer to zero is not nothing, and zero without a pointer is.
    let deployment = of("deployments", json!({"metadata": name, "spec": {"replicas": 0}}));
    assert_eq!(deployment["spec"]["replicas"], 0);
    assert_eq!(of("deployments", json!({"metadata": name}))["spec"], Value::Null);
    let slice = |ready: Value| json!({"metadata": name, "endpoints": [{"conditions": {"ready": ready}}]});
    assert_eq!(of("endpointslices", slice(json!(false)))["endpoints"][0]["conditions"]["ready"], false);
    assert_eq!(of("endpointslices", slice(Value::Null))["endpoints"][0], json!({}));
    let definition =
        json!({"metadata": {"name": "x"}, "spec": {"versions": [{"name": "v1", "served": false}]}});
    assert_eq!(of("customresourcedefinitions", definition)["spec"]["versions"][0]["served"], false);
    assert_eq!(of("nodes", json!({"metadata": {"name": "x"}}))["metadata"], json!({"name": "x"}));
    let variable = json!({"name": "HCLOUD_NETWORK"});
    let pod = json!({"metadata": name, "spec": {"containers": [{"name": "c", "env": [variable]}]}});
    assert_eq!(of("pods", pod)["spec"]["containers"][0]["env"][0], variable, "it is set, and empty");
    // Without a time there is none, and 1970 is one.
    let event = |time: Value| of("events", json!({"metadata": name, "eventTime": time}));
    assert_eq!(event(Value::Null)["eventTime"], Value::Null);
    assert_eq!(event(json!("1970-01-01T00:00:00Z"))["eventTime"], "1970-01-01T00:00:00Z");
    assert_eq!(event(json!("2026-11-20T07:02:12.418201Z"))["eventTime"], "2026-11-20T07:02:12.418201Z");
    assert_eq!(event(json!("1901-12-13T20:45:51.5Z"))["eventTime"], "1901-12-13T20:45:51.5Z");
}

fn recorded() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/real/answers"))
}

/// Where the answers of a real API server to one need are kept, in both forms.
pub fn answers(need: &Need) -> [PathBuf; 2] {
    ["json", "protobuf"].map(|form| recorded().join(format!("{}.{form}", need.key)))
}

#[test]
fn what_a_real_api_server_answered_becomes_the_same_facts() {
    for (need, _) in needs() {
        let [json, protobuf] = answers(need).map(|path| fs::read(path).unwrap());
        assert!(protobuf::is(&protobuf) && !protobuf::is(&json), "{}", need.key);
        let [json, protobuf] = [json, protobuf].map(|body| facts(need, need.decode(&body).unwrap()));
        assert_eq!(json, protobuf, "{}", need.key);
        assert_ne!(json, json!([]), "{}", need.key);
    }
}

#[test]
fn a_body_is_read_whole_or_not_at_all() {
    let (need, resource) = needs().find(|(need, _)| need.key == "services").unwrap();
    let items =
        json!([{"metadata": {"name": "a", "labels": {"app": "x"}}, "spec": {"ports": [{"port": 80}]}}]);
    let whole = body(&list(&resource, &items)).unwrap();
    assert_eq!(need.len(&need.decode(&whole).unwrap().items), 1);
    // The two empty fields behind the list may be missing.
    for end in 0..whole.len() - 4 {
        assert!(need.decode(&whole[..end]).is_err(), "{end} of {}", whole.len());
    }
    let of_others = body(&json!({"kind": "Status", "apiVersion": "v1", "message": "no"})).unwrap();
    assert!(need.decode(&of_others).is_err());
}

#[test]
fn the_simulator_writes_what_a_real_api_server_writes() {
    let mut wrong = Vec::new();
    // Of a definition's schema, which has forms of its own, the simulator knows nothing.
    for (need, _) in needs().filter(|(need, _)| need.key != "customresourcedefinitions") {
        let [json, protobuf] = answers(need).map(|path| fs::read(path).unwrap());
        let list: Value = serde_json::from_slice(&json).unwrap();
        let (mut simulated, mut real) = (body(&list).unwrap(), protobuf);
        if need.key == "services" {
            // Who manages two ports: the keys of that JSON within the protobuf have an order that JSON does not keep.
            simulated.sort();
            real.sort();
        }
        if simulated != real {
            wrong.push(need.key.into());
        }
    }
    none(wrong);
}
