//! What the Hetzner Cloud Controller Manager does with what it is given.
//!
//! Source: hetznercloud/hcloud-cloud-controller-manager `6485324f` (`internal/hcops/load_balancer.go`,
//! `hcloud/load_balancers.go`, `internal/config`), unchanged in the parts used here since v1.20.0.

use std::cmp::Reverse;

use crate::ObjectRef;
use crate::facts::hetzner::LoadBalancer;
use crate::facts::kubernetes::{Container, DaemonSet, Deployment, Meta, Pod, PodSpec, Service};
use crate::facts::{Facts, Gap, Kind, Known, Need, Text, Why};
use crate::remedies::charts::Chart;
use crate::{Finding, facts};

pub const NAME: &str = "hcloud-cloud-controller-manager";

/// What [`Ccm::find`] reads.
pub const NEEDS: [&Need; 3] = [&Pod::NEED, &Deployment::NEED, &DaemonSet::NEED];

/// The cloud controller as it runs: what it was started with, not what somebody wrote since.
#[derive(Clone, Copy)]
pub struct Ccm<'a> {
    spec: Spec<'a>,
    container: &'a Container,
}

/// The object whose pod spec counts.
#[derive(Clone, Copy)]
enum Spec<'a> {
    Pod(&'a Pod),
    Deployment(&'a Deployment),
    DaemonSet(&'a DaemonSet),
}

/// A variable as the process sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Var<'a> {
    Unset,
    Is(&'a str),
    /// From a Secret or ConfigMap, which the doctor does not read.
    Elsewhere(String),
}

impl<'a> Ccm<'a> {
    /// The controller: its ready pod, else any pod of it, else the workload that should make one. `None` when there is
    /// nothing of it in the cluster. Known by the container's name or its image, since labels differ between the chart
    /// and the static manifests.
    ///
    /// # Errors
    /// The gap of pods or workloads, when without them nothing can be said.
    pub fn find(facts: &'a Facts) -> Known<Option<Ccm<'a>>> {
        // Of equals the one that started first is the leader.
        if let Some((pod, container)) = pods(facts)?.first() {
            return Ok(Some(Ccm { spec: Spec::Pod(pod), container }));
        }
        for workload in facts.all::<Deployment>()? {
            if let Some(container) = container_of(&workload.spec.template.spec) {
                return Ok(Some(Ccm { spec: Spec::Deployment(workload), container }));
            }
        }
        for workload in facts.all::<DaemonSet>()? {
            if let Some(container) = container_of(&workload.spec.template.spec) {
                return Ok(Some(Ccm { spec: Spec::DaemonSet(workload), container }));
            }
        }
        Ok(None)
    }

    /// The object that its configuration was read from.
    pub fn reference(&self) -> ObjectRef {
        match self.spec {
            Spec::Pod(pod) => pod.reference(),
            Spec::Deployment(workload) => workload.reference(),
            Spec::DaemonSet(workload) => workload.reference(),
        }
    }

    /// The pod that runs it, if there is one.
    pub fn pod(&self) -> Option<&'a Pod> {
        match self.spec {
            Spec::Pod(pod) => Some(pod),
            _ => None,
        }
    }

    /// A pod of it is ready.
    pub fn is_ready(&self) -> bool {
        self.pod().is_some_and(Pod::is_ready)
    }

    pub fn namespace(&self) -> Text {
        self.reference().namespace.unwrap_or_else(|| "kube-system".into())
    }

    /// The tag of the image it runs, `v1.35.0`; `None` for a digest or no tag.
    pub fn version(&self) -> Option<&'a str> {
        image_tag(&self.container.image)
    }

    /// The same as numbers; `None` for a tag that is no version.
    pub fn release(&self) -> Option<(u64, u64, u64)> {
        version_numbers(self.version()?)
    }

    /// It shares the node's network, and with it the node's ports.
    pub fn on_host_network(&self) -> bool {
        self.pod_spec().host_network
    }

    pub fn container(&self) -> &'a Container {
        self.container
    }

    pub fn pod_spec(&self) -> &'a PodSpec {
        match self.spec {
            Spec::Pod(pod) => &pod.spec,
            Spec::Deployment(workload) => &workload.spec.template.spec,
            Spec::DaemonSet(workload) => &workload.spec.template.spec,
        }
    }

    /// The Deployment or DaemonSet that makes its pod; the pod itself where there is none.
    ///
    /// # Errors
    /// The gap of workloads.
    pub fn workload(&self, facts: &Facts) -> Known<ObjectRef> {
        let deployments = facts.all::<Deployment>()?;
        let found = deployments.iter().find(|w| container_of(&w.spec.template.spec).is_some());
        if let Some(workload) = found {
            return Ok(workload.reference());
        }
        let sets = facts.all::<DaemonSet>()?;
        let found = sets.iter().find(|w| container_of(&w.spec.template.spec).is_some());
        Ok(found.map_or_else(|| self.reference(), DaemonSet::reference))
    }

    /// The metadata of the Deployment or DaemonSet; `None` where a pod was made by something else.
    ///
    /// # Errors
    /// The gap of workloads.
    pub fn meta(&self, facts: &'a Facts) -> Known<Option<&'a Meta>> {
        let workload = self.workload(facts)?;
        let of_deployment = facts.all::<Deployment>()?.iter().find(|w| w.reference() == workload);
        let of_set = facts.all::<DaemonSet>()?.iter().find(|w| w.reference() == workload);
        Ok(of_deployment.map(|w| &w.metadata).or(of_set.map(|w| &w.metadata)))
    }

    /// What its workload says now: a pod made before a change does not have it yet. `None` where nothing makes its pod.
    ///
    /// # Errors
    /// The gap of workloads.
    pub fn template(&self, facts: &'a Facts) -> Known<Option<&'a Container>> {
        let workload = self.workload(facts)?;
        let of_deployment = facts.all::<Deployment>()?.iter().find(|w| w.reference() == workload);
        let of_set = facts.all::<DaemonSet>()?.iter().find(|w| w.reference() == workload);
        let template = of_deployment.map(|w| &w.spec.template).or(of_set.map(|w| &w.spec.template));
        Ok(template.and_then(|template| container_of(&template.spec)))
    }

    /// The HelmChart of k3s that installs it; `None` where something else did.
    ///
    /// # Errors
    /// The gap of workloads or HelmCharts.
    pub fn chart(&self, facts: &'a Facts) -> Known<Option<Chart<'a>>> {
        match self.meta(facts)? {
            Some(meta) => Chart::of(facts, meta),
            None => Ok(None),
        }
    }

    /// Adds what the controller is told by that variable to a finding's evidence.
    pub fn shown(&self, finding: Finding, variable: &str) -> Finding {
        let path = format!("env {variable}");
        match self.spec {
            Spec::Pod(pod) => finding.shows(pod, &path),
            Spec::Deployment(workload) => finding.shows(workload, &path),
            Spec::DaemonSet(workload) => finding.shows(workload, &path),
        }
    }

    /// Adds what stands at a path of its pod spec to a finding's evidence.
    pub fn shown_at(&self, finding: Finding, path: &str) -> Finding {
        match self.spec {
            Spec::Pod(pod) => finding.shows(pod, &format!("spec.{path}")),
            Spec::Deployment(workload) => finding.shows(workload, &format!("spec.template.spec.{path}")),
            Spec::DaemonSet(workload) => finding.shows(workload, &format!("spec.template.spec.{path}")),
        }
    }

    /// The same of its container: `image`, `args`.
    pub fn shown_of_container(&self, finding: Finding, path: &str) -> Finding {
        self.shown_at(finding, &format!("containers[name={}].{path}", self.container.name))
    }

    /// The same of one argument, `--flag=…`.
    pub fn shown_flag(&self, finding: Finding, flag: &str) -> Finding {
        let path = format!("flag {flag}");
        match self.spec {
            Spec::Pod(pod) => finding.shows(pod, &path),
            Spec::Deployment(workload) => finding.shows(workload, &path),
            Spec::DaemonSet(workload) => finding.shows(workload, &path),
        }
    }

    /// The variable of that name as the process sees it. Variables of an `envFrom` source come after literal ones.
    pub fn var(&self, name: &str) -> Var<'a> {
        if let Some(var) = self.container.var(name) {
            if let Some(value) = &var.value {
                return Var::Is(value);
            }
            if let Some(from) = &var.value_from {
                let secret =
                    from.secret_key_ref.as_ref().map(|k| format!("Secret {}, key {}", k.name, k.key));
                let map =
                    from.config_map_key_ref.as_ref().map(|k| format!("ConfigMap {}, key {}", k.name, k.key));
                return Var::Elsewhere(secret.or(map).unwrap_or_else(|| "a field of the pod".into()));
            }
            return Var::Is(""); // a name without a value is set, and empty
        }
        for from in &self.container.env_from {
            if !name.starts_with(&*from.prefix) {
                continue;
            }
            if let Some(map) = from.config_map_ref.as_ref() {
                return Var::Elsewhere(format!("perhaps ConfigMap {}", map.name));
            }
            if let Some(secret) = from.secret_ref.as_ref() {
                return Var::Elsewhere(format!("perhaps Secret {}", secret.name));
            }
        }
        Var::Unset
    }

    /// The variable's value, `""` when it is not set.
    ///
    /// # Errors
    /// A gap when it comes from a Secret or ConfigMap.
    pub fn value(&self, name: &str) -> Known<&'a str> {
        match self.var(name) {
            Var::Unset => Ok(""),
            Var::Is(value) => Ok(value),
            Var::Elsewhere(place) => {
                let detail =
                    format!("{name} of the cloud controller is set from {place}, which is never read");
                Err(Gap::new("pods", Why::NotRead, detail).of(self.reference().path()))
            }
        }
    }

    /// It is told not to make load balancers: another controller does.
    pub fn leaves_load_balancers(&self) -> bool {
        let off = ["0", "f", "F", "false", "FALSE", "False"];
        self.value("HCLOUD_LOAD_BALANCERS_ENABLED").is_ok_and(|value| off.contains(&value))
    }

    /// The Services it makes load balancers for.
    pub fn services(&self, facts: &'a Facts) -> Known<impl Iterator<Item = &'a Service>> {
        let none = self.leaves_load_balancers();
        Ok(facts.all::<Service>()?.iter().filter(move |service| !none && service.wants_load_balancer()))
    }

    /// Where it would put a new load balancer for that Service. Annotations win over variables, an empty annotation
    /// resets, and where a location remains the zone is dropped.
    ///
    /// # Errors
    /// A gap when it is for a variable to say that comes from a Secret or ConfigMap.
    pub fn placement(&self, service: &Service) -> Known<Placement> {
        Ok(self.placed(service)?.0)
    }

    /// The same, and what says so.
    ///
    /// # Errors
    /// As [`Ccm::placement`].
    pub fn placed(&self, service: &Service) -> Known<(Placement, Said)> {
        let (location, said) = match service.annotation("location") {
            Some(location) => (location, Said::Annotation),
            None => (self.value(LOCATION)?, Said::Variable),
        };
        if !location.is_empty() {
            return Ok((Placement::Location(location.into()), said));
        }
        let (zone, said) = match service.annotation("network-zone") {
            Some(zone) => (zone, Said::Annotation),
            None => (self.value(NETWORK_ZONE)?, Said::Variable),
        };
        let placement =
            if zone.is_empty() { Placement::Nowhere } else { Placement::NetworkZone(zone.into()) };
        Ok((placement, said))
    }

    /// Whether a Boolean setting of a load balancer is on: the annotation, else the variable. What does not parse is off;
    /// it aborts the sync, which is another failure.
    pub fn is_on(&self, service: &Service, suffix: &str, variable: &str) -> Known<bool> {
        let value = match service.annotation(suffix) {
            Some(value) => value,
            None => self.value(variable)?,
        };
        Ok(matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True"))
    }
}

/// The variables that place the load balancers of Services which do not say where.
pub const LOCATION: &str = "HCLOUD_LOAD_BALANCERS_LOCATION";
pub const NETWORK_ZONE: &str = "HCLOUD_LOAD_BALANCERS_NETWORK_ZONE";

/// Who places a load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Annotation,
    Variable,
}

/// Where a load balancer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    Location(Text),
    NetworkZone(Text),
    Nowhere,
}

/// The name HCCM gives a Service's load balancer: the annotation, else `a` and the UID without dashes, 32 characters.
pub fn load_balancer_name(service: &Service) -> String {
    match service.annotation("name") {
        Some(name) => name.to_string(),
        None => format!("a{}", service.metadata.uid.replace('-', "")).chars().take(32).collect(),
    }
}

/// The load balancer of a Service, as HCCM finds it: by the UID label, then by name.
pub fn load_balancer_of<'a>(facts: &'a Facts, service: &Service) -> Known<Option<&'a LoadBalancer>> {
    let all = facts.all::<LoadBalancer>()?;
    let labelled = all.iter().find(|lb| lb.service_uid() == Some(&service.metadata.uid));
    Ok(labelled.or_else(|| all.iter().find(|lb| lb.name == *load_balancer_name(service).as_str())))
}

/// The pod whose log says most, with the controller's container: of those that Kubernetes has put on a node, the one that
/// restarted most often; of equals one that is ready. Only kube-system is looked at: logs of no other namespace are read.
pub fn speaker(pods: &[Pod]) -> Option<(&Pod, &Container)> {
    let alive = |pod: &&Pod| {
        pod.metadata.namespace.as_deref() == Some("kube-system")
            && !pod.is_over()
            && pod.metadata.deletion_timestamp.is_none()
            && !pod.spec.node_name.is_empty()
    };
    let all = pods.iter().filter(alive).filter_map(|pod| Some((pod, container_of(&pod.spec)?)));
    all.min_by_key(|(pod, container)| {
        (Reverse(pod.restarts(&container.name)), !pod.is_ready(), &pod.metadata.name)
    })
}

/// The controller's container, by its name or its image.
pub fn container_of(spec: &PodSpec) -> Option<&Container> {
    spec.containers.iter().find(|c| c.name == NAME || image_name(&c.image) == NAME)
}

/// The name of an image: without registry, repository path, tag and digest.
pub fn image_name(image: &str) -> &str {
    let path = image.split('@').next().unwrap_or(image);
    let last = path.rsplit('/').next().unwrap_or(path);
    last.split(':').next().unwrap_or(last)
}

/// The tag of an image reference.
pub fn image_tag(image: &str) -> Option<&str> {
    let last = image.split('@').next()?.rsplit('/').next()?;
    last.split_once(':').map(|(_, tag)| tag)
}

/// `v1.30.1` or `1.30.1-rc.0` as numbers.
pub fn version_numbers(tag: &str) -> Option<(u64, u64, u64)> {
    let core = tag.trim_start_matches('v').split(['-', '+']).next()?;
    let mut parts = core.split('.').map(|part| part.parse().ok());
    let (major, minor) = (parts.next()??, parts.next()??);
    let patch = parts.next().unwrap_or(Some(0))?;
    Some((major, minor, patch))
}

/// All its pods that are neither over nor being deleted, with the controller's container: ready ones first, the oldest first
/// of equals.
///
/// # Errors
/// The gap of pods.
pub fn pods(facts: &Facts) -> Known<Vec<(&Pod, &Container)>> {
    let all = facts.controllers(|pod| {
        let alive = pod.metadata.deletion_timestamp.is_none() && !pod.is_over();
        alive && container_of(&pod.spec).is_some()
    })?;
    let mut ours: Vec<_> = all.filter_map(|pod| Some((pod, container_of(&pod.spec)?))).collect();
    ours.sort_by_key(|(pod, _)| (!pod.is_ready(), pod.metadata.creation_timestamp, pod.reference()));
    Ok(ours)
}

/// The newest warning of that reason about a Service; not of one that had its name before.
///
/// # Errors
/// The gap of events. That there is none proves nothing: events live for an hour.
pub fn last_event<'a>(
    facts: &'a Facts,
    service: &Service,
    reason: &str,
) -> Known<Option<&'a facts::kubernetes::Event>> {
    let object = service.reference();
    let since = service.metadata.creation_timestamp;
    let ours =
        |event: &&facts::kubernetes::Event| event.reason == reason && !event.last_seen().is_before(since);
    let all = facts.events_about(&object)?;
    Ok(all.filter(ours).max_by_key(|event| (event.last_seen(), event.reference())))
}
