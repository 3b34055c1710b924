//! The program: command line, collecting (the only I/O), fixtures, redaction and reports. What can go wrong is in the
//! crate `kairos-doctor-checks`.

#![cfg_attr(
    test,
    allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests serve, connect and write")
)]

pub mod baseline;
pub mod bundle_file;
pub mod cli;
pub mod collect;
pub mod completions;
pub mod demo;
pub mod fixture;
pub mod man;
pub mod names;
mod pager;
mod prior;
pub mod rbac;
pub mod redact;
pub mod report;
pub mod run;
pub mod suppressions;
