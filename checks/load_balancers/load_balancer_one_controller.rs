//! When k3s's own ServiceLB runs beside the Hetzner cloud controller, both write the status of the same Services, because
//! ServiceLB takes every LoadBalancer Service without a class and stays on unless each server disables it.
//!
//! Source: k3s `pkg/cloudprovider/servicelb.go` (DaemonSets `svclb-*`, label `svccontroller.k3s.cattle.io/svcname`),
//! `pkg/daemons/control/server.go` (it runs also with `--disable-cloud-controller`).

use serde_json::json;

use crate::domain::hccm::{self, Ccm};
use crate::domain::k3s;
use crate::facts::kubernetes::{DaemonSet, Node, Service};
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::k3s::k3s_disable_values;
use crate::remedies::k3s_config;
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD312",
    slug: "load-balancer-one-controller",
    title: "only one controller serves LoadBalancer Services",
    examines: "k3s servers",
    severity: Severity::Error,
    needs: &[hccm::NEEDS[0], hccm::NEEDS[1], hccm::NEEDS[2], &Service::NEED, &Node::NEED],
    caused_by: &[
        Cause::here(&k3s_disable_values::CHECK).when(|cause, _| cause.discriminator == Some("servicelb"))
    ],
    explain: include_str!("load_balancer_one_controller.md"),
    judge,
};

const OF_SERVICE: &str = "svccontroller.k3s.cattle.io/svcname";
const OF_NAMESPACE: &str = "svccontroller.k3s.cattle.io/svcnamespace";

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(ccm) = Ccm::find(facts)? else { return Ok(()) };
    if ccm.leaves_load_balancers() {
        return Ok(()); // ServiceLB alone, as it was meant
    }
    let nodes = facts.all::<Node>()?;
    let servers: Vec<&Node> = nodes.iter().filter(|node| node.is_control_plane()).collect();
    v.examined = servers.len();
    let sets: Vec<&DaemonSet> = facts
        .all::<DaemonSet>()?
        .iter()
        .filter(|set| set.metadata.label(OF_SERVICE).is_some() && set.metadata.deletion_timestamp.is_none())
        .collect();
    let leaves_it_on =
        |node: &&&Node| k3s::has_args(node) && !k3s::disabled(node).iter().any(|item| item == "servicelb");
    let on: Vec<&Node> = servers.iter().filter(leaves_it_on).copied().collect();
    if on.is_empty() && sets.is_empty() {
        for node in servers.iter().filter(|node| !k3s::has_args(node)) {
            let detail = format!("node {} does not show what k3s was started with", node.name());
            v.gaps.push(Gap::new(Node::NEED.key, Why::NotRead, detail).of(node.name()));
        }
        return Ok(());
    }
    let services: Vec<&Service> = v.see(ccm.services(facts)).map(Iterator::collect).unwrap_or_default();
    let finding = match sets.first() {
        Some(_) => fight(&sets, &on, &services),
        None => latent(&on, &services),
    };
    let left_over = on.is_empty() && servers.iter().all(|node| k3s::has_args(node));
    v.findings.push(if left_over { sweep(finding, &sets) } else { remedy(finding) });
    Ok(())
}

/// ServiceLB serves Services already.
fn fight(sets: &[&DaemonSet], on: &[&Node], services: &[&Service]) -> Finding {
    let of = |set: &DaemonSet| {
        let (name, namespace) = (set.metadata.label(OF_SERVICE), set.metadata.label(OF_NAMESPACE));
        format!("{}/{}", namespace.unwrap_or("default"), name.unwrap_or_default())
    };
    let served: Vec<String> = sets.iter().map(|set| of(set)).collect();
    let which = match &served[..] {
        [one] => format!("Service {one}"),
        several => format!("{} Services", several.len()),
    };
    let says = format!("k3s's ServiceLB and the cloud controller both serve {which}");
    let mut finding = match on.first() {
        Some(node) => Finding::new(*node, says),
        None => Finding::new(sets[0], says),
    };
    finding = finding.because(
        "Both write the Service's status in turn: its addresses flap between those of the nodes and the load balancer's, \
         and whoever takes them (a Gateway, DNS) follows.",
    );
    for node in on {
        finding = finding.shows(*node, "metadata.annotations['k3s.io/node-args']");
    }
    for set in sets.iter().take(8) {
        finding = finding.shows(*set, &format!("metadata.labels['{OF_SERVICE}']"));
    }
    for service in services.iter().filter(|service| served.contains(&service.reference().path())).take(8) {
        finding = finding.shows(*service, "status.loadBalancer.ingress");
    }
    finding
}

/// It will serve the next Service of type LoadBalancer.
fn latent(on: &[&Node], services: &[&Service]) -> Finding {
    let names: Vec<&str> = on.iter().map(|node| node.name()).collect();
    let says = format!("k3s's ServiceLB is on beside the cloud controller ({})", names.join(", "));
    let mut finding = Finding::new(on[0], says)
        .because(
            "It takes every Service of type LoadBalancer without a class, and so does the cloud controller.",
        )
        .predicted();
    if services.is_empty() {
        finding = finding.severity(Severity::Warning);
    }
    for node in on {
        finding = finding.shows(*node, "metadata.annotations['k3s.io/node-args']");
    }
    finding
}

/// Every server disables it, and what it made is still there.
fn sweep(finding: Finding, sets: &[&DaemonSet]) -> Finding {
    let finding = finding
        .discriminator("left-over")
        .because("Every server disables ServiceLB, and a DaemonSet that it made is left: its pods hold the port on every node.");
    let step = |set: &&DaemonSet| {
        let namespace = set.metadata.namespace.as_deref().unwrap_or_default();
        let why = "removes what ServiceLB left behind";
        Step::kubectl(Changes::Cluster, why, &["delete", "daemonset", &set.metadata.name, "-n", namespace])
    };
    finding
        .steps(sets.iter().map(step).collect::<Vec<_>>())
        .verify_kubectl(&["get", "daemonsets", "-A", "-l", OF_SERVICE], "none, a minute later too")
}

fn remedy(finding: Finding) -> Finding {
    let why = "switches ServiceLB off, beside what is disabled already; k3s then removes its DaemonSets";
    finding
        .steps(k3s_config::write(why, "servicelb", json!({"disable+": ["servicelb"]}), true))
        .verify_kubectl(
            &["get", "daemonsets", "-A", "-l", OF_SERVICE],
            "none, and each Service shows its load balancer's addresses",
        )
}
