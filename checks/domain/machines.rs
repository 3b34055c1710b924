//! Which Hetzner server a node runs on.

use std::net::IpAddr;

use super::addresses::ip;
use crate::facts::hetzner::{Network, Server};
use crate::facts::kubernetes::Node;

/// The server of a node: by its provider ID, else by name as HCCM finds it (names are compared as they are).
pub fn server_of<'a>(node: &Node, servers: &'a [Server]) -> Option<&'a Server> {
    match node.server_id() {
        Some(id) => servers.iter().find(|server| server.id == id),
        None => servers.iter().find(|server| server.name == *node.name()),
    }
}

/// The one server that has the node's own address: what k3s settled on, else what stands in its status. `None` when none
/// has it, or several: private addresses repeat in other networks of a project.
pub fn by_address<'a>(node: &Node, servers: &'a [Server]) -> Option<&'a Server> {
    let only = |addresses: &[IpAddr]| {
        let has = |server: &&Server| {
            server.public_addresses().chain(private_ips(server)).any(|address| addresses.contains(&address))
        };
        let mut having = servers.iter().filter(has);
        having.next().filter(|_| having.next().is_none())
    };
    let own: Vec<IpAddr> = node.provided_ips().chain(node.told_addresses()).filter_map(ip).collect();
    let status: Vec<IpAddr> = node.status.addresses.iter().filter_map(|a| ip(&a.address)).collect();
    only(&own).or_else(|| only(&status))
}

/// The server that a node runs on, where its provider ID is another server's: its own address tells.
pub fn misnamed<'a>(node: &Node, servers: &'a [Server]) -> Option<&'a Server> {
    let claimed = servers.iter().find(|server| Some(server.id) == node.server_id())?;
    by_address(node, servers).filter(|server| server.id != claimed.id)
}

/// A server's address in one network.
pub fn private_ip(server: &Server, network: &Network) -> Option<IpAddr> {
    server.private_net.iter().find(|net| net.network == network.id).and_then(|net| ip(&net.ip))
}

/// A server's addresses in all networks.
pub fn private_ips(server: &Server) -> impl Iterator<Item = IpAddr> {
    server.private_net.iter().filter_map(|net| ip(&net.ip))
}
