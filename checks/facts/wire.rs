//! How slim structs meet the wire: absent and null are the default, unknown fields are dropped.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Text;

/// Declares slim structs in the shape the API uses. The struct is the allow-list: what is not named is never stored.
/// Kubernetes (`camelCase`) leaves out what is empty; Hetzner (`snake_case`) always writes it, so that `false` is a value.
macro_rules! wire {
    ("camelCase" $($structs:tt)*) => {
        $crate::facts::wire::wire! { @ "camelCase" (
            deserialize_with = "crate::facts::wire::lenient",
            skip_serializing_if = "crate::facts::wire::is_default"
        ) $($structs)* }
    };
    ("snake_case" $($structs:tt)*) => {
        $crate::facts::wire::wire! { @ "snake_case" (deserialize_with = "crate::facts::wire::lenient") $($structs)* }
    };
    (@ $case:literal $field_rules:tt
        $( $(#[$meta:meta])* pub struct $name:ident { $( $(#[$fmeta:meta])* pub $field:ident : $ty:ty, )* } )*
    ) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = $case, default)]
        pub struct $name { $(
            $(#[$fmeta])*
            #[serde $field_rules]
            pub $field: $ty,
        )* }
        impl $crate::facts::wire::Field for $name {}
    )* };
}
/// Declares a map of text that keeps what `clean` lets through: `fn(key, value) -> Option<value>`.
macro_rules! kept_by_key {
    ($name:ident, $doc:literal, $clean:expr) => {
        #[doc = $doc]
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(pub std::collections::BTreeMap<$crate::facts::Text, $crate::facts::Text>);

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<$name, D::Error> {
                struct V;
                impl<'de> serde::de::Visitor<'de> for V {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a map of text")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let clean: fn(&str, &str) -> Option<$crate::facts::Text> = $clean;
                        let mut kept = std::collections::BTreeMap::new();
                        while let Some(key) = map.next_key::<std::borrow::Cow<str>>()? {
                            let value =
                                map.next_value::<Option<std::borrow::Cow<str>>>()?.unwrap_or_default();
                            if let Some(value) = clean(&key, &value) {
                                kept.insert($crate::facts::Text::new(&key), value);
                            }
                        }
                        Ok($name(kept))
                    }
                }
                d.deserialize_map(V)
            }
        }
        impl $crate::facts::wire::Field for $name {}
    };
}

pub(crate) use {kept_by_key, wire};

/// What a field of a slim struct may be.
pub trait Field {
    /// Gives back memory that reading took and keeping does not need.
    fn tighten(&mut self) {}
}
impl Field for Text {}
impl Field for Time {}
impl Field for bool {}
impl Field for i64 {}
impl Field for u16 {}
impl<T> Field for Option<T> {}
impl<T> Field for Vec<T> {
    /// A list grows by fours while it is read, and most lists inside an object have one item: in a cluster of thousands of
    /// pods that is a third of all memory.
    fn tighten(&mut self) {
        self.shrink_to_fit();
    }
}

pub fn lenient<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default + Field>(
    d: D,
) -> Result<T, D::Error> {
    let mut value = Option::<T>::deserialize(d)?.unwrap_or_default();
    value.tighten();
    Ok(value)
}

pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A point in time as the API wrote it; unreadable is the same as absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub Option<Timestamp>);

impl Time {
    /// Whole seconds from this time to `now`; `None` when the time is not known.
    pub fn seconds_until(self, now: Timestamp) -> Option<i64> {
        self.0.map(|t| now.as_second() - t.as_second())
    }

    /// Both are known, and this one is earlier.
    pub fn is_before(self, other: Time) -> bool {
        matches!((self.0, other.0), (Some(a), Some(b)) if a < b)
    }
}
impl From<Timestamp> for Time {
    fn from(t: Timestamp) -> Time {
        Time(Some(t))
    }
}
impl Serialize for Time {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(t) => s.collect_str(&t),
            None => s.serialize_none(),
        }
    }
}
impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Time, D::Error> {
        Ok(Time(Text::deserialize(d)?.parse().ok()))
    }
}
