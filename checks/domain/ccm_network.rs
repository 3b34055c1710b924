//! The network that the cloud controller was given: usually from a Secret, which is never read, and so worked out.
//!
//! Source: HCCM `hcloud/cloud.go` (`HCLOUD_NETWORK` is a name or an ID; empty is off), and that HCCM attaches every load
//! balancer it makes to it (`internal/hcops/load_balancer.go`, `attachToNetwork`).

use std::collections::BTreeSet;

use super::addresses::ip;
use super::hccm::{Ccm, Var};
use super::machines::server_of;
use crate::facts::hetzner::{LoadBalancer, Network, Server};
use crate::facts::kubernetes::{Node, Service};
use crate::facts::{Facts, Gap, Kind, Known, Need, Why};

/// What [`of`] reads beside the controller.
pub const NEEDS: [&Need; 5] =
    [&Network::NEED, &LoadBalancer::NEED, &Server::NEED, &Node::NEED, &Service::NEED];

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CcmNetwork<'a> {
    /// Not set, or set to nothing: addresses and targets are public, and there are no routes.
    Off,
    /// Given literally, and it exists; or worked out from what the controller did with it.
    Is(&'a Network),
    /// Given literally, and no network of the project has that name or ID.
    Missing(&'a str),
}

/// Which network it is.
///
/// # Errors
/// A gap when it comes from elsewhere and nothing shows which it is, or Hetzner was not read.
pub fn of<'a>(facts: &'a Facts, ccm: &Ccm<'a>) -> Known<CcmNetwork<'a>> {
    let given = match ccm.var("HCLOUD_NETWORK") {
        Var::Unset | Var::Is("") => return Ok(CcmNetwork::Off),
        Var::Is(given) => Some(given),
        Var::Elsewhere(_) => None,
    };
    let networks = facts.all::<Network>()?;
    if let Some(given) = given {
        // HCCM asks by ID where the value is a number, and by name then
        let found = networks
            .iter()
            .find(|n| n.id.to_string() == given)
            .or(networks.iter().find(|n| n.name == *given));
        return Ok(found.map_or(CcmNetwork::Missing(given), CcmNetwork::Is));
    }
    let found = of_load_balancers(facts)?.or(of_addresses(facts)?).or(of_servers(facts)?);
    match found.and_then(|id| networks.iter().find(|network| network.id == id)) {
        Some(network) => Ok(CcmNetwork::Is(network)),
        None => {
            let detail = "HCLOUD_NETWORK of the cloud controller is set from a Secret, and nothing shows which network it is";
            Err(Gap::new(Network::NEED.key, Why::NotRead, detail))
        }
    }
}

/// The only network of the load balancers that the controller made.
fn of_load_balancers(facts: &Facts) -> Known<Option<i64>> {
    let services = facts.all::<Service>()?;
    let ours = |lb: &&LoadBalancer| {
        lb.service_uid().is_some_and(|uid| services.iter().any(|service| service.metadata.uid == *uid))
    };
    let attached = facts.all::<LoadBalancer>()?.iter().filter(ours).flat_map(|lb| &lb.private_net);
    Ok(only(attached.map(|net| net.network).collect()))
}

/// The only network in which the servers have their nodes' InternalIPs.
fn of_addresses(facts: &Facts) -> Known<Option<i64>> {
    let servers = facts.all::<Server>()?;
    let mut found = BTreeSet::new();
    for node in facts.all::<Node>()?.iter().filter(|node| !node.is_uninitialized()) {
        let Some(server) = server_of(node, servers) else { continue };
        let internal: Vec<_> = node.addresses("InternalIP").filter_map(ip).collect();
        let matching =
            server.private_net.iter().filter(|n| ip(&n.ip).is_some_and(|ip| internal.contains(&ip)));
        found.extend(matching.map(|net| net.network));
    }
    Ok(only(found))
}

/// The only network that all servers of the cluster are in.
pub fn of_servers(facts: &Facts) -> Known<Option<i64>> {
    let servers = facts.all::<Server>()?;
    let ours: Vec<&Server> =
        facts.all::<Node>()?.iter().filter_map(|node| server_of(node, servers)).collect();
    let mut shared: Option<BTreeSet<i64>> = None;
    for server in ours {
        let of_this: BTreeSet<i64> = server.private_net.iter().map(|net| net.network).collect();
        shared = Some(match shared {
            Some(before) => before.intersection(&of_this).copied().collect(),
            None => of_this,
        });
    }
    Ok(only(shared.unwrap_or_default()))
}

fn only(ids: BTreeSet<i64>) -> Option<i64> {
    if ids.len() == 1 { ids.into_iter().next() } else { None }
}
