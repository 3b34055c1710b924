//! The pages of one list in their order, the next ones asked for while the first is still coming in or is decoded: the server
//! makes them in that time.

use std::collections::{HashSet, VecDeque};
use std::future::pending;
use std::mem::take;
use std::sync::{Mutex, PoisonError};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use http::StatusCode;
use kairos_doctor_checks::facts::{Need, Page, Undecodable, Why};
use tokio::sync::oneshot::{self, Receiver, Sender};
use tokio::task::spawn_blocking;

use super::Kubernetes;
use super::ask::{Answer, Status, asked};
use super::head::{Head, head};
use crate::collect::budget::Trouble;
use crate::collect::guard::{Get, PageOf};

/// Pages of one list that are on their way at the same time: one is made, one comes in, one is decoded.
const AHEAD: usize = 3;
/// A body of this many bytes takes longer to decode than to hand to another thread.
const LARGE: usize = 64 * 1024;

/// What one page came to.
pub(super) enum Fetched {
    Page(Page),
    Absent(Absence),
    /// 410: the list has to be begun anew.
    Expired(Trouble),
    TooLarge,
}

/// An answer of 404.
pub(super) struct Absence {
    pub trouble: Trouble,
    pub status: Status,
    body: Vec<u8>,
}

impl Absence {
    /// In the words that a path without a handler gets, or a group without that resource.
    pub fn is_of_an_api_server(&self) -> bool {
        self.body.trim_ascii() == b"404 page not found"
            || self.status.message() == "the server could not find the requested resource"
    }
}

/// The pages that were asked for and have not been given yet.
pub(super) struct Flight<'a> {
    api: &'a Kubernetes,
    need: &'static Need,
    version: &'a str,
    pub limit: usize,
    pages: FuturesOrdered<BoxFuture<'a, Result<Fetched, Trouble>>>,
    /// Behind which token each of them was asked for.
    asked: VecDeque<Option<String>>,
    /// All tokens behind which a page was asked for.
    seen: HashSet<String>,
    /// Says the token behind the last of them as soon as it is read.
    hint: Option<Receiver<String>>,
}

impl<'a> Flight<'a> {
    /// Asks for the first page.
    pub fn new(api: &'a Kubernetes, need: &'static Need, version: &'a str) -> Flight<'a> {
        let mut flight = Flight {
            api,
            need,
            version,
            limit: PageOf::FIRST.limit,
            pages: FuturesOrdered::new(),
            asked: VecDeque::new(),
            seen: HashSet::new(),
            hint: None,
        };
        flight.ask(None);
        flight
    }

    /// The next page and the token behind which it was asked for, which is what is asked for again where it fails.
    pub async fn next(&mut self) -> (Option<String>, Result<Fetched, Trouble>) {
        loop {
            let room = self.pages.len() < AHEAD;
            tokio::select! {
                biased;
                token = heard(&mut self.hint), if room => {
                    if self.seen.insert(token.clone()) {
                        self.ask(Some(token));
                    }
                }
                page = self.pages.next() => {
                    let after = self.asked.pop_front().expect("there is one for each page");
                    return (after, page.expect("one is always on its way"));
                }
            }
        }
    }

    /// Goes on behind that token, which the page before ended with. False when it was asked for before: the list turns in
    /// a circle.
    pub fn go_on(&mut self, token: String) -> bool {
        if self.asked.front().is_some_and(|asked| asked.as_deref() == Some(token.as_str())) {
            return true;
        }
        self.forget();
        let new = self.seen.insert(token.clone());
        if new {
            self.ask(Some(token));
        }
        new
    }

    /// Asks for this page and those behind it once more, with fewer items each.
    pub fn again(&mut self, after: Option<String>, limit: usize) {
        self.forget();
        self.limit = limit;
        self.ask(after);
    }

    fn ask(&mut self, after: Option<String>) {
        let (say, hint) = oneshot::channel();
        self.hint = Some(hint);
        self.asked.push_back(after.clone());
        self.pages.push_back(Box::pin(self.api.page(self.need, self.version, self.limit, after, say)));
    }

    /// Leaves what is on its way.
    fn forget(&mut self) {
        self.hint = None;
        self.pages = FuturesOrdered::new();
        for token in self.asked.drain(..).flatten() {
            self.seen.remove(&token);
        }
    }
}

/// The token, once; never when the page says none.
async fn heard(hint: &mut Option<Receiver<String>>) -> String {
    if let Some(receiver) = hint {
        let said = receiver.await;
        *hint = None;
        if let Ok(token) = said {
            return token;
        }
    }
    pending().await
}

impl Kubernetes {
    async fn page(
        &self,
        need: &'static Need,
        version: &str,
        limit: usize,
        after: Option<String>,
        say: Sender<String>,
    ) -> Result<Fetched, Trouble> {
        let get = Get::of(need, version, PageOf { limit, after: after.as_deref() })
            .map_err(|refused| Trouble::new(Why::Malformed, refused.to_string()))?;
        let say = Mutex::new(Some(say));
        let look = |body: &[u8]| match head(body) {
            Head::Short => false,
            Head::Silent => true,
            Head::Next(token) => {
                if let Some(say) = say.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    // That nobody waits for it is no error.
                    let _ = say.send(token);
                }
                true
            }
        };
        let mut answer = self.ask_looking(&get, look).await?;
        match answer.status {
            StatusCode::OK if !answer.whole => return Ok(Fetched::TooLarge),
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => {
                let (trouble, status) = (answer.trouble(&get), answer.status());
                return Ok(Fetched::Absent(Absence { trouble, status, body: take(&mut answer.body) }));
            }
            StatusCode::GONE if after.is_some() => {
                let what = format!("{} changes faster than it can be read: {}", asked(&get), answer.line());
                return Ok(Fetched::Expired(Trouble::new(Why::Changed, what)));
            }
            _ => return Err(answer.trouble(&get)),
        }
        let (answer, page) = self.decode(need, answer).await;
        page.map(Fetched::Page).map_err(|e| answer.unreadable(&get, &e))
    }

    /// Decodes large bodies beside whatever else is going on: all requests and handshakes are one task, which a page of 500
    /// pods would hold up for ten milliseconds.
    async fn decode(&self, need: &'static Need, answer: Answer) -> (Answer, Result<Page, Undecodable>) {
        let small = answer.body.len() < LARGE;
        let decode = move || {
            let page = need.decode(&answer.body);
            (answer, page)
        };
        if small {
            return decode();
        }
        let _turn = self.decoding.acquire().await;
        match spawn_blocking(decode).await {
            Ok(decoded) => decoded,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
}
