//! What can go wrong between Kairos, k3s and Hetzner Cloud, and how one can tell.
//!
//! Pure: nothing here does I/O, knows the time or where the facts came from. [`facts::Facts`] go in,
//! [`engine::Report`] comes out.

pub mod certificates;
mod check;
pub mod cloud_controller;
pub mod domain;
pub mod engine;
pub mod facts;
mod finding;
pub mod gateway;
pub mod k3s;
pub mod load_balancers;
pub mod network;
pub mod nodes;
pub mod remedies;
pub mod storage;

pub use check::{Cause, Check, Condition, Reach, Severity};
pub use finding::{Act, Changes, Confidence, Evidence, Finding, ObjectRef, Step, Verdict, Verify, When};

/// Every check, by code. A new one is a file in its area, its page, its fixtures and a line here.
pub const ALL: &[&Check] = &[
    &nodes::api_server_answers::CHECK,
    &nodes::node_name_matches_server::CHECK,
    &nodes::node_ip_known_to_cloud::CHECK,
    &nodes::node_provider_id::CHECK,
    &nodes::node_initialized::CHECK,
    &nodes::external_cloud_provider::CHECK,
    &nodes::node_internal_ip::CHECK,
    &nodes::kubelet_certificate_covers_node_ip::CHECK,
    &nodes::kubelet_certificate_expiry::CHECK,
    &nodes::metrics_api::CHECK,
    &cloud_controller::ccm_running::CHECK,
    &cloud_controller::ccm_version::CHECK,
    &cloud_controller::ccm_cluster_cidr::CHECK,
    &cloud_controller::ccm_network::CHECK,
    &cloud_controller::ccm_permissions::CHECK,
    &cloud_controller::ccm_token::CHECK,
    &cloud_controller::ccm_leaves_routes_to_cilium::CHECK,
    &load_balancers::load_balancer_address::CHECK,
    &load_balancers::load_balancer_location::CHECK,
    &load_balancers::load_balancer_location_exists::CHECK,
    &load_balancers::load_balancer_network_zone::CHECK,
    &load_balancers::load_balancer_targets_healthy::CHECK,
    &load_balancers::load_balancer_private_targets::CHECK,
    &load_balancers::load_balancer_has_targets::CHECK,
    &load_balancers::load_balancer_sync::CHECK,
    &load_balancers::load_balancer_annotations::CHECK,
    &load_balancers::load_balancer_source_ranges::CHECK,
    &load_balancers::load_balancer_one_controller::CHECK,
    &certificates::managed_certificate_issued::CHECK,
    &certificates::managed_certificate_annotations::CHECK,
    &certificates::managed_certificate_drift::CHECK,
    &certificates::managed_certificate_dns_zone::CHECK,
    &certificates::cert_manager_certificates::CHECK,
    &certificates::gateway_certificate_refs::CHECK,
    &network::cilium_direct_routes::CHECK,
    &network::cilium_native_cidr::CHECK,
    &network::cilium_route_fabric::CHECK,
    &network::kube_proxy_replaced_once::CHECK,
    &network::cilium_leaves_load_balancers_to_hetzner::CHECK,
    &network::cilium_api_endpoint::CHECK,
    &network::flannel_interface::CHECK,
    &network::cilium_node_address::CHECK,
    &gateway::route_allowed_by_listener::CHECK,
    &gateway::route_parent_exists::CHECK,
    &gateway::route_reference_grant::CHECK,
    &gateway::gateway_listener_port::CHECK,
    &gateway::gateway_class_accepted::CHECK,
    &gateway::gateway_address::CHECK,
    &gateway::gateway_crds::CHECK,
    &storage::default_storage_class::CHECK,
    &storage::csi_registered::CHECK,
    &k3s::placeholders_substituted::CHECK,
    &k3s::helm_charts_installed::CHECK,
    &k3s::k3s_disable_values::CHECK,
    &k3s::etcd_member_address::CHECK,
];
