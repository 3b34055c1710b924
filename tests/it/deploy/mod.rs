//! What `deploy/` puts where people use it: each file is what the systems take, and runs the program as they would.

mod chroot;
mod image;
mod kairos;
mod manifests;
mod systemd;
mod workflows;

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file of `deploy/`.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

pub fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|e| panic!("deploy/{name}: {e}"))
}

/// The YAML documents of a file of `deploy/`.
pub fn documents(name: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(name)).unwrap_or_else(|e| panic!("deploy/{name}: {e}"))
}

/// The CronJob.
pub fn cronjob() -> Value {
    let found = documents("cronjob.yaml");
    assert_eq!(found.len(), 1, "one object");
    found.into_iter().next().unwrap()
}

/// Says that a test looked at nothing, past what the test runner holds back.
pub fn skipped(test: &str, why: &str) {
    let line = format!("SKIPPED deploy::{test}: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
}
