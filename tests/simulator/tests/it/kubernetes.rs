//! The Kubernetes API, held to what a real one (1.35) was seen to answer.

use kairos_doctor_checks::facts::{NEEDS, Origin};
use kairos_doctor_simulator::{Options, Simulator, Source};
use serde_json::{Value, json};

use crate::bundle;
use crate::client::{Got, kubernetes, kubernetes_with, request};

const USER: &str = "system:serviceaccount:kairos-doctor:kairos-doctor";

fn names(got: &Got) -> Vec<String> {
    let list = got.json();
    let name = |item: &Value| item["metadata"]["name"].as_str().unwrap().to_string();
    list["items"].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn every_need_is_served_and_decodes() {
    let simulator = Simulator::start(&bundle(), Options::default());
    for need in NEEDS {
        let path = match need.from {
            Origin::Kubernetes(r) if r.custom && r.group != "helm.cattle.io" => continue,
            Origin::Kubernetes(r) => r.path(r.versions[0]),
            Origin::KubernetesPath(path) => path.into(),
            _ => continue,
        };
        let got = kubernetes(&simulator, &path);
        assert_eq!(got.status, 200, "{path}: {}", got.text());
        if need.key != "cluster_ca" {
            let page = need.decode(&got.body).unwrap();
            let recorded = bundle()["parts"][need.key].as_array().map_or(0, Vec::len);
            assert_eq!(need.len(&page.items), recorded, "{}", need.key);
        }
    }
    let version = kubernetes(&simulator, "/version").json();
    assert_eq!(version["gitVersion"], "v1.33.1+k3s1");
    let root = kubernetes(&simulator, "/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt").json();
    assert_eq!((&root["kind"], &root["apiVersion"]), (&json!("ConfigMap"), &json!("v1")));
    assert_eq!(root["data"]["ca.crt"], simulator.cluster_ca());
}

#[test]
fn lists_look_like_real_ones() {
    let simulator = Simulator::start(&bundle(), Options::default());
    let pods = kubernetes(&simulator, "/api/v1/pods").json();
    assert_eq!(pods["kind"], "PodList");
    assert_eq!(pods["apiVersion"], "v1");
    assert_eq!(pods["metadata"], json!({"resourceVersion": "1000"}));
    assert!(pods["items"][0]["kind"].is_null(), "items of built-in lists do not say their kind");
    let charts = kubernetes(&simulator, "/apis/helm.cattle.io/v1/helmchartconfigs").json();
    assert_eq!(charts["kind"], "HelmChartConfigList");
    assert_eq!(charts["items"][0]["kind"], "HelmChartConfig");
    assert_eq!(charts["metadata"]["continue"], "");
    let port =
        kubernetes(&simulator, "/api/v1/nodes").json()["items"][0]["status"]["daemonEndpoints"].clone();
    assert_eq!(port["kubeletEndpoint"]["Port"], simulator.kubelet_port());
}

#[test]
fn pages_follow_each_other() {
    let simulator = Simulator::start(&bundle(), Options::default());
    let first = kubernetes(&simulator, "/api/v1/pods?limit=4");
    let metadata = first.json()["metadata"].clone();
    assert_eq!(metadata["remainingItemCount"], 6);
    let mut all = names(&first);
    let mut next = metadata["continue"].as_str().map(str::to_string);
    for _ in 0..5 {
        let Some(token) = next else { break };
        let page = kubernetes(&simulator, &format!("/api/v1/pods?limit=4&continue={token}"));
        all.extend(names(&page));
        next = page.json()["metadata"]["continue"].as_str().map(str::to_string);
    }
    assert_eq!(all, ["lost", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "two", "waiting"]);
    let selected =
        kubernetes(&simulator, "/api/v1/pods?limit=4&fieldSelector=metadata.namespace%3Dkube-system");
    assert!(selected.json()["metadata"]["remainingItemCount"].is_null());
    assert_eq!(names(&kubernetes(&simulator, "/api/v1/pods?limit=4&resourceVersion=0")).len(), 10);
    let bad = kubernetes(&simulator, "/api/v1/pods?limit=4&continue=!!");
    assert_eq!(bad.status, 400);
    assert_eq!(
        bad.message(),
        "invalid continue token: continue key is not valid: illegal base64 data at input byte 0"
    );
}

#[test]
fn field_selectors_select() {
    let simulator = Simulator::start(&bundle(), Options::default());
    let path = "/api/v1/events?fieldSelector=type%3DWarning%2CinvolvedObject.kind!%3DPod";
    assert_eq!(names(&kubernetes(&simulator, path)), ["a"]);
    let bad = kubernetes(&simulator, "/api/v1/events?fieldSelector=spec.x%3D1");
    assert_eq!((bad.status, bad.message().as_str()), (400, "field label not supported: spec.x"));
    assert_eq!(bad.json()["reason"], "BadRequest");
}

#[test]
fn what_is_not_there_is_missed_in_the_real_words() {
    let simulator = Simulator::start(&bundle(), Options::default());
    // granted, and not installed
    let gateways = kubernetes(&simulator, "/apis/gateway.networking.k8s.io/v1/gateways");
    assert_eq!((gateways.status, gateways.text().as_str()), (404, "404 page not found\n"));
    assert_eq!(gateways.headers["content-type"], "text/plain; charset=utf-8");
    let version = kubernetes(&simulator, "/apis/apps/v1beta9/deployments");
    assert_eq!(version.message(), "the server could not find the requested resource");
    assert_eq!(kubernetes(&simulator, "//api/v1/nodes").text(), "404 page not found\n");
    // a need that reads one object, in a cluster that has none
    let mut without = bundle();
    without["parts"].as_object_mut().unwrap().remove("cilium_config");
    let path = "/api/v1/namespaces/kube-system/configmaps/cilium-config";
    let got = kubernetes(&Simulator::start(&without, Options::default()), path);
    assert_eq!((got.status, got.message().as_str()), (404, "configmaps \"cilium-config\" not found"));
    let groups = Options { crd_groups: Some(vec!["gateway.networking.k8s.io".into()]), ..Options::default() };
    let other = Simulator::start(&bundle(), groups);
    assert_eq!(kubernetes(&other, "/apis/gateway.networking.k8s.io/v1/gateways").status, 200);
    assert_eq!(kubernetes(&other, "/apis/helm.cattle.io/v1/helmcharts").status, 404);
}

#[test]
fn discovery_has_both_forms() {
    let simulator = Simulator::start(&bundle(), Options::default());
    let plain = kubernetes(&simulator, "/apis").json();
    assert_eq!(plain["kind"], "APIGroupList");
    let of = |list: &Value, name: &str| list.as_array().unwrap().iter().any(|g| g["name"] == name);
    assert!(of(&plain["groups"], "helm.cattle.io") && of(&plain["groups"], "apps"));
    assert!(!of(&plain["groups"], "gateway.networking.k8s.io"));
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let got = kubernetes_with(&simulator, "/apis", &[("Accept", accept)]).unwrap();
    assert!(got.headers["content-type"].contains("as=APIGroupDiscoveryList"));
    let list = got.json();
    let helm =
        list["items"].as_array().unwrap().iter().find(|g| g["metadata"]["name"] == "helm.cattle.io").unwrap();
    let resources = helm["versions"][0]["resources"].as_array().unwrap();
    assert!(resources.iter().any(|r| r["resource"] == "helmcharts" && r["scope"] == "Namespaced"));
    let old = [("Accept", "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList")];
    assert_eq!(kubernetes_with(&simulator, "/apis", &old).unwrap().status, 406);
}

#[test]
fn only_the_shipped_rights_are_granted() {
    let simulator = Simulator::start(&bundle(), Options::default());
    let refused = kubernetes(&simulator, "/api/v1/secrets");
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.message(),
        format!(
            "secrets is forbidden: User \"{USER}\" cannot list resource \"secrets\" in API group \"\" at the cluster scope"
        )
    );
    assert_eq!(refused.json()["details"], json!({"kind": "secrets"}));
    for path in [
        "/api/v1/configmaps",
        "/api/v1/namespaces/kube-system/configmaps/other",
        "/api/v1/namespaces/edge/configmaps/kube-root-ca.crt",
        "/api/v1/nodes?watch=true",
        "/api/v1/namespaces/edge/pods/x/log",
        "/api/v1/namespaces/kube-system/pods/p1/exec?command=sh",
        "/api/v1/%73ecrets",
        "/api/v1/watch/nodes",
        "/api/v1/proxy/nodes/n1",
        "/metrics",
    ] {
        assert_eq!(kubernetes(&simulator, path).status, 403, "{path}");
    }
    let foo = kubernetes(&simulator, "/foo");
    assert_eq!(foo.message(), format!("forbidden: User \"{USER}\" cannot get path \"/foo\""));
    assert_eq!(foo.json()["details"], json!({}));
    let token = format!("Bearer {}", simulator.kubernetes_token());
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let url = format!("{}/api/v1/namespaces/kube-system/pods/p1", simulator.server());
        let got = request(method, &url, simulator.cluster_ca(), &[("Authorization", &token)]).unwrap();
        assert_eq!(got.status, 403, "{method}");
    }
    let somebody = [("Impersonate-User", "bob")];
    assert!(
        kubernetes_with(&simulator, "/version", &somebody).unwrap().message().contains("cannot impersonate")
    );
}

#[test]
fn a_withheld_need_is_forbidden_and_the_others_are_not() {
    let simulator = Simulator::start(
        &bundle(),
        Options::default().withholding("daemonsets").withholding("pods.log").withholding("cluster_ca"),
    );
    let refused = kubernetes(&simulator, "/apis/apps/v1/daemonsets");
    assert_eq!(
        refused.message(),
        format!(
            "daemonsets.apps is forbidden: User \"{USER}\" cannot list resource \"daemonsets\" in API group \"apps\" \
             at the cluster scope"
        )
    );
    assert_eq!(refused.json()["details"], json!({"group": "apps", "kind": "daemonsets"}));
    assert_eq!(kubernetes(&simulator, "/apis/apps/v1/deployments").status, 200);
    let log = kubernetes(&simulator, "/api/v1/namespaces/kube-system/pods/p1/log");
    assert!(log.message().starts_with("pods \"p1\" is forbidden: "), "{}", log.message());
    assert!(
        log.message()
            .contains("cannot get resource \"pods/log\" in API group \"\" in the namespace \"kube-system\"")
    );
    let ca = kubernetes(&simulator, "/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt");
    assert!(ca.message().starts_with("configmaps \"kube-root-ca.crt\" is forbidden: "));
    assert!(Simulator::try_start(&bundle(), Options::default().withholding("nothing")).is_err());
}

#[test]
fn without_the_token_nobody_is_let_in() {
    let simulator = Simulator::start(&bundle(), Options::default());
    for headers in [&[][..], &[("Authorization", "Bearer wrong")]] {
        let url = format!("{}/version", simulator.server());
        let got = request("GET", &url, simulator.cluster_ca(), headers).unwrap();
        assert_eq!((got.status, got.message().as_str()), (401, "Unauthorized"));
    }
    assert!(simulator.requests().iter().all(|r| r.source == Source::Kubernetes && r.status == 401));
}

#[test]
fn large_answers_are_compressed_for_who_accepts_it() {
    let simulator = Simulator::start(&bundle(), Options { gzip_from: 0, ..Options::default() });
    let got = kubernetes_with(&simulator, "/api/v1/pods", &[("Accept-Encoding", "gzip, br")]).unwrap();
    assert_eq!(got.headers["content-encoding"], "gzip");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&got.body[..]), &mut text).unwrap();
    assert!(text.contains("\"PodList\""));
    assert!(!kubernetes(&simulator, "/api/v1/pods").headers.contains_key("content-encoding"));
}

#[test]
fn a_seed_changes_order_and_pages_and_nothing_else() {
    let plain = names(&kubernetes(&Simulator::start(&bundle(), Options::default()), "/api/v1/pods"));
    let mut orders = Vec::new();
    for seed in [1, 1, 2, 3] {
        let simulator = Simulator::start(&bundle(), Options::default().shuffled(seed));
        let mut all = Vec::new();
        let mut pages = Vec::new();
        let mut token = String::new();
        for _ in 0..20 {
            let got = kubernetes(&simulator, &format!("/api/v1/pods?limit=500&continue={token}"));
            pages.push(names(&got).len());
            all.extend(names(&got));
            match got.json()["metadata"]["continue"].as_str() {
                Some(next) => token = next.into(),
                None => break,
            }
        }
        let mut sorted = all.clone();
        sorted.sort();
        assert_eq!(sorted, plain);
        orders.push((all, pages));
    }
    assert_eq!(orders[0], orders[1]);
    assert!(orders[1] != orders[2] || orders[2] != orders[3]);
}
