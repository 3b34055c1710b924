//! The Kubernetes API: every request goes through one client, behind the guard, under the deadline.

mod arriving;
mod ask;
mod authority;
mod controller_log;
mod discovery;
mod failure;
mod head;
mod list;
mod log_probe;
mod pages;
mod reach;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use kairos_doctor_checks::facts::kubelet::ApiServer;
use kairos_doctor_checks::facts::{Gap, Known, Part};
#[expect(clippy::disallowed_types, reason = "the one client, behind the guard")]
use kube::Client;
#[expect(clippy::disallowed_types, reason = "the one client, behind the guard")]
use kube::client::ClientBuilder;
use rustls::pki_types::CertificateDer;
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::spawn_blocking;

pub use authority::Authority;
pub use log_probe::MOST_NODES;

use super::budget::{Deadline, Meter};
use super::guard::Guard;
use super::kubeconfig::{Setup, SetupError};
use discovery::Served;

/// Pages that are decoded at the same time.
const DECODING: usize = 2;

/// A cluster's API, connected when the first request is made. All methods can be called at the same time.
#[expect(clippy::disallowed_types, reason = "the one client, behind the guard")]
pub struct Kubernetes {
    client: Client,
    setup: Setup,
    deadline: Deadline,
    reach: OnceCell<Reach>,
    served: OnceCell<Option<Served>>,
    /// `/apis` was answered 404: what answers is not all of an API server.
    no_groups: AtomicBool,
    authority: OnceCell<Known<Authority>>,
    /// Turns at decoding: more at once than there are threads to do it would only hold more memory.
    decoding: Semaphore,
    meter: Arc<Meter>,
}

/// What the first request showed; nothing else but what is served is asked before it is known.
struct Reach {
    server: ApiServer,
    version: Known<Part>,
    /// Why nothing can be read, one for all needs.
    gap: Option<Gap>,
}

/// Makes the client. Nothing is sent yet: an API server that does not answer is a finding, and no error.
///
/// # Errors
/// When the credentials or the proxy cannot be used at all.
#[expect(clippy::disallowed_types, reason = "the one client, with the guard around it")]
pub async fn connect(setup: Setup, deadline: Deadline, meter: Arc<Meter>) -> Result<Kubernetes, SetupError> {
    let (config, guard) = (setup.config.clone(), Guard::new(Arc::clone(&meter)));
    // Reading the system's certificate authorities takes a moment, and blocks.
    let client = spawn_blocking(move || Ok(ClientBuilder::try_from(config)?.with_layer(&guard).build()));
    let client =
        client.await.map_err(|e| SetupError::new(format!("making the Kubernetes client failed: {e}")))?;
    let client = client.map_err(|e: kube::Error| {
        let context = setup.context.as_deref().unwrap_or("the pod's service account");
        SetupError::new(format!(
            "the credentials of `{context}` cannot be used: {}; choose another context with --context",
            failure::root_cause(&e)
        ))
    })?;
    Ok(Kubernetes {
        client,
        setup,
        deadline,
        reach: OnceCell::new(),
        served: OnceCell::new(),
        no_groups: AtomicBool::new(false),
        authority: OnceCell::new(),
        decoding: Semaphore::new(DECODING),
        meter,
    })
}

impl Kubernetes {
    /// The certificate authorities of the kubeconfig, against which the API server's certificate was checked.
    pub fn roots(&self) -> &[CertificateDer<'static>] {
        &self.setup.roots
    }

    /// The kubeconfig context; `None` in a pod.
    pub fn context(&self) -> Option<&str> {
        self.setup.context.as_deref()
    }
}
