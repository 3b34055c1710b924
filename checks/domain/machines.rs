//! Which Hetzner server a node runs on.

use std::collections::HashMap;
use std::net::IpAddr;

use super::addresses::ip;
use crate::facts::hetzner::{Network, Server};
use crate::facts::kubernetes::Node;

/// The server of a node: by its provider ID, else by name as HCCM finds it (names are compared as they are). `servers` are
/// in the order of their names, as all facts are.
pub fn server_of<'a>(node: &Node, servers: &'a [Server]) -> Option<&'a Server> {
    let namesake = by_name(node.name(), servers);
    match node.server_id() {
        // Names are mostly the same, and a search among thousands of servers for each of thousands of nodes is not.
        Some(id) => namesake
            .filter(|server| server.id == id)
            .or_else(|| servers.iter().find(|server| server.id == id)),
        None => namesake,
    }
}

/// The first server of that name; `servers` are in the order of their names.
pub fn by_name<'a>(name: &str, servers: &'a [Server]) -> Option<&'a Server> {
    let at = servers.partition_point(|server| server.name.as_str() < name);
    servers.get(at).filter(|server| server.name == *name)
}

/// Servers by each of their addresses.
pub struct ByAddress<'a>(HashMap<IpAddr, Vec<&'a Server>>);

impl<'a> ByAddress<'a> {
    pub fn new(servers: &'a [Server]) -> ByAddress<'a> {
        let mut all: HashMap<IpAddr, Vec<&Server>> = HashMap::new();
        for server in servers {
            for address in server.public_addresses().chain(private_ips(server)) {
                all.entry(address).or_default().push(server);
            }
        }
        ByAddress(all)
    }

    /// The one server that has the node's own address: what k3s settled on, else what stands in its status. `None` when none
    /// has it, or several: private addresses repeat in other networks of a project.
    pub fn server_of(&self, node: &Node) -> Option<&'a Server> {
        let mut own = node.provided_ips().chain(node.told_addresses()).filter_map(ip);
        let mut status = node.status.addresses.iter().filter_map(|a| ip(&a.address));
        self.only(&mut own).or_else(|| self.only(&mut status))
    }

    fn only(&self, addresses: &mut dyn Iterator<Item = IpAddr>) -> Option<&'a Server> {
        let mut found: Option<&Server> = None;
        for server in addresses.filter_map(|address| self.0.get(&address)).flatten().copied() {
            if found.is_some_and(|found| !std::ptr::eq(found, server)) {
                return None;
            }
            found = Some(server);
        }
        found
    }

    /// The server that a node runs on, where its provider ID is another one's: its own address tells.
    pub fn misnamed(&self, node: &Node, claimed: &Server) -> Option<&'a Server> {
        self.server_of(node).filter(|server| server.id != claimed.id)
    }
}

/// A server's address in one network.
pub fn private_ip(server: &Server, network: &Network) -> Option<IpAddr> {
    server.private_net.iter().find(|net| net.network == network.id).and_then(|net| ip(&net.ip))
}

/// A server's addresses in all networks.
pub fn private_ips(server: &Server) -> impl Iterator<Item = IpAddr> {
    server.private_net.iter().filter_map(|net| ip(&net.ip))
}
