//! Small clusters for the renderers' tests. Every address is loopback.

use kairos_doctor_checks::engine::{self, Report};
use kairos_doctor_checks::facts::{FORMAT, Facts, Known, NEEDS};
use kairos_doctor_checks::{
    ALL, Cause, Changes, Check, Evidence, Finding, ObjectRef, Severity, Step, Verdict,
};
use serde_json::{Value, json};

use super::{View, outcome};

/// A view as on a terminal of that width.
pub fn view(report: &Report, width: usize) -> View {
    View {
        width,
        colour: false,
        verbose: false,
        quiet: false,
        min_severity: Severity::Info,
        outcome: outcome(report, Some(Severity::Warning)),
        reads: None,
        replaced: None,
        since: None,
        suppressed: Default::default(),
    }
}

/// The checks that the samples run: a fixed few, so that a new check is no change to how reports look.
const RUN: [&str; 5] = ["KD100", "KD110", "KD300", "KD301", "KD304"];

pub fn report(bundle: &Value) -> Report {
    let checks: Vec<&'static Check> = ALL.iter().copied().filter(|check| RUN.contains(&check.code)).collect();
    engine::run(&Facts::from_bundle(bundle).unwrap(), &checks)
}

fn node(i: usize, certificate_of: usize) -> (Value, Value, Value) {
    let name = format!("k{i}");
    let address = |i: usize| format!("127.0.{}.{}", i / 200, 1 + i % 200);
    let node = json!({
        "metadata": {"name": name, "labels": {"topology.kubernetes.io/region": "nbg1"},
            "annotations": {"alpha.kubernetes.io/provided-node-ip": address(certificate_of)}},
        "spec": {"providerID": format!("hcloud://{}", 4711880 + i)},
        "status": {"addresses": [{"type": "InternalIP", "address": address(i)}],
            "conditions": [{"type": "Ready", "status": "True"}]},
    });
    let server = json!({
        "id": 4711880 + i, "name": name, "status": "running", "location": {"name": "nbg1", "network_zone": "eu-central"},
        "public_net": {"ipv4": {"ip": format!("127.9.0.{i}")}}, "private_net": [{"network": 815, "ip": address(i)}],
    });
    let kubelet = json!({
        "node": name, "addressType": "InternalIP", "address": address(i), "port": 10250, "trusted": true,
        "certificate": {"subject": format!("CN={name}"), "dnsNames": [name, "localhost"],
            "ipAddresses": ["127.0.0.1", address(certificate_of)], "notBefore": "2026-11-01T08:00:00Z"},
    });
    (node, server, kubelet)
}

/// `certificates[i]` is the node whose address the kubelet of node `i + 1` has in its certificate.
pub fn bundle(certificates: &[usize]) -> Value {
    let nodes: Vec<_> = certificates.iter().enumerate().map(|(i, of)| node(i + 1, *of)).collect();
    let mut bundle = json!({
        "format": FORMAT, "now": "2026-11-23T09:00:00Z", "context": "prod", "hcloud_context": "prod",
        "parts": {
            "api_server": [{"server": "https://127.9.0.1:6443", "host": "127.9.0.1", "port": 6443,
                "addresses": ["127.9.0.1"], "outcome": "answered"}],
            "version": [{"gitVersion": "v1.34.2+k3s1"}],
            "namespaces": [{"metadata": {"name": "kube-system", "uid": "5a1b8c1e-0000-4000-8000-000000000001"}}],
            "nodes": nodes.iter().map(|n| &n.0).collect::<Vec<_>>(),
            "pods": [{"metadata": {"name": "hcloud-cloud-controller-manager-7c9f", "namespace": "kube-system"},
                "spec": {"nodeName": "k1", "containers": [{"name": "hcloud-cloud-controller-manager",
                    "image": "docker.io/hetznercloud/hcloud-cloud-controller-manager:v1.35.0"}]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}],
            "services": [{"metadata": {"name": "web", "namespace": "edge", "uid": "u-1", "creationTimestamp": "2026-11-23T08:00:00Z"},
                "spec": {"type": "LoadBalancer", "ports": [{"port": 443, "nodePort": 31443}]},
                "status": {"loadBalancer": {"ingress": [{"ip": "127.9.1.1"}]}}}],
            "endpointslices": [{"metadata": {"name": "web-1", "namespace": "edge", "labels": {"kubernetes.io/service-name": "web"}},
                "endpoints": [{"addresses": ["127.8.0.1"], "nodeName": "k1"}]}],
            "daemonsets": [{"metadata": {"name": "cilium", "namespace": "kube-system"}, "spec": {"template": {"spec":
                {"containers": [{"name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.18.2"}]}}}}],
            "kubelets": nodes.iter().map(|n| &n.2).collect::<Vec<_>>(),
            "hcloud.servers": nodes.iter().map(|n| &n.1).collect::<Vec<_>>(),
            "hcloud.load_balancers": [{"id": 99, "name": "edge-web", "labels": {"hcloud-ccm/service-uid": "u-1"},
                "public_net": {"enabled": true, "ipv4": {"ip": "127.9.1.1"}},
                "services": [{"protocol": "tcp", "listen_port": 443, "destination_port": 31443,
                    "health_check": {"protocol": "tcp", "port": 31443}}],
                "targets": [{"type": "server", "server": {"id": 4711881},
                    "health_status": [{"listen_port": 443, "status": "healthy"}]}]}],
        },
    });
    // of everything else there is nothing
    for need in NEEDS {
        let parts = bundle["parts"].as_object_mut().expect("an object");
        parts.entry(need.key).or_insert_with(|| json!([]));
    }
    bundle
}

pub fn healthy() -> Report {
    report(&bundle(&[1, 2, 3]))
}

/// A Gateway's Service without a location: KD301 explains KD300, which explains KD606.
pub fn pending_service_bundle() -> Value {
    let mut bundle = bundle(&[1, 2, 3]);
    let parts = &mut bundle["parts"];
    parts["services"][0]["metadata"]["name"] = json!("cilium-gateway-web");
    parts["services"][0]["metadata"]["ownerReferences"] = json!([{"kind": "Gateway", "name": "web"}]);
    parts["services"][0]["status"] = json!({});
    let accepted = json!([{"type": "Accepted", "status": "True", "reason": "Accepted"}]);
    parts["gateways"] = json!([{"metadata": {"name": "web", "namespace": "edge"},
        "spec": {"gatewayClassName": "cilium"}, "status": {"conditions": accepted}}]);
    parts["gatewayclasses"] = json!([{"metadata": {"name": "cilium"},
        "spec": {"controllerName": "io.cilium/gateway-controller"}, "status": {"conditions": accepted}}]);
    let containers = json!([{"name": "cilium-operator", "image": "quay.io/cilium/operator-generic:v1.18.2"}]);
    parts["deployments"] = json!([{"metadata": {"name": "cilium-operator", "namespace": "kube-system"},
        "spec": {"template": {"spec": {"containers": containers}}}}]);
    let pods = parts["pods"].as_array_mut().expect("a list");
    pods.push(json!({"metadata": {"name": "cilium-operator-6b8c", "namespace": "kube-system"},
        "spec": {"nodeName": "k1", "containers": containers},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}));
    parts["hcloud.load_balancers"] = json!([]);
    parts["events"] = json!([{"metadata": {"name": "cilium-gateway-web.187", "namespace": "edge"},
        "involvedObject": {"kind": "Service", "namespace": "edge", "name": "cilium-gateway-web"},
        "reason": "SyncLoadBalancerFailed", "type": "Warning", "lastTimestamp": "2026-11-23T08:57:30Z",
        "message": "Error syncing load balancer: failed to ensure load balancer: hcloud/loadBalancers.EnsureLoadBalancer: \
                    hcops/LoadBalancerOps.Create: neither load-balancer.hetzner.cloud/location nor \
                    load-balancer.hetzner.cloud/network-zone set"}]);
    bundle
}

pub fn pending_service() -> Report {
    report(&pending_service_bundle())
}

/// A firewall without the load balancer's address: KD304.
pub fn targets() -> Report {
    let mut bundle = bundle(&[1, 2, 3]);
    let parts = &mut bundle["parts"];
    parts["hcloud.load_balancers"][0]["targets"][0]["health_status"][0]["status"] = json!("unhealthy");
    parts["hcloud.servers"][0]["public_net"]["firewalls"] = json!([{"id": 7, "status": "applied"}]);
    parts["hcloud.firewalls"] = json!([{"id": 7, "name": "nodes", "rules": [
        {"direction": "in", "protocol": "tcp", "port": "22", "source_ips": ["0.0.0.0/0"]}],
        "applied_to": [{"type": "server", "server": {"id": 4711881}}]}]);
    report(&bundle)
}

/// KD110 on that many nodes, each with an old address in its certificate.
pub fn kubelets(count: usize) -> Report {
    report(&bundle(&(1..=count).map(|i| i + count).collect::<Vec<_>>()))
}

pub fn kubelets_with_etcd(count: usize) -> Report {
    let mut bundle = bundle(&(1..=count).map(|i| i + count).collect::<Vec<_>>());
    let meta = &mut bundle["parts"]["nodes"][0]["metadata"];
    meta["labels"]["node-role.kubernetes.io/etcd"] = json!("true");
    meta["labels"]["node-role.kubernetes.io/control-plane"] = json!("true");
    meta["annotations"]["etcd.k3s.cattle.io/node-address"] = json!("127.0.0.77");
    report(&bundle)
}

/// KD100: the server behind the address is off.
pub fn unreachable() -> Report {
    let mut bundle = bundle(&[1]);
    let all = bundle["parts"].as_object_mut().unwrap();
    let gone: Vec<String> =
        all.keys().filter(|k| !k.starts_with("hcloud") && *k != "api_server").cloned().collect();
    for key in &gone {
        all.remove(key);
    }
    all["api_server"][0]["outcome"] = json!("refused");
    all["api_server"][0]["detail"] = json!("connection refused (os error 111)");
    all["hcloud.servers"][0]["status"] = json!("off");
    let gap = |key: &String| {
        let (why, detail) = match key.as_str() {
            "kubelets" => ("not-read", "no node is known to ask"),
            _ => ("unreachable", "the API server did not answer: connection refused"),
        };
        let need = if key == "kubelets" { "kubelets" } else { "kubernetes" };
        (key.clone(), json!({"need": need, "why": why, "detail": detail}))
    };
    bundle["gaps"] = Value::Object(gone.iter().map(gap).collect());
    report(&bundle)
}

/// No Hetzner token, and a role that may not read pods.
pub fn blind() -> Report {
    let mut bundle = bundle(&[1, 2, 3]);
    bundle["hcloud_context"] = Value::Null;
    let gap = |need: &str, why: &str, detail: &str| json!({"need": need, "why": why, "detail": detail});
    let mut gaps = serde_json::Map::new();
    for key in
        ["hcloud.servers", "hcloud.load_balancers", "hcloud.firewalls", "hcloud.networks", "hcloud.locations"]
    {
        let detail = "no token: HCLOUD_TOKEN is not set, and the hcloud CLI has no active context";
        gaps.insert(key.into(), gap("hcloud", "not-configured", detail));
    }
    let who = "system:serviceaccount:monitoring:doctor";
    for key in ["pods", "pods.log"] {
        gaps.insert(key.into(), gap(key, "forbidden", &format!("403 for {who}")));
    }
    let kubelets = bundle["parts"]["kubelets"].as_array_mut().unwrap();
    for kubelet in kubelets {
        kubelet["certificate"] = Value::Null;
        kubelet["failure"] = json!({"why": "unreachable", "detail": "no route to host"});
    }
    for key in gaps.keys() {
        bundle["parts"].as_object_mut().unwrap().remove(key);
    }
    bundle["gaps"] = Value::Object(gaps);
    report(&bundle)
}

/// Hetzner left out on purpose; all else healthy.
pub fn left_out() -> Report {
    let mut bundle = bundle(&[1, 2, 3]);
    let mut gaps = serde_json::Map::new();
    for key in
        ["hcloud.servers", "hcloud.load_balancers", "hcloud.firewalls", "hcloud.networks", "hcloud.locations"]
    {
        bundle["parts"].as_object_mut().unwrap().remove(key);
        gaps.insert(key.into(), json!({"need": "hcloud", "why": "left-out", "detail": "--no-hetzner"}));
    }
    bundle["gaps"] = Value::Object(gaps);
    report(&bundle)
}

const fn made(
    code: &'static str,
    slug: &'static str,
    severity: Severity,
    caused_by: &'static [Cause],
    judge: fn(&Facts, &mut Verdict) -> Known<()>,
) -> Check {
    let explain = "page";
    Check { code, slug, title: slug, examines: "things", severity, needs: &[], caused_by, explain, judge }
}

static NETWORK: Check = made("KD204", "controller-network", Severity::Critical, &[], |_, v| {
    let chart = "hcloud-cloud-controller-manager";
    let pod = ObjectRef::new("Pod", Some("kube-system"), "hcloud-cloud-controller-manager-7c9f");
    let pin = r#"{"spec":{"version":"1.35.0"}}"#;
    let config = json!({"apiVersion": "helm.cattle.io/v1", "kind": "HelmChartConfig",
        "metadata": {"name": chart, "namespace": "kube-system"},
        "spec": {"failurePolicy": "abort", "valuesContent": {"env": {"HCLOUD_NETWORK": {"value": "815"},
            "HCLOUD_NETWORK_ROUTES_ENABLED": {"value": "false"}}}}});
    let columns = "custom-columns=N:.metadata.name,ID:.spec.providerID";
    let mut finding = Finding::about(pod.clone(), "the cloud controller is not told its network")
        .because(
            "k3s registered the nodes with private addresses. Without HCLOUD_NETWORK the controller knows public ones only, \
             so it initialises no node.",
        )
        .step(Step::kubectl(
            Changes::Cluster,
            "keep today's version: the chart is unpinned, and any change to it would also upgrade the controller",
            &["-n", "kube-system", "patch", "helmchart", chart, "--type", "merge", "-p", pin],
        ))
        .step(Step::apply("tells it the network", config).hazard(
            "restarts the controller; it will attach this cluster's load balancers to `kube`",
        ))
        .step(
            Step::decide("put the same lines under valuesContent of hcloud-ccm.yaml, as your cloud-config in /oem writes it")
                .for_good(),
        )
        .verify_kubectl(&["get", "nodes", "-o", columns], "every node shows hcloud://<id> within a minute");
    let fact = |source: &ObjectRef, path: &str, value: Option<&str>| Evidence {
        source: source.clone(),
        path: path.into(),
        value: value.map(Into::into),
        time: None,
    };
    finding.evidence = vec![
        fact(&pod, "env HCLOUD_NETWORK", None),
        fact(
            &ObjectRef::new("Node", None, "k1"),
            "metadata.annotations['alpha.kubernetes.io/provided-node-ip']",
            Some("127.0.0.2"),
        ),
        fact(&ObjectRef::hetzner("Server", "k1", 4711881), "private_net[0].ip", Some("127.0.0.2")),
    ];
    for name in ["k1", "k2", "k3"] {
        finding = finding.relates_to(ObjectRef::new("Node", None, name));
    }
    v.findings.push(finding);
    Ok(())
});

static WAITING: Check = made("KD104", "initialised", Severity::Error, &[Cause::here(&NETWORK)], |_, v| {
    for name in ["k1", "k2", "k3"] {
        let says = format!("node {name} waits for the cloud controller");
        v.findings.push(Finding::about(ObjectRef::new("Node", None, name), says));
    }
    Ok(())
});

static PROXY: Check = made("KD504", "kube-proxy", Severity::Warning, &[], |_, v| {
    for name in ["k1", "k2"] {
        let says = format!("kube-proxy still runs beside Cilium's replacement on {name}");
        let why =
            format!("on node {name}: write disable-kube-proxy into the k3s configuration and restart it");
        v.findings.push(Finding::about(ObjectRef::new("Node", None, name), says).step(Step::decide(why)));
    }
    Ok(())
});

static ENDS: Check = made("KD401", "certificate-ends", Severity::Info, &[], |_, v| {
    let mut finding = Finding::about(
        ObjectRef::new("Secret", Some("edge"), "tls"),
        "the certificate of edge/tls ends in 12 d",
    )
    .predicted();
    finding.deadline = Some("2026-12-05T09:00:00Z".parse().unwrap());
    v.findings.push(finding);
    Ok(())
});

/// Every part that a finding may have, and one of each severity.
pub fn mixed() -> Report {
    engine::run(&Facts::from_bundle(&bundle(&[1, 2, 3])).unwrap(), &[&NETWORK, &WAITING, &PROXY, &ENDS])
}

static MANY: Check = made("KD900", "many", Severity::Error, &[], |_, v| {
    for i in 0..2000 {
        let says = format!("thing {i} is not as it should be, and it takes a while to say so");
        let step = Step::decide(format!("choose what {i} should be {}", "or not ".repeat(i % 17)));
        v.findings.push(Finding::about(ObjectRef::new("Thing", None, &format!("t{i}")), says).step(step));
    }
    Ok(())
});

/// That many roots that are all different.
pub fn many(count: usize) -> Report {
    let mut report = engine::run(&Facts::from_bundle(&bundle(&[1])).unwrap(), &[&MANY]);
    report.findings.truncate(count);
    report
}

/// Replaces every name in the bundle's objects that a user chooses by `name`, wherever it stands.
pub fn renamed(bundle: &Value, from: &str, to: &str) -> Report {
    fn walk(value: &mut Value, from: &str, to: &str) {
        match value {
            Value::String(text) if text.contains(from) => *text = text.replace(from, to),
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, from, to)),
            Value::Object(map) => map.values_mut().for_each(|item| walk(item, from, to)),
            _ => {}
        }
    }
    let mut bundle = bundle.clone();
    walk(&mut bundle, from, to);
    report(&bundle)
}
