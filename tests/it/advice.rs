//! What a finding advises: the words that must stand in its steps, and those that must not, where the wrong advice was
//! once given or would do harm.

/// Fixture, finding, what must be advised, what must not.
pub type Advice = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

pub const ADVICE: &[Advice] = &[
    // a file that held node-ip must not be written over
    (
        "kd110/words-external",
        "KD110/Node/k3",
        &["127.0.0.203, its ExternalIP", "90-node-external-ip.yaml"],
        &["90-node-ip.yaml"],
    ),
    // a new certificate of the same clock is no better
    ("kd112/clock", "KD112/Node/k3#not-yet", &["timedatectl"], &["systemctl restart"]),
    ("kd112/expired", "KD112/Node/k3#expired", &["sudo systemctl restart k3s-agent"], &["csr"]),
    ("kd112/not-k3s", "KD112/Node/k3#expired", &["csr"], &["systemctl restart"]),
    (
        "kd304/port-gone",
        "KD304/Service/kube-system/traefik#stale-port",
        &["no such port any more"],
        &["is now"],
    ),
    (
        "kd300/event-of-namesake",
        "KD300/Service/kube-system/traefik",
        &["has not acted"],
        &["reports an error"],
    ),
    ("kd300/no-token", "KD300/Service/kube-system/traefik", &["has no address", "logs"], &["has not acted"]),
    // use-private-ip is for all targets or none
    (
        "kd304/firewall-mixed-targets",
        "KD304/Service/shop/api#firewall",
        &["add-rule"],
        &["use-private-ip=true"],
    ),
    // the address is the reader's own machine
    (
        "kd100/loopback",
        "KD100/ApiServer/https://127.0.0.1:6443",
        &["127.0.0.1", "server's address"],
        &["no server with this"],
    ),
    // private addresses repeat from project to project: the server may be another cluster's
    (
        "kd100/private-address",
        "KD100/ApiServer/https://127.0.0.11:6443",
        &["private address", "poweron"],
        &["which owns"],
    ),
    (
        "kd100/firewall-limited",
        "KD100/ApiServer/https://127.0.0.201:6443",
        &["127.0.0.99/32"],
        &["it is k3s that does not answer", "nobody"],
    ),
    ("kd100/failing", "KD100/ApiServer/https://127.0.0.201:6443", &[], &["firewall", "does not answer"]),
    // node-ip of an etcd member stays
    ("kd110/etcd-without-label", "KD110/Node/k1", &["cluster-reset", "etcd member"], &["90-node-ip.yaml"]),
    (
        "kd102/moved-etcd-member",
        "KD102/Node/k1",
        &["cluster-reset --node-ip=127.0.0.14", "etcd-snapshot"],
        &["90-node-ip.yaml"],
    ),
    ("kd106/network-off", "KD106/Node/k1", &["cluster-reset", "815"], &["90-node-ip.yaml"]),
    // what keeps the member's own address is safe, and stands before anything else
    (
        "kd807/second-boot",
        "KD807/Node/k1",
        &["90-node-ip.yaml: {\"node-ip\":\"127.0.0.201\"}", "cluster-reset --node-ip=10.0.0.11"],
        &["{\"node-ip\":\"10.0.0.11\"}"],
    ),
    ("kd807/members", "KD807/Node/k1", &["one after the other"], &["cluster-reset"]),
    // deleting the Node of an etcd member takes it out of etcd
    ("kd103/etcd-member", "KD103/Node/k1", &["one member at a time"], &["delete node"]),
    ("kd103/k3s", "KD105/Node/k1", &["disable-cloud-controller"], &["kubelet-arg"]),
    // a similar name is no proof
    ("kd101/nearest", "KD101/Node/k3", &["server describe prod-k3", "only if it is that machine"], &[]),
    ("kd101/case", "KD101/Node/k3", &["server update K3 --name k3"], &["only if"]),
    ("kd101/nobody", "KD101/Node/k3", &["find the server"], &["server update k"]),
    ("kd102/detached", "KD102/Node/k3", &["--network kube --ip 127.0.0.13 k3"], &[]),
    ("kd102/other-network", "KD102/Node/k3", &["key network of its Secret"], &["helm.cattle.io"]),
    ("kd110/dual-stack-agent", "KD110/Node/k3", &["127.0.0.13,::1"], &[]),
    ("kd300/controller-evicted", "KD300/Service/kube-system/traefik", &["deployment/"], &["evict"]),
    // a namesake in another namespace is nobody's chart
    (
        "kd301/helm-release-namesake",
        "KD301/Service/shop/web",
        &["Helm release hcloud-csi in shop"],
        &["HelmChart", "drops"],
    ),
    ("kd301/own-region-label", "KD301/Service/shop/web", &["location=nbg1"], &["location=home"]),
    // each firewall and each port
    (
        "kd304/firewalls-of-two",
        "KD304/Service/shop/api#firewall",
        &[
            "--port 30888 --source-ips 127.0.0.242/32 kube",
            "--port 30889 --source-ips 127.0.0.242/32 kube",
            "--port 30888 --source-ips 127.0.0.242/32 other",
            "--port 30889 --source-ips 127.0.0.242/32 other",
        ],
        &[],
    ),
    (
        "kd306/no-targets-selected",
        "KD306/Service/kube-system/traefik#no-targets",
        &["role=ingress"],
        &["delete pod"],
    ),
    (
        "kd306/no-targets-excluded",
        "KD306/Service/kube-system/traefik#no-targets",
        &["exclude-from-external-load-balancers-"],
        &["delete pod"],
    ),
    ("kd304/udp-only", "KD304/Service/kube-system/traefik#no-ports", &["TCP"], &["delete pod"]),
    (
        "kd304/server-rebuilding",
        "KD304/Service/kube-system/traefik#node-down",
        &["rebuilding", "server describe k3"],
        &["poweron"],
    ),
    (
        "kd304/detached-network-from-secret",
        "KD304/Service/kube-system/traefik#not-in-network",
        &["delete pod"],
        &["give the cloud controller its network"],
    ),
    (
        "kd304/network-unset",
        "KD304/Service/kube-system/traefik#not-in-network",
        &["give the cloud controller its network"],
        &["delete pod"],
    ),
    // a location beats the zone that was meant, and a data centre is no location
    (
        "kd302/zone-as-location",
        "KD302/Service/shop/web",
        &["network-zone=eu-central", "load-balancer.hetzner.cloud/location=\n"],
        &["location=eu-central"],
    ),
    (
        "kd302/placeholder",
        "KD302/Deployment/kube-system/hcloud-cloud-controller-manager",
        &["\"HCLOUD_LOAD_BALANCERS_LOCATION\":{\"value\":\"nbg1\"}"],
        &["annotate service"],
    ),
    // a Service in order is not looked at again when its load balancer is gone
    (
        "kd303/edited",
        "KD303/Service/edge/cilium-gateway-web#edited",
        &["leave the annotation as it is", "restart the cloud controller", "addresses are lost"],
        &["within five minutes"],
    ),
    // what is right by now is not set again
    ("kd303/edited-to-mend", "KD303/Service/kube-system/traefik", &["load-balancer delete"], &["annotate"]),
    ("kd309/unread", "KD309/Service/shop/store#unread", &["http-redirect-http=true", "network-"], &["null"]),
    (
        "kd309/value",
        "KD309/Service/kube-system/traefik#value",
        &["health-check-interval=15s", "use-private-ip=true"],
        &[],
    ),
    // agents read their configuration at their start only, and do not start with skip-unreachable alone
    (
        "kd501/skip-unreachable",
        "KD501/ConfigMap/kube-system/cilium-config",
        &["rollout restart", "\"directRoutingSkipUnreachable\":false", "abort"],
        &[],
    ),
    (
        "kd503/told-off",
        "KD503/ConfigMap/kube-system/cilium-config",
        &["HCLOUD_NETWORK_ROUTES_ENABLED"],
        &["routingMode"],
    ),
    // an etcd member's address follows flannel-iface
    (
        "kd508/etcd-without-node-ip",
        "KD508/Node/k1",
        &["cluster-reset", "etcd member"],
        &["systemctl restart", "90-flannel-iface.yaml"],
    ),
    ("kd508/agent-without-node-ip", "KD508/Node/k2", &["set node-ip to 127.0.0.12"], &["cluster-reset"]),
    ("kd506/set-not-live", "KD506/DaemonSet/kube-system/cilium", &["delete pod"], &["k8sServicePort"]),
    // the policy of a listener is an object from chart 37 on, a string before, and before that one for all
    (
        "kd601/same",
        "KD601/HTTPRoute/apps/site",
        &["\"namespacePolicy\":{\"from\":\"All\"}", "every namespace"],
        &[],
    ),
    (
        "kd601/older-chart",
        "KD601/HTTPRoute/apps/site",
        &["{\"listeners\":{\"web\":{\"namespacePolicy\":\"All\"}}}"],
        &["\"from\""],
    ),
    (
        "kd601/oldest-chart",
        "KD601/HTTPRoute/apps/site",
        &["{\"gateway\":{\"namespacePolicy\":\"All\"}}"],
        &["listeners\":", "\"from\""],
    ),
    // the fix for one route must not undo the one for another
    (
        "kd601/own-gateway",
        "KD601/HTTPRoute/apps/api",
        &["/spec/listeners/0/allowedRoutes/namespaces", "[\"apps\",\"default\",\"edge\"]"],
        &["\"All\""],
    ),
    (
        "kd601/label",
        "KD601/HTTPRoute/apps/site",
        &["label namespace apps app.kubernetes.io/part-of=web"],
        &["patch"],
    ),
    ("kd601/no-listener", "KD601/HTTPRoute/edge/site#no-listener", &["\"value\":\"http\""], &[]),
    (
        "kd602/traefik-name",
        "KD602/HTTPRoute/apps/site",
        &["\"value\":\"traefik-gateway\""],
        &["/namespace\""],
    ),
    (
        "kd602/elsewhere",
        "KD602/GRPCRoute/apps/calls",
        &["/spec/parentRefs/0/namespace\",\"value\":\"edge\""],
        &[],
    ),
    (
        "kd603/no-grant",
        "KD603/HTTPRoute/edge/site",
        &[
            "gateway.networking.k8s.io/v1beta1",
            "\"kind\":\"HTTPRoute\",\"namespace\":\"edge\"",
            "\"name\":\"site\"",
        ],
        &[],
    ),
    (
        "kd603/grpc",
        "KD603/GRPCRoute/edge/calls",
        &["\"gateway.networking.k8s.io/v1\"", "\"kind\":\"GRPCRoute\""],
        &["v1beta1"],
    ),
    (
        "kd604/port-80",
        "KD604/Gateway/apps/own",
        &["/spec/listeners/0/port\",\"value\":8000", "/spec/listeners/1/port\",\"value\":8443"],
        &["/spec/listeners/2"],
    ),
    ("kd604/port-taken", "KD604/Gateway/apps/own", &["take listener http out", "inner"], &["patch"]),
    ("kd605/typo", "KD605/Gateway/edge/web#no-class", &["{\"gatewayClassName\":\"cilium\"}"], &["rollout"]),
    (
        "kd605/no-class",
        "KD605/Gateway/edge/web#no-class",
        &["\"create\":\"true\"", "rollout restart"],
        &["enabled"],
    ),
    (
        "kd605/no-class-off",
        "KD605/Gateway/edge/web#no-class",
        &["{\"gatewayAPI\":{\"enabled\":true}}"],
        &["create\""],
    ),
    // what k3s' chart brings must not be applied by hand beside it
    (
        "kd607/traefik",
        "KD607/Deployment/kube-system/traefik#missing",
        &["helm-install-traefik-crd"],
        &["apply --server"],
    ),
    (
        "kd607/operator-1-20",
        "KD607/Deployment/kube-system/cilium-operator#missing",
        &["download/v1.6.1/standard-install.yaml", "rollout restart deployment/cilium-operator"],
        &[],
    ),
    (
        "kd607/owner",
        "KD607/HelmChart/kube-system/traefik-crd#ownership",
        &["meta.helm.sh/release-namespace=kube-system", "gateways.gateway.networking.k8s.io"],
        &["httproutes"],
    ),
    (
        "kd607/two-owners",
        "KD607/HelmChart/kube-system/traefik-crd#ownership",
        &["one owner", "every Gateway and route"],
        &["--overwrite"],
    ),
    // a certificate that another cluster serves is neither taken nor deleted
    (
        "kd403/foreign",
        "KD403/Certificate/store#not-found",
        &["http-managed-certificate-name=shop-example-com"],
        &["add-label", "certificate delete"],
    ),
    ("kd403/recreated", "KD403/Certificate/store#not-found", &["add-label"], &["certificate delete"]),
    // of several ports one may speak TLS itself
    (
        "kd402/traefik",
        "KD402/Service/kube-system/traefik",
        &["certificate-type=managed", "a Service of its own"],
        &["certificate-type=managed load-balancer.hetzner.cloud/protocol=https"],
    ),
    // the domain's whole DNS need not move
    (
        "kd401/issuance",
        "KD401/Certificate/store",
        &["_acme-challenge.shop.example.com", "cert-manager", "certificate retry store", "used_by"],
        &[],
    ),
    // each attempt counts at a rate limit
    (
        "kd410/renewal",
        "KD410/Order/edge/web-tls-2-1618033988",
        &["wait", "cmctl renew web-tls -n edge"],
        &["kubectl delete"],
    ),
    // one path only: the chart's own where it is on, and no second source beside the first
    (
        "kd204/empty",
        "KD204/Deployment/kube-system/hcloud-cloud-controller-manager#unset",
        &["\"networking\":{\"network\":{\"value\":\"815\",\"valueFrom\":null}}"],
        &["ROUTES_ENABLED", "\"env\""],
    ),
    (
        "kd204/unset",
        "KD204/Deployment/kube-system/hcloud-cloud-controller-manager#unset",
        &[
            "\"HCLOUD_NETWORK\":{\"value\":\"815\"}",
            "\"HCLOUD_NETWORK_ROUTES_ENABLED\":{\"value\":\"false\"}",
        ],
        &["\"networking\""],
    ),
    // what is set already is not set a second time
    (
        "kd204/node-address",
        "KD204/Deployment/kube-system/hcloud-cloud-controller-manager#unset",
        &["set, not live", "maxSurge"],
        &["\"815\""],
    ),
    // the flag that counts is the one that is there
    (
        "kd203/native",
        "KD203/Deployment/kube-system/hcloud-cloud-controller-manager",
        &["\"args\":{\"cluster-cidr\":\"10.42.0.0/16\"}"],
        &["clusterCIDR"],
    ),
    (
        "kd203/default-range",
        "KD203/Deployment/kube-system/hcloud-cloud-controller-manager",
        &["\"networking\":{\"clusterCIDR\":\"10.42.0.0/16\"}"],
        &["\"args\""],
    ),
    // a token stands in no command
    (
        "kd207/read-only",
        "KD207/Deployment/kube-system/hcloud-cloud-controller-manager#read-only",
        &["--patch-file token.yaml", "Read & Write", "delete pod"],
        &["--from-literal"],
    ),
    (
        "kd201/rollout-stuck",
        "KD201/Deployment/kube-system/hcloud-cloud-controller-manager#rollout-stuck",
        &["patch deployment", "maxSurge"],
        &["delete pod"],
    ),
    // on one node a rollout waits for ever for the old pod's host port
    (
        "kd801/stale-pod",
        "KD801/Deployment/kube-system/hcloud-cloud-controller-manager",
        &["patch deployment", "maxSurge"],
        &["rollout restart"],
    ),
    (
        "kd801/secret-network",
        "KD801/Secret/kube-system/hcloud",
        &["edit secret", "delete pod"],
        &["rollout restart"],
    ),
    (
        "kd201/second-replica",
        "KD201/Deployment/kube-system/hcloud-cloud-controller-manager#unscheduled",
        &["describe pod", "Another pod of it"],
        &["old settings", "not live", "maxSurge"],
    ),
    // agents read their settings once, and they have to be changed before
    (
        "kd208/both",
        "KD208/ConfigMap/kube-system/cilium-config",
        &["autoDirectNodeRoutes", "rollout restart", "abort"],
        &[],
    ),
];
