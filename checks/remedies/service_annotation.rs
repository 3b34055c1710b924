//! Setting annotations of a load balancer where whoever made its Service will not undo it, and where the load balancer should
//! be.
//!
//! Sources: Cilium copies a Gateway's `spec.infrastructure.annotations` to its Service (cilium/cilium#29122) and an Ingress's
//! annotations by prefix; HCCM reads annotations of the Service only (`internal/annotation`).

use serde_json::{Map, Value, json};

use super::in_manifest;
use crate::domain::owner::{self, Owner, service_annotations_path};
use crate::facts::hetzner::Server;
use crate::facts::kubernetes::{Node, Service};
use crate::facts::{Facts, Kind, Need};
use crate::{Changes, Finding, Step, Verdict};

/// What [`place_it`] reads.
pub const NEEDS: [&Need; 5] = [owner::NEEDS[0], owner::NEEDS[1], owner::NEEDS[2], &Node::NEED, &Server::NEED];

pub const LOCATION: &str = "load-balancer.hetzner.cloud/location";
pub const ZONE: &str = "load-balancer.hetzner.cloud/network-zone";

/// What is to become of a Service's annotations.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What it does, the middle of a sentence.
    pub why: String,
    /// Whole keys and their values.
    pub set: Vec<(String, String)>,
    pub remove: Vec<String>,
    /// What can go wrong by it.
    pub hazard: Option<String>,
}

impl Change {
    pub fn set(key: &str, value: &str, why: impl Into<String>) -> Change {
        Change { why: why.into(), set: vec![(key.into(), value.into())], ..Change::default() }
    }

    /// `key=value` and `key-`, as kubectl takes them.
    fn words(&self) -> Vec<String> {
        let set = self.set.iter().map(|(key, value)| format!("{key}={value}"));
        set.chain(self.remove.iter().map(|key| format!("{key}-"))).collect()
    }

    fn annotations(&self) -> Value {
        self.set.iter().map(|(key, value)| (key.clone(), json!(value))).collect::<Map<_, _>>().into()
    }

    /// The same as a merge patch, in which nothing takes away.
    fn patch(&self) -> Value {
        let mut annotations = self.annotations();
        for key in &self.remove {
            annotations[key] = Value::Null;
        }
        annotations
    }

    fn hazardous(&self, step: Step) -> Step {
        match (&self.hazard, &step.hazard) {
            (Some(hazard), Some(other)) => {
                let both = format!("{hazard}; {other}");
                step.hazard(both)
            }
            (Some(hazard), None) => step.hazard(hazard),
            (None, _) => step,
        }
    }

    /// What is to be taken out of a place that a snippet cannot show.
    fn take_out(&self, of: &str) -> Option<Step> {
        let keys = self.remove.join(", ");
        (!keys.is_empty()).then(|| Step::decide(format!("take {keys} out of {of}")).for_good())
    }
}

/// The annotation that puts a load balancer where the cluster's nodes are.
pub enum Place {
    Is { key: &'static str, value: String, why: String },
    Choose(String),
}

/// Locations that a node's label is believed for without asking: anybody may set it, and a location that does not exist is
/// refused. Of others the servers tell.
const LOCATIONS: &[&str] = &["ash", "fsn1", "hel1", "hil", "nbg1", "sin"];

/// One location if all nodes are in one; else their network zone if they share it. From the nodes' label, which the
/// controller writes, so that it is known without Hetzner; the zone only Hetzner knows.
pub fn place(facts: &Facts, v: &mut Verdict) -> Place {
    let nodes = v.see(facts.all::<Node>()).unwrap_or_default();
    let mut regions: Vec<&str> =
        nodes.iter().filter_map(|n| n.metadata.label("topology.kubernetes.io/region")).collect();
    regions.sort();
    regions.dedup();
    if let [region] = regions[..]
        && LOCATIONS.contains(&region)
    {
        let why = format!("puts its load balancer in {region}, where the nodes are");
        return Place::Is { key: LOCATION, value: region.into(), why };
    }
    let Some(servers) = v.see(facts.all::<Server>()) else {
        return Place::Choose(format!(
            "in which location its load balancer should be ({})",
            regions.join(", ")
        ));
    };
    let ids: Vec<i64> = nodes.iter().filter_map(Node::server_id).collect();
    let ours = servers.iter().filter(|s| ids.contains(&s.id) || nodes.iter().any(|n| s.name == n.name()));
    let mut zones: Vec<(&str, &str)> = ours.map(|s| (&*s.location.network_zone, &*s.location.name)).collect();
    zones.sort();
    zones.dedup();
    match &zones[..] {
        [(_, only)] if !only.is_empty() => {
            let why = format!("puts its load balancer in {only}, where the nodes are");
            Place::Is { key: LOCATION, value: only.to_string(), why }
        }
        [(zone, first), rest @ ..] if !zone.is_empty() && rest.iter().all(|(other, _)| other == zone) => {
            let all = std::iter::once(first).chain(rest.iter().map(|(_, name)| name));
            let all: Vec<&str> = all.copied().collect();
            let why =
                format!("lets Hetzner choose within {zone}, the zone of the nodes ({})", all.join(", "));
            Place::Is { key: ZONE, value: zone.to_string(), why }
        }
        several => {
            let places: Vec<String> =
                several.iter().map(|(zone, name)| format!("{name} in {zone}")).collect();
            Place::Choose(format!(
                "where its load balancer should be: the nodes are in several network zones ({}), and a load balancer \
                 reaches only servers of its own",
                places.join(", ")
            ))
        }
    }
}

/// Puts the Service's load balancer where the nodes are.
pub fn place_it(finding: Finding, facts: &Facts, service: &Service, v: &mut Verdict) -> Finding {
    let finding = see_address(finding, service);
    match place(facts, v) {
        Place::Is { key, value, why } => apply(finding, facts, service, &Change::set(key, &value, why), v),
        Place::Choose(what) => finding.step(choose(&what)),
    }
}

/// How to see that the Service got its address.
pub fn see_address(finding: Finding, service: &Service) -> Finding {
    let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
    let verify = ["get", "service", &service.metadata.name, "-n", namespace];
    finding.verify_kubectl(&verify, "EXTERNAL-IP shows an address within a minute")
}

pub fn choose(what: &str) -> Step {
    let names = "hcloud location list, then the annotation load-balancer.hetzner.cloud/location";
    Step::decide(format!("choose {what}: {names}"))
}

/// Changes the annotations wherever the Service's owner will not undo it.
pub fn apply(
    finding: Finding,
    facts: &Facts,
    service: &Service,
    change: &Change,
    v: &mut Verdict,
) -> Finding {
    let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
    let name = &*service.metadata.name;
    let why = &change.why;
    let annotations = change.annotations();
    let words = change.words();
    let set = words.join(" ");
    let plainly = || {
        let mut args = vec!["annotate", "--overwrite", "service", name, "-n", namespace];
        args.extend(words.iter().map(String::as_str));
        Step::kubectl(Changes::Cloud, why.clone(), &args)
    };
    let annotate = || change.hazardous(plainly());
    let owner = match v.see(Owner::of(facts, service)) {
        Some(owner) => owner,
        None => {
            let step = plainly().hazard("who made this Service could not be read; they may undo it");
            return finding.step(change.hazardous(step));
        }
    };
    // a manifest shows what must stand in it; what must not is only said
    let by_hand = |finding: Finding, of: String, snippet: Value| {
        let finding = if change.set.is_empty() { finding } else { finding.step(in_manifest(&of, snippet)) };
        finding.steps(change.take_out(&format!("the manifest of {of}")))
    };
    match owner {
        Owner::Gateway(gateway) => {
            let infrastructure = |annotations: Value| json!({"spec": {"infrastructure": {"annotations": annotations}}});
            let gateway_name = &*gateway.metadata.name;
            let patch = infrastructure(change.patch()).to_string();
            let args = ["patch", "gateway", gateway_name, "-n", namespace, "--type", "merge", "-p", &patch];
            let copied = format!("{why}; its controller copies it to the Service");
            let mut finding = finding.relates(gateway);
            for (key, _) in &change.set {
                finding = finding.shows(gateway, &format!("spec.infrastructure.annotations['{key}']"));
            }
            let step = change.hazardous(Step::kubectl(Changes::Cloud, copied, &args));
            finding = finding.step(step);
            if !change.remove.is_empty() {
                let gone: Vec<String> = change.remove.iter().map(|key| format!("{key}-")).collect();
                let mut args = vec!["annotate", "service", name, "-n", namespace];
                args.extend(gone.iter().map(String::as_str));
                let why = "the Gateway's controller adds annotations to its Service and takes none away";
                finding = finding.step(Step::kubectl(Changes::Cluster, why, &args));
            }
            by_hand(finding, gateway.reference().to_string(), infrastructure(annotations))
        }
        Owner::CiliumIngress { name: ingress } => finding.step(annotate()).step(
            Step::write(
                Changes::Cluster,
                format!(
                    "Cilium copies annotations from Ingress {ingress} only for the prefixes it is told; then annotate \
                     the Ingress"
                ),
                "values of the cilium chart",
                json!({"ingressController": {"ingressLBAnnotationPrefixes": [
                    "lbipam.cilium.io", "nodeipam.cilium.io", "service.beta.kubernetes.io", "service.kubernetes.io",
                    "cloud.google.com", "load-balancer.hetzner.cloud"]}}),
            )
            .for_good(),
        ),
        Owner::HelmChart(chart) => {
            let finding = finding.relates(chart.chart).step(annotate());
            let name = &chart.chart.metadata.name;
            let Some(path) = service_annotations_path(chart.chart) else {
                let why = format!("give the chart {name} the Service annotation {set} in its values");
                return finding.step(Step::decide(why).for_good());
            };
            let finding = finding.steps(change.take_out(&format!("the values of the chart {name}")));
            if change.set.is_empty() {
                return finding;
            }
            let values = path.iter().rev().fold(annotations, |inner, key| {
                let mut outer = Map::new();
                outer.insert(key.to_string(), inner);
                Value::Object(outer)
            });
            finding.steps(chart.set_for_good(None, values))
        }
        Owner::Release { name: release, namespace: of } => finding.step(annotate()).step(
            Step::decide(format!(
                "put the annotation {set} into the values of the Helm release {release} in {of}: what kubectl set stays \
                 only as long as the Service is not made anew"
            ))
            .for_good(),
        ),
        Owner::GitOps { tool, name: app } => {
            let undone = plainly().hazard(format!("the {tool} {app} may undo it at its next sync"));
            let of = format!("{} in the repository of the {tool} {app}", service.reference());
            by_hand(finding.step(change.hazardous(undone)), of, metadata(annotations))
        }
        Owner::Itself => {
            by_hand(finding.step(annotate()), service.reference().to_string(), metadata(annotations))
        }
    }
}

fn metadata(annotations: Value) -> Value {
    json!({"metadata": {"annotations": annotations}})
}
