//! `application/vnd.kubernetes.protobuf`: the form that API servers have among each other, made of the same JSON. Which field
//! has which number is read from `protobuf/fields.txt`, which Kubernetes' own types made; as those do, it writes each field
//! that is no pointer, also where it is zero.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;

use crate::http::{Answer, Ask};

pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

struct Field {
    number: u64,
    name: &'static str,
    holds: &'static str,
    /// Absent where it is not set, as bytes are.
    is_pointer: bool,
}

static FIELDS: LazyLock<HashMap<&str, Vec<Field>>> = LazyLock::new(|| {
    let mut fields: HashMap<&str, Vec<Field>> = HashMap::new();
    for line in include_str!("../../protobuf/fields.txt").lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let [message, number, name, holds, left_out] = words[..] else { panic!("five words: {line}") };
        let number = number.parse().expect("a number");
        let field = Field { number, name, holds, is_pointer: left_out == "pointer" };
        fields.entry(message).or_default().push(field);
    }
    fields.values_mut().for_each(|fields| fields.sort_by_key(|field| field.number));
    fields
});

/// Whether the client takes this form.
pub(crate) fn is_accepted(ask: &Ask) -> bool {
    ask.header("accept").is_some_and(|accept| accept.contains(MEDIA_TYPE))
}

/// The answer in this form where the client takes it, and it is a built-in object, or a list of them, or a Status, in JSON.
pub(crate) fn negotiated(answer: Answer, is_accepted: bool) -> Answer {
    if !is_accepted || answer.content_type != "application/json" {
        return answer;
    }
    let Ok(object) = serde_json::from_slice::<Value>(&answer.body) else { return answer };
    match body(&object) {
        Some(body) => answer.in_form(MEDIA_TYPE, body),
        None => answer,
    }
}

/// An object, a list of objects or a `Status` in this form; `None` for what Kubernetes has none for, as custom resources.
pub fn body(object: &Value) -> Option<Vec<u8>> {
    let (api_version, kind) = (object["apiVersion"].as_str()?, object["kind"].as_str()?);
    let package = match (api_version.split_once('/'), kind) {
        (None, "Status") => "meta",
        (None, _) => "core",
        (Some((group, _)), _) => group.split('.').next()?,
    };
    let version = api_version.rsplit('/').next()?;
    let message = format!("{package}/{version}.{kind}");
    let shape = FIELDS.get(&*message)?;
    let mut type_meta = Vec::new();
    bytes(&mut type_meta, 1, api_version.as_bytes());
    bytes(&mut type_meta, 2, kind.as_bytes());
    let mut out = b"k8s\0".to_vec();
    bytes(&mut out, 1, &type_meta);
    bytes(&mut out, 2, &encode(shape, object));
    bytes(&mut out, 3, b"");
    bytes(&mut out, 4, b"");
    Some(out)
}

fn encode(shape: &[Field], object: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    for field in shape {
        let value = if field.name == "<inline>" { object } else { &object[field.name] };
        if let Some(items) = field.holds.strip_prefix("repeated:") {
            value.as_array().into_iter().flatten().for_each(|item| one(&mut out, field.number, items, item));
        } else if let Some(values) = field.holds.strip_prefix("map:") {
            for (key, value) in value.as_object().into_iter().flatten() {
                let mut entry = Vec::new();
                bytes(&mut entry, 1, key.as_bytes());
                one(&mut entry, 2, values, value);
                bytes(&mut out, field.number, &entry);
            }
        } else if !(value.is_null() && (field.is_pointer || field.holds == "bytes")) {
            one(&mut out, field.number, field.holds, value);
        }
    }
    out
}

/// A field that is there, with the zero value where there is none.
fn one(out: &mut Vec<u8>, number: u64, holds: &str, value: &Value) {
    match holds {
        "string" => bytes(out, number, value.as_str().unwrap_or_default().as_bytes()),
        "int" => varint(out, number, value.as_i64().unwrap_or_default()),
        "bool" => varint(out, number, value.as_bool().unwrap_or_default().into()),
        "bytes" => {
            let base64 = value.as_str().unwrap_or_default();
            bytes(out, number, &STANDARD.decode(base64).unwrap_or_default());
        }
        "Time" | "MicroTime" => bytes(out, number, &time(value)),
        "Quantity" => {
            let text = value.as_str().map_or_else(|| value.to_string(), String::from);
            bytes(out, number, &message(|inner| bytes(inner, 1, text.as_bytes())));
        }
        "IntOrString" => bytes(
            out,
            number,
            &message(|inner| {
                varint(inner, 1, value.is_string().into());
                varint(inner, 2, value.as_i64().unwrap_or_default());
                bytes(inner, 3, value.as_str().unwrap_or_default().as_bytes());
            }),
        ),
        "FieldsV1" => bytes(out, number, &message(|inner| bytes(inner, 1, value.to_string().as_bytes()))),
        // a definition's schema has forms of its own; the simulated ones have none
        "schema" => {}
        _ => {
            assert!(holds.contains('/'), "nothing is known of {holds}");
            // some have no fields
            let shape = FIELDS.get(holds).map_or(&[][..], Vec::as_slice);
            bytes(out, number, &encode(shape, value));
        }
    }
}

fn message(fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut inner = Vec::new();
    fill(&mut inner);
    inner
}

/// Nothing where there is no time; both numbers where there is.
fn time(value: &Value) -> Vec<u8> {
    let time = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    time.map_or_else(Vec::new, |time| {
        message(|inner| {
            varint(inner, 1, time.as_second());
            varint(inner, 2, time.subsec_nanosecond().into());
        })
    })
}

fn varint(out: &mut Vec<u8>, number: u64, value: i64) {
    plain(out, number << 3);
    plain(out, value as u64);
}

fn bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    plain(out, number << 3 | 2);
    plain(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn plain(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
