//! The cloud controller's log.

use kairos_doctor_checks::facts::controller_log::ControllerLog;
use serde_json::{Value, json};

use super::*;

const NAME: &str = "hcloud-cloud-controller-manager";

fn pod(name: &str, restarts: i64, ready: bool) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"nodeName": "k1", "containers": [{"name": "other", "image": "i"},
            {"name": "ccm", "image": format!("docker.io/hetznercloud/{NAME}:v1.35.0")}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}],
            "containerStatuses": [{"name": "other", "restartCount": 99}, {"name": "ccm", "restartCount": restarts}]},
    })
}

fn pods(all: &[Value]) -> Vec<Pod> {
    all.iter().map(|pod| serde_json::from_value(pod.clone()).unwrap()).collect()
}

fn logs(part: &Part) -> Vec<ControllerLog> {
    part.downcast_ref::<Vec<ControllerLog>>().unwrap().clone()
}

fn target(pod: &str) -> String {
    let query = "container=ccm&tailLines=200&limitBytes=65536&timestamps=true";
    format!("/api/v1/namespaces/kube-system/pods/{pod}/log?{query}")
}

#[tokio::test]
async fn the_pod_that_says_most_is_asked_twice_and_no_other() {
    let changed = |name: &str, change: fn(&mut Value)| {
        let mut pod = pod(name, 50, true);
        change(&mut pod);
        pod
    };
    let never = [
        changed("deleted", |pod| pod["metadata"]["deletionTimestamp"] = "2026-11-23T09:00:00Z".into()),
        changed("evicted", |pod| pod["status"]["phase"] = "Failed".into()),
        changed("elsewhere", |pod| pod["metadata"]["namespace"] = "default".into()),
        changed("pending", |pod| pod["spec"]["nodeName"] = "".into()),
        changed("another", |pod| pod["spec"]["containers"] = json!([{"name": "c", "image": "i"}])),
    ];
    for (pods_of_it, asked) in [
        (vec![pod("a", 0, true), pod("b", 3, false)], "b"),
        (vec![pod("a", 0, false), pod("b", 0, true)], "b"),
        (vec![pod("b", 2, true), pod("a", 2, true)], "a"),
    ] {
        let server = serve(|_| reply_with(200, "", "x")).await;
        let all: Vec<Value> = pods_of_it.into_iter().chain(never.clone()).collect();
        let part = client(&server).await.controller_log(&pods(&all)).await.unwrap();
        let mut targets = server.targets();
        targets.retain(|target| target != "/version");
        targets.sort();
        assert_eq!(targets, [target(asked), format!("{}&previous=true", target(asked))]);
        let found: Vec<_> = logs(&part).iter().map(|log| (log.status, log.previous)).collect();
        assert_eq!(found, [(200, false), (200, true)]);
    }
    let server = serve(|_| reply_with(200, "", "x")).await;
    let none = client(&server).await.controller_log(&pods(&never)).await.unwrap();
    assert!(logs(&none).is_empty() && server.targets() == ["/version"]);
}

#[tokio::test]
async fn of_what_comes_back_known_words_are_kept() {
    let text = "2026-11-23T09:00:00Z E1123 09:00:00.000001       1 a.go:1] password=not-to-be-seen\n\
                2026-11-23T09:00:01Z E1123 09:00:01.000001       1 leaderelection.go:1] leaderelection lost\n";
    let x509 =
        "Get \"https://127.0.0.2:10250/x\": tls: failed to verify certificate: x509: certificate has expired";
    let server = serve(move |target| match target.ends_with("previous=true") {
        true => status(500, "", x509),
        false => reply_with(200, "", text),
    })
    .await;
    let found = logs(&client(&server).await.controller_log(&pods(&[pod("a", 1, true)])).await.unwrap());
    let lines: Vec<_> = found[0].lines.iter().map(|line| line.text.to_string()).collect();
    assert_eq!(lines, ["leaderelection lost"]);
    assert_eq!((found[1].status, &*found[1].message), (500, x509));
    assert!(!format!("{found:?}").contains("not-to-be-seen"));

    // a message that is none of the known ones, and a server that gives more than was asked for
    let server = serve(move |target| match target.ends_with("previous=true") {
        true => status(500, "InternalError", "not-to-be-seen"),
        false => reply_with(200, "", &"leaderelection lost\n".repeat(10_000)),
    })
    .await;
    let found = logs(&client(&server).await.controller_log(&pods(&[pod("a", 1, true)])).await.unwrap());
    let failure = found[0].failure.as_ref().unwrap();
    assert_eq!((found[0].status, &*failure.why, found[0].lines.is_empty()), (0, "malformed", true));
    assert_eq!((found[1].status, &*found[1].reason, &*found[1].message), (500, "InternalError", ""));
}

#[tokio::test]
async fn without_the_right_to_logs_it_is_a_gap() {
    let message = "pods \"a\" is forbidden: User \"x\" cannot get resource \"pods/log\"";
    let server = serve(move |_| status(403, "Forbidden", message)).await;
    let gap = client(&server).await.controller_log(&pods(&[pod("a", 0, true)])).await.err().unwrap();
    assert_eq!((&*gap.need, gap.why), ("controller.log", Why::Forbidden));
    assert!(gap.detail.contains(message) && gap.remedy().contains("deploy/rbac.yaml"), "{}", gap.detail);
}
