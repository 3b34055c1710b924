//! Gateway API.

pub mod gateway_address;
pub mod gateway_class_accepted;
pub mod gateway_crds;
pub mod gateway_listener_port;
mod listener_remedies;
pub mod route_allowed_by_listener;
pub mod route_parent_exists;
pub mod route_reference_grant;
