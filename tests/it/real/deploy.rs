//! What `deploy/` applies, judged by the real API server; and the rights of the account, used as the systemd service uses them.

use std::path::Path;

use kairos_doctor::fixture::Fixture;
use kairos_doctor_simulator::{Authority, Options};
use serde_json::{Value, json};

use super::server::{self, Server, Setup};
use super::{Kubelets, Real};
use crate::live::run;

/// Ways to ask for more than the namespace admits.
fn stronger(pod: &Value) -> Vec<(&'static str, Value)> {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut pod = pod.clone();
        change(&mut pod["spec"]);
        pod
    };
    vec![
        ("as root", with(&|spec| spec["securityContext"]["runAsNonRoot"] = false.into())),
        (
            "without seccomp",
            with(&|spec| spec["securityContext"]["seccompProfile"] = json!({"type": "Unconfined"})),
        ),
        ("in the node's network", with(&|spec| spec["hostNetwork"] = true.into())),
        (
            "with the node's files",
            with(&|spec| {
                spec["volumes"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({"name": "node", "hostPath": {"path": "/"}}));
            }),
        ),
        (
            "with capabilities",
            with(&|spec| spec["containers"][0]["securityContext"]["capabilities"] = json!({})),
        ),
        (
            "with a way to more",
            with(&|spec| {
                spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = true.into();
            }),
        ),
    ]
}

#[test]
fn the_manifests_are_admitted_and_nothing_stronger_is() {
    let test = "deploy::the_manifests_are_admitted_and_nothing_stronger_is";
    let Some(assets) = server::assets(test) else { return };
    let authority = Authority::of(&Fixture::named("healthy/hcm-only-1").unwrap().bundle()).unwrap();
    let server = Server::start(Setup {
        assets,
        context: "deploy",
        authority: &authority,
        known_to_kubelets: false,
        more: &[],
    });
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let built = server.kubectl(&["kustomize", folder.to_str().unwrap()]);
    let create = ["--warnings-as-errors", "create", "--validate=strict", "-f", "-"];
    server.kubectl_with(&create, &built);

    let cronjob = server.json(&["get", "cronjob", "kairos-doctor", "-n", "kairos-doctor"]);
    let template = &cronjob["spec"]["jobTemplate"]["spec"]["template"];
    let image = template["spec"]["containers"][0]["image"].as_str().unwrap();
    assert_eq!(image, concat!("localhost/kairos-doctor:", env!("CARGO_PKG_VERSION")));
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
        "metadata": {"name": "kairos-doctor-0", "namespace": "kairos-doctor"}});
    let admit = |pod: &Value| {
        let args = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];
        server.try_kubectl(&args, &pod.to_string())
    };
    admit(&pod).unwrap_or_else(|e| panic!("{e}"));
    for (what, pod) in stronger(&pod) {
        let refused = admit(&pod).expect_err(what);
        assert!(refused.contains("violates PodSecurity \"restricted:latest\""), "{what}: {refused}");
    }
}

/// An administrator's kubeconfig and `--as` the account: nothing is refused, and a right that the account lacks is lacking
/// although the administrator has it.
#[test]
fn an_administrator_acts_with_the_rights_of_the_account_alone() {
    let test = "deploy::an_administrator_acts_with_the_rights_of_the_account_alone";
    let Some(assets) = server::assets(test) else { return };
    let real = Real::of(assets, "healthy/hcm-cilium-3", Options::default(), Kubelets::KnowTheApiServer);
    let unit = include_str!("../../../deploy/systemd/kairos-doctor.service");
    let account = unit.split_once(" --as ").and_then(|(_, rest)| rest.split_whitespace().next()).unwrap();
    // what is refused, and to whom
    let refused = || -> Vec<(String, String)> {
        let mut command = real.command(&["-o", "json", "--as", account]);
        command.env("KUBECONFIG", real.server.folder().join("admin.kubeconfig"));
        let report = run(command).json();
        let gaps = report["gaps"].as_array().unwrap().iter().filter(|gap| gap["why"] == "forbidden");
        let text = |gap: &Value, key: &str| gap[key].as_str().unwrap().to_string();
        gaps.map(|gap| (text(gap, "need"), text(gap, "detail"))).collect()
    };
    assert_eq!(refused(), []);
    real.withhold(&["storageclasses"]);
    let missing = refused();
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(missing[0].0, "storageclasses");
    assert!(missing[0].1.contains(account), "{missing:?}");
}
