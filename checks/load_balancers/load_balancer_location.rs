//! When neither the Service nor the cloud controller names a location or network zone, no load balancer is made, because
//! HCCM refuses to create one: `neither load-balancer.hetzner.cloud/location nor …/network-zone set`
//! (hcloud-cloud-controller-manager `internal/hcops/load_balancer.go`, `Create`).

use serde_json::{Map, Value, json};

use crate::domain::hccm::{self, Ccm, Placement, last_event, load_balancer_of};
use crate::domain::owner::{self, Owner, service_annotations_path};
use crate::facts::hetzner::{LoadBalancer, Server};
use crate::facts::kubernetes::{Event, Node, Service};
use crate::facts::{Facts, Kind, Known};
use crate::remedies::in_manifest;
use crate::{Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD301",
    slug: "load-balancer-location",
    title: "every LoadBalancer Service has a location or network zone",
    examines: "LoadBalancer Services",
    severity: Severity::Critical,
    needs: &[
        hccm::NEEDS[0],
        hccm::NEEDS[1],
        hccm::NEEDS[2],
        owner::NEEDS[0],
        owner::NEEDS[1],
        owner::NEEDS[2],
        &Service::NEED,
        &Event::NEED,
        &Node::NEED,
        &Server::NEED,
        &LoadBalancer::NEED,
    ],
    caused_by: &[],
    explain: include_str!("load_balancer_location.md"),
    judge,
};

const LOCATION: &str = "load-balancer.hetzner.cloud/location";
const ZONE: &str = "load-balancer.hetzner.cloud/network-zone";

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(ccm) = Ccm::find(facts)? else { return Ok(()) };
    for service in ccm.services(facts)? {
        v.examined += 1;
        if service.has_ingress() {
            continue; // it exists: its location is never read again
        }
        let placement = ccm.placement(service);
        if placement.as_ref().is_ok_and(|placement| *placement != Placement::Nowhere) {
            continue;
        }
        let refusal = v.see(last_event(facts, service, "SyncLoadBalancerFailed")).flatten();
        let refusal = refusal.filter(|event| event.message.contains("network-zone set"));
        // Where its variables cannot be read, the controller's own words still tell, if it has them from this start.
        if let Err(gap) = placement {
            let started = ccm.pod().map(|pod| pod.status.start_time).unwrap_or_default();
            if refusal.is_none_or(|event| event.last_seen().is_before(started)) {
                v.gaps.push(gap);
                continue;
            }
        }
        match v.see(load_balancer_of(facts, service)) {
            Some(Some(_)) => continue, // found by label or name: it is adopted, wherever it is
            None if refusal.is_none() => continue, // can't tell; the gap is noted
            _ => {}
        }
        let path = service.reference().path();
        let says = format!("Service {path} stays pending: nothing says where its load balancer should be");
        let mut finding = Finding::new(service, says)
            .because("The cloud controller makes no load balancer without a location or network zone.")
            .shows(service, &format!("metadata.annotations['{LOCATION}']"))
            .shows(service, &format!("metadata.annotations['{ZONE}']"))
            .shows(service, "status.loadBalancer.ingress");
        finding = ccm.shown(finding, "HCLOUD_LOAD_BALANCERS_LOCATION");
        finding = ccm.shown(finding, "HCLOUD_LOAD_BALANCERS_NETWORK_ZONE");
        finding = match refusal {
            Some(event) => finding.shows_at(event, "message", event.last_seen()),
            None if ccm.is_ready() => finding,
            None => finding.predicted(), // nobody has refused yet: the controller does not run
        };
        let finding = remedy(finding, facts, service, v);
        v.findings.push(finding);
    }
    Ok(())
}

/// The annotation that puts a load balancer where the cluster's nodes are.
enum Place {
    Is { key: &'static str, value: String, why: String },
    Choose(String),
}

/// Locations that a node's label is believed for without asking: anybody may set it, and a location that does not exist is
/// refused. Of others the servers tell.
const LOCATIONS: &[&str] = &["ash", "fsn1", "hel1", "hil", "nbg1", "sin"];

/// One location if all nodes are in one; else their network zone if they share it. From the nodes' label, which the
/// controller writes, so that it is known without Hetzner; the zone only Hetzner knows.
fn place(facts: &Facts, v: &mut Verdict) -> Place {
    let nodes = facts.all::<Node>().unwrap_or_default();
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

/// Puts the annotation wherever the Service's owner will not undo it.
fn remedy(finding: Finding, facts: &Facts, service: &Service, v: &mut Verdict) -> Finding {
    let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
    let name = &*service.metadata.name;
    let verify = ["get", "service", name, "-n", namespace];
    let finding = finding.verify_kubectl(&verify, "EXTERNAL-IP shows an address within a minute");
    let (key, value, why) = match place(facts, v) {
        Place::Is { key, value, why } => (key, value, why),
        Place::Choose(what) => {
            let names = "hcloud location list, then the annotation load-balancer.hetzner.cloud/location";
            return finding.step(Step::decide(format!("choose {what}: {names}")));
        }
    };
    let annotations = json!({ key: value });
    let set = format!("{key}={value}");
    let annotate = || {
        let args = ["annotate", "--overwrite", "service", name, "-n", namespace, &set];
        Step::kubectl(Changes::Cloud, why.clone(), &args)
    };
    let owner = match v.see(Owner::of(facts, service)) {
        Some(owner) => owner,
        None => {
            return finding
                .step(annotate().hazard("who made this Service could not be read; they may undo it"));
        }
    };
    match owner {
        Owner::Gateway(gateway) => {
            let patch = json!({"spec": {"infrastructure": {"annotations": annotations}}});
            let gateway_name = &*gateway.metadata.name;
            let args =
                ["patch", "gateway", gateway_name, "-n", namespace, "--type", "merge", "-p", &patch.to_string()];
            finding
                .relates(gateway)
                .shows(gateway, &format!("spec.infrastructure.annotations['{key}']"))
                .step(Step::kubectl(Changes::Cloud, format!("{why}; its controller copies it to the Service"), &args))
                .step(manifest(gateway.reference().to_string(), patch))
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
            let Some(path) = service_annotations_path(chart.chart) else {
                let name = &chart.chart.metadata.name;
                let why = format!("give the chart {name} the Service annotation {set} in its values");
                return finding.step(Step::decide(why).for_good());
            };
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
        Owner::GitOps { tool, name: app } => finding
            .step(annotate().hazard(format!("the {tool} {app} may undo it at its next sync")))
            .step(manifest(format!("{} in the repository of the {tool} {app}", service.reference()), metadata(annotations))),
        Owner::Itself => {
            finding.step(annotate()).step(manifest(service.reference().to_string(), metadata(annotations)))
        }
    }
}

fn metadata(annotations: Value) -> Value {
    json!({"metadata": {"annotations": annotations}})
}

fn manifest(of: String, snippet: Value) -> Step {
    in_manifest(&of, snippet)
}
