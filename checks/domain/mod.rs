//! What the controllers would compute, written once: checks ask here and never work it out for themselves.

pub mod addresses;
pub mod ccm_network;
pub mod cert_manager;
pub mod certificates;
pub mod cilium;
pub mod cluster;
pub mod hccm;
pub mod k3s;
pub mod kubelet;
pub mod machines;
pub mod managed_certificates;
pub mod owner;
