//! The only I/O: reads a cluster into facts.

pub mod budget;
pub mod certificate;
pub mod hcloud_config;
pub mod hetzner;
pub mod kubelet;
pub mod guard;
pub mod kubeconfig;
pub mod kubernetes;
#[cfg(test)]
mod loopback;
