//! The Hetzner Cloud API: lists, and nothing but GET.
//!
//! Source: Hetzner's API reference (pagination, error envelope, rate limit). The budget of requests is shared with the
//! cluster's cloud controller and CSI driver, so it is left alone when little of it remains.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use kairos_doctor_checks::facts::{Gap, Known, MASK, Need, Origin, Page, Part, Text, Why};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
#[expect(clippy::disallowed_types, reason = "the one client of the Hetzner API")]
use reqwest::{Client, ClientBuilder, Response, StatusCode, Url};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::budget::{ANSWER, BODY_CAP, CONNECT, Deadline, Meter, Trouble, excerpt, with_retries};
use super::hcloud_config::{Access, is_loopback};

/// The most that the API gives at once.
const PER_PAGE: u32 = 50;
const MOST_PAGES: u32 = 200;
/// A longer pause than this is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Fewer requests than this are left to the cluster's own controllers, whatever the limit is.
const LOW_WATER: u64 = 100;
/// Where reqwest looks for a proxy.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// A reader of one project. Its client is private: there is no way to another method than GET.
#[expect(clippy::disallowed_types, reason = "the one client of the Hetzner API")]
pub struct Hetzner {
    client: Client,
    endpoint: Url,
    token: SecretString,
    /// Something came back that the API promises: what fails after that is one list and not the source.
    answered: AtomicBool,
    /// The variable that names a proxy: a connection that fails may be the proxy's.
    proxy: Option<&'static str>,
}

/// What went wrong, and with how much of the source.
struct Failed {
    trouble: Trouble,
    scope: Scope,
}

#[derive(Clone, Copy, PartialEq)]
enum Scope {
    /// The token: all of Hetzner.
    Token,
    /// The API: all of Hetzner, unless some list was answered. Whatever is tried again is of this kind.
    Source,
    /// This list.
    List,
}

/// One page, and how much of the rate limit remained after it.
struct Answer {
    page: Page,
    low: Option<String>,
}

#[expect(clippy::disallowed_types, reason = "the one client of the Hetzner API")]
impl Hetzner {
    /// Makes a client that trusts the system's certificate authorities (`SSL_CERT_FILE` and `SSL_CERT_DIR` are
    /// honoured) and uses the proxy of `HTTPS_PROXY` and `NO_PROXY`.
    ///
    /// # Errors
    /// A gap for all of Hetzner when this machine has no certificate authorities.
    pub fn new(access: &Access) -> Known<Hetzner> {
        let plain = access.endpoint.starts_with("http://");
        let roots = if plain { RootCertStore::empty() } else { system_roots(&access.endpoint)? };
        Hetzner::build(access, roots, Client::builder())
    }

    fn build(access: &Access, roots: RootCertStore, builder: ClientBuilder) -> Known<Hetzner> {
        let unusable = |what: String| Gap::new("hcloud", Why::NotConfigured, what);
        let endpoint = Url::parse(&access.endpoint)
            .map_err(|e| unusable(format!("the Hetzner endpoint is no URL: {e}")))?;
        let plain = endpoint.scheme() != "https";
        if plain && !is_loopback(endpoint.host_str().unwrap_or_default()) {
            return Err(unusable("the Hetzner endpoint would send the token in the clear".into()));
        }
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", access.token.expose_secret()))
            .map_err(|_| unusable("the Hetzner token holds characters that no token has".into()))?;
        bearer.set_sensitive(true);
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| unusable(format!("TLS cannot be set up: {e}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut builder = builder
            .tls_backend_preconfigured(tls)
            .https_only(!plain)
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("kairos-doctor/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]));
        if plain {
            // A proxy would see the token.
            builder = builder.no_proxy();
        }
        let client =
            builder.build().map_err(|e| unusable(format!("the client cannot be built: {}", cause(&e))))?;
        let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let proxy = PROXIES.into_iter().find(set).filter(|_| !plain);
        let token = access.token.clone();
        Ok(Hetzner { client, endpoint, token, answered: AtomicBool::new(false), proxy })
    }

    /// Every object of one Hetzner need, over all pages.
    ///
    /// # Errors
    /// A gap for `hcloud` when nothing of Hetzner can be had (token refused, out of reach, silent), so that it is one gap
    /// for all lists; a gap for the need when it is only this list. A list is given whole or not at all.
    pub async fn list(&self, need: &Need, deadline: Deadline, meter: &Meter) -> Known<Part> {
        let Origin::Hetzner(collection) = need.from else {
            return Err(Gap::new(need.key, Why::NotRead, "it is not a list of the Hetzner API"));
        };
        let mut pages = Vec::new();
        let mut number = 1;
        loop {
            let answer = with_retries(deadline, || async {
                match self.page(need, collection.path, number, deadline, meter).await {
                    Err(failed) if failed.trouble.again => Err(failed.trouble),
                    settled => Ok(settled),
                }
            });
            let answer = match answer.await {
                Ok(settled) => settled.map_err(|failed| self.gap(need, failed))?,
                Err(trouble) => return Err(self.gap(need, Failed { trouble, scope: Scope::Source })),
            };
            self.answered.store(true, Relaxed);
            pages.push(answer.page.items);
            let Some(next) = answer.page.next else { return Ok(need.join(pages)) };
            let malformed = |detail: String| Gap::new(need.key, Why::Malformed, detail);
            let Ok(next) = next.parse::<u32>() else {
                return Err(malformed(format!("page {number} names `{next}` as the next page")));
            };
            if next <= number {
                return Err(malformed(format!("page {number} names page {next} as the next one")));
            }
            if pages.len() as u32 == MOST_PAGES {
                let detail = format!("there are more than {MOST_PAGES} pages of {PER_PAGE}");
                return Err(Gap::new(need.key, Why::NotRead, detail));
            }
            if let Some(low) = answer.low {
                let detail = format!("stopped after page {number}: {low}");
                return Err(Gap::new(need.key, Why::RateLimited, detail));
            }
            number = next;
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the one kind of request")]
    async fn page(
        &self,
        need: &Need,
        path: &str,
        number: u32,
        deadline: Deadline,
        meter: &Meter,
    ) -> Result<Answer, Failed> {
        let limit = deadline.left().min(ANSWER);
        if limit.is_zero() {
            return Err(self.timed_out("was not asked: no time was left"));
        }
        let mut url = self.endpoint.clone();
        url.set_path(&format!("{}/{path}", self.endpoint.path().trim_end_matches('/')));
        url.set_query(Some(&format!("page={number}&per_page={PER_PAGE}")));
        meter.request(format!("GET {}?{}", url.path(), url.query().unwrap_or_default()));
        let exchange = async {
            let mut response = self.client.get(url).send().await.map_err(|e| self.unreachable(&e))?;
            let body = self.body(&mut response, meter).await?;
            Ok((response, body))
        };
        let (response, body) = match deadline.within(ANSWER, exchange).await {
            Some(exchange) => exchange?,
            None if limit == ANSWER => {
                return Err(self.timed_out(&format!("did not answer within {} s", ANSWER.as_secs())));
            }
            None => return Err(self.timed_out("did not answer in the time that was left")),
        };
        if response.status() != StatusCode::OK {
            return Err(self.refusal(&response, &body));
        }
        let page = need.decode(&body).map_err(|e| {
            let mut detail = format!("not what the Hetzner API promises: {e}");
            if !body.trim_ascii_start().starts_with(b"{") {
                detail += &format!(": {}", excerpt(self.without_token(&body).as_bytes()));
            }
            Failed { trouble: Trouble::new(Why::Malformed, detail), scope: Scope::List }
        })?;
        Ok(Answer { page, low: low(response.headers()) })
    }

    /// The body as far as it is allowed to go.
    async fn body(&self, response: &mut Response, meter: &Meter) -> Result<Vec<u8>, Failed> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            meter.bytes(chunk.len());
            body.extend_from_slice(&chunk);
            if body.len() > BODY_CAP {
                let detail = format!("the answer is longer than {} MiB", BODY_CAP >> 20);
                return Err(Failed { trouble: Trouble::new(Why::Malformed, detail), scope: Scope::List });
            }
        }
        Ok(body)
    }

    /// What an answer other than 200 means.
    fn refusal(&self, response: &Response, body: &[u8]) -> Failed {
        let status = response.status();
        let error = serde_json::from_slice::<Envelope>(body).ok().and_then(|envelope| envelope.error);
        let code = error.as_ref().map_or("", |e| e.code.as_str());
        let said = match &error {
            Some(e) => format!("{} ({}, {})", e.message, e.code, status.as_u16()),
            None => match excerpt(self.without_token(body).as_bytes()) {
                text if text.is_empty() => format!("{status}, without a body"),
                text => format!("{status}: {text}"),
            },
        };
        let failed = |why, detail: String, scope| Failed { trouble: Trouble::new(why, detail), scope };
        if status == StatusCode::UNAUTHORIZED || code == "unauthorized" {
            let said = error.map_or(said, |e| e.message);
            let detail = format!("the Hetzner API refuses the token (unauthorized): {said}");
            return failed(Why::Forbidden, detail, Scope::Token);
        }
        if status == StatusCode::TOO_MANY_REQUESTS || code == "rate_limit_exceeded" {
            let pause = header(response.headers(), &RETRY_AFTER).map(Duration::from_secs);
            let mut detail = format!("the Hetzner API asks for a pause: {said}");
            if let Some(pause) = pause {
                detail += &format!("; retry after {} s", pause.as_secs());
            }
            let mut failed = failed(Why::RateLimited, detail, Scope::Source);
            failed.trouble.after = pause;
            failed.trouble.again = pause.is_none_or(|pause| pause <= PATIENCE);
            return failed;
        }
        let detail = format!("the Hetzner API answers {said}");
        match status.as_u16() {
            403 => failed(Why::Forbidden, detail, Scope::List),
            502..=504 => {
                let failed = failed(Why::Unreachable, detail, Scope::Source);
                Failed { trouble: failed.trouble.again(), ..failed }
            }
            500..=599 => failed(Why::Unreachable, detail, Scope::Source),
            300..=399 => {
                let detail = format!("the Hetzner API answers {status}; no redirect is followed");
                failed(Why::Malformed, detail, Scope::List)
            }
            _ => failed(Why::Malformed, detail, Scope::List),
        }
    }

    fn timed_out(&self, what: &str) -> Failed {
        let trouble = Trouble::new(Why::TimedOut, format!("{} {what}", self.host()));
        Failed { trouble, scope: Scope::Source }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failed {
        if error.is_timeout() {
            return self.timed_out(&format!("did not accept a connection within {} s", CONNECT.as_secs()));
        }
        let (what, again) = match error.is_connect() {
            true => ("cannot be reached", false),
            false => ("broke the connection off", true),
        };
        let mut trouble = Trouble::new(Why::Unreachable, format!("{} {what}: {}", self.host(), cause(error)));
        if let Some(proxy) = self.proxy {
            trouble.detail += &format!(" ({proxy} is set)");
        }
        trouble.again = again;
        Failed { trouble, scope: Scope::Source }
    }

    fn gap(&self, need: &Need, failed: Failed) -> Gap {
        let whole = match failed.scope {
            Scope::Token => true,
            Scope::Source => !self.answered.load(Relaxed),
            Scope::List => false,
        };
        let Failed { mut trouble, .. } = failed;
        trouble.detail = self.without_token(trouble.detail.as_bytes());
        trouble.gap(if whole { "hcloud" } else { need.key })
    }

    /// `https://host:port`: in a message the path is of no use, and would make one gap many.
    fn host(&self) -> String {
        self.endpoint.origin().ascii_serialization()
    }

    fn without_token(&self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        match self.token.expose_secret() {
            // So short a token is none, and may be part of any word.
            token if token.len() < 8 => text.into_owned(),
            token => text.replace(token, MASK),
        }
    }
}

#[derive(Deserialize)]
struct Envelope {
    error: Option<ApiError>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ApiError {
    code: String,
    message: String,
}

/// The certificate authorities of this machine, as `SSL_CERT_FILE`, `SSL_CERT_DIR` or the system's store give them.
fn system_roots(endpoint: &str) -> Known<RootCertStore> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(loaded.certs);
    if !roots.is_empty() {
        return Ok(roots);
    }
    let mut detail =
        format!("this machine has no certificate authorities to verify {} with", Text::new(endpoint));
    match loaded.errors.first() {
        Some(error) => detail += &format!(": {error}"),
        None => detail += ": install the package `ca-certificates`, or set SSL_CERT_FILE",
    }
    Err(Gap::new("hcloud", Why::Unreachable, detail))
}

/// In words, when so little of the rate limit remains that it should be left to the cluster's controllers.
fn low(headers: &HeaderMap) -> Option<String> {
    let remaining = header(headers, &HeaderName::from_static("ratelimit-remaining"))?;
    let limit = header(headers, &HeaderName::from_static("ratelimit-limit"));
    let low = remaining < LOW_WATER || limit.is_some_and(|limit| remaining < limit / 10);
    let of = limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    low.then(|| format!("{remaining}{of} requests are left, and the cloud controller needs them"))
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The innermost cause of an error, which names what happened; the outer ones repeat that there was an error.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    // Only the outermost one shows an address.
    if std::error::Error::source(error).is_none() { "unknown cause".into() } else { cause.to_string() }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
