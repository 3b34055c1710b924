//! When neither the Service nor the cloud controller names a location or network zone, no load balancer is made, because
//! HCCM refuses to create one: `neither load-balancer.hetzner.cloud/location nor …/network-zone set`
//! (hcloud-cloud-controller-manager `internal/hcops/load_balancer.go`, `Create`).

use crate::domain::hccm::{self, Ccm, Placement, last_event, load_balancer_of};
use crate::facts::hetzner::LoadBalancer;
use crate::facts::kubernetes::{Event, Service};
use crate::facts::{Facts, Kind, Known};
use crate::load_balancers::load_balancer_annotations;
use crate::remedies::service_annotation::{self, LOCATION, ZONE, place_it};
use crate::{Cause, Check, Finding, Severity, Verdict};

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
        service_annotation::NEEDS[0],
        service_annotation::NEEDS[1],
        service_annotation::NEEDS[2],
        service_annotation::NEEDS[3],
        service_annotation::NEEDS[4],
        &Service::NEED,
        &Event::NEED,
        &LoadBalancer::NEED,
    ],
    caused_by: &[Cause::here(&load_balancer_annotations::CHECK)
        .when(|cause, _| load_balancer_annotations::means(cause, &["location", "network-zone"]))],
    explain: include_str!("load_balancer_location.md"),
    judge,
};

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
        let finding = place_it(finding, facts, service, v);
        v.findings.push(finding);
    }
    Ok(())
}
