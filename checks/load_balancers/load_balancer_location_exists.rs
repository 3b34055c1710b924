//! When the location or network zone of a new load balancer is none of Hetzner's (a template's placeholder, a typo, a data
//! centre), no load balancer is made, because Hetzner refuses: `hcops/LoadBalancerOps.Create: … (invalid_input)`. HCCM checks
//! neither at its start, and reads both only when it makes one (`internal/hcops/load_balancer.go`, `Create`).

use std::collections::BTreeMap;

use crate::domain::hccm::{self, Ccm, Placement, Said, load_balancer_of};
use crate::domain::{spelling, sync_error};
use crate::facts::hetzner::{LoadBalancer, Location};
use crate::facts::kubernetes::{Event, Service, is_placeholder};
use crate::facts::{Facts, Kind, Known};
use crate::k3s::placeholders_substituted;
use crate::remedies::controller;
use crate::remedies::service_annotation::{self, Change, LOCATION, Place, ZONE, apply, choose, place};
use crate::{Cause, Check, Finding, Severity, Verdict};

pub const CHECK: Check = Check {
    code: "KD302",
    slug: "load-balancer-location-exists",
    title: "load balancer locations exist",
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
    ],
    caused_by: &[Cause::here(&placeholders_substituted::CHECK)],
    explain: include_str!("load_balancer_location_exists.md"),
    judge,
};

/// A place that does not exist, and the Services that want to go there.
struct Nowhere<'a> {
    key: &'static str,
    value: String,
    services: Vec<(&'a Service, Option<&'a Event>)>,
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(ccm) = Ccm::find(facts)? else { return Ok(()) };
    // Of the controller's variable there is one, whatever the number of Services that it keeps waiting.
    let mut by_variable: BTreeMap<&str, Nowhere> = BTreeMap::new();
    for service in ccm.services(facts)? {
        v.examined += 1;
        if service.has_ingress() {
            continue; // it exists: its location is never read again
        }
        let Some((placement, said)) = v.see(ccm.placed(service)) else { continue };
        let (key, value) = match placement {
            Placement::Location(value) => (LOCATION, value),
            Placement::NetworkZone(value) => (ZONE, value),
            Placement::Nowhere => continue,
        };
        let event = v.see(sync_error::last(facts, service)).flatten();
        let event = event.filter(|e| sync_error::refuses_place(&e.message));
        let exists = match facts.all::<Location>() {
            Ok(all) if key == LOCATION => all.iter().any(|l| l.name == value),
            Ok(all) => all.iter().any(|l| l.network_zone == value),
            // a placeholder is none without asking; and the controller's own words tell, if they are of this start
            Err(gap) => {
                v.gaps.push(gap);
                let started = ccm.pod().map(|pod| pod.status.start_time).unwrap_or_default();
                if event.is_none_or(|e| e.last_seen().is_before(started)) && !is_placeholder(&value) {
                    continue;
                }
                false
            }
        };
        if exists {
            continue;
        }
        match v.see(load_balancer_of(facts, service)) {
            Some(Some(_)) => continue, // found by label or name: it is kept, wherever it is
            None if event.is_none() => continue, // can't tell; the gap is noted
            _ => {}
        }
        match said {
            Said::Annotation => {
                let nowhere = Nowhere { key, value: value.to_string(), services: vec![(service, event)] };
                let finding = on_service(facts, &ccm, &nowhere, v);
                v.findings.push(finding);
            }
            Said::Variable => {
                let value = value.to_string();
                let nowhere = by_variable.entry(key).or_insert(Nowhere { key, value, services: vec![] });
                nowhere.services.push((service, event));
            }
        }
    }
    for nowhere in by_variable.into_values() {
        let finding = on_controller(facts, &ccm, &nowhere, v);
        v.findings.push(finding);
    }
    Ok(())
}

impl Nowhere<'_> {
    fn noun(&self) -> &'static str {
        if self.key == LOCATION { "location" } else { "network zone" }
    }

    /// The middle of a headline.
    fn fault(&self) -> String {
        let noun = self.noun();
        let value = shortened(&self.value);
        if is_placeholder(&self.value) {
            format!("{noun} {value} is a placeholder nobody replaced")
        } else {
            format!("there is no {noun} {value}")
        }
    }

    /// What is there, and what was perhaps meant.
    fn because(&self, facts: &Facts) -> String {
        let refused = "Hetzner refuses a load balancer there, and the controller does not check before.";
        let all = facts.all::<Location>().unwrap_or_default();
        let other = match self.key {
            LOCATION => all.iter().any(|l| l.network_zone == *self.value),
            _ => all.iter().any(|l| l.name == *self.value),
        };
        if other {
            let is = if self.key == LOCATION { "network zone" } else { "location" };
            return format!("{refused} {} is a {is} and no {}.", self.value, self.noun());
        }
        let mut names: Vec<&str> = all.iter().map(|l| name_of(l, self.key)).collect();
        names.sort();
        names.dedup();
        match self.meant(facts) {
            Some((_, meant)) => format!("{refused} The nearest name is {meant}."),
            None if names.is_empty() => refused.into(),
            None => format!("{refused} There are {}.", names.join(", ")),
        }
    }

    /// The annotation that was probably meant: a name that is near, a data centre's location, or the other of the two keys.
    fn meant(&self, facts: &Facts) -> Option<(&'static str, String)> {
        let all = facts.all::<Location>().ok()?;
        let value = self.value.trim().to_lowercase();
        if is_placeholder(&self.value) {
            return None;
        }
        let other = if self.key == LOCATION { ZONE } else { LOCATION };
        if all.iter().any(|l| name_of(l, other) == value) {
            return Some((other, value));
        }
        // `nbg1-dc3` is a data centre of nbg1
        let centre = value.split("-dc").next().unwrap_or_default();
        let names = || all.iter().map(|l| name_of(l, self.key));
        let found = names().find(|name| *name == centre).or_else(|| spelling::nearest(&value, names()))?;
        Some((self.key, found.to_string()))
    }

    /// What to set in its place; the place's own words where the reader must choose.
    fn instead(&self, facts: &Facts, v: &mut Verdict) -> Place {
        match self.meant(facts) {
            Some((key, value)) => {
                let why = format!("puts the load balancer in {value}, which was probably meant");
                Place::Is { key, value, why }
            }
            None => place(facts, v),
        }
    }
}

fn name_of<'a>(location: &'a Location, key: &str) -> &'a str {
    if key == LOCATION { &location.name } else { &location.network_zone }
}

fn shortened(value: &str) -> String {
    if value.chars().count() <= 24 {
        value.into()
    } else {
        format!("{}…", value.chars().take(23).collect::<String>())
    }
}

fn on_service(facts: &Facts, ccm: &Ccm, nowhere: &Nowhere, v: &mut Verdict) -> Finding {
    let (service, event) = nowhere.services[0];
    let path = service.reference().path();
    let finding = Finding::new(service, format!("Service {path} stays pending: {}", nowhere.fault()))
        .because(nowhere.because(facts))
        .shows(service, &format!("metadata.annotations['{}']", nowhere.key))
        .shows(service, "status.loadBalancer.ingress");
    let finding = seen(finding, event, ccm);
    let finding = service_annotation::see_address(finding, service);
    match nowhere.instead(facts, v) {
        Place::Is { key, value, why } => {
            let mut change = Change::set(key, &value, why);
            if key == ZONE && nowhere.key == LOCATION {
                change.set.push((LOCATION.into(), String::new())); // a location would win over the zone
            } else if key != nowhere.key {
                change.remove.push(nowhere.key.into());
            }
            apply(finding, facts, service, &change, v)
        }
        Place::Choose(what) => finding.step(choose(&what)),
    }
}

fn on_controller(facts: &Facts, ccm: &Ccm, nowhere: &Nowhere, v: &mut Verdict) -> Finding {
    let workload = v.see(ccm.workload(facts));
    let says = format!("new load balancers are refused: {}", nowhere.fault());
    let known = workload.is_some();
    let mut finding = Finding::about(workload.unwrap_or_else(|| ccm.reference()), says);
    if !known {
        finding = finding.predicted(); // what runs the controller could not be read
    }
    finding = finding.because(nowhere.because(facts));
    let variable = if nowhere.key == LOCATION { hccm::LOCATION } else { hccm::NETWORK_ZONE };
    finding = ccm.shown(finding, variable);
    let event = nowhere.services.iter().find_map(|(_, event)| *event);
    for (service, _) in &nowhere.services {
        finding = finding.shows(*service, "status.loadBalancer.ingress");
    }
    finding = seen(finding, event, ccm);
    finding = service_annotation::see_address(finding, nowhere.services[0].0);
    let (key, value, why) = match nowhere.instead(facts, v) {
        Place::Is { key, value, why } => (key, value, why),
        Place::Choose(what) => return finding.step(choose(&what)),
    };
    let now = if key == LOCATION { hccm::LOCATION } else { hccm::NETWORK_ZONE };
    // both at once stop the controller, an empty one does not count
    let both = [(variable, ""), (now, &*value)];
    let variables = if now == variable { &both[1..] } else { &both[..] };
    let told = controller::tell(finding.clone(), facts, ccm, variables, &why);
    v.see(told).unwrap_or_else(|| {
        finding.step(crate::Step::decide(format!("set {now} of the controller to {value}")))
    })
}

/// Whether somebody was refused already.
fn seen(finding: Finding, event: Option<&Event>, ccm: &Ccm) -> Finding {
    match event {
        Some(event) => finding.shows_at(event, "message", event.last_seen()),
        None if ccm.is_ready() => finding,
        None => finding.predicted(), // nobody has refused yet: the controller does not run
    }
}
