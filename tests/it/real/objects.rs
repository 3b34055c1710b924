//! The objects of a fixture, created through the real API: what it refuses, no cluster has.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use kairos_doctor_checks::facts::kubelet::ClusterCa;
use kairos_doctor_checks::facts::{Kind, NEEDS, Need, Origin, Resource};
use serde_json::{Value, json};

use super::definitions::{self, version_read};
use super::demands::{complete, documents, named};
use super::server::Server;

/// Kubernetes objects of a bundle that are not created from there, and why.
const NOT_CREATED: &[(&str, &str)] = &[
    (ClusterCa::NEED.key, "the authority's own certificate is written instead"),
    ("customresourcedefinitions", "those that are installed are whole"),
    (JUDGED, "the server itself judges each, and behind these there is nobody who would answer it"),
];

/// Objects that are as the server finds them, whatever else is written.
pub const JUDGED: &str = "apiservices";

/// What the server made of the objects of one need, still without their status.
pub struct Created {
    key: &'static str,
    objects: Vec<Value>,
}

/// Moves every time in a bundle by what makes its `now` the present: certificates are valid, and events recent.
pub fn bring_to_present(bundle: &mut Value) {
    fn walk(value: &mut Value, by: SignedDuration) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, by)),
            Value::Object(fields) => fields.values_mut().for_each(|field| walk(field, by)),
            Value::String(text) => {
                if let Ok(time) = text.parse::<Timestamp>() {
                    *text = (time + by).to_string();
                }
            }
            _ => {}
        }
    }
    let now: Timestamp = bundle["now"].as_str().expect("a bundle has a time").parse().expect("it is one");
    let present = Timestamp::from_second(Timestamp::now().as_second()).expect("it is a time");
    walk(bundle, present.duration_since(now));
}

/// The groups of a cluster's custom resources.
pub fn custom_groups(bundle: &Value) -> BTreeSet<&'static str> {
    let has_some = |need: &Need| bundle["parts"][need.key].as_array().is_some_and(|all| !all.is_empty());
    let group = |need: &&Need| match need.from {
        // k3s always brings that one
        Origin::Kubernetes(r) if r.custom && (r.group == "helm.cattle.io" || has_some(need)) => Some(r.group),
        _ => None,
    };
    NEEDS.iter().filter_map(group).collect()
}

/// Creates every Kubernetes object of the bundle; in the bundle each gets the UID that the server gave it, wherever that
/// stands: also in the names and labels of Hetzner load balancers.
pub fn create(server: &Server, bundle: &mut Value) -> Vec<Created> {
    describe_namespaces(bundle);
    let served = served(server);
    let mut all = Vec::new();
    for (need, resource) in order(bundle) {
        let key = need.key;
        let wanted: Vec<Value> = bundle["parts"][key].as_array().into_iter().flatten().cloned().collect();
        let there = server.json(&["get", &named(&resource), "-A"]);
        let there = there["items"].as_array().expect("a list has items");
        let is =
            |a: &Value, b: &Value| ["name", "namespace"].iter().all(|f| a["metadata"][f] == b["metadata"][f]);
        let (mut objects, missing): (Vec<Value>, Vec<Value>) =
            wanted.iter().cloned().partition(|object| there.iter().any(|t| is(t, object)));
        for object in &mut objects {
            *object = there.iter().find(|t| is(t, object)).expect("it is there").clone();
        }
        let version = match served.get(&named(&resource)) {
            Some(served) => version_read(served, &resource).expect("a version is served that is read"),
            None => resource.versions[0],
        };
        let missing: Vec<Value> =
            missing.into_iter().map(|object| complete(&resource, version, object)).collect();
        if !missing.is_empty() {
            // strict: a field that does not exist would show that a fixture is not of this world
            let made = server.kubectl_with(
                &["create", "-f", "-", "--validate=strict", "-o", "json"],
                &documents(&missing),
            );
            objects.extend(items(&made));
        }
        for was in &wanted {
            let is_now = objects.iter().find(|o| is(o, was)).expect("it was created");
            replace_uid(bundle, key, was, &is_now["metadata"]["uid"]);
        }
        all.push(Created { key, objects });
    }
    all
}

/// Gives the created objects the status that they have in the bundle, nodes with the port of the kubelets.
pub fn set_status(server: &Server, bundle: &Value, created: Vec<Created>, kubelet_port: u16) {
    for Created { key, objects } in created {
        let recorded = bundle["parts"][key].as_array().expect("it was created from there");
        let with_status = |mut object: Value| {
            let of = |r: &&Value| r["metadata"]["uid"] == object["metadata"]["uid"];
            let mut status = recorded.iter().find(of)?.get("status")?.clone();
            if key == "nodes" {
                status["daemonEndpoints"]["kubeletEndpoint"]["Port"] = kubelet_port.into();
            }
            // those without a status of their own got it at once
            let is_set = object["status"] == status;
            object["status"] = status;
            (!is_set).then_some(object)
        };
        let objects: Vec<Value> = objects.into_iter().filter_map(with_status).collect();
        if !objects.is_empty() {
            server.kubectl_with(&["replace", "--subresource=status", "-f", "-"], &documents(&objects));
        }
    }
}

/// Lets the agents of Cilium that started after their configuration was written start now. Only the server says when that
/// was: a moment ago.
pub fn start_agents(bundle: &mut Value) {
    let time = |value: &Value| value.as_str().and_then(|time| time.parse::<Timestamp>().ok());
    let fields = bundle["parts"]["cilium_config"][0]["metadata"]["managedFields"].as_array();
    let written = fields.into_iter().flatten().filter_map(|field| time(&field["time"])).max();
    let now = Timestamp::from_second(Timestamp::now().as_second()).expect("it is a time").to_string();
    let Some(written) = written else { return };
    for pod in bundle["parts"]["pods"].as_array_mut().into_iter().flatten() {
        let is_agent = pod["metadata"]["labels"]["k8s-app"] == "cilium";
        if is_agent && time(&pod["status"]["startTime"]).is_some_and(|started| started >= written) {
            pod["status"]["startTime"] = now.clone().into();
        }
    }
}

/// The served versions of the custom resources that are defined.
fn served(server: &Server) -> BTreeMap<String, Vec<String>> {
    let defined = server.json(&["get", "crd"]);
    let of = |d: &Value| (d["metadata"]["name"].as_str().unwrap().to_string(), definitions::served(d));
    defined["items"].as_array().expect("a list has items").iter().map(of).collect()
}

/// The parts of a bundle that are Kubernetes objects, in the order in which they are created: what names the UID of another
/// object, as its owner or what it is about, comes after it, and everything comes after the namespaces.
///
/// # Panics
/// When two parts name each other.
fn order(bundle: &Value) -> Vec<(&'static Need, Resource)> {
    let is_left_out = |need: &Need| NOT_CREATED.iter().any(|(key, _)| *key == need.key);
    let objects = |key: &str| bundle["parts"][key].as_array().map(Vec::as_slice).unwrap_or_default();
    let part = |need: &&'static Need| match need.from {
        Origin::Kubernetes(resource) => Some((*need, resource)),
        _ => None,
    };
    let is_here = |need: &Need| !is_left_out(need) && !objects(need.key).is_empty();
    let mut left: Vec<(&Need, Resource)> =
        NEEDS.iter().filter_map(part).filter(|(need, _)| is_here(need)).collect();

    let keys: Vec<&str> = left.iter().map(|(need, _)| need.key).collect();
    let uid = |object: &Value| object["metadata"]["uid"].as_str().map(String::from);
    let mut part_of: BTreeMap<String, &str> = BTreeMap::new();
    for key in &keys {
        part_of.extend(objects(key).iter().filter_map(uid).map(|uid| (uid, *key)));
    }
    let named_by = |key: &str| -> BTreeSet<&str> {
        let mut found = BTreeSet::from(["namespaces"]);
        objects(key).iter().for_each(|object| strings(object, &mut |text| found.extend(part_of.get(text))));
        found.retain(|named| *named != key && keys.contains(named));
        found
    };
    let mut waits: BTreeMap<&str, BTreeSet<&str>> = keys.iter().map(|key| (*key, named_by(key))).collect();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let next = left.iter().position(|(need, _)| waits[need.key].is_empty());
        let next = left.remove(next.unwrap_or_else(|| panic!("these name each other: {waits:?}")));
        waits.remove(next.0.key);
        for keys in waits.values_mut() {
            keys.remove(next.0.key);
        }
        ordered.push(next);
    }
    ordered
}

fn strings<'a>(value: &'a Value, see: &mut dyn FnMut(&'a str)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| strings(item, see)),
        Value::Object(fields) => fields.values().for_each(|field| strings(field, see)),
        Value::String(text) => see(text),
        _ => {}
    }
}

fn replace_uid(bundle: &mut Value, key: &str, object: &Value, new: &Value) {
    let new = new.as_str().expect("the server gives every object a UID");
    let Some(old) = object["metadata"]["uid"].as_str() else {
        let all = bundle["parts"][key].as_array_mut().expect("the object is from there");
        let it =
            all.iter_mut().find(|o| o["metadata"] == object["metadata"]).expect("the object is from there");
        it["metadata"]["uid"] = new.into();
        return;
    };
    let plain = |uid: &str| uid.replace('-', "");
    // a load balancer that has no name of its own is called `a` and the Service's UID without dashes
    let text = bundle.to_string().replace(old, new).replace(&plain(old), &plain(new));
    *bundle = serde_json::from_str(&text).expect("only UIDs were replaced");
}

/// The objects in what kubectl wrote, one document after the other.
pub fn items(text: &str) -> Vec<Value> {
    let documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    documents.map(|document| document.expect("kubectl writes JSON")).collect()
}

/// Fixtures name namespaces that they do not describe; nothing can be in one that is not there.
fn describe_namespaces(bundle: &mut Value) {
    let objects = bundle["parts"].as_object().expect("a bundle has parts").values();
    let named = objects.flat_map(|part| part.as_array().into_iter().flatten());
    let named: BTreeSet<String> =
        named.filter_map(|o| o["metadata"]["namespace"].as_str()).map(String::from).collect();
    let all = bundle["parts"]["namespaces"].as_array_mut().expect("every fixture has namespaces");
    for name in named {
        if !all.iter().any(|namespace| namespace["metadata"]["name"] == name.as_str()) {
            all.push(json!({"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}}));
        }
    }
}

#[test]
fn every_object_of_every_fixture_has_its_turn() {
    for case in crate::cases::CASES.iter() {
        let ordered: BTreeSet<&str> = order(&case.bundle).iter().map(|(need, _)| need.key).collect();
        for need in NEEDS {
            let is_object = matches!(need.from, Origin::Kubernetes(_));
            let is_here = case.bundle["parts"][need.key].as_array().is_some_and(|all| !all.is_empty());
            let is_left_out = NOT_CREATED.iter().any(|(key, _)| *key == need.key);
            let has_turn = is_object && is_here && !is_left_out;
            assert_eq!(ordered.contains(need.key), has_turn, "{}: {}", case.fixture.name(), need.key);
        }
    }
}
