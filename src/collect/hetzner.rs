//! The Hetzner Cloud API: lists, and nothing but GET.
//!
//! Source: Hetzner's API reference (pagination, error envelope, rate limit). The budget of requests is shared with the
//! cluster's cloud controller and CSI driver, so it is left alone when little of it remains.

mod answer;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use kairos_doctor_checks::ObjectRef;
use kairos_doctor_checks::facts::{Gap, Known, MASK, Need, Origin, Part, Text, Why};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
#[expect(clippy::disallowed_types, reason = "the one client of the Hetzner API")]
use reqwest::{Client, ClientBuilder, Response, Url};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};

use super::budget::{Deadline, Meter, Trouble, with_retries};
use super::hcloud_config::{Access, is_loopback};

/// The most that the API gives at once.
const PER_PAGE: u32 = 50;
const MOST_PAGES: u32 = 200;
/// How often a list is begun that changes while it is read.
const PASSES: usize = 3;
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
    /// How long a connection may take.
    connect: Duration,
    /// The variable that names a proxy: a connection that fails may be the proxy's.
    proxy: Option<&'static str>,
}

/// What one reading of all pages came to.
enum Pass {
    Whole(Part),
    /// It changed meanwhile, as this shows.
    Changed(String),
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

#[expect(clippy::disallowed_types, reason = "the one client of the Hetzner API")]
impl Hetzner {
    /// Makes a client that trusts the system's certificate authorities (`SSL_CERT_FILE` and `SSL_CERT_DIR` are
    /// honoured) and uses the proxy of `HTTPS_PROXY` and `NO_PROXY`.
    ///
    /// # Errors
    /// A gap for all of Hetzner when this machine has no certificate authorities.
    pub fn new(access: &Access, deadline: Deadline) -> Known<Hetzner> {
        let plain = access.endpoint.starts_with("http://");
        let roots = if plain { RootCertStore::empty() } else { system_roots(&access.endpoint)? };
        Hetzner::build(access, roots, Client::builder(), deadline)
    }

    fn build(
        access: &Access,
        roots: RootCertStore,
        builder: ClientBuilder,
        deadline: Deadline,
    ) -> Known<Hetzner> {
        let connect = deadline.connect();
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
            .connect_timeout(connect)
            .user_agent(concat!("kairos-doctor/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]));
        if plain {
            // A proxy would see the token.
            builder = builder.no_proxy();
        }
        let client = builder
            .build()
            .map_err(|e| unusable(format!("the client cannot be built: {}", answer::cause(&e))))?;
        let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let proxy = PROXIES.into_iter().find(set).filter(|_| !plain);
        let token = access.token.clone();
        Ok(Hetzner { client, endpoint, token, answered: AtomicBool::new(false), connect, proxy })
    }

    /// Every object of one Hetzner need, over all pages. A list that changes while it is read is begun anew.
    ///
    /// # Errors
    /// A gap for `hcloud` when nothing of Hetzner can be had (token refused, out of reach, silent), so that it is one gap
    /// for all lists; a gap for the need when it is only this list. A list is given whole or not at all.
    pub async fn list(&self, need: &Need, deadline: Deadline, meter: &Meter) -> Known<Part> {
        let Origin::Hetzner(collection) = need.from else {
            return Err(Gap::new(need.key, Why::NotRead, "it is not a list of the Hetzner API"));
        };
        let mut how = String::new();
        for _ in 0..PASSES {
            match self.pass(need, collection.path, deadline, meter).await? {
                Pass::Whole(part) => return Ok(part),
                Pass::Changed(what) => how = what,
            }
        }
        let detail = format!("the list changed while it was being read, {PASSES} times in a row: {how}");
        Err(Gap::new(need.key, Why::Changed, detail))
    }

    async fn pass(&self, need: &Need, path: &str, deadline: Deadline, meter: &Meter) -> Known<Pass> {
        let mut pages = Vec::new();
        let mut seen: HashMap<ObjectRef, u32> = HashMap::new();
        let mut total = None;
        let mut number = 1;
        loop {
            let answer = with_retries(deadline, || async {
                match self.page(need, path, number, deadline, meter).await {
                    Err(failed) if failed.trouble.again => Err(failed.trouble),
                    settled => Ok(settled),
                }
            });
            let answer = match answer.await {
                Ok(settled) => settled.map_err(|failed| self.gap(need, failed))?,
                Err(trouble) => return Err(self.gap(need, Failed { trouble, scope: Scope::Source })),
            };
            self.answered.store(true, Relaxed);
            let page = answer.page;
            // The pages are of different moments: an object that moves to a page that was read is never seen, and shows
            // itself by another one that is seen twice.
            let references = need.references(&page.items);
            let empty = references.is_empty();
            for reference in references {
                if reference.name.is_empty() {
                    let detail = "the Hetzner API answers with JSON of another kind: objects without a name";
                    return Err(Gap::new(need.key, Why::Malformed, detail));
                }
                let what = format!("{} `{}`", reference.kind, reference.name);
                if let Some(before) = seen.insert(reference, number) {
                    return Ok(Pass::Changed(format!("{what} is on page {before} and on page {number}")));
                }
            }
            if let (Some(before), Some(now)) = (total, page.total)
                && before != now
            {
                return Ok(Pass::Changed(format!("there were {before}, then {now}")));
            }
            total = page.total.or(total);
            pages.push(page.items);
            let malformed = |how: String| {
                Gap::new(
                    need.key,
                    Why::Malformed,
                    format!("the pages of the Hetzner API lead nowhere: {how}"),
                )
            };
            let Some(next) = page.next else {
                return Ok(match total {
                    Some(total) if total != seen.len() => {
                        Pass::Changed(format!("{} of {total} were on the pages", seen.len()))
                    }
                    _ => Pass::Whole(need.join(pages)),
                });
            };
            let Ok(next) = next.parse::<u32>() else {
                return Err(malformed(format!("page {number} names `{next}` as the next page")));
            };
            if next <= number {
                return Err(malformed(format!("page {number} names page {next} as the next one")));
            }
            if empty {
                return Err(malformed(format!(
                    "page {number} is empty and names page {next} as the next one"
                )));
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

    /// The one place from which anything is sent.
    #[expect(clippy::disallowed_methods, reason = "the one kind of request")]
    async fn send(&self, url: Url) -> reqwest::Result<Response> {
        self.client.get(url).send().await
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

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
