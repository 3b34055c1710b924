//! Kubernetes objects, as far as a check reads them.

mod cert_manager;
mod cilium;
mod event;
mod extension;
mod gateway;
mod helm;
mod ingress;
mod meta;
mod node;
mod pod;
mod rbac;
mod sanitise;
mod service;
mod storage;
mod values;
mod workload;

pub use cert_manager::{
    Certificate, CertificateRequest, CertificateStatus, Challenge, ClusterIssuer, Issuer, IssuerRef, Order,
};
pub use cilium::{
    CiliumConfig, CiliumL2AnnouncementPolicy, CiliumLoadBalancerIPPool, CiliumNode, ManagedFields, PoolBlock,
};
pub use event::{Event, EventSource, InvolvedObject};
pub use extension::{APIService, CustomResourceDefinition};
pub use gateway::{
    AllowedRoutes, GROUP as GATEWAY_GROUP, GRPCRoute, Gateway, GatewayAddress, GatewayClass,
    GatewayInfrastructure, GatewaySpec, GatewayStatus, GrantFrom, GrantTo, HTTPRoute, Listener,
    ListenerStatus, ObjectReference, ParentReference, ReferenceGrant, RouteParentStatus, RouteSpec,
    RouteStatus,
};
pub use helm::{HelmChart, HelmChartConfig, HelmChartConfigSpec, HelmChartSpec};
pub use ingress::IngressObject;
pub use meta::{
    Annotations, Condition, LabelExpression, LabelSelector, Labels, Meta, OwnerReference, condition,
};
pub use node::{Node, NodeAddress, NodeSpec, NodeStatus, Taint};
pub use pod::{
    Args, Container, ContainerState, ContainerStatus, Env, EnvFrom, EnvSource, EnvVar, KeyRef, NameRef, Pod,
    PodSpec, PodStatus,
};
pub use rbac::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject};
pub use service::{
    Endpoint, EndpointConditions, EndpointSlice, Ingress, LoadBalancerStatus, Service, ServicePort,
    ServiceSpec,
};
pub use storage::{CSIDriver, CSINode, StorageClass};
pub(in crate::facts) use values::parse as parse_values;
pub use values::{Values, is_placeholder};
pub use workload::{DaemonSet, Deployment, DeploymentStrategy, Job, PodTemplate};

use super::wire::wire;
use super::{Kind, Need, Resource, Text};
use crate::ObjectRef;

wire! { "camelCase"
    /// `GET /version`.
    pub struct Version {
        pub git_version: Text,
    }

    pub struct Namespace {
        pub metadata: Meta,
    }
}

impl Kind for Version {
    const NEED: Need = Need::kubernetes_path::<Version>("version", "/version");
    fn reference(&self) -> ObjectRef {
        ObjectRef::new("Version", None, &self.git_version)
    }
}

impl Kind for Namespace {
    const NEED: Need = Need::kubernetes::<Namespace>("namespaces", Resource::core("namespaces"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("Namespace")
    }
}
