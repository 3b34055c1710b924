//! A cluster of any size, in the shapes of the fixture `healthy/hcm-cilium-3` and with the weight that real objects have:
//! the fields that no check reads are there too, because they are most of what goes over the wire.

use std::net::Ipv4Addr;

use kairos_doctor::fixture::Fixture;
use serde_json::{Map, Value, json};

/// What one node adds.
const PODS: usize = 10;
const SERVICES: usize = 2;
const EVENTS: usize = 4;
/// Endpoints of one Service.
const REPLICAS: usize = 4;
const NODES_OF_A_NAMESPACE: usize = 50;
/// One load balancer for so many nodes: 200 for 5,000.
const NODES_OF_A_LOAD_BALANCER: usize = 25;
/// What the smallest load balancer type takes.
const MOST_TARGETS: usize = 25;
const FIRST_SERVER: usize = 101_001;
const MADE: &str = "2026-11-20T07:01:40Z";

/// A bundle of that many nodes, all healthy.
pub fn cluster(nodes: usize) -> Value {
    let fixture = Fixture::named("healthy/hcm-cilium-3").expect("the fixture is built in");
    let mut bundle = fixture.bundle();
    let parts = bundle["parts"].as_object_mut().expect("a bundle has parts");
    // the simulator makes certificates and answers of its own for what is not recorded
    parts.remove("kubelets");
    parts.remove("pods.log");
    parts.remove("controller.log");
    grow_nodes(parts, nodes);
    grow_pods(parts, nodes);
    grow_services(parts, nodes);
    for service in parts["services"].as_array_mut().expect("a list") {
        if service["spec"]["type"] == "LoadBalancer" {
            service["metadata"]["annotations"]["load-balancer.hetzner.cloud/node-selector"] =
                selected(nodes).into();
        }
    }
    let balancers = parts["hcloud.load_balancers"].as_array_mut().expect("a list");
    balancers.iter_mut().for_each(|lb| lb["targets"] = targets(nodes, &lb["services"].clone()));
    let events = (0..nodes * EVENTS).map(event).collect();
    parts.insert("events".into(), events);
    for (key, items) in parts.iter_mut().filter(|(key, _)| !key.starts_with("hcloud.")) {
        for item in items.as_array_mut().into_iter().flatten() {
            if item["metadata"].is_object() {
                item["metadata"]["managedFields"] = managed(key);
            }
        }
    }
    bundle
}

/// The same cluster with something wrong at every node, every load balancer and every Service behind one.
pub fn broken(nodes: usize) -> Value {
    let mut bundle = cluster(nodes);
    let parts = bundle["parts"].as_object_mut().expect("a bundle has parts");
    let lacking = |i: usize| {
        let node = node_name(i);
        let certificate = json!({"subject": node, "issuer": "k3s-server-ca", "dnsNames": [node, "localhost"],
            "ipAddresses": ["127.0.0.1"], "notBefore": MADE, "notAfter": "2027-11-20T07:01:40Z"});
        json!({"node": node, "addressType": "InternalIP", "address": address(1, i), "port": 10250, "trusted": true,
            "certificate": certificate})
    };
    parts.insert("kubelets".into(), (0..nodes).map(lacking).collect());
    for balancer in parts["hcloud.load_balancers"].as_array_mut().expect("a list") {
        for target in balancer["targets"].as_array_mut().expect("a list") {
            target["health_status"].as_array_mut().expect("a list").iter_mut().for_each(|one| {
                one["status"] = "unhealthy".into();
            });
        }
    }
    for service in parts["services"].as_array_mut().expect("a list") {
        if service["spec"]["type"] == "LoadBalancer" {
            let annotations = &mut service["metadata"]["annotations"];
            annotations["load-balancer.hetzner.cloud/location"] = "nowhere".into();
            // so that most nodes are missing
            annotations["load-balancer.hetzner.cloud/node-selector"] = "".into();
        }
    }
    bundle
}

fn named(items: &Value, name: &str) -> Value {
    let items = items.as_array().expect("a list");
    let by = |item: &&Value| item["metadata"]["name"] == name || item["name"] == name;
    items.iter().find(by).unwrap_or_else(|| panic!("the fixture has {name}")).clone()
}

fn node_name(i: usize) -> String {
    format!("k{}", i + 1)
}

/// The first 2,000 of the nodes are servers of Hetzner Cloud; the others are dedicated (Robot) servers, which the API does not list.
fn clouds(nodes: usize) -> usize {
    nodes.min(2000)
}

/// The address of node `i` in one of the networks 127.1.0.0/16 (private) and 127.2.0.0/16 (public).
fn address(network: u8, i: usize) -> String {
    let part = |n: usize| u8::try_from(n).expect("there are at most 62,500 nodes");
    Ipv4Addr::new(127, network, part(i / 250), part(i % 250 + 1)).to_string()
}

fn uid(kind: usize, i: usize) -> String {
    format!("{kind:08x}-0000-4000-8000-{i:012x}")
}

fn grow_nodes(parts: &mut Map<String, Value>, count: usize) {
    let (server, agent) = (named(&parts["nodes"], "k1"), named(&parts["nodes"], "k2"));
    let machine = named(&parts["hcloud.servers"], "k1");
    let (of_cilium, of_csi) = (named(&parts["ciliumnodes"], "k2"), named(&parts["csinodes"], "k2"));
    let (mut nodes, mut machines, mut cilium, mut csi) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for i in 0..count {
        let (name, inner, outer) = (node_name(i), address(1, i), address(2, i));
        let mut node = if i == 0 { server.clone() } else { agent.clone() };
        let was = node["metadata"]["annotations"]["alpha.kubernetes.io/provided-node-ip"].take();
        let was = was.as_str().expect("the fixture's nodes are told their address").to_string();
        let arguments = node["metadata"]["annotations"]["k3s.io/node-args"].take();
        let arguments = arguments.as_str().unwrap_or_default().replace(&was, &inner);
        let meta = &mut node["metadata"];
        meta["name"] = name.clone().into();
        meta["uid"] = uid(1, i).into();
        meta["labels"]["kubernetes.io/hostname"] = name.clone().into();
        meta["annotations"]["alpha.kubernetes.io/provided-node-ip"] = inner.clone().into();
        meta["annotations"]["k3s.io/node-args"] = arguments.into();
        let is_cloud = i < clouds(count);
        let provider = if is_cloud { "hcloud://" } else { "hrobot://" };
        node["spec"]["providerID"] = format!("{provider}{}", FIRST_SERVER + i).into();
        node["status"]["addresses"] = json!([
            {"type": "Hostname", "address": name},
            {"type": "ExternalIP", "address": outer},
            {"type": "InternalIP", "address": inner},
        ]);
        // the kubelet names the 50 largest images; a node has some twenty
        node["status"]["images"] = (0..20).map(image).collect();
        // as many as 5,000 of the cluster's range can be
        let range = format!("10.42.{}.{}/29", i / 32, i % 32 * 8);
        node["spec"]["podCIDR"] = range.clone().into();
        node["spec"]["podCIDRs"] = json!([range]);
        nodes.push(node);
        let mut its = of_cilium.clone();
        its["metadata"]["name"] = name.clone().into();
        its["metadata"]["uid"] = uid(10, i).into();
        its["spec"]["addresses"] =
            json!([{"type": "InternalIP", "ip": inner}, {"type": "ExternalIP", "ip": outer}]);
        its["spec"]["ipam"]["podCIDRs"] = json!([range]);
        cilium.push(its);
        let mut its = of_csi.clone();
        its["metadata"]["name"] = name.clone().into();
        its["metadata"]["uid"] = uid(11, i).into();
        csi.push(its);
        if !is_cloud {
            continue;
        }
        let mut server = machine.clone();
        server["id"] = (FIRST_SERVER + i).into();
        server["name"] = name.into();
        server["public_net"]["ipv4"]["ip"] = outer.into();
        server["private_net"][0]["ip"] = inner.into();
        machines.push(server);
    }
    parts["nodes"] = nodes.into();
    parts["ciliumnodes"] = cilium.into();
    parts["csinodes"] = csi.into();
    parts["hcloud.servers"] = machines.into();
    let applied = |i: usize| json!({"type": "server", "server": {"id": FIRST_SERVER + i}});
    for firewall in parts["hcloud.firewalls"].as_array_mut().expect("a list") {
        firewall["applied_to"] = (0..clouds(count)).map(applied).collect();
    }
    for set in parts["daemonsets"].as_array_mut().expect("a list") {
        let fields =
            ["currentNumberScheduled", "desiredNumberScheduled", "updatedNumberScheduled", "numberReady"];
        fields.into_iter().chain(["numberAvailable"]).for_each(|field| set["status"][field] = count.into());
    }
}

fn image(i: usize) -> Value {
    json!({"names": [format!("registry.example.com/team/app-{i}@sha256:{}", "5c".repeat(32)),
        format!("registry.example.com/team/app-{i}:v1.{i}.0")], "sizeBytes": 50_000_000 + i})
}

/// What the fixture runs on `k1`, the same DaemonSets on every other node, and applications beside them.
fn grow_pods(parts: &mut Map<String, Value>, count: usize) {
    let recorded = parts["pods"].as_array_mut().expect("a list");
    recorded.retain(|pod| pod["spec"]["nodeName"] == "k1");
    let (mut pods, mut on_first) = (std::mem::take(recorded), 0);
    let of_sets: Vec<Value> = ["cilium-k1aaa", "hcloud-csi-node-k1aaa"]
        .map(|name| named(&pods.clone().into(), name))
        .into_iter()
        .inspect(|_| on_first += 1)
        .collect();
    let addressed = |pod: &mut Value, i: usize| {
        if pod["spec"]["hostNetwork"] == true {
            pod["status"]["podIP"] = address(1, i).into();
        }
        pod["status"]["hostIP"] = address(1, i).into();
    };
    pods.iter_mut().for_each(|pod| addressed(pod, 0));
    for i in 0..count {
        for (kind, set) in of_sets.iter().enumerate().filter(|_| i > 0) {
            let mut pod = set.clone();
            let name = pod["metadata"]["name"].as_str().unwrap_or_default().replace("k1aaa", &node_name(i));
            pod["metadata"]["name"] = name.into();
            pod["metadata"]["uid"] = uid(20 + kind, i).into();
            pod["spec"]["nodeName"] = node_name(i).into();
            addressed(&mut pod, i);
            pods.push(pod);
        }
        pods.extend((0..PODS - of_sets.len()).map(|n| application_pod(i, n, count)));
    }
    parts["pods"] = pods.into();
    let spaces = parts["namespaces"].as_array_mut().expect("a list");
    for i in 0..count.div_ceil(NODES_OF_A_NAMESPACE) {
        let name = namespace(i * NODES_OF_A_NAMESPACE);
        spaces.push(json!({"metadata": {"name": name, "uid": uid(3, i), "creationTimestamp": MADE,
            "labels": {"kubernetes.io/metadata.name": name}}, "status": {"phase": "Active"}}));
    }
}

fn namespace(i: usize) -> String {
    format!("team-{}", i / NODES_OF_A_NAMESPACE)
}

fn application(i: usize, n: usize) -> String {
    format!("shop-{i}-{}", ["web", "api"][n % SERVICES])
}

/// Pods of one application run on neighbouring nodes.
fn place_of(i: usize, n: usize, count: usize) -> usize {
    (i + n / SERVICES) % count
}

fn application_pod(i: usize, n: usize, count: usize) -> Value {
    let (app, node) = (application(i, n), place_of(i, n, count));
    let condition = |kind: &str| {
        json!({"type": kind, "status": "True", "lastProbeTime": null, "observedGeneration": 1,
            "lastTransitionTime": "2026-11-20T07:02:05Z"})
    };
    let conditions = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];
    let mut spec = template(&app);
    spec["nodeName"] = node_name(node).into();
    json!({
        "metadata": {
            "name": format!("{app}-7f9c6d5b48-{n:05}"), "generateName": format!("{app}-7f9c6d5b48-"),
            "namespace": namespace(i), "uid": uid(4, i * PODS + n), "creationTimestamp": MADE,
            "labels": {"app.kubernetes.io/name": app, "pod-template-hash": "7f9c6d5b48"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9090"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{app}-7f9c6d5b48"),
                "uid": uid(5, i * SERVICES + n % SERVICES), "controller": true, "blockOwnerDeletion": true}],
        },
        "spec": spec,
        "status": {
            "phase": "Running", "qosClass": "Burstable", "startTime": MADE, "observedGeneration": 1,
            "hostIP": address(1, node), "podIP": format!("10.42.{}.{}", node % 250, n + 10),
            "conditions": conditions.map(condition),
            "containerStatuses": [{"name": "app", "ready": true, "started": true, "restartCount": 0,
                "image": "registry.example.com/team/app-1:v1.1.0", "state": {"running": {"startedAt": MADE}},
                "imageID": format!("registry.example.com/team/app-1@sha256:{}", "5c".repeat(32)), "lastState": {},
                "containerID": format!("containerd://{}", "7e".repeat(32))}],
        },
    })
}

/// The pod spec of an application.
fn template(app: &str) -> Value {
    let probe = |path: &str| {
        json!({"httpGet": {"path": path, "port": "http", "scheme": "HTTP"}, "periodSeconds": 10, "timeoutSeconds": 1,
            "successThreshold": 1, "failureThreshold": 3})
    };
    let tolerates = |what: &str| {
        json!({"key": format!("node.kubernetes.io/{what}"), "operator": "Exists", "effect": "NoExecute",
            "tolerationSeconds": 300})
    };
    json!({
        "volumes": [{"name": "kube-api-access-x7k2p", "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace",
                "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}}]}}],
        "containers": [{
            "name": "app", "image": "registry.example.com/team/app-1:v1.1.0", "imagePullPolicy": "IfNotPresent",
            "args": ["serve", "--listen=:8080", "--metrics=:9090"],
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"},
                {"name": "metrics", "containerPort": 9090, "protocol": "TCP"}],
            "env": [{"name": "APP", "value": app}, {"name": "LOG_LEVEL", "value": "info"},
                {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": app, "key": "database-url"}}}],
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
            "volumeMounts": [{"name": "kube-api-access-x7k2p", "readOnly": true,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
            "livenessProbe": probe("/healthz"), "readinessProbe": probe("/readyz"),
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]}},
        }],
        "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default", "serviceAccount": "default", "schedulerName": "default-scheduler",
        "securityContext": {"runAsNonRoot": true}, "priority": 0, "enableServiceLinks": true,
        "preemptionPolicy": "PreemptLowerPriority",
        "tolerations": [tolerates("not-ready"), tolerates("unreachable")],
    })
}

/// Services with their Deployment and EndpointSlice; the first ones behind a load balancer.
fn grow_services(parts: &mut Map<String, Value>, count: usize) {
    let balancer = named(&parts["hcloud.load_balancers"], "cilium-gateway-web");
    for (number, (i, n)) in (0..count).flat_map(|i| (0..SERVICES).map(move |n| (i, n))).enumerate() {
        let (app, uid_of) = (application(i, n), uid(6, number));
        let labels = json!({"app.kubernetes.io/name": app});
        let meta = |kind: usize, name: &str| {
            json!({"name": name, "namespace": namespace(i), "uid": uid(kind, number), "creationTimestamp": MADE,
                "generation": 1, "labels": labels})
        };
        let mut service = json!({"metadata": meta(6, &app), "spec": {
            "type": "ClusterIP", "clusterIP": format!("10.43.{}.{}", number / 250, number % 250 + 1),
            "selector": labels, "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
            "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}],
        }, "status": {"loadBalancer": {}}});
        if number < count.div_ceil(NODES_OF_A_LOAD_BALANCER) {
            let (port, ip) = (30_100 + number, format!("127.3.0.{}", number + 1));
            service["metadata"]["annotations"] = json!({"load-balancer.hetzner.cloud/location": "nbg1",
                "load-balancer.hetzner.cloud/node-selector": selected(count)});
            service["spec"]["type"] = "LoadBalancer".into();
            service["spec"]["externalTrafficPolicy"] = "Cluster".into();
            service["spec"]["ports"][0]["nodePort"] = port.into();
            service["status"]["loadBalancer"]["ingress"] = json!([{"ip": ip, "ipMode": "VIP"}]);
            let mut lb = balancer.clone();
            lb["id"] = (9100 + number).into();
            lb["name"] = app.clone().into();
            lb["labels"]["hcloud-ccm/service-uid"] = uid_of.into();
            lb["public_net"]["ipv4"]["ip"] = ip.into();
            lb["services"][0]["destination_port"] = port.into();
            lb["services"][0]["health_check"]["port"] = port.into();
            push(parts, "hcloud.load_balancers", lb);
        }
        push(parts, "services", service);
        let endpoint = |r: usize| {
            let node = place_of(i, r * SERVICES + n, count);
            json!({"addresses": [format!("10.42.{}.{}", node % 250, r * SERVICES + n + 10)],
                "conditions": {"ready": true, "serving": true, "terminating": false}, "nodeName": node_name(node),
                "targetRef": {"kind": "Pod", "namespace": namespace(i), "name": format!("{app}-{r}"), "uid": uid(4, r)}})
        };
        let mut slice = json!({"metadata": meta(7, &format!("{app}-x7k2p")), "addressType": "IPv4",
            "endpoints": (0..REPLICAS).map(endpoint).collect::<Vec<_>>(),
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]});
        slice["metadata"]["labels"]["kubernetes.io/service-name"] = app.clone().into();
        push(parts, "endpointslices", slice);
        let deployment = json!({"metadata": meta(8, &app), "spec": {"replicas": REPLICAS,
            "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": template(&app)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}, "status": {"observedGeneration": 1,
            "replicas": REPLICAS, "updatedReplicas": REPLICAS, "readyReplicas": REPLICAS,
            "availableReplicas": REPLICAS}});
        push(parts, "deployments", deployment);
    }
}

fn push(parts: &mut Map<String, Value>, key: &str, item: Value) {
    parts[key].as_array_mut().expect("a list").push(item);
}

/// The servers behind a load balancer, healthy on each of its ports.
fn targets(nodes: usize, services: &Value) -> Value {
    let health = |service: &Value| json!({"listen_port": service["listen_port"], "status": "healthy"});
    let health: Value = services.as_array().into_iter().flatten().map(health).collect();
    let target = |i: usize| {
        json!({"type": "server", "server": {"id": FIRST_SERVER + i}, "use_private_ip": true,
            "health_status": health.clone()})
    };
    (0..clouds(nodes).min(MOST_TARGETS)).map(target).collect()
}

/// A load balancer does not take more targets than its type allows, so that in a large cluster Services name their nodes.
fn selected(nodes: usize) -> String {
    let names: Vec<String> = (0..nodes.min(MOST_TARGETS)).map(node_name).collect();
    format!("kubernetes.io/hostname in ({})", names.join(","))
}

/// Warnings that say nothing of what the checks look for.
fn event(number: usize) -> Value {
    let (node, reason) = (node_name(number / EVENTS), format!("Reason{}", number % EVENTS));
    json!({"metadata": {"name": format!("{node}.{number:016x}"), "namespace": "default", "uid": uid(9, number),
            "creationTimestamp": MADE},
        "involvedObject": {"kind": "Node", "name": node, "uid": node, "apiVersion": "v1"}, "reason": reason,
        "message": "a warning of the length that warnings have, with a name or two and what the component tried to do",
        "source": {"component": "kubelet", "host": node}, "type": "Warning", "count": 3, "firstTimestamp": MADE,
        "lastTimestamp": MADE, "eventTime": null, "reportingComponent": "kubelet", "reportingInstance": node})
}

/// Who wrote which field: a fifth to a third of what a real object weighs.
fn managed(key: &str) -> Value {
    let fields: Map<String, Value> = (0..12)
        .map(|i| (format!("f:field{i}"), json!({".": {}, "f:name": {}, "f:value": {}, "f:type": {}})))
        .collect();
    let entry = |manager: &str, fields: &Map<String, Value>| {
        json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "time": MADE, "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": fields}})
    };
    match key {
        "pods" | "nodes" | "deployments" => json!([entry("k3s", &fields), entry("kubelet", &fields)]),
        _ => json!([entry("k3s", &fields)]),
    }
}
