//! Pseudonyms of what is not in the facts: names that a report of an earlier run or a suppressions file has.

use std::collections::{BTreeMap, HashSet};

use kairos_doctor_checks::ObjectRef;
use kairos_doctor_checks::engine::Ranked;
use kairos_doctor_checks::facts::{Facts, NEEDS};
use serde_json::Value;

use super::dictionary::Dictionary;

/// What stands for a name that nothing in this cluster has: nobody could tell what in it is to be replaced.
const WITHHELD: &str = "withheld";

/// The names of one cluster and what stands for them.
pub struct Pseudonyms {
    dictionary: Dictionary,
    known: HashSet<(Option<String>, String)>,
}

impl Pseudonyms {
    /// Those of these facts, of which the dictionary is.
    pub fn of(facts: &Facts, dictionary: Dictionary) -> Pseudonyms {
        let mut known = HashSet::new();
        for need in NEEDS {
            let Some(Ok(part)) = facts.part(need) else { continue };
            for item in need.objects(part) {
                let text = |value: &Value| value.as_str().map(str::to_string);
                let meta = &item["metadata"];
                known.extend(text(&meta["name"]).map(|name| (text(&meta["namespace"]), name)));
                known.extend(
                    [&item["name"], &item["server"]].into_iter().filter_map(text).map(|name| (None, name)),
                );
            }
        }
        Pseudonyms { dictionary, known }
    }

    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// The object under its pseudonym; the name is withheld where this cluster has no such object.
    pub fn object(&self, object: &ObjectRef) -> ObjectRef {
        let name = (object.namespace.as_ref().map(Into::into), (&object.name).into());
        if self.known.contains(&name) {
            return self.dictionary.object(object);
        }
        ObjectRef { namespace: None, name: WITHHELD.into(), id: None, ..object.clone() }
    }

    /// The same for `Kind/name` and `Kind/namespace/name`.
    pub fn object_named(&self, text: &str) -> String {
        let (kind, path) = text.split_once('/').unwrap_or((text, ""));
        let whole = ObjectRef::new(kind, None, path);
        let other = match path.split_once('/') {
            Some((namespace, name)) if !self.known.contains(&(None, path.to_string())) => {
                self.object(&ObjectRef::new(kind, Some(namespace), name))
            }
            _ => self.object(&whole),
        };
        format!("{}/{}", other.kind, other.path())
    }

    /// What the IDs of these findings are under pseudonyms.
    pub fn ids(&self, findings: &[Ranked]) -> BTreeMap<String, String> {
        let one = |f: &Ranked| {
            let subject = &f.finding.subject;
            (f.id.clone(), renamed(&f.id, subject, &self.dictionary.object(subject)))
        };
        findings.iter().map(one).collect()
    }
}

/// The ID of a finding whose subject has another name.
pub fn renamed(id: &str, from: &ObjectRef, to: &ObjectRef) -> String {
    let before = format!("/{}/{}", from.kind, from.path());
    let after = format!("/{}/{}", to.kind, to.path());
    match id.split_once(&before) {
        Some((code, rest)) if !code.contains('/') => format!("{code}{after}{rest}"),
        _ => format!("{}{after}", id.split('/').next().unwrap_or_default()),
    }
}
