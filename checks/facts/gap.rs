//! What is not known, and why. A gap is a value, so that no check can mistake it for "nothing there".

use serde::{Deserialize, Serialize};

use super::Text;

/// A fact, or the reason why it is not known.
pub type Known<T> = Result<T, Gap>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// The key of the need that was not read, or its source (`kubernetes`, `hcloud`) when all of that is missing.
    pub need: Text,
    /// The one object of that need that is missing; `None` when all of it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Text>,
    pub why: Why,
    /// What was tried and what came back, one line.
    pub detail: Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The server said no: 401 or 403.
    Forbidden,
    /// No connection, a reset, or a TLS handshake that failed.
    Unreachable,
    /// It did not answer in time.
    TimedOut,
    /// Nothing says how to reach it (no token, no such context).
    NotConfigured,
    /// The user asked not to read it. The only reason that does not make a check unknown.
    LeftOut,
    /// The answer was not what the API promises.
    Malformed,
    /// The server asked for a pause.
    RateLimited,
    /// It changed while it was being read, again and again: what was read is not the whole.
    Changed,
    /// The Hetzner token does not show this cluster's servers.
    OtherProject,
    /// It was not asked for: a budget, or a value the doctor never reads (a Secret).
    NotRead,
}

impl Why {
    pub const ALL: [Why; 10] = [
        Why::Forbidden,
        Why::Unreachable,
        Why::TimedOut,
        Why::NotConfigured,
        Why::LeftOut,
        Why::Malformed,
        Why::RateLimited,
        Why::Changed,
        Why::OtherProject,
        Why::NotRead,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Why::Forbidden => "forbidden",
            Why::Unreachable => "unreachable",
            Why::TimedOut => "timed-out",
            Why::NotConfigured => "not-configured",
            Why::LeftOut => "left-out",
            Why::Malformed => "malformed",
            Why::RateLimited => "rate-limited",
            Why::Changed => "changed",
            Why::OtherProject => "other-project",
            Why::NotRead => "not-read",
        }
    }
}

impl Gap {
    pub fn new(need: &str, why: Why, detail: impl Into<Text>) -> Gap {
        Gap { need: need.into(), item: None, why, detail: detail.into() }
    }

    pub fn of(mut self, item: impl Into<Text>) -> Gap {
        self.item = Some(item.into());
        self
    }

    /// `kubernetes`, `hcloud` or `kubelets`: where the missing fact would have come from.
    pub fn source(&self) -> &'static str {
        match self.need.split('.').next().unwrap_or_default() {
            "hcloud" => "hcloud",
            "kubelets" => "kubelets",
            _ => "kubernetes",
        }
    }

    fn is_of_a_log(&self) -> bool {
        self.need == "pods.log" || self.need == "controller.log"
    }

    /// What the reader can do to close this gap; a table over source and reason.
    pub fn remedy(&self) -> &'static str {
        match (self.source(), self.why) {
            (_, Why::LeftOut) => "run again without the option that leaves it out",
            ("hcloud", Why::NotConfigured) => {
                "`hcloud context create NAME`, or set HCLOUD_TOKEN; a read-only token is enough"
            }
            ("hcloud", Why::Forbidden) => {
                "make a new token in the cluster's Hetzner project (read-only is enough) and set HCLOUD_TOKEN"
            }
            ("hcloud", Why::OtherProject) => {
                "choose the cluster's project with --hcloud-context NAME, or set HCLOUD_TOKEN to a token of it"
            }
            ("hcloud", Why::RateLimited) => {
                "wait some minutes: the budget of 3,600 requests an hour is shared with the cloud controller"
            }
            ("hcloud", Why::Unreachable | Why::TimedOut) => {
                "check that this machine reaches https://api.hetzner.cloud (HTTPS_PROXY is honoured)"
            }
            ("kubelets", Why::Unreachable | Why::TimedOut) => {
                "run it where the nodes' addresses are reachable: on a node, or in the cluster (deploy/)"
            }
            ("kubelets", Why::NotRead) => {
                "give it more time with --timeout; by hand: `kairos-doctor explain` of the check says how"
            }
            ("kubelets", Why::Malformed) => {
                "find out what answers at that address: it is not this node's kubelet"
            }
            ("kubernetes", Why::Forbidden) => {
                "grant it: `kairos-doctor rbac | kubectl apply -f -` (deploy/rbac.yaml), and run it as that ServiceAccount"
            }
            ("kubernetes", Why::NotConfigured) => {
                "name a kubeconfig with --kubeconfig, or a context with --context"
            }
            ("kubernetes", Why::Unreachable | Why::TimedOut) if self.is_of_a_log() => {
                "see whether `kubectl logs` works for pods of that node: the API server did not get through to its kubelet"
            }
            ("kubernetes", Why::Unreachable | Why::TimedOut) => {
                "check the server's address and this machine's route to it; KD100 says what is known"
            }
            (_, Why::RateLimited) => "run again in a minute",
            (_, Why::TimedOut) => "run again with a longer --timeout",
            (_, Why::Changed) => "run again, when less is being created and deleted",
            ("hcloud", Why::Malformed) => {
                "see what answers there: `curl -sI https://api.hetzner.cloud/v1/servers` (a proxy, a login page?); if it is Hetzner, please report this"
            }
            ("kubernetes", Why::Malformed) => {
                "see what answers there: `kubectl get --raw /version` (a proxy, a login page?); if it is the API server, please report this with its version"
            }
            (_, Why::Malformed) => "please report this with the version of the server that sent it",
            (_, Why::NotRead) => "look by hand: `kairos-doctor explain` of the check says how",
            (_, Why::OtherProject | Why::NotConfigured | Why::Forbidden | Why::Unreachable) => {
                "see what was tried, and give the doctor a way to it"
            }
        }
    }
}
