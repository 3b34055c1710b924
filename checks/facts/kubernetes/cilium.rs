//! Cilium's configuration and resources, as far as a check reads them.

use super::super::wire::{kept_by_key, wire};
use super::super::{Kind, Need, Resource, Text, Time};
use super::meta::{Condition, LabelSelector, Meta};
use super::sanitise;
use crate::ObjectRef;

wire! { "camelCase"
    /// The ConfigMap `kube-system/cilium-config`, which agents and operator read at their start.
    pub struct CiliumConfig {
        pub metadata: ConfigMeta,
        pub data: CiliumData,
    }

    pub struct ConfigMeta {
        pub name: Text,
        pub namespace: Option<Text>,
        pub creation_timestamp: Time,
        pub managed_fields: Vec<ManagedFields>,
    }

    /// When one of its writers wrote an object last.
    pub struct ManagedFields {
        pub time: Time,
    }

    /// What Cilium knows of a node.
    pub struct CiliumNode {
        pub metadata: Meta,
        pub spec: CiliumNodeSpec,
    }

    pub struct CiliumNodeSpec {
        pub addresses: Vec<CiliumAddress>,
        pub ipam: CiliumIpam,
    }

    pub struct CiliumAddress {
        pub r#type: Text,
        pub ip: Text,
    }

    pub struct CiliumIpam {
        #[serde(rename = "podCIDRs")]
        pub pod_cidrs: Vec<Text>,
    }

    pub struct CiliumLoadBalancerIPPool {
        pub metadata: Meta,
        pub spec: PoolSpec,
        pub status: PoolStatus,
    }

    pub struct PoolSpec {
        pub disabled: bool,
        pub service_selector: Option<LabelSelector>,
        pub blocks: Vec<PoolBlock>,
    }

    pub struct PoolBlock {
        pub cidr: Text,
        pub start: Text,
        pub stop: Text,
    }

    pub struct PoolStatus {
        pub conditions: Vec<Condition>,
    }

    pub struct CiliumL2AnnouncementPolicy {
        pub metadata: Meta,
        pub spec: L2Spec,
    }

    pub struct L2Spec {
        #[serde(rename = "loadBalancerIPs")]
        pub load_balancer_ips: bool,
        #[serde(rename = "externalIPs")]
        pub external_ips: bool,
        pub service_selector: Option<LabelSelector>,
    }
}

kept_by_key!(CiliumData, "Settings whose keys the doctor knows.", |key, value| {
    sanitise::keeps_cilium_setting(key).then(|| Text::new(value))
});

impl Kind for CiliumConfig {
    const NEED: Need = Need::kubernetes::<CiliumConfig>(
        "cilium_config",
        Resource::core("configmaps").only("kube-system", "cilium-config"),
    );
    fn reference(&self) -> ObjectRef {
        ObjectRef::new("ConfigMap", self.metadata.namespace.as_deref(), &self.metadata.name)
    }
}

impl Kind for CiliumNode {
    const NEED: Need =
        Need::kubernetes::<CiliumNode>("ciliumnodes", Resource::custom("cilium.io", &["v2"], "ciliumnodes"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("CiliumNode")
    }
}

impl Kind for CiliumLoadBalancerIPPool {
    const NEED: Need = Need::kubernetes::<CiliumLoadBalancerIPPool>(
        "ciliumloadbalancerippools",
        Resource::custom("cilium.io", &["v2", "v2alpha1"], "ciliumloadbalancerippools"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("CiliumLoadBalancerIPPool")
    }
}

impl Kind for CiliumL2AnnouncementPolicy {
    const NEED: Need = Need::kubernetes::<CiliumL2AnnouncementPolicy>(
        "ciliuml2announcementpolicies",
        Resource::custom("cilium.io", &["v2alpha1"], "ciliuml2announcementpolicies"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("CiliumL2AnnouncementPolicy")
    }
}

impl CiliumConfig {
    pub fn get(&self, key: &str) -> Option<&str> {
        self.data.0.get(key).map(|value| &**value)
    }

    pub fn is_true(&self, key: &str) -> bool {
        self.get(key) == Some("true")
    }

    /// When it was last written, as far as the API server recorded it.
    pub fn written(&self) -> Time {
        let times = self.metadata.managed_fields.iter().map(|fields| fields.time);
        times.max().unwrap_or_default().max(self.metadata.creation_timestamp)
    }
}
