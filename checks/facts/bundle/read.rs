//! Reads a document that may be a bundle.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{BundleError, FORMAT};
use crate::facts::{Facts, Gap, Need, Part, Text, need};

/// Any JSON document, for whoever does not know what was named. Reading one fails where what stands in the parts of a bundle
/// is not what it should be.
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
        let fields = deserializer.deserialize_any(Any)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        Ok(Document {
            format: text(&fields.format),
            schema: text(&fields.schema),
            is_of_kubernetes: fields.kind.is_string() && fields.api_version.is_string(),
            facts: fields.facts(),
        })
    }
}

/// What stands at the top of a document, of whatever type it is.
#[derive(Default)]
struct Fields {
    format: Value,
    schema: Value,
    kind: Value,
    api_version: Value,
    now: Value,
    context: Value,
    hcloud_context: Value,
    recorded_by: Value,
    replaced: Value,
    gaps: Value,
    parts: Option<Vec<(&'static Need, Part)>>,
}

impl Fields {
    fn facts(self) -> Result<Facts, BundleError> {
        let wrong = |what: String| BundleError(what);
        match self.format.as_str() {
            Some(FORMAT) => {}
            Some(other) => {
                return Err(wrong(format!("its format is `{}`, not `{FORMAT}`", Text::new(other))));
            }
            None => return Err(wrong(format!("it has no \"format\": \"{FORMAT}\""))),
        }
        let now = self.now.as_str().and_then(|now| now.parse().ok());
        let now = now.ok_or_else(|| wrong("\"now\" is not a time".into()))?;
        let mut facts = Facts::new(now);
        facts.context = self.context.as_str().map(Text::new);
        facts.hetzner_context = self.hcloud_context.as_str().map(Text::new);
        facts.recorded_by = self.recorded_by.as_str().map(Text::new);
        if !self.replaced.is_null() {
            let read = Deserialize::deserialize(&self.replaced);
            facts.replaced = Some(read.map_err(|e: serde_json::Error| wrong(format!("\"replaced\": {e}")))?);
        }
        for (need, part) in self.parts.ok_or_else(|| wrong("it has no \"parts\"".into()))? {
            facts.put(need, Ok(part));
        }
        for (key, gap) in self.gaps.as_object().into_iter().flatten() {
            let Some(need) = need(key) else { continue };
            let gap: Gap = Deserialize::deserialize(gap).map_err(|e| wrong(format!("gap `{key}`: {e}")))?;
            facts.put(need, Err(gap));
        }
        Ok(facts)
    }

    /// The parts of another format are none that could be read.
    fn may_have_parts(&self) -> bool {
        self.format.as_str().is_none_or(|format| format == FORMAT)
    }
}

/// Takes any value, with its fields where it has some.
struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key::<String>()? {
            let field = match &*key {
                "parts" if fields.may_have_parts() => {
                    fields.parts = map.next_value_seed(Parts)?;
                    continue;
                }
                "format" => &mut fields.format,
                "schema" => &mut fields.schema,
                "kind" => &mut fields.kind,
                "apiVersion" => &mut fields.api_version,
                "now" => &mut fields.now,
                "context" => &mut fields.context,
                "hcloud_context" => &mut fields.hcloud_context,
                "recorded_by" => &mut fields.recorded_by,
                "replaced" => &mut fields.replaced,
                "gaps" => &mut fields.gaps,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *field = map.next_value()?;
        }
        Ok(fields)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Fields, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Fields::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Fields, E> {
        Ok(Fields::default())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Fields, E> {
        Ok(Fields::default())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Fields, E> {
        Ok(Fields::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Fields, E> {
        Ok(Fields::default())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Fields, E> {
        Ok(Fields::default())
    }

    fn visit_unit<E: Error>(self) -> Result<Fields, E> {
        Ok(Fields::default())
    }
}

/// The parts by their keys.
struct Parts;

impl<'de> DeserializeSeed<'de> for Parts {
    type Value = Option<Vec<(&'static Need, Part)>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Parts {
    type Value = Option<Vec<(&'static Need, Part)>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"parts\" by their keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut parts = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            match need(&key) {
                Some(need) => parts.push((need, map.next_value_seed(Objects(need))?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Some(parts))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// The objects of one part.
struct Objects(&'static Need);

impl<'de> DeserializeSeed<'de> for Objects {
    type Value = Part;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Part, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Objects {
    type Value = Part;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of objects as part `{}`", self.0.key)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Part, A::Error> {
        let objects = std::iter::from_fn(|| items.next_element::<Value>().transpose());
        self.0.gather(objects, |e| A::Error::custom(format!("part `{}`: {e}", self.0.key)))
    }
}
