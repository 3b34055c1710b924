//! The nodes' pod ranges, and what Hetzner's network does with packets for them.
//!
//! Sources: docs.hetzner.com, Networks, architecture (cloud subnets are layer 3: a server reaches every other server through
//! the network's gateway, which drops what is neither a server's address nor a route's destination; only vSwitch subnets
//! between dedicated servers are layer 2).

use ipnet::IpNet;

use super::addresses::{ip, range};
use super::cilium::Cilium;
use super::k3s;
use super::machines::server_of;
use crate::Finding;
use crate::facts::hetzner::{Network, Server};
use crate::facts::kubernetes::{CiliumNode, Node};
use crate::facts::{Facts, Gap, Kind, Known, Need, Why};

/// What this module reads beside Cilium.
pub const NEEDS: [&Need; 4] = [&Node::NEED, &CiliumNode::NEED, &Server::NEED, &Network::NEED];

/// An IPv4 range that a node's pods get their addresses from.
#[derive(Clone, Copy)]
pub struct PodRange<'a> {
    pub node: &'a Node,
    /// Where Cilium chose it; `None` where Kubernetes did.
    cilium: Option<&'a CiliumNode>,
    pub cidr: IpNet,
}

impl PodRange<'_> {
    /// Adds it to a finding's evidence.
    pub fn shown(&self, finding: Finding) -> Finding {
        match self.cilium {
            Some(chosen) => finding.shows(chosen, "spec.ipam.podCIDRs").relates(self.node),
            None => finding.shows(self.node, "spec.podCIDRs"),
        }
    }
}

/// The pod ranges of all nodes, from whoever hands them out.
///
/// # Errors
/// The gap of Nodes, or of CiliumNodes where Cilium hands them out.
pub fn ranges<'a>(facts: &'a Facts, cilium: &Cilium) -> Known<Vec<PodRange<'a>>> {
    let nodes = facts.all::<Node>()?;
    let v4 = |text: &str| range(text).filter(|cidr| cidr.addr().is_ipv4());
    if cilium.uses_kubernetes_ipam() {
        let of = |node: &'a Node| {
            let cidrs = node.spec.pod_cidrs.iter().filter_map(move |cidr| v4(cidr));
            cidrs.map(move |cidr| PodRange { node, cilium: None, cidr })
        };
        return Ok(nodes.iter().flat_map(of).collect());
    }
    let chosen = facts.all::<CiliumNode>()?;
    let of = |node: &'a Node| {
        let own = chosen.iter().filter(move |c| c.metadata.name == node.metadata.name);
        own.flat_map(move |own| {
            let cidrs = own.spec.ipam.pod_cidrs.iter().filter_map(move |cidr| v4(cidr));
            cidrs.map(move |cidr| PodRange { node, cilium: Some(own), cidr })
        })
    };
    Ok(nodes.iter().flat_map(of).collect())
}

/// The range that all pod ranges are cut from: what k3s or Cilium is told, if it holds them all.
pub fn cluster_cidr(ranges: &[PodRange], nodes: &[Node], cilium: &Cilium) -> Option<IpNet> {
    let told = nodes.iter().filter(|node| node.is_control_plane());
    let told = told.filter_map(|node| k3s::arg(node, "cluster-cidr")).next();
    let text = match cilium.uses_kubernetes_ipam() {
        true => told.unwrap_or_else(|| "10.42.0.0/16".into()), // k3s's default
        false => cilium.config.get("cluster-pool-ipv4-cidr")?.into(),
    };
    let all = range(text.split([',', ' ']).next()?)?;
    (!ranges.is_empty() && ranges.iter().all(|range| all.contains(&range.cidr))).then_some(all)
}

/// What happens to a packet for a pod range in Hetzner's networks.
pub enum Way<'a> {
    /// A route of this network leads to the node's server.
    Routed(&'a Network),
    /// None does, in any of the networks that its server is in.
    Missing(Vec<&'a Network>),
    /// It is no cloud server: not for a network's routes alone to say.
    Elsewhere,
}

/// # Errors
/// The gap of servers or networks, or that the node's server is not among them.
pub fn way<'a>(facts: &'a Facts, pods: &PodRange) -> Known<Way<'a>> {
    if !pods.node.is_cloud() {
        return Ok(Way::Elsewhere);
    }
    let server = server(facts, pods.node)?;
    let networks = facts.all::<Network>()?;
    let mut without = Vec::new();
    for net in &server.private_net {
        let Some(network) = networks.iter().find(|network| network.id == net.network) else { continue };
        let leads = network.routes.iter().any(|route| {
            range(&route.destination).is_some_and(|to| to.contains(&pods.cidr))
                && ip(&route.gateway).is_some_and(|gateway| Some(gateway) == ip(&net.ip))
        });
        if leads {
            return Ok(Way::Routed(network));
        }
        without.push(network);
    }
    Ok(Way::Missing(without))
}

/// Every other node is behind a gateway for this one: it is a cloud server, whose address is in no vSwitch subnet.
///
/// # Errors
/// As [`way`].
pub fn is_off_link(facts: &Facts, node: &Node) -> Known<bool> {
    if !node.is_cloud() {
        return Ok(false);
    }
    let server = server(facts, node)?;
    let networks = facts.all::<Network>()?;
    let addresses: Vec<_> = node.addresses("InternalIP").filter_map(ip).collect();
    let on_switch = server.private_net.iter().any(|net| {
        let Some(own) = ip(&net.ip).filter(|own| addresses.contains(own)) else { return false };
        let subnets = networks.iter().filter(|n| n.id == net.network).flat_map(|n| &n.subnets);
        let mut of_it =
            subnets.filter(|subnet| range(&subnet.ip_range).is_some_and(|range| range.contains(&own)));
        of_it.any(|subnet| subnet.r#type == "vswitch")
    });
    Ok(!on_switch)
}

fn server<'a>(facts: &'a Facts, node: &Node) -> Known<&'a Server> {
    server_of(node, facts.all::<Server>()?).ok_or_else(|| {
        let detail = format!("no server of the project is node {}", node.name());
        Gap::new(Server::NEED.key, Why::NotRead, detail).of(node.name())
    })
}
