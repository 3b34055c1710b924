use super::super::wire::wire;
use super::super::{Kind, Need, Text, Time};
use crate::ObjectRef;

wire! { "snake_case"
    /// A DNS zone at Hetzner.
    pub struct Zone {
        pub id: i64,
        pub name: Text,
        pub mode: Text,
        pub status: Text,
        pub authoritative_nameservers: Nameservers,
    }

    pub struct Nameservers {
        pub assigned: Vec<Text>,
        pub delegated: Vec<Text>,
        pub delegation_last_check: Time,
        /// `valid`, `partially-valid`, `invalid`, `lame`, `unregistered` or `unknown`.
        pub delegation_status: Text,
    }
}

impl Kind for Zone {
    const NEED: Need = Need::hetzner::<Zone>("hcloud.zones", "zones", true);
    fn reference(&self) -> ObjectRef {
        ObjectRef::hetzner("Zone", &self.name, self.id)
    }
}
