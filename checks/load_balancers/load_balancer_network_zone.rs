//! When a load balancer and the cluster's servers are in different network zones, it gets no targets, because Hetzner
//! refuses servers of another zone, with public addresses too: `servers and load balancers needs to be in the same network
//! zone` (`unsupported_error`); and where the network has no subnet in its zone, it cannot be attached
//! (`no_subnet_available`). HCCM reads location and zone only when it makes a load balancer, and drops the zone where a
//! location remains (`internal/hcops/load_balancer.go`, `Create`).

use crate::domain::ccm_network::{self, CcmNetwork};
use crate::domain::hccm::{self, Ccm, Placement, Said, load_balancer_of};
use crate::domain::sync_error;
use crate::facts::hetzner::{LoadBalancer, Location, Network, Server};
use crate::facts::kubernetes::{Event, Node, Service};
use crate::facts::{Facts, Kind, Known};
use crate::remedies::service_annotation;
use crate::{Check, Finding, Severity, Verdict};

pub const CHECK: Check = Check {
    code: "KD303",
    slug: "load-balancer-network-zone",
    title: "load balancers share a network zone with their servers",
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
        &Location::NEED,
        &LoadBalancer::NEED,
        &Network::NEED,
    ],
    caused_by: &[],
    explain: include_str!("load_balancer_network_zone.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(ccm) = Ccm::find(facts)? else { return Ok(()) };
    for service in ccm.services(facts)? {
        v.examined += 1;
        let event = v.see(sync_error::last(facts, service)).flatten();
        let event = event.filter(|e| sync_error::refuses_zone(&e.message));
        let gaps = v.gaps.len();
        let scene = Scene::of(facts, &ccm, service, event, v);
        if let Some(scene) = scene {
            let finding = scene.tell(facts, v);
            v.findings.extend(finding);
        } else if v.gaps.len() > gaps
            && let Some(event) = event
            && !(service.has_ingress() && sync_error::is_stale(facts, event))
        {
            // Hetzner was not read: the controller's own words tell
            v.findings.push(by_its_words(service, event));
        }
    }
    Ok(())
}

/// Where a Service's load balancer is or would be, and who should be behind it.
pub(super) struct Scene<'a> {
    pub service: &'a Service,
    pub ccm: Ccm<'a>,
    pub event: Option<&'a Event>,
    /// The load balancer; `None` where it has yet to be made.
    pub lb: Option<&'a LoadBalancer>,
    /// Its network zone, or the one it would be made in.
    pub zone: &'a str,
    /// What would place a new one; `None` where that cannot be read, or nothing does.
    pub placed: Option<(Placement, Said)>,
    /// The nodes behind it and their servers: of its own zone, and of others.
    pub inside: Vec<(&'a Node, &'a Server)>,
    pub outside: Vec<(&'a Node, &'a Server)>,
}

impl<'a> Scene<'a> {
    /// `None` when the zone is not known, or there is none.
    fn of(
        facts: &'a Facts,
        ccm: &Ccm<'a>,
        service: &'a Service,
        event: Option<&'a Event>,
        v: &mut Verdict,
    ) -> Option<Scene<'a>> {
        let lb = v.see(load_balancer_of(facts, service))?;
        let placed = match lb {
            // what nobody reads any more is not missed
            Some(_) => ccm.placed(service).ok(),
            None => Some(v.see(ccm.placed(service))?),
        };
        let zone = match (lb, &placed) {
            (Some(lb), _) => &*lb.location.network_zone,
            (None, Some((placement, _))) => zone_of(facts, placement, v)?,
            (None, None) => return None,
        };
        let behind = v.see(facts.machines())?.filter(|(node, _)| may_be_target(node));
        let known = behind.filter(|(_, server)| !server.location.network_zone.is_empty());
        let (inside, outside): (Vec<_>, Vec<_>) = known.partition(|(_, s)| s.location.network_zone == *zone);
        if zone.is_empty() {
            return None;
        }
        // which of several servers a selector takes is not known here
        let selects = service.annotation("node-selector").is_some_and(|selector| !selector.trim().is_empty());
        let outside = if selects && !inside.is_empty() { Vec::new() } else { outside };
        Some(Scene { service, ccm: *ccm, event, lb, zone, placed, inside, outside })
    }

    fn tell(&self, facts: &'a Facts, v: &mut Verdict) -> Option<Finding> {
        if !self.outside.is_empty() {
            return Some(self.apart(facts, v));
        }
        if self.inside.is_empty() {
            return None; // nobody is there to be behind it
        }
        let attached = self.lb.is_some_and(|lb| !lb.private_net.is_empty());
        if !attached
            && let Some(CcmNetwork::Is(network)) = v.see(ccm_network::of(facts, &self.ccm))
            && !has_subnet(network, self.zone)
        {
            return Some(self.without_subnet(network));
        }
        self.dropped().map(|zone| self.merely_dropped(zone, facts, v)).or_else(|| self.edited(facts, v))
    }

    /// The annotation's network zone, where the controller's own location wins over it and leads elsewhere.
    pub fn dropped(&self) -> Option<&'a str> {
        let zone =
            self.service.annotation("network-zone").filter(|zone| !zone.is_empty() && *zone != self.zone)?;
        if self.service.annotation("location").is_some() {
            return None;
        }
        let own = self.ccm.value(hccm::LOCATION).ok().filter(|own| !own.is_empty())?;
        self.lb.is_none_or(|lb| lb.location.name == *own).then_some(zone)
    }
}

/// The zone that a new load balancer would be in; `None` for a place that does not exist (KD302 tells) or none (KD301).
fn zone_of<'a>(facts: &'a Facts, placement: &Placement, v: &mut Verdict) -> Option<&'a str> {
    let is = |l: &&Location| match placement {
        Placement::Location(name) => l.name == *name,
        Placement::NetworkZone(zone) => l.network_zone == *zone,
        Placement::Nowhere => false,
    };
    if *placement == Placement::Nowhere {
        return None;
    }
    v.see(facts.all::<Location>())?.iter().find(is).map(|l| &*l.network_zone)
}

/// Whether the controller would make it a target (kubernetes/cloud-provider `controllers/service/controller.go`): the label's
/// value is read as a Boolean, and counts where it is none.
fn may_be_target(node: &Node) -> bool {
    let excluded = node.metadata.label("node.kubernetes.io/exclude-from-external-load-balancers");
    let excluded = excluded.is_some_and(|value| !["0", "f", "F", "false", "False", "FALSE"].contains(&value));
    let going = node.spec.taints.iter().any(|taint| taint.key == "ToBeDeletedByClusterAutoscaler");
    !excluded && !going && node.metadata.deletion_timestamp.is_none()
}

/// Load balancers attach to subnets of the cloud, not to those of dedicated servers.
fn has_subnet(network: &Network, zone: &str) -> bool {
    network.subnets.iter().any(|subnet| subnet.network_zone == *zone && subnet.r#type != "vswitch")
}

fn by_its_words(service: &Service, event: &Event) -> Finding {
    let path = service.reference().path();
    let says = format!("Service {path}: its load balancer is in another network zone than its servers");
    let finding = Finding::new(service, says)
        .because("The controller says so; where the load balancer and the servers are could not be read.")
        .shows_at(event, "message", event.last_seen());
    let finding = finding.step(service_annotation::choose(
        "where its load balancer should be: in the network zone of the servers",
    ));
    service_annotation::see_address(finding, service)
}
