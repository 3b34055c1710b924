//! What connections showed: the API server's, the kubelets' certificates, and the API server's own words about them.

use super::wire::wire;
use super::{Gap, Kind, LogRead, Need, Origin, Text, Time, Why};
use crate::ObjectRef;

wire! { "camelCase"
    /// A certificate as it was presented, parsed. Never the bytes.
    pub struct Certificate {
        pub subject: Text,
        pub issuer: Text,
        pub dns_names: Vec<Text>,
        pub ip_addresses: Vec<Text>,
        /// So many names and addresses more, which are not kept.
        pub more_names: i64,
        pub not_before: Time,
        pub not_after: Time,
        /// SHA-256 of the certificate, lower-case hex.
        pub fingerprint: Text,
    }

    /// The certificate authorities of the ConfigMap `kube-system/kube-root-ca.crt`, which signed the kubelets' certificates.
    pub struct ClusterCa {
        pub certificate: Certificate,
    }

    /// One TLS handshake with the kubelet's port at one of a node's addresses.
    pub struct Kubelet {
        pub node: Text,
        /// `InternalIP` or `ExternalIP`.
        pub address_type: Text,
        pub address: Text,
        pub port: u16,
        /// What was presented, with a valid handshake signature: the peer holds the key. Absent when there was no handshake.
        pub certificate: Option<Certificate>,
        /// The certificate chains to the cluster's certificate authority.
        pub trusted: bool,
        /// Why it does not chain, in the verifier's words.
        pub distrust: Text,
        /// What went wrong instead of a handshake.
        pub failure: Option<Failure>,
    }

    pub struct Failure {
        /// A reason as in gaps: `unreachable`, `timed-out`, `malformed`.
        pub why: Text,
        pub detail: Text,
    }

    /// What the API server answered when it was asked for one line of a pod's log: it dials the kubelet for that.
    pub struct LogProbe {
        pub node: Text,
        pub namespace: Text,
        pub pod: Text,
        pub container: Text,
        /// HTTP status; 0 when there was no answer.
        pub status: i64,
        /// The `reason` of the Status that came back; empty for a failed dial.
        pub reason: Text,
        /// The error's message, only where it is one of the known patterns; never a log line.
        pub message: Text,
        pub failure: Option<Failure>,
    }

    /// The Kubernetes API as the kubeconfig names it.
    pub struct ApiServer {
        /// `https://host:port`.
        pub server: Text,
        pub host: Text,
        pub port: u16,
        /// What the host's name resolved to, or the address itself.
        pub addresses: Vec<Text>,
        /// `answered`, `refused`, `timed-out`, `unreachable`, `unresolved`, `tls`, `client-certificate-expired`,
        /// `unauthorized`, `not-kubernetes`, `failing`, or `not-asked` when the time of the run was up before that.
        pub outcome: Text,
        /// What came back, one line.
        pub detail: Text,
        /// When the client certificate of the kubeconfig ends, where it has one.
        pub client_not_after: Time,
    }
}

impl Kind for Kubelet {
    const NEED: Need = Need::made::<Kubelet>("kubelets", Origin::Kubelets);
    fn reference(&self) -> ObjectRef {
        ObjectRef::new("Kubelet", None, &format!("{} {}:{}", self.node, self.address, self.port))
    }
}

impl Kind for LogProbe {
    const NEED: Need =
        Need::made::<LogProbe>("pods.log", Origin::PodLogs { namespace: "kube-system", read: LogRead::Byte });
    fn reference(&self) -> ObjectRef {
        ObjectRef::new("LogProbe", Some(&self.namespace), &format!("{} {}", self.node, self.pod))
    }
}

impl Kind for ApiServer {
    const NEED: Need = Need::made::<ApiServer>("api_server", Origin::Connection);
    fn reference(&self) -> ObjectRef {
        ObjectRef::new("ApiServer", None, &self.server)
    }
}

impl Kind for ClusterCa {
    const NEED: Need = Need::made::<ClusterCa>(
        "cluster_ca",
        Origin::Kubernetes(super::Resource::core("configmaps").only("kube-system", "kube-root-ca.crt")),
    );
    fn reference(&self) -> ObjectRef {
        ObjectRef::new("ClusterCa", None, &self.certificate.fingerprint)
    }
}

impl Failure {
    pub fn gap(&self, need: &Need, item: &str) -> Gap {
        let why = Why::ALL.into_iter().find(|why| self.why == why.as_str()).unwrap_or(Why::Unreachable);
        Gap::new(need.key, why, self.detail.clone()).of(item)
    }
}

impl ApiServer {
    pub fn answered(&self) -> bool {
        self.outcome == "answered"
    }
}
