//! How slim structs meet the wire: absent and null are the default, unknown fields are dropped.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Shared, Text};

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
        pub struct $name(pub $crate::facts::wire::Pairs);

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
                        let mut kept = Vec::new();
                        use $crate::facts::wire::Raw;
                        while let Some(Raw(key)) = map.next_key()? {
                            let Raw(value) = map.next_value::<Option<Raw>>()?.unwrap_or_default();
                            if let Some(value) = clean(&key, &value) {
                                kept.push(($crate::facts::Text::shared(&key), value));
                            }
                        }
                        Ok($name(kept.into_iter().collect()))
                    }
                }
                d.deserialize_map(V)
            }
        }
        impl $crate::facts::wire::Field for $name {}
    };
}

pub(crate) use {kept_by_key, wire};

/// Text as it stands in the answer, where nothing in it is escaped: most of it is looked at and dropped.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Raw<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// A point in time as it stands in the answer: in JSON it is text, in protobuf a number.
#[derive(Debug, Default)]
pub enum RawTime<'a> {
    #[default]
    None,
    Written(Raw<'a>),
    At(Timestamp),
}

/// The newtype as which a point in time is asked for; who has a number may give nanoseconds since 1970.
pub const TIME: &str = "Time";

impl RawTime<'_> {
    /// The point in time that it tells, if it does.
    pub fn time(&self) -> Time {
        match self {
            RawTime::None => Time::default(),
            RawTime::Written(text) => text.0.parse::<Timestamp>().ok().into(),
            RawTime::At(time) => (*time).into(),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawTime<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<RawTime<'a>, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = RawTime<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time")
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, d: D) -> Result<RawTime<'de>, D::Error> {
                Raw::deserialize(d).map(RawTime::Written)
            }
            fn visit_i128<E>(self, nanoseconds: i128) -> Result<RawTime<'de>, E> {
                Ok(Timestamp::from_nanosecond(nanoseconds).map_or(RawTime::None, RawTime::At))
            }
        }
        d.deserialize_newtype_struct(TIME, V)
    }
}

/// A map of text in the order of its keys. A tree takes 376 bytes for a single label, and nearly every object has one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairs(Shared<(Text, Text)>);

impl Pairs {
    pub fn get(&self, key: &str) -> Option<&Text> {
        let at = self.0.binary_search_by(|(known, _)| known.as_str().cmp(key)).ok()?;
        Some(&self.0[at].1)
    }

    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Text)> {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

impl FromIterator<(Text, Text)> for Pairs {
    /// Of a key that comes again the last value counts, as in a map.
    fn from_iter<I: IntoIterator<Item = (Text, Text)>>(pairs: I) -> Pairs {
        let mut all: Vec<(Text, Text)> = pairs.into_iter().collect();
        all.reverse();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.dedup_by(|later, kept| later.0 == kept.0);
        Pairs(all.into())
    }
}

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.iter())
    }
}

/// What a field of a slim struct may be.
pub trait Field {
    /// Gives back memory that reading took and keeping does not need.
    fn tighten(&mut self) {}
}
impl Field for Text {}
impl Field for Raw<'_> {}
impl Field for Time {}
impl Field for bool {}
impl Field for i64 {}
impl Field for u16 {}
impl<T> Field for Option<T> {}
impl<T> Field for Shared<T> {}
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
///
/// Every object has some: it takes half of what an optional timestamp does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// The seconds, in two words, so that no space is left between a time and what stands beside it.
    high: i32,
    low: u32,
    /// Of the same sign as the seconds.
    nanoseconds: i32,
}

/// Earlier than any timestamp there is.
const NO_TIME: Time = Time { high: i32::MIN, low: 0, nanoseconds: 0 };

impl Time {
    pub fn get(self) -> Option<Timestamp> {
        let seconds = i64::from(self.high) << 32 | i64::from(self.low);
        if self.is_none() { None } else { Timestamp::new(seconds, self.nanoseconds).ok() }
    }

    pub fn is_none(self) -> bool {
        self == NO_TIME
    }

    pub fn is_some(self) -> bool {
        !self.is_none()
    }

    /// Whole seconds from this time to `now`; `None` when the time is not known.
    pub fn seconds_until(self, now: Timestamp) -> Option<i64> {
        self.get().map(|t| now.as_second() - t.as_second())
    }

    /// Both are known, and this one is earlier.
    pub fn is_before(self, other: Time) -> bool {
        self.is_some() && other.is_some() && self < other
    }
}
impl Default for Time {
    fn default() -> Time {
        NO_TIME
    }
}
impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}
impl From<Timestamp> for Time {
    fn from(t: Timestamp) -> Time {
        let seconds = t.as_second();
        let high = i32::try_from(seconds >> 32).expect("calendars end long before");
        Time { high, low: seconds as u32, nanoseconds: t.subsec_nanosecond() }
    }
}
impl From<Option<Timestamp>> for Time {
    fn from(t: Option<Timestamp>) -> Time {
        t.map(Time::from).unwrap_or_default()
    }
}
impl Serialize for Time {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.get() {
            Some(t) => s.collect_str(&t),
            None => s.serialize_none(),
        }
    }
}
impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Time, D::Error> {
        Ok(RawTime::deserialize(d)?.time())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_what_it_was_made_of_and_keeps_its_order() {
        let times = [
            Timestamp::MIN.to_string(),
            "1901-12-13T20:45:51.5Z".into(),
            "1969-12-31T23:59:58.25Z".into(),
            "1969-12-31T23:59:59.75Z".into(),
            "1970-01-01T00:00:00Z".into(),
            "2026-11-20T07:02:12.418201337Z".into(),
            "2106-02-07T06:28:16Z".into(),
            "9999-12-30T22:00:00Z".into(),
        ];
        let times = times.map(|time| time.parse::<Timestamp>().unwrap());
        assert!(times.is_sorted());
        let kept = times.map(Time::from);
        assert_eq!(kept.map(|time| time.get().unwrap()), times);
        assert!(kept.is_sorted() && Time::default() < kept[0]);
        assert_eq!((Time::default().get(), size_of::<Time>()), (None, 12));
    }
}
