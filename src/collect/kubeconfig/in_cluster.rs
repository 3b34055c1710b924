//! In a pod: the service account, as client-go takes it.

use kube::config::{AuthInfo, Cluster};

use super::{Chosen, SetupError, Surroundings};

pub(super) fn is_pod(surroundings: &Surroundings) -> bool {
    surroundings.var(&["KUBERNETES_SERVICE_HOST"]).is_some()
        && surroundings.var(&["KUBERNETES_SERVICE_PORT"]).is_some()
}

pub(super) fn chosen(surroundings: &Surroundings) -> Result<Chosen, SetupError> {
    let host = surroundings.var(&["KUBERNETES_SERVICE_HOST"]).unwrap_or_default();
    let port = surroundings.var(&["KUBERNETES_SERVICE_PORT"]).unwrap_or_default();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let file = |name: &str| {
        let path = surroundings.service_account.join(name);
        if path.is_file() {
            return Ok(path.to_str().map(str::to_owned));
        }
        Err(SetupError::new(format!(
            "no kubeconfig found, and this pod has no service account: {} is not there; set \
             automountServiceAccountToken or name a kubeconfig with --kubeconfig",
            path.display()
        )))
    };
    let user = AuthInfo { token_file: file("token")?, ..AuthInfo::default() };
    let cluster = Cluster {
        server: Some(format!("https://{host}:{port}")),
        certificate_authority: file("ca.crt")?,
        ..Cluster::default()
    };
    Ok(Chosen { context: None, cluster, user, place: "the pod's service account".into() })
}
