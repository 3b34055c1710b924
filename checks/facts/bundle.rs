//! The bundle: one JSON document with everything that was read, and the base of every fixture. It is written and read object
//! by object: as a whole a large cluster takes many times what its facts do.

mod loose;
mod read;
mod write;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Facts;
pub use read::Document;

/// The name of this format; another one is refused.
pub const FORMAT: &str = "kairos-doctor/bundle/v1";

/// Why a document is no bundle, in words for the person who named the file.
#[derive(Debug)]
pub struct BundleError(String);

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for BundleError {}

impl Facts {
    /// What is written, and a [`Document`] reads back to the same facts; its keys are in their order.
    pub fn bundle(&self) -> impl Serialize + '_ {
        write::Bundle(self)
    }

    /// The same as one value.
    pub fn to_bundle(&self) -> Value {
        serde_json::to_value(self.bundle()).expect("facts are plain data")
    }

    /// Reads a bundle. Parts that this version does not know are left alone, so that newer bundles can be read.
    ///
    /// # Errors
    /// When it is another format, has no time, or a part is not what its name promises.
    pub fn from_bundle(bundle: &Value) -> Result<Facts, BundleError> {
        Document::deserialize(bundle).map_err(|e| BundleError(e.to_string()))?.facts
    }
}
