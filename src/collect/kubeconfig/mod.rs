//! How the Kubernetes API is reached: kubeconfig as kubectl reads it, or the service account in a pod.
//!
//! kube's own loading is not used beyond the file format: it runs exec plugins three times, blocking and without a
//! timeout, takes an unknown user for nobody, a text without a certificate for an empty trust store, and compares
//! `NO_PROXY` with the proxy's address.

mod credentials;
mod find;
mod in_cluster;
mod plugin;
mod proxy;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use http::Uri;
use jiff::Timestamp;
use kairos_doctor_checks::facts::Text;
use kube::Config;
use kube::config::{AuthInfo, Cluster, Kubeconfig};
use rustls::pki_types::CertificateDer;

use super::budget::{ANSWER, Deadline};

/// What the command line says about it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--kubeconfig`
    pub kubeconfig: Option<PathBuf>,
    /// `--context`
    pub context: Option<String>,
    /// `--as`
    pub impersonate: Option<String>,
}

/// What the process finds around it. A value, so that nothing but [`Surroundings::of_process`] reads the environment.
#[derive(Clone)]
pub struct Surroundings {
    vars: BTreeMap<String, String>,
    /// Where Kubernetes mounts the service account of a pod.
    service_account: PathBuf,
}

/// It could not be attempted: one sentence that names what was tried, and the option that helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupError(Text);

/// How the API is reached, ready to connect.
#[derive(Clone)]
pub struct Setup {
    /// The kubeconfig context; `None` in a pod.
    pub context: Option<String>,
    /// The certificate authorities that the API server's certificate is checked against; empty when they are the system's.
    pub roots: Vec<CertificateDer<'static>>,
    /// When the client certificate ends, where there is one.
    pub client_not_after: Option<Timestamp>,
    /// Host of the server, without brackets, and its port.
    pub host: String,
    pub port: u16,
    pub(super) config: Config,
}

impl Surroundings {
    /// The environment of this process.
    pub fn of_process() -> Surroundings {
        let utf8 = |(key, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((key.into_string().ok()?, value.into_string().ok()?))
        };
        Surroundings::new(std::env::vars_os().filter_map(utf8))
    }

    pub fn new(vars: impl IntoIterator<Item = (String, String)>) -> Surroundings {
        let service_account = PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount");
        Surroundings { vars: vars.into_iter().collect(), service_account }
    }

    /// The value of the first of these variables that is set and not empty.
    fn var(&self, names: &[&str]) -> Option<&str> {
        names
            .iter()
            .find_map(|name| self.vars.get(*name))
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

impl SetupError {
    /// Errors are read by people, and parts of them come from files and plugins: made harmless like every other text.
    pub(super) fn new(sentence: impl Into<String>) -> SetupError {
        SetupError(Text::new(&sentence.into()))
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl std::error::Error for SetupError {}

/// Finds out how the API is reached; runs the exec plugin of the kubeconfig, once, where there is one.
///
/// # Errors
/// When that cannot be found out: exit status 2.
pub async fn load(
    options: &Options,
    surroundings: &Surroundings,
    deadline: Deadline,
) -> Result<Setup, SetupError> {
    let chosen = match find::kubeconfig(options, surroundings)? {
        Some(found) => choose(found, options.context.as_deref())?,
        None => in_cluster::chosen(surroundings)?,
    };
    let Chosen { context, cluster, mut user, place } = chosen;
    let server = server(&cluster, &place)?;
    credentials::not_in_the_clear(&server, &user, &place)?;
    let mut config = Config::new(server.clone());
    let pem = credentials::authorities_pem(&cluster, &place)?;
    let skips_verification = cluster.insecure_skip_tls_verify == Some(true);
    let roots = match &pem {
        Some(pem) if !skips_verification => credentials::roots(pem, &place)?,
        _ => Vec::new(),
    };
    if !roots.is_empty() {
        config.root_cert = Some(roots.iter().map(|root| root.to_vec()).collect());
    }
    config.accept_invalid_certs = skips_verification;
    config.disable_compression = cluster.disable_compression == Some(true);
    config.tls_server_name = cluster.tls_server_name.clone();
    config.proxy_url = proxy::of(cluster.proxy_url.as_deref(), &server, surroundings)?;
    if let Some(plugin) = user.exec.take() {
        plugin::run(plugin, &cluster, pem, &mut user, deadline).await?;
    }
    credentials::settle(&mut user, &place)?;
    if let Some(name) = &options.impersonate {
        user.impersonate = Some(name.clone());
    }
    let client_not_after = credentials::client_not_after(&user, &place)?;
    config.auth_info = user;
    // No answer is waited for without end, and only our own retries, which are capped, are made.
    config.connect_timeout = Some(deadline.connect());
    config.read_timeout = Some(ANSWER);
    config.write_timeout = Some(ANSWER);
    config.reset_reader_on_write = true;
    config.default_retry = false;
    let https = server.scheme_str() == Some("https");
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = server.port_u16().unwrap_or(if https { 443 } else { 80 });
    Ok(Setup { context, roots, client_not_after, host, port, config })
}

impl Setup {
    /// `https://host:port`, as facts name it.
    pub fn server(&self) -> String {
        let scheme = self.config.cluster_url.scheme_str().unwrap_or("https");
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{scheme}://{host}:{}", self.port)
    }

    /// The proxy that connections go through, without its password.
    pub fn proxy(&self) -> Option<String> {
        let proxy = self.config.proxy_url.as_ref()?;
        let host = proxy.authority()?.as_str().rsplit('@').next()?;
        Some(format!("{}://{host}", proxy.scheme_str()?))
    }
}

/// What was chosen out of a kubeconfig, or of a pod.
struct Chosen {
    context: Option<String>,
    cluster: Cluster,
    user: AuthInfo,
    /// Where it stands, for sentences.
    place: String,
}

fn choose(found: find::Found, context: Option<&str>) -> Result<Chosen, SetupError> {
    let find::Found { config, place } = found;
    let there_are = || format!("there are: {}", listed(config.contexts.iter().map(|c| &*c.name)));
    let Some(name) = context.or(config.current_context.as_deref()).filter(|name| !name.is_empty()) else {
        let sentence =
            format!("{place} names no current context; choose one with --context; {}", there_are());
        return Err(SetupError::new(sentence));
    };
    let entry = config.contexts.iter().find(|c| c.name == name).and_then(|c| c.context.as_ref());
    let entry = entry.ok_or_else(|| {
        SetupError::new(format!("context `{name}` is not in {place}; choose with --context; {}", there_are()))
    })?;
    let of_context = format!("context `{name}` of {place}");
    let cluster = cluster_of(&config, &entry.cluster).ok_or_else(|| {
        let all = listed(config.clusters.iter().map(|c| &*c.name));
        SetupError::new(format!(
            "{of_context} names cluster `{}`, which is not there; there are: {all}",
            entry.cluster
        ))
    })?;
    let user = match entry.user.as_deref().filter(|user| !user.is_empty()) {
        None => AuthInfo::default(),
        Some(user) => user_of(&config, user).ok_or_else(|| {
            let all = listed(config.auth_infos.iter().map(|u| &*u.name));
            SetupError::new(format!("{of_context} names user `{user}`, which is not there; there are: {all}"))
        })?,
    };
    Ok(Chosen { context: Some(name.to_owned()), cluster, user, place: of_context })
}

fn cluster_of(config: &Kubeconfig, name: &str) -> Option<Cluster> {
    config.clusters.iter().find(|c| c.name == name)?.cluster.clone()
}

fn user_of(config: &Kubeconfig, name: &str) -> Option<AuthInfo> {
    config.auth_infos.iter().find(|u| u.name == name)?.auth_info.clone()
}

/// Names, sorted; the first twenty of them.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(20);
    names.truncate(20);
    match (names.is_empty(), more) {
        (true, _) => "none".into(),
        (_, 0) => names.join(", "),
        _ => format!("{} and {more} more", names.join(", ")),
    }
}

/// The server's address; `https` where nothing else is said, as for kubectl.
fn server(cluster: &Cluster, place: &str) -> Result<Uri, SetupError> {
    let raw = cluster.server.as_deref().unwrap_or_default();
    let full = if raw.contains("://") { raw.to_owned() } else { format!("https://{raw}") };
    match full.parse::<Uri>() {
        Ok(uri)
            if matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|h| !h.is_empty()) =>
        {
            Ok(uri)
        }
        _ if raw.is_empty() => Err(SetupError::new(format!("the cluster of {place} names no server"))),
        _ => Err(SetupError::new(format!("the server of {place}, `{raw}`, is no https:// address"))),
    }
}
