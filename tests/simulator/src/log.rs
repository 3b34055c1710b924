//! What was asked, and how much went over the wire.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::options::Source;

/// One request, or for a kubelet one handshake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    pub source: Source,
    /// `TLS` for a handshake with a kubelet.
    pub method: String,
    /// Without the query, as it was sent.
    pub path: String,
    pub query: String,
    /// 0 until an answer was made, and for ever when a fault withheld it. 200 for a handshake that was finished.
    pub status: u16,
    /// Bytes of the request's body; for a kubelet what was sent inside TLS.
    pub received: usize,
    /// Bytes of the answer's body as sent, that is compressed.
    pub sent: usize,
}

/// Bytes on the sockets of one source, TLS and all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    pub received: u64,
    pub sent: u64,
}

#[derive(Default)]
pub(crate) struct Log {
    requests: Mutex<Vec<Request>>,
    traffic: [Traffic; 3],
}

#[derive(Default)]
pub(crate) struct Traffic {
    pub received: AtomicU64,
    pub sent: AtomicU64,
    pub connections: AtomicU64,
}

impl Log {
    /// Notes a request that has arrived; its number is for [`Log::update`].
    pub fn arrived(&self, source: Source, method: &str, path: &str, query: &str) -> usize {
        let mut all = self.requests.lock().expect("no one panics while noting");
        all.push(Request {
            source,
            method: method.into(),
            path: path.into(),
            query: query.into(),
            status: 0,
            received: 0,
            sent: 0,
        });
        all.len() - 1
    }

    pub fn update(&self, number: usize, note: impl FnOnce(&mut Request)) {
        note(&mut self.requests.lock().expect("no one panics while noting")[number]);
    }

    pub fn all(&self) -> Vec<Request> {
        self.requests.lock().expect("no one panics while noting").clone()
    }

    pub fn methods(&self) -> BTreeMap<String, usize> {
        let mut methods = BTreeMap::new();
        for request in self.all() {
            *methods.entry(request.method).or_default() += 1;
        }
        methods
    }

    pub fn traffic(&self, source: Source) -> &Traffic {
        &self.traffic[source as usize]
    }

    pub fn connections(&self, source: Source) -> u64 {
        self.traffic(source).connections.load(Relaxed)
    }

    pub fn bytes(&self, source: Source) -> Bytes {
        let traffic = self.traffic(source);
        Bytes { received: traffic.received.load(Relaxed), sent: traffic.sent.load(Relaxed) }
    }
}
