//! What a real API server (1.35) says when it refuses, word for word.

use serde_json::{Value, json};

use crate::http::Answer;

/// A `Status`; `reason` and `details` stand only where the real one has them.
pub(crate) fn failure(code: u16, reason: Option<&str>, details: Option<Value>, message: &str) -> Answer {
    let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "code": code});
    if let Some(reason) = reason {
        status["reason"] = reason.into();
    }
    if let Some(details) = details {
        status["details"] = details;
    }
    Answer::new(code, "application/json", format!("{status}\n")).with("Cache-Control", "no-cache, private")
}

pub(crate) fn unauthorized() -> Answer {
    failure(401, Some("Unauthorized"), None, "Unauthorized")
}

pub(crate) fn bad_request(message: &str) -> Answer {
    failure(400, Some("BadRequest"), None, message)
}

/// A group, version or resource that the server does not have, in a group that is built in.
pub(crate) fn no_such_resource() -> Answer {
    failure(404, Some("NotFound"), Some(json!({})), "the server could not find the requested resource")
}

/// A path that nobody serves: also each group of a CustomResourceDefinition that is not installed.
pub(crate) fn no_such_path() -> Answer {
    Answer::new(404, "text/plain; charset=utf-8", "404 page not found\n")
        .with("Cache-Control", "no-cache, private")
        .with("X-Content-Type-Options", "nosniff")
}

pub(crate) fn not_found(group: &str, plural: &str, name: &str) -> Answer {
    let mut details = json!({"name": name, "kind": plural});
    if !group.is_empty() {
        details["group"] = group.into();
    }
    let message = format!("{} \"{name}\" not found", qualified(group, plural));
    failure(404, Some("NotFound"), Some(details), &message)
}

pub(crate) fn forbidden(details: Value, message: &str) -> Answer {
    failure(403, Some("Forbidden"), Some(details), message).with("X-Content-Type-Options", "nosniff")
}

pub(crate) fn method_not_allowed() -> Answer {
    let message = "the server does not allow this method on the requested resource";
    failure(405, Some("MethodNotAllowed"), Some(json!({})), message)
}

/// The `Accept` of the request names nothing that there is.
pub(crate) fn not_acceptable(available: &str) -> Answer {
    let message = format!("406: Not Acceptable\n\nAvailable representations: {available}");
    failure(406, Some("NotAcceptable"), Some(json!({})), &message)
}

pub(crate) const OBJECT_FORMS: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf, \
    application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";

/// `deployments.apps`, and `nodes` in the core group.
pub(crate) fn qualified(group: &str, plural: &str) -> String {
    if group.is_empty() { plural.into() } else { format!("{plural}.{group}") }
}
