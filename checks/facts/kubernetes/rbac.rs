//! Who may do what.

use super::super::wire::wire;
use super::super::{Kind, Need, Resource, Text};
use super::meta::Meta;
use crate::ObjectRef;

const GROUP: &str = "rbac.authorization.k8s.io";

wire! { "camelCase"
    pub struct ClusterRole {
        pub metadata: Meta,
        pub rules: Vec<PolicyRule>,
    }

    pub struct Role {
        pub metadata: Meta,
        pub rules: Vec<PolicyRule>,
    }

    pub struct PolicyRule {
        pub api_groups: Vec<Text>,
        pub resources: Vec<Text>,
        pub resource_names: Vec<Text>,
        pub verbs: Vec<Text>,
    }

    pub struct ClusterRoleBinding {
        pub metadata: Meta,
        pub role_ref: RoleRef,
        pub subjects: Vec<Subject>,
    }

    pub struct RoleBinding {
        pub metadata: Meta,
        pub role_ref: RoleRef,
        pub subjects: Vec<Subject>,
    }

    pub struct RoleRef {
        pub api_group: Text,
        pub kind: Text,
        pub name: Text,
    }

    pub struct Subject {
        pub api_group: Text,
        /// `ServiceAccount`, `User` or `Group`.
        pub kind: Text,
        pub namespace: Option<Text>,
        pub name: Text,
    }
}

impl Kind for ClusterRole {
    const NEED: Need =
        Need::kubernetes::<ClusterRole>("clusterroles", Resource::built_in(GROUP, &["v1"], "clusterroles"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("ClusterRole")
    }
}

impl Kind for Role {
    const NEED: Need = Need::kubernetes::<Role>("roles", Resource::built_in(GROUP, &["v1"], "roles"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("Role")
    }
}

impl Kind for ClusterRoleBinding {
    const NEED: Need = Need::kubernetes::<ClusterRoleBinding>(
        "clusterrolebindings",
        Resource::built_in(GROUP, &["v1"], "clusterrolebindings"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("ClusterRoleBinding")
    }
}

impl Kind for RoleBinding {
    const NEED: Need =
        Need::kubernetes::<RoleBinding>("rolebindings", Resource::built_in(GROUP, &["v1"], "rolebindings"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("RoleBinding")
    }
}
