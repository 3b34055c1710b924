//! The first request, `GET /version`: whether the API answers at all, and in which way it does not.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kairos_doctor_checks::facts::kubelet::ApiServer;
use kairos_doctor_checks::facts::kubernetes::Version;
use kairos_doctor_checks::facts::{Gap, Kind, Known, Part, Text, Why};
use tokio::net::lookup_host;

use super::ask::Answer;
use super::failure::Failure;
use super::{Kubernetes, Reach};
use crate::collect::budget::{Trouble, with_retries};
use crate::collect::guard::{Get, PageOf};
use crate::collect::plainly;

/// One answer to `GET /version`, judged.
struct Judged {
    outcome: &'static str,
    detail: String,
    version: Option<Part>,
}

impl Kubernetes {
    /// Whether and how the API server answers. Asked once; no method but `discover` asks anything before it is known.
    pub async fn api_server(&self) -> ApiServer {
        self.reach().await.server.clone()
    }

    /// The version that the API server gave, from the same answer.
    ///
    /// # Errors
    /// When it gave none.
    pub async fn version(&self) -> Known<Part> {
        self.reach().await.version.clone()
    }

    /// Nothing, when there is somebody to ask.
    ///
    /// # Errors
    /// The one gap that stands for everything of Kubernetes, when there is not.
    pub(super) async fn reached(&self) -> Known<()> {
        self.reach().await.gap.clone().map_or(Ok(()), Err)
    }

    async fn reach(&self) -> &Reach {
        self.reach.get_or_init(|| self.first_request()).await
    }

    async fn first_request(&self) -> Reach {
        let begun = Instant::now();
        let (addresses, judged) = if self.setup.proxy().is_some() {
            // It resolves names itself; what they are here is only good to know.
            let ((addresses, _), judged) = tokio::join!(self.resolve(), self.ask_version());
            (addresses, judged)
        } else {
            match self.resolve().await {
                (addresses, None) => (addresses, self.ask_version().await),
                (addresses, Some(unresolved)) => (addresses, unresolved),
            }
        };
        let judged = patient(judged, begun.elapsed(), self.deadline.answer());
        let detail = match self.setup.proxy() {
            Some(proxy) if judged.outcome != "answered" => {
                format!("{} (through the proxy {proxy})", judged.detail)
            }
            _ => judged.detail,
        };
        let server = ApiServer {
            server: self.setup.server().into(),
            host: Text::new(&self.setup.host),
            port: self.setup.port,
            addresses,
            outcome: judged.outcome.into(),
            detail: detail.into(),
            client_not_after: self.setup.client_not_after.map(Into::into).unwrap_or_default(),
        };
        let gap = (!server.answered()).then(|| gap(&server));
        let version = match (judged.version, &gap) {
            (Some(version), _) => Ok(version),
            (None, Some(gap)) => Err(gap.clone()),
            (None, None) => Err(Gap::new(Version::NEED.key, Why::Forbidden, server.detail.clone())),
        };
        Reach { server, version, gap }
    }

    /// The addresses of the server's host, sorted, or why there are none.
    async fn resolve(&self) -> (Vec<Text>, Option<Judged>) {
        let host = self.setup.host.as_str();
        let unresolved = |why: String| {
            let detail = format!("the name `{host}` {why}");
            (Vec::new(), Some(Judged { outcome: "unresolved", detail, version: None }))
        };
        let found =
            match self.deadline.within(self.deadline.connect(), lookup_host((host, self.setup.port))).await {
                Some(Ok(found)) => found,
                Some(Err(e)) => return unresolved(format!("does not resolve: {e}")),
                None => {
                    return unresolved(format!(
                        "was not resolved within {}",
                        plainly::short(self.deadline.connect())
                    ));
                }
            };
        let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() {
            return unresolved("has no address".into());
        }
        (addresses.iter().map(|address| Text::new(&address.to_string())).collect(), None)
    }

    async fn ask_version(&self) -> Judged {
        let get = Get::of(&Version::NEED, "", PageOf::FIRST).expect("the version is a listed path");
        // What may pass is asked again; the last judgement stands when it does not.
        let last = Mutex::new(None);
        let keep = |judged| *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(judged);
        let settled = with_retries(self.deadline, || async {
            match self.ask_once(&get).await {
                Ok(answer) if answer.is_passing() => {
                    keep(self.judge_answer(&answer));
                    Err(answer.trouble(&get))
                }
                Ok(answer) => Ok(self.judge_answer(&answer)),
                Err(failure) => {
                    let trouble = failure.trouble("GET /version");
                    keep(self.judge_failure(failure));
                    Err(trouble)
                }
            }
        })
        .await;
        settled.unwrap_or_else(|trouble: Trouble| {
            let last = last.lock().unwrap_or_else(PoisonError::into_inner).take();
            last.unwrap_or(Judged { outcome: "unreachable", detail: trouble.detail, version: None })
        })
    }

    fn judge_failure(&self, failure: Failure) -> Judged {
        let outcome = match failure.outcome {
            // Some servers cut the handshake, and say why in no or in other words.
            "unauthorized" if self.client_expired() => "client-certificate-expired",
            "malformed" => "not-kubernetes",
            outcome => outcome,
        };
        Judged { outcome, detail: failure.detail, version: None }
    }

    fn judge_answer(&self, answer: &Answer) -> Judged {
        let judged = |outcome| Judged {
            outcome,
            detail: format!("GET /version was answered {}", answer.line()),
            version: None,
        };
        match answer.status.as_u16() {
            200 => match version(answer) {
                Some((version, detail)) => Judged { outcome: "answered", detail, version: Some(version) },
                None => {
                    let detail = format!("GET /version was answered with {}", not_a_version(answer));
                    Judged { outcome: "not-kubernetes", detail, version: None }
                }
            },
            401 if self.client_expired() => judged("client-certificate-expired"),
            401 => judged("unauthorized"),
            // It knows who asks, and says no: that is Kubernetes.
            403 => judged("answered"),
            429 | 500..=599 => judged("failing"),
            _ => judged("not-kubernetes"),
        }
    }

    fn client_expired(&self) -> bool {
        self.setup.client_not_after.is_some_and(|not_after| not_after < Timestamp::now())
    }
}

fn version(answer: &Answer) -> Option<(Part, String)> {
    let page = Version::NEED.decode(&answer.body).ok()?;
    let version = page.items.downcast_ref::<Vec<Version>>()?.first()?.git_version.clone();
    let part: Part = Arc::clone(&page.items);
    (!version.is_empty()).then(|| (part, format!("Kubernetes {version}")))
}

/// What came in place of a version.
fn not_a_version(answer: &Answer) -> String {
    match Version::NEED.decode(&answer.body) {
        _ if !answer.whole => "a body that does not end".into(),
        Ok(_) => "JSON without a gitVersion".into(),
        Err(e) => plainly::undecodable(&answer.body, &e),
    }
}

/// A server is silent only when it was waited for. Where the run's own time was up before that, nothing was learned of it.
fn patient(judged: Judged, waited: Duration, timeout: Duration) -> Judged {
    let cut_short = timeout < PATIENCE && matches!(judged.outcome, "timed-out" | "unresolved");
    if !cut_short {
        return judged;
    }
    let detail =
        format!("the time for it was up after {} ms; give it more with --timeout", waited.as_millis());
    Judged { outcome: "not-asked", detail, version: None }
}

/// Connection, handshake and answer of an API server on another continent take about so long.
const PATIENCE: Duration = Duration::from_millis(500);

/// One gap for all needs: it is one thing that is missing.
fn gap(server: &ApiServer) -> Gap {
    let why = match &*server.outcome {
        "timed-out" | "not-asked" => Why::TimedOut,
        "unauthorized" | "client-certificate-expired" => Why::Forbidden,
        _ => Why::Unreachable,
    };
    Gap::new("kubernetes", why, format!("{}: {}", server.server, server.detail))
}
