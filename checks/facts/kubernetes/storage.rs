use super::super::wire::wire;
use super::super::{Kind, Need, Resource, Text};
use super::meta::Meta;
use crate::ObjectRef;

const GROUP: &str = "storage.k8s.io";

wire! { "camelCase"
    pub struct StorageClass {
        pub metadata: Meta,
        pub provisioner: Text,
        pub volume_binding_mode: Text,
    }

    pub struct CSIDriver {
        pub metadata: Meta,
    }

    /// The CSI drivers that registered themselves with a node's kubelet; it has the node's name.
    pub struct CSINode {
        pub metadata: Meta,
        pub spec: CSINodeSpec,
    }

    pub struct CSINodeSpec {
        pub drivers: Vec<CSINodeDriver>,
    }

    pub struct CSINodeDriver {
        pub name: Text,
        #[serde(rename = "nodeID")]
        pub node_id: Text,
        pub topology_keys: Vec<Text>,
    }
}

impl Kind for StorageClass {
    const NEED: Need = Need::kubernetes::<StorageClass>(
        "storageclasses",
        Resource::built_in(GROUP, &["v1"], "storageclasses"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("StorageClass")
    }
}

impl Kind for CSIDriver {
    const NEED: Need =
        Need::kubernetes::<CSIDriver>("csidrivers", Resource::built_in(GROUP, &["v1"], "csidrivers"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("CSIDriver")
    }
}

impl Kind for CSINode {
    const NEED: Need =
        Need::kubernetes::<CSINode>("csinodes", Resource::built_in(GROUP, &["v1"], "csinodes"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("CSINode")
    }
}
