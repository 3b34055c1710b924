//! What to do, where several checks say the same: written once, so that nobody regrets pasting it.

pub mod charts;
pub mod cilium;
pub mod controller;
pub mod etcd;
pub mod helm_jobs;
pub mod k3s_config;
pub mod managed_certificate;
pub mod node_ip;
pub mod placeholders;
pub mod registration;
pub mod service_annotation;

use serde_json::Value;

use crate::{Changes, Step};

/// The same change in the manifest that an object comes from.
pub fn in_manifest(of: &str, snippet: Value) -> Step {
    let why = "the same in its manifest, so that it survives the next apply and the next boot";
    Step::write(Changes::Cluster, why, format!("the manifest of {of}"), snippet).for_good()
}
