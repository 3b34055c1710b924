//! Kubernetes objects, as far as a check reads them.

mod event;
mod gateway;
mod helm;
mod meta;
mod node;
mod pod;
mod sanitise;
mod service;
mod workload;

pub use event::{Event, EventSource, InvolvedObject};
pub use gateway::{Gateway, GatewayAddress, GatewayInfrastructure, GatewaySpec, GatewayStatus};
pub use helm::{HelmChart, HelmChartConfig, HelmChartSpec};
pub use meta::{Annotations, Condition, Labels, Meta, OwnerReference};
pub use node::{Node, NodeAddress, NodeSpec, NodeStatus, Taint};
pub use pod::{
    Args, Container, ContainerState, ContainerStatus, Env, EnvFrom, EnvSource, EnvVar, KeyRef, NameRef, Pod,
    PodSpec, PodStatus,
};
pub use service::{
    Endpoint, EndpointConditions, EndpointSlice, Ingress, LoadBalancerStatus, Service, ServicePort,
    ServiceSpec,
};
pub use workload::{DaemonSet, Deployment, DeploymentStrategy, PodTemplate};

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
