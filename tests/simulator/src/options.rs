//! What a simulated cluster does other than serve what is in the bundle.

use crate::fault::Fault;
use crate::pki::Authority;

/// How to serve a bundle. The default serves it as a real cluster would.
#[derive(Clone, Debug)]
pub struct Options {
    /// Put a recognisable string in every place of an object where a secret could hide.
    pub inflate: bool,
    /// Permute what is listed and cut pages shorter than asked for, in a way that the seed decides.
    pub shuffle: Option<u64>,
    pub kubelet_port: KubeletPort,
    /// Keys of needs whose grant is taken away: they answer 403.
    pub withhold: Vec<String>,
    /// API groups of CustomResourceDefinitions that are installed; `None`: those with items, and `helm.cattle.io`.
    pub crd_groups: Option<Vec<String>>,
    /// Other RBAC manifests than those in `deploy/`, as YAML.
    pub rbac: Option<String>,
    /// The cluster's authority; `None`: the one that the bundle recorded, with a key of its own.
    pub authority: Option<Authority>,
    /// Bodies of at least so many bytes are compressed for clients that accept it; a real API server begins at 128 KiB.
    pub gzip_from: usize,
    /// What `RateLimit-Remaining` of the Hetzner API says before the first request.
    pub rate_limit_remaining: u32,
    /// What fails, and how. The first target that a request meets counts.
    pub faults: Vec<(Target, Fault)>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            inflate: false,
            shuffle: None,
            kubelet_port: KubeletPort::Ephemeral,
            withhold: Vec::new(),
            crd_groups: None,
            rbac: None,
            authority: None,
            gzip_from: 128 * 1024,
            rate_limit_remaining: 3600,
            faults: Vec::new(),
        }
    }
}

impl Options {
    pub fn inflated(mut self) -> Options {
        self.inflate = true;
        self
    }

    pub fn shuffled(mut self, seed: u64) -> Options {
        self.shuffle = Some(seed);
        self
    }

    pub fn withholding(mut self, key: &str) -> Options {
        self.withhold.push(key.into());
        self
    }

    pub fn failing(mut self, target: Target, fault: Fault) -> Options {
        self.faults.push((target, fault));
        self
    }

    /// With this authority of the cluster, which somebody else can then trust before the simulator starts.
    pub fn signed_by(mut self, authority: &Authority) -> Options {
        self.authority = Some(authority.clone());
        self
    }

    /// The API server's port is closed; everything else is there.
    pub fn without_api_server(self) -> Options {
        self.failing(Target::all(Source::Kubernetes), Fault::Refuse)
    }
}

/// Which port the kubelets listen on; the served nodes say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KubeletPort {
    /// One that is free on all addresses, so that simulators can run side by side.
    Ephemeral,
    Fixed10250,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Kubernetes,
    Hetzner,
    /// A TLS handshake with a kubelet; its path in the log is `<node> <address>:<port>`.
    Kubelet,
}

/// What a fault is about: the requests to a source whose path begins so.
#[derive(Clone, Debug)]
pub struct Target {
    pub source: Source,
    /// A path, or for kubelets a node's name. Empty: the source as a whole, which then fails before TLS where it can.
    pub prefix: String,
    /// It fails so often and then no more; `None`: always.
    pub times: Option<u32>,
}

impl Target {
    pub fn all(source: Source) -> Target {
        Target { source, prefix: String::new(), times: None }
    }

    pub fn kubernetes(prefix: &str) -> Target {
        Target { prefix: prefix.into(), ..Target::all(Source::Kubernetes) }
    }

    pub fn hetzner(prefix: &str) -> Target {
        Target { prefix: prefix.into(), ..Target::all(Source::Hetzner) }
    }

    pub fn kubelet(node: &str) -> Target {
        Target { prefix: node.into(), ..Target::all(Source::Kubelet) }
    }

    pub fn times(mut self, times: u32) -> Target {
        self.times = Some(times);
        self
    }
}
