use super::super::wire::wire;
use super::super::{Kind, Need, Text};
use crate::ObjectRef;

wire! { "snake_case"
    pub struct Network {
        pub id: i64,
        pub name: Text,
        pub ip_range: Text,
        pub subnets: Vec<Subnet>,
        pub routes: Vec<Route>,
    }

    pub struct Subnet {
        pub r#type: Text,
        pub ip_range: Text,
        pub network_zone: Text,
        pub gateway: Text,
    }

    pub struct Route {
        pub destination: Text,
        pub gateway: Text,
    }

    /// A location, by itself or inside a server or load balancer.
    pub struct Location {
        pub name: Text,
        pub network_zone: Text,
    }
}

impl Kind for Network {
    const NEED: Need = Need::hetzner::<Network>("hcloud.networks", "networks", true);
    fn reference(&self) -> ObjectRef {
        ObjectRef::hetzner("Network", &self.name, self.id)
    }
}

impl Kind for Location {
    const NEED: Need = Need::hetzner::<Location>("hcloud.locations", "locations", false);
    fn reference(&self) -> ObjectRef {
        ObjectRef::new("Location", None, &self.name)
    }
}
