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

/// A server's address in one network.
pub fn private_ip(server: &Server, network: &Network) -> Option<IpAddr> {
    server.private_net.iter().find(|net| net.network == network.id).and_then(|net| ip(&net.ip))
}

/// A server's addresses in all networks.
pub fn private_ips(server: &Server) -> impl Iterator<Item = IpAddr> {
    server.private_net.iter().filter_map(|net| ip(&net.ip))
}
