//! Time, retries and sizes: what every request of the doctor is held to, whoever answers.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kairos_doctor_checks::facts::{Gap, Text, Why};
use tokio::time::{Instant, sleep, timeout_at};

use super::plainly;
use super::room::SMALL;

/// No response body is read beyond this, as unpacked; a page of 500 pods is about 2 MB.
pub const BODY_CAP: usize = 16 * 1024 * 1024;
/// No single answer is waited for longer than this, and than half of the run: what fails leaves time for the others.
pub const ANSWER: Duration = Duration::from_secs(15);
/// No connection is waited for longer than this, and than two fifths of the run: less than for an answer, so that the two
/// are told apart.
const CONNECT: Duration = Duration::from_secs(5);
const TRIES: u32 = 3;
/// A server that asks for more than this is not asked again.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The end of the run: nothing is waited for beyond it.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    end: Instant,
    whole: Duration,
}

impl Deadline {
    pub fn after(time: Duration) -> Deadline {
        Deadline { end: Instant::now() + time, whole: time }
    }

    pub fn left(self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// The same run with so much of its end kept for something else.
    pub fn earlier(self, by: Duration) -> Deadline {
        Deadline { end: self.end - by, ..self }
    }

    /// How long one answer may take, if there is as much time left.
    pub fn answer(self) -> Duration {
        ANSWER.min(self.whole / 2)
    }

    /// How long one connection may take to be there, TLS and all.
    pub fn connect(self) -> Duration {
        CONNECT.min(self.whole * 2 / 5)
    }

    /// The answer, or `None` when `limit` or the deadline came first.
    pub async fn within<T>(self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.end.min(Instant::now() + limit), work).await.ok()
    }
}

/// How much of an answer came, and when something of it came last.
#[derive(Default)]
pub struct Came(Mutex<Option<(usize, Instant)>>);

impl Came {
    /// Notes that so many bytes came; none of them when it is the head.
    pub fn bytes(&self, count: usize) {
        let mut came = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *came = Some((came.map_or(0, |(before, _)| before) + count, Instant::now()));
    }

    /// What to say of an answer that was not there within `limit`.
    pub fn late(&self, deadline: Deadline, limit: Duration) -> String {
        let within = match limit == deadline.answer() {
            true => format!("within {}", plainly::short(limit)),
            false => "in the time that was left".into(),
        };
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            None => format!("gave no answer {within}"),
            Some((much, _)) if much > SMALL => format!(
                "does not end its answer: more than {} KiB came, and it was not complete {within}",
                SMALL / 1024
            ),
            Some((_, last)) if last.elapsed() >= limit / 2 => {
                format!("stopped in the middle of its answer: nothing more came {within}")
            }
            Some(_) => format!("sends its answer too slowly: it was not complete {within}"),
        }
    }
}

/// Why there was no usable answer, and whether to ask again.
#[derive(Clone, Debug)]
pub struct Trouble {
    pub why: Why,
    /// One line: what was tried and what came back.
    pub detail: String,
    /// Asking again may help: a reset connection, 429, 502, 503, 504.
    pub again: bool,
    /// The pause that the server asked for.
    pub after: Option<Duration>,
}

impl Trouble {
    pub fn new(why: Why, detail: impl Into<String>) -> Trouble {
        Trouble { why, detail: detail.into(), again: false, after: None }
    }

    pub fn again(mut self) -> Trouble {
        self.again = true;
        self
    }

    pub fn gap(self, need: &str) -> Gap {
        Gap::new(need, self.why, self.detail)
    }
}

/// Runs `attempt` at most three times, with a short pause between, and never beyond the deadline.
///
/// # Errors
/// The last trouble there was.
pub async fn with_retries<T, F: Future<Output = Result<T, Trouble>>>(
    deadline: Deadline,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Trouble> {
    let mut pause = Duration::from_millis(200);
    for tried in 1.. {
        let trouble = match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(trouble) => trouble,
        };
        let wait = trouble.after.unwrap_or(pause);
        if !trouble.again || tried == TRIES || wait > LONGEST_PAUSE || wait >= deadline.left() {
            return Err(trouble);
        }
        sleep(wait).await;
        pause *= 3;
    }
    unreachable!("the loop returns at the last try")
}

/// What was asked and how much came back; shown by `-v`, and compared with what the doctor says it reads.
#[derive(Default)]
pub struct Meter {
    requests: Mutex<Vec<String>>,
    bytes: AtomicU64,
    times: Mutex<Vec<(&'static str, Duration)>>,
}

impl Meter {
    /// Notes a request: `GET <path and query>`, without the host.
    pub fn request(&self, line: String) {
        self.requests.lock().unwrap_or_else(|e| e.into_inner()).push(line);
    }

    pub fn bytes(&self, count: usize) {
        self.bytes.fetch_add(count as u64, Relaxed);
    }

    /// Every request, in the order in which they began.
    pub fn log(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Notes how long a need took, from its first request to the last of its answers.
    pub fn took(&self, need: &'static str, time: Duration) {
        self.times.lock().unwrap_or_else(|e| e.into_inner()).push((need, time));
    }

    /// Keys of needs with the time that each took, in the order in which they were done.
    pub fn times(&self) -> Vec<(&'static str, Duration)> {
        self.times.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Bytes of all bodies, as decoded.
    pub fn total_bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

/// The first 200 characters of a body on one line: enough to know what it is, little enough to be read.
pub fn excerpt(body: &[u8]) -> Text {
    let text = String::from_utf8_lossy(&body[..body.len().min(2048)]);
    let words: Vec<&str> = text.split_whitespace().collect();
    // What is written out, as a domain of other letters is, is longer than before.
    let clean = Text::new(&words.join(" "));
    match clean.char_indices().nth(200) {
        Some((end, _)) => Text::new(&clean[..end]),
        None => clean,
    }
}
