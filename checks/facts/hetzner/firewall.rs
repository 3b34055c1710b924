use super::super::wire::wire;
use super::super::{Kind, Need, Text};
use super::load_balancer::TargetServer;
use crate::ObjectRef;

wire! { "snake_case"
    /// A Cloud Firewall: filters the public interface only.
    pub struct Firewall {
        pub id: i64,
        pub name: Text,
        pub rules: Vec<Rule>,
        pub applied_to: Vec<AppliedTo>,
    }

    pub struct Rule {
        pub direction: Text,
        pub protocol: Text,
        /// `80` or `80-85`; absent for protocols without ports.
        pub port: Option<Text>,
        pub source_ips: Vec<Text>,
    }

    pub struct AppliedTo {
        pub r#type: Text,
        pub server: Option<TargetServer>,
        /// The servers behind a label selector.
        pub applied_to_resources: Vec<AppliedResource>,
    }

    pub struct AppliedResource {
        pub r#type: Text,
        pub server: Option<TargetServer>,
    }
}

impl Kind for Firewall {
    const NEED: Need = Need::hetzner::<Firewall>("hcloud.firewalls", "firewalls", true);
    fn reference(&self) -> ObjectRef {
        ObjectRef::hetzner("Firewall", &self.name, self.id)
    }
}

impl Firewall {
    /// The servers that it is applied to, directly or through a label selector.
    pub fn server_ids(&self) -> impl Iterator<Item = i64> {
        let direct = self.applied_to.iter().filter_map(|a| a.server.as_ref());
        let selected =
            self.applied_to.iter().flat_map(|a| &a.applied_to_resources).filter_map(|r| r.server.as_ref());
        direct.chain(selected).map(|server| server.id)
    }
}
