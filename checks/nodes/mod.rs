//! Nodes, their kubelets, and the API server.

pub mod api_server_answers;
pub mod external_cloud_provider;
pub mod kubelet_certificate_covers_node_ip;
pub mod kubelet_certificate_expiry;
pub mod metrics_api;
pub mod node_initialized;
pub mod node_internal_ip;
pub mod node_ip_known_to_cloud;
pub mod node_name_matches_server;
pub mod node_provider_id;

use crate::facts::kubernetes::Node;
use crate::facts::{Facts, Time};

/// Where the taint of a node that no cloud controller has initialised stands.
const TAINT: &str = "spec.taints[key=node.cloudprovider.kubernetes.io/uninitialized].effect";
const PROVIDED: &str = "metadata.annotations['alpha.kubernetes.io/provided-node-ip']";

/// What began less than three minutes ago may still be getting there.
fn is_recent(time: Time, facts: &Facts) -> bool {
    time.seconds_until(facts.now).is_some_and(|seconds| seconds < 180)
}

/// A node that has just registered, and whose cloud controller has not had its turn.
fn is_new(node: &Node, facts: &Facts) -> bool {
    is_recent(node.metadata.creation_timestamp, facts)
}
