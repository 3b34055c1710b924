//! Object metadata; labels and annotations by key, because anything can stand in the others.

use super::super::wire::{kept_by_key, wire};
use super::super::{Text, Time};
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
        pub owner_references: Vec<OwnerReference>,
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
    }
}

impl Meta {
    pub fn reference(&self, kind: &str) -> ObjectRef {
        ObjectRef::new(kind, self.namespace.as_deref(), &self.name)
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
kept_by_key!(
    Annotations,
    "Annotations whose keys the doctor knows; k3s's recorded arguments by flag.",
    |key, value| { sanitise::annotation(key, value) }
);
