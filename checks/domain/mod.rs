//! What the controllers would compute, written once: checks ask here and never work it out for themselves.

pub mod addresses;
pub mod certificates;
pub mod cluster;
pub mod hccm;
pub mod hccm_log;
pub mod k3s;
pub mod kubelet;
pub mod owner;
