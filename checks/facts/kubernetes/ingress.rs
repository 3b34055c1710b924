use super::super::wire::wire;
use super::super::{Kind, Need, Resource, Text};
use super::meta::Meta;
use crate::ObjectRef;

wire! { "camelCase"
    pub struct IngressObject {
        pub metadata: Meta,
        pub spec: IngressSpec,
    }

    pub struct IngressSpec {
        pub ingress_class_name: Option<Text>,
        pub tls: Vec<IngressTls>,
    }

    pub struct IngressTls {
        pub hosts: Vec<Text>,
        pub secret_name: Text,
    }
}

impl Kind for IngressObject {
    const NEED: Need = Need::kubernetes::<IngressObject>(
        "ingresses",
        Resource::built_in("networking.k8s.io", &["v1"], "ingresses"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("Ingress")
    }
}
