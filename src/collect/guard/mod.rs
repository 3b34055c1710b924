//! Read-only as a property of the transport. `GET` alone is not enough in Kubernetes: exec, attach, portforward and
//! proxy answer to it, and a query key can turn a list into a watch. So what may be sent is listed, and the list comes
//! from the needs.

mod get;
mod layer;
mod template;
#[cfg(test)]
mod tests;

use std::fmt;

use http::Method;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap};
use http::request::Parts;

pub use get::{Get, LOG_BYTES, PageOf};
pub use layer::{Guard, Guarded};
pub use template::templates;

/// A request that is not on the list; nothing of it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(String);

impl Refused {
    fn new(why: impl Into<String>) -> Refused {
        Refused(why.into())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the doctor only reads, and never sends this: {}", self.0)
    }
}
impl std::error::Error for Refused {}

/// Whether a request may be sent.
///
/// # Errors
/// When it is anything but a bodiless `GET` of a listed path with listed query keys and values.
pub fn check(request: &Parts, has_body: bool) -> Result<(), Refused> {
    if request.method != Method::GET {
        return Err(Refused::new(format!("method {}", request.method)));
    }
    if has_body {
        return Err(Refused::new("a request with a body"));
    }
    check_headers(&request.headers)?;
    if request.uri.scheme().is_some() || request.uri.authority().is_some() {
        return Err(Refused::new("a request to a host of its own"));
    }
    template::check(request.uri.path(), request.uri.query())
}

/// Credentials are added further in; from outside only the forms that are taken have a reason to come.
fn check_headers(headers: &HeaderMap) -> Result<(), Refused> {
    match headers.keys().find(|name| **name != ACCEPT && **name != ACCEPT_ENCODING) {
        Some(name) => Err(Refused::new(format!("header `{name}`"))),
        None => Ok(()),
    }
}
