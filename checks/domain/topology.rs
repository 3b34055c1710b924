//! The way that traffic takes into the cluster, as far as it was seen: load balancers, the Services they stand before, the
//! nodes behind those and the nodes' kubelets. Nothing is judged here, and what was not seen is not taken for healthy.

use std::cell::OnceCell;
use std::collections::HashMap;

use super::hccm::{Ccm, load_balancer_of};
use super::kubelet::{Words, words};
use super::machines::{ByAddress, server_of};
use super::owner;
use crate::ObjectRef;
use crate::facts::hetzner::{LoadBalancer, Server};
use crate::facts::kubelet::{Kubelet, LogProbe};
use crate::facts::kubernetes::{Node, Service};
use crate::facts::{Facts, Gap, Kind, Known, Text};
use crate::load_balancers::targets::{Member, Scene};

#[derive(Clone, Debug)]
pub struct Topology {
    /// Each Service of type LoadBalancer, by namespace and name.
    pub ways: Known<Vec<Way>>,
    /// By name.
    pub nodes: Known<Vec<Station>>,
}

/// How traffic reaches one Service.
#[derive(Clone, Debug)]
pub struct Way {
    pub service: ObjectRef,
    /// The Gateway that the Service was made for.
    pub gateway: Option<ObjectRef>,
    /// The Service's TCP ports.
    pub ports: Vec<i64>,
    /// Addresses and host names in the Service's status.
    pub addresses: Vec<Text>,
    pub balancer: Balancer,
}

#[derive(Clone, Debug)]
pub enum Balancer {
    /// One of Hetzner's, which carries the Service's UID or name.
    Hetzner(Box<OfHetzner>),
    /// The Service has an address, and no load balancer of the project is its own: something else gave it.
    Elsewhere,
    /// The Service has no address, and the project no load balancer for it.
    Missing,
    NotSeen(Gap),
}

#[derive(Clone, Debug)]
pub struct OfHetzner {
    pub object: ObjectRef,
    /// Its public IPv4 address; `None` when its public interface is off.
    pub address: Option<Text>,
    pub location: Text,
    /// It listens on no port at all.
    pub is_deaf: bool,
    pub targets: Vec<Target>,
}

#[derive(Clone, Debug)]
pub struct Target {
    /// Its place among the nodes; `None` for a machine that is no node, or when nodes were not seen.
    pub node: Option<usize>,
    /// The node's name, else the server's, else its address.
    pub name: String,
    pub health: Health,
}

/// What Hetzner's health checks say of a target, all ports taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// On every port.
    Healthy,
    /// No pod runs there and `externalTrafficPolicy: Local` wants it so: it answers nothing, as it is meant to.
    Spared,
    /// Not judged yet on some port.
    Unjudged,
    /// On some port.
    Unhealthy,
}

/// One node, the machine it runs on, and its kubelet.
#[derive(Clone, Debug)]
pub struct Station {
    pub node: ObjectRef,
    /// Its InternalIP.
    pub address: Option<Text>,
    pub is_control_plane: bool,
    /// The condition `Ready`; `None` where the node has none yet.
    pub ready: Option<bool>,
    pub machine: Machine,
    pub kubelet: Sight,
    /// Its kubelet as findings name it: once for each address that was tried.
    pub kubelets: Vec<ObjectRef>,
}

#[derive(Clone, Debug)]
pub enum Machine {
    Server {
        object: ObjectRef,
        status: Text,
    },
    /// A dedicated server, which the Cloud API does not show.
    Dedicated,
    /// The project has no server that the node says it runs on.
    NotFound,
    NotSeen(Gap),
}

/// How a node's kubelet was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It showed a certificate of this cluster with the node's name.
    Own,
    /// It answered the API server.
    Answers,
    /// The API server refuses its certificate.
    Refused,
    /// Something answered that is not proven to be this kubelet; what it showed.
    Other(Text),
    /// It could not be reached from here, and why.
    Unreached(Text),
    NotAsked,
}

impl Topology {
    pub fn of(facts: &Facts) -> Topology {
        Topology { ways: ways(facts), nodes: stations(facts) }
    }
}

fn ways(facts: &Facts) -> Known<Vec<Way>> {
    let ccm = Ccm::find(facts);
    let nodes = facts.all::<Node>().unwrap_or_default();
    let places: HashMap<&str, usize> = nodes.iter().enumerate().map(|(i, node)| (node.name(), i)).collect();
    let wanted = |service: &&Service| {
        service.spec.r#type == "LoadBalancer" && service.metadata.deletion_timestamp.is_none()
    };
    let way = |service: &Service| {
        let ingress = service.status.load_balancer.ingress.iter();
        let addresses = ingress.flat_map(|i| [&i.ip, &i.hostname]).filter(|a| !a.is_empty()).cloned();
        let meta = &service.metadata;
        let gateway = owner::gateway_name(meta);
        Way {
            service: service.reference(),
            gateway: gateway.map(|name| ObjectRef::new("Gateway", meta.namespace.as_deref(), name)),
            ports: service.tcp_ports().map(|port| port.port).collect(),
            addresses: addresses.collect(),
            balancer: match load_balancer_of(facts, service) {
                Err(gap) => Balancer::NotSeen(gap),
                Ok(Some(lb)) => {
                    let scene = Scene::new(facts, service, lb, ccm.clone(), &mut Vec::new());
                    Balancer::Hetzner(Box::new(of_hetzner(&scene, lb, &places)))
                }
                Ok(None) if service.has_ingress() => Balancer::Elsewhere,
                Ok(None) => Balancer::Missing,
            },
        }
    };
    Ok(facts.all::<Service>()?.iter().filter(wanted).map(way).collect())
}

fn of_hetzner(scene: &Scene, lb: &LoadBalancer, places: &HashMap<&str, usize>) -> OfHetzner {
    let ports = scene.ports();
    let health = |(i, member): (usize, &Member)| {
        let checks = ports.iter().map(|port| {
            let said =
                member.health.iter().any(|h| h.listen_port == port.lb.listen_port && h.status == "unhealthy");
            match (port.healthy.contains(&i), port.unhealthy.contains(&i)) {
                (_, true) => Health::Unhealthy,
                (true, _) => Health::Healthy,
                _ if said => Health::Spared,
                _ => Health::Unjudged,
            }
        });
        Target {
            node: scene.node(member).and_then(|node| places.get(node.name()).copied()),
            name: scene.name(member),
            health: checks.max().unwrap_or(Health::Unjudged),
        }
    };
    let address = lb.public_net.ipv4.as_ref().filter(|_| lb.public_net.enabled).map(|a| a.ip.clone());
    OfHetzner {
        object: lb.reference(),
        address,
        location: lb.location.name.clone(),
        is_deaf: lb.services.is_empty(),
        targets: scene.members.iter().enumerate().map(health).collect(),
    }
}

fn stations(facts: &Facts) -> Known<Vec<Station>> {
    let nodes = facts.all::<Node>()?;
    let servers = facts.all::<Server>();
    let mut shakes: HashMap<&str, Vec<&Kubelet>> = HashMap::new();
    for shake in facts.all::<Kubelet>().unwrap_or_default() {
        shakes.entry(&*shake.node).or_default().push(shake);
    }
    let probes = facts.all::<LogProbe>().unwrap_or_default();
    let probes: HashMap<&str, &LogProbe> = probes.iter().map(|probe| (&*probe.node, probe)).collect();
    let by_address = OnceCell::new();
    let station = |node: &Node| {
        let shakes = shakes.get(node.name()).map(Vec::as_slice).unwrap_or_default();
        Station {
            node: node.reference(),
            address: node.addresses("InternalIP").next().map(Text::new),
            is_control_plane: node.is_control_plane(),
            ready: node.condition("Ready").map(|condition| condition.status == "True"),
            machine: machine(node, &servers, &by_address),
            kubelet: sight(node, shakes, probes.get(node.name()).copied()),
            kubelets: shakes.iter().map(|shake| shake.reference()).collect(),
        }
    };
    Ok(nodes.iter().map(station).collect())
}

fn machine<'a>(node: &Node, servers: &Known<&'a [Server]>, by_address: &OnceCell<ByAddress<'a>>) -> Machine {
    if !node.is_cloud() {
        return Machine::Dedicated;
    }
    match servers {
        Err(gap) => Machine::NotSeen(gap.clone()),
        Ok(servers) => {
            let of_address = || by_address.get_or_init(|| ByAddress::new(servers)).server_of(node);
            let found = server_of(node, servers).or_else(of_address);
            found.map_or(Machine::NotFound, |server| Machine::Server {
                object: server.reference(),
                status: server.status.clone(),
            })
        }
    }
}

/// A kubelet counts as seen only with the cluster's authority and the node's name; else what the API server says of it.
fn sight(node: &Node, shakes: &[&Kubelet], probe: Option<&LogProbe>) -> Sight {
    let own = |shake: &&Kubelet| {
        shake.trusted && shake.certificate.as_ref().is_some_and(|cert| cert.names(node.name()))
    };
    if shakes.iter().any(own) {
        return Sight::Own;
    }
    match probe.map(words) {
        Some(Words::KubeletAnswered) => return Sight::Answers,
        Some(Words::NotCovered { .. }) => return Sight::Refused,
        _ => {}
    }
    let other = shakes.iter().find(|shake| shake.certificate.is_some());
    let failed = shakes.iter().find_map(|shake| shake.failure.as_ref());
    match (other, failed) {
        (Some(shake), _) if shake.distrust.is_empty() => Sight::Other("a certificate of another name".into()),
        (Some(shake), _) => Sight::Other(shake.distrust.clone()),
        (None, Some(failure)) => Sight::Unreached(failure.detail.clone()),
        (None, None) => Sight::NotAsked,
    }
}
