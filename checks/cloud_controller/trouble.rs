//! Why the cloud controller does not run, and what to do about each reason.

use jiff::Timestamp;
use serde_json::{Map, json};

use crate::domain::hccm::{Ccm, NAME};
use crate::domain::hccm_log::Word;
use crate::facts::kubernetes::Pod;
use crate::facts::{Facts, Known, Text};
use crate::remedies::controller;
use crate::{Changes, Finding, Step};

/// How long a pod may take to become ready, or a node to be initialised.
pub const GRACE_SECONDS: i64 = 120;

/// An end that is so old counts no more.
const RECENT_SECONDS: i64 = 600;

/// How a pod is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Fine,
    /// It is young.
    Starting,
    Unscheduled,
    /// Its container is not even started.
    Waiting(Trouble),
    Crashing,
    NotReady,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    TokenMissing,
    TokenRejected,
    NetworkNotFound(Text),
    NotAttached(Text),
    Metadata,
    Egress,
    Config(Text),
    PlacementBoth,
    SecretMissing(Text),
    KeyMissing {
        key: Text,
        secret: Text,
    },
    Image,
    Permissions {
        verb: Text,
        resource: Text,
    },
    Lease,
    KubernetesApi,
    Panic,
    RolloutStuck,
    Unscheduled,
    /// Its container waits for another reason.
    Waiting,
    /// It ends, and nothing tells why.
    Crash,
    NotReady,
}

/// How one pod of it is doing. One restart while k3s starts is as it should be.
pub fn state(pod: &Pod, container: &str, now: Timestamp) -> State {
    let young = pod.metadata.creation_timestamp.seconds_until(now).is_some_and(|age| age < GRACE_SECONDS);
    if pod.condition("PodScheduled").is_some_and(|c| c.status == "False") {
        return if young { State::Starting } else { State::Unscheduled };
    }
    if let Some(status) = pod.status.container_statuses.iter().find(|status| status.name == *container) {
        let within = |seconds: Option<i64>| seconds.is_some_and(|seconds| seconds < RECENT_SECONDS);
        let ended = status.last_state.terminated.as_ref();
        let ended = within(ended.and_then(|ended| ended.finished_at.seconds_until(now)));
        let running = status.state.running.as_ref();
        let fresh = within(running.and_then(|running| running.started_at.seconds_until(now)));
        match status.state.waiting.as_ref().map(|waiting| (&*waiting.reason, &*waiting.message)) {
            Some(("CreateContainerConfigError", message)) => return State::Waiting(of_config(message)),
            Some(("ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull", _)) => {
                return State::Waiting(Trouble::Image);
            }
            Some(("CrashLoopBackOff", _)) => return State::Crashing,
            Some(("ContainerCreating" | "PodInitializing", _)) if young => return State::Starting,
            Some(_) => return State::Waiting(Trouble::Waiting),
            None => {}
        }
        let restarts = status.restart_count;
        if status.state.terminated.is_some() || (restarts > 1 && ended) || (restarts > 3 && fresh) {
            return State::Crashing;
        }
    }
    match (pod.is_ready(), young) {
        (true, _) => State::Fine,
        (false, true) => State::Starting,
        (false, false) => State::NotReady,
    }
}

/// `secret "hcloud" not found`, `couldn't find key network in Secret kube-system/hcloud`.
fn of_config(message: &str) -> Trouble {
    if let Some((_, rest)) = message.split_once("couldn't find key ")
        && let Some((key, secret)) = rest.split_once(" in Secret ")
    {
        let secret = secret.rsplit('/').next().unwrap_or(secret);
        return Trouble::KeyMissing { key: key.into(), secret: secret.trim_end().into() };
    }
    if let Some((_, rest)) = message.split_once("secret \"")
        && let Some((name, _)) = rest.split_once("\" not found")
    {
        return Trouble::SecretMissing(name.into());
    }
    Trouble::Waiting
}

impl Trouble {
    /// What a word of its log means for why it does not run.
    pub fn of(word: &Word) -> Option<Trouble> {
        Some(match word {
            Word::TokenMissing => Trouble::TokenMissing,
            Word::TokenRejected | Word::TokenForm { got: None } => Trouble::TokenRejected,
            Word::NetworkNotFound { name } => Trouble::NetworkNotFound(name.clone()),
            Word::NotAttached { name } => Trouble::NotAttached(name.clone()),
            Word::Metadata => Trouble::Metadata,
            Word::Config { variable } => Trouble::Config(variable.clone()),
            Word::PlacementBoth => Trouble::PlacementBoth,
            Word::Panic => Trouble::Panic,
            Word::Rbac { verb, resource } => {
                Trouble::Permissions { verb: verb.clone(), resource: resource.clone() }
            }
            Word::Lease => Trouble::Lease,
            Word::Egress => Trouble::Egress,
            Word::KubernetesApi => Trouble::KubernetesApi,
            Word::Fatal => Trouble::Crash,
            _ => return None,
        })
    }

    /// It ends the controller at once.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Trouble::Permissions { .. } | Trouble::Egress | Trouble::Crash)
    }

    pub fn discriminator(&self) -> &'static str {
        match self {
            Trouble::TokenMissing => "token-missing",
            Trouble::TokenRejected => "token-rejected",
            Trouble::NetworkNotFound(_) => "network-not-found",
            Trouble::NotAttached(_) => "not-attached",
            Trouble::Metadata => "metadata",
            Trouble::Egress => "egress",
            Trouble::Config(_) => "config",
            Trouble::PlacementBoth => "placement-both",
            Trouble::SecretMissing(_) => "secret-missing",
            Trouble::KeyMissing { .. } => "key-missing",
            Trouble::Image => "image",
            Trouble::Permissions { .. } => "permissions",
            Trouble::Lease => "lease",
            Trouble::KubernetesApi => "kubernetes-api",
            Trouble::Panic => "panic",
            Trouble::RolloutStuck => "rollout-stuck",
            Trouble::Unscheduled => "unscheduled",
            Trouble::Waiting => "waiting",
            Trouble::Crash => "crash",
            Trouble::NotReady => "not-ready",
        }
    }

    pub fn says(&self) -> String {
        let start = "the cloud controller does not start";
        match self {
            Trouble::TokenMissing => format!("{start}: it has no token"),
            Trouble::TokenRejected => format!("{start}: the Hetzner API rejects its token"),
            Trouble::NetworkNotFound(name) => format!("{start}: its token's project has no network {name}"),
            Trouble::NotAttached(name) => format!("{start}: the server it runs on is not in network {name}"),
            Trouble::Metadata => format!("{start}: the server's metadata service does not answer it"),
            Trouble::Egress => format!("{start}: it does not get through to the Hetzner API"),
            Trouble::Config(variable) => format!("{start}: {variable} is invalid"),
            Trouble::PlacementBoth => format!("{start}: location and network zone are both set"),
            Trouble::SecretMissing(name) => format!("{start}: Secret {name} does not exist"),
            Trouble::KeyMissing { key, secret } => format!("{start}: Secret {secret} has no key {key}"),
            Trouble::Image => format!("{start}: its image cannot be pulled"),
            Trouble::Permissions { verb, resource } => {
                format!("the cloud controller does not stay up: it may not {verb} {resource}")
            }
            Trouble::Lease => "the cloud controller does not stay up: it loses its lease".into(),
            Trouble::KubernetesApi => format!("{start}: the Kubernetes API does not answer it"),
            Trouble::Panic => "the cloud controller panics again and again".into(),
            Trouble::RolloutStuck => {
                "the cloud controller's new pod finds no node, and the old one runs on with the old settings"
                    .into()
            }
            Trouble::Unscheduled => "the cloud controller's pod finds no node".into(),
            Trouble::Waiting => format!("{start}: its container waits"),
            Trouble::Crash => "the cloud controller ends again and again".into(),
            Trouble::NotReady => "the cloud controller's pod is not ready".into(),
        }
    }

    /// The variables that are to blame.
    pub fn variables(&self) -> Vec<&str> {
        match self {
            Trouble::TokenMissing | Trouble::TokenRejected => vec!["HCLOUD_TOKEN"],
            Trouble::NetworkNotFound(_) | Trouble::NotAttached(_) => vec!["HCLOUD_NETWORK"],
            Trouble::Config(variable) if variable.starts_with("HCLOUD_") => vec![variable],
            Trouble::PlacementBoth => {
                vec!["HCLOUD_LOAD_BALANCERS_LOCATION", "HCLOUD_LOAD_BALANCERS_NETWORK_ZONE"]
            }
            _ => Vec::new(),
        }
    }

    /// What to do, and how to see that it worked.
    ///
    /// # Errors
    /// The gap of HelmCharts, workloads or nodes.
    pub fn remedy(&self, finding: Finding, facts: &Facts, ccm: &Ccm, pod: &Pod) -> Known<Finding> {
        let namespace = ccm.namespace();
        let name = &*pod.metadata.name;
        let node = &*pod.spec.node_name;
        let decide = |finding: Finding, what: &str| Ok(finding.step(Step::decide(what)));
        let look = |finding: Finding, why: &str, args: &[&str]| {
            Ok(finding.step(Step::kubectl(Changes::Nothing, why, args)))
        };
        let finding = match self {
            Trouble::TokenMissing | Trouble::TokenRejected => Ok(controller::new_token(finding, ccm)),
            Trouble::NetworkNotFound(network) => decide(
                finding,
                &format!(
                    "give it a network that exists (hcloud network list), as HCLOUD_NETWORK or in the Secret's key; if {network} \
                     exists in your project, its token is of another one"
                ),
            ),
            Trouble::NotAttached(network) => {
                let attach = ["server", "attach-to-network", "--network", network, node];
                Ok(finding.step(Step::hcloud(Changes::Cloud, "puts the server into the network", &attach)))
            }
            Trouble::Metadata => {
                let url = "http://169.254.169.254/hetzner/v1/metadata/private-networks";
                let ask = Step::on_node(
                    format!(
                        "on {node}: does it answer there? if so, a network policy or Cilium keeps pods from it"
                    ),
                    &["curl", "-m", "5", url],
                );
                let finding = finding.step(Step { changes: Changes::Nothing, ..ask });
                let off = [("HCLOUD_NETWORK_DISABLE_ATTACHED_CHECK", "true")];
                return controller::tell(finding, facts, ccm, &off, "starts it without that question");
            }
            Trouble::Egress => {
                let url = "https://api.hetzner.cloud/v1/locations";
                let ask = Step::on_node(
                    format!(
                        "on {node}: 401 means that the way is open, anything else names what is in between"
                    ),
                    &["curl", "-m", "10", "-sS", "-o", "/dev/null", "-w", "%{http_code}\\n", url],
                );
                decide(
                    finding.step(Step { changes: Changes::Nothing, ..ask }),
                    "open the way: name servers in the node's /etc/resolv.conf, a public address or a NAT gateway, and 443 \
                     outwards in the firewall",
                )
            }
            Trouble::Config(variable) => decide(
                finding,
                &format!(
                    "correct {variable} where it is set (env in the chart's values): an empty value is not the same as none, \
                     switches are true or false"
                ),
            ),
            Trouble::PlacementBoth => {
                let zone = [("HCLOUD_LOAD_BALANCERS_NETWORK_ZONE", "")];
                return controller::tell(finding, facts, ccm, &zone, "leaves the location, which says more");
            }
            Trouble::SecretMissing(secret) => Ok(with_secret(
                finding,
                &namespace,
                secret,
                json!({"token": "THE TOKEN", "network": "THE NETWORK'S NAME OR ID"}),
            )),
            Trouble::KeyMissing { key, secret } => {
                let mut data = Map::new();
                data.insert(key.to_string(), format!("THE {}", key.to_uppercase()).into());
                Ok(with_secret(finding, &namespace, secret, data.into()))
            }
            Trouble::Image => {
                let image = &ccm.container().image;
                return controller::upgrade(
                    finding.step(Step::decide(format!(
                        "is {image} the image you want, and may the node pull it? else install one that exists"
                    ))),
                    facts,
                    ccm,
                );
            }
            Trouble::Panic if ccm.release().is_none_or(|release| release < (1, 30, 1)) => {
                return controller::upgrade(finding, facts, ccm);
            }
            Trouble::Permissions { .. } => {
                let account =
                    format!("--as=system:serviceaccount:{namespace}:{}", pod.spec.service_account_name);
                look(
                    finding,
                    "shows what it may do; KD206 says what it needs",
                    &["auth", "can-i", "--list", &account],
                )
            }
            Trouble::RolloutStuck => return controller::make_live(finding, facts, ccm),
            Trouble::Unscheduled | Trouble::Waiting => {
                look(finding, "shows what it waits for", &["describe", "pod", name, "-n", &namespace])
            }
            Trouble::Lease | Trouble::KubernetesApi => {
                let finding = look(
                    finding,
                    "is the API server itself slow or down?",
                    &["get", "--raw", "/readyz?verbose"],
                )?;
                decide(
                    finding,
                    "look at k3s and its datastore on the servers (journalctl -u k3s): a slow disk makes etcd answer late",
                )
            }
            Trouble::Panic | Trouble::Crash => {
                let args = ["logs", name, "-n", &*namespace, "--previous", "--tail", "200"];
                look(finding, "shows its last words", &args)
            }
            Trouble::NotReady => {
                look(finding, "shows what it is doing", &["logs", name, "-n", &*namespace, "--tail", "50"])
            }
        }?;
        controller::rolled_out(finding, ccm, facts)
    }
}

/// Makes the Secret, or a key of it, from a file.
fn with_secret(finding: Finding, namespace: &str, secret: &str, data: serde_json::Value) -> Finding {
    let file = "secret.yaml";
    let object = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": secret, "namespace": namespace},
        "stringData": data,
    });
    finding
        .step(Step::write(Changes::Nothing, "on your machine, so that the token stands in no command", file, object))
        .step(Step::kubectl(
            Changes::Cluster,
            format!("writes what {NAME} reads, and leaves other keys as they are; then delete {file}"),
            &["apply", "--server-side", "-f", file],
        ))
        .step(
            Step::decide(format!(
                "put the same into the manifest of Secret {secret} in the cloud-config in /oem, which k3s applies at every start"
            ))
            .for_good(),
        )
}
