//! The simulator serves what a real API server serves: the doctor records the same of both.

use kairos_doctor_checks::facts::NEEDS;
use kairos_doctor_simulator::{Options, Simulator};
use serde_json::{Map, Value, json};

use super::{Kubelets, Real, plural, server};
use crate::live::codes;

#[test]
fn the_doctor_records_the_same_of_the_simulator() {
    let Some(assets) = server::assets("same::the_doctor_records_the_same_of_the_simulator") else { return };
    let real = Real::of(assets, "incidents/field-report", Options::default(), Kubelets::KnowTheApiServer);
    compare(real.collected(&[]), real.collected_from(&real.simulator, &[]), "everything granted");

    let somebody = ["--as", "somebody"];
    let refused = real.collected(&somebody);
    assert!(refused["gaps"]["nodes"]["detail"].as_str().unwrap().contains("cannot impersonate"), "{refused}");
    compare(refused, real.collected_from(&real.simulator, &somebody), "as somebody else");

    for need in NEEDS {
        // `/version` is granted to everybody by a role that each cluster has
        if plural(&need.from).is_none() {
            continue;
        }
        real.withhold(&[need.key]);
        let simulator = Simulator::start(
            &real.bundle,
            Options::default().withholding(need.key).signed_by(&real.authority),
        );
        let mut recorded = real.collected(&[]);
        assert_eq!(recorded["gaps"][need.key]["why"], "forbidden", "{}: {}", need.key, recorded["gaps"]);
        let mut simulated = real.collected_from(&simulator, &[]);
        for bundle in [&mut recorded, &mut simulated] {
            // each has kubelets of its own, at another port
            bundle["parts"]
                .as_object_mut()
                .unwrap()
                .retain(|key, _| !matches!(&**key, "kubelets" | "pods.log" | "nodes"));
        }
        compare(recorded, simulated, need.key);
    }
}

#[test]
fn what_is_not_installed_is_empty_in_both() {
    let Some(assets) = server::assets("same::what_is_not_installed_is_empty_in_both") else { return };
    // no Gateways: their CustomResourceDefinition is not there
    let real = Real::of(assets, "healthy/hcm-only-1", Options::default(), Kubelets::KnowNobody);
    let recorded = real.collected(&[]);
    assert_eq!(recorded["parts"]["gateways"], json!([]));
    assert_eq!(recorded["gaps"], Value::Null);

    // The simulator's API server is known to every kubelet; this one is told to say who it is.
    let probe = &recorded["parts"]["pods.log"][0];
    assert_eq!((&probe["status"], &probe["reason"]), (&json!(401), &json!("Unauthorized")));
    let said = "the server has asked for the client to provide credentials ( pods/log hcloud-csi-node-k1aaa)";
    assert_eq!(probe["message"], said);
    let without = |mut bundle: Value| {
        bundle["parts"]["pods.log"] = Value::Null;
        bundle["parts"]["controller.log"] = Value::Null;
        bundle
    };
    compare(
        without(recorded.clone()),
        without(real.collected_from(&real.simulator, &[])),
        "without Gateways",
    );

    // a refusal of the kubelet's own shows that its certificate passed
    let mut unmet = recorded;
    for kubelet in unmet["parts"]["kubelets"].as_array_mut().unwrap() {
        kubelet["certificate"] = Value::Null;
        kubelet["failure"] = json!({"why": "unreachable", "detail": "not from here"});
    }
    let report = real.report_of(&unmet, "json").json();
    assert!(codes(&report, "healthy").contains(&"KD110".to_string()), "{report}");
}

/// Fails with what differs, and says where.
fn compare(mut real: Value, mut simulated: Value, what: &str) {
    for bundle in [&mut real, &mut simulated] {
        level(bundle);
    }
    // A real server brings rights of its own, and the doctor's; its definitions are the published ones.
    for key in ["clusterroles", "clusterrolebindings", "roles", "rolebindings"] {
        let name = |object: &Value| object["metadata"]["name"].as_str().unwrap_or_default().to_string();
        let of_fixture: Vec<String> =
            simulated["parts"][key].as_array().into_iter().flatten().map(name).collect();
        if let Some(objects) = real["parts"][key].as_array_mut() {
            objects.retain(|object| of_fixture.contains(&name(object)));
        }
    }
    let mut different = Vec::new();
    differences(&real, &simulated, "", &mut different);
    assert!(different.is_empty(), "{what}: the simulator differs\n{}", different.join("\n"));
}

/// Takes away what may differ, and nothing else.
fn level(bundle: &mut Value) {
    // two runs, one after the other
    bundle["now"] = Value::Null;
    // published in one version here, in another there
    if let Some(detail) = bundle["gaps"]["referencegrants"]["detail"].as_str() {
        bundle["gaps"]["referencegrants"]["detail"] = detail.replace("/v1beta1/", "/v1/").into();
    }
    let parts = bundle["parts"].as_object_mut().unwrap();
    // two servers, at two ports; the simulator says to be the version that was recorded
    for server in parts["api_server"].as_array_mut().unwrap() {
        for field in ["server", "port", "detail"] {
            server[field] = Value::Null;
        }
    }
    parts.remove("version");
    // published there, written by hand here; and the aggregator judges for itself
    for key in ["customresourcedefinitions", "apiservices"] {
        if let Some(part) = parts.get_mut(key) {
            *part = Value::Null;
        }
    }
    let about = |object: &Value, kind: &str, name: &str| {
        object["involvedObject"]["kind"] == kind && object["involvedObject"]["name"] == name
    };
    for (key, objects) in parts.iter_mut() {
        let objects = objects.as_array_mut().into_iter();
        for objects in objects {
            match &**key {
                // made by `deploy/rbac.yaml`, which the simulator applies to nobody's namespaces
                "namespaces" => objects.retain(|object| object["metadata"]["name"] != "kairos-doctor"),
                // a real server remarks on its own Service while it starts
                "events" => objects.retain(|object| !about(object, "Service", "kubernetes")),
                _ => {}
            }
            for object in objects {
                // the schema's default
                if object["spec"]["failurePolicy"] == "reinstall" {
                    object["spec"].as_object_mut().unwrap().remove("failurePolicy");
                }
                let Some(metadata) = object["metadata"].as_object_mut() else { continue };
                // the server's to set
                metadata.remove("creationTimestamp");
                metadata.remove("managedFields");
                let of_rights =
                    matches!(&**key, "clusterroles" | "clusterrolebindings" | "roles" | "rolebindings");
                if of_rights {
                    metadata.remove("uid"); // names decide there
                }
                if of_rights || matches!(&**key, "csidrivers" | "csinodes" | "storageclasses") {
                    metadata.remove("generation"); // these have none
                }
                // from 1.35 on a pod's node gives it these
                if let (true, Some(labels)) =
                    (key == "pods", metadata.get_mut("labels").and_then(Value::as_object_mut))
                {
                    labels.retain(|label, _| !label.starts_with("topology.kubernetes.io/"));
                }
            }
        }
    }
}

fn differences(real: &Value, simulated: &Value, at: &str, found: &mut Vec<String>) {
    match (real, simulated) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: Map<String, Value> = a.clone().into_iter().chain(b.clone()).collect();
            for key in keys.keys() {
                let of = |object: &Map<String, Value>| object.get(key).cloned().unwrap_or_default();
                differences(&of(a), &of(b), &format!("{at}.{key}"), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, &format!("{at}[{i}]"), found);
            }
        }
        _ if real == simulated => {}
        _ => found.push(format!("{at}: real {real}, simulated {simulated}")),
    }
}
