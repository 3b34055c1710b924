//! What the controllers would compute, written once: checks ask here and never work it out for themselves.

pub mod addresses;
pub mod ccm_network;
pub mod cert_manager;
pub mod certificates;
pub mod cilium;
pub mod cluster;
pub mod gateway;
pub mod gateway_controller;
pub mod hccm;
pub mod hccm_log;
pub mod k3s;
pub mod kubelet;
pub mod lb_annotations;
pub mod machines;
pub mod managed_certificates;
pub mod names;
pub mod near;
pub mod owner;
pub mod pod_network;
pub mod rbac;
pub mod routes;
pub mod selector;
pub mod spelling;
pub mod sync_error;
pub mod topology;
