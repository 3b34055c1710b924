//! cert-manager's chain: Certificate, CertificateRequest, Order, Challenge, and who issues.

use super::super::wire::wire;
use super::super::{Kind, Need, Resource, Text, Time};
use super::gateway::ParentReference;
use super::meta::{Condition, Meta};
use crate::ObjectRef;

const GROUP: &str = "cert-manager.io";
const ACME: &str = "acme.cert-manager.io";

wire! { "camelCase"
    pub struct Certificate {
        pub metadata: Meta,
        pub spec: CertificateSpec,
        pub status: CertificateStatus,
    }

    pub struct CertificateSpec {
        pub secret_name: Text,
        pub dns_names: Vec<Text>,
        pub issuer_ref: IssuerRef,
    }

    pub struct IssuerRef {
        pub group: Option<Text>,
        pub kind: Option<Text>,
        pub name: Text,
    }

    pub struct CertificateStatus {
        pub conditions: Vec<Condition>,
        pub not_after: Time,
        pub renewal_time: Time,
        pub last_failure_time: Time,
        pub failed_issuance_attempts: Option<i64>,
        pub revision: Option<i64>,
    }

    pub struct CertificateRequest {
        pub metadata: Meta,
        pub spec: CertificateRequestSpec,
        pub status: CertificateRequestStatus,
    }

    pub struct CertificateRequestSpec {
        pub issuer_ref: IssuerRef,
    }

    pub struct CertificateRequestStatus {
        pub conditions: Vec<Condition>,
        pub failure_time: Time,
    }

    pub struct Order {
        pub metadata: Meta,
        pub spec: OrderSpec,
        pub status: OrderStatus,
    }

    pub struct OrderSpec {
        pub dns_names: Vec<Text>,
        pub issuer_ref: IssuerRef,
    }

    pub struct OrderStatus {
        pub state: Text,
        pub reason: Text,
        pub failure_time: Time,
    }

    pub struct Challenge {
        pub metadata: Meta,
        pub spec: ChallengeSpec,
        pub status: ChallengeStatus,
    }

    pub struct ChallengeSpec {
        pub dns_name: Text,
        /// `HTTP-01` or `DNS-01`.
        pub r#type: Text,
        pub issuer_ref: IssuerRef,
        pub solver: Solver,
    }

    pub struct Solver {
        pub http01: Option<Http01Solver>,
    }

    pub struct Http01Solver {
        #[serde(rename = "gatewayHTTPRoute")]
        pub gateway_http_route: Option<GatewaySolver>,
    }

    pub struct GatewaySolver {
        pub parent_refs: Vec<ParentReference>,
    }

    pub struct ChallengeStatus {
        pub state: Text,
        pub reason: Text,
        pub presented: bool,
        pub processing: bool,
    }

    pub struct Issuer {
        pub metadata: Meta,
        pub status: IssuerStatus,
    }

    pub struct ClusterIssuer {
        pub metadata: Meta,
        pub status: IssuerStatus,
    }

    pub struct IssuerStatus {
        pub conditions: Vec<Condition>,
    }
}

impl Kind for Certificate {
    const NEED: Need =
        Need::kubernetes::<Certificate>("certificates", Resource::custom(GROUP, &["v1"], "certificates"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("Certificate")
    }
}

impl Kind for CertificateRequest {
    const NEED: Need = Need::kubernetes::<CertificateRequest>(
        "certificaterequests",
        Resource::custom(GROUP, &["v1"], "certificaterequests"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("CertificateRequest")
    }
}

impl Kind for Order {
    const NEED: Need = Need::kubernetes::<Order>("orders", Resource::custom(ACME, &["v1"], "orders"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("Order")
    }
}

impl Kind for Challenge {
    const NEED: Need =
        Need::kubernetes::<Challenge>("challenges", Resource::custom(ACME, &["v1"], "challenges"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("Challenge")
    }
}

impl Kind for Issuer {
    const NEED: Need = Need::kubernetes::<Issuer>("issuers", Resource::custom(GROUP, &["v1"], "issuers"));
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("Issuer")
    }
}

impl Kind for ClusterIssuer {
    const NEED: Need = Need::kubernetes::<ClusterIssuer>(
        "clusterissuers",
        Resource::custom(GROUP, &["v1"], "clusterissuers"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("ClusterIssuer")
    }
}
