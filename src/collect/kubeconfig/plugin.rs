//! Exec plugins: `client.authentication.k8s.io`, <https://kubernetes.io/docs/reference/config-api/client-authentication.v1/>.
//!
//! Run here, once, under a timeout and without a terminal; kube would run them three times, blocking and without end.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::{AuthInfo, Cluster, ExecConfig, ExecInteractiveMode};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt};
#[expect(clippy::disallowed_types, reason = "the exec plugin that the kubeconfig names")]
use tokio::process::Command;

use super::SetupError;
use crate::collect::budget::{Deadline, excerpt};

const LONGEST: Duration = Duration::from_secs(10);
/// A credential is a few kilobytes.
const OUTPUT_CAP: u64 = 1024 * 1024;
const GROUP: &str = "client.authentication.k8s.io/";
/// The extension of a cluster entry that is handed to plugins.
const EXTENSION: &str = "client.authentication.k8s.io/exec";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Credential {
    kind: Option<String>,
    api_version: Option<String>,
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

/// Runs the plugin and puts what it gives into `user`.
///
/// # Errors
/// When it is not there, fails, does not end in time, needs a terminal, or gives no credential.
pub(super) async fn run(
    plugin: ExecConfig,
    cluster: &Cluster,
    authorities: Option<Vec<u8>>,
    user: &mut AuthInfo,
    deadline: Deadline,
) -> Result<(), SetupError> {
    let Some(name) = plugin.command.as_deref().filter(|name| !name.is_empty()) else {
        return Err(SetupError::new("the user's exec plugin in the kubeconfig names no command"));
    };
    let failed = |what: String| {
        SetupError::new(format!(
            "exec plugin `{name}` of the kubeconfig {what}; another user can be chosen with --context"
        ))
    };
    let version = plugin.api_version.as_deref().unwrap_or_default();
    if !matches!(version.strip_prefix(GROUP), Some("v1" | "v1beta1")) {
        return Err(failed(format!("speaks `{version}`, and not {GROUP}v1 or v1beta1")));
    }
    if plugin.interactive_mode == Some(ExecInteractiveMode::Always) {
        return Err(failed("needs a terminal (interactiveMode: Always)".into()));
    }
    let info = info(&plugin, version, cluster, authorities.as_deref());
    #[expect(clippy::disallowed_types, reason = "the exec plugin that the kubeconfig names")]
    let mut command = Command::new(name);
    command.args(plugin.args.iter().flatten());
    for variable in plugin.env.iter().flatten() {
        if let (Some(key), Some(value)) = (variable.get("name"), variable.get("value")) {
            command.env(key, value);
        }
    }
    command.env("KUBERNETES_EXEC_INFO", info.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|e| {
        let hint = plugin.install_hint.as_deref().map(|hint| format!(" ({})", excerpt(hint.as_bytes())));
        failed(format!("cannot be started: {e}{}", hint.unwrap_or_default()))
    })?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let work = async {
        let (out, err) = tokio::join!(all_of(out), all_of(err));
        (child.wait().await, out, err)
    };
    let limit = LONGEST.min(deadline.left());
    let Some((status, out, err)) = deadline.within(LONGEST, work).await else {
        return Err(failed(format!("did not end within {:.1} s", limit.as_secs_f64())));
    };
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => {
            let said = excerpt(&err);
            return Err(failed(format!(
                "failed ({status}): {}",
                if said.is_empty() { "it said nothing" } else { &said }
            )));
        }
        Err(e) => return Err(failed(format!("could not be waited for: {e}"))),
    }
    take(&out, version, user).map_err(|what| failed(what.into()))
}

async fn all_of(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // What came before an error is all there is; it is judged as it stands.
        let _ = stream.take(OUTPUT_CAP).read_to_end(&mut bytes).await;
    }
    bytes
}

/// Reads the plugin's answer. The error is a part of a sentence, and quotes nothing of it.
fn take(out: &[u8], version: &str, user: &mut AuthInfo) -> Result<(), &'static str> {
    let credential: Credential =
        serde_json::from_slice(out).map_err(|_| "did not print an ExecCredential as JSON")?;
    if credential.kind.as_deref() != Some("ExecCredential")
        || credential.api_version.as_deref() != Some(version)
    {
        return Err("did not print an ExecCredential of the version that it was asked for");
    }
    let Status { token, client_certificate_data, client_key_data } = credential.status.unwrap_or_default();
    match (client_certificate_data, client_key_data) {
        (Some(certificate), Some(key)) => {
            user.client_certificate_data = Some(STANDARD.encode(certificate));
            user.client_key_data = Some(SecretString::from(STANDARD.encode(key)));
        }
        (None, None) if token.is_some() => {}
        (None, None) => return Err("printed no credential"),
        _ => return Err("printed a client certificate or its key, and not both"),
    }
    if let Some(token) = token {
        user.token = Some(SecretString::from(token));
    }
    Ok(())
}

/// What the plugin is told of the cluster, when it asks for it.
fn info(plugin: &ExecConfig, version: &str, cluster: &Cluster, authorities: Option<&[u8]>) -> Value {
    let mut info = json!({"kind": "ExecCredential", "apiVersion": version, "spec": {"interactive": false}});
    if !plugin.provide_cluster_info {
        return info;
    }
    let mut about = serde_json::Map::new();
    let mut put = |key: &str, value: Option<Value>| drop(value.map(|value| about.insert(key.into(), value)));
    put("server", cluster.server.as_ref().map(|s| json!(s)));
    put("tls-server-name", cluster.tls_server_name.as_ref().map(|s| json!(s)));
    put("insecure-skip-tls-verify", cluster.insecure_skip_tls_verify.map(|b| json!(b)));
    put("certificate-authority-data", authorities.map(|pem| json!(STANDARD.encode(pem))));
    put("proxy-url", cluster.proxy_url.as_ref().map(|s| json!(s)));
    put("disable-compression", cluster.disable_compression.map(|b| json!(b)));
    let extension = cluster.extensions.iter().flatten().find(|extension| extension.name == EXTENSION);
    put("config", extension.map(|extension| extension.extension.clone()));
    info["spec"]["cluster"] = Value::Object(about);
    info
}
