//! One request and its answer.

use std::time::Duration;

use http::header::{HeaderMap, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use kairos_doctor_checks::facts::{Text, Why};
use kube::client::Body;
use serde::Deserialize;

use super::Kubernetes;
use super::failure::Failure;
use crate::collect::budget::{ANSWER, BODY_CAP, Trouble, excerpt, with_retries};
use crate::collect::guard::Get;

/// Of an error's body no more is read than this.
const ERROR_CAP: usize = 64 * 1024;

pub(super) struct Answer {
    pub status: StatusCode,
    /// At most what the cap allows.
    pub body: Vec<u8>,
    /// The body ended before the cap.
    pub whole: bool,
    after: Option<Duration>,
}

/// A `metav1.Status`, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub message: Option<Text>,
    pub reason: Option<Text>,
}

impl Kubernetes {
    /// Asks once.
    ///
    /// # Errors
    /// When nothing came back, or not all of it, in time.
    pub(super) async fn ask_once(&self, get: &Get) -> Result<Answer, Failure> {
        self.limited(async {
            let response = self.send(get).await?;
            let (head, body) = response.into_parts();
            let cap = if head.status == StatusCode::OK { BODY_CAP } else { ERROR_CAP };
            let (body, whole) = read(body, cap).await?;
            self.meter.bytes(body.len());
            Ok(Answer { status: head.status, body, whole, after: retry_after(&head.headers) })
        })
        .await
    }

    /// The one place from which anything is sent: a request that only the guard makes.
    ///
    /// # Errors
    /// When no answer began.
    #[expect(clippy::disallowed_methods, reason = "the one place from which anything is sent")]
    pub(super) async fn send(&self, get: &Get) -> Result<Response<Body>, Failure> {
        self.client.send(get.request()).await.map_err(|e| Failure::of(&e))
    }

    /// Asks at most three times: 429, 502, 503, 504 and cut connections may be gone the next time.
    ///
    /// # Errors
    /// When there was no answer, or only one of these.
    pub(super) async fn ask(&self, get: &Get) -> Result<Answer, Trouble> {
        with_retries(self.deadline, || async {
            let answer = self.ask_once(get).await.map_err(|failure| failure.trouble(&asked(get)))?;
            if answer.is_passing() { Err(answer.trouble(get)) } else { Ok(answer) }
        })
        .await
    }

    /// Holds one request to the time that one answer, and the whole run, may take.
    pub(super) async fn limited<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let limit = ANSWER.min(self.deadline.left());
        if limit.is_zero() {
            return Err(Failure::new("timed-out", "the time of the run was up before it was asked"));
        }
        let late =
            || Failure::new("timed-out", format!("no full answer within {:.1} s", limit.as_secs_f64()));
        self.deadline.within(limit, work).await.unwrap_or_else(|| Err(late()))
    }
}

/// How a request is named in sentences.
pub(super) fn asked(get: &Get) -> String {
    format!("GET {}", get.path())
}

impl Answer {
    /// The server may answer otherwise in a moment.
    pub fn is_passing(&self) -> bool {
        matches!(self.status.as_u16(), 429 | 502 | 503 | 504)
    }

    /// What the server said: the Status's message, or the beginning of whatever else came.
    pub fn said(&self) -> Text {
        let object = self.body.trim_ascii_start().starts_with(b"{");
        let message = self.status().message.unwrap_or_default();
        if !message.is_empty() || object {
            return message;
        }
        Text::new(&excerpt(&self.body))
    }

    pub fn status(&self) -> Status {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// `403: pods is forbidden: …`
    pub fn line(&self) -> String {
        let said = self.said();
        let code = self.status.as_u16();
        if said.is_empty() { code.to_string() } else { format!("{code}: {said}") }
    }

    /// What an answer that is not the one hoped for means.
    pub fn trouble(&self, get: &Get) -> Trouble {
        let why = match self.status.as_u16() {
            401 | 403 => Why::Forbidden,
            429 => Why::RateLimited,
            500..=599 => Why::Unreachable,
            _ => Why::Malformed,
        };
        let mut trouble = Trouble::new(why, format!("{} was answered {}", asked(get), self.line()));
        trouble.again = self.is_passing();
        trouble.after = self.after;
        trouble
    }

    /// An answer of 200 that cannot be read. Of JSON nothing is quoted: it may hold anything.
    pub fn unreadable(&self, get: &Get, error: &serde_json::Error) -> Trouble {
        let what = if self.body.trim_ascii_start().starts_with(b"{") {
            format!("JSON of another shape (line {}, column {})", error.line(), error.column())
        } else {
            format!("no JSON: {}", Text::new(&excerpt(&self.body)))
        };
        Trouble::new(Why::Malformed, format!("{} was answered with {what}", asked(get)))
    }
}

/// The body up to the cap, and whether it ended there.
pub(super) async fn read(mut body: Body, cap: usize) -> Result<(Vec<u8>, bool), Failure> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| Failure::of(&e))?;
        let Some(data) = frame.data_ref() else { continue };
        if bytes.len() + data.len() > cap {
            return Ok((bytes, false));
        }
        bytes.extend_from_slice(data);
    }
    Ok((bytes, true))
}

/// The beginning of an error's body.
pub(super) async fn read_error(body: Body) -> Result<Vec<u8>, Failure> {
    Ok(read(body, ERROR_CAP).await?.0)
}

/// Seconds; the date form is not used by API servers.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
