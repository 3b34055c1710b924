//! Cilium as it is configured, and whether its agents run with that.
//!
//! Source: cilium `install/kubernetes/cilium/templates/cilium-configmap.yaml` (keys), read by agents at their start only.

use std::collections::HashMap;

use crate::Finding;
use crate::facts::kubernetes::{CiliumConfig, DaemonSet, Pod};
use crate::facts::{Facts, Gap, Kind, Known, Need, Time, Why};

use super::hccm::image_tag;

/// What [`Cilium::find`] reads.
pub const NEEDS: [&Need; 3] = [&CiliumConfig::NEED, &DaemonSet::NEED, &Pod::NEED];

pub struct Cilium<'a> {
    pub config: &'a CiliumConfig,
    /// The DaemonSet of the agents, where it is there.
    pub agents: Option<&'a DaemonSet>,
    pods: Vec<&'a Pod>,
}

impl<'a> Cilium<'a> {
    /// `None` when there is no `cilium-config`: Cilium is not installed.
    ///
    /// # Errors
    /// The gap of the ConfigMap, the DaemonSets or the pods.
    pub fn find(facts: &'a Facts) -> Known<Option<Cilium<'a>>> {
        let Some(config) = facts.all::<CiliumConfig>()?.first() else { return Ok(None) };
        let is_agent = |spec: &crate::facts::kubernetes::PodSpec| {
            spec.containers.iter().any(|container| container.name == "cilium-agent")
        };
        let agents = facts.all::<DaemonSet>()?.iter().find(|set| is_agent(&set.spec.template.spec));
        let pods = facts.all::<Pod>()?.iter().filter(|pod| is_agent(&pod.spec) && !pod.is_over()).collect();
        Ok(Some(Cilium { config, agents, pods }))
    }

    /// The pods of the agents.
    pub fn pods(&self) -> &[&'a Pod] {
        &self.pods
    }

    /// The same by the node that each is on; of two the first one.
    pub fn agents_by_node(&self) -> HashMap<&'a str, &'a Pod> {
        self.pods.iter().rev().map(|pod| (&*pod.spec.node_name, *pod)).collect()
    }

    /// Packets between pods keep their addresses and follow the network's routes, in place of a tunnel.
    pub fn is_native(&self) -> bool {
        match self.config.get("routing-mode") {
            Some(mode) => mode == "native",
            None => self.config.get("tunnel") == Some("disabled"), // before 1.14
        }
    }

    /// It takes the place of kube-proxy.
    pub fn replaces_kube_proxy(&self) -> bool {
        matches!(self.config.get("kube-proxy-replacement"), Some("true" | "strict"))
    }

    /// Nodes get their pod range from Kubernetes, not from Cilium.
    pub fn uses_kubernetes_ipam(&self) -> bool {
        self.config.get("ipam") == Some("kubernetes")
    }

    /// Agents that started before the configuration was last written: what they run with is not known.
    pub fn stale_pods(&self) -> impl Iterator<Item = &'a Pod> {
        let written: Time = self.config.written();
        self.pods.iter().copied().filter(move |pod| pod.status.start_time.is_before(written))
    }

    /// Its agents route between the nodes themselves, by next hops in one layer-2 segment.
    pub fn routes_directly(&self) -> bool {
        self.is_native() && self.config.is_true("auto-direct-node-routes")
    }

    /// The release that the agents run, as charts number it: `1.18.2`.
    pub fn version(&self) -> Option<&'a str> {
        let agents = &self.agents?.spec.template.spec.containers;
        let agent = agents.iter().find(|container| container.name == "cilium-agent")?;
        image_tag(&agent.image).map(|tag| tag.trim_start_matches('v'))
    }

    /// Nothing is wrong with the configuration, and so nothing with Cilium: unless agents have not read it yet.
    ///
    /// # Errors
    /// A gap that names such an agent: what it runs with stands nowhere.
    pub fn is_live(&self) -> Known<()> {
        let Some(pod) = self.stale_pods().next() else { return Ok(()) };
        let more = match self.stale_pods().count() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let detail = format!(
            "set, not live: cilium-config was written after agent {}{more} started, and agents read it only then: kubectl -n \
             kube-system rollout restart daemonset/cilium",
            pod.metadata.name
        );
        Err(Gap::new(CiliumConfig::NEED.key, Why::NotRead, detail).of(self.config.reference().path()))
    }

    /// Says of a finding about the configuration that agents have not read it yet, where that is so.
    pub fn honest(&self, mut finding: Finding) -> Finding {
        let Some(pod) = self.stale_pods().next() else { return finding };
        let since =
            "Agents that started before this was written run with what was there then, until they restart.";
        finding.because = Some(match finding.because.take() {
            Some(because) => format!("{because} {since}"),
            None => since.into(),
        });
        finding.predicted().shows(pod, "status.startTime")
    }
}
