//! What all sides of one simulator share.

use std::collections::{BTreeSet, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use crate::fault::Faults;
use crate::log::Log;
use crate::options::Options;
use crate::paging::Turns;
use crate::pod_logs::PodLogs;

pub(crate) struct Shared {
    pub log: Arc<Log>,
    pub faults: Faults,
    /// What faults of pages have to remember.
    pub pages: Turns,
    pub gzip_from: usize,
    /// What the kubelets have to give.
    pub logs: PodLogs,
    /// Every canary there is, sorted; empty unless objects are inflated.
    canaries: Vec<String>,
    unserved: Mutex<BTreeSet<String>>,
    /// From where the simulated API server dials kubelets: those handshakes are not the client's.
    dials: Mutex<HashSet<SocketAddr>>,
}

impl Shared {
    pub fn new(options: &Options, canaries: BTreeSet<String>, logs: PodLogs) -> Shared {
        Shared {
            log: Arc::default(),
            faults: Faults::new(&options.faults),
            pages: Turns::default(),
            gzip_from: options.gzip_from,
            logs,
            canaries: canaries.iter().cloned().collect(),
            unserved: Mutex::new(canaries),
            dials: Mutex::default(),
        }
    }

    pub fn canaries(&self) -> &[String] {
        &self.canaries
    }

    /// Notes which canaries went out with this body.
    pub fn served(&self, body: &[u8]) {
        let mut unserved = self.unserved.lock().expect("no one panics while noting");
        if unserved.is_empty() {
            return;
        }
        let body = String::from_utf8_lossy(body);
        unserved.retain(|canary| !body.contains(canary.as_str()));
    }

    pub fn unserved(&self) -> Vec<String> {
        self.unserved.lock().expect("no one panics while noting").iter().cloned().collect()
    }

    pub fn will_dial_from(&self, address: SocketAddr) {
        self.dials.lock().expect("no one panics while noting").insert(address);
    }

    /// Whether that connection is the simulated API server's own; asked once for each.
    pub fn was_dialed_from(&self, address: SocketAddr) -> bool {
        self.dials.lock().expect("no one panics while noting").remove(&address)
    }
}
