//! The certificate authority that signed the kubelets' certificates, as the cluster publishes it to every namespace.

use std::sync::Arc;

use http::StatusCode;
use kairos_doctor_checks::facts::kubelet::ClusterCa;
use kairos_doctor_checks::facts::{Kind, Known, Origin, Part, Why};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;

use super::Kubernetes;
use super::ask::asked;
use crate::collect::budget::Trouble;
use crate::collect::certificate::certificate;
use crate::collect::guard::{Get, PageOf};

/// The cluster's certificate authorities.
#[derive(Clone)]
pub struct Authority {
    /// The facts, [`ClusterCa`].
    pub part: Part,
    /// What handshakes with kubelets are checked against.
    pub roots: Vec<CertificateDer<'static>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfigMap {
    data: Data,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    #[serde(rename = "ca.crt")]
    ca: String,
}

impl Kubernetes {
    /// Reads the ConfigMap of [`ClusterCa::NEED`], once.
    ///
    /// # Errors
    /// When it could not be read, or holds no certificate.
    pub async fn cluster_ca(&self) -> Known<Authority> {
        self.reached().await?;
        let read = async || self.read_authority().await.map_err(|trouble| trouble.gap(ClusterCa::NEED.key));
        self.authority.get_or_init(read).await.clone()
    }

    async fn read_authority(&self) -> Result<Authority, Trouble> {
        let Origin::Kubernetes(resource) = ClusterCa::NEED.from else {
            unreachable!("the authority is an object of Kubernetes");
        };
        let get = Get::of(&ClusterCa::NEED, resource.versions[0], PageOf::FIRST)
            .map_err(|refused| Trouble::new(Why::Malformed, refused.to_string()))?;
        let answer = self.ask(&get).await?;
        if answer.status != StatusCode::OK || !answer.whole {
            return Err(answer.trouble(&get));
        }
        let map: ConfigMap =
            serde_json::from_slice(&answer.body).map_err(|e| answer.unreadable(&get, &e.into()))?;
        let (roots, facts): (Vec<_>, Vec<_>) = CertificateDer::pem_slice_iter(map.data.ca.as_bytes())
            .filter_map(Result::ok)
            .filter_map(|der| certificate(&der).map(|certificate| (der, ClusterCa { certificate })))
            .unzip();
        if roots.is_empty() {
            let detail = format!("{}: its ca.crt holds no certificate", asked(&get));
            return Err(Trouble::new(Why::Malformed, detail));
        }
        Ok(Authority { part: ClusterCa::NEED.join(vec![Arc::new(facts)]), roots })
    }
}
