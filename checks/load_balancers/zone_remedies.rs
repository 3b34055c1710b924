//! What KD303 says about each way in which a load balancer and its servers miss each other, and what to do about it.

use std::collections::BTreeSet;

use super::load_balancer_network_zone::Scene;
use crate::domain::hccm::{self, Placement, Said};
use crate::facts::hetzner::{LoadBalancer, Network};
use crate::facts::kubernetes::is_placeholder;
use crate::facts::{Facts, Kind};
use crate::remedies::service_annotation::{Change, LOCATION, Place, ZONE, apply, choose, place, see_address};
use crate::{Changes, Finding, Severity, Step, Verdict};

const DROPPED: &str = "zone-dropped";

impl<'a> Scene<'a> {
    /// Servers are in another zone than their load balancer.
    pub(super) fn apart(&self, facts: &Facts, v: &mut Verdict) -> Finding {
        let path = self.service.reference().path();
        let zones: BTreeSet<&str> = self.outside.iter().map(|(_, s)| &*s.location.network_zone).collect();
        let zones: Vec<&str> = zones.into_iter().collect();
        let theirs = zones.join(" and ");
        let whose = match (self.inside.is_empty(), &self.outside[..]) {
            (true, _) => "its servers are".to_string(),
            (false, [(_, one)]) => format!("server {} is", one.name),
            (false, some) => format!("{} of its servers are", some.len()),
        };
        let is = if self.lb.is_some() { "is" } else { "would be" };
        let says = format!("Service {path}: its load balancer {is} in {}, {whose} in {theirs}", self.zone);
        let mut finding = Finding::new(self.service, says);
        if !self.inside.is_empty() {
            finding = finding.severity(Severity::Error);
        }
        let mut because =
            "Hetzner refuses targets of another network zone, and the controller stops at the first."
                .to_string();
        if let Some(zone) = self.dropped() {
            finding = finding.discriminator(DROPPED);
            because = format!("{} {because}", self.drops(zone));
        }
        finding = self.shown(finding.because(because));
        for (_, server) in &self.outside {
            finding = finding.shows(*server, "location.network_zone");
        }
        if let Some(event) = self.event {
            finding = finding.shows_at(event, "message", event.last_seen());
        } else if self.lb.is_none() {
            finding = finding.predicted();
        }
        if !self.inside.is_empty() {
            return self.leave_out(finding);
        }
        self.move_to(finding, facts, v)
    }

    /// The network has no subnet where the load balancer is.
    pub(super) fn without_subnet(&self, network: &Network) -> Finding {
        let path = self.service.reference().path();
        let says = format!(
            "Service {path}: network {} has no subnet in {}, its load balancer's zone",
            network.name, self.zone
        );
        let finding = Finding::new(self.service, says)
            .discriminator("no-subnet")
            .because("The controller attaches every load balancer to its network, and Hetzner needs a subnet in the same zone for it.");
        let mut finding = self.shown(finding).shows(network, "subnets");
        if self.lb.is_none() {
            finding = finding.predicted();
        }
        let name = &*network.name;
        let what = format!(
            "give the network a subnet in {}, in a range that is free: hcloud network add-subnet --type cloud \
             --network-zone {} --ip-range RANGE {name}",
            self.zone, self.zone
        );
        let finding = finding.step(Step::decide(what));
        let expect = format!("a subnet in {}", self.zone);
        finding.verify_hcloud(&["network", "describe", name], expect)
    }

    /// The zone of the annotation does not count, and nothing is the worse for it.
    pub(super) fn merely_dropped(&self, zone: &str, facts: &Facts, v: &mut Verdict) -> Finding {
        let path = self.service.reference().path();
        let says = format!("Service {path}: network zone {zone} of its annotation is dropped");
        let finding = Finding::new(self.service, says)
            .discriminator(DROPPED)
            .severity(Severity::Info)
            .because(self.drops(zone));
        let finding = see_address(self.shown(finding), self.service);
        let why = format!(
            "takes the annotation away: the load balancer is where the servers are, in {}",
            self.zone
        );
        let change = Change { why, remove: vec![ZONE.into()], ..Change::default() };
        apply(finding, facts, self.service, &change, v)
    }

    /// The annotation says something else than where the load balancer is.
    pub(super) fn edited(&self, facts: &Facts, v: &mut Verdict) -> Option<Finding> {
        let lb = self.lb?;
        let differs = |key: &'static str, noun, is: &str| {
            let says = self.service.annotation(key)?;
            // a placeholder is another finding's
            (!says.is_empty() && !is_placeholder(says)).then_some(())?;
            Some((says, noun, says != is))
        };
        let location = differs("location", "location", &lb.location.name);
        let (says, noun, differs) =
            location.or_else(|| differs("network-zone", "network zone", self.zone))?;
        if !differs {
            return None;
        }
        let path = self.service.reference().path();
        let is = if noun == "location" { &*lb.location.name } else { self.zone };
        let headline = format!("Service {path}: {noun} {says} is not where its load balancer is, {is}");
        let finding = Finding::new(self.service, headline)
            .discriminator("edited")
            .severity(Severity::Info)
            .because("The controller reads the annotation only when it makes a load balancer; one that exists stays where it is.");
        let finding = see_address(self.shown(finding), self.service);
        let key = if noun == "location" { LOCATION } else { ZONE };
        let change = Change::set(key, is, "makes the annotation say where the load balancer is");
        let finding = apply(finding, facts, self.service, &change, v);
        // The controller looks at a Service that is in order only when it changes, or at its own start.
        let what = format!(
            "or, if it is to move: leave the annotation as it is, `hcloud load-balancer delete {}`, and restart the cloud \
             controller, which then makes it anew",
            lb.name
        );
        Some(finding.step(Step::decide(what).hazard(LOST)))
    }

    fn drops(&self, zone: &str) -> String {
        let own = self.ccm.value(hccm::LOCATION).unwrap_or_default();
        format!(
            "The annotation asks for {zone}, but the controller's location {own} wins, and a zone beside a location is dropped."
        )
    }

    /// What says where the load balancer is or would be.
    fn shown(&self, finding: Finding) -> Finding {
        let mut finding = finding;
        if let Some(lb) = self.lb {
            finding = finding.shows(lb, "location.name").shows(lb, "location.network_zone");
        }
        for key in [LOCATION, ZONE] {
            if self.lb.is_none() || self.service.metadata.annotation(key).is_some() {
                finding = finding.shows(self.service, &format!("metadata.annotations['{key}']"));
            }
        }
        let by_variable = matches!(self.placed, Some((_, Said::Variable)));
        if by_variable || self.dropped().is_some() {
            finding = self.ccm.shown(finding, hccm::LOCATION);
        }
        if by_variable {
            finding = self.ccm.shown(finding, hccm::NETWORK_ZONE);
        }
        finding
    }

    /// Annotates the Service, and makes the load balancer anew where it is there already.
    fn move_to(&self, finding: Finding, facts: &Facts, v: &mut Verdict) -> Finding {
        let finding = see_address(finding, self.service);
        let zone = &*self.outside[0].1.location.network_zone;
        let right = self.lb.is_some()
            && self.outside.iter().all(|(_, s)| s.location.network_zone == *zone)
            && self.placed.as_ref().is_some_and(|(placement, _)| self.leads_to(placement, zone));
        let finding = if right {
            finding // it would be made in the right place by now
        } else {
            match place(facts, v) {
                Place::Is { key, value, why } => {
                    let mut change = Change::set(key, &value, why);
                    if key == ZONE {
                        change.set.push((LOCATION.into(), String::new())); // a location would win over the zone
                    } else if self.service.annotation("network-zone").is_some() {
                        change.remove.push(ZONE.into());
                    }
                    apply(finding, facts, self.service, &change, v)
                }
                Place::Choose(what) => finding.step(choose(&what)),
            }
        };
        match self.lb {
            Some(lb) => finding.step(anew(lb, "the controller makes it anew where it is told to by then")),
            None => finding,
        }
    }

    fn leads_to(&self, placement: &Placement, zone: &str) -> bool {
        match placement {
            Placement::Location(name) => self.outside.iter().any(|(_, s)| s.location.name == *name),
            Placement::NetworkZone(to) => *to == *zone,
            Placement::Nowhere => false,
        }
    }

    /// Some servers are in reach: the others stay out, or get a load balancer of their own.
    fn leave_out(&self, finding: Finding) -> Finding {
        let label = "node.kubernetes.io/exclude-from-external-load-balancers=true";
        let mut finding = finding;
        for (node, _) in &self.outside {
            let why =
                format!("keeps {} out of all load balancers, so that the others become targets", node.name());
            let args = ["label", "node", node.name(), label];
            let step = Step::kubectl(Changes::Cluster, why, &args);
            finding = finding.step(step.hazard("a load balancer of its own zone loses it as a target, too"));
        }
        let more = "or choose the nodes of this Service alone, with the annotation load-balancer.hetzner.cloud/node-selector";
        see_address(finding.step(Step::decide(more)), self.service)
    }
}

const LOST: &str =
    "its addresses are lost for good, and DNS has to follow; until then nobody reaches the Service";

/// For a Service that the controller fails at, and so tries again and again.
fn anew(lb: &LoadBalancer, why: &str) -> Step {
    let why = format!("{why}, deletes the load balancer; its Service gets another within five minutes");
    let args = ["load-balancer", "delete", &*lb.name];
    Step::hcloud(Changes::Cloud, why, &args).hazard(LOST)
}
