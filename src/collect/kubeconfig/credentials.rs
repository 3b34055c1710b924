//! Certificates and tokens of a kubeconfig, read and looked at before anything is dialled.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use jiff::Timestamp;
use kube::config::{AuthInfo, AuthProviderConfig, Cluster};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};

use super::SetupError;
use crate::collect::hcloud_config::is_loopback;

/// Over `http://` credentials go to nobody but this machine itself; kubectl leaves them out, without a word.
///
/// # Errors
/// When the user has some and the server is another machine's.
pub(super) fn not_in_the_clear(server: &Uri, user: &AuthInfo, place: &str) -> Result<(), SetupError> {
    let has_some = user.token.is_some()
        || user.token_file.is_some()
        || user.username.is_some()
        || user.password.is_some()
        || user.auth_provider.is_some()
        || user.exec.is_some();
    if server.scheme_str() == Some("https") || !has_some || is_loopback(server.host().unwrap_or_default()) {
        return Ok(());
    }
    Err(SetupError::new(format!(
        "the server of {place} is http://, which would send the credentials in the clear; it needs an https:// address"
    )))
}

/// The certificate authorities of the cluster entry, as PEM; `None` when it names none.
///
/// # Errors
/// When they are named and cannot be read.
pub(super) fn authorities_pem(cluster: &Cluster, place: &str) -> Result<Option<Vec<u8>>, SetupError> {
    if let Some(data) = cluster.certificate_authority_data.as_ref().filter(|data| !data.is_empty()) {
        return decode(data, "certificate-authority-data", place).map(Some);
    }
    match &cluster.certificate_authority {
        Some(file) => read(file, "certificate authority", place).map(Some),
        None => Ok(None),
    }
}

/// The certificates in that PEM which can be trusted; one that cannot be parsed does not spoil the others.
///
/// # Errors
/// When there is none: every handshake would fail, with words that do not say why.
pub(super) fn roots(pem: &[u8], place: &str) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let roots: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .filter_map(Result::ok)
        .filter(|der| RootCertStore::empty().add(der.clone()).is_ok())
        .collect();
    if roots.is_empty() {
        return Err(SetupError::new(format!(
            "the certificate authority of {place} holds no certificate; take it anew from the cluster, or name another \
             kubeconfig with --kubeconfig"
        )));
    }
    Ok(roots)
}

/// Makes of the user what kube can take without running or reading anything: files are read now, and an old
/// `auth-provider` gives the token that it holds.
///
/// # Errors
/// When a file cannot be read, the provider holds no token, or a token or certificate is none.
pub(super) fn settle(user: &mut AuthInfo, place: &str) -> Result<(), SetupError> {
    if let Some(provider) = user.auth_provider.take() {
        user.token = Some(token_of(&provider, place)?);
    }
    if let Some(file) = user.token_file.take()
        && user.token.is_none()
    {
        let token = read(&file, "token", place)?;
        user.token = Some(SecretString::from(String::from_utf8_lossy(&token).into_owned()));
    }
    if let Some(token) = user.token.take() {
        user.token = Some(proper(&token, place)?);
    }
    if let (None, Some(file)) = (&user.client_certificate_data, user.client_certificate.take()) {
        user.client_certificate_data = Some(STANDARD.encode(read(&file, "client certificate", place)?));
    }
    if let (None, Some(file)) = (&user.client_key_data, user.client_key.take()) {
        let key = STANDARD.encode(read(&file, "client key", place)?);
        user.client_key_data = Some(SecretString::from(key));
    }
    match (&user.client_certificate_data, &user.client_key_data) {
        (Some(_), None) => {
            Err(SetupError::new(format!("the user of {place} has a client certificate without its key")))
        }
        (None, Some(_)) => {
            Err(SetupError::new(format!("the user of {place} has a client key without its certificate")))
        }
        _ => Ok(()),
    }
}

/// The token without the white space around it, which a file or a block of YAML ends with; kube panics on what no header
/// can hold.
fn proper(token: &SecretString, place: &str) -> Result<SecretString, SetupError> {
    let token = token.expose_secret().trim();
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        let what = if token.is_empty() { "is empty" } else { "holds characters that no token has" };
        return Err(SetupError::new(format!(
            "the token of {place} {what}; get a new one, or name another context with --context"
        )));
    }
    Ok(SecretString::from(token))
}

fn token_of(provider: &AuthProviderConfig, place: &str) -> Result<SecretString, SetupError> {
    match provider.config.get("id-token").filter(|token| !token.is_empty()) {
        Some(token) if provider.name == "oidc" => Ok(SecretString::from(token.clone())),
        _ => Err(SetupError::new(format!(
            "the user of {place} has auth-provider `{}`, which is not supported; use an exec plugin, or another context \
             with --context",
            provider.name
        ))),
    }
}

/// When the client certificate ends.
///
/// # Errors
/// When there is one that is no certificate.
pub(super) fn client_not_after(user: &AuthInfo, place: &str) -> Result<Option<Timestamp>, SetupError> {
    let Some(data) = &user.client_certificate_data else { return Ok(None) };
    let pem = decode(data, "client-certificate-data", place)?;
    let not_after = CertificateDer::pem_slice_iter(&pem).find_map(Result::ok).and_then(|der| {
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).ok()?;
        Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
    });
    match not_after {
        Some(not_after) => Ok(Some(not_after)),
        None => Err(SetupError::new(format!("the client certificate of {place} is no certificate"))),
    }
}

fn decode(data: &str, field: &str, place: &str) -> Result<Vec<u8>, SetupError> {
    // Written by hand it may be wrapped over lines.
    let compact: String = data.split_whitespace().collect();
    STANDARD.decode(compact).map_err(|_| SetupError::new(format!("{field} of {place} is not base64")))
}

fn read(file: &str, what: &str, place: &str) -> Result<Vec<u8>, SetupError> {
    std::fs::read(file)
        .map_err(|e| SetupError::new(format!("the {what} of {place}, {file}, cannot be read: {e}")))
}
