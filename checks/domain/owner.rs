//! Who made an object, and where a change to it therefore belongs: a change elsewhere is undone.

use crate::facts::kubernetes::{Gateway, HelmChart, HelmChartConfig, Meta, Service};
use crate::facts::{Facts, Kind, Known, Need, Text};
use crate::remedies::charts::Chart;

/// What [`Owner::of`] reads.
pub const NEEDS: [&Need; 3] = [&Gateway::NEED, &HelmChart::NEED, &HelmChartConfig::NEED];

/// The object that a Service's annotations come from.
pub enum Owner<'a> {
    /// A Gateway's controller makes its Service and copies `spec.infrastructure.annotations` (Cilium 1.15 and later).
    Gateway(&'a Gateway),
    /// Cilium makes a Service for an Ingress in dedicated mode, and copies annotations of listed prefixes only.
    CiliumIngress { name: Text },
    /// A chart that k3s's helm-controller installs.
    HelmChart(Chart<'a>),
    /// A Helm release that somebody installs with Helm itself.
    Release { name: Text, namespace: Text },
    /// A repository that Argo CD or Flux applies.
    GitOps { tool: &'static str, name: Text },
    /// Nobody that one can tell: its own manifest.
    Itself,
}

impl<'a> Owner<'a> {
    /// # Errors
    /// The gap of Gateways or HelmCharts, when the Service says that it belongs to one.
    pub fn of(facts: &'a Facts, service: &Service) -> Known<Owner<'a>> {
        let meta = &service.metadata;
        if let Some(name) = gateway_name(meta) {
            let gateways = facts.all::<Gateway>()?;
            let found =
                gateways.iter().find(|g| g.metadata.name == name && g.metadata.namespace == meta.namespace);
            if let Some(gateway) = found {
                return Ok(Owner::Gateway(gateway));
            }
        }
        if let Some(ingress) = meta.owner_references.iter().find(|o| o.kind == "Ingress")
            && meta.name.starts_with("cilium-ingress-")
        {
            return Ok(Owner::CiliumIngress { name: ingress.name.clone() });
        }
        if let Some(release) = meta.annotation("meta.helm.sh/release-name") {
            if let Some(chart) = Chart::of(facts, meta)? {
                return Ok(Owner::HelmChart(chart));
            }
            let namespace = meta.annotation("meta.helm.sh/release-namespace").unwrap_or_default();
            return Ok(Owner::Release { name: release.into(), namespace: namespace.into() });
        }
        let argo =
            meta.label("argocd.argoproj.io/instance").or(meta.annotation("argocd.argoproj.io/tracking-id"));
        if let Some(name) = argo {
            let name = name.split(':').next().unwrap_or(name);
            return Ok(Owner::GitOps { tool: "Argo CD application", name: name.into() });
        }
        if let Some(name) = meta.label("kustomize.toolkit.fluxcd.io/name") {
            return Ok(Owner::GitOps { tool: "Flux kustomization", name: name.into() });
        }
        Ok(Owner::Itself)
    }
}

/// The Gateway that Cilium made a Service for: by owner reference, or by label where the Service was adopted.
pub fn gateway_name(meta: &Meta) -> Option<&str> {
    let owner = meta.owner_references.iter().find(|o| o.kind == "Gateway").map(|o| &*o.name);
    owner.or_else(|| meta.label("io.cilium.gateway/owning-gateway"))
}

/// Where a known chart takes the annotations of its Service, as a path of values keys.
/// Sources: traefik-helm-chart tags v25 to v41, ingress-nginx 4.15, cilium 1.15 to 1.20 (shared mode).
pub fn service_annotations_path(chart: &HelmChart) -> Option<&'static [&'static str]> {
    let file = chart.spec.chart.rsplit('/').next().unwrap_or_default();
    let name = file.split(['-', ':']).next().unwrap_or_default();
    match (name, &*chart.metadata.name) {
        ("traefik", _) | (_, "traefik") => Some(&["service", "annotations"]),
        ("cilium", _) => Some(&["ingressController", "service", "annotations"]),
        _ if file.starts_with("ingress-nginx") => Some(&["controller", "service", "annotations"]),
        _ => None,
    }
}
