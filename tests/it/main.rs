//! Everything that needs the program as a whole, in one binary.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests serve, connect, start and write"
)]

mod advice;
mod advised;
mod browser;
mod bundles;
mod cases;
mod causes;
mod cross_fire;
mod deploy;
mod drift;
mod evidence;
mod exposition;
mod faults;
mod github;
mod harmless;
mod hostile;
mod html_page;
mod live;
mod pages;
mod prior;
mod protobuf;
mod rbac;
mod real;
mod security;
mod shuffle;
mod withholding;
