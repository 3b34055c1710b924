//! When the node IP that k3s settled on is none that the cloud controller reports, the node is never initialised, and one
//! that was keeps its old addresses, because cloud-provider takes that IP as a filter and refuses the rest
//! (kubernetes/cloud-provider `node/helpers/address.go`, `failed to get node address from cloud provider that matches ip`;
//! what is reported: hcloud-cloud-controller-manager `hcloud/instances.go`, `hcloudNodeAddresses`).

use std::net::IpAddr;

use super::{PROVIDED, TAINT};
use crate::cloud_controller::ccm_network as network_check;
use crate::domain::addresses::{ip, range};
use crate::domain::ccm_network::{self, CcmNetwork};
use crate::domain::hccm::{self, Ccm, Var};
use crate::domain::machines::{ByAddress, private_ip, private_ips, server_of};
use crate::facts::hetzner::{LoadBalancer, Network, Server};
use crate::facts::kubernetes::{Node, Service};
use crate::facts::{Facts, Gap, Kind, Known};
use crate::remedies::{charts, controller, node_ip};
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD102",
    slug: "node-ip-known-to-cloud",
    title: "the node IP that k3s settled on is one the cloud reports",
    examines: "nodes with a node IP",
    severity: Severity::Critical,
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
    ],
    explain: include_str!("node_ip_known_to_cloud.md"),
    judge,
};

const FAMILY: &str = "HCLOUD_INSTANCES_ADDRESS_FAMILY";

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(ccm) = Ccm::find(facts)? else { return Ok(()) };
    let nodes = facts.all::<Node>()?;
    let servers = facts.all::<Server>()?;
    let network = ccm_network::of(facts, &ccm);
    let machines = ByAddress::new(servers);
    for node in nodes.iter().filter(|node| node.is_cloud()) {
        let told: Vec<IpAddr> = node.provided_ips().filter_map(ip).collect();
        let Some(server) = server_of(node, servers) else { continue };
        let claims = node.server_id().is_some();
        if told.is_empty() || claims && machines.misnamed(node, server).is_some() {
            continue;
        }
        v.examined += 1;
        for address in told {
            match reported(&ccm, &network, server, address) {
                Reported::Yes => {}
                Reported::Unknown(gap) => v.gaps.push(gap),
                Reported::No => {
                    let network = v.see(network.clone());
                    let scene = Scene { facts, ccm, node, nodes, server, network, address };
                    v.findings.push(scene.finding(&mut v.gaps));
                    break;
                }
            }
        }
    }
    Ok(())
}

enum Reported {
    Yes,
    No,
    Unknown(Gap),
}

/// Whether the controller has that address for that server: the public ones of its address family, the private one of its
/// network.
fn reported(ccm: &Ccm, network: &Known<CcmNetwork>, server: &Server, address: IpAddr) -> Reported {
    let private = match network {
        Ok(CcmNetwork::Is(network)) => private_ip(server, network) == Some(address),
        Ok(_) => false,
        Err(gap) if private_ips(server).any(|private| private == address) => {
            return Reported::Unknown(gap.clone());
        }
        Err(_) => false,
    };
    if private {
        return Reported::Yes;
    }
    if !server.public_addresses().any(|public| public == address) {
        return Reported::No;
    }
    match ccm.value(FAMILY) {
        Ok("" | "ipv4") if address.is_ipv6() => Reported::No,
        Ok("ipv6") if address.is_ipv4() => Reported::No,
        Ok(_) => Reported::Yes,
        Err(gap) => Reported::Unknown(gap),
    }
}

struct Scene<'a> {
    facts: &'a Facts,
    ccm: Ccm<'a>,
    node: &'a Node,
    nodes: &'a [Node],
    server: &'a Server,
    network: Option<CcmNetwork<'a>>,
    address: IpAddr,
}

impl Scene<'_> {
    fn finding(&self, gaps: &mut Vec<Gap>) -> Finding {
        let (node, server) = (self.node, self.server);
        let says = format!("the cloud does not report {}, the node IP of node {}", self.address, node.name());
        let mut finding = Finding::new(node, says).shows(node, PROVIDED).shows(node, TAINT);
        finding = finding.shows(server, "private_net").shows(server, "public_net.ipv4.ip");
        finding = self.ccm.shown(finding, "HCLOUD_NETWORK");
        finding = if node.is_uninitialized() {
            finding.because("The cloud controller initialises no node whose node IP is not among its server's addresses: it stays tainted.")
        } else {
            finding
                .severity(Severity::Error)
                .predicted()
                .because("The node was initialised before; its addresses are not updated any more, and only the controller's log says so.")
        };
        let finding = self.remedy(finding, gaps);
        let args = ["get", "node", node.name(), "-o", "wide"];
        finding.verify_kubectl(&args, "INTERNAL-IP or EXTERNAL-IP is the node IP of its k3s")
    }

    fn remedy(&self, finding: Finding, gaps: &mut Vec<Gap>) -> Finding {
        let (server, address) = (self.server, self.address);
        if server.public_addresses().any(|public| public == address) {
            return self.tell(
                finding,
                gaps,
                &[(FAMILY, "dualstack")],
                "lets the controller report addresses of both families",
            );
        }
        // in a network, and not in the controller's
        if let Some(net) = server.private_net.iter().find(|net| ip(&net.ip) == Some(address)) {
            let id = net.network.to_string();
            if matches!(self.ccm.var("HCLOUD_NETWORK"), Var::Unset | Var::Is("")) {
                let variables = [("HCLOUD_NETWORK", &*id), ("HCLOUD_NETWORK_ROUTES_ENABLED", "false")];
                let finding = finding.step(
                    Step::decide(format!("the cloud controller is to know network {id}, in which this server has that address"))
                        .hazard(
                            "it then attaches every load balancer to that network, and private addresses become InternalIPs",
                        ),
                );
                return self.tell(finding, gaps, &variables, "gives the controller the network of its nodes");
            }
            return finding.step(Step::decide(format!(
                "which network is right: the controller was given another one than network {id}. Either change its \
                 HCLOUD_NETWORK where it comes from (key network of its Secret) and restart it, or attach the server to the \
                 controller's network"
            )));
        }
        let Some(CcmNetwork::Is(network)) = self.network else {
            return finding.step(Step::decide(format!(
                "no server address is {address}: attach the server to its private network, or give k3s another node-ip (on an \
                 etcd server only by moving its member)"
            )));
        };
        match private_ip(server, network) {
            Some(now) => {
                let finding = finding.step(Step::decide(format!(
                    "whether the node goes back to {address} (hcloud server detach-from-network, then attach-to-network with \
                     --ip {address}) or k3s is told {now}, as follows"
                )));
                node_ip::tell(finding, self.node, self.nodes, now)
            }
            None => self.attach(finding, network),
        }
    }

    fn attach(&self, finding: Finding, network: &Network) -> Finding {
        let address = self.address.to_string();
        let mut args = vec!["server", "attach-to-network", "--network", &network.name];
        if range(&network.ip_range).is_some_and(|range| range.contains(&self.address)) {
            args.extend(["--ip", &*address]);
        }
        args.push(&self.server.name);
        finding.step(Step::hcloud(
            Changes::Cloud,
            "attaches the server to the controller's network, with that address",
            &args,
        ))
    }

    fn tell(&self, finding: Finding, gaps: &mut Vec<Gap>, variables: &[(&str, &str)], why: &str) -> Finding {
        controller::tell(finding.clone(), self.facts, &self.ccm, variables, why).unwrap_or_else(|gap| {
            gaps.push(gap);
            let set: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
            finding.step(Step::decide(format!("where the controller's {} is set: {why}", set.join(" and "))))
        })
    }
}
