//! The cloud controller's own words, from a pod that crashes to the facts: two requests, known lines, and nothing else.

use kairos_doctor::fixture::Fixture;
use kairos_doctor_checks::domain::hccm_log::{Word, words};
use kairos_doctor_checks::facts::Facts;
use kairos_doctor_simulator::{Fault, Options, Simulator, Target};
use serde_json::{Value, json};

use super::Cluster;

const POD: &str = "hcloud-cloud-controller-manager-6d8f7c9b5-x2x4q";
const FATAL: &str = "Cloud provider could not be initialized: hcloud/newCloud: Network kube not found";

/// A healthy cluster whose controller ends again and again.
fn crashing() -> Value {
    let mut bundle = Fixture::named("healthy/hcm-only-3").unwrap().bundle();
    for pod in
        bundle["parts"]["pods"].as_array_mut().unwrap().iter_mut().filter(|p| p["metadata"]["name"] == POD)
    {
        let status = &mut pod["status"]["containerStatuses"][0];
        status["restartCount"] = 7.into();
        status["ready"] = false.into();
        status["state"] = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        status["lastState"] =
            json!({"terminated": {"exitCode": 255, "reason": "Error", "containerID": "containerd://0a"}});
    }
    let log = |previous: bool, lines: Value| {
        json!({"namespace": "kube-system", "pod": POD, "container": "hcloud-cloud-controller-manager", "previous": previous,
            "status": 200, "lines": lines})
    };
    let refused = "\"Unhandled Error\" err=\"error syncing 'k3': failed to get node modifiers from cloud provider: provided \
                   node ip for node \\\"k3\\\" is not valid: failed to get node address from cloud provider that matches ip: \
                   127.0.0.13, requeuing\"";
    bundle["parts"]["controller.log"] = json!([
        log(false, json!([{"time": "2026-11-23T08:59:58.123456789Z", "text": refused}])),
        log(true, json!([{"time": "2026-11-23T08:54:41Z", "text": FATAL}])),
    ]);
    bundle
}

fn serve(bundle: &Value, options: Options) -> Cluster {
    Cluster { simulator: Simulator::start(bundle, options) }
}

/// The queries of the requests for lines.
fn asked(cluster: &Cluster) -> Vec<String> {
    let requests = cluster.simulator.requests();
    let of_log = requests.iter().filter(|r| r.path.ends_with("/log") && r.query.contains("timestamps"));
    let mut all: Vec<String> = of_log.map(|r| format!("{}?{}", r.path, r.query)).collect();
    all.sort();
    all
}

fn both() -> [String; 2] {
    let query = "container=hcloud-cloud-controller-manager&tailLines=200&limitBytes=65536&timestamps=true";
    let one = format!("/api/v1/namespaces/kube-system/pods/{POD}/log?{query}");
    [one.clone(), format!("{one}&previous=true")]
}

#[test]
fn the_last_words_of_a_controller_that_crashes_are_facts() {
    let bundle = crashing();
    let cluster = serve(&bundle, Options::default());
    let (recorded, _) = cluster.collected(&[]);
    let facts = Facts::from_bundle(&bundle).unwrap();
    assert_eq!(recorded["parts"]["controller.log"], facts.to_bundle()["parts"]["controller.log"]);
    assert_eq!(asked(&cluster), both());

    let facts = Facts::from_bundle(&recorded).unwrap();
    let said: Vec<Word> = words(&facts).unwrap().into_iter().map(|said| said.word).collect();
    let node_ip = Word::NodeIp { node: "k3".into(), ip: "127.0.0.13".into() };
    assert_eq!(said, [node_ip, Word::NetworkNotFound { name: "kube".into() }]);

    // of all the rest that stands in the log nothing is left
    let texts = recorded["parts"]["controller.log"].to_string();
    assert!(!texts.contains("CANARY") && !texts.contains("FLAG"), "{texts}");
    let hidden = cluster.doctor(&["collect", "-o", "-"]).json()["parts"]["controller.log"].to_string();
    assert!(hidden.contains("could not be initialized") && !hidden.contains("k3"), "{hidden}");
}

#[test]
fn a_controller_that_never_ended_has_no_previous_log() {
    let mut bundle = Fixture::named("healthy/hcm-only-1").unwrap().bundle();
    bundle["parts"].as_object_mut().unwrap().remove("controller.log");
    let cluster = serve(&bundle, Options::default());
    let recorded = cluster.collected(&[]).0["parts"]["controller.log"].clone();
    let message = format!(
        "previous terminated container \"hcloud-cloud-controller-manager\" in pod \"{POD}\" not found"
    );
    let current = json!({"namespace": "kube-system", "pod": POD, "container": "hcloud-cloud-controller-manager", "status": 200});
    let mut previous = current.clone();
    let more = json!({"previous": true, "status": 400, "reason": "BadRequest", "message": message});
    previous.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(recorded, json!([current, previous]));
}

#[test]
fn whatever_is_broken_two_requests_are_made_and_no_more() {
    let path = format!("/api/v1/namespaces/kube-system/pods/{POD}/log");
    let mut without = Fixture::named("healthy/hcm-only-1").unwrap().bundle();
    without["parts"]["pods"].as_array_mut().unwrap().retain(|pod| pod["metadata"]["name"] != POD);
    for (bundle, options, expected) in [
        (crashing(), Options::default().failing(Target::kubernetes(&path), Fault::Html502), Some("502")),
        (crashing(), Options::default().failing(Target::kubernetes(&path), Fault::Reset), Some("cut")),
        (
            crashing(),
            Options::default().failing(Target::kubelet("k1"), Fault::Refuse),
            Some("connection refused"),
        ),
        (crashing(), Options::default().failing(Target::kubelet("k1"), Fault::HangUp), Some("EOF")),
        (crashing(), Options::default().withholding("controller.log"), Some("is forbidden")),
        (without, Options::default(), None),
    ] {
        let cluster = serve(&bundle, options);
        let (recorded, _) = cluster.collected(&[]);
        let asked = asked(&cluster);
        let facts = Facts::from_bundle(&recorded).unwrap();
        let known = words(&facts);
        match expected {
            Some(why) => {
                let gap = known.unwrap_err();
                assert_eq!(asked, both(), "{why}");
                assert!(gap.detail.contains(why), "{why}: {}", gap.detail);
            }
            None => assert_eq!((asked.len(), known.unwrap().len()), (0, 0)),
        }
    }
}
