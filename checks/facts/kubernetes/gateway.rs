//! `gateway.networking.k8s.io`, as far as a check reads it.

use super::super::wire::wire;
use super::super::{Kind, Need, Resource, Text};
use super::meta::{Annotations, Condition, LabelSelector, Meta};
use crate::ObjectRef;

pub const GROUP: &str = "gateway.networking.k8s.io";

wire! { "camelCase"
    pub struct GatewayClass {
        pub metadata: Meta,
        pub spec: GatewayClassSpec,
        pub status: Conditions,
    }

    pub struct GatewayClassSpec {
        pub controller_name: Text,
    }

    /// A status of which only the conditions are read.
    pub struct Conditions {
        pub conditions: Vec<Condition>,
    }

    pub struct Gateway {
        pub metadata: Meta,
        pub spec: GatewaySpec,
        pub status: GatewayStatus,
    }

    pub struct GatewaySpec {
        pub gateway_class_name: Text,
        pub infrastructure: Option<GatewayInfrastructure>,
        pub listeners: Vec<Listener>,
    }

    pub struct GatewayInfrastructure {
        pub annotations: Annotations,
    }

    pub struct Listener {
        pub name: Text,
        pub hostname: Text,
        pub port: i64,
        pub protocol: Text,
        pub tls: Option<ListenerTls>,
        pub allowed_routes: Option<AllowedRoutes>,
    }

    pub struct ListenerTls {
        pub mode: Text,
        pub certificate_refs: Vec<ObjectReference>,
    }

    /// A reference to an object of another kind; the namespace is the referrer's where it is absent.
    pub struct ObjectReference {
        pub group: Option<Text>,
        pub kind: Option<Text>,
        pub namespace: Option<Text>,
        pub name: Text,
        pub port: Option<i64>,
    }

    pub struct AllowedRoutes {
        pub namespaces: Option<RouteNamespaces>,
        pub kinds: Vec<RouteKind>,
    }

    pub struct RouteNamespaces {
        /// `Same` where it is absent; `All`, `Selector` or `None`.
        pub from: Text,
        pub selector: Option<LabelSelector>,
    }

    pub struct RouteKind {
        pub group: Option<Text>,
        pub kind: Text,
    }

    pub struct GatewayStatus {
        pub addresses: Vec<GatewayAddress>,
        pub conditions: Vec<Condition>,
        pub listeners: Vec<ListenerStatus>,
    }

    pub struct GatewayAddress {
        pub r#type: Text,
        pub value: Text,
    }

    pub struct ListenerStatus {
        pub name: Text,
        pub attached_routes: i64,
        pub conditions: Vec<Condition>,
    }

    pub struct HTTPRoute {
        pub metadata: Meta,
        pub spec: RouteSpec,
        pub status: RouteStatus,
    }

    pub struct GRPCRoute {
        pub metadata: Meta,
        pub spec: RouteSpec,
        pub status: RouteStatus,
    }

    pub struct RouteSpec {
        pub parent_refs: Vec<ParentReference>,
        pub hostnames: Vec<Text>,
        pub rules: Vec<RouteRule>,
    }

    pub struct ParentReference {
        pub group: Option<Text>,
        pub kind: Option<Text>,
        pub namespace: Option<Text>,
        pub name: Text,
        pub section_name: Option<Text>,
        pub port: Option<i64>,
    }

    pub struct RouteRule {
        pub backend_refs: Vec<ObjectReference>,
    }

    pub struct RouteStatus {
        pub parents: Vec<RouteParentStatus>,
    }

    pub struct RouteParentStatus {
        pub parent_ref: ParentReference,
        pub controller_name: Text,
        pub conditions: Vec<Condition>,
    }

    pub struct ReferenceGrant {
        pub metadata: Meta,
        pub spec: ReferenceGrantSpec,
    }

    pub struct ReferenceGrantSpec {
        pub from: Vec<GrantFrom>,
        pub to: Vec<GrantTo>,
    }

    pub struct GrantFrom {
        pub group: Text,
        pub kind: Text,
        pub namespace: Text,
    }

    pub struct GrantTo {
        pub group: Text,
        pub kind: Text,
        pub name: Option<Text>,
    }
}

impl Kind for GatewayClass {
    const NEED: Need = Need::kubernetes::<GatewayClass>(
        "gatewayclasses",
        Resource::custom(GROUP, &["v1", "v1beta1"], "gatewayclasses"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("GatewayClass")
    }
}

impl Kind for Gateway {
    const NEED: Need =
        Need::kubernetes::<Gateway>("gateways", Resource::custom(GROUP, &["v1", "v1beta1"], "gateways"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("Gateway")
    }
}

impl Kind for HTTPRoute {
    const NEED: Need = Need::kubernetes::<HTTPRoute>(
        "httproutes",
        Resource::custom(GROUP, &["v1", "v1beta1"], "httproutes"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("HTTPRoute")
    }
}

impl Kind for GRPCRoute {
    const NEED: Need =
        Need::kubernetes::<GRPCRoute>("grpcroutes", Resource::custom(GROUP, &["v1"], "grpcroutes"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("GRPCRoute")
    }
}

impl Kind for ReferenceGrant {
    const NEED: Need = Need::kubernetes::<ReferenceGrant>(
        "referencegrants",
        Resource::custom(GROUP, &["v1", "v1beta1"], "referencegrants"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("ReferenceGrant")
    }
}
