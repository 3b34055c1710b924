//! The only I/O: reads a cluster into facts.

pub mod budget;
pub mod guard;
pub mod kubeconfig;
pub mod kubernetes;
#[cfg(test)]
mod loopback;
