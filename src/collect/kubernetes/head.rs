//! The `continue` token out of the beginning of a list, while the rest of it is still on its way.
//!
//! An API server writes `kind`, `apiVersion`, `metadata`, `items` (apimachinery `pkg/apis/meta/v1`: the order of the Go
//! struct), and since 1.33 it sends items as they are encoded. Lists of custom resources are sorted by key
//! (`unstructured.UnstructuredList`), so that `metadata` stands behind `items`: of these the token is known at the end only.

use std::borrow::Cow;

use kairos_doctor_checks::facts::protobuf;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Deserializer;

/// A token is some hundred bytes, and little stands before it.
const LONGEST: usize = 16 * 1024;

/// What the beginning of a body says of the page after it.
#[derive(Debug, PartialEq)]
pub(super) enum Head {
    /// More of it has to be there.
    Short,
    /// There is a page after this one.
    Next(String),
    /// There is none, or this is not the place where it is said.
    Silent,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// Reads the fields before `items`.
pub(super) fn head(body: &[u8]) -> Head {
    let head = match protobuf::is(body) {
        true => protobuf::next_page(body).map(|next| next.map_or(Head::Silent, Head::Next)),
        false => fields(body),
    };
    match head {
        Some(head) => head,
        None if body.len() < LONGEST => Head::Short,
        None => Head::Silent,
    }
}

/// `None` where the body ends too soon, or is no JSON.
fn fields(body: &[u8]) -> Option<Head> {
    let mut rest = body.trim_ascii_start().strip_prefix(b"{")?;
    loop {
        let (key, after) = value::<Cow<str>>(rest)?;
        rest = after.trim_ascii_start().strip_prefix(b":")?;
        match &*key {
            "items" => return Some(Head::Silent),
            "metadata" => {
                let (metadata, _) = value::<Option<Metadata>>(rest)?;
                let next = metadata.unwrap_or_default().next.filter(|next| !next.is_empty());
                return Some(next.map_or(Head::Silent, Head::Next));
            }
            _ => rest = value::<IgnoredAny>(rest)?.1.trim_ascii_start().strip_prefix(b",")?,
        }
    }
}

/// The first value and what stands behind it.
fn value<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<(T, &'a [u8])> {
    let mut values = Deserializer::from_slice(json).into_iter();
    let value = values.next()?.ok()?;
    Some((value, &json[values.byte_offset()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_known_as_soon_as_it_is_there() {
        let body = br#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9","continue":"a\"b","remainingItemCount":5},"items":[{"metadata":{"continue":"x"}}]}"#;
        let end = body.windows(2).position(|two| two == b"},").unwrap() + 1;
        for cut in 0..body.len() {
            let expected = if cut < end { Head::Short } else { Head::Next("a\"b".into()) };
            assert_eq!(head(&body[..cut]), expected, "{}", String::from_utf8_lossy(&body[..cut]));
        }
    }

    #[test]
    fn so_it_is_in_protobuf() {
        let list = |metadata: &[u8]| {
            let list = [&[0x0a, metadata.len() as u8], metadata, &[0x12, 4, 0x0a, 2, 0x1a, 0]].concat();
            let kind = b"\x0a\x0d\x0a\x02v1\x12\x07PodList";
            [&b"k8s\0"[..], kind, &[0x12, list.len() as u8], &list, b"\x1a\0\x22\0"].concat()
        };
        // resourceVersion, continue, remainingItemCount
        let body = list(b"\x12\x019\x1a\x03a\"b\x20\x05");
        let end = body.windows(2).position(|two| two == b"\x20\x05").unwrap() + 2;
        for cut in 4..body.len() {
            let expected = if cut < end { Head::Short } else { Head::Next("a\"b".into()) };
            assert_eq!(head(&body[..cut]), expected, "{cut} of {}", body.len());
        }
        assert_eq!(head(&list(b"\x12\x019\x1a\0")), Head::Silent);
        assert_eq!(head(&list(b"")), Head::Silent);
    }

    #[test]
    fn what_does_not_say_it_is_silent() {
        for body in [
            r#"{"apiVersion":"v1","items":[{"metadata":{"continue":"x"}}],"metadata":{"continue":"y"}}"#,
            r#"{"metadata":{"resourceVersion":"1"},"items":[]}"#,
            r#"{"metadata":{"continue":""},"items":[]}"#,
            r#"{"metadata":null,"items":[]}"#,
        ] {
            assert_eq!(head(body.as_bytes()), Head::Silent, "{body}");
        }
        assert_eq!(head(&[b' '; LONGEST]), Head::Silent, "it is not waited for any longer");
        assert_eq!(head(b"<html>"), Head::Short, "it says nothing, however short it stays");
    }
}
