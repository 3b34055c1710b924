//! Lists in pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::request::Object;
use super::{select, status};
use crate::http::{Answer, Ask};
use crate::shuffle::Numbers;

/// The version of everything: nothing changes while it is served.
pub(crate) const RESOURCE_VERSION: &str = "1000";

/// One resource of the store.
pub(crate) struct Listed<'a> {
    /// In the order in which they are served.
    pub items: &'a [Value],
    pub kind: &'static str,
    pub custom: bool,
    /// Shortens pages.
    pub seed: Option<u64>,
}

/// `/namespace/name`, by which a real server finds its place again.
pub(crate) fn key(object: &Value) -> String {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    match text("namespace") {
        "" => format!("/{}", text("name")),
        namespace => format!("/{namespace}/{}", text("name")),
    }
}

pub(crate) fn list(listed: &Listed, object: &Object, ask: &Ask) -> Answer {
    page(listed, object, ask).unwrap_or_else(|refusal| *refusal)
}

fn page(listed: &Listed, object: &Object, ask: &Ask) -> Result<Answer, Box<Answer>> {
    let bad = |message: String| Box::new(status::bad_request(&message));
    let parameter = |name: &str| ask.parameter(name).filter(|value| !value.is_empty());
    let field_selector = parameter("fieldSelector").unwrap_or_default();
    let label_selector = parameter("labelSelector").unwrap_or_default();
    let terms = select::fields(&field_selector, &object.group, &object.plural, listed.custom).map_err(bad)?;
    let labels = select::labels(&label_selector).map_err(bad)?;
    let token = parameter("continue");
    let limit = match parameter("limit") {
        Some(text) => text
            .parse::<i64>()
            .map_err(|_| bad(format!("strconv.ParseInt: parsing \"{text}\": invalid syntax")))?,
        None => 0,
    };
    // an answer from the watch cache knows no pages
    let cached = parameter("resourceVersion").as_deref() == Some("0") && token.is_none();
    let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0 && !cached);

    let start = match token {
        Some(token) => after(listed.items, &token)?,
        None => 0,
    };
    let here = |item: &&Value| {
        object.namespace.as_ref().is_none_or(|n| item["metadata"]["namespace"] == n.as_str())
            && select::meets_fields(item, &terms)
            && select::meets_labels(item, &labels)
    };
    let mut rest = listed.items[start..].iter().filter(here);
    let size = limit.map_or(usize::MAX, |limit| cap(listed, limit, start, &ask.path));
    let items: Vec<&Value> = rest.by_ref().take(size).collect();
    let remaining = rest.count();

    let mut metadata = json!({"resourceVersion": RESOURCE_VERSION});
    if listed.custom {
        metadata["continue"] = "".into();
    }
    if let Some(last) = items.last().filter(|_| remaining > 0) {
        let start = format!("{}\0", key(last));
        let token = json!({"v": "meta.k8s.io/v1", "rv": 1000, "start": start}).to_string();
        metadata["continue"] = URL_SAFE_NO_PAD.encode(token).into();
        if field_selector.is_empty() && label_selector.is_empty() {
            metadata["remainingItemCount"] = remaining.into();
        }
    }
    let api_version = api_version(object);
    let list = json!({
        "kind": format!("{}List", listed.kind),
        "apiVersion": api_version,
        "metadata": metadata,
        "items": items.into_iter().map(|item| listed.item(item, &api_version)).collect::<Vec<_>>(),
    });
    let body = written(&list, listed.custom);
    Ok(Answer::new(200, "application/json", body).with("Cache-Control", "no-cache, private"))
}

/// The fields in the order in which an API server writes them: that of the Go struct, or sorted where the objects are custom
/// ones (apimachinery `pkg/runtime/serializer/json/collections.go`).
pub(crate) fn written(list: &Value, custom: bool) -> String {
    if custom {
        return format!("{list}\n");
    }
    let fields =
        ["kind", "apiVersion", "metadata", "items"].map(|field| format!("\"{field}\":{}", list[field]));
    format!("{{{}}}\n", fields.join(","))
}

impl Listed<'_> {
    /// Items of a CustomResourceDefinition say what they are even in a list.
    fn item(&self, item: &Value, api_version: &str) -> Value {
        if self.custom { typed(item, self.kind, api_version) } else { item.clone() }
    }
}

/// The object as it is answered by itself.
pub(crate) fn typed(item: &Value, kind: &str, api_version: &str) -> Value {
    let mut item = item.clone();
    item["kind"] = kind.into();
    item["apiVersion"] = api_version.into();
    item
}

pub(crate) fn api_version(object: &Object) -> String {
    if object.group.is_empty() {
        object.version.clone()
    } else {
        format!("{}/{}", object.group, object.version)
    }
}

/// Where the page behind a token begins.
fn after(items: &[Value], token: &str) -> Result<usize, Box<Answer>> {
    let invalid = |why: &str| {
        Box::new(status::bad_request(&format!("invalid continue token: continue key is not valid: {why}")))
    };
    let json = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid("illegal base64 data at input byte 0"))?;
    let token: Value = serde_json::from_slice(&json)
        .map_err(|_| invalid("invalid character looking for beginning of value"))?;
    let start = token["start"].as_str().unwrap_or_default().trim_end_matches('\0');
    match items.iter().position(|item| key(item) == start) {
        Some(position) => Ok(position + 1),
        None => Err(Box::new(expired())),
    }
}

/// What a token that is too old is answered with.
pub(crate) fn expired() -> Answer {
    let message = "The provided continue parameter is too old to display a consistent list result. You can start a new \
                   list without the continue parameter.";
    status::failure(410, Some("Expired"), None, message)
}

/// How many items this page has: fewer than asked for when the seed says so.
fn cap(listed: &Listed, limit: usize, start: usize, path: &str) -> usize {
    match listed.seed {
        Some(seed) => {
            1 + Numbers::new(seed, &format!("{path} {start}")).below(limit.min(listed.items.len().max(1)))
        }
        None => limit,
    }
}
