//! A load balancer, all that lies between it and the pods of its Service, and why a target of it is unhealthy.
//!
//! Sources: Hetzner Cloud API `load_balancers[].targets[].health_status`; HCCM `internal/hcops/load_balancer.go`
//! (destination port, health check); Hetzner's firewalls filter the public interface only.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::domain::addresses::{ip, range};
use crate::domain::hccm::Ccm;
use crate::facts::hetzner::{Firewall, HealthStatus, LbService, LoadBalancer, Server};
use crate::facts::kubernetes::{EndpointSlice, Node, Service};
use crate::facts::{Facts, Gap, Known};

/// Why targets are unhealthy, in the order in which it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    NoPorts,
    NoTargets,
    StalePort,
    NodeDown,
    NoEndpoints,
    HealthCheck,
    NotInNetwork,
    NoneLocal,
    CrossNode,
    Firewall,
    Unexplained,
}

impl Reason {
    pub fn discriminator(self) -> &'static str {
        match self {
            Reason::NoPorts => "no-ports",
            Reason::NoTargets => "no-targets",
            Reason::StalePort => "stale-port",
            Reason::NoEndpoints => "no-endpoints",
            Reason::HealthCheck => "health-check",
            Reason::NodeDown => "node-down",
            Reason::NotInNetwork => "not-in-network",
            Reason::NoneLocal => "none-local",
            Reason::CrossNode => "cross-node",
            Reason::Firewall => "firewall",
            Reason::Unexplained => "unexplained",
        }
    }
}

/// One port of the load balancer and who is healthy behind it.
pub struct Port<'a> {
    pub lb: &'a LbService,
    /// The Service's current nodePort for it, 0 for none; `None` when the Service has no such TCP port.
    pub node_port: Option<i64>,
    pub healthy: BTreeSet<usize>,
    pub unhealthy: BTreeSet<usize>,
}

/// A server (or address) behind the load balancer; those of a label selector one by one.
pub struct Member<'a> {
    /// Where it stands in the load balancer.
    pub place: String,
    pub server: Option<i64>,
    pub address: Option<&'a str>,
    pub private: bool,
    pub health: &'a [HealthStatus],
}

/// A Service, its load balancer, and all that lies between the two.
pub struct Scene<'a> {
    facts: &'a Facts,
    pub service: &'a Service,
    pub lb: &'a LoadBalancer,
    pub members: Vec<Member<'a>>,
    pub nodes: Option<&'a [Node]>,
    pub servers: &'a [Server],
    pub slices: Option<Vec<&'a EndpointSlice>>,
    pub firewalls: Option<&'a [Firewall]>,
    pub ccm: Known<Option<Ccm<'a>>>,
    /// Not everything that could explain it could be read.
    pub blind: bool,
}

impl<'a> Scene<'a> {
    pub fn new(
        facts: &'a Facts,
        service: &'a Service,
        lb: &'a LoadBalancer,
        ccm: Known<Option<Ccm<'a>>>,
        gaps: &mut Vec<Gap>,
    ) -> Scene<'a> {
        let mut members = Vec::new();
        for (i, target) in lb.targets.iter().enumerate() {
            let address = target.ip.as_ref().map(|t| &*t.ip);
            if target.r#type != "label_selector" {
                let (server, private) = (target.server.as_ref().map(|s| s.id), target.use_private_ip);
                let place = format!("targets[{i}]");
                members.push(Member { place, server, address, private, health: &target.health_status });
            }
            for (j, one) in target.targets.iter().enumerate() {
                let (server, private) = (one.server.as_ref().map(|s| s.id), one.use_private_ip);
                let place = format!("targets[{i}].targets[{j}]");
                members.push(Member { place, server, address: None, private, health: &one.health_status });
            }
        }
        let slices = seen(facts.slices_of(service).map(Iterator::collect), gaps);
        gaps.extend(ccm.as_ref().err().cloned());
        let nodes = seen(facts.all::<Node>(), gaps);
        let servers = seen(facts.all::<Server>(), gaps).unwrap_or_default();
        let firewalls = seen(facts.all::<Firewall>(), gaps);
        let blind = !gaps.is_empty();
        Scene { facts, service, lb, members, nodes, servers, slices, firewalls, ccm, blind }
    }

    /// There is nothing that could be healthy.
    pub fn empty(&self) -> Option<Reason> {
        if self.lb.services.is_empty() {
            return Some(Reason::NoPorts);
        }
        self.members.is_empty().then_some(Reason::NoTargets)
    }

    pub fn ports(&self) -> Vec<Port<'a>> {
        let with = |lb: &'a LbService| {
            let state = |wanted: &str| {
                let has = |m: &Member| {
                    m.health.iter().any(|h| h.listen_port == lb.listen_port && h.status == wanted)
                };
                (0..self.members.len()).filter(|i| has(&self.members[*i])).collect::<BTreeSet<_>>()
            };
            let port = self.service.tcp_ports().find(|p| p.port == lb.listen_port);
            let node_port = port.map(|p| p.node_port);
            let (healthy, mut unhealthy) = (state("healthy"), state("unhealthy"));
            // As it is meant: by policy Local only nodes with a pod answer.
            if self.service.spec.external_traffic_policy == "Local"
                && !healthy.is_empty()
                && let Some(without) = self.without_endpoint()
            {
                unhealthy.retain(|i| !without.contains(i) || self.down(&self.members[*i]).is_some());
            }
            Port { lb, node_port, healthy, unhealthy }
        };
        self.lb.services.iter().map(with).collect()
    }

    /// `None` when nothing is wrong with that port. A target whose health is `unknown` is too young to judge. What differs
    /// between targets is not the fault of what is the same for all of them.
    pub fn reason(&self, port: &Port) -> Option<Reason> {
        if port.unhealthy.is_empty() {
            return None;
        }
        let dead = port.healthy.is_empty();
        if port.node_port.is_none_or(|current| current != 0 && current != port.lb.destination_port) {
            return Some(Reason::StalePort);
        }
        if port.unhealthy.iter().all(|i| self.down(&self.members[*i]).is_some()) {
            return Some(Reason::NodeDown);
        }
        if dead && self.endpoint_nodes().is_some_and(|nodes| nodes.is_empty()) {
            return Some(Reason::NoEndpoints);
        }
        let check = &port.lb.health_check;
        let asks_more = !check.protocol.is_empty() && check.protocol != "tcp";
        // Without a network no check of any kind arrives.
        if port.unhealthy.iter().all(|i| self.members[*i].private) && self.lb.private_net.is_empty() {
            return Some(Reason::NotInNetwork);
        }
        let local = self.service.spec.external_traffic_policy == "Local";
        // The port at which kube-proxy and Cilium tell whether a node has a pod: made to be asked.
        let asks_node = local && check.port != 0 && check.port == self.service.spec.health_check_node_port;
        let elsewhere = check.port != 0 && check.port != port.lb.destination_port;
        if dead && !asks_node && (asks_more || elsewhere) {
            return Some(Reason::HealthCheck);
        }
        if local && !dead && self.slices.is_none() {
            return None; // perhaps as it is meant; the gap is noted
        }
        let dropped = |i: &usize| self.firewalled(&self.members[*i], port) == Some(true);
        // A firewall that only the unhealthy ones have tells them apart as well as the pods do, and it is seen.
        let firewall = port.unhealthy.iter().all(dropped) && !self.refutes_firewall(port);
        if !local && firewall {
            return Some(Reason::Firewall);
        }
        if self.without_endpoint().as_ref() == Some(&port.unhealthy) {
            match (local, dead) {
                (true, false) => return None, // as it is meant: only nodes with a pod answer
                (true, true) => return Some(Reason::NoneLocal),
                (false, false) => return Some(Reason::CrossNode),
                (false, true) => {} // nobody answers, so nothing shows that nodes with a pod do
            }
        }
        Some(if firewall { Reason::Firewall } else { Reason::Unexplained })
    }

    /// The nodes on which a ready endpoint of the Service runs. `None` when that is not known, or says nothing: Cilium
    /// handles Gateways and Ingresses itself and gives their Services a dummy endpoint (192.192.192.192), which like every
    /// endpoint outside the cluster has no node.
    pub fn endpoint_nodes(&self) -> Option<BTreeSet<&'a str>> {
        let slices = self.slices.as_ref()?;
        let all = slices.iter().flat_map(|slice| &slice.endpoints);
        let name = &*self.service.metadata.name;
        let by_cilium = name.starts_with("cilium-gateway-") || name.starts_with("cilium-ingress");
        let mut nodes = BTreeSet::new();
        for endpoint in all.filter(|e| e.is_ready()) {
            if endpoint.node_name.is_empty() {
                return None;
            }
            nodes.insert(&*endpoint.node_name);
        }
        if by_cilium && nodes.is_empty() { None } else { Some(nodes) }
    }

    /// The members on whose nodes no ready endpoint runs, if there are others on which one does.
    pub fn without_endpoint(&self) -> Option<BTreeSet<usize>> {
        let with = self.endpoint_nodes().filter(|nodes| !nodes.is_empty())?;
        self.nodes?;
        let lacks = |i: &usize| self.node(&self.members[*i]).is_some_and(|node| !with.contains(node.name()));
        Some((0..self.members.len()).filter(lacks).collect())
    }

    pub fn server(&self, member: &Member) -> Option<&'a Server> {
        let by_address = |s: &&Server| {
            let address = member.address.and_then(ip);
            address.is_some() && s.public_addresses().any(|a| Some(a) == address)
        };
        match member.server {
            Some(id) => self.facts.server(id).ok().flatten(),
            None => self.servers.iter().find(by_address),
        }
    }

    pub fn node(&self, member: &Member) -> Option<&'a Node> {
        let server = self.server(member);
        let id = member.server.or(server.map(|s| s.id));
        let nodes = self.nodes?;
        // Nodes are in the order of their names, and nearly all have that of their server.
        let namesake = server.and_then(|server| {
            let at = nodes.partition_point(|node| node.name() < server.name.as_str());
            nodes.get(at).filter(|node| server.name == *node.name())
        });
        let is_it = |node: &&Node| node.server_id().is_some() && node.server_id() == id;
        let by_id = namesake.filter(is_it).or_else(|| nodes.iter().find(is_it));
        // A Robot server is a target by its address, and no server of the project.
        let has =
            |n: &&Node| n.status.addresses.iter().any(|a| ip(&a.address) == member.address.and_then(ip));
        let by_address = || nodes.iter().find(has).filter(|_| member.address.and_then(ip).is_some());
        by_id.or(namesake).or_else(by_address)
    }

    pub fn name(&self, member: &Member) -> String {
        let node = self.node(member).map(|n| n.name().to_string());
        let server = || self.server(member).map(|s| s.name.to_string());
        let other = || {
            member.address.map_or_else(|| format!("server {}", member.server.unwrap_or(0)), str::to_string)
        };
        node.or_else(server).unwrap_or_else(other)
    }

    /// Why nothing on that machine can answer at all.
    pub fn down(&self, member: &Member) -> Option<String> {
        if let Some(server) = self.server(member)
            && server.status != "running"
            && !server.status.is_empty()
        {
            return Some(format!("server {} is {}", server.name, server.status));
        }
        let node = self.node(member)?;
        (!node.is_ready()).then(|| format!("node {} is not ready", node.name()))
    }

    /// Hetzner has judged no target for that port, neither way.
    pub fn unjudged(&self, port: &Port) -> bool {
        port.healthy.is_empty() && port.unhealthy.is_empty() && !self.members.is_empty()
    }

    /// Whether the firewalls of a member's server drop the health checks. They see public traffic only. `None` when that
    /// is not known.
    pub fn firewalled(&self, member: &Member, port: &Port) -> Option<bool> {
        if member.private {
            return Some(false);
        }
        let server = self.server(member)?;
        let applied = self.applied(server)?;
        let source = self.lb.public_net.ipv4.as_ref().and_then(|a| ip(&a.ip));
        let admits = applied.iter().any(|f| admits(f, port.lb.destination_port, source));
        Some(!applied.is_empty() && !admits)
    }

    /// Health checks get through to a target whose firewalls should drop them as well: then it is not these rules.
    pub fn refutes_firewall(&self, port: &Port) -> bool {
        port.healthy.iter().any(|i| self.firewalled(&self.members[*i], port) == Some(true))
    }

    pub fn applied(&self, server: &Server) -> Option<Vec<&'a Firewall>> {
        let listed: Vec<i64> = server.public_net.firewalls.iter().map(|f| f.id).collect();
        let applies = |f: &&Firewall| listed.contains(&f.id) || f.server_ids().any(|id| id == server.id);
        Some(self.firewalls?.iter().filter(applies).collect())
    }
}

/// Whether some inbound rule lets TCP to that port in, from the load balancer or from everywhere.
pub fn admits(firewall: &Firewall, port: i64, source: Option<IpAddr>) -> bool {
    let covers = |ports: Option<&str>| match ports {
        None | Some("any") => true,
        Some(ports) => {
            let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
            matches!((first.trim().parse::<i64>(), last.trim().parse::<i64>()), (Ok(a), Ok(b)) if (a..=b).contains(&port))
        }
    };
    let from = |text: &str| {
        range(text).is_some_and(|net| {
            net.prefix_len() == 0 && net.addr().is_ipv4() || source.is_some_and(|ip| net.contains(&ip))
        })
    };
    firewall.rules.iter().any(|rule| {
        rule.direction == "in"
            && rule.protocol == "tcp"
            && covers(rule.port.as_deref())
            && rule.source_ips.iter().any(|text| from(text))
    })
}

/// The fact, or `None` with the gap kept.
fn seen<T>(fact: Known<T>, gaps: &mut Vec<Gap>) -> Option<T> {
    fact.map_err(|gap| gaps.push(gap)).ok()
}
