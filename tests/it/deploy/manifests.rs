//! The objects of the kustomization.

use std::collections::BTreeSet;

use k8s_openapi::api::{
    batch::v1 as batch, core::v1 as core, rbac::v1 as rbac, scheduling::v1 as scheduling,
};
use kairos_doctor_simulator::Options;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{cronjob, documents, path};
use crate::drift::keeps;
use crate::live::{Cluster, bare, run};

/// The objects that `kubectl apply -k deploy` applies.
fn objects() -> Vec<Value> {
    let kustomization = &documents("kustomization.yaml")[0];
    let resources = kustomization["resources"].as_array().unwrap();
    resources.iter().flat_map(|name| documents(name.as_str().unwrap())).collect()
}

#[test]
fn every_object_has_the_shape_of_the_api_and_is_applied() {
    let round = |object: &Value| -> Result<(), String> {
        fn typed<T: Serialize + DeserializeOwned>(object: &Value) -> Result<Value, String> {
            let typed: T = serde_json::from_value(object.clone()).map_err(|e| e.to_string())?;
            serde_json::to_value(typed).map_err(|e| e.to_string())
        }
        let back = match object["kind"].as_str().unwrap_or_default() {
            "Namespace" => typed::<core::Namespace>(object),
            "ServiceAccount" => typed::<core::ServiceAccount>(object),
            "ClusterRole" => typed::<rbac::ClusterRole>(object),
            "ClusterRoleBinding" => typed::<rbac::ClusterRoleBinding>(object),
            "Role" => typed::<rbac::Role>(object),
            "RoleBinding" => typed::<rbac::RoleBinding>(object),
            "PriorityClass" => typed::<scheduling::PriorityClass>(object),
            "CronJob" => typed::<batch::CronJob>(object),
            kind => Err(format!("no test knows the kind `{kind}`")),
        }?;
        keeps(object, &back, "")
    };
    for object in objects() {
        assert_eq!(round(&object), Ok(()), "{object}");
    }
    let resources = documents("kustomization.yaml")[0]["resources"].clone();
    let applied: BTreeSet<&str> = resources.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let beside = std::fs::read_dir(path("")).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        (name.ends_with(".yaml") && name != "kustomization.yaml").then_some(name)
    });
    for name in beside {
        assert!(applied.contains(&*name), "deploy/{name} is not applied");
    }
}

#[test]
fn the_image_is_of_this_version() {
    let images = documents("kustomization.yaml")[0]["images"].clone();
    let container = &cronjob()["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(images, json!([{"name": container["image"], "newTag": env!("CARGO_PKG_VERSION")}]));
}

/// What Pod Security's level `restricted` wants, and more: it writes nothing, and has one token for some minutes.
#[test]
fn the_pod_may_do_nothing_but_ask() {
    let cronjob = cronjob();
    let spec = &cronjob["spec"];
    assert_eq!(spec["concurrencyPolicy"], "Forbid");
    assert_eq!(spec["jobTemplate"]["spec"]["backoffLimit"], 0, "a finding is not asked for again");
    assert!(spec["jobTemplate"]["spec"]["activeDeadlineSeconds"].is_u64());
    assert!(spec["successfulJobsHistoryLimit"].is_u64() && spec["failedJobsHistoryLimit"].is_u64());

    let pod = &spec["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(pod["restartPolicy"], "Never");
    assert_eq!(pod["automountServiceAccountToken"], false);
    for shared in ["hostNetwork", "hostPID", "hostIPC", "initContainers"] {
        assert!(pod[shared].is_null(), "{shared}");
    }
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_ne!(pod["securityContext"]["runAsUser"], 0);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");

    assert_eq!(pod["containers"].as_array().unwrap().len(), 1);
    let container = &pod["containers"][0];
    let context = &container["securityContext"];
    assert_eq!(context["readOnlyRootFilesystem"], true);
    assert_eq!(context["allowPrivilegeEscalation"], false);
    assert_eq!(context["privileged"], false);
    assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}));
    assert!(container["resources"]["limits"]["memory"].is_string());

    let volumes = pod["volumes"].as_array().unwrap();
    let sources = volumes[0]["projected"]["sources"].as_array().unwrap();
    assert_eq!(volumes.len(), 1, "nothing of the node, and nothing to write to");
    assert_eq!(sources[0]["serviceAccountToken"]["expirationSeconds"], 600, "the API allows no less");

    let secrets: Vec<&Value> = container["env"].as_array().unwrap().iter().collect();
    let token = secrets.iter().find(|v| v["name"] == "HCLOUD_TOKEN").expect("the token's variable");
    let from = &token["valueFrom"]["secretKeyRef"];
    assert_eq!(from["optional"], true, "it runs without");
    assert_ne!(from["name"], "hcloud", "that one is the cloud controller's, and may write");
}

/// The namespace lets no pod in that may more than the doctor's.
#[test]
fn the_namespace_enforces_the_restricted_level() {
    let namespace = objects().into_iter().find(|o| o["kind"] == "Namespace").unwrap();
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    let account = objects().into_iter().find(|o| o["kind"] == "ServiceAccount").unwrap();
    assert_eq!(account["automountServiceAccountToken"], false, "who wants its token says so");
}

/// The pod goes to nodes that the cloud controller has not initialised: that is one of the things it finds.
#[test]
fn it_is_placed_where_the_cluster_is_sick() {
    let cronjob = cronjob();
    let pod = &cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let tolerated: BTreeSet<&str> =
        pod["tolerations"].as_array().unwrap().iter().filter_map(|t| t["key"].as_str()).collect();
    assert!(tolerated.contains("node.cloudprovider.kubernetes.io/uninitialized"), "{tolerated:?}");
    let class = documents("priorityclass.yaml").remove(0);
    assert_eq!(pod["priorityClassName"], class["metadata"]["name"]);
    assert_eq!(class["preemptionPolicy"], "Never", "no other pod makes room for it");
}

/// The arguments are ones that the program has, and the exit status is the Job's.
#[test]
fn the_arguments_of_the_cronjob_are_the_programs() {
    let cronjob = cronjob();
    let container = &cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let args: Vec<&str> = container["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let nowhere = run(bare(&[&args[..], &["--kubeconfig", "/nonexistent"]].concat()));
    assert_eq!(nowhere.exit, 2);
    assert!(nowhere.err.contains("/nonexistent"), "{}", nowhere.err);
    for (fixture, exit) in [("healthy/hcm-cilium-3", 0), ("incidents/field-report", 1)] {
        let run = Cluster::of(fixture, Options::default()).doctor(&args);
        assert_eq!(run.exit, exit, "{}", run.err);
    }
    let run =
        Cluster::of("healthy/hcm-cilium-3", Options::default()).doctor_with(&args, &[("HCLOUD_TOKEN", "")]);
    assert_eq!(run.exit, 3, "without a token it runs, and says that it could not look");
}
