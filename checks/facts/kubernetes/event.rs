use super::super::wire::wire;
use super::super::{Kind, Need, Resource, Text, Time};
use super::meta::Meta;
use crate::ObjectRef;

wire! { "camelCase"
    /// A warning about anything but a pod. Events live for an hour: their absence proves nothing.
    pub struct Event {
        pub metadata: Meta,
        pub involved_object: InvolvedObject,
        pub reason: Text,
        pub message: Text,
        pub r#type: Text,
        pub source: EventSource,
        pub count: Option<i64>,
        pub first_timestamp: Time,
        pub last_timestamp: Time,
        pub event_time: Time,
        pub series: Option<EventSeries>,
    }

    pub struct InvolvedObject {
        pub kind: Text,
        pub namespace: Option<Text>,
        pub name: Text,
    }

    pub struct EventSource {
        pub component: Text,
    }

    pub struct EventSeries {
        pub last_observed_time: Time,
    }
}

impl Kind for Event {
    const NEED: Need = Need::kubernetes::<Event>(
        "events",
        Resource::core("events").where_field("type=Warning,involvedObject.kind!=Pod"),
    );
    fn reference(&self) -> ObjectRef {
        self.metadata.reference("Event")
    }
    fn slim(&mut self) {
        self.metadata.uid = Text::default();
    }
}

impl Event {
    /// When it was last seen, from the newest of the four fields that may say so.
    pub fn last_seen(&self) -> Time {
        let series = self.series.as_ref().map(|s| s.last_observed_time).unwrap_or_default();
        [self.last_timestamp, series, self.event_time, self.metadata.creation_timestamp]
            .into_iter()
            .find(|time| time.is_some())
            .unwrap_or_default()
    }

    /// It speaks of that object; by kind and name, since some controllers leave the UID empty.
    pub fn is_about(&self, object: &ObjectRef) -> bool {
        self.involved_object.kind == *object.kind
            && self.involved_object.name == *object.name
            && (object.namespace.is_none()
                || self.involved_object.namespace.as_deref() == object.namespace.as_deref())
    }
}
