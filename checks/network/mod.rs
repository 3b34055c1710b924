//! How pods reach each other.

pub mod cilium_api_endpoint;
pub mod cilium_direct_routes;
pub mod cilium_leaves_load_balancers_to_hetzner;
pub mod cilium_native_cidr;
pub mod cilium_node_address;
pub mod cilium_route_fabric;
pub mod flannel_interface;
pub mod kube_proxy_replaced_once;
