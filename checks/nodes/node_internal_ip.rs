//! When a node's InternalIP is missing or public although its server is in a private network, the API server, other nodes
//! and load balancers reach it over the public network or not at all, because HCCM writes an InternalIP only for the network
//! it was given (hcloud-cloud-controller-manager `hcloud/instances.go`, `hcloudNodeAddresses`).

use std::net::IpAddr;

use super::{PROVIDED, is_new, node_initialized, node_provider_id};
use crate::cloud_controller::ccm_network as network_check;
use crate::domain::addresses::ip;
use crate::domain::ccm_network::{self, CcmNetwork};
use crate::domain::hccm::{self, Ccm};
use crate::domain::machines::{private_ip, private_ips, server_of};
use crate::facts::hetzner::{LoadBalancer, Network, Server};
use crate::facts::kubernetes::{Node, Service};
use crate::facts::{Facts, Gap, Kind, Known};
use crate::remedies::{charts, controller, node_ip};
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD106",
    slug: "node-internal-ip",
    title: "every node's InternalIP is its private network address",
    examines: "nodes of servers in a private network",
    severity: Severity::Error,
    needs: &[
        &Node::NEED,
        &Server::NEED,
        &Network::NEED,
        &LoadBalancer::NEED,
        &Service::NEED,
        hccm::NEEDS[0],
        hccm::NEEDS[1],
        hccm::NEEDS[2],
        charts::NEEDS[0],
        charts::NEEDS[1],
    ],
    caused_by: &[
        Cause::everywhere(&network_check::CHECK).when(network_check::for_all_nodes),
        Cause::here(&network_check::CHECK),
        Cause::here(&node_initialized::CHECK),
        Cause::here(&node_provider_id::CHECK),
    ],
    explain: include_str!("node_internal_ip.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let nodes = facts.all::<Node>()?;
    let servers = facts.all::<Server>()?;
    let ours: Vec<(&Node, &Server)> = nodes
        .iter()
        .filter(|node| node.is_cloud())
        .filter_map(|node| Some((node, server_of(node, servers)?)))
        .collect();
    if ours.iter().all(|(_, server)| server.private_net.is_empty()) {
        return Ok(()); // public by design
    }
    for (node, server) in ours {
        v.examined += 1;
        if node.is_uninitialized() && is_new(node, facts) {
            continue; // its addresses are written with the initialisation
        }
        let internal: Vec<IpAddr> = node.addresses("InternalIP").filter_map(ip).collect();
        let public = internal.iter().find(|address| server.public_addresses().any(|p| p == **address));
        if internal.iter().any(|address| private_ips(server).any(|private| private == *address))
            || !internal.is_empty() && public.is_none()
        {
            continue; // private, if only by an overlay of one's own
        }
        let says = match public {
            Some(address) => {
                format!("the InternalIP of node {} is {address}, its public address", node.name())
            }
            None => format!("node {} has no InternalIP", node.name()),
        };
        let finding = Finding::new(node, says)
            .because(
                "The API server dials its kubelet there, and other nodes their pods: that goes over the public network, or \
                 nowhere.",
            )
            .shows(node, "status.addresses")
            .shows(node, PROVIDED)
            .shows(node, "spec.providerID")
            .shows(server, "private_net");
        let finding = remedy(finding, facts, (node, server), &mut v.gaps);
        v.findings.push(finding.verify_kubectl(
            &["get", "node", node.name(), "-o", "wide"],
            "INTERNAL-IP is the server's address in the private network",
        ));
    }
    Ok(())
}

/// The server into the network, the network to the controller, and to k3s the address: whichever is missing.
fn remedy(finding: Finding, facts: &Facts, (node, server): (&Node, &Server), gaps: &mut Vec<Gap>) -> Finding {
    let mut see = |gap: Gap| gaps.push(gap);
    let ccm = Ccm::find(facts).unwrap_or_else(|gap| {
        see(gap);
        None
    });
    let network = ccm.map(|ccm| ccm_network::of(facts, &ccm)).transpose().unwrap_or_else(|gap| {
        see(gap);
        None
    });
    let nodes = facts.all::<Node>().unwrap_or_default();
    let Some(net) = server.private_net.first() else {
        let name = match network {
            Some(CcmNetwork::Is(network)) => Some(&network.name),
            _ => None,
        };
        return match name {
            Some(network) => finding
                .step(Step::hcloud(
                    Changes::Cloud,
                    "attaches the server to the network of the cloud controller, which makes that address the InternalIP",
                    &["server", "attach-to-network", "--network", network, &server.name],
                ))
                .step(Step::decide(
                    "then give k3s that address as node-ip, so that its certificate covers it (KD110); on an etcd member only \
                     by moving the member (KD807)",
                )),
            None => finding.step(Step::decide("attach the server to the private network of the other nodes")),
        };
    };
    let finding = match (ccm, network) {
        (Some(ccm), Some(CcmNetwork::Off)) => {
            let id = net.network.to_string();
            let finding = finding.step(
                Step::decide(format!("the cloud controller is to know network {id}, in which this server has {}", net.ip)).hazard(
                    "it then attaches every load balancer to that network, and private addresses become InternalIPs, which \
                     kubelet certificates must cover (KD110)",
                ),
            );
            let variables = [("HCLOUD_NETWORK", &*id), ("HCLOUD_NETWORK_ROUTES_ENABLED", "false")];
            let told = controller::tell(finding.clone(), facts, &ccm, &variables, "gives it the network of its nodes");
            told.unwrap_or_else(|gap| {
                see(gap);
                finding
            })
        }
        _ => finding.step(Step::kubectl(
            Changes::Nothing,
            "a controller that knows the network writes this address within five minutes; where it refuses, only its log says so",
            &["logs", "-n", "kube-system", "-l", "app.kubernetes.io/name=hcloud-cloud-controller-manager", "--tail", "200"],
        )),
    };
    let address = match network {
        Some(CcmNetwork::Is(network)) => private_ip(server, network),
        _ => ip(&net.ip),
    };
    match address {
        Some(address) if node.provided_ips().filter_map(ip).all(|told| told != address) => {
            node_ip::tell(finding, node, nodes, address)
        }
        _ => finding,
    }
}
