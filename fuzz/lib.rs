//! The fuzz targets as functions. The normal tests run the same functions over the committed corpus.

// For `fuzz_target!` in the binaries.
pub use libfuzzer_sys;

#[path = "../tests/it/exposition.rs"]
pub mod exposition;
#[path = "../tests/it/html_page.rs"]
pub mod html_page;
#[path = "../tests/it/hostile/github.rs"]
pub mod github;
#[path = "../tests/it/hostile/renderers.rs"]
pub mod renderers;
pub mod targets;
mod words;

pub mod hostile {
    pub use super::renderers::harmless;
}
