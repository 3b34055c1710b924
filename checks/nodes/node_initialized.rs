//! While a node waits for its cloud controller, next to nothing is scheduled there, because the kubelet registers it with
//! the taint `node.cloudprovider.kubernetes.io/uninitialized` and only the controller takes that away
//! (kubernetes/cloud-provider `controllers/node`, `syncNode`).

use super::{PROVIDED, TAINT, is_new, node_ip_known_to_cloud, node_name_matches_server, node_provider_id};
use crate::cloud_controller::{ccm_permissions, ccm_running, ccm_token};
use crate::domain::hccm::{self, Ccm};
use crate::facts::kubernetes::Node;
use crate::facts::{Facts, Kind, Known};
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD104",
    slug: "node-initialized",
    title: "no node waits for the cloud controller",
    examines: "nodes",
    severity: Severity::Critical,
    needs: &[&Node::NEED, hccm::NEEDS[0], hccm::NEEDS[1], hccm::NEEDS[2]],
    caused_by: &[
        Cause::here(&node_name_matches_server::CHECK),
        Cause::here(&node_ip_known_to_cloud::CHECK),
        Cause::here(&node_provider_id::CHECK),
        Cause::everywhere(&ccm_running::CHECK).when(ccm_running::nobody_serves),
        Cause::everywhere(&ccm_permissions::CHECK)
            .when(|cause, _| matches!(cause.discriminator, Some("all" | "nodes"))),
        Cause::everywhere(&ccm_token::CHECK).when(|cause, _| cause.discriminator == Some("foreign")),
    ],
    explain: include_str!("node_initialized.md"),
    judge,
};

/// A pod of the effect's finds no node because of the taint: the scheduler says so.
pub fn keeps_pods_waiting(_: &Finding, effect: &Finding) -> bool {
    effect.evidence.iter().any(|evidence| {
        evidence.path == "status.conditions[type=PodScheduled].message"
            && evidence.value.as_ref().is_some_and(|message| message.contains(UNINITIALIZED))
    })
}

const UNINITIALIZED: &str = "node.cloudprovider.kubernetes.io/uninitialized";

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    for node in facts.all::<Node>()? {
        v.examined += 1;
        if !node.is_uninitialized() || is_new(node, facts) {
            continue;
        }
        let finding =
            Finding::new(node, format!("node {} still waits for the cloud controller", node.name()))
                .because(
                    "Pods that do not tolerate its taint stay Pending, and it is no load balancer target.",
                )
                .shows(node, TAINT)
                .shows(node, "metadata.creationTimestamp")
                .shows(node, "spec.providerID")
                .shows(node, PROVIDED);
        let ccm = v.see(Ccm::find(facts));
        let finding = match ccm {
            Some(Some(ccm)) => asks(finding, facts, &ccm, v),
            Some(None) => finding.step(
                Step::decide(
                    "install Hetzner's cloud controller: the cluster has none, and nothing else takes this taint away rightly",
                )
                .hazard("do not take the taint away by hand: the node is left without provider ID and addresses"),
            ),
            None => finding.step(Step::decide(
                "see whether the cloud controller runs (kubectl -n kube-system get pods), and what it logs about this node",
            )),
        };
        let args = ["get", "node", node.name(), "-o", "jsonpath={.spec.taints}"];
        v.findings.push(finding.verify_kubectl(&args, "no uninitialized taint"));
    }
    Ok(())
}

/// Nothing nearer is known here: the controller's own words tell.
fn asks(finding: Finding, facts: &Facts, ccm: &Ccm, v: &mut Verdict) -> Finding {
    let finding = match ccm.pod() {
        Some(pod) => finding.shows(pod, "status.phase"),
        None => finding,
    };
    let Some(workload) = v.see(ccm.workload(facts)) else {
        return finding.step(Step::decide("read what the cloud controller logs about this node"));
    };
    let (target, namespace) =
        (format!("{}/{}", workload.kind.to_lowercase(), workload.name), ccm.namespace());
    finding.relates_to(workload).step(
        Step::kubectl(
            Changes::Nothing,
            "the controller writes why it refuses a node into its log and nowhere else: no matching server, or a node IP that \
             is not valid",
            &["logs", "-n", &namespace, &target, "--tail", "200"],
        )
        .hazard("do not take the taint away by hand: the node is left without provider ID and addresses"),
    )
}
