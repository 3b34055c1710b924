//! Services and what stands before them, as parts of the drawing.

use std::collections::BTreeMap;

use kairos_doctor_checks::domain::topology::{Balancer, Health, OfHetzner, Topology, Way};

use super::marks::{Found, Marks, Of};
use super::model::{Lane, Part, State};
use crate::report::words::{clean, counted, listed, name};

/// So many are drawn one by one; of more only those that are not plain, up to `MOST`.
const FEW: usize = 6;
const MOST: usize = 8;
const NAMES: usize = 6;

/// A lane before the rows are known: which nodes are targets, and how they are.
pub struct Draft {
    pub lane: Lane,
    /// Node and state of each target that is a node.
    pub targets: Vec<(usize, State)>,
}

pub fn drafts(topology: &Topology, marks: &Marks) -> Vec<Draft> {
    let ways = match &topology.ways {
        Err(gap) => return vec![unseen(&gap.detail)],
        Ok(ways) if ways.is_empty() => return vec![none()],
        Ok(ways) => ways,
    };
    let all: Vec<Draft> = ways.iter().map(|way| draft(way, marks)).collect();
    if all.len() <= FEW {
        return all;
    }
    let (mut single, mut alike): (Vec<Draft>, BTreeMap<String, Vec<Draft>>) = Default::default();
    for one in all {
        let lane = &one.lane;
        let worst = lane.balancer.state.max(lane.service.state).max(lane.gate);
        let broken = worst >= State::Noted || one.targets.iter().any(|(_, state)| *state == State::Bad);
        if broken && single.len() < MOST {
            single.push(one);
        } else {
            alike.entry(likeness(&one)).or_default().push(one);
        }
    }
    let more = if single.is_empty() { "" } else { "more " };
    single.extend(alike.into_values().map(|group| together(group, more)));
    single
}

fn likeness(draft: &Draft) -> String {
    let lane = &draft.lane;
    let tags = |part: &Part| part.tags.iter().map(|tag| tag.code).collect::<Vec<_>>();
    let worst = draft.targets.iter().map(|(_, state)| *state).max();
    format!(
        "{:?} {:?} {} {} {:?} {:?} {:?} {:?} {worst:?}",
        lane.balancer.state,
        lane.service.state,
        lane.balancer.hides,
        lane.service.hides,
        lane.gate,
        lane.pass,
        tags(&lane.balancer),
        tags(&lane.service)
    )
}

fn together(mut group: Vec<Draft>, more: &str) -> Draft {
    let count = group.len();
    let mut first = group.remove(0);
    if count == 1 {
        return first;
    }
    let names: Vec<String> =
        std::iter::once(&first).chain(&group).map(|draft| draft.lane.service.title.clone()).collect();
    let mut targets: BTreeMap<usize, State> = BTreeMap::new();
    for (node, state) in first.targets.iter().chain(group.iter().flat_map(|draft| &draft.targets)) {
        let worst = targets.entry(*node).or_insert(*state);
        *worst = (*worst).max(*state);
    }
    let lane = &mut first.lane;
    let said = [lane.balancer.words(), lane.service.words()];
    lane.balancer.name = format!("{count} {more}load balancers");
    lane.balancer.lines = vec![said[0].into()];
    lane.balancer.title = lane.balancer.name.clone();
    lane.service.name = format!("{count} {more}Services");
    lane.service.lines = vec![said[1].into()];
    lane.service.title = format!("{}: {}", lane.service.name, listed(&names, 20));
    lane.told = Vec::new();
    for other in &group {
        lane.balancer.ranks.extend(&other.lane.balancer.ranks);
        lane.service.ranks.extend(&other.lane.service.ranks);
    }
    first.targets = targets.into_iter().collect();
    first
}

fn draft(way: &Way, marks: &Marks) -> Draft {
    let mut objects = vec![&way.service];
    objects.extend(&way.gateway);
    let mut service = Part::new(name(&way.service), State::Fine, marks.at(&objects, &[]));
    let ports: Vec<String> = way.ports.iter().map(i64::to_string).collect();
    if !ports.is_empty() {
        let word = if ports.len() == 1 { "port" } else { "ports" };
        service = service.line(format!("{word} {}", ports.join(" ")));
    }
    if let Some(gateway) = &way.gateway {
        service = service.line(format!("Gateway {}", clean(&gateway.name)));
    }
    let of = if way.gateway.is_some() { Of::Gateway } else { Of::Service };
    service = service.unjudged(marks.unjudged(of, &way.service.path()));
    let addresses: Vec<String> = way.addresses.iter().map(|address| clean(address)).collect();
    let behind = match addresses.as_slice() {
        [] => "no address".to_string(),
        [one] => one.clone(),
        [first, more @ ..] => format!("{first} +{}", more.len()),
    };
    let (balancer, gate, pass, targets, told) = match &way.balancer {
        Balancer::Hetzner(lb) => return hetzner(lb, service, marks),
        // What is missing is the Service's to tell; the finding is there.
        Balancer::Missing => {
            let state = if service.state >= State::Warned { service.state } else { State::Absent };
            let part = Part::new("no load balancer", State::Absent, Found::default()).line("no address");
            (part, state, State::Absent, Vec::new(), vec!["no traffic arrives".to_string()])
        }
        Balancer::Elsewhere => {
            let part = Part::new("not Hetzner's", State::Unseen, Found::default()).line(behind);
            (
                part,
                State::Unseen,
                State::Unseen,
                Vec::new(),
                vec!["its way to the nodes was not seen".to_string()],
            )
        }
        Balancer::NotSeen(gap) => {
            let part = Part::new("load balancer", State::Unseen, Found::default());
            let part = part.line("not seen").line(behind).detail(&gap.detail);
            (
                part,
                State::Unseen,
                State::Unseen,
                Vec::new(),
                vec!["its way to the nodes was not seen".to_string()],
            )
        }
    };
    Draft { lane: Lane { balancer, service, gate, pass, to: Vec::new(), told }, targets }
}

fn hetzner(lb: &OfHetzner, service: Part, marks: &Marks) -> Draft {
    let of = |health: Health| lb.targets.iter().filter(move |target| target.health == health);
    let total = lb.targets.len();
    let (healthy, unhealthy, unjudged) =
        (of(Health::Healthy).count(), of(Health::Unhealthy).count(), of(Health::Unjudged).count());
    let works = healthy > 0;
    let seen = match () {
        () if total == 0 || lb.is_deaf => State::Absent,
        () if works || unhealthy + unjudged == 0 => State::Fine,
        () if unhealthy > 0 => State::Bad,
        () => State::Unseen,
    };
    let mut balancer = Part::new(clean(&lb.object.name), seen, marks.at(&[&lb.object], &[]));
    balancer = match &lb.address {
        Some(address) => balancer.line(clean(address)),
        None => balancer.line("no public address"),
    };
    balancer = match () {
        () if lb.is_deaf => balancer.line("listens on no port"),
        () if total == 0 => balancer.line("no targets"),
        () if unjudged == total => balancer.line("targets not judged yet"),
        () => balancer.line(format!("{healthy} of {} healthy", counted(total, "target"))),
    };
    let balancer =
        balancer.detail(&format!("load balancer {} in {}", lb.object.id.unwrap_or(0), clean(&lb.location)));
    let balancer = balancer.unjudged(marks.unjudged(Of::Balancer, &lb.object.path()));
    let gate = if lb.address.is_some() { State::Fine } else { State::Absent };
    let mut told = Vec::new();
    for (health, word) in [
        (Health::Unhealthy, "unhealthy"),
        (Health::Unjudged, "not judged yet"),
        (Health::Spared, "no pod there, as meant"),
        (Health::Healthy, "healthy"),
    ] {
        let names: Vec<String> = of(health).map(|target| clean(&target.name)).collect();
        if !names.is_empty() {
            told.push(format!("{}: {word}", listed(&names, NAMES)));
        }
    }
    if total == 0 {
        told.push("no targets".into());
    }
    let state = |health: Health| match health {
        Health::Healthy => State::Fine,
        Health::Spared => State::Absent,
        Health::Unjudged => State::Unseen,
        Health::Unhealthy => State::Bad,
    };
    let targets = lb.targets.iter().filter_map(|target| Some((target.node?, state(target.health)))).collect();
    Draft { lane: Lane { balancer, service, gate, pass: seen, to: Vec::new(), told }, targets }
}

fn unseen(detail: &str) -> Draft {
    let part = |name: &str| Part::new(name, State::Unseen, Found::default()).line("not seen").detail(detail);
    let lane = Lane {
        balancer: part("load balancers"),
        service: part("Services"),
        gate: State::Unseen,
        pass: State::Unseen,
        to: Vec::new(),
        told: vec!["Services were not seen".into()],
    };
    Draft { lane, targets: Vec::new() }
}

fn none() -> Draft {
    let part = |name: &str| Part::new(name, State::Absent, Found::default());
    let lane = Lane {
        balancer: part("no load balancer").line("none is wanted"),
        service: part("no Service").line("of type LoadBalancer"),
        gate: State::Absent,
        pass: State::Absent,
        to: Vec::new(),
        told: vec!["no Service of type LoadBalancer".into()],
    };
    Draft { lane, targets: Vec::new() }
}
