//! Nodes, their kubelets, and the API server.

pub mod api_server_answers;
pub mod kubelet_certificate_covers_node_ip;
