//! Reads a document that may be a bundle.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess};
use serde_json::Value;

use super::loose::{Loose, Shape};
use super::{BundleError, FORMAT};
use crate::facts::{Facts, Gap, Need, Part, Text, need};

/// Any JSON document, of which only a bundle's facts are kept: what it says that it is, for whoever named another file.
pub struct Document {
    /// What it gives as its format; empty where it has none.
    pub format: String,
    /// What it gives as its schema, as a report does; empty where it has none.
    pub schema: String,
    /// It looks like an object of the Kubernetes API.
    pub is_of_kubernetes: bool,
    /// What it records, or why it is no bundle.
    pub facts: Result<Facts, BundleError>,
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Document, D::Error> {
        let fields = deserializer.deserialize_any(Loose(Top))?;
        Ok(Document {
            format: fields.format.clone().unwrap_or_default(),
            schema: fields.schema.clone().unwrap_or_default(),
            is_of_kubernetes: fields.kind.is_some() && fields.api_version.is_some(),
            facts: fields.facts(),
        })
    }
}

/// What stands at the top of a document; of a field that is no string nothing.
#[derive(Default)]
struct Fields {
    format: Option<String>,
    schema: Option<String>,
    kind: Option<String>,
    api_version: Option<String>,
    now: Option<String>,
    context: Option<String>,
    hcloud_context: Option<String>,
    recorded_by: Option<String>,
    replaced: Value,
    gaps: Value,
    parts: Option<Vec<(&'static Need, Result<Part, String>)>>,
}

impl Fields {
    fn facts(self) -> Result<Facts, BundleError> {
        let wrong = |what: String| BundleError(what);
        match self.format.as_deref() {
            Some(FORMAT) => {}
            Some(other) => {
                return Err(wrong(format!("its format is `{}`, not `{FORMAT}`", Text::new(other))));
            }
            None => return Err(wrong(format!("it has no \"format\": \"{FORMAT}\""))),
        }
        let now = self.now.and_then(|now| now.parse().ok());
        let now = now.ok_or_else(|| wrong("\"now\" is not a time".into()))?;
        let mut facts = Facts::new(now);
        let text = |field: Option<String>| field.map(|text| Text::new(&text));
        facts.context = text(self.context);
        facts.hetzner_context = text(self.hcloud_context);
        facts.recorded_by = text(self.recorded_by);
        if !self.replaced.is_null() {
            let read = Deserialize::deserialize(&self.replaced);
            facts.replaced = Some(read.map_err(|e: serde_json::Error| wrong(format!("\"replaced\": {e}")))?);
        }
        for (need, part) in self.parts.ok_or_else(|| wrong("it has no \"parts\"".into()))? {
            let part = part.map_err(|why| wrong(format!("part `{}`: {why}", need.key)))?;
            facts.put(need, Ok(part));
        }
        for (key, gap) in self.gaps.as_object().into_iter().flatten() {
            let Some(need) = need(key) else { continue };
            let gap: Gap = Deserialize::deserialize(gap).map_err(|e| wrong(format!("gap `{key}`: {e}")))?;
            facts.put(need, Err(gap));
        }
        Ok(facts)
    }
}

struct Top;

impl<'de> Shape<'de> for Top {
    type Value = Fields;

    fn other(self) -> Fields {
        Fields::default()
    }

    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key::<String>()? {
            let field = match &*key {
                "format" => &mut fields.format,
                "schema" => &mut fields.schema,
                "kind" => &mut fields.kind,
                "apiVersion" => &mut fields.api_version,
                "now" => &mut fields.now,
                "context" => &mut fields.context,
                "hcloud_context" => &mut fields.hcloud_context,
                "recorded_by" => &mut fields.recorded_by,
                "replaced" => {
                    fields.replaced = map.next_value()?;
                    continue;
                }
                "gaps" => {
                    fields.gaps = map.next_value()?;
                    continue;
                }
                // Those of another version are none that could be read.
                "parts" if fields.format.as_deref().is_none_or(|format| format == FORMAT) => {
                    fields.parts = map.next_value_seed(Loose(Parts))?;
                    continue;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *field = map.next_value_seed(Loose(Words))?;
        }
        Ok(fields)
    }
}

/// A string.
struct Words;

impl Shape<'_> for Words {
    type Value = Option<String>;

    fn other(self) -> Option<String> {
        None
    }

    fn text(self, text: &str) -> Option<String> {
        Some(text.into())
    }
}

/// The parts by their keys.
struct Parts;

impl<'de> Shape<'de> for Parts {
    type Value = Option<Vec<(&'static Need, Result<Part, String>)>>;

    fn other(self) -> Self::Value {
        None
    }

    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut parts = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            match need(&key) {
                Some(need) => parts.push((need, map.next_value_seed(Loose(PartOf(need)))?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Some(parts))
    }
}

/// The objects of one part.
struct PartOf(&'static Need);

impl<'de> Shape<'de> for PartOf {
    type Value = Result<Part, String>;

    fn other(self) -> Self::Value {
        Err("it is no list".into())
    }

    fn seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let objects = std::iter::from_fn(|| items.next_element::<Value>().transpose());
        let part = self.0.gather(objects)?.map_err(|e| e.to_string());
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(part)
    }
}
