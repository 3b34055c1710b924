//! The only I/O: reads a cluster into facts.

pub mod budget;
