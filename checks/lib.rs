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
    &nodes::kubelet_certificate_covers_node_ip::CHECK,
    &load_balancers::load_balancer_address::CHECK,
    &load_balancers::load_balancer_location::CHECK,
    &load_balancers::load_balancer_targets_healthy::CHECK,
    &certificates::managed_certificate_issued::CHECK,
    &certificates::managed_certificate_annotations::CHECK,
    &certificates::managed_certificate_drift::CHECK,
    &certificates::managed_certificate_dns_zone::CHECK,
    &certificates::cert_manager_certificates::CHECK,
    &certificates::gateway_certificate_refs::CHECK,
];
