//! Object metadata; labels and annotations by key, because anything can stand in the others.

use super::super::wire::{kept_by_key, wire};
use super::super::{Shared, Text, Time};
use super::sanitise;
use crate::ObjectRef;

wire! { "camelCase"
    pub struct Meta {
        pub name: Text,
        pub namespace: Option<Text>,
        pub uid: Text,
        pub generation: Option<i64>,
        pub creation_timestamp: Time,
        pub deletion_timestamp: Time,
        pub labels: Labels,
        pub annotations: Annotations,
        pub owner_references: Shared<OwnerReference>,
    }

    pub struct OwnerReference {
        pub api_version: Text,
        pub kind: Text,
        pub name: Text,
        pub uid: Text,
    }

    pub struct Condition {
        pub r#type: Text,
        pub status: Text,
        pub reason: Text,
        pub message: Text,
        pub last_transition_time: Time,
        /// The generation of the object that it speaks of, where the controller says so.
        pub observed_generation: Option<i64>,
    }

    pub struct LabelSelector {
        pub match_labels: AllLabels,
        pub match_expressions: Vec<LabelExpression>,
    }

    pub struct LabelExpression {
        pub key: Text,
        pub operator: Text,
        pub values: Vec<Text>,
    }
}

impl Meta {
    pub fn reference(&self, kind: &str) -> ObjectRef {
        ObjectRef { kind: kind.into(), namespace: self.namespace.clone(), name: self.name.clone(), id: None }
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.0.get(key).map(|v| &**v)
    }

    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.0.get(key).map(|v| &**v)
    }
}

kept_by_key!(Labels, "Labels whose keys the doctor knows.", |key, value| {
    sanitise::keeps_label(key).then(|| Text::new(value))
});
kept_by_key!(AllLabels, "The labels that a selector asks for.", |_, value| Some(Text::new(value)));
kept_by_key!(
    Annotations,
    "Annotations whose keys the doctor knows; k3s's recorded arguments by flag.",
    |key, value| { sanitise::annotation(key, value) }
);

impl LabelSelector {
    /// It asks for nothing, and so selects everything.
    pub fn is_empty(&self) -> bool {
        self.match_labels.0.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether it selects an object with these labels; `None` when it asks for a label that is not read.
    pub fn selects(&self, labels: &Labels) -> Option<bool> {
        self.selects_besides(labels, |_| None)
    }

    /// The same where some keys stand for something else than a label.
    pub fn selects_besides<'a>(
        &self,
        labels: &'a Labels,
        special: impl Fn(&str) -> Option<&'a str>,
    ) -> Option<bool> {
        let label =
            |key: &str| sanitise::keeps_label(key).then(|| labels.0.get(key).map(|value| value.as_str()));
        let value = |key: &str| special(key).map(Some).or_else(|| label(key));
        let mut known = true;
        let mut term = |key: &str, meets: &dyn Fn(Option<&str>) -> bool| match value(key) {
            Some(found) => meets(found),
            None => {
                known = false;
                true
            }
        };
        let equal = self
            .match_labels
            .0
            .iter()
            .all(|(key, wanted)| term(key, &|found| found == Some(wanted.as_str())));
        let expressed = self.match_expressions.iter().all(|e| {
            let listed = |found: Option<&str>| found.is_some_and(|f| e.values.iter().any(|v| *v == *f));
            match &*e.operator {
                "In" => term(&e.key, &listed),
                "NotIn" => term(&e.key, &|found| !listed(found)),
                "Exists" => term(&e.key, &|found| found.is_some()),
                "DoesNotExist" => term(&e.key, &|found| found.is_none()),
                _ => false,
            }
        });
        match (equal && expressed, known) {
            (false, _) => Some(false),
            (true, true) => Some(true),
            (true, false) => None,
        }
    }
}

/// The condition of that type.
pub fn condition<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.r#type == kind)
}
