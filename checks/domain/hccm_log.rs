//! What the cloud controller says in its log. A log may hold anything, secrets among it: of a line that is not of a known
//! pattern nothing is kept.
//!
//! Sources: hetznercloud/hcloud-cloud-controller-manager `6485324f` (`main.go`, `hcloud/cloud.go`, `internal/config`),
//! kubernetes/cloud-provider `46666112` (`app`, `controllers/node`), klog for the header and for how values are quoted,
//! kubelet `validateContainerLogStatus` for what it answers when there is no log.

mod pattern;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::HashSet;

use super::kubelet::refusal;
use crate::facts::controller_log::{ControllerLog, LogLine};
use crate::facts::{Facts, Gap, Kind, Known, Text, Time, Why};

use pattern::is_known;
pub use pattern::{Piece, classify, pieces};

/// So many lines of one log are kept.
pub const MOST_LINES: usize = 40;

/// What a line of the log means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// `HCLOUD_TOKEN` is empty or not set.
    TokenMissing,
    /// The Hetzner API does not know the token: `unauthorized`.
    TokenRejected,
    /// The token does not look like one: it has that many characters, or some that cannot be in a header (`None`).
    TokenForm {
        got: Option<usize>,
    },
    /// The token may only read: `token_readonly`.
    TokenReadOnly,
    /// The Hetzner API refuses it: `forbidden`. Of Kubernetes' refusals see [`Word::Rbac`].
    Forbidden,
    /// The token's project has no network of that name or ID.
    NetworkNotFound {
        name: Text,
    },
    /// The controller's own server is not in its network.
    NotAttached {
        name: Text,
    },
    /// The server's metadata service did not answer, which the controller asks for its networks.
    Metadata,
    /// A variable has a value that it cannot have.
    Config {
        variable: Text,
    },
    /// Location and network zone are both set, of which only one can be.
    PlacementBoth,
    Panic,
    /// Kubernetes refuses it.
    Rbac {
        verb: Text,
        resource: Text,
    },
    /// It lost, or could not take, the lease that makes it the leader.
    Lease,
    /// It does not get through to the Hetzner API.
    Egress,
    /// No server has the node's name.
    ServerNotFound {
        node: Text,
    },
    /// The node says to have an address that its server does not have.
    NodeIp {
        node: Text,
        ip: Text,
    },
    /// A node's provider ID is none of Hetzner's, or has no server's ID in it.
    ProviderId {
        id: Text,
    },
    /// It makes no routes. Also said where that is wanted.
    RoutesOff,
    /// It makes no load balancers.
    LoadBalancersOff,
    RateLimited,
    /// It waited for the Kubernetes API in vain.
    KubernetesApi,
    /// It ended at start for another reason.
    Fatal,
}

/// A line that means something.
#[derive(Clone, Debug)]
pub struct Said<'a> {
    pub log: &'a ControllerLog,
    pub line: &'a LogLine,
    /// The line's place in the log.
    pub index: usize,
    pub word: Word,
}

impl Said<'_> {
    /// Where the text stands in the log, for evidence.
    pub fn path(&self) -> String {
        format!("lines[{}].text", self.index)
    }
}

/// All that could be heard.
pub struct Heard<'a> {
    /// The newest first; the log of the container before counts, which is where its last words are.
    pub said: Vec<Said<'a>>,
    /// Why one of the logs could not be read.
    pub unread: Option<Gap>,
}

/// What the controller said, as far as it could be read: for who looks for a word, and for whom silence proves nothing.
///
/// # Errors
/// The gap of the whole.
pub fn heard(facts: &Facts) -> Known<Heard<'_>> {
    let logs = facts.all::<ControllerLog>()?;
    let mut said: Vec<Said> = Vec::new();
    for log in logs {
        let lines = log.lines.iter().enumerate();
        said.extend(
            lines.filter_map(|(index, line)| Some(Said { log, line, index, word: classify(&line.text)? })),
        );
    }
    said.sort_by_key(|said| (Reverse(said.line.time), said.log.previous, Reverse(said.index)));
    // While a container waits to be started again, both requests are answered with the log of the one that ended last.
    let mut seen: HashSet<(Time, &str)> = HashSet::new();
    said.retain(|said| seen.insert((said.line.time, &said.line.text)));
    Ok(Heard { said, unread: logs.iter().find_map(unread) })
}

/// What the controller said, the newest first. Empty is known: no controller runs, or it said nothing of all this.
///
/// # Errors
/// A gap when a log could not be read: what would have been in it cannot be ruled out.
pub fn words(facts: &Facts) -> Known<Vec<Said<'_>>> {
    let heard = heard(facts)?;
    heard.unread.map_or(Ok(heard.said), Err)
}

/// Why there is no log where there should be one.
fn unread(log: &ControllerLog) -> Option<Gap> {
    let whose = if log.previous { "the controller's previous log" } else { "the controller's log" };
    let gap = |why, detail: &str| {
        let detail = format!("{whose} could not be read: {detail}");
        Some(Gap::new(ControllerLog::NEED.key, why, detail).of(log.pod.clone()))
    };
    if let Some(failure) = &log.failure {
        let known = failure.gap(&ControllerLog::NEED, &log.pod);
        return gap(known.why, &known.detail);
    }
    let message = &*log.message;
    match log.status {
        // The kubelet says this with a 200. Of the container before, it keeps the log only for a while.
        200..=299 if !log.previous => {
            let gone = log.lines.iter().find(|line| line.text.contains(pattern::GONE))?;
            gap(Why::NotRead, &gone.text)
        }
        200..=299 => None,
        // It has not started yet, or not a second time: there is nothing that it could have said.
        400 if NOT_STARTED.iter().any(|text| message.contains(text)) => None,
        status => {
            let said = if message.is_empty() { "nothing that tells" } else { message };
            gap(refusal(status, message), &format!("the API server answered {status}: {said}"))
        }
    }
}

const NOT_STARTED: &[&str] = &["previous terminated container", "is waiting to start"];

/// The lines of a log as the API server gives it with `timestamps=true`. Nothing is dropped here: see [`kept`].
pub fn lines(raw: &str) -> Vec<LogLine> {
    let line = |line: &str| {
        let (time, text) = match line.split_once(' ') {
            Some((time, text)) if time.parse::<jiff::Timestamp>().is_ok() => (time.parse().ok(), text),
            _ => (None, line),
        };
        LogLine { time: time.into(), text: message(text) }
    };
    raw.lines().map(line).collect()
}

/// Of all lines those that are of a known pattern: in the order of time, of equal texts only the newest, and at most
/// [`MOST_LINES`] of the newest.
pub fn kept(lines: Vec<LogLine>) -> Vec<LogLine> {
    let plain = |line: LogLine| LogLine { text: message(&line.text), ..line };
    let mut known: Vec<LogLine> = lines.into_iter().map(plain).filter(|line| is_known(&line.text)).collect();
    known.sort_by_key(|line| line.time);
    let mut seen: HashSet<Text> = HashSet::new();
    let newest = known.into_iter().rev().filter(|line| seen.insert(line.text.clone())).take(MOST_LINES);
    let mut newest: Vec<LogLine> = newest.collect();
    newest.reverse();
    newest
}

/// A line without klog's header. What is left is the same when it is read again from a bundle.
fn message(raw: &str) -> Text {
    let mut text = Text::new(raw);
    while let Some(rest) = without_header(&text) {
        text = Text::new(rest);
    }
    text
}

/// `F1123 08:59:58.123456       1 main.go:75] message`.
fn without_header(text: &str) -> Option<&str> {
    let (head, rest) = text.split_once("] ")?;
    let mut parts = head.split_whitespace();
    let (day, time, thread, place) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_header = parts.next().is_none()
        && day.len() == 5
        && day.starts_with(['I', 'W', 'E', 'F'])
        && digits(&day[1..])
        && time.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.'))
        && digits(thread)
        && place.split_once(':').is_some_and(|(_, line)| digits(line));
    is_header.then_some(rest)
}
