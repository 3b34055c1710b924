//! Lists as API servers encode them for each other: `application/vnd.kubernetes.protobuf`.
//!
//! A server makes it in a fraction of the time that JSON takes it, and what nobody reads is stepped over by its length instead
//! of being parsed. Built-in kinds have it, custom resources do not. The slim structs are the same for both: what comes in is
//! shown to them with the names that it has in JSON.
//!
//! The form: four bytes of magic, then a `runtime.Unknown` (apimachinery `pkg/runtime/generated.proto`) that says the kind and
//! holds the list.

mod deserializer;
mod reader;
mod schema;

use serde::Deserialize;

use super::Resource;
use deserializer::Of;
pub use reader::Error;
use reader::{Message, Value};

/// How it is asked for, and named in answers.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// What each body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// Whether lists of that resource are read in this form.
pub fn reads(resource: &Resource) -> bool {
    resource.only.is_none() && schema::of(resource).is_some()
}

/// Whether a body has this form; JSON never begins so.
pub fn is(body: &[u8]) -> bool {
    body.starts_with(MAGIC)
}

/// The items of a list, and the token of the page after it.
///
/// # Errors
/// When the body is none of a list, or no encoding of that resource.
pub fn list<'a, T: Deserialize<'a>>(
    resource: &Resource,
    body: &'a [u8],
) -> Result<(Vec<T>, Option<String>), Error> {
    let shape = schema::of(resource).ok_or(Error::Other("of a kind that nobody asked for"))?;
    let (kind, list) = envelope(body)?;
    if !kind.ends_with("List") {
        return Err(Error::Other("no list"));
    }
    let (mut items, mut next) = (Vec::new(), None);
    let mut fields = Message(list);
    while let Some((number, value)) = fields.field()? {
        match (number, value) {
            (1, Value::Bytes(metadata)) => next = token(metadata)?,
            (2, Value::Bytes(item)) => items.push(T::deserialize(Of::message(shape, item))?),
            _ => {}
        }
    }
    Ok((items, next))
}

/// A `metav1.Status`: what an error is told with.
///
/// # Errors
/// When the body is none.
pub fn status<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    let (kind, status) = envelope(body)?;
    if kind != "Status" {
        return Err(Error::Other("no Status"));
    }
    T::deserialize(Of::message(&schema::STATUS, status))
}

/// The token of the page after this one, out of the beginning of a list: `None` when more of it has to be there,
/// `Some(None)` when it says none.
pub fn next_page(beginning: &[u8]) -> Option<Option<String>> {
    let mut unknown = Message(beginning.strip_prefix(MAGIC)?);
    loop {
        match unknown.beginning().ok()? {
            (2, list) => {
                let mut list = Message(list);
                // The metadata comes first, also where it is empty.
                return match list.field() {
                    Ok(Some((1, Value::Bytes(metadata)))) => token(metadata).ok(),
                    Ok(Some(_)) => Some(None),
                    _ => None,
                };
            }
            _ => unknown.field().ok().flatten().map(|_| ())?,
        }
    }
}

/// Kind and content of a `runtime.Unknown`.
fn envelope(body: &[u8]) -> Result<(String, &[u8]), Error> {
    let unknown = body.strip_prefix(MAGIC).ok_or(Error::Other("another form"))?;
    let (mut kind, mut raw) = (String::new(), None);
    let mut fields = Message(unknown);
    while let Some((number, value)) = fields.field()? {
        match (number, value) {
            (1, Value::Bytes(type_meta)) => kind = text(type_meta, 2)?.unwrap_or_default(),
            (2, Value::Bytes(bytes)) => raw = Some(bytes),
            // Compressed inside: no API server does it.
            (3, Value::Bytes(encoding)) if !encoding.is_empty() => {
                return Err(Error::Other("compressed once more"));
            }
            _ => {}
        }
    }
    Ok((kind, raw.ok_or(Error::Cut)?))
}

/// `continue` of a `metav1.ListMeta`.
fn token(list_meta: &[u8]) -> Result<Option<String>, Error> {
    Ok(text(list_meta, 3)?.filter(|token| !token.is_empty()))
}

/// The text in the field of that number.
fn text(message: &[u8], number: u32) -> Result<Option<String>, Error> {
    let text = Message(message).bytes(number)?;
    Ok(text.map(|text| String::from_utf8_lossy(text).into_owned()))
}
