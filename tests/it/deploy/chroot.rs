//! The static binary in a folder that has nothing but what the image has and what a kubelet gives a pod.
//!
//! `KAIROS_DOCTOR_STATIC` names the binary, or is `build` and has it built (some minutes). It takes root, for `chroot`.
//! Without it the test says that it was skipped.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kairos_doctor_simulator::{Options, Simulator};
use serde_json::Value;

use super::{cronjob, image, skipped};
use crate::live::{Cluster, Run, drawn, expected, run};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The static binary, if it is asked for and can be run in a folder of its own.
fn binary(test: &str) -> Option<PathBuf> {
    let Some(named) = std::env::var_os("KAIROS_DOCTOR_STATIC").filter(|value| !value.is_empty()) else {
        skipped(test, "KAIROS_DOCTOR_STATIC names no static binary");
        return None;
    };
    let user = Command::new("id").arg("-u").output().expect("`id` runs").stdout;
    if user.trim_ascii() != b"0" {
        skipped(test, "`chroot` takes root");
        return None;
    }
    if named != "build" {
        return Some(named.into());
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let status = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--profile", "dist", "--target", TARGET, "--bin", "kairos-doctor"])
        .args(["--target-dir", "target/static"])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .current_dir(folder)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the static binary is not built");
    Some(folder.join("target/static").join(TARGET).join("dist/kairos-doctor"))
}

/// A container of the CronJob's pod, without a container.
struct Pod {
    folder: tempfile::TempDir,
    spec: Value,
}

impl Pod {
    /// The image's files, `roots` as the authorities, and what kubelets mount: names, and the service account.
    fn of(binary: &Path, roots: &str, simulator: &Simulator) -> Pod {
        let folder = tempfile::tempdir().unwrap();
        let spec = cronjob()["spec"]["jobTemplate"]["spec"]["template"]["spec"].clone();
        let pod = Pod { folder, spec };
        for (stage, place) in image::files() {
            match stage.as_str() {
                "binary" => drop(std::fs::copy(binary, pod.make(&place)).unwrap()),
                "roots" => std::fs::write(pod.make(&place), roots).unwrap(),
                other => panic!("what does the image have of `{other}`?"),
            }
        }
        pod.write("/etc/hosts", "127.0.0.1 localhost\n");
        let mount = pod.spec["containers"][0]["volumeMounts"][0]["mountPath"].as_str().unwrap().to_string();
        for source in pod.spec["volumes"][0]["projected"]["sources"].as_array().unwrap() {
            if let Some(path) = source["serviceAccountToken"]["path"].as_str() {
                pod.write(&format!("{mount}/{path}"), simulator.kubernetes_token());
            }
            for item in source["configMap"]["items"].as_array().into_iter().flatten() {
                pod.write(&format!("{mount}/{}", item["path"].as_str().unwrap()), simulator.cluster_ca());
            }
        }
        pod
    }

    fn make(&self, place: &str) -> PathBuf {
        let path = self.folder.path().join(place.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn write(&self, place: &str, text: &str) {
        std::fs::write(self.make(place), text).unwrap();
    }

    /// The container's command as its user, in this folder alone. The names of both servers have to be looked up.
    fn run(&self, simulator: &Simulator, more: &[&str]) -> Run {
        let context = &self.spec["securityContext"];
        let chroot = ["/usr/sbin/chroot", "/usr/bin/chroot"].map(Path::new).into_iter().find(|p| p.exists());
        let mut command = Command::new(chroot.expect("coreutils are here"));
        command.arg(format!("--userspec={}:{}", context["runAsUser"], context["runAsGroup"]));
        command.arg("--groups=").arg(self.folder.path()).arg(image::entrypoint());
        let args = self.spec["containers"][0]["args"].as_array().unwrap();
        command.args(args.iter().filter_map(Value::as_str)).args(more);
        let port = simulator.server().rsplit_once(':').unwrap().1;
        command
            .env_clear()
            .env("KUBERNETES_SERVICE_HOST", "localhost")
            .env("KUBERNETES_SERVICE_PORT", port)
            .env("HCLOUD_TOKEN", simulator.hetzner_token())
            .env("HCLOUD_ENDPOINT", simulator.hetzner_endpoint().replace("127.0.0.1", "localhost"))
            .stdin(Stdio::null());
        run(command)
    }
}

#[test]
fn the_static_binary_diagnoses_a_cluster_in_an_empty_folder() {
    let Some(binary) = binary("chroot::the_static_binary_diagnoses_a_cluster_in_an_empty_folder") else {
        return;
    };
    let fixture = "incidents/field-report";
    let cluster = Cluster::of(fixture, Options::default());
    let roots = std::fs::read_to_string(cluster.simulator.hetzner_ca_file()).unwrap();
    let pod = Pod::of(&binary, &roots, &cluster.simulator);

    let report = pod.run(&cluster.simulator, &["-o", "json"]);
    assert_eq!(report.exit, 1, "{}", report.err);
    assert_eq!(drawn(&report.json()), expected(fixture), "{}", report.err);
    assert_eq!(report.json()["gaps"], serde_json::json!([]));

    // what a person finds in the pod's log
    let log = pod.run(&cluster.simulator, &[]);
    assert_eq!(log.exit, 1);
    assert!(log.out.starts_with("✗ ") && !log.out.contains('\u{1b}'), "{}", log.out);

    // and nothing else lies there afterwards
    let before: Vec<String> = vec!["etc".into(), "kairos-doctor".into(), "var".into()];
    let mut after: Vec<String> = std::fs::read_dir(pod.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    after.sort();
    assert_eq!(after, before);
}

/// The authorities are the image's: the server of an authority that is not among them is not believed, and without any the
/// report says what is missing.
#[test]
fn the_authorities_of_the_image_are_what_hetzner_is_verified_with() {
    let Some(binary) = binary("chroot::the_authorities_of_the_image_are_what_hetzner_is_verified_with")
    else {
        return;
    };
    let cluster = Cluster::of("healthy/hcm-cilium-3", Options::default());
    let gap = |roots: &str| {
        let pod = Pod::of(&binary, roots, &cluster.simulator);
        let report = pod.run(&cluster.simulator, &["-o", "json"]);
        assert_eq!(report.exit, 3, "{}", report.err);
        let report = report.json();
        let gaps = report["gaps"].as_array().unwrap();
        assert!(gaps.iter().all(|gap| gap["need"] == "hcloud"), "{gaps:?}");
        gaps[0]["detail"].as_str().unwrap().to_string()
    };
    let none = gap("");
    assert!(none.contains("no certificate authorities to verify https://localhost:"), "{none}");
    // the cluster's own authority has not signed the certificate of Hetzner
    let other = gap(cluster.simulator.cluster_ca());
    assert!(other.contains("certificate is signed by itself, or by an authority that"), "{other}");
    assert!(other.ends_with("does not trust"), "{other}");
}
