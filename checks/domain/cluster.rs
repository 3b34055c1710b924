//! The cluster in a few words: what the header of a report says.

use std::collections::HashSet;

use crate::domain::gateway_controller::Program;
use crate::domain::hccm::{Ccm, image_tag};
use crate::domain::k3s;
use crate::facts::kubelet::Kubelet;
use crate::facts::kubernetes::{Container, DaemonSet, Deployment, Gateway, Namespace, Node, Version};
use crate::facts::{Facts, Project, Text, Why};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Component {
    pub name: Text,
    pub version: Option<Text>,
}

/// What is known at a glance; `None` is not known, or not there.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// The UID of the namespace `kube-system`, which no other cluster has.
    pub uid: Option<Text>,
    pub kubernetes_version: Option<Text>,
    pub nodes: Option<usize>,
    /// How many nodes' kubelets showed a certificate of this cluster; `None` where none was asked.
    pub kubelets: Option<usize>,
    pub ccm: Option<Component>,
    pub csi: Option<Component>,
    pub cni: Option<Component>,
    pub gateway: Option<Component>,
    /// `same`, `other`, `undetermined` or `not-read`.
    pub project: &'static str,
}

impl Cluster {
    pub fn of(facts: &Facts) -> Cluster {
        let namespaces = facts.all::<Namespace>().unwrap_or_default();
        let system = namespaces.iter().find(|n| n.metadata.name == "kube-system");
        Cluster {
            uid: system.map(|n| n.metadata.uid.clone()),
            kubernetes_version: facts.one::<Version>().ok().map(|v| v.git_version.clone()),
            nodes: facts.all::<Node>().ok().map(<[Node]>::len),
            kubelets: kubelets(facts),
            ccm: ccm(facts),
            csi: csi(facts),
            cni: cni(facts),
            gateway: gateway(facts),
            project: match facts.project() {
                Ok(Project::Same) => "same",
                Ok(Project::Other) => "other",
                Ok(Project::Undetermined) => "undetermined",
                Err(gap) if gap.source() == "hcloud" && gap.why != Why::Malformed => "not-read",
                Err(_) => "undetermined",
            },
        }
    }
}

fn kubelets(facts: &Facts) -> Option<usize> {
    let kubelets = facts.all::<Kubelet>().ok()?;
    let shown = kubelets.iter().filter(|k| k.trusted && k.certificate.is_some());
    let shown: HashSet<&str> = shown.map(|k| &*k.node).collect();
    Some(facts.all::<Node>().ok()?.iter().filter(|node| shown.contains(node.name())).count())
}

fn ccm(facts: &Facts) -> Option<Component> {
    let ccm = Ccm::find(facts).ok()??;
    Some(Component { name: "hcloud-cloud-controller-manager".into(), version: ccm.version().map(Text::new) })
}

fn csi(facts: &Facts) -> Option<Component> {
    let container = |c: &&Container| c.name == "hcloud-csi-driver";
    let sets = facts.all::<DaemonSet>().ok()?;
    let driver = sets.iter().flat_map(|d| &d.spec.template.spec.containers).find(container)?;
    Some(Component { name: "hcloud-csi".into(), version: image_tag(&driver.image).map(Text::new) })
}

fn cni(facts: &Facts) -> Option<Component> {
    let sets = facts.all::<DaemonSet>().unwrap_or_default();
    let agent = sets.iter().flat_map(|d| &d.spec.template.spec.containers).find(|c| c.name == "cilium-agent");
    if let Some(agent) = agent {
        return Some(Component { name: "Cilium".into(), version: image_tag(&agent.image).map(Text::new) });
    }
    let nodes = facts.all::<Node>().ok()?;
    let flannel = nodes.iter().any(|n| n.metadata.annotation("flannel.alpha.coreos.com/public-ip").is_some());
    let by_default = nodes.iter().any(|n| {
        n.is_control_plane() && k3s::has_args(n) && k3s::arg(n, "flannel-backend").is_none_or(|b| b != "none")
    });
    (flannel || by_default).then(|| Component { name: "Flannel".into(), version: None })
}

fn gateway(facts: &Facts) -> Option<Component> {
    let class = facts.all::<Gateway>().ok()?.first()?.spec.gateway_class_name.clone();
    let Some(program) = Program::making(&class) else {
        return Some(Component { name: class, version: None });
    };
    let workloads = facts.all::<Deployment>().unwrap_or_default();
    let found = workloads.iter().find_map(|d| program.container_of(&d.spec.template.spec));
    let name = if program == Program::Traefik { "Traefik" } else { "Cilium Gateway API" };
    Some(Component { name: name.into(), version: found.and_then(|c| image_tag(&c.image)).map(Text::new) })
}
