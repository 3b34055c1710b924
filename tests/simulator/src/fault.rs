//! How a source can fail.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::options::{Source, Target};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The port is closed. For a path, where the connection is open already: the same as [`Fault::Reset`].
    Refuse,
    /// Accepts and never says a word: of a source as a whole, which then is stuck in the TLS handshake.
    Silent,
    /// Shakes hands, takes the request and never answers.
    Stall,
    /// Drops the connection with a TCP reset.
    Reset,
    /// Ends the connection in good order when it was asked; a kubelet does so after the handshake.
    HangUp,
    /// Promises the whole body and ends the connection after half of it.
    Truncate,
    /// The same, with a TCP reset.
    ResetBody,
    /// Half of the body, and then nothing for ever.
    StallBody,
    /// The body byte by byte, with a pause after each.
    Drip,
    /// A complete answer of 200 whose JSON ends in the middle.
    HalfJson,
    /// A list whose first item never ends.
    Endless,
    /// A list of which a megabyte on the wire is a gigabyte.
    GzipBomb,
    /// JSON a hundred thousand levels deep where an item is expected.
    Nested,
    /// The right body under that content type.
    Typed(&'static str),
    Status {
        code: u16,
        content_type: String,
        headers: Vec<(String, String)>,
        body: String,
    },
    /// What a proxy in between says.
    Html502,
    /// A list in pages of one object, and something is wrong with them.
    Pages(Pages),
    /// TLS with a certificate that should not be trusted; of a source as a whole.
    Certificate(Flaw),
    /// Plain HTTP where TLS is expected; of a source as a whole.
    NotTls,
}

/// What is wrong with the pages of a list. It has none of this where it has one object or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// Whoever asks for the second page is told that the token is too old.
    Expired,
    /// The token is always the same, and so is the page.
    Repeated,
    /// There is always a next page; it has the objects of the first one.
    Endless,
    /// There is always a next page, and nothing in it.
    Empty,
    /// As many pages as there are, each with the objects of the first one.
    Duplicate,
    /// After the first page the last object moves to the front, so that one is seen twice and another one never. As often as
    /// the first page is asked for and the fault strikes.
    Moving,
    /// The pages are right, and end with an answer that is no page.
    LastFails,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// For three days.
    Expired,
    SelfSigned,
    OtherHost,
}

impl Fault {
    /// A JSON answer with that status.
    pub fn json(code: u16, body: impl Into<String>) -> Fault {
        Fault::Status {
            code,
            content_type: "application/json".into(),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// It strikes the connection, before anything is asked.
    fn is_of_connections(&self) -> bool {
        matches!(self, Fault::Silent | Fault::Reset | Fault::Refuse | Fault::NotTls)
    }
}

/// The faults of one run, with how often each still strikes.
pub(crate) struct Faults(Vec<(Target, Fault, AtomicU32)>);

impl Faults {
    pub fn new(faults: &[(Target, Fault)]) -> Faults {
        let left = |target: &Target| AtomicU32::new(target.times.unwrap_or(u32::MAX));
        Faults(faults.iter().map(|(t, f)| (t.clone(), f.clone(), left(t))).collect())
    }

    /// The fault that strikes this request.
    pub fn strike(&self, source: Source, path: &str) -> Option<&Fault> {
        let meets = |t: &Target| t.source == source && path.starts_with(&t.prefix);
        let spend = |left: u32| match left {
            0 => None,
            u32::MAX => Some(u32::MAX),
            left => Some(left - 1),
        };
        let strikes = |left: &AtomicU32| left.fetch_update(Relaxed, Relaxed, spend).is_ok();
        let of_requests = |f: &Fault| !matches!(f, Fault::Certificate(_));
        let mut all = self.0.iter();
        all.find(|(t, f, left)| of_requests(f) && meets(t) && strikes(left)).map(|(_, fault, _)| fault)
    }

    /// The port stays closed for the whole run.
    pub fn refuses(&self, source: Source, path: &str) -> bool {
        self.0.iter().any(|(t, f, _)| {
            t.source == source && path.starts_with(&t.prefix) && t.times.is_none() && *f == Fault::Refuse
                // of an HTTP source only the whole can be closed
                && (t.prefix.is_empty() || source == Source::Kubelet)
        })
    }

    /// That node's kubelet never answers.
    pub fn silences(&self, node: &str) -> bool {
        let first =
            self.0.iter().find(|(t, _, _)| t.source == Source::Kubelet && node.starts_with(&t.prefix));
        first.is_some_and(|(t, f, _)| t.times.is_none() && *f == Fault::Silent)
    }

    /// The fault that strikes a connection to this source before a byte is read.
    pub fn on_connect(&self, source: Source) -> Option<&Fault> {
        let whole =
            |t: &Target, f: &Fault| t.source == source && t.prefix.is_empty() && f.is_of_connections();
        let first = self.0.iter().find(|(t, _, _)| t.source == source)?;
        whole(&first.0, &first.1).then(|| self.strike(source, "")).flatten()
    }

    /// What is wrong with the certificate that a source presents.
    pub fn flaw(&self, source: Source, path: &str) -> Option<Flaw> {
        self.0.iter().find_map(|(t, f, _)| match f {
            Fault::Certificate(flaw) if t.source == source && path.starts_with(&t.prefix) => Some(*flaw),
            _ => None,
        })
    }
}
