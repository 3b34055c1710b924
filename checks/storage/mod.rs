//! Volumes.

pub mod csi_registered;
pub mod default_storage_class;
