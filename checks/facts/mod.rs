//! What is known of a cluster: slim, wire-shaped objects, and for everything that is missing the reason.

mod bundle;
pub mod controller_log;
mod gap;
pub mod hetzner;
mod index;
pub mod kubelet;
pub mod kubernetes;
mod need;
pub mod path;
pub mod protobuf;
mod replaced;
mod shared;
mod text;
pub(crate) mod wire;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

pub use bundle::{BundleError, Document, FORMAT};
pub use gap::{Gap, Known, Why};
pub use need::{Collection, Kind, LogRead, Need, Origin, Page, Part, Resource, Undecodable};
pub use replaced::Replaced;
pub use shared::Shared;
pub use text::{LONGEST, MASK, Text, is_hidden};
pub use wire::Time;

use crate::domain::addresses::ip;
use hetzner::Server;
use index::Index;
use kubernetes::Node;

/// Every need there is, in the order of the bundle.
pub const NEEDS: &[&Need] = &[
    &kubelet::ApiServer::NEED,
    &kubernetes::Version::NEED,
    &kubernetes::Namespace::NEED,
    &kubernetes::Node::NEED,
    &kubernetes::Pod::NEED,
    &kubernetes::Service::NEED,
    &kubernetes::EndpointSlice::NEED,
    &kubernetes::Event::NEED,
    &kubernetes::Deployment::NEED,
    &kubernetes::DaemonSet::NEED,
    &kubernetes::Job::NEED,
    &kubernetes::HelmChart::NEED,
    &kubernetes::HelmChartConfig::NEED,
    &kubernetes::GatewayClass::NEED,
    &kubernetes::Gateway::NEED,
    &kubernetes::HTTPRoute::NEED,
    &kubernetes::GRPCRoute::NEED,
    &kubernetes::ReferenceGrant::NEED,
    &kubernetes::IngressObject::NEED,
    &kubernetes::CustomResourceDefinition::NEED,
    &kubernetes::APIService::NEED,
    &kubernetes::CiliumConfig::NEED,
    &kubernetes::CiliumNode::NEED,
    &kubernetes::CiliumLoadBalancerIPPool::NEED,
    &kubernetes::CiliumL2AnnouncementPolicy::NEED,
    &kubernetes::Certificate::NEED,
    &kubernetes::CertificateRequest::NEED,
    &kubernetes::Order::NEED,
    &kubernetes::Challenge::NEED,
    &kubernetes::Issuer::NEED,
    &kubernetes::ClusterIssuer::NEED,
    &kubernetes::StorageClass::NEED,
    &kubernetes::CSIDriver::NEED,
    &kubernetes::CSINode::NEED,
    &kubernetes::ClusterRole::NEED,
    &kubernetes::ClusterRoleBinding::NEED,
    &kubernetes::Role::NEED,
    &kubernetes::RoleBinding::NEED,
    &kubelet::ClusterCa::NEED,
    &hetzner::Server::NEED,
    &hetzner::LoadBalancer::NEED,
    &hetzner::Network::NEED,
    &hetzner::Firewall::NEED,
    &hetzner::Location::NEED,
    &hetzner::Certificate::NEED,
    &hetzner::Zone::NEED,
    &kubelet::Kubelet::NEED,
    &kubelet::LogProbe::NEED,
    &controller_log::ControllerLog::NEED,
];

/// The need of that key.
pub fn need(key: &str) -> Option<&'static Need> {
    NEEDS.iter().copied().find(|need| need.key == key)
}

/// Whose servers the Hetzner token shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Project {
    Same,
    Other,
    Undetermined,
}

/// Everything that is known of one cluster at one moment.
#[derive(Clone)]
pub struct Facts {
    /// When the cluster was read. Checks know no other clock.
    pub now: Timestamp,
    /// The kubeconfig context, for the commands that are printed; `None` in a pod.
    pub context: Option<Text>,
    /// The hcloud context, likewise; `None` when the token came from the environment or a file.
    pub hetzner_context: Option<Text>,
    /// The version of the program that recorded a bundle.
    pub recorded_by: Option<Text>,
    /// What stands under pseudonyms; `None` where everything has its own name.
    pub replaced: Option<Replaced>,
    parts: BTreeMap<&'static str, Known<Part>>,
    /// Whose project it is, once somebody asked: all nodes and servers are compared for it.
    project: OnceLock<Known<Project>>,
    /// Where things stand, once somebody asked.
    index: Arc<Index>,
}

impl Facts {
    pub fn new(now: Timestamp) -> Facts {
        Facts {
            now,
            context: None,
            hetzner_context: None,
            recorded_by: None,
            replaced: None,
            parts: BTreeMap::new(),
            project: OnceLock::new(),
            index: Arc::default(),
        }
    }

    /// All objects of one kind, in the order of their names. Hetzner objects of a project are a gap until a node proves
    /// that the token shows this cluster's project.
    pub fn all<T: Kind>(&self) -> Known<&[T]> {
        if let Origin::Hetzner(Collection { of_project: true, .. }) = T::NEED.from {
            let items = self.unproven::<T>()?;
            return match self.project()? {
                Project::Same => Ok(items),
                _ => Err(self.not_our_project()),
            };
        }
        self.unproven::<T>()
    }

    /// The same without asking whose project it is: only for a check that proves it by other means.
    pub fn unproven<T: Kind>(&self) -> Known<&[T]> {
        match self.parts.get(T::NEED.key) {
            Some(Ok(part)) => Ok(part.downcast_ref::<Vec<T>>().expect("a part holds the kind of its need")),
            Some(Err(gap)) => Err(gap.clone()),
            None => Err(Gap::new(T::NEED.key, Why::NotRead, "nobody asked for it")),
        }
    }

    /// The single object of a need that is no list; a gap when it is not there.
    pub fn one<T: Kind>(&self) -> Known<&T> {
        let absent = || Gap::new(T::NEED.key, Why::NotRead, "it is not there");
        self.all::<T>()?.first().ok_or_else(absent)
    }

    /// Whether at least one node proves that the Hetzner token shows this cluster's servers: its provider ID or its public
    /// address (in its status, or as k3s wrote it onto the Node) is a server's. Private addresses repeat from project to project: one counts only where the server has the
    /// node's name too, and no provider ID says otherwise.
    pub fn project(&self) -> Known<Project> {
        self.project.get_or_init(|| self.find_project()).clone()
    }

    fn find_project(&self) -> Known<Project> {
        let servers = self.unproven::<Server>()?;
        let nodes = self.unproven::<Node>()?;
        let ids: HashSet<i64> = servers.iter().map(|server| server.id).collect();
        let mut foreign = false;
        for node in nodes {
            match node.server_id() {
                Some(id) if ids.contains(&id) => return Ok(Project::Same),
                Some(_) => foreign = true,
                None => {}
            }
        }
        let addresses: HashSet<IpAddr> = servers.iter().flat_map(Server::public_addresses).collect();
        let of_server = |address: IpAddr| addresses.contains(&address);
        let mut by_name: HashMap<&str, Vec<&Server>> = HashMap::new();
        servers.iter().for_each(|server| by_name.entry(&*server.name).or_default().push(server));
        let private = |node: &Node, address: IpAddr| {
            let mut namesakes = by_name.get(node.name()).into_iter().flatten();
            !foreign && namesakes.any(|s| s.private_net.iter().any(|n| ip(&n.ip) == Some(address)))
        };
        for node in nodes.iter().filter(|n| n.is_cloud()) {
            let public = node.addresses("ExternalIP").chain(node.addresses("InternalIP")).filter_map(ip);
            if public.into_iter().any(of_server)
                || node.told_addresses().filter_map(ip).any(of_server)
                || node.provided_ips().filter_map(ip).any(|a| of_server(a) || private(node, a))
            {
                return Ok(Project::Same);
            }
        }
        Ok(if foreign { Project::Other } else { Project::Undetermined })
    }

    fn not_our_project(&self) -> Gap {
        let which = match &self.hetzner_context {
            Some(context) => format!(" (hcloud context `{context}`)"),
            None => String::new(),
        };
        let detail = format!("the token does not show this cluster's servers{which}");
        Gap::new("hcloud", Why::OtherProject, detail)
    }

    pub fn put(&mut self, need: &Need, part: Known<Part>) {
        let key =
            self::need(need.key).map_or_else(|| panic!("`{}` is not in NEEDS", need.key), |need| need.key);
        self.parts.insert(key, part);
        self.project.take();
        self.index = Arc::default();
    }

    pub fn part(&self, need: &Need) -> Option<&Known<Part>> {
        self.parts.get(need.key)
    }

    /// The same, and it is not there any more.
    pub fn take(&mut self, need: &Need) -> Option<Known<Part>> {
        self.project.take();
        self.index = Arc::default();
        self.parts.remove(need.key)
    }

    /// Only what these needs give: what a check did not declare does not exist for it.
    pub fn only(&self, needs: &[&Need]) -> Facts {
        let mut facts = self.clone();
        facts.parts.retain(|key, _| needs.iter().any(|need| need.key == *key));
        facts.project.take();
        facts
    }

    /// The same cluster with one need missing.
    pub fn without(&self, need: &Need, gap: Gap) -> Facts {
        let mut facts = self.clone();
        facts.put(need, Err(gap));
        facts
    }
}
