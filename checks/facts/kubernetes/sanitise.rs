//! What is kept of the places where a token could stand: annotations by key, variables by name, arguments by flag.
//! Everything else is dropped before it becomes a fact.

use super::super::{MASK, Text};

const LABELS: &[&str] = &[
    "acme.cert-manager.io/",
    "app",
    "app.kubernetes.io/",
    "argocd.argoproj.io/instance",
    "cert-manager.io/",
    "cilium.io/",
    "csi.hetzner.cloud/",
    "egress.k3s.io/",
    "gateway.networking.k8s.io/",
    "helm.sh/chart",
    "helmcharts.helm.cattle.io/",
    "instance.hetzner.cloud/",
    "io.cilium.gateway/",
    "k8s-app",
    "kairos.io/",
    "kubernetes.io/",
    "kustomize.toolkit.fluxcd.io/name",
    "node-role.kubernetes.io/",
    "node.kubernetes.io/",
    "svccontroller.k3s.cattle.io/",
    "topology.kubernetes.io/",
];

const ANNOTATIONS: &[&str] = &[
    "acme.cert-manager.io/",
    "alpha.kubernetes.io/provided-node-ip",
    "argocd.argoproj.io/tracking-id",
    "cert-manager.io/",
    "etcd.k3s.cattle.io/node-address",
    "etcd.k3s.cattle.io/node-name",
    "flannel.alpha.coreos.com/backend-type",
    "flannel.alpha.coreos.com/public-ip",
    "gateway.networking.k8s.io/bundle-version",
    "gateway.networking.k8s.io/channel",
    "helmcharts.helm.cattle.io/",
    "k3s.io/external-ip",
    "k3s.io/hostname",
    "k3s.io/internal-ip",
    "k3s.io/node-args",
    "kubernetes.io/ingress.class",
    "load-balancer.hetzner.cloud/",
    "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace",
    "objectset.rio.cattle.io/owner-gvk",
    "objectset.rio.cattle.io/owner-name",
    "storageclass.beta.kubernetes.io/is-default-class",
    "storageclass.kubernetes.io/is-default-class",
];

/// Settings of `cilium-config` that are kept.
const CILIUM_SETTINGS: &[&str] = &[
    "auto-direct-node-routes",
    "bpf-lb-acceleration",
    "cluster-pool-ipv4-cidr",
    "cluster-pool-ipv4-mask-size",
    "default-lb-service-ipam",
    "devices",
    "direct-routing-device",
    "direct-routing-skip-unreachable",
    "enable-bpf-masquerade",
    "enable-endpoint-routes",
    "enable-external-ips",
    "enable-gateway-api",
    "enable-ip-masq-agent",
    "enable-ipv4-masquerade",
    "enable-l2-announcements",
    "enable-lb-ipam",
    "enable-node-port",
    "ipam",
    "ipv4-native-routing-cidr",
    "k8s-require-ipv4-pod-cidr",
    "kube-proxy-replacement",
    "mtu",
    "routing-mode",
    "tunnel",
    "tunnel-protocol",
];

/// Variables whose literal value is kept.
const VARIABLES: &[&str] = &[
    "HCLOUD_DEBUG",
    "HCLOUD_ENDPOINT",
    "HCLOUD_INSTANCES_ADDRESS_FAMILY",
    "HCLOUD_LOAD_BALANCERS_",
    "HCLOUD_METRICS_ENABLED",
    "HCLOUD_NETWORK",
    "HCLOUD_NETWORK_",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "ROBOT_ENABLED",
];

/// Variables of which only their presence is kept, never their literal value.
const SECRET_VARIABLES: &[&str] = &["HCLOUD_TOKEN", "HCLOUD_TOKEN_FILE", "ROBOT_PASSWORD", "ROBOT_USER"];

/// Flags of controllers (and of k3s, in `k3s.io/node-args`) that are kept with their values.
const FLAGS: &[&str] = &[
    "advertise-address",
    "allocate-node-cidrs",
    "allow-untagged-cloud",
    "bind-address",
    "cloud-provider",
    "cluster-cidr",
    "cluster-init",
    "configure-cloud-routes",
    "controllers",
    "disable",
    "disable-cloud-controller",
    "disable-helm-controller",
    "disable-kube-proxy",
    "disable-network-policy",
    "egress-selector-mode",
    "flannel-backend",
    "flannel-external-ip",
    "flannel-iface",
    "kubelet-arg",
    "lb-server-port",
    "leader-elect",
    "node-external-ip",
    "node-ip",
    "node-name",
    "server",
    "service-cidr",
    "tls-san",
    "write-kubeconfig-mode",
];

/// API server arguments that are kept when they are given through `--kube-apiserver-arg`.
const API_SERVER_ARGS: &[&str] = &["kubelet-preferred-address-types="];

/// Kubelet arguments that are kept when they are given through `--kubelet-arg`.
const KUBELET_ARGS: &[&str] =
    &["cloud-provider=", "config=", "node-ip=", "provider-id=", "rotate-server-certificates="];

fn on_list(list: &[&str], key: &str) -> bool {
    list.iter().any(|k| if k.ends_with('/') || k.ends_with('_') { key.starts_with(k) } else { *k == key })
}

pub fn keeps_cilium_setting(key: &str) -> bool {
    CILIUM_SETTINGS.contains(&key)
}

pub fn keeps_label(key: &str) -> bool {
    on_list(LABELS, key)
}

pub fn annotation(key: &str, value: &str) -> Option<Text> {
    if !on_list(ANNOTATIONS, key) {
        return None;
    }
    Some(if key == "k3s.io/node-args" { Text::new(&node_args(value)) } else { Text::new(value) })
}

/// The value to keep of a variable: `None` drops the variable, `Some(None)` keeps its name alone.
pub fn variable(name: &str, value: &str) -> Option<Text> {
    if on_list(SECRET_VARIABLES, name) {
        // A template's placeholder is no secret, and it is the fault.
        let placeholder = value.len() < 64 && value.starts_with('<') && value.ends_with('>');
        return Some(if placeholder || value.is_empty() { Text::new(value) } else { Text::new(MASK) });
    }
    on_list(VARIABLES, name).then(|| Text::new(value))
}

pub fn keeps_variable(name: &str) -> bool {
    on_list(SECRET_VARIABLES, name) || on_list(VARIABLES, name)
}

/// The arguments of which a flag is known, in their order. A flag that is not known keeps its place but not its value.
pub fn args<'a>(all: impl Iterator<Item = &'a str>) -> Vec<Text> {
    let mut kept = Vec::new();
    let mut flag_before = None;
    // Cleaned before they are judged, so that what was kept would be kept again.
    let all: Vec<Text> = all.map(Text::shared).collect();
    for arg in all.iter().map(Text::as_str) {
        let Some(flag) = arg.strip_prefix("--") else {
            // the value of a flag that was given as two arguments, or a command such as `server`
            match flag_before.take() {
                Some(flag) => kept.push(value_of(flag, arg)),
                None if kept.is_empty() && arg.chars().all(|c| c.is_ascii_lowercase()) => {
                    kept.push(Text::new(arg))
                }
                None => {}
            }
            continue;
        };
        match flag.split_once('=') {
            Some((name, value)) => {
                kept.push(Text::shared(&format!("--{name}={}", value_of(name, value))));
                flag_before = None;
            }
            None => {
                kept.push(Text::new(arg));
                flag_before = Some(flag);
            }
        }
    }
    kept
}

fn value_of(flag: &str, value: &str) -> Text {
    let keep = match flag {
        "kube-apiserver-arg" => API_SERVER_ARGS.iter().any(|known| value.starts_with(known)),
        "kubelet-arg" => KUBELET_ARGS.iter().any(|known| value.starts_with(known)),
        _ => on_list(FLAGS, flag) || is_traefik_flag(flag),
    };
    if keep { Text::new(value) } else { Text::new(MASK) }
}

/// Traefik's flags that are kept: where its entry points listen, and whether and how it serves Gateway API. It reads flags in
/// any case.
fn is_traefik_flag(flag: &str) -> bool {
    let flag = flag.to_ascii_lowercase();
    (flag.starts_with("entrypoints.") && flag.ends_with(".address"))
        || flag == "providers.kubernetesgateway"
        || flag == "providers.kubernetesgateway.experimentalchannel"
        || flag.starts_with("providers.kubernetesgateway.statusaddress.")
}

fn node_args(json: &str) -> String {
    match serde_json::from_str::<Vec<String>>(json) {
        Ok(all) => serde_json::to_string(&args(all.iter().map(String::as_str))).unwrap_or_default(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> impl Iterator<Item = &str> {
        line.split(' ')
    }

    #[test]
    fn a_secret_in_an_unlisted_flag_is_dropped_in_either_form() {
        let kept =
            args(words("server --token s3cr3t --node-ip 127.0.0.2 --datastore-endpoint=postgres://u:p@h/db"));
        let line = kept.iter().map(|t| t.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(line, "server --token ******** --node-ip 127.0.0.2 --datastore-endpoint=********");
    }

    #[test]
    fn of_traefik_only_the_listeners_and_the_gateway_provider_are_kept() {
        let kept = args(words(
            "--entryPoints.web.address=:8000/tcp --providers.kubernetesgateway --certificatesresolvers.le.acme.email=a@b \
             --entryPoints.web.http.middlewares=s3cr3t --providers.kubernetesgateway.statusaddress.service.name=traefik",
        ));
        let line = kept.iter().map(|t| t.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(
            line,
            "--entryPoints.web.address=:8000/tcp --providers.kubernetesgateway --certificatesresolvers.le.acme.email=******** \
             --entryPoints.web.http.middlewares=******** --providers.kubernetesgateway.statusaddress.service.name=traefik"
        );
    }

    #[test]
    fn a_placeholder_token_is_kept_and_a_real_one_is_not() {
        assert_eq!(variable("HCLOUD_TOKEN", "<HETZNER_API_TOKEN>").unwrap(), "<HETZNER_API_TOKEN>");
        assert_eq!(variable("HCLOUD_TOKEN", "abc").unwrap(), MASK);
        assert!(variable("DATABASE_URL", "x").is_none());
    }
}
