use super::super::wire::wire;
use super::super::{Kind, Need, Resource, Text};
use super::meta::{Condition, Meta};
use crate::ObjectRef;

wire! { "camelCase"
    pub struct Node {
        pub metadata: Meta,
        pub spec: NodeSpec,
        pub status: NodeStatus,
    }

    pub struct NodeSpec {
        #[serde(rename = "providerID")]
        pub provider_id: Text,
        #[serde(rename = "podCIDRs")]
        pub pod_cidrs: Vec<Text>,
        pub taints: Vec<Taint>,
        pub unschedulable: bool,
    }

    pub struct Taint {
        pub key: Text,
        pub value: Text,
        pub effect: Text,
    }

    pub struct NodeStatus {
        pub addresses: Vec<NodeAddress>,
        pub conditions: Vec<Condition>,
        pub daemon_endpoints: DaemonEndpoints,
        pub node_info: NodeInfo,
    }

    pub struct NodeAddress {
        pub r#type: Text,
        pub address: Text,
    }

    pub struct DaemonEndpoints {
        pub kubelet_endpoint: DaemonEndpoint,
    }

    pub struct DaemonEndpoint {
        #[serde(rename = "Port")]
        pub port: u16,
    }

    pub struct NodeInfo {
        pub kubelet_version: Text,
        pub kernel_version: Text,
        pub os_image: Text,
    }
}

impl Kind for Node {
    const NEED: Need = Need::kubernetes::<Node>("nodes", Resource::core("nodes"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("Node")
    }
}

impl Node {
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// The Hetzner server's ID of `hcloud://<id>`; `None` for any other provider ID (Robot: `hrobot://`, `hcloud://bm-`).
    pub fn server_id(&self) -> Option<i64> {
        self.spec.provider_id.strip_prefix("hcloud://")?.parse().ok()
    }

    /// Not a dedicated (Robot) server, which the Cloud API does not know.
    pub fn is_cloud(&self) -> bool {
        !self.spec.provider_id.starts_with("hrobot://")
            && !self.spec.provider_id.starts_with("hcloud://bm-")
            && self.metadata.label("instance.hetzner.cloud/provided-by") != Some("robot")
    }

    /// Addresses of one type (`InternalIP`, `ExternalIP`, `Hostname`) in the order of the status.
    pub fn addresses<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        self.status.addresses.iter().filter(move |a| a.r#type == kind).map(|a| &*a.address)
    }

    /// The node IPs that the kubelet was told, from `alpha.kubernetes.io/provided-node-ip`; none in dual-stack.
    pub fn provided_ips(&self) -> impl Iterator<Item = &str> {
        self.metadata
            .annotation("alpha.kubernetes.io/provided-node-ip")
            .into_iter()
            .flat_map(|ips| ips.split(','))
            .map(str::trim)
    }

    /// Addresses that k3s itself wrote onto the Node, before any cloud controller: Flannel's and the etcd member's.
    pub fn told_addresses(&self) -> impl Iterator<Item = &str> {
        let keys = ["flannel.alpha.coreos.com/public-ip", "etcd.k3s.cattle.io/node-address"];
        keys.into_iter().filter_map(|key| self.metadata.annotation(key))
    }

    /// The kubelet's port: as the node says, else the default.
    pub fn kubelet_port(&self) -> u16 {
        match self.status.daemon_endpoints.kubelet_endpoint.port {
            0 => 10250,
            port => port,
        }
    }

    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|c| c.r#type == kind)
    }

    pub fn is_ready(&self) -> bool {
        self.condition("Ready").is_some_and(|c| c.status == "True")
    }

    /// Not yet initialised by a cloud controller.
    pub fn is_uninitialized(&self) -> bool {
        self.spec.taints.iter().any(|t| t.key == "node.cloudprovider.kubernetes.io/uninitialized")
    }

    /// Kept out of external load balancers, as cloud-provider reads the label: anything but a false is yes.
    pub fn is_excluded_from_load_balancers(&self) -> bool {
        let value = self.metadata.label("node.kubernetes.io/exclude-from-external-load-balancers");
        value.is_some_and(|value| !["0", "f", "F", "false", "FALSE", "False"].contains(&value))
    }

    /// Runs a k3s server: API server and datastore.
    pub fn is_control_plane(&self) -> bool {
        self.metadata.labels.0.contains_key("node-role.kubernetes.io/control-plane")
    }

    /// A member of k3s's embedded etcd: by its role, or by what k3s writes onto a member's Node. Better once too often: what
    /// is safe on any other server stops a member.
    pub fn is_etcd(&self) -> bool {
        let written = ["etcd.k3s.cattle.io/node-name", "etcd.k3s.cattle.io/node-address"];
        self.metadata.labels.0.contains_key("node-role.kubernetes.io/etcd")
            || written.into_iter().any(|key| self.metadata.annotation(key).is_some())
    }
}
