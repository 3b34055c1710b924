//! One place of the table: who fails, and how.

use kairos_doctor_checks::facts::{NEEDS, Need};
use kairos_doctor_simulator::{Fault, Options, Source, Target};

/// Who fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everything, from the connection on.
    Kubernetes,
    /// Every list; the first request is answered.
    KubernetesLists,
    /// One list.
    Pods,
    Hetzner,
    Servers,
    Kubelets,
    /// The one of the node `k2`.
    OneKubelet,
}

/// What the run should come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// What is missing is named in a sentence with these words.
    Says(&'static str),
    /// It is found, and that sentence has these words.
    Finds(&'static str),
    /// Nothing is missing.
    Whole,
}

pub struct Cell {
    pub who: Who,
    /// As the table names it.
    pub how: &'static str,
    pub fault: Fault,
    /// How often it strikes; `None`: always.
    pub times: Option<u32>,
    pub then: Then,
}

impl Cell {
    pub fn options(&self) -> Options {
        let target = self.who.target();
        let target = self.times.iter().fold(target, |target, times| target.times(*times));
        Options::default().failing(target, self.fault.clone())
    }

    /// It takes as long as it is given.
    pub fn is_waited_for(&self) -> bool {
        use Fault::{Drip, Silent, Stall, StallBody};
        matches!(self.fault, Silent | Stall | StallBody | Drip)
    }

    pub fn name(&self) -> String {
        format!("{} × {}", self.who.name(), self.how)
    }
}

impl Who {
    pub fn target(self) -> Target {
        match self {
            Who::Kubernetes => Target::all(Source::Kubernetes),
            Who::KubernetesLists => Target::kubernetes("/api"),
            Who::Pods => Target::kubernetes("/api/v1/pods"),
            Who::Hetzner => Target::all(Source::Hetzner),
            Who::Servers => Target::hetzner("/v1/servers"),
            Who::Kubelets => Target::all(Source::Kubelet),
            Who::OneKubelet => Target::kubelet("k2"),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Who::Kubernetes => "Kubernetes API",
            Who::KubernetesLists => "Kubernetes API, every list",
            Who::Pods => "Kubernetes API, the list of pods",
            Who::Hetzner => "Hetzner API",
            Who::Servers => "Hetzner API, the list of servers",
            Who::Kubelets => "kubelets",
            Who::OneKubelet => "one kubelet",
        }
    }

    /// Whether that need is out of sight, or may be, when this source fails.
    pub fn touches(self, need: &Need) -> bool {
        let kubernetes = need.source() == "kubernetes";
        // API server and controller get to the kubelets through the API server, which finds them by pods.
        let logs = matches!(need.key, "pods.log" | "controller.log");
        match self {
            Who::Kubernetes | Who::KubernetesLists => need.source() != "hcloud",
            Who::Pods => need.key == "pods" || logs,
            Who::Hetzner => need.source() == "hcloud",
            Who::Servers => need.key == "hcloud.servers",
            Who::Kubelets | Who::OneKubelet => need.key == "kubelets" || (kubernetes && logs),
        }
    }

    /// Keys as gaps name them.
    pub fn is_named_by(self, need: &str) -> bool {
        match need {
            "kubernetes" => matches!(self, Who::Kubernetes | Who::KubernetesLists),
            "hcloud" => matches!(self, Who::Hetzner | Who::Servers),
            key => NEEDS.iter().any(|need| need.key == key && self.touches(need)),
        }
    }
}
