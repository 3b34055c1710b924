//! When the cloud controller is not told its network, or another than the servers', it refuses nodes that say to have a
//! private address, and private targets of load balancers, because without `HCLOUD_NETWORK` it knows public addresses only
//! (HCCM `hcloud/instances.go`, `internal/hcops/load_balancer.go`: `use private ip: missing network id`). A network that does
//! not exist, or that its own server is not in, ends it at start (`hcloud/cloud.go`).

use crate::domain::addresses::ip;
use crate::domain::ccm_network::{self, CcmNetwork, of_servers};
use crate::domain::hccm::{self, Ccm};
use crate::domain::hccm_log::{Said, Word, heard};
use crate::domain::machines::{private_ip, private_ips, server_of};
use crate::facts::controller_log::ControllerLog;
use crate::facts::hetzner::{Network, Server};
use crate::facts::kubernetes::{Node, is_placeholder};
use crate::facts::{Facts, Kind, Known};
use crate::k3s::placeholders_substituted;
use crate::remedies::{charts, controller};
use crate::{Act, Cause, Changes, Check, Finding, ObjectRef, Severity, Step, Verdict, When};

pub const CHECK: Check = Check {
    code: "KD204",
    slug: "ccm-network",
    title: "the cloud controller is told its network, and the network exists",
    examines: "cloud controllers",
    severity: Severity::Critical,
    needs: &[
        hccm::NEEDS[0],
        hccm::NEEDS[1],
        hccm::NEEDS[2],
        ccm_network::NEEDS[0],
        ccm_network::NEEDS[1],
        ccm_network::NEEDS[2],
        ccm_network::NEEDS[3],
        ccm_network::NEEDS[4],
        charts::NEEDS[0],
        charts::NEEDS[1],
        &ControllerLog::NEED,
    ],
    caused_by: &[
        Cause::here(&placeholders_substituted::CHECK)
            .when(|cause, _| placeholders_substituted::is_in(cause, "HCLOUD_NETWORK")),
        // the old pod of a rollout that is stuck runs without it
        Cause::everywhere_of("KD201").when(|cause, effect| {
            cause.discriminator == Some("rollout-stuck") && effect.says.ends_with(NOT_LIVE)
        }),
    ],
    explain: include_str!("ccm_network.md"),
    judge,
};

/// The workload has the network, and the pod that runs was made before.
const NOT_LIVE: &str = "it is set, not live";
const USE_PRIVATE: &str = "HCLOUD_LOAD_BALANCERS_USE_PRIVATE_IP";

/// The controller's own network is wrong, and not one server's.
pub fn for_all_nodes(cause: &Finding, _: &Finding) -> bool {
    matches!(cause.discriminator, Some("unset" | "missing" | "other"))
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(ccm) = Ccm::find(facts)? else { return Ok(()) };
    v.examined += 1;
    let workload = ccm.workload(facts)?;
    if !ccm.has_network()? {
        return unset(facts, v, &ccm, workload);
    }
    // One that does not run says itself which network it did not find: what others were told before counts no more.
    if !ccm.is_ready()
        && let Some(heard) = v.see(heard(facts))
    {
        v.gaps.extend(heard.unread);
        let refusal = heard.said.iter().find_map(|said| match &said.word {
            Word::NetworkNotFound { name } => Some((said, name)),
            _ => None,
        });
        if let Some((said, name)) = refusal {
            // A network that exists for the doctor and not for the controller is one of another project: its token's fault.
            if !facts.all::<Network>()?.iter().any(|n| n.name == *name || n.id.to_string() == **name) {
                missing(facts, v, &ccm, workload, name, Some(said));
            }
            return Ok(());
        }
    }
    match ccm_network::of(facts, &ccm)? {
        CcmNetwork::Off => {}
        CcmNetwork::Missing(given) => missing(facts, v, &ccm, workload, given, None),
        CcmNetwork::Is(network) => outside(facts, v, &ccm, workload, network)?,
    }
    Ok(())
}

/// It has no network, and something asks for one.
fn unset(facts: &Facts, v: &mut Verdict, ccm: &Ccm, workload: ObjectRef) -> Known<()> {
    let nodes = facts.all::<Node>()?;
    let mut finding = ccm.shown(Finding::about(workload, "").discriminator("unset"), "HCLOUD_NETWORK");
    let mut hurts = false;
    let by_default =
        ccm.value(USE_PRIVATE).is_ok_and(|value| ["1", "t", "T", "true", "TRUE", "True"].contains(&value));
    let mut asks = by_default;
    for service in ccm.services(facts)? {
        if v.see(ccm.is_on(service, "use-private-ip", USE_PRIVATE)) == Some(true) {
            (asks, hurts) = (true, true);
            finding = match service.annotation("use-private-ip") {
                Some(_) => finding
                    .shows(service, "metadata.annotations['load-balancer.hetzner.cloud/use-private-ip']"),
                None => finding.relates(service),
            };
        }
    }
    if by_default {
        finding = ccm.shown(finding, USE_PRIVATE);
    }
    // A node that names an address which is not its public one: is it one of a network?
    let names_other = |node: &&Node| {
        let public: Vec<_> = node.addresses("ExternalIP").filter_map(ip).collect();
        node.is_cloud() && node.provided_ips().filter_map(ip).any(|address| !public.contains(&address))
    };
    let mut private = Vec::new();
    if nodes.iter().any(|node| names_other(&node))
        && let Some(servers) = v.see(facts.all::<Server>())
    {
        for node in nodes {
            let addresses: Vec<_> = server_of(node, servers).into_iter().flat_map(private_ips).collect();
            if node.provided_ips().filter_map(ip).any(|address| addresses.contains(&address)) {
                private.push(node);
            }
        }
    }
    for node in private.iter().take(8) {
        finding = finding.shows(*node, "metadata.annotations['alpha.kubernetes.io/provided-node-ip']");
        hurts |= node.is_uninitialized();
    }
    if !asks && private.is_empty() {
        return Ok(());
    }
    finding.says = match (private.first(), asks) {
        (Some(node), _) => {
            format!(
                "the cloud controller has no network, and nodes such as {} have private addresses",
                node.name()
            )
        }
        (None, _) => {
            "the cloud controller has no network, and load balancers are to use private addresses".into()
        }
    };
    finding.because = Some(
        match (private.is_empty(), asks) {
            (false, true) => "It knows public addresses only: it refuses these nodes, and the load balancers' private targets.",
            (false, false) => "It knows public addresses only, and refuses nodes that name another.",
            (true, _) => "Without one it refuses every target: `use private ip: missing network id`.",
        }
        .into(),
    );
    if !hurts {
        finding = finding.severity(Severity::Error);
    }
    let meant = ccm.template(facts)?.and_then(|container| container.var("HCLOUD_NETWORK"));
    if meant.is_some_and(|var| var.value_from.is_some() || var.value.as_ref().is_some_and(|v| !v.is_empty()))
    {
        finding.says = format!("the cloud controller still runs without its network: {NOT_LIVE}");
        let finding = v.advise(finding, |finding| controller::make_live(finding, facts, ccm));
        v.findings.push(finding);
        return Ok(());
    }
    let finding = v.advise(finding, |finding| give(finding, facts, ccm));
    v.findings.push(finding);
    Ok(())
}

/// It is told a network that its project does not have.
fn missing(facts: &Facts, v: &mut Verdict, ccm: &Ccm, workload: ObjectRef, name: &str, said: Option<&Said>) {
    let says = match is_placeholder(name) {
        true => format!("the cloud controller's network is still the placeholder {name}"),
        false => format!("the cloud controller's network {name} does not exist"),
    };
    let mut finding = Finding::about(workload, says)
        .discriminator("missing")
        .because("It ends at start with `Network … not found`, so that nothing in the cluster is managed.");
    finding = ccm.shown(finding, "HCLOUD_NETWORK");
    finding = match said {
        Some(said) => finding.shows_at(said.log, &said.path(), said.line.time),
        None if ccm.is_ready() => finding.predicted(), // it was there when the controller started
        None => finding,
    };
    let finding = v.advise(finding, |finding| give(finding, facts, ccm));
    v.findings.push(finding);
}

/// Servers that are not in its network.
fn outside(facts: &Facts, v: &mut Verdict, ccm: &Ccm, workload: ObjectRef, network: &Network) -> Known<()> {
    let servers = facts.all::<Server>()?;
    let nodes = facts.all::<Node>()?;
    let ours: Vec<(&Node, &Server)> =
        nodes.iter().filter_map(|node| Some((node, server_of(node, servers)?))).collect();
    let out: Vec<_> = ours.iter().filter(|(_, server)| private_ip(server, network).is_none()).collect();
    if out.is_empty() {
        return Ok(());
    }
    if out.len() == ours.len() {
        let says = format!("no server of this cluster is in the cloud controller's network {}", network.name);
        let mut finding = ccm.shown(Finding::about(workload, says).discriminator("other"), "HCLOUD_NETWORK");
        for (_, server) in out.iter().take(8) {
            finding = finding.shows(*server, "private_net");
        }
        finding = finding.shows(network, "ip_range").because(
            "It ends at its next start with `This node is not attached to Network …`; private addresses and targets of another \
             network it does not know.",
        );
        let finding = v.advise(finding, |finding| give(finding, facts, ccm));
        v.findings.push(finding);
        return Ok(());
    }
    let here = ccm.pod().map(|pod| pod.spec.node_name.clone()).unwrap_or_default();
    for (node, server) in out {
        let says =
            format!("server {} is not in the cloud controller's network {}", server.name, network.name);
        let runs_here = *node.name() == *here;
        let mut finding = Finding::new(*node, says)
            .discriminator("outside")
            .relates_to(workload.clone())
            .relates(network)
            .shows(*server, "private_net")
            .because(match runs_here {
                true => "The controller's pod is on it, and ends at its next start: `This node is not attached to Network …`.",
                false => "Load balancers and routes reach a server through that network only, and a pod of the controller on it ends.",
            });
        if !runs_here {
            finding = finding.severity(Severity::Error);
        }
        let attach = ["server", "attach-to-network", "--network", &*network.name, &*server.name];
        let why = format!("puts it into {}; a new network card appears in the server", network.name);
        let listed = format!("Private Networks: {}", network.name);
        v.findings.push(
            finding
                .step(Step::hcloud(Changes::Cloud, why, &attach))
                .step(
                    Step::decide(
                        "let the tool that makes servers attach the network, before k3s starts first",
                    )
                    .for_good(),
                )
                .verify_hcloud(&["server", "describe", &server.name], listed),
        );
    }
    Ok(())
}

/// Gives the controller the network that its servers share, and says what else follows from it.
fn give(finding: Finding, facts: &Facts, ccm: &Ccm) -> Known<Finding> {
    let networks = facts.all::<Network>()?;
    let shared = of_servers(facts)?.and_then(|id| networks.iter().find(|network| network.id == id));
    let Some(network) = shared else {
        let names: Vec<&str> = networks.iter().map(|network| &*network.name).collect();
        let finding =
            finding.verify_hcloud(&["network", "list"], "the network has every server of this cluster");
        return Ok(finding.step(Step::decide(format!(
            "choose the network that all servers of this cluster are in, and attach those that are not (there is: {}); give it \
             to the controller as HCLOUD_NETWORK",
            if names.is_empty() { "none".into() } else { names.join(", ") }
        ))));
    };
    let why = format!("gives it network {} by its ID, which all servers of this cluster share", network.name);
    let mut finding = controller::give_network(finding.relates(network), facts, ccm, network, &why)?;
    let servers = facts.all::<Server>()?;
    let moves: Vec<&str> = facts
        .all::<Node>()?
        .iter()
        .filter(|node| {
            let private = server_of(node, servers).and_then(|server| private_ip(server, network));
            !node.is_uninitialized()
                && private.is_some_and(|ip_| !node.addresses("InternalIP").filter_map(ip).any(|a| a == ip_))
        })
        .map(Node::name)
        .collect();
    let mut hazard =
        "every load balancer is attached to it, and targets may be added again: open connections end"
            .to_string();
    if !moves.is_empty() {
        hazard += &format!(
            "; the InternalIP of {} becomes its private address, which its kubelet's certificate has to cover (KD110)",
            moves.join(", ")
        );
    }
    let live = |step: &&mut Step| {
        step.when == When::Now && matches!(step.act, Act::Apply(_) | Act::Run(_) | Act::Write { .. })
    };
    if let Some(step) = finding.steps.iter_mut().rfind(live) {
        step.add_hazard(&hazard);
    }
    Ok(finding)
}
