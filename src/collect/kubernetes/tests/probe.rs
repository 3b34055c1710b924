//! Logs and the cluster's certificate authority.

use kairos_doctor_checks::facts::kubelet::{ClusterCa, LogProbe};

use super::*;

fn node(name: &str) -> Node {
    serde_json::from_value(serde_json::json!({"metadata": {"name": name}})).unwrap()
}

fn pod(name: &str, node: &str, owner: &str) -> Pod {
    serde_json::from_value(serde_json::json!({
        "metadata": {"name": name, "namespace": "kube-system", "ownerReferences": [{"kind": owner, "name": "x"}]},
        "spec": {"nodeName": node, "containers": [{"name": "init"}, {"name": "main"}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "main", "state": {"running": {}}}]},
    }))
    .unwrap()
}

fn log(pod: &str) -> String {
    format!("/api/v1/namespaces/kube-system/pods/{pod}/log?container=main&tailLines=1&limitBytes=1")
}

fn probes(part: &Part) -> Vec<LogProbe> {
    part.downcast_ref::<Vec<LogProbe>>().unwrap().clone()
}

#[tokio::test]
async fn one_pod_on_each_of_eight_nodes_is_asked_the_wanted_ones_first() {
    let server = serve(|_| reply_with(200, "", "x")).await;
    let nodes: Vec<Node> = (0..12).rev().map(|n| node(&format!("node-{n:02}"))).collect();
    let mut pods: Vec<Pod> =
        (0..12).map(|n| pod(&format!("app-{n:02}"), &format!("node-{n:02}"), "ReplicaSet")).collect();
    pods.push(pod("cilium-x", "node-11", "DaemonSet"));
    pods.push(pod("hcloud-csi-node-x", "node-11", "DaemonSet"));
    let mut gone = pod("aaa", "node-00", "DaemonSet");
    gone.status.phase = "Succeeded".into();
    pods.push(gone);
    let mut elsewhere = pod("aab", "node-00", "DaemonSet");
    elsewhere.metadata.namespace = Some("default".into());
    pods.push(elsewhere);
    let part = client(&server).await.log_probe(&pods, &nodes, &["node-11", "node-03"]).await.unwrap();
    let probed: Vec<String> = probes(&part).iter().map(|p| p.pod.to_string()).collect();
    assert_eq!(
        probed,
        ["app-00", "app-01", "app-02", "app-03", "app-04", "app-05", "app-06", "hcloud-csi-node-x"]
    );
    let mut targets = server.targets();
    targets.sort();
    assert_eq!(targets.len(), 9);
    assert_eq!(targets[0], log("app-00"));
    assert!(probes(&part).iter().all(|p| p.status == 200 && p.message.is_empty() && p.container == "main"));
}

#[tokio::test]
async fn known_words_are_kept_and_logs_are_not() {
    let x509 = "Get \"https://10.0.0.2:10250/containerLogs/kube-system/a/main?tailLines=1\": tls: failed to verify certificate: \
                x509: certificate is valid for 127.0.0.1, 10.0.0.9, not 10.0.0.2";
    let server = serve(move |target| {
        if target == log("a") {
            status(500, "", x509)
        } else if target == log("b") {
            reply_with(200, "", "password=not-to-be-seen")
        } else if target == log("c") {
            status(500, "InternalError", "password=not-to-be-seen")
        } else {
            Reply::Cut
        }
    })
    .await;
    let names = ["a", "b", "c", "d"];
    let nodes: Vec<Node> = names.iter().map(|name| node(name)).collect();
    let pods: Vec<Pod> = names.iter().map(|name| pod(name, name, "DaemonSet")).collect();
    let found = probes(&client(&server).await.log_probe(&pods, &nodes, &[]).await.unwrap());
    assert_eq!((found[0].status, &*found[0].message), (500, x509));
    assert_eq!((found[1].status, &*found[1].message), (200, ""));
    assert_eq!((found[2].status, &*found[2].reason, &*found[2].message), (500, "InternalError", ""));
    assert_eq!((found[3].status, &*found[3].failure.as_ref().unwrap().why), (0, "unreachable"));
    assert!(!format!("{found:?}").contains("not-to-be-seen"));
}

#[tokio::test]
async fn without_the_right_to_logs_it_is_a_gap() {
    let nodes = [node("a"), node("b")];
    let pods = [pod("a", "a", "DaemonSet"), pod("b", "b", "DaemonSet")];
    let message = "pods \"a\" is forbidden: User \"x\" cannot get resource \"pods/log\"";
    let server = serve(move |_| status(403, "Forbidden", message)).await;
    let gap = client(&server).await.log_probe(&pods, &nodes, &[]).await.err().unwrap();
    assert_eq!((&*gap.need, gap.why), ("pods.log", Why::Forbidden));
    assert!(gap.detail.contains(message), "{}", gap.detail);
    // The kubelet's own no proves that it was reached.
    let server = serve(|_| status(403, "Forbidden", "forbidden ( pods/log a)")).await;
    assert!(client(&server).await.log_probe(&pods, &nodes, &[]).await.is_ok());
    let part = client(&server).await.log_probe(&[], &nodes, &[]).await.unwrap();
    assert!(probes(&part).is_empty());
}

#[tokio::test]
async fn the_clusters_authority_is_read_as_facts_and_as_roots() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "k3s-server-ca");
    let certificate = params.self_signed(&key).unwrap();
    let pem = format!("junk\n{}", certificate.pem());
    let map =
        serde_json::json!({"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": pem}}).to_string();
    let server = serve(move |_| reply(200, &map)).await;
    let kubernetes = client(&server).await;
    let authority = kubernetes.cluster_ca().await.unwrap();
    assert_eq!(authority.roots, [certificate.der().clone()]);
    let facts = authority.part.downcast_ref::<Vec<ClusterCa>>().unwrap();
    assert!(facts[0].certificate.subject.contains("k3s-server-ca"));
    assert_eq!(facts[0].certificate.fingerprint.len(), 64);
    assert!(kubernetes.list(&ClusterCa::NEED).await.is_ok());
    assert_eq!(server.targets()[1], "/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt");

    let server = serve(|_| reply(200, r#"{"data":{"ca.crt":"nothing"}}"#)).await;
    let gap = client(&server).await.cluster_ca().await.err().unwrap();
    assert_eq!((&*gap.need, gap.why), ("cluster_ca", Why::Malformed));
    let server = serve(|_| status(403, "Forbidden", "no")).await;
    assert_eq!(client(&server).await.cluster_ca().await.err().unwrap().why, Why::Forbidden);
}
