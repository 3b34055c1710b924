//! One page of the Hetzner API, and what is wrong with it.

use std::io;

use kairos_doctor_checks::facts::{Need, Page, Why};
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Response, StatusCode};
use serde::Deserialize;

use super::{Failed, Hetzner, PER_PAGE, Scope};
use crate::collect::budget::{BODY_CAP, Came, Deadline, LONGEST_PAUSE, Meter, Trouble};
use crate::collect::kubelet::takes_connections;
use crate::collect::plainly::{self, causes};
use crate::collect::room::Room;

/// Fewer requests than this are left to the cluster's own controllers, whatever the limit is.
const LOW_WATER: u64 = 100;

/// One page, and how much of the rate limit remained after it.
pub(super) struct Answer {
    pub page: Page,
    pub low: Option<String>,
}

impl Hetzner {
    pub(super) async fn page(
        &self,
        need: &Need,
        path: &str,
        number: u32,
        deadline: Deadline,
        meter: &Meter,
    ) -> Result<Answer, Failed> {
        let limit = deadline.left().min(deadline.answer());
        if limit.is_zero() {
            return Err(self.timed_out("was not asked: no time was left"));
        }
        let mut url = self.endpoint.clone();
        url.set_path(&format!("{}/{path}", self.endpoint.path().trim_end_matches('/')));
        url.set_query(Some(&format!("page={number}&per_page={PER_PAGE}")));
        meter.request(format!("GET {}?{}", url.path(), url.query().unwrap_or_default()));
        let came = Came::default();
        let mut room = Room::default();
        let exchange = async {
            let sent = self.send(url).await;
            let mut response = match sent {
                Ok(response) => response,
                Err(e) => return Err(self.unreachable(&e, deadline).await),
            };
            came.bytes(0);
            let body = self.body(&mut response, meter, &came, &mut room).await?;
            Ok((response, body))
        };
        let (response, body) = match deadline.within(limit, exchange).await {
            Some(exchange) => exchange?,
            None => return Err(self.timed_out(&came.late(deadline, limit))),
        };
        if response.status() != StatusCode::OK {
            return Err(self.refusal(&response, &body));
        }
        let page = need.decode(&body).map_err(|e| {
            let shown = self.without_token(&body);
            let what = match plainly::undecodable(shown.as_bytes(), &e) {
                // what it says of the shape names our fields, and nothing of theirs
                what if what.starts_with("JSON of another") => format!("{what}: {e}"),
                what => what,
            };
            let detail = format!("the Hetzner API answers with {what}");
            Failed { trouble: Trouble::new(Why::Malformed, detail), scope: Scope::List }
        })?;
        Ok(Answer { page, low: low(response.headers()) })
    }

    /// The body as far as it is allowed to go.
    async fn body(
        &self,
        response: &mut Response,
        meter: &Meter,
        came: &Came,
        room: &mut Room,
    ) -> Result<Vec<u8>, Failed> {
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await.map_err(|e| self.cut(&e))?;
            let Some(chunk) = chunk else { return Ok(body) };
            came.bytes(chunk.len());
            meter.bytes(chunk.len());
            if body.len() + chunk.len() > BODY_CAP {
                let detail = format!(
                    "the Hetzner API does not end its answer: it is longer than {} MiB",
                    BODY_CAP >> 20
                );
                return Err(Failed { trouble: Trouble::new(Why::Malformed, detail), scope: Scope::List });
            }
            room.for_bytes(body.len() + chunk.len()).await;
            body.extend_from_slice(&chunk);
        }
    }

    /// What an answer other than 200 means.
    fn refusal(&self, response: &Response, body: &[u8]) -> Failed {
        let status = response.status();
        let error = serde_json::from_slice::<Envelope>(body).ok().and_then(|envelope| envelope.error);
        let code = error.as_ref().map_or("", |e| e.code.as_str());
        let number = status.as_u16();
        let words = plainly::status(number).map(|words| format!(" ({words})")).unwrap_or_default();
        let said = match &error {
            Some(e) => format!("{number}{words}: {} ({})", e.message, e.code),
            None => match self.without_token(body) {
                text if text.trim().is_empty() => format!("{number}{words}, without a body"),
                text => format!("{number}{words}: {}", plainly::body(text.as_bytes())),
            },
        };
        let failed = |why, detail: String, scope| Failed { trouble: Trouble::new(why, detail), scope };
        if status == StatusCode::UNAUTHORIZED || code == "unauthorized" {
            let said = error.map_or(said, |e| e.message);
            let detail = format!("the Hetzner API refuses the token (unauthorized): {said}");
            return failed(Why::Forbidden, detail, Scope::Token);
        }
        if status == StatusCode::TOO_MANY_REQUESTS || code == "rate_limit_exceeded" {
            let after = plainly::retry_after(response.headers());
            let detail = format!("the Hetzner API answers {said}{}", plainly::pause(after));
            let mut failed = failed(Why::RateLimited, detail, Scope::Source);
            failed.trouble.after = after;
            failed.trouble.again = after.is_none_or(|after| after <= LONGEST_PAUSE);
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

    /// A request that got no answer.
    async fn unreachable(&self, error: &reqwest::Error, deadline: Deadline) -> Failed {
        if error.is_timeout() {
            let within = plainly::short(self.connect);
            let host = self.endpoint.host_str().unwrap_or_default();
            let port = self.endpoint.port_or_known_default().unwrap_or(443);
            return match self.proxy {
                Some(_) => self.timed_out(&format!("could not be connected to within {within}")),
                None if takes_connections(host, port, deadline).await => self.timed_out(&format!(
                    "takes connections and does not finish the TLS handshake within {within}"
                )),
                None => self.timed_out(&format!("takes no connection within {within}")),
            };
        }
        match error.is_connect() {
            true => self.broken("cannot be reached", error),
            false => self.cut_with("broke the connection off", error),
        }
    }

    /// An answer that broke off.
    fn cut(&self, error: &reqwest::Error) -> Failed {
        self.cut_with("broke the connection off in the middle of the answer", error)
    }

    fn cut_with(&self, what: &str, error: &reqwest::Error) -> Failed {
        let mut failed = self.broken(what, error);
        failed.trouble.again = true;
        failed
    }

    fn broken(&self, what: &str, error: &reqwest::Error) -> Failed {
        let tls = causes(error).iter().find_map(|e| e.downcast_ref::<rustls::Error>());
        let mut detail = match tls.and_then(|error| plainly::tls(error, "this machine does not trust")) {
            Some(words) => format!("{}: {words}", self.host()),
            None => format!("{} {what}: {}", self.host(), cause(error)),
        };
        if let Some(proxy) = self.proxy {
            detail += &format!(" ({proxy} is set)");
        }
        Failed { trouble: Trouble::new(Why::Unreachable, detail), scope: Scope::Source }
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
pub(super) fn cause(error: &reqwest::Error) -> String {
    let chain = causes(error);
    if chain.iter().any(|e| e.downcast_ref::<io::Error>().is_some_and(|e| is_cut(e.kind()))) {
        return "the connection was cut".into();
    }
    match chain.as_slice() {
        // Only the outermost one shows an address.
        [_] | [] => "unknown cause".into(),
        [.., last] => last.to_string(),
    }
}

fn is_cut(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof)
}
