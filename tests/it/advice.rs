//! What a finding advises: the words that must stand in its steps, and those that must not, where the wrong advice was
//! once given or would do harm.

use kairos_doctor_checks::engine::Ranked;
use kairos_doctor_checks::{Act, Step};

use crate::cases::{CASES, none};

/// Fixture, finding, what must be advised, what must not.
type Advice = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const ADVICE: &[Advice] = &[
    // a file that held node-ip must not be written over
    (
        "kd110/words-external",
        "KD110/Node/k3",
        &["127.0.0.203, its ExternalIP", "90-node-external-ip.yaml"],
        &["90-node-ip.yaml"],
    ),
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
        "kd304/no-targets-selected",
        "KD304/Service/kube-system/traefik#no-targets",
        &["role=ingress"],
        &["delete pod"],
    ),
    (
        "kd304/no-targets-excluded",
        "KD304/Service/kube-system/traefik#no-targets",
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
];

#[test]
fn findings_advise_what_helps_and_nothing_that_harms() {
    let mut wrong = Vec::new();
    for (fixture, id, must, must_not) in ADVICE {
        let Some(case) = CASES.iter().find(|case| case.fixture.name() == *fixture) else {
            wrong.push(format!("{fixture}: no such fixture"));
            continue;
        };
        let Some(found) = case.report.findings.iter().find(|f| f.id == *id) else {
            wrong.push(format!("{fixture}: {id} is not found"));
            continue;
        };
        let text = text(found);
        for words in must.iter().filter(|words| !text.contains(**words)) {
            wrong.push(format!("{fixture}: {id} does not say `{words}` in\n{text}"));
        }
        for words in must_not.iter().filter(|words| text.contains(**words)) {
            wrong.push(format!("{fixture}: {id} says `{words}` in\n{text}"));
        }
    }
    none(wrong);
}

/// All that is said, a line each.
fn text(found: &Ranked) -> String {
    let finding = &found.finding;
    let step = |step: &Step| {
        let act = match &step.act {
            Act::Decide => String::new(),
            Act::Run(argv) => argv.join(" "),
            Act::Apply(object) => object.to_string(),
            Act::Write { place, snippet } => format!("{place}: {snippet}"),
        };
        format!("{} {} | {act}\n", step.hazard.as_deref().unwrap_or_default(), step.why)
    };
    let because = finding.because.as_deref().unwrap_or_default();
    format!("{}\n{because}\n{}", finding.says, finding.steps.iter().map(step).collect::<String>())
}
