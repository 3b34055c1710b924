//! The programs that serve Gateway API here: Traefik and Cilium's operator, as they run.
//!
//! Sources: traefik-helm-chart tags 25.0.0 to 41.3.0 (`templates/_podtemplate.tpl`: the container has the release's name;
//! `templates/gateway.yaml`); traefik reads its flags in any case; cilium `operator/pkg/gateway-api/cell.go`.

use crate::domain::hccm::{image_name, image_tag, version_numbers};
use crate::facts::kubernetes::{Container, DaemonSet, Deployment, Meta, Pod, PodSpec};
use crate::facts::{Facts, Kind, Known, Need};
use crate::remedies::charts::Chart;
use crate::{Finding, ObjectRef};

/// What [`Controller::of`] reads.
pub const NEEDS: [&Need; 3] = [&Pod::NEED, &Deployment::NEED, &DaemonSet::NEED];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Traefik,
    Cilium,
}

impl Program {
    /// The program that claims GatewayClasses with this `controllerName`; `None` for one the doctor does not know.
    pub fn claiming(controller_name: &str) -> Option<Program> {
        match controller_name {
            "traefik.io/gateway-controller" => Some(Program::Traefik),
            "io.cilium/gateway-controller" => Some(Program::Cilium),
            _ => None,
        }
    }

    /// The program whose chart makes a GatewayClass of that name.
    pub fn making(class: &str) -> Option<Program> {
        match class {
            "traefik" => Some(Program::Traefik),
            "cilium" => Some(Program::Cilium),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Program::Traefik => "Traefik",
            Program::Cilium => "Cilium",
        }
    }

    /// The container that runs it. Traefik's has the name of its Helm release (`edge-traefik`), so its image counts as well.
    pub fn container_of(self, spec: &PodSpec) -> Option<&Container> {
        let (name, by_image) = match self {
            Program::Traefik => ("traefik", true),
            Program::Cilium => ("cilium-operator", false),
        };
        let image = |container: &&Container| {
            let image = image_name(&container.image);
            by_image && (image == "traefik" || image == "traefik-hub" || image.ends_with("-library-traefik"))
        };
        let named = spec.containers.iter().find(|container| container.name == *name);
        named.or_else(|| spec.containers.iter().find(image))
    }

    pub fn chart(self) -> &'static str {
        match self {
            Program::Traefik => "traefik",
            Program::Cilium => "cilium",
        }
    }
}

#[derive(Clone, Copy)]
enum Workload<'a> {
    Deployment(&'a Deployment),
    DaemonSet(&'a DaemonSet),
}

impl<'a> Workload<'a> {
    fn meta(self) -> &'a Meta {
        match self {
            Workload::Deployment(workload) => &workload.metadata,
            Workload::DaemonSet(workload) => &workload.metadata,
        }
    }

    fn spec(self) -> &'a PodSpec {
        match self {
            Workload::Deployment(workload) => &workload.spec.template.spec,
            Workload::DaemonSet(workload) => &workload.spec.template.spec,
        }
    }

    fn reference(self) -> ObjectRef {
        match self {
            Workload::Deployment(workload) => workload.reference(),
            Workload::DaemonSet(workload) => workload.reference(),
        }
    }
}

/// A program with its workload and the pods that run it.
pub struct Controller<'a> {
    pub program: Program,
    workload: Workload<'a>,
    pods: Vec<&'a Pod>,
    container: &'a Container,
}

impl<'a> Controller<'a> {
    /// `None` when nothing of it is in the cluster.
    ///
    /// # Errors
    /// The gap of workloads or pods.
    pub fn of(facts: &'a Facts, program: Program) -> Known<Option<Controller<'a>>> {
        let named = |spec: &'a PodSpec| program.container_of(spec);
        let deployments = facts.all::<Deployment>()?.iter().map(Workload::Deployment);
        let sets = facts.all::<DaemonSet>()?.iter().map(Workload::DaemonSet);
        let all: Vec<Workload> =
            deployments.chain(sets).filter(|workload| named(workload.spec()).is_some()).collect();
        // Of several Traefiks the one that serves Gateway API.
        let serving = all.iter().find(|w| named(w.spec()).is_some_and(|c| provider(c) == Some(true)));
        let Some(workload) = serving.or(all.first()).copied() else { return Ok(None) };
        let namespace = &workload.meta().namespace;
        // Another Traefik of the same namespace has another release, and its container that one's name.
        let name = named(workload.spec()).map(|container| &container.name);
        let mut pods: Vec<&Pod> = facts
            .all::<Pod>()?
            .iter()
            .filter(|pod| pod.metadata.namespace == *namespace)
            .filter(|pod| named(&pod.spec).is_some_and(|container| Some(&container.name) == name))
            .filter(|pod| !pod.is_over() && pod.metadata.deletion_timestamp.is_none())
            .collect();
        pods.sort_by_key(|pod| (!pod.is_ready(), pod.metadata.creation_timestamp, pod.reference()));
        let spec = pods.first().map_or(workload.spec(), |pod| &pod.spec);
        let container = named(spec).or(named(workload.spec()));
        Ok(container.map(|container| Controller { program, workload, pods, container }))
    }

    pub fn reference(&self) -> ObjectRef {
        self.workload.reference()
    }

    /// As kubectl names it: `deployment/traefik`.
    pub fn target(&self) -> String {
        format!("{}/{}", self.reference().kind.to_lowercase(), self.workload.meta().name)
    }

    pub fn namespace(&self) -> &'a str {
        self.workload.meta().namespace.as_deref().unwrap_or_default()
    }

    pub fn is_ready(&self) -> bool {
        self.pods.iter().any(|pod| pod.is_ready())
    }

    /// Nobody serves, and not only for a moment: no pod at all, or none ready though one is there for a while.
    pub fn is_down(&self, facts: &Facts) -> bool {
        let age = |pod: &&Pod| pod.metadata.creation_timestamp.seconds_until(facts.now);
        let settled = self.pods.iter().filter_map(age).all(|age| age >= super::gateway::GRACE_SECONDS);
        !self.is_ready() && settled
    }

    /// A pod of its for which the scheduler finds no node.
    pub fn unscheduled(&self) -> Option<&'a Pod> {
        let is = |pod: &&&Pod| pod.condition("PodScheduled").is_some_and(|c| c.status == "False");
        self.pods.iter().find(is).copied()
    }

    /// The version of the image that runs: `(3, 5, 1)`; `None` for a digest or another tag.
    pub fn release(&self) -> Option<(u64, u64, u64)> {
        version_numbers(image_tag(&self.container.image)?)
    }

    /// The HelmChart that installs it.
    ///
    /// # Errors
    /// The gap of HelmCharts.
    pub fn chart(&self, facts: &'a Facts) -> Known<Option<Chart<'a>>> {
        match Chart::of(facts, self.workload.meta())? {
            Some(chart) => Ok(Some(chart)),
            None => Chart::named(facts, self.program.chart()),
        }
    }

    /// Adds a fact about its workload or its pod to a finding's evidence, and both to the objects walked through.
    pub fn shown(&self, finding: Finding, path: &str) -> Finding {
        let finding = match self.workload {
            Workload::Deployment(workload) => finding.shows(workload, path),
            Workload::DaemonSet(workload) => finding.shows(workload, path),
        };
        self.pods.iter().fold(finding, |finding, pod| finding.relates(*pod))
    }

    /// The same with an argument of what runs.
    pub fn flag_shown(&self, finding: Finding, flag: &str) -> Finding {
        let path = format!("flag {flag}");
        match (self.pods.first(), self.workload) {
            (Some(pod), _) => finding.shows(*pod, &path),
            (None, Workload::Deployment(workload)) => finding.shows(workload, &path),
            (None, Workload::DaemonSet(workload)) => finding.shows(workload, &path),
        }
        .relates_to(self.reference())
    }

    /// How ready its workload is, as a field of its status.
    pub fn readiness_path(&self) -> &'static str {
        match self.workload {
            Workload::Deployment(_) => "status.readyReplicas",
            Workload::DaemonSet(_) => "status.numberReady",
        }
    }

    /// Whether Traefik is told to serve Gateway API; `None` when its arguments do not tell (a file, variables).
    pub fn serves_gateways(&self) -> Option<bool> {
        provider(self.container)
    }

    /// Traefik's entry points for TCP: name and port; empty when its arguments name none.
    pub fn entry_points(&self) -> Vec<(String, i64)> {
        let port = |address: &str| address.split('/').next()?.rsplit(':').next()?.parse().ok();
        flags(self.container)
            .filter_map(|(flag, value)| {
                let name = flag.strip_prefix("entrypoints.")?.strip_suffix(".address")?.to_string();
                (!value.ends_with("/udp")).then(|| port(value)).flatten().map(|port| (name, port))
            })
            .collect()
    }

    /// Traefik copies an address into the status of its Gateways.
    pub fn publishes_address(&self) -> bool {
        flags(self.container).any(|(flag, _)| flag.starts_with("providers.kubernetesgateway.statusaddress."))
    }

    /// The Service whose addresses Traefik copies: namespace and name.
    pub fn published_service(&self) -> Option<(&'a str, &'a str)> {
        let value = |field: &str| {
            let wanted = format!("providers.kubernetesgateway.statusaddress.service.{field}");
            flags(self.container).find(|(flag, _)| *flag == wanted).map(|(_, value)| value)
        };
        Some((value("namespace")?, value("name")?))
    }
}

/// `--name=value`, the name in lower case.
fn flags(container: &Container) -> impl Iterator<Item = (String, &str)> {
    container.command.0.iter().chain(&container.args.0).filter_map(|arg| {
        let flag = arg.strip_prefix("--")?;
        let (name, value) = flag.split_once('=').unwrap_or((flag, "true"));
        Some((name.to_ascii_lowercase(), value))
    })
}

fn provider(container: &Container) -> Option<bool> {
    let mut on = None;
    for (flag, value) in flags(container) {
        if flag == "providers.kubernetesgateway" {
            on = Some(value != "false");
        } else if flag.starts_with("providers.kubernetesgateway.") {
            on = on.or(Some(true));
        } else if flag.starts_with("providers.") && !flag.starts_with("providers.file") {
            on = on.or(Some(false));
        }
    }
    on
}

/// The major version of the Traefik chart that rendered an object or that a HelmChart names: 37 of `traefik-37.1.101_up37.1.1`.
pub fn traefik_chart(chart: &str) -> Option<u64> {
    let file = chart.rsplit('/').next()?;
    file.strip_prefix("traefik-")?.trim_start_matches('v').split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charts_version_is_read_from_a_label_and_from_an_archive() {
        assert_eq!(traefik_chart("traefik-37.1.101_up37.1.1"), Some(37));
        assert_eq!(
            traefik_chart("https://%{KUBERNETES_API}%/static/charts/traefik-27.0.201+up27.0.2.tgz"),
            Some(27)
        );
        assert_eq!(traefik_chart("traefik"), None);
        assert_eq!(traefik_chart("traefik-crd-37.1.101+up37.1.1.tgz"), None);
    }
}
