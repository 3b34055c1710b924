//! When `--disable` names something that k3s does not package, nothing is disabled and k3s does not say so, because it only
//! compares the names with the files of its manifests folder (k3s-io/k3s `pkg/deploy/controller.go`, `shouldDisableFile`;
//! `pkg/cli/cmds/stage.go`, `DisableItems`). `--disable=kube-proxy` is the usual one: kube-proxy is no file.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::k3s;
use crate::domain::near::nearest;
use crate::facts::kubernetes::Node;
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::remedies::k3s_config;
use crate::{Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD804",
    slug: "k3s-disable-values",
    title: "k3s knows every component it is told to disable",
    examines: "k3s servers",
    severity: Severity::Warning,
    needs: &[&Node::NEED],
    caused_by: &[],
    explain: include_str!("k3s_disable_values.md"),
    judge,
};

/// What `--disable` takes away in some version of k3s: its packaged files, and the two that its own code asks for. A name that
/// only a newer k3s has does no harm in an older one, which has not got the thing.
const KNOWN: &[&str] = &[
    "ccm",
    "coredns",
    "gateway-api-crd",
    "local-storage",
    "metrics-server",
    "rolebindings",
    "runtimes",
    "servicelb",
    "snapshot-controller",
    "traefik",
];

/// Those that a slip of the pen is compared with.
const USUAL: &[&str] = &["coredns", "local-storage", "metrics-server", "servicelb", "traefik"];

/// What does what the value was meant to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Meant {
    Component(&'static str),
    Flag(&'static str),
    NoFlannel,
    /// Perhaps a file that somebody put into the manifests folder.
    Unknown,
}

use Meant::{Component, Flag, NoFlannel, Unknown};

/// Other names of the same things, and what is no packaged component and has a flag of its own.
const OTHER_NAMES: &[(&str, Meant)] = &[
    ("cloud-controller", Flag("disable-cloud-controller")),
    ("cloud-controller-manager", Flag("disable-cloud-controller")),
    ("core-dns", Component("coredns")),
    ("dns", Component("coredns")),
    ("flannel", NoFlannel),
    ("helm", Flag("disable-helm-controller")),
    ("helm-controller", Flag("disable-helm-controller")),
    ("ingress", Component("traefik")),
    ("klipper-lb", Component("servicelb")),
    ("kube-dns", Component("coredns")),
    ("kube-proxy", Flag("disable-kube-proxy")),
    ("kubeproxy", Flag("disable-kube-proxy")),
    ("load-balancer", Component("servicelb")),
    ("loadbalancer", Component("servicelb")),
    ("local-path", Component("local-storage")),
    ("local-path-provisioner", Component("local-storage")),
    ("local-path-storage", Component("local-storage")),
    ("metrics", Component("metrics-server")),
    ("network-policy", Flag("disable-network-policy")),
    ("networkpolicy", Flag("disable-network-policy")),
    ("service-lb", Component("servicelb")),
    ("storage", Component("local-storage")),
    ("svclb", Component("servicelb")),
];

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let nodes = facts.all::<Node>()?;
    let servers = nodes.iter().filter(|node| node.is_control_plane());
    let (told, silent): (Vec<&Node>, Vec<&Node>) = servers.partition(|node| k3s::has_args(node));
    v.examined += told.len();
    // Where none has them it is not k3s.
    for node in silent.iter().filter(|_| !told.is_empty()) {
        let detail = format!("node {} does not show the arguments of its k3s", node.name());
        v.gaps.push(Gap::new(Node::NEED.key, Why::NotRead, detail).of(node.name()));
    }
    let mut wrong: BTreeMap<Meant, Vec<(&Node, String)>> = BTreeMap::new();
    for node in told {
        for value in k3s::disabled(node) {
            if let Some(meant) = meant(&value).filter(|meant| !is_met(*meant, node)) {
                wrong.entry(meant).or_default().push((node, value));
            }
        }
    }
    for (meant, mut found) in wrong {
        found.sort_by(|a, b| (a.0.name(), &a.1).cmp(&(b.0.name(), &b.1)));
        v.findings.push(finding(meant, &found));
    }
    Ok(())
}

/// What a value that k3s does not know was meant to do; `None` for one that it knows.
fn meant(value: &str) -> Option<Meant> {
    if KNOWN.contains(&value) {
        return None;
    }
    let named = OTHER_NAMES.iter().find(|(name, _)| *name == value.to_lowercase());
    let near = || nearest(value, USUAL.iter().copied()).map(Component);
    Some(named.map(|(_, meant)| *meant).or_else(near).unwrap_or(Unknown))
}

/// The node is told that in the right way, too.
fn is_met(meant: Meant, node: &Node) -> bool {
    let disabled = |name| k3s::disabled(node).iter().any(|value| value == name);
    match meant {
        Component(name) => disabled(name),
        Flag(flag) => k3s::is_on(node, flag) || (flag == "disable-cloud-controller" && disabled("ccm")),
        NoFlannel => k3s::arg(node, "flannel-backend").is_some_and(|backend| backend == "none"),
        Unknown => false,
    }
}

fn finding(meant: Meant, found: &[(&Node, String)]) -> Finding {
    let mut values: Vec<&str> = found.iter().map(|(_, value)| &**value).collect();
    values.sort();
    values.dedup();
    let given = format!("--disable={}", values.join(","));
    let (first, _) = found[0];
    let says = match meant {
        Component(name) => format!("k3s ignores {given}: the component is called {name}"),
        Flag(flag) => format!("k3s ignores {given}: that is what --{flag} is for"),
        NoFlannel => format!("k3s ignores {given}: that is what --flannel-backend=none is for"),
        Unknown => format!("k3s packages nothing that {given} would disable"),
    };
    let mut finding = Finding::new(first, says).discriminator(discriminator(meant)).because(because(meant));
    for (node, _) in found {
        finding = finding.shows(*node, "metadata.annotations['k3s.io/node-args']");
    }
    finding.evidence.dedup();
    if meant == Unknown {
        finding = finding.severity(Severity::Info);
    }
    let finding = finding.steps(steps(meant, &given));
    let path = r"jsonpath={.metadata.annotations.k3s\.io/node-args}";
    let expect = match meant {
        Component(name) => format!("--disable is followed by {name}"),
        Flag(flag) => format!("--{flag} stands there"),
        NoFlannel => "--flannel-backend is followed by none".into(),
        Unknown => format!("{given} is gone"),
    };
    finding.verify_kubectl(&["get", "node", first.name(), "-o", path], expect)
}

fn discriminator(meant: Meant) -> &'static str {
    match meant {
        Component(name) | Flag(name) => name,
        NoFlannel => "flannel-backend",
        Unknown => "unknown",
    }
}

fn because(meant: Meant) -> &'static str {
    match meant {
        Component("local-storage") => {
            "The class local-path and its provisioner are there, and local-path is a default StorageClass."
        }
        Component("servicelb") => {
            "k3s's own load balancer is on: it takes the ports of Services on every node and writes node addresses as theirs."
        }
        Component("traefik") => "k3s installs Traefik and its resource definitions.",
        Component(_) => "It is installed, whatever else does the same.",
        Flag("disable-kube-proxy") => {
            "kube-proxy is a part of the k3s process and no packaged file: it runs, also beside a Cilium that replaces it."
        }
        Flag("disable-cloud-controller") => {
            "k3s's own cloud controller runs: new nodes get k3s:// as provider ID, which Hetzner's controller does not know."
        }
        Flag(_) => "It is a part of the k3s process and no packaged file: it runs.",
        NoFlannel => {
            "Flannel is a part of the k3s process and no packaged file: it runs, beside whatever else makes the network."
        }
        Unknown => {
            "It does nothing, unless a manifest of your own has that name: k3s then deletes that file and its objects."
        }
    }
}

fn steps(meant: Meant, given: &str) -> Vec<Step> {
    let (topic, config, why): (String, Value, String) = match meant {
        Component(name) => {
            // added: a plain `disable` in a later file would replace the others
            (
                format!("disable-{name}"),
                json!({"disable+": [name]}),
                format!("adds {name} to what is disabled"),
            )
        }
        Flag(flag) => (flag.into(), json!({ flag: true }), format!("gives k3s --{flag}")),
        NoFlannel => {
            ("flannel-backend".into(), json!({"flannel-backend": "none"}), "turns Flannel off".into())
        }
        Unknown => {
            let why = format!(
                "what {given} was to do: k3s knows coredns, local-storage, metrics-server, servicelb, traefik and runtimes; \
                 take it out if nothing is missed"
            );
            return vec![Step::decide(why)];
        }
    };
    let mut steps = k3s_config::write(&why, &topic, config, true);
    if let Some(first) = steps.first_mut() {
        first.hazard = Some(hazard(meant).into());
    }
    let why = format!("take {given} out of the cloud-config, where it says what is not so");
    steps.push(Step::decide(why).for_good());
    steps
}

/// What is lost when it is really disabled.
fn hazard(meant: Meant) -> &'static str {
    match meant {
        Component("coredns") => "without another cluster DNS no pod resolves a name any more",
        Component("local-storage") => {
            "k3s then deletes local-path and its provisioner: volumes of it stay on their nodes, and nothing makes new ones or \
             deletes them"
        }
        Component("metrics-server") => "kubectl top and autoscalers need another metrics server then",
        Component("servicelb") => {
            "Services lose the node addresses that they have now; Hetzner's controller has to give others"
        }
        Component("traefik") => {
            "k3s then uninstalls Traefik, with its Service and that Service's load balancer"
        }
        Flag("disable-kube-proxy") => {
            "without a program that does its work (Cilium with kubeProxyReplacement) no Service is reached any more; its rules \
             stay until each node boots again"
        }
        Flag("disable-cloud-controller") => {
            "new nodes then wait for Hetzner's controller; nodes that have a k3s:// provider ID keep it until they are made anew"
        }
        Flag("disable-helm-controller") => {
            "k3s then installs and upgrades no HelmChart any more, of yours neither"
        }
        Flag("disable-network-policy") => "NetworkPolicies have no effect then, unless the CNI enforces them",
        NoFlannel => "without another CNI no new pod gets an address",
        _ => "see first that something else does its work",
    }
}
