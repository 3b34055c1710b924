//! The custom resources of all fixtures are such as the published definitions admit.

use std::collections::{BTreeMap, BTreeSet};

use kairos_doctor::fixture::Fixture;
use kairos_doctor_checks::facts::{NEEDS, Origin, Resource};
use kairos_doctor_simulator::{Authority, kind};
use serde_json::{Value, json};

use super::definitions::{self, Release, served, version_read};
use super::demands::{complete, documents, install, named};
use super::server::{self, Server, Setup};
use crate::cases::{CASES, none};

/// Fields of fixtures that older releases do not have.
const NEWER: &[(&str, &str)] = &[("helm-controller-v0.16.13", "takeOwnership")];

const CREATE: &[&str] = &["create", "--dry-run=server", "--validate=strict", "-f", "-"];
const REPLACE_STATUS: &[&str] =
    &["replace", "--subresource=status", "--dry-run=server", "--validate=strict", "-f", "-"];

/// One object as it is in some fixtures.
#[derive(Clone)]
struct Sample {
    object: Value,
    fixtures: Vec<&'static str>,
}

#[test]
fn published_definitions_admit_every_custom_resource() {
    let test = "schemas::published_definitions_admit_every_custom_resource";
    let (Some(assets), Some(releases)) = (server::assets(test), definitions::published(test)) else { return };
    let undefined = definitions::undefined(releases);
    assert!(undefined.is_empty(), "add the modules of these to tests/crds/fetch: {undefined:?}");

    let samples = samples();
    assert!(samples.values().any(|of_kind| !of_kind.is_empty()), "no fixture has a custom resource");
    let authority = Authority::of(&Fixture::named("healthy/hcm-only-1").unwrap().bundle()).unwrap();
    let server = Server::start(Setup {
        assets,
        context: "schemas",
        authority: &authority,
        known_to_kubelets: false,
        more: &[],
    });
    let namespaces: BTreeSet<&str> =
        samples.values().flatten().filter_map(|s| s.object["metadata"]["namespace"].as_str()).collect();
    for namespace in namespaces {
        // some are there from the beginning
        if server.try_kubectl(&["get", "namespace", namespace], "").is_err() {
            server.kubectl(&["create", "namespace", namespace]);
        }
    }
    none(releases.iter().flat_map(|release| refused(&server, release, &samples)).collect());
}

/// Each distinct custom resource of all fixtures, by its definition's name.
fn samples() -> BTreeMap<String, Vec<Sample>> {
    let mut all: BTreeMap<String, BTreeMap<String, Sample>> = BTreeMap::new();
    for case in CASES.iter() {
        for need in NEEDS {
            let Origin::Kubernetes(resource) = need.from else { continue };
            for object in case.bundle["parts"][need.key].as_array().into_iter().flatten() {
                if resource.custom {
                    let of_kind = all.entry(named(&resource)).or_default();
                    let new = || Sample { object: object.clone(), fixtures: Vec::new() };
                    of_kind.entry(object.to_string()).or_insert_with(new).fixtures.push(case.fixture.name());
                }
            }
        }
    }
    all.into_iter().map(|(name, of_kind)| (name, of_kind.into_values().collect())).collect()
}

/// What that release's definitions refuse. Nothing of it is left on the server afterwards.
fn refused(server: &Server, release: &Release, samples: &BTreeMap<String, Vec<Sample>>) -> Vec<String> {
    let defined: Vec<(Resource, Value)> =
        definitions::custom().into_iter().filter_map(|r| Some((r, release.definition(&r)?))).collect();
    if defined.is_empty() {
        return Vec::new();
    }
    let definitions: Vec<Value> = defined.iter().map(|(_, definition)| definition.clone()).collect();
    install(server, &definitions);
    let mut wrong = Vec::new();
    let mut here = Vec::new();
    let mut with_status = Vec::new();
    for (resource, definition) in &defined {
        let spec = &definition["spec"];
        let published = (spec["names"]["kind"].as_str().unwrap(), spec["scope"] == "Namespaced");
        if kind(resource.plural) != Some(published) {
            wrong.push(format!("{}: {} is {published:?}", release.name, resource.plural));
        }
        let version = version_read(&served(definition), resource).expect("it is defined for that");
        let mut versions = spec["versions"].as_array().unwrap().iter();
        let has_status = versions.any(|v| v["name"] == version && v["subresources"]["status"].is_object());
        let of_kind = samples.get(&named(resource)).into_iter().flatten().map(|sample| {
            let mut object = complete(resource, version, sample.object.clone());
            for (_, field) in NEWER.iter().filter(|(older, _)| *older == release.name) {
                if let Some(spec) = object["spec"].as_object_mut() {
                    spec.remove(*field);
                }
            }
            Sample { object, fixtures: sample.fixtures.clone() }
        });
        let of_kind: Vec<Sample> = of_kind.collect();
        let status = of_kind.iter().filter(|s| has_status && s.object["status"].is_object()).cloned();
        with_status.extend(status.map(|mut sample| {
            let metadata = &sample.object["metadata"];
            // without the UID, which is another one here
            sample.object["metadata"] = json!({"name": metadata["name"], "namespace": metadata["namespace"]});
            sample
        }));
        here.extend(of_kind);
    }
    wrong.extend(told(server, CREATE, &here, &release.name, "spec"));

    // a status is judged with the object that has it, and that has to be there
    let mut made = BTreeMap::new();
    for sample in &with_status {
        let Value::Object(mut object) = sample.object.clone() else { unreachable!("objects are objects") };
        object.remove("status");
        let name = (object["kind"].to_string(), object["metadata"].to_string());
        made.entry(name).or_insert(Value::Object(object));
    }
    let made: Vec<Value> = made.into_values().collect();
    if !made.is_empty() {
        match server.try_kubectl(&["create", "-f", "-"], &documents(&made)) {
            Ok(_) => wrong.extend(told(server, REPLACE_STATUS, &with_status, &release.name, "status")),
            Err(why) => wrong.push(format!("{}: no status was judged:\n  {why}", release.name)),
        }
    }
    let names: Vec<String> = defined.iter().map(|(resource, _)| named(resource)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    server.kubectl(&[&["delete", "crd", "--wait"], &*names].concat());
    wrong
}

/// Gives those objects to kubectl, and says of which ones the server would not have it. Before that the server has to refuse
/// one of each kind with a field that no schema has.
fn told(server: &Server, args: &[&str], samples: &[Sample], release: &str, field: &str) -> Vec<String> {
    let kind = |sample: &Sample| sample.object["kind"].as_str().unwrap().to_string();
    let mut wrong = Vec::new();
    let spoilt = |sample: &Sample| {
        let mut object = sample.object.clone();
        object[field]["ofNoSchema"] = true.into();
        (kind(sample), object)
    };
    let spoilt: BTreeMap<String, Value> = samples.iter().map(spoilt).collect();
    let objects: Vec<Value> = spoilt.values().cloned().collect();
    let answer = server.try_kubectl(args, &documents(&objects)).err().unwrap_or_default();
    for kind in spoilt.keys() {
        let (who, why) = (format!(": {kind} in version "), format!("unknown field \"{field}.ofNoSchema\""));
        if !answer.lines().any(|line| line.contains(&who) && line.contains(&why)) {
            wrong.push(format!("{release}: {kind} takes any {field}: {answer}"));
        }
    }
    let objects: Vec<Value> = samples.iter().map(|sample| sample.object.clone()).collect();
    if objects.is_empty() || server.try_kubectl(args, &documents(&objects)).is_ok() {
        return wrong;
    }
    // one by one, to know whose words are whose
    for sample in samples {
        if let Err(why) = server.try_kubectl(args, &documents(std::slice::from_ref(&sample.object))) {
            let metadata = &sample.object["metadata"];
            let fixtures = match &sample.fixtures[..] {
                [a, b, c, more @ ..] if !more.is_empty() => format!("{a}, {b}, {c} and {} more", more.len()),
                all => all.join(", "),
            };
            let what = format!("{} {}/{}", kind(sample), metadata["namespace"], metadata["name"]);
            wrong.push(format!("{release}: the {field} of {what} in {fixtures}:\n  {why}"));
        }
    }
    wrong
}
