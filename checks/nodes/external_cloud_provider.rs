//! When k3s keeps its own cloud controller or a kubelet was not told of an external one, Hetzner's controller never adopts
//! the node, because k3s gives it a `k3s://` provider ID first, or the kubelet registers it without the taint that the
//! controller waits for (k3s `pkg/cloudprovider/instances.go`, `pkg/daemons/agent`).

use std::cell::{LazyCell, OnceCell};

use super::TAINT;
use crate::domain::hccm::{self, Ccm};
use crate::domain::k3s;
use crate::domain::machines::{ByAddress, server_of};
use crate::facts::hetzner::Server;
use crate::facts::kubernetes::Node;
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::k3s::k3s_disable_values;
use crate::remedies::k3s_config;
use crate::{Cause, Check, Finding, Severity, Verdict};

use serde_json::json;

pub const CHECK: Check = Check {
    code: "KD105",
    slug: "external-cloud-provider",
    title: "k3s leaves cloud duties to the Hetzner controller",
    examines: "nodes",
    severity: Severity::Critical,
    needs: &[&Node::NEED, &Server::NEED, hccm::NEEDS[0], hccm::NEEDS[1], hccm::NEEDS[2]],
    caused_by: &[Cause::here(&k3s_disable_values::CHECK)
        .when(|cause, _| cause.discriminator == Some("disable-cloud-controller"))],
    explain: include_str!("external_cloud_provider.md"),
    judge,
};

const EXTERNAL: &str = "cloud-provider=external";
const ARGS: &str = "metadata.annotations['k3s.io/node-args']";

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    if Ccm::find(facts)?.is_none() {
        return Ok(()); // without Hetzner's controller the duties are k3s's own
    }
    let nodes = facts.all::<Node>()?;
    let taken: Vec<&Node> = nodes.iter().filter(|n| n.spec.provider_id.starts_with("k3s://")).collect();
    let is_on = |node: &Node| k3s::arg(node, "disable-cloud-controller").is_none_or(|off| off == "false");
    let by_k3s = LazyCell::new(|| nodes.iter().any(|n| n.is_control_plane() && is_on(n)));
    let machines = OnceCell::new();
    for node in nodes.iter().filter(|node| node.is_cloud()) {
        v.examined += 1;
        let adopted = node.spec.provider_id.starts_with("hcloud://");
        // What became of it beats what it was told: arguments may come from elsewhere.
        if adopted && (taken.is_empty() || !node.is_control_plane()) {
            continue;
        }
        if !k3s::has_args(node) {
            if !k3s::runs_on(node) {
                continue; // of kubeadm or another: it never has such arguments
            }
            let detail = format!("node {} does not show the arguments of its k3s", node.name());
            v.gaps.push(Gap::new(Node::NEED.key, Why::NotRead, detail).of(node.name()));
            continue;
        }
        if node.is_control_plane() && is_on(node) {
            if !adopted || !taken.is_empty() {
                v.findings.push(on_server(node, &taken));
            }
            continue;
        }
        // k3s itself tells kubelets of its own controller; and the taint shows that a kubelet knows of one.
        if *by_k3s || node.is_uninitialized() || !node.spec.provider_id.is_empty() {
            continue;
        }
        let told = k3s::arg_values(node, "kubelet-arg");
        if told.iter().any(|arg| arg == EXTERNAL) {
            continue;
        }
        if told.iter().any(|arg| arg.starts_with("config=")) {
            let detail =
                format!("the kubelet of node {} reads a file of its own, which is not seen", node.name());
            v.gaps.push(Gap::new(Node::NEED.key, Why::NotRead, detail).of(node.name()));
            continue;
        }
        // A machine elsewhere is rightly left alone by the controller.
        if let Some(servers) = v.see(facts.all::<Server>())
            && let Some(server) = server_of(node, servers)
                .or_else(|| machines.get_or_init(|| ByAddress::new(servers)).server_of(node))
        {
            v.findings.push(on_kubelet(node, server));
        }
    }
    Ok(())
}

fn on_server(node: &Node, taken: &[&Node]) -> Finding {
    let name = node.name();
    let mut finding = Finding::new(node, format!("k3s on server {name} runs its own cloud controller beside Hetzner's"))
        .because(
            "It gives nodes the provider ID k3s://, which cannot be changed any more: Hetzner's controller never adopts them.",
        )
        .shows(node, ARGS)
        .shows(node, "spec.providerID");
    for other in taken.iter().filter(|other| other.name() != name) {
        finding = finding.shows(*other, "spec.providerID");
    }
    let told = k3s::arg_values(node, "kubelet-arg").iter().any(|arg| arg == EXTERNAL);
    let config = match told {
        true => json!({"disable-cloud-controller": true}),
        false => json!({"disable-cloud-controller": true, "kubelet-arg+": [EXTERNAL]}),
    };
    finding
        .steps(k3s_config::write(
            "leaves cloud duties to Hetzner's controller",
            "cloud-provider",
            config,
            true,
        ))
        .verify_kubectl(
            &["get", "node", name, "-o", "jsonpath={.metadata.annotations.k3s\\.io/node-args}"],
            "--disable-cloud-controller; nodes with k3s:// have to register anew after that (KD103)",
        )
}

fn on_kubelet(node: &Node, server: &Server) -> Finding {
    let name = node.name();
    let config = json!({"kubelet-arg+": [EXTERNAL]});
    Finding::new(node, format!("the kubelet of node {name} was not told of an external cloud provider"))
        .because("It registers without the taint that the cloud controller waits for, and so is never initialised.")
        .shows(node, ARGS)
        .shows(node, TAINT)
        .shows(node, "spec.providerID")
        .relates(server)
        .steps(k3s_config::write(
            "tells the kubelet to leave cloud duties to a controller",
            "cloud-provider",
            config,
            node.is_control_plane(),
        ))
        .verify_kubectl(
            &["get", "node", name, "-o", "jsonpath={.metadata.annotations.k3s\\.io/node-args}"],
            "cloud-provider=external; a Node that is there already also needs its taint (KD103)",
        )
}
