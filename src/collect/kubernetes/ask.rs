//! One request and its answer.

use std::mem::take;
use std::time::Duration;

use http::StatusCode;
use http::response::Parts;
use kairos_doctor_checks::facts::{Text, Undecodable, Why, protobuf};
use serde::Deserialize;

use super::Kubernetes;
use super::arriving::Arriving;
use super::failure::{Failure, NO_CONNECTION};
use crate::collect::budget::{BODY_CAP, Came, LONGEST_PAUSE, Trouble, with_retries};
use crate::collect::guard::Get;
use crate::collect::kubelet::takes_connections;
use crate::collect::plainly;
use crate::collect::room::{Room, give_back};

/// Of an error's body, and of a version, no more is read than this.
const SMALL_CAP: usize = 64 * 1024;

pub(super) struct Answer {
    pub status: StatusCode,
    /// At most what the cap allows.
    pub body: Vec<u8>,
    /// The body ended before the cap.
    pub whole: bool,
    after: Option<Duration>,
    /// Given back when the body is.
    _room: Room,
}

impl Drop for Answer {
    fn drop(&mut self) {
        give_back(take(&mut self.body));
    }
}

/// A `metav1.Status`, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub message: Option<Text>,
    pub reason: Option<Text>,
}

impl Status {
    pub fn message(&self) -> &str {
        self.message.as_deref().unwrap_or_default()
    }
}

impl Kubernetes {
    /// Asks once.
    ///
    /// # Errors
    /// When nothing came back, or not all of it, in time.
    pub(super) async fn ask_once(&self, get: &Get) -> Result<Answer, Failure> {
        self.ask_once_looking(get, |_| true).await
    }

    async fn ask_once_looking(
        &self,
        get: &Get,
        mut look: impl FnMut(&[u8]) -> bool,
    ) -> Result<Answer, Failure> {
        let came = Came::default();
        self.limited(&came, async {
            let (head, body) = self.send(get).await?;
            came.bytes(0);
            let is_list = head.status == StatusCode::OK && get.path() != "/version";
            let cap = if is_list { BODY_CAP } else { SMALL_CAP };
            let mut room = Room::default();
            let (body, whole) = body.read(cap, &came, &mut room, |so_far| !is_list || look(so_far)).await?;
            self.meter.bytes(body.len());
            let after = plainly::retry_after(&head.headers);
            Ok(Answer { status: head.status, body, whole, after, _room: room })
        })
        .await
    }

    /// The one place from which anything is sent: a request that only the guard makes.
    ///
    /// # Errors
    /// When no answer began.
    #[expect(clippy::disallowed_methods, reason = "the one place from which anything is sent")]
    pub(super) async fn send(&self, get: &Get) -> Result<(Parts, Arriving), Failure> {
        self.client.send(get.request()).await.map(Arriving::of).map_err(|e| Failure::of(&e))
    }

    /// Asks at most three times: 429, 502, 503, 504 and cut connections may be gone the next time.
    ///
    /// # Errors
    /// When there was no answer, or only one of these.
    pub(super) async fn ask(&self, get: &Get) -> Result<Answer, Trouble> {
        self.ask_looking(get, |_| true).await
    }

    /// The same; `look` is shown what there is of a list while it comes in, until it has seen enough.
    pub(super) async fn ask_looking(
        &self,
        get: &Get,
        look: impl Fn(&[u8]) -> bool,
    ) -> Result<Answer, Trouble> {
        with_retries(self.deadline, || async {
            let answer = self.ask_once_looking(get, &look).await;
            let answer = answer.map_err(|failure| failure.trouble(&asked(get)))?;
            if answer.is_passing() { Err(answer.trouble(get)) } else { Ok(answer) }
        })
        .await
    }

    /// Holds one request to the time that one answer, and the whole run, may take.
    pub(super) async fn limited<T>(
        &self,
        came: &Came,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let limit = self.deadline.answer().min(self.deadline.left());
        if limit.is_zero() {
            return Err(Failure::new("timed-out", "the time of the run was up before it was asked"));
        }
        let late = || Failure::new("timed-out", came.late(self.deadline, limit));
        match self.deadline.within(limit, work).await {
            None => Err(late()),
            Some(Err(failure)) if failure.detail == NO_CONNECTION => Err(self.no_connection().await),
            Some(done) => done,
        }
    }

    /// How far a connection came that was not there in time.
    async fn no_connection(&self) -> Failure {
        let within = plainly::short(self.deadline.connect());
        let detail = match self.setup.proxy() {
            // What the proxy reached is not known.
            Some(_) => format!("there was no connection within {within}"),
            None if takes_connections(&self.setup.host, self.setup.port, self.deadline).await => {
                format!("takes connections and does not finish the TLS handshake within {within}")
            }
            None => format!("takes no connection within {within}"),
        };
        Failure::new("timed-out", detail)
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

    /// What the server said: the Status's message, or what else came.
    pub fn said(&self) -> Text {
        let begins = self.body.trim_ascii_start();
        let message = self.status().message.unwrap_or_default();
        if !message.is_empty() || begins.is_empty() || begins.starts_with(b"{") || protobuf::is(begins) {
            return message;
        }
        Text::new(&plainly::body(&self.body))
    }

    pub fn status(&self) -> Status {
        if protobuf::is(&self.body) {
            return protobuf::status(&self.body).unwrap_or_default();
        }
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// `403: pods is forbidden: …`, `503 (not ready, or overloaded): apiserver not ready`.
    pub fn line(&self) -> String {
        let said = self.said();
        let code = self.status.as_u16();
        let words = plainly::status(code).map(|words| format!(" ({words})")).unwrap_or_default();
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        format!("{code}{words}{said}{}", plainly::pause(self.after))
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
        // A server that asks for a long pause is spared.
        trouble.again = self.is_passing() && self.after.is_none_or(|after| after <= LONGEST_PAUSE);
        trouble.after = self.after;
        trouble
    }

    /// An answer of 200 that cannot be read. Of what was sent nothing is quoted: it may hold anything.
    pub fn unreadable(&self, get: &Get, error: &Undecodable) -> Trouble {
        let what = plainly::undecodable(&self.body, error);
        Trouble::new(Why::Malformed, format!("{} was answered with {what}", asked(get)))
    }
}

/// The beginning of an error's body.
pub(super) async fn read_error(body: Arriving, came: &Came) -> Result<Vec<u8>, Failure> {
    Ok(body.read(SMALL_CAP, came, &mut Room::default(), |_| true).await?.0)
}
