//! How the API itself is extended.

use super::super::wire::wire;
use super::super::{Kind, Need, Resource, Text};
use super::meta::{Condition, Meta};
use crate::ObjectRef;

wire! { "camelCase"
    pub struct CustomResourceDefinition {
        pub metadata: Meta,
        pub spec: DefinitionSpec,
        pub status: DefinitionStatus,
    }

    pub struct DefinitionSpec {
        pub group: Text,
        pub names: DefinitionNames,
        pub versions: Vec<DefinitionVersion>,
    }

    pub struct DefinitionNames {
        pub kind: Text,
        pub plural: Text,
    }

    pub struct DefinitionVersion {
        pub name: Text,
        /// Always written: `false` is a value.
        pub served: Option<bool>,
        pub storage: bool,
    }

    pub struct DefinitionStatus {
        pub conditions: Vec<Condition>,
        pub stored_versions: Vec<Text>,
    }

    /// Where the API server finds an API that another server serves.
    pub struct APIService {
        pub metadata: Meta,
        pub spec: APIServiceSpec,
        pub status: APIServiceStatus,
    }

    pub struct APIServiceSpec {
        pub service: Option<ServiceReference>,
        pub group: Text,
        pub version: Text,
    }

    pub struct ServiceReference {
        pub namespace: Text,
        pub name: Text,
    }

    pub struct APIServiceStatus {
        pub conditions: Vec<Condition>,
    }
}

impl Kind for CustomResourceDefinition {
    const NEED: Need = Need::kubernetes::<CustomResourceDefinition>(
        "customresourcedefinitions",
        Resource::built_in("apiextensions.k8s.io", &["v1"], "customresourcedefinitions"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("CustomResourceDefinition")
    }
}

impl Kind for APIService {
    const NEED: Need = Need::kubernetes::<APIService>(
        "apiservices",
        Resource::built_in("apiregistration.k8s.io", &["v1"], "apiservices")
            .where_field("metadata.name=v1beta1.metrics.k8s.io"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("APIService")
    }
}
