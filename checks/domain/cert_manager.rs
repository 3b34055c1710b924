//! cert-manager's chain of one certificate: Certificate → CertificateRequest → Order → Challenge, and who issues.
//!
//! Source: cert-manager `2d0d7f7f7`: each object is owned by the one before it (`ownerReferences`), and a new
//! CertificateRequest is made for each attempt.

use crate::facts::kubernetes::{
    Certificate, CertificateRequest, Challenge, ClusterIssuer, Condition, Issuer, Meta, Order, condition,
};
use crate::facts::{Facts, Kind, Known, Need};
use crate::{Finding, ObjectRef};

/// What [`CertManager::read`] reads.
pub const NEEDS: [&Need; 6] = [
    &Certificate::NEED,
    &CertificateRequest::NEED,
    &Order::NEED,
    &Challenge::NEED,
    &Issuer::NEED,
    &ClusterIssuer::NEED,
];

/// All of cert-manager's objects. Its custom resources come together or not at all: with one kind missing, nothing can be
/// said about where a certificate is stuck.
pub struct CertManager<'a> {
    pub certificates: &'a [Certificate],
    requests: &'a [CertificateRequest],
    orders: &'a [Order],
    challenges: &'a [Challenge],
    issuers: &'a [Issuer],
    cluster_issuers: &'a [ClusterIssuer],
}

/// What the newest attempt made.
#[derive(Default)]
pub struct Chain<'a> {
    pub request: Option<&'a CertificateRequest>,
    pub order: Option<&'a Order>,
    pub challenges: Vec<&'a Challenge>,
}

/// Who issues: of the namespace, or of the cluster.
#[derive(Clone, Copy)]
pub enum AnyIssuer<'a> {
    Issuer(&'a Issuer),
    Cluster(&'a ClusterIssuer),
}

/// Who a Certificate names.
pub enum Named<'a> {
    Found(AnyIssuer<'a>),
    Missing(ObjectRef),
    /// Of another API group: an external issuer, which is not read.
    Foreign,
}

impl<'a> CertManager<'a> {
    /// # Errors
    /// The gap of any of its kinds.
    pub fn read(facts: &'a Facts) -> Known<CertManager<'a>> {
        Ok(CertManager {
            certificates: facts.all::<Certificate>()?,
            requests: facts.all::<CertificateRequest>()?,
            orders: facts.all::<Order>()?,
            challenges: facts.all::<Challenge>()?,
            issuers: facts.all::<Issuer>()?,
            cluster_issuers: facts.all::<ClusterIssuer>()?,
        })
    }

    pub fn issuers(&self) -> impl Iterator<Item = AnyIssuer<'a>> {
        let of_cluster = self.cluster_issuers.iter().map(AnyIssuer::Cluster);
        self.issuers.iter().map(AnyIssuer::Issuer).chain(of_cluster)
    }

    pub fn chain(&self, certificate: &Certificate) -> Chain<'a> {
        let mut chain = Chain::default();
        let of = |meta: &Meta, kind: &str, owner: &Meta| {
            let owns = |o: &crate::facts::kubernetes::OwnerReference| o.kind == *kind && o.uid == owner.uid;
            meta.namespace == owner.namespace && meta.owner_references.iter().any(owns)
        };
        let requests = self.requests.iter().filter(|r| of(&r.metadata, "Certificate", &certificate.metadata));
        chain.request = requests.max_by_key(|r| (r.metadata.creation_timestamp, r.reference()));
        let Some(request) = chain.request else { return chain };
        let orders = self.orders.iter().filter(|o| of(&o.metadata, "CertificateRequest", &request.metadata));
        chain.order = orders.max_by_key(|o| (o.metadata.creation_timestamp, o.reference()));
        let Some(order) = chain.order else { return chain };
        chain.challenges =
            self.challenges.iter().filter(|c| of(&c.metadata, "Order", &order.metadata)).collect();
        chain
    }

    pub fn issuer_of(&self, certificate: &Certificate) -> Named<'a> {
        let wanted = &certificate.spec.issuer_ref;
        if wanted.group.as_ref().is_some_and(|group| !group.is_empty() && *group != "cert-manager.io") {
            return Named::Foreign;
        }
        let namespace = certificate.metadata.namespace.as_deref();
        let (found, reference) = if wanted.kind.as_ref().is_some_and(|kind| *kind == "ClusterIssuer") {
            let found = self.cluster_issuers.iter().find(|issuer| issuer.metadata.name == *wanted.name);
            (found.map(AnyIssuer::Cluster), ObjectRef::new("ClusterIssuer", None, &wanted.name))
        } else {
            let same =
                |i: &&Issuer| i.metadata.name == *wanted.name && i.metadata.namespace.as_deref() == namespace;
            let found = self.issuers.iter().find(same);
            (found.map(AnyIssuer::Issuer), ObjectRef::new("Issuer", namespace, &wanted.name))
        };
        found.map_or(Named::Missing(reference), Named::Found)
    }
}

impl AnyIssuer<'_> {
    pub fn reference(&self) -> ObjectRef {
        match self {
            AnyIssuer::Issuer(issuer) => issuer.reference(),
            AnyIssuer::Cluster(issuer) => issuer.reference(),
        }
    }

    pub fn metadata(&self) -> &Meta {
        match self {
            AnyIssuer::Issuer(issuer) => &issuer.metadata,
            AnyIssuer::Cluster(issuer) => &issuer.metadata,
        }
    }

    /// Its condition `Ready`, which cert-manager writes once it has looked at it.
    pub fn ready(&self) -> Option<&Condition> {
        condition(
            match self {
                AnyIssuer::Issuer(issuer) => &issuer.status.conditions,
                AnyIssuer::Cluster(issuer) => &issuer.status.conditions,
            },
            "Ready",
        )
    }

    pub fn is_ready(&self) -> bool {
        self.ready().is_some_and(|ready| ready.status == "True")
    }

    pub fn shown(&self, finding: Finding, path: &str) -> Finding {
        match self {
            AnyIssuer::Issuer(issuer) => finding.shows(*issuer, path),
            AnyIssuer::Cluster(issuer) => finding.shows(*issuer, path),
        }
    }
}

impl Certificate {
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        condition(&self.status.conditions, kind)
    }

    pub fn is_ready(&self) -> bool {
        self.condition("Ready").is_some_and(|ready| ready.status == "True")
    }

    /// It writes into that Secret.
    pub fn makes(&self, namespace: Option<&str>, secret: &str) -> bool {
        self.metadata.namespace.as_deref() == namespace && self.spec.secret_name == *secret
    }
}
