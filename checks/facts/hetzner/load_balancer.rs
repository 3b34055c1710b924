use super::super::wire::{kept_by_key, wire};
use super::super::{Kind, Need, Text, Time};
use super::network::Location;
use crate::ObjectRef;

wire! { "snake_case"
    pub struct LoadBalancer {
        pub id: i64,
        pub name: Text,
        pub created: Time,
        pub labels: CcmLabels,
        pub location: Location,
        pub public_net: LbPublicNet,
        pub private_net: Vec<LbPrivateNet>,
        pub services: Vec<LbService>,
        pub targets: Vec<Target>,
    }

    pub struct LbPublicNet {
        pub enabled: bool,
        pub ipv4: Option<LbAddress>,
        pub ipv6: Option<LbAddress>,
    }

    pub struct LbAddress {
        pub ip: Text,
    }

    pub struct LbPrivateNet {
        pub network: i64,
        pub ip: Text,
    }

    pub struct LbService {
        pub protocol: Text,
        pub listen_port: i64,
        pub destination_port: i64,
        pub proxyprotocol: bool,
        pub health_check: HealthCheck,
        /// Of `http` and `https` only.
        pub http: Option<LbHttp>,
    }

    pub struct LbHttp {
        pub certificates: Vec<i64>,
        pub redirect_http: bool,
    }

    pub struct HealthCheck {
        pub protocol: Text,
        pub port: i64,
        pub http: Option<HttpHealthCheck>,
    }

    pub struct HttpHealthCheck {
        pub path: Text,
        pub status_codes: Vec<Text>,
    }

    pub struct Target {
        pub r#type: Text,
        pub server: Option<TargetServer>,
        pub ip: Option<TargetIp>,
        pub use_private_ip: bool,
        pub health_status: Vec<HealthStatus>,
        /// The servers behind a `label_selector` target; their health stands here and not above.
        pub targets: Vec<SelectedTarget>,
    }

    pub struct TargetServer {
        pub id: i64,
    }

    pub struct TargetIp {
        pub ip: Text,
    }

    pub struct SelectedTarget {
        pub r#type: Text,
        pub server: Option<TargetServer>,
        pub use_private_ip: bool,
        pub health_status: Vec<HealthStatus>,
    }

    pub struct HealthStatus {
        pub listen_port: i64,
        pub status: Text,
    }
}

kept_by_key!(CcmLabels, "Labels that HCCM sets.", |key, value| {
    key.starts_with("hcloud-ccm/").then(|| Text::new(value))
});

impl Kind for LoadBalancer {
    const NEED: Need = Need::hetzner::<LoadBalancer>("hcloud.load_balancers", "load_balancers", true);
    fn reference(&self) -> ObjectRef {
        ObjectRef::hetzner("LoadBalancer", &self.name, self.id)
    }
}

impl LoadBalancer {
    /// The UID of the Service that HCCM made it for.
    pub fn service_uid(&self) -> Option<&str> {
        self.labels.0.get("hcloud-ccm/service-uid").map(|uid| &**uid)
    }
}
