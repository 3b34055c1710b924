//! When the controller's token is rejected, may only read, or is of another Hetzner project, it does not start, changes
//! nothing, or finds none of the servers, because every call goes to the project of its token (HCCM `hcloud/cloud.go`: the
//! start only reads, so that a read-only token passes it; hcloud-go `error.go`: the codes). The token itself is never read:
//! what counts is what the controller says.

use crate::domain::hccm::{self, Ccm};
use crate::domain::hccm_log::{Said, Word, classify, heard};
use crate::facts::controller_log::ControllerLog;
use crate::facts::hetzner::{Network, Server};
use crate::facts::kubernetes::{Event, Node};
use crate::facts::{Facts, Kind, Known, Time};
use crate::k3s::placeholders_substituted;
use crate::remedies::controller;
use crate::{Cause, Check, Finding, Severity, Verdict};

pub const CHECK: Check = Check {
    code: "KD207",
    slug: "ccm-token",
    title: "nothing shows the controller's token rejected, foreign or read-only",
    examines: "cloud controllers",
    severity: Severity::Error,
    needs: &[
        hccm::NEEDS[0],
        hccm::NEEDS[1],
        hccm::NEEDS[2],
        &Node::NEED,
        &Event::NEED,
        &Server::NEED,
        &Network::NEED,
        &ControllerLog::NEED,
    ],
    caused_by: &[Cause::here(&placeholders_substituted::CHECK).when(|cause, effect| {
        effect.discriminator != Some("foreign") && placeholders_substituted::is_in(cause, "HCLOUD_TOKEN")
    })],
    explain: include_str!("ccm_token.md"),
    judge,
};

/// An end that is so old counts no more.
const RECENT_SECONDS: i64 = 600;

/// Events of what the controller writes to Hetzner.
const WRITES: &[&str] = &[
    "SyncLoadBalancerFailed",
    "UpdateLoadBalancerFailed",
    "DeleteLoadBalancerFailed",
    "FailedToCreateRoute",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Rejected,
    Malformed,
    ReadOnly,
    Forbidden,
}

impl Fault {
    fn of(word: &Word) -> Option<Fault> {
        match word {
            Word::TokenRejected => Some(Fault::Rejected),
            Word::TokenForm { got: None } => Some(Fault::Malformed),
            Word::TokenReadOnly => Some(Fault::ReadOnly),
            Word::Forbidden => Some(Fault::Forbidden),
            _ => None,
        }
    }
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(ccm) = Ccm::find(facts)? else { return Ok(()) };
    v.examined += 1;
    let (started, settled) = since(facts, &ccm);
    let heard = v.see(heard(facts));
    v.gaps.extend(heard.as_ref().and_then(|heard| heard.unread.clone()));
    let mut said = heard.map(|heard| heard.said).unwrap_or_default();
    // What it said before it was started anew, and now runs on, was mended.
    said.retain(|said| !(said.log.previous && settled));
    let events = v.see(facts.all::<Event>()).unwrap_or_default();
    let told = |event: &&Event| WRITES.contains(&&*event.reason) && !event.last_seen().is_before(started);
    let told = events.iter().filter(told);
    let told: Vec<(&Event, Fault)> =
        told.filter_map(|event| Some((event, Fault::of(&classify(&event.message)?)?))).collect();
    let lines = said.iter().filter_map(|said| Some((said, Fault::of(&said.word)?)));
    let lines: Vec<(&Said, Fault)> = lines.collect();
    let worst = lines.iter().map(|(_, fault)| *fault).chain(told.iter().map(|(_, fault)| *fault)).min();
    let workload = ccm.workload(facts)?;
    let Some(fault) = worst else {
        if let Some(finding) = foreign(facts, v, &ccm, workload, &said) {
            v.findings.push(controller::rolled_out(controller::new_token(finding, &ccm), &ccm, facts)?);
        }
        return Ok(());
    };
    let (which, says, because) = match fault {
        Fault::Rejected => (
            "rejected",
            "the Hetzner API rejects the cloud controller's token",
            "It was deleted, or is not the whole of it: the controller does not start with it, and changes nothing.",
        ),
        Fault::Malformed => (
            "malformed",
            "the cloud controller's token has characters that no token has",
            "Often a line break at its end, from `echo` without `-n`.",
        ),
        Fault::ReadOnly => (
            "read-only",
            "the cloud controller's token may only read",
            "The controller starts with it, and fails at the first load balancer or route that it has to change.",
        ),
        Fault::Forbidden => (
            "forbidden",
            "the Hetzner API forbids the cloud controller what it has to do",
            "The token's permissions do not cover it, or the project is restricted.",
        ),
    };
    let mut finding = Finding::about(workload, says).discriminator(which).because(because);
    finding = ccm.shown(finding, "HCLOUD_TOKEN");
    if let Some((said, _)) = lines.iter().find(|(_, one)| *one == fault) {
        finding = finding.shows_at(said.log, &said.path(), said.line.time);
    }
    let newest = told.iter().filter(|(_, one)| *one == fault).map(|(event, _)| event);
    if let Some(event) = newest.max_by_key(|event| (event.last_seen(), event.reference())) {
        finding = finding.shows_at(*event, "message", event.last_seen()).relates_to(crate::ObjectRef::new(
            &event.involved_object.kind,
            event.involved_object.namespace.as_deref(),
            &event.involved_object.name,
        ));
    }
    v.findings.push(controller::rolled_out(controller::new_token(finding, &ccm), &ccm, facts)?);
    Ok(())
}

/// When its container was started, and whether it has run on since.
fn since(facts: &Facts, ccm: &Ccm) -> (Time, bool) {
    let Some(pod) = ccm.pod() else { return (Time::default(), false) };
    let Some(status) = pod.status.container_statuses.iter().find(|s| s.name == ccm.container().name) else {
        return (pod.status.start_time, pod.is_ready());
    };
    let started = status.state.running.as_ref().map(|running| running.started_at).unwrap_or_default();
    let stable = started.seconds_until(facts.now).is_some_and(|seconds| seconds >= RECENT_SECONDS);
    // One that ends and is started anew says the same each time: what it said before still holds.
    (if stable { started } else { pod.status.start_time }, stable && pod.is_ready())
}

/// It finds no server of any node, or not its network, and the doctor's token shows them: they are of two projects.
fn foreign(
    facts: &Facts,
    v: &mut Verdict,
    ccm: &Ccm,
    workload: crate::ObjectRef,
    said: &[Said],
) -> Option<Finding> {
    let unfound: Vec<(&Said, &str)> = said
        .iter()
        .filter_map(|said| match &said.word {
            Word::ServerNotFound { node } => Some((said, &**node)),
            _ => None,
        })
        .collect();
    let network = said.iter().find_map(|said| match &said.word {
        Word::NetworkNotFound { name } => Some((said, name)),
        _ => None,
    });
    let says = "the cloud controller's token is of another Hetzner project";
    let finding = Finding::about(workload, says).discriminator("foreign");
    let finding = ccm.shown(finding, "HCLOUD_TOKEN");
    if let Some((said, name)) = network {
        let networks = v.see(facts.all::<Network>())?;
        let network = networks.iter().find(|n| n.name == *name || n.id.to_string() == **name)?;
        return Some(
            finding
                .because(
                    "It does not find the network, which is in the project that has this cluster's servers.",
                )
                .shows_at(said.log, &said.path(), said.line.time)
                .shows(network, "id"),
        );
    }
    if unfound.is_empty() {
        return None;
    }
    let nodes = v.see(facts.all::<Node>())?;
    let cloud: Vec<&Node> = nodes.iter().filter(|node| node.is_cloud()).collect();
    if cloud.is_empty() || !cloud.iter().all(|node| unfound.iter().any(|(_, name)| *name == node.name())) {
        return None;
    }
    let servers = v.see(facts.all::<Server>())?;
    let mut finding = finding
        .because("It finds a server for none of the nodes, and the project that has this cluster's servers has one for each.");
    for node in cloud.iter().take(8) {
        // A node whose name no server has is another fault.
        let server = servers.iter().find(|server| server.name == *node.name())?;
        let (said, _) = unfound.iter().find(|(_, name)| *name == node.name())?;
        finding =
            finding.shows_at(said.log, &said.path(), said.line.time).shows(server, "name").relates(*node);
    }
    Some(finding)
}
