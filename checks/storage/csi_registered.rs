//! When a node's hcloud-csi pod does not run, no pod there gets a volume of Hetzner's, and when the controller's does not, no
//! claim gets one at all, because the kubelet attaches only what a driver registered with it provides, and only the
//! controller asks Hetzner (hetznercloud/csi-driver `53ead0b`, `chart/templates`; CSINode `spec.drivers`).

use std::collections::HashMap;

use crate::cloud_controller::ccm_token;
use crate::domain::hccm::{image_tag, version_numbers};
use crate::facts::kubernetes::{
    CSIDriver, CSINode, Container, ContainerStatus, DaemonSet, Deployment, HelmChart, Node, Pod, PodSpec,
    StorageClass,
};
use crate::facts::{Facts, Kind, Known};
use crate::k3s::helm_charts_installed;
use crate::nodes::node_initialized;
use crate::remedies::charts::chart_name;
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD702",
    slug: "csi-registered",
    title: "the Hetzner CSI driver serves every node",
    examines: "nodes",
    severity: Severity::Error,
    needs: &[
        &CSIDriver::NEED,
        &StorageClass::NEED,
        &HelmChart::NEED,
        &CSINode::NEED,
        &Node::NEED,
        &DaemonSet::NEED,
        &Deployment::NEED,
        &Pod::NEED,
    ],
    caused_by: &[
        Cause::here(&helm_charts_installed::CHECK),
        // its controller does not tolerate the taint
        Cause::everywhere(&node_initialized::CHECK).when(node_initialized::keeps_pods_waiting),
        // both read the token from the same Secret
        Cause::everywhere(&ccm_token::CHECK).when(|cause, _| cause.discriminator == Some("rejected")),
    ],
    explain: include_str!("csi_registered.md"),
    judge,
};

const DRIVER: &str = "csi.hetzner.cloud";
/// The container of the driver itself, in its DaemonSet and in its controller.
const CONTAINER: &str = "hcloud-csi-driver";
const CHART: &str = "hcloud-csi";
/// How long a node or a pod may take.
const GRACE_SECONDS: i64 = 300;
/// Older ones ask the Hetzner API for a field that is gone since 2026-07-01 (csi-driver#1474).
const WITHOUT_DATACENTER: (u64, u64, u64) = (2, 19, 0);

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let charts = facts.all::<HelmChart>()?;
    let chart = charts.iter().find(|chart| chart_name(chart) == CHART);
    let driver = facts.all::<CSIDriver>()?.iter().find(|driver| driver.metadata.name == *DRIVER);
    let class = facts.all::<StorageClass>()?.iter().find(|class| class.provisioner == DRIVER);
    let set = facts.all::<DaemonSet>()?.iter().find(|set| is_driver(&set.spec.template.spec));
    if chart.is_none() && driver.is_none() && class.is_none() && set.is_none() {
        return Ok(()); // nobody asked for it
    }
    let controller = facts.all::<Deployment>()?.iter().find(|one| is_driver(&one.spec.template.spec));
    let pods = facts.all::<Pod>()?;
    let scene = Scene { facts, chart, pods };
    let Some(set) = set else {
        v.examined += facts.all::<Node>()?.iter().filter(|node| wants_driver(node)).count();
        let wanted = chart.map(|c| (c.reference(), scene.is_young(c.metadata.creation_timestamp)));
        let wanted =
            wanted.or(class.map(|c| (c.reference(), false))).or(driver.map(|d| (d.reference(), false)));
        if let Some((_, false)) = wanted {
            v.findings.push(scene.absent(chart, class, driver));
        }
        return Ok(());
    };
    let csi_nodes: HashMap<&str, &CSINode> =
        facts.all::<CSINode>()?.iter().map(|csi| (&*csi.metadata.name, csi)).collect();
    let (set_name, set_namespace) = (&*set.metadata.name, set.metadata.namespace.as_deref());
    let pods: Vec<&Pod> = scene.pods_of("DaemonSet", set_name, set_namespace).collect();
    // Where two are on one node the first one counts.
    let pod_of: HashMap<&str, &Pod> = pods.iter().rev().map(|pod| (&*pod.spec.node_name, *pod)).collect();
    let all_placed = set.status.desired_number_scheduled <= pods.len() as i64;
    let mut without = Vec::new();
    for node in facts.all::<Node>()?.iter().filter(|node| wants_driver(node)) {
        v.examined += 1;
        let pod = pod_of.get(node.name()).copied();
        without.extend(scene.without(node, csi_nodes.get(node.name()).copied(), pod, all_placed));
    }
    if !without.is_empty() {
        v.findings.push(scene.nodes(set, &without));
    }
    if let Some(controller) = controller {
        if let Some(finding) = scene.controller(controller) {
            v.findings.push(finding);
        }
        if let Some(finding) = scene.old(controller) {
            v.findings.push(finding);
        }
    }
    Ok(())
}

fn is_driver(spec: &PodSpec) -> bool {
    container(spec).is_some()
}

fn container(spec: &PodSpec) -> Option<&Container> {
    spec.containers.iter().find(|container| container.name == CONTAINER)
}

/// A cloud server on which pods are placed. The chart keeps its pods off Robot servers, by either label.
fn wants_driver(node: &Node) -> bool {
    node.is_cloud()
        && !node.spec.unschedulable
        && node.metadata.label("instance.hetzner.cloud/is-root-server") != Some("true")
        && node.metadata.deletion_timestamp.is_none()
}

/// A node on which no volume can be mounted.
struct Without<'a> {
    node: &'a Node,
    csi_node: Option<&'a CSINode>,
    pod: Option<&'a Pod>,
}

struct Scene<'a> {
    facts: &'a Facts,
    chart: Option<&'a HelmChart>,
    pods: &'a [Pod],
}

impl<'a> Scene<'a> {
    fn is_young(&self, created: crate::facts::Time) -> bool {
        created.seconds_until(self.facts.now).is_some_and(|age| age < GRACE_SECONDS)
    }

    fn pods_of(&self, kind: &str, name: &str, namespace: Option<&str>) -> impl Iterator<Item = &'a Pod> {
        // A Deployment's pods belong to its ReplicaSets, which are called after it.
        let owned = move |pod: &&Pod| {
            is_driver(&pod.spec)
                && pod.metadata.namespace.as_deref() == namespace
                && pod.metadata.deletion_timestamp.is_none()
                && !pod.is_over()
                && match kind {
                    "DaemonSet" => {
                        pod.metadata.owner_references.iter().any(|o| o.kind == "DaemonSet" && o.name == *name)
                    }
                    _ => pod.metadata.owner_references.iter().all(|o| o.kind != "DaemonSet"),
                }
        };
        self.pods.iter().filter(owned).collect::<Vec<_>>().into_iter()
    }

    /// The node lacks the driver, or its pod does not run. A node that the DaemonSet leaves out on purpose lacks nothing: it
    /// has all the pods that it wants.
    fn without(
        &self,
        node: &'a Node,
        csi_node: Option<&'a CSINode>,
        pod: Option<&'a Pod>,
        all_placed: bool,
    ) -> Option<Without<'a>> {
        if self.is_young(node.metadata.creation_timestamp) {
            return None;
        }
        let registered = is_registered(csi_node);
        let runs = pod.is_some_and(Pod::is_ready);
        let young = pod.is_some_and(|pod| self.is_young(pod.metadata.creation_timestamp));
        let left_out = pod.is_none() && all_placed;
        let fine = registered && (runs || pod.is_none());
        (!fine && !young && !left_out).then_some(Without { node, csi_node, pod })
    }

    fn finding(&self, object: &impl Kind, says: String) -> Finding {
        let finding = Finding::new(object, says);
        match self.chart {
            Some(chart) => finding.relates(chart),
            None => finding,
        }
    }

    fn absent(
        &self,
        chart: Option<&HelmChart>,
        class: Option<&StorageClass>,
        driver: Option<&CSIDriver>,
    ) -> Finding {
        let says = "the Hetzner CSI driver is wanted, and no DaemonSet of it is there";
        let because = "No claim of Hetzner's class gets a volume, and no pod with one starts.";
        let finding = match (chart, class, driver) {
            (Some(chart), ..) => Finding::new(chart, says).shows(chart, "status.jobName"),
            (None, Some(class), _) => Finding::new(class, says).shows(class, "provisioner"),
            (None, None, Some(driver)) => {
                Finding::new(driver, says).shows(driver, "metadata.creationTimestamp")
            }
            (None, None, None) => unreachable!("something asked for the driver"),
        };
        let finding = finding.discriminator("absent").because(because);
        let finding = match chart {
            Some(chart) => {
                let (name, namespace) = (&*chart.metadata.name, chart.metadata.namespace.as_deref().unwrap_or_default());
                let job = format!("job/helm-install-{name}");
                finding
                    .step(Step::kubectl(Changes::Nothing, "what Helm said", &["logs", "-n", namespace, &job, "--tail", "50"]))
                    .step(Step::decide(format!("mend what the log names in the manifest of HelmChart {name} in /oem")).for_good())
            }
            None => finding.step(Step::decide(
                "whether the driver is to be here: then install the chart hcloud-csi of https://charts.hetzner.cloud, else delete \
                 what is left of it",
            )),
        };
        let verify = ["get", "daemonset", "-A", "-l", "app.kubernetes.io/name=hcloud-csi"];
        finding.verify_kubectl(&verify, "hcloud-csi-node is there, READY as many as DESIRED")
    }

    fn nodes(&self, set: &DaemonSet, without: &[Without]) -> Finding {
        let first = &without[0];
        let names = match without {
            [one] => format!("node {}", one.node.name()),
            all => format!("{} nodes, {} among them", all.len(), first.node.name()),
        };
        let unregistered = without.iter().any(|one| !is_registered(one.csi_node));
        let reason = without.iter().find_map(|one| reason(one.pod?));
        let what = if unregistered {
            "the Hetzner CSI driver is not registered on"
        } else {
            "the Hetzner CSI driver does not run on"
        };
        let says = match &reason {
            Some(reason) => format!("{what} {names}: {reason}"),
            None => format!("{what} {names}"),
        };
        let mut finding = self.finding(set, says).discriminator("nodes").because(
            "A pod with a Hetzner volume does not start there, or is not placed there: `no topology key found`, \
             `volume node affinity conflict`.",
        );
        for one in without {
            finding = finding.relates(one.node);
            if let Some(csi_node) = one.csi_node {
                finding = finding.shows(csi_node, "spec.drivers");
            }
            match one.pod {
                Some(pod) => finding = shown(finding, pod),
                None => finding = finding.shows(set, "status.desiredNumberScheduled"),
            }
        }
        let namespace = set.metadata.namespace.as_deref().unwrap_or_default();
        if let Some(pod) = without.iter().find_map(|one| one.pod) {
            let name = &*pod.metadata.name;
            let describe = ["describe", "pod", name, "-n", namespace];
            finding = finding.step(Step::kubectl(
                Changes::Nothing,
                "why it does not run, in its events",
                &describe,
            ));
            let logs = ["logs", name, "-n", namespace, "-c", CONTAINER, "--tail", "30"];
            let why = "what the driver says; it asks the server's metadata service for its ID and location at its start";
            finding = finding.step(Step::kubectl(Changes::Nothing, why, &logs));
            if pod.is_ready() {
                let delete = ["delete", "pod", name, "-n", namespace];
                let why = "it runs, and the kubelet does not know it: a new pod registers anew; mounted volumes stay";
                finding = finding.step(Step::kubectl(Changes::Cluster, why, &delete));
            }
        } else {
            let describe = ["describe", "daemonset", &*set.metadata.name, "-n", namespace];
            finding = finding.step(Step::kubectl(Changes::Nothing, "why it makes no pod there", &describe));
        }
        let why = "what the driver's log names. `metadata service`: the node must reach 169.254.169.254, and the server must be a \
                   cloud server";
        let name = first.node.name();
        finding.step(Step::decide(why)).verify_kubectl(
            &["get", "csinode", name, "-o", "jsonpath={.spec.drivers[*].name}"],
            format!("{DRIVER} is among them"),
        )
    }

    fn controller(&self, controller: &Deployment) -> Option<Finding> {
        if controller.status.ready_replicas > 0 || controller.status.available_replicas > 0 {
            return None;
        }
        let namespace = controller.metadata.namespace.as_deref();
        let pods: Vec<&Pod> = self.pods_of("Deployment", &controller.metadata.name, namespace).collect();
        if pods.iter().any(|pod| pod.is_ready()) {
            return None;
        }
        let pod =
            pods.iter().copied().max_by_key(|pod| (pod.metadata.creation_timestamp, &pod.metadata.name));
        let created =
            pod.map_or(controller.metadata.creation_timestamp, |pod| pod.metadata.creation_timestamp);
        if self.is_young(created) {
            return None;
        }
        let off = controller.spec.replicas == Some(0);
        let why = match pod.and_then(reason) {
            _ if off => ": it is scaled to 0".into(),
            Some(reason) => format!(": {reason}"),
            None => String::new(),
        };
        let says = format!("the controller of the Hetzner CSI driver does not run{why}");
        let mut finding = self
            .finding(controller, says)
            .discriminator("controller")
            .because("Nobody makes, attaches or detaches volumes: claims stay pending, pods that move wait for theirs.")
            .shows(controller, "status.readyReplicas");
        if off {
            finding = finding.shows(controller, "spec.replicas");
        }
        if let Some(pod) = pod {
            finding = shown(finding, pod);
        }
        let namespace = namespace.unwrap_or_default();
        let target = format!("deployment/{}", controller.metadata.name);
        let logs = ["logs", "-n", namespace, &target, "-c", CONTAINER, "--tail", "30"];
        finding = match pod {
            _ if off => finding.step(Step::kubectl(
                Changes::Cluster,
                "starts it again; see first why somebody stopped it",
                &["scale", "-n", namespace, &target, "--replicas=1"],
            )),
            Some(pod) if pod.spec.node_name.is_empty() => {
                let describe = ["describe", "pod", &*pod.metadata.name, "-n", namespace];
                let why = "says for each node why not; unlike the node's part it tolerates no taint";
                finding.step(Step::kubectl(Changes::Nothing, why, &describe))
            }
            _ => finding.step(Step::kubectl(Changes::Nothing, "what it says before it ends", &logs)).step(Step::decide(
                "what that log names. `HCLOUD_TOKEN`, `unauthorized`: key token of Secret hcloud, which the cloud controller uses \
                 as well. `metadata service`: the node must reach 169.254.169.254",
            )),
        };
        let status = ["rollout", "status", "-n", namespace, &target, "--timeout", "2m"];
        Some(finding.verify_kubectl(&status, "successfully rolled out"))
    }

    /// It works as long as the metadata service answers at its start.
    fn old(&self, controller: &Deployment) -> Option<Finding> {
        let image = &container(&controller.spec.template.spec)?.image;
        let tag = image_tag(image)?;
        let version = version_numbers(tag)?;
        if version >= WITHOUT_DATACENTER {
            return None;
        }
        let says =
            format!("the Hetzner CSI driver is {tag}: before v2.19.0 it asks the API for what is gone");
        let namespace = controller.metadata.namespace.as_deref().unwrap_or_default();
        let target = format!("deployment/{}", controller.metadata.name);
        let jsonpath =
            format!("jsonpath={{.spec.template.spec.containers[?(@.name==\"{CONTAINER}\")].image}}");
        let finding = self
            .finding(controller, says)
            .discriminator("old-driver")
            .severity(Severity::Info)
            .because(
                "Hetzner's API has no data centers since 2026-07-01. The driver then takes its location from the metadata \
                 service, once, at its start: where that does not answer, it does not start.",
            )
            .shows(controller, &format!("spec.template.spec.containers[name={CONTAINER}].image"))
            .verify_kubectl(&["get", "-n", namespace, &target, "-o", &jsonpath], "v2.19.0 or newer");
        let why = match self.chart {
            Some(chart) => format!(
                "raise spec.version of HelmChart {} in your cloud-config in /oem to 2.19.0 or newer; read the release notes \
                 between",
                chart.metadata.name
            ),
            None => "upgrade the chart hcloud-csi to 2.19.0 or newer; read the release notes between".into(),
        };
        Some(finding.step(Step::decide(why).for_good()))
    }
}

fn is_registered(csi_node: Option<&CSINode>) -> bool {
    csi_node.is_some_and(|csi| csi.spec.drivers.iter().any(|driver| driver.name == *DRIVER))
}

/// The container that keeps a pod from being ready: the driver's own before the others.
fn culprit(pod: &Pod) -> Option<&ContainerStatus> {
    let mut all = pod.status.container_statuses.iter().filter(|status| !status.ready).peekable();
    let first = all.peek().copied();
    all.find(|status| status.name == CONTAINER).or(first)
}

fn reason(pod: &Pod) -> Option<String> {
    if pod.condition("PodScheduled").is_some_and(|c| c.status == "False") {
        return Some("its pod finds no node".into());
    }
    let container = culprit(pod)?;
    let waiting = container.state.waiting.as_ref().map(|waiting| waiting.reason.to_string());
    waiting
        .filter(|reason| !reason.is_empty())
        .or_else(|| Some(format!("container {} is not ready", container.name)))
}

fn shown(finding: Finding, pod: &Pod) -> Finding {
    if pod.condition("PodScheduled").is_some_and(|c| c.status == "False") {
        return finding.shows(pod, "status.conditions[type=PodScheduled].message");
    }
    let Some(container) = culprit(pod) else {
        return finding.shows(pod, "status.conditions[type=Ready].status");
    };
    let at = format!("status.containerStatuses[name={}]", container.name);
    match container.state.waiting {
        Some(_) => finding
            .shows(pod, &format!("{at}.state.waiting.reason"))
            .shows(pod, &format!("{at}.restartCount")),
        None => finding.shows(pod, &format!("{at}.ready")),
    }
}
