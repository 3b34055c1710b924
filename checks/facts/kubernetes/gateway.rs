use super::super::wire::wire;
use super::super::{Kind, Need, Resource, Text};
use super::meta::{Annotations, Condition, Meta};
use crate::ObjectRef;

wire! { "camelCase"
    /// `gateway.networking.k8s.io` Gateway.
    pub struct Gateway {
        pub metadata: Meta,
        pub spec: GatewaySpec,
        pub status: GatewayStatus,
    }

    pub struct GatewaySpec {
        pub gateway_class_name: Text,
        pub infrastructure: Option<GatewayInfrastructure>,
    }

    pub struct GatewayInfrastructure {
        pub annotations: Annotations,
    }

    pub struct GatewayStatus {
        pub addresses: Vec<GatewayAddress>,
        pub conditions: Vec<Condition>,
    }

    pub struct GatewayAddress {
        pub r#type: Text,
        pub value: Text,
    }
}

impl Kind for Gateway {
    const NEED: Need = Need::kubernetes::<Gateway>(
        "gateways",
        Resource::custom("gateway.networking.k8s.io", &["v1", "v1beta1"], "gateways"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("Gateway")
    }
}
