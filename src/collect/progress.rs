//! What is being read, on one line of standard error while it lasts: only where somebody looks, and gone afterwards.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;

use kairos_doctor_checks::facts::Part;
use kairos_doctor_checks::facts::kubernetes::Node;
use rustls::pki_types::CertificateDer;

use super::budget::Deadline;
use super::kubelet::shake_hands;

pub struct Progress {
    shown: bool,
    /// Done and begun, by source; of kubelets the handshakes that are done, and the nodes.
    counts: Mutex<BTreeMap<&'static str, (usize, usize)>>,
}

impl Progress {
    /// Shows itself on a terminal only, and never with `CI` set.
    pub fn new() -> Progress {
        let shown = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none_or(|ci| ci.is_empty());
        Progress { shown, counts: Mutex::default() }
    }

    /// Does the work and counts it.
    pub async fn counted<T>(&self, source: &'static str, work: impl Future<Output = T>) -> T {
        self.update(source, 0, 1);
        let done = work.await;
        self.update(source, 1, 0);
        done
    }

    /// Shakes hands with the kubelets and counts them.
    pub async fn kubelets(
        &self,
        nodes: &[Node],
        roots: &[CertificateDer<'static>],
        deadline: Deadline,
    ) -> Part {
        self.update("kubelets", 0, nodes.len());
        shake_hands(nodes, roots, deadline, |done| {
            let before =
                self.counts.lock().unwrap_or_else(|e| e.into_inner()).get("kubelets").map_or(0, |c| c.0);
            self.update("kubelets", done.saturating_sub(before), 0);
        })
        .await
    }

    fn update(&self, source: &'static str, done: usize, begun: usize) {
        let mut counts = self.counts.lock().unwrap_or_else(|e| e.into_inner());
        let count = counts.entry(source).or_default();
        count.0 += done;
        count.1 += begun;
        if self.shown {
            let each = counts.iter().map(|(source, (done, begun))| match *source {
                "kubelets" => format!("kubelets {done} ({begun} nodes)"),
                source => format!("{source} {done}/{begun}"),
            });
            let line = format!("reading: {}", each.collect::<Vec<_>>().join(" · "));
            // A line that wraps could not be taken away again.
            let width =
                terminal_size::terminal_size_of(std::io::stderr()).map_or(80, |(w, _)| usize::from(w.0));
            let line: String = line.chars().take(width.saturating_sub(1)).collect();
            write(&format!("\r\x1b[2K{line}"));
        }
    }

    /// Takes the line away.
    pub fn done(&self) {
        if self.shown {
            write("\r\x1b[2K");
        }
    }
}

/// That nobody listens is no reason to stop.
fn write(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}
