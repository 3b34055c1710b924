//! The bundle: one JSON document with everything that was read, and the base of every fixture.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Facts, Gap, NEEDS, Text, need};

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
    /// The document that [`Facts::from_bundle`] reads back to the same facts.
    pub fn to_bundle(&self) -> Value {
        let mut parts = Map::new();
        let mut gaps = Map::new();
        for need in NEEDS {
            match self.part(need) {
                Some(Ok(part)) => drop(parts.insert(need.key.into(), need.encode(part))),
                Some(Err(gap)) => drop(gaps.insert(need.key.into(), json!(gap))),
                None => {}
            }
        }
        let mut bundle = json!({"format": FORMAT, "now": self.now, "context": self.context, "parts": parts});
        if self.hetzner_context.is_some() {
            bundle["hcloud_context"] = json!(self.hetzner_context);
        }
        if let Some(version) = &self.recorded_by {
            bundle["recorded_by"] = json!(version);
        }
        if let Some(replaced) = &self.replaced {
            bundle["replaced"] = json!(replaced);
        }
        if !gaps.is_empty() {
            bundle["gaps"] = Value::Object(gaps);
        }
        bundle
    }

    /// Reads a bundle. Parts that this version does not know are left alone, so that newer bundles can be read.
    ///
    /// # Errors
    /// When it is another format, has no time, or a part is not what its name promises.
    pub fn from_bundle(bundle: &Value) -> Result<Facts, BundleError> {
        let wrong = |what: String| BundleError(what);
        match bundle["format"].as_str() {
            Some(FORMAT) => {}
            Some(other) => {
                return Err(wrong(format!("its format is `{}`, not `{FORMAT}`", Text::new(other))));
            }
            None => return Err(wrong(format!("it has no \"format\": \"{FORMAT}\""))),
        }
        let now = bundle["now"].as_str().and_then(|now| now.parse().ok());
        let now = now.ok_or_else(|| wrong("\"now\" is not a time".into()))?;
        let mut facts = Facts::new(now);
        facts.context = bundle["context"].as_str().map(Text::new);
        facts.hetzner_context = bundle["hcloud_context"].as_str().map(Text::new);
        facts.recorded_by = bundle["recorded_by"].as_str().map(Text::new);
        if let Some(replaced) = bundle.get("replaced").filter(|replaced| !replaced.is_null()) {
            let read = Deserialize::deserialize(replaced);
            facts.replaced = Some(read.map_err(|e: serde_json::Error| wrong(format!("\"replaced\": {e}")))?);
        }
        let parts = bundle["parts"].as_object().ok_or_else(|| wrong("it has no \"parts\"".into()))?;
        for (key, items) in parts {
            let Some(need) = need(key) else { continue };
            let part = need.load(items).map_err(|e| wrong(format!("part `{key}`: {e}")))?;
            facts.put(need, Ok(part));
        }
        for (key, gap) in bundle["gaps"].as_object().into_iter().flatten() {
            let Some(need) = need(key) else { continue };
            let gap: Gap = Deserialize::deserialize(gap).map_err(|e| wrong(format!("gap `{key}`: {e}")))?;
            facts.put(need, Err(gap));
        }
        Ok(facts)
    }
}
