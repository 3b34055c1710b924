//! The Hetzner Cloud Controller Manager itself.

pub mod ccm_cluster_cidr;
pub mod ccm_leaves_routes_to_cilium;
pub mod ccm_network;
pub mod ccm_permissions;
pub mod ccm_running;
pub mod ccm_token;
pub mod ccm_version;
mod trouble;
