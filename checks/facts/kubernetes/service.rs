use super::super::wire::wire;
use super::super::{Kind, Need, Resource, Text};
use super::meta::Meta;
use crate::ObjectRef;

wire! { "camelCase"
    pub struct Service {
        pub metadata: Meta,
        pub spec: ServiceSpec,
        pub status: ServiceStatus,
    }

    pub struct ServiceSpec {
        pub r#type: Text,
        pub ports: Vec<ServicePort>,
        pub load_balancer_class: Option<Text>,
        pub external_traffic_policy: Text,
        pub allocate_load_balancer_node_ports: Option<bool>,
        pub health_check_node_port: i64,
        pub load_balancer_source_ranges: Vec<Text>,
    }

    pub struct ServicePort {
        pub name: Text,
        pub protocol: Text,
        pub port: i64,
        pub node_port: i64,
    }

    pub struct ServiceStatus {
        pub load_balancer: LoadBalancerStatus,
    }

    pub struct LoadBalancerStatus {
        pub ingress: Vec<Ingress>,
    }

    pub struct Ingress {
        pub ip: Text,
        pub hostname: Text,
        pub ip_mode: Text,
    }

    pub struct EndpointSlice {
        pub metadata: Meta,
        pub address_type: Text,
        pub endpoints: Vec<Endpoint>,
    }

    pub struct Endpoint {
        pub conditions: EndpointConditions,
        pub node_name: Text,
    }

    pub struct EndpointConditions {
        pub ready: Option<bool>,
    }
}

impl Kind for Service {
    const NEED: Need = Need::kubernetes::<Service>("services", Resource::core("services"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("Service")
    }
}

impl Kind for EndpointSlice {
    const NEED: Need = Need::kubernetes::<EndpointSlice>(
        "endpointslices",
        Resource::built_in("discovery.k8s.io", &["v1"], "endpointslices"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("EndpointSlice")
    }
    fn slim(&mut self) {
        self.metadata.uid = Text::default();
    }
}

impl Service {
    /// Type LoadBalancer, not being deleted, and left to the cluster's default controller (no `loadBalancerClass`).
    pub fn wants_load_balancer(&self) -> bool {
        self.spec.r#type == "LoadBalancer"
            && self.spec.load_balancer_class.is_none()
            && self.metadata.deletion_timestamp.is_none()
    }

    /// An address or a host name stands in its status.
    pub fn has_ingress(&self) -> bool {
        self.status.load_balancer.ingress.iter().any(|i| !i.ip.is_empty() || !i.hostname.is_empty())
    }

    /// Its ports that a Hetzner load balancer can forward. HCCM leaves out UDP and SCTP ports, which may have the number of
    /// a TCP port (HTTP/3).
    pub fn tcp_ports(&self) -> impl Iterator<Item = &ServicePort> {
        self.spec.ports.iter().filter(|port| port.protocol.is_empty() || port.protocol == "TCP")
    }

    pub fn annotation(&self, suffix: &str) -> Option<&str> {
        self.metadata.annotation(&format!("load-balancer.hetzner.cloud/{suffix}"))
    }
}

impl Endpoint {
    /// Ready as kube-proxy reads it: an absent condition is ready.
    pub fn is_ready(&self) -> bool {
        self.conditions.ready != Some(false)
    }
}

impl EndpointSlice {
    /// The Service that it belongs to, in its own namespace.
    pub fn service_name(&self) -> Option<&str> {
        self.metadata.label("kubernetes.io/service-name")
    }

    /// Belongs to that Service.
    pub fn is_of(&self, service: &Service) -> bool {
        self.metadata.namespace == service.metadata.namespace
            && self.service_name() == Some(&*service.metadata.name)
    }
}
