//! Writes what is known, keys in their order on every level, as a value has them.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::json;

use super::FORMAT;
use crate::facts::{Facts, Gap, NEEDS, Need, Part};

pub(super) struct Bundle<'a>(pub &'a Facts);

impl Serialize for Bundle<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let facts = self.0;
        let mut needs = NEEDS.to_vec();
        needs.sort_unstable_by_key(|need| need.key);
        let (mut parts, mut gaps) = (Vec::new(), Vec::new());
        for need in needs {
            match facts.part(need) {
                Some(Ok(part)) => parts.push((need, part)),
                Some(Err(gap)) => gaps.push((need, gap)),
                None => {}
            }
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("context", &facts.context)?;
        map.serialize_entry("format", FORMAT)?;
        if !gaps.is_empty() {
            map.serialize_entry("gaps", &Gaps(&gaps))?;
        }
        if facts.hetzner_context.is_some() {
            map.serialize_entry("hcloud_context", &facts.hetzner_context)?;
        }
        map.serialize_entry("now", &facts.now)?;
        map.serialize_entry("parts", &Parts(&parts))?;
        if let Some(version) = &facts.recorded_by {
            map.serialize_entry("recorded_by", version)?;
        }
        if let Some(replaced) = &facts.replaced {
            map.serialize_entry("replaced", &json!(replaced))?;
        }
        map.end()
    }
}

struct Gaps<'a>(&'a [(&'static Need, &'a Gap)]);

impl Serialize for Gaps<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(need, gap)| (need.key, json!(gap))))
    }
}

struct Parts<'a>(&'a [(&'static Need, &'a Part)]);

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(need, part)| (need.key, PartOf(need, part))))
    }
}

struct PartOf<'a>(&'static Need, &'a Part);

impl Serialize for PartOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut objects = serializer.serialize_seq(Some(self.0.len(self.1)))?;
        for object in self.0.objects(self.1) {
            objects.serialize_element(&object)?;
        }
        objects.end()
    }
}
