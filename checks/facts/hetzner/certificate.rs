use super::super::wire::wire;
use super::super::{Kind, Need, Text, Time};
use super::load_balancer::CcmLabels;
use crate::ObjectRef;

wire! { "snake_case"
    /// A certificate at Hetzner, uploaded or managed; never its bytes.
    pub struct Certificate {
        pub id: i64,
        pub name: Text,
        pub labels: CcmLabels,
        /// `uploaded` or `managed`.
        pub r#type: Text,
        pub created: Time,
        pub not_valid_before: Time,
        pub not_valid_after: Time,
        pub domain_names: Vec<Text>,
        /// Of managed certificates only.
        pub status: Option<CertificateStatus>,
        pub used_by: Vec<UsedBy>,
    }

    pub struct CertificateStatus {
        /// `pending`, `completed` or `failed`.
        pub issuance: Text,
        /// `scheduled`, `pending`, `failed` or `unavailable`.
        pub renewal: Text,
        pub error: Option<CertificateError>,
    }

    pub struct CertificateError {
        pub code: Text,
        pub message: Text,
    }

    pub struct UsedBy {
        pub id: i64,
        pub r#type: Text,
    }
}

impl Kind for Certificate {
    const NEED: Need = Need::hetzner::<Certificate>("hcloud.certificates", "certificates", true);
    fn reference(&self) -> ObjectRef {
        ObjectRef::hetzner("Certificate", &self.name, self.id)
    }
}
