//! Shows a message to serde as if it were JSON.

use jiff::Timestamp;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::super::wire::TIME;
use super::reader::{Error, Message, Value};
use super::schema::{Field, Holds, Shape};

/// A value and what it is of.
pub struct Of<'a> {
    holds: &'static Holds,
    value: Value<'a>,
}

impl<'a> Of<'a> {
    pub fn message(shape: &'static Shape, bytes: &'a [u8]) -> Of<'a> {
        Of { holds: &shape.it, value: Value::Bytes(bytes) }
    }

    /// Nothing, where JSON leaves out nothing.
    fn is_zero(&self) -> bool {
        match self.holds {
            // Its seconds stand in it even where they are 0.
            Holds::Text | Holds::Time => self.value == Value::Bytes(b""),
            Holds::Number | Holds::Bool => self.value == Value::Number(0),
            Holds::Message(_) | Holds::Wrapped | Holds::Map => false,
        }
    }
}

/// Go keeps strings that are no UTF-8, and replaces what is wrong in JSON.
fn visit_text<'a, V: Visitor<'a>>(text: &'a [u8], visitor: V) -> Result<V::Value, Error> {
    match std::str::from_utf8(text) {
        Ok(text) => visitor.visit_borrowed_str(text),
        Err(_) => visitor.visit_string(String::from_utf8_lossy(text).into_owned()),
    }
}

/// Nanoseconds since 1970 of a `metav1.Time` or `MicroTime`.
fn nanoseconds(message: &[u8]) -> Result<i128, Error> {
    let (mut fields, mut seconds, mut nanoseconds) = (Message(message), 0, 0);
    while let Some((number, value)) = fields.field()? {
        match (number, value) {
            (1, Value::Number(number)) => seconds = number as i64,
            (2, Value::Number(number)) => nanoseconds = number as i64 as i32,
            _ => {}
        }
    }
    Ok(i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds))
}

impl<'de> Deserializer<'de> for Of<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.holds {
            Holds::Text => visit_text(self.value.bytes()?, visitor),
            Holds::Wrapped => visit_text(Message(self.value.bytes()?).bytes(1)?.unwrap_or_default(), visitor),
            // Negative ones of any width stand there with all 64 bits.
            Holds::Number => visitor.visit_i64(self.value.number()? as i64),
            Holds::Bool => visitor.visit_bool(self.value.number()? != 0),
            Holds::Time => match Timestamp::from_nanosecond(nanoseconds(self.value.bytes()?)?) {
                Ok(time) => visitor.visit_string(time.to_string()),
                Err(_) => visitor.visit_str(""),
            },
            Holds::Message(shape) => {
                visitor.visit_map(Fields { rest: Message(self.value.bytes()?), shape, here: None })
            }
            // Only where it stands alone, which no map does.
            Holds::Map => Err(Error::Broken),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.holds {
            Holds::Time if name == TIME => visitor.visit_i128(nanoseconds(self.value.bytes()?)?),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Holds::Message(shape) = self.holds {
            debug_assert!(shape.knows(fields), "{name} reads {fields:?}, and its shape knows {shape:?}");
        }
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map enum identifier
    }
}

/// The fields of a message that its shape knows.
struct Fields<'de> {
    rest: Message<'de>,
    shape: &'static Shape,
    /// The one whose name was told.
    here: Option<(&'static Field, Value<'de>)>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        while let Some((number, value)) = self.rest.field()? {
            let Some(field) = self.shape.field(number) else { continue };
            if !field.keeps_zero && !field.is_list && (Of { holds: &field.holds, value }).is_zero() {
                continue;
            }
            self.here = Some((field, value));
            return seed.deserialize(BorrowedStrDeserializer::new(field.name)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let (field, value) = self.here.take().ok_or(Error::Broken)?;
        match field.holds {
            Holds::Map => {}
            _ if field.is_list => {}
            _ => return seed.deserialize(Of { holds: &field.holds, value }),
        }
        seed.deserialize(Items { rest: &mut self.rest, field, first: Some(value) })
    }
}

/// What follows of one field that may stand there several times; encoders write them one behind the other.
struct Items<'a, 'de> {
    rest: &'a mut Message<'de>,
    field: &'static Field,
    first: Option<Value<'de>>,
}

impl<'de> Items<'_, 'de> {
    fn next(&mut self) -> Result<Option<Value<'de>>, Error> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None if self.rest.goes_on(self.field.number) => Ok(self.rest.field()?.map(|(_, value)| value)),
            None => Ok(None),
        }
    }
}

impl Drop for Items<'_, '_> {
    /// A reader may leave early.
    fn drop(&mut self) {
        self.first = None;
        while matches!(self.next(), Ok(Some(_))) {}
    }
}

impl<'de> Deserializer<'de> for Items<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.field.holds {
            Holds::Map => visitor.visit_map(Entries { items: self, value: &[] }),
            _ => visitor.visit_seq(self),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, v: V) -> Result<V::Value, Error> {
        v.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let holds = &self.field.holds;
        self.next()?.map(|value| seed.deserialize(Of { holds, value })).transpose()
    }
}

/// A map of text: each item is a message of key and value.
struct Entries<'a, 'de> {
    items: Items<'a, 'de>,
    value: &'de [u8],
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(entry) = self.items.next()? else { return Ok(None) };
        let entry = Message(entry.bytes()?);
        self.value = entry.bytes(2)?.unwrap_or_default();
        let key = Value::Bytes(entry.bytes(1)?.unwrap_or_default());
        seed.deserialize(Of { holds: &Holds::Text, value: key }).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(Of { holds: &Holds::Text, value: Value::Bytes(self.value) })
    }
}
