use super::super::wire::wire;
use super::super::{Kind, Need, Resource, Text, Time};
use super::meta::{Condition, Meta};
use super::pod::PodSpec;
use crate::ObjectRef;

wire! { "camelCase"
    pub struct Deployment {
        pub metadata: Meta,
        pub spec: DeploymentSpec,
        pub status: DeploymentStatus,
    }

    pub struct DeploymentSpec {
        pub replicas: Option<i64>,
        pub strategy: DeploymentStrategy,
        pub template: PodTemplate,
    }

    pub struct DeploymentStrategy {
        pub r#type: Text,
    }

    pub struct PodTemplate {
        pub metadata: Meta,
        pub spec: PodSpec,
    }

    pub struct DeploymentStatus {
        pub observed_generation: Option<i64>,
        pub replicas: i64,
        pub updated_replicas: i64,
        pub ready_replicas: i64,
        pub available_replicas: i64,
        pub conditions: Vec<Condition>,
    }

    pub struct DaemonSet {
        pub metadata: Meta,
        pub spec: DaemonSetSpec,
        pub status: DaemonSetStatus,
    }

    pub struct Job {
        pub metadata: Meta,
        pub spec: JobSpec,
        pub status: JobStatus,
    }

    pub struct JobSpec {
        pub backoff_limit: Option<i64>,
        pub template: PodTemplate,
    }

    pub struct JobStatus {
        pub active: i64,
        pub succeeded: i64,
        pub failed: i64,
        pub start_time: Time,
        pub completion_time: Time,
        pub conditions: Vec<Condition>,
    }

    pub struct DaemonSetSpec {
        pub template: PodTemplate,
    }

    pub struct DaemonSetStatus {
        pub desired_number_scheduled: i64,
        pub updated_number_scheduled: i64,
        pub number_ready: i64,
        pub number_available: i64,
    }
}

impl Kind for Deployment {
    const NEED: Need =
        Need::kubernetes::<Deployment>("deployments", Resource::built_in("apps", &["v1"], "deployments"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("Deployment")
    }
}

impl Kind for DaemonSet {
    const NEED: Need =
        Need::kubernetes::<DaemonSet>("daemonsets", Resource::built_in("apps", &["v1"], "daemonsets"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("DaemonSet")
    }
}

impl Kind for Job {
    const NEED: Need = Need::kubernetes::<Job>("jobs", Resource::built_in("batch", &["v1"], "jobs"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("Job")
    }
}
