//! Values of any type, where only one of them is of use: the others are read and left, so that what stands behind them can
//! still be judged.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What is made of a value of each type.
pub(super) trait Shape<'de>: Sized {
    type Value;

    /// Of one that is not of use.
    fn other(self) -> Self::Value;

    fn text(self, _: &str) -> Self::Value {
        self.other()
    }

    /// # Errors
    /// Those of the document.
    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.other())
    }

    /// # Errors
    /// Those of the document.
    fn seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.other())
    }
}

/// Reads a value as a [`Shape`] says.
pub(super) struct Loose<T>(pub T);

impl<'de, T: Shape<'de>> DeserializeSeed<'de> for Loose<T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Shape<'de>> Visitor<'de> for Loose<T> {
    type Value = T::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T::Value, A::Error> {
        self.0.map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<T::Value, A::Error> {
        self.0.seq(items)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T::Value, E> {
        Ok(self.0.text(text))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<T::Value, E> {
        Ok(self.0.other())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<T::Value, E> {
        Ok(self.0.other())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<T::Value, E> {
        Ok(self.0.other())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<T::Value, E> {
        Ok(self.0.other())
    }

    fn visit_unit<E: Error>(self) -> Result<T::Value, E> {
        Ok(self.0.other())
    }
}
