use std::net::IpAddr;

use super::super::wire::wire;
use super::super::{Kind, Need, Text};
use super::network::Location;
use crate::ObjectRef;
use crate::domain::addresses::ip;

wire! { "snake_case"
    pub struct Server {
        pub id: i64,
        pub name: Text,
        pub status: Text,
        pub public_net: PublicNet,
        pub private_net: Vec<PrivateNet>,
        pub location: Location,
        pub rescue_enabled: bool,
        pub locked: bool,
    }

    pub struct PublicNet {
        pub ipv4: Option<PublicAddress>,
        pub ipv6: Option<PublicAddress>,
        pub firewalls: Vec<ServerFirewall>,
    }

    pub struct PublicAddress {
        pub ip: Text,
    }

    pub struct ServerFirewall {
        pub id: i64,
        pub status: Text,
    }

    pub struct PrivateNet {
        pub network: i64,
        pub ip: Text,
    }
}

impl Kind for Server {
    const NEED: Need = Need::hetzner::<Server>("hcloud.servers", "servers", true);
    fn reference(&self) -> ObjectRef {
        ObjectRef::hetzner("Server", &self.name, self.id)
    }
}

impl Server {
    /// Its public IPv4, and of its IPv6 network the address `::1`, which HCCM and Hetzner's images use.
    pub fn public_addresses(&self) -> impl Iterator<Item = IpAddr> {
        let v4 = self.public_net.ipv4.as_ref().and_then(|a| ip(&a.ip));
        let v6 = self.public_net.ipv6.as_ref().and_then(|a| {
            let network: ipnet::Ipv6Net = a.ip.parse().ok()?;
            Some(IpAddr::V6((u128::from(network.network()) | 1).into()))
        });
        v4.into_iter().chain(v6)
    }
}
