//! What a path asks for, read as a real API server reads it.

use percent_encoding::percent_decode_str;
use serde_json::json;

use super::status;
use crate::http::{Answer, Ask};

/// A request as RBAC sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub verb: &'static str,
    pub what: What,
    /// The one name that the field selector of a list leaves: a real API server names it in a refusal
    /// (`k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`).
    pub selected: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Object(Object),
    /// A path that is no resource.
    Path(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Object {
    pub group: String,
    pub version: String,
    pub plural: String,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub subresource: Option<String>,
}

impl Object {
    /// `pods/log`, as rules name it.
    pub fn resource(&self) -> String {
        match &self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.plural),
            None => self.plural.clone(),
        }
    }
}

impl Wanted {
    pub fn read(ask: &Ask) -> Wanted {
        let path = percent_decode_str(&ask.path).decode_utf8_lossy().into_owned();
        let Some((object, special)) = object(&path) else {
            let verb = match ask.method.as_str() {
                "GET" => "get",
                "POST" => "post",
                "PUT" => "put",
                "PATCH" => "patch",
                "DELETE" => "delete",
                "HEAD" => "head",
                _ => "options",
            };
            return Wanted { verb, what: What::Path(path), selected: None };
        };
        let one = object.name.is_some();
        let watch = ask.parameter("watch").is_some_and(|w| !matches!(w.as_str(), "false" | "0"));
        let verb = match ask.method.as_str() {
            _ if special.is_some() => special.unwrap_or_default(),
            "GET" | "HEAD" if one => "get",
            "GET" | "HEAD" if watch => "watch",
            "GET" | "HEAD" => "list",
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" if one => "delete",
            "DELETE" => "deletecollection",
            _ => "",
        };
        let selected = ask.parameter("fieldSelector").filter(|_| matches!(verb, "list" | "watch"));
        let selected = selected.and_then(|fields| {
            let mut fields = fields.split(',');
            fields.find_map(|field| field.strip_prefix("metadata.name=")).map(str::to_string)
        });
        Wanted { verb, what: What::Object(object), selected }
    }

    /// The refusal of RBAC.
    pub fn forbidden(&self, user: &str) -> Answer {
        match &self.what {
            What::Path(path) => {
                let message = format!("forbidden: User \"{user}\" cannot {} path \"{path}\"", self.verb);
                status::forbidden(json!({}), &message)
            }
            What::Object(object) => {
                let mut details = json!({"kind": object.plural});
                let mut subject = status::qualified(&object.group, &object.plural);
                if !object.group.is_empty() {
                    details["group"] = object.group.as_str().into();
                }
                if let Some(name) = object.name.as_ref().or(self.selected.as_ref()) {
                    details["name"] = name.as_str().into();
                    subject += &format!(" \"{name}\"");
                }
                let place = match &object.namespace {
                    Some(namespace) => format!("in the namespace \"{namespace}\""),
                    None => "at the cluster scope".into(),
                };
                let (verb, resource, group) = (self.verb, object.resource(), &object.group);
                let message = format!(
                    "{subject} is forbidden: User \"{user}\" cannot {verb} resource \"{resource}\" \
                     in API group \"{group}\" {place}"
                );
                status::forbidden(details, &message)
            }
        }
    }
}

/// `/api/v1/…` and `/apis/<group>/<version>/…`, with a resource behind it; and the verb of the old paths that name one.
fn object(path: &str) -> Option<(Object, Option<&'static str>)> {
    let path = path.trim_start_matches('/');
    let (group, rest) = match path.strip_prefix("apis/") {
        Some(rest) => rest.split_once('/')?,
        None => ("", path.strip_prefix("api/")?),
    };
    let mut parts = rest.split('/').filter(|part| !part.is_empty()).map(str::to_string);
    let mut object = Object { group: group.into(), version: parts.next()?, ..Object::default() };
    let mut parts: Vec<String> = parts.collect();
    let special = ["watch", "proxy"].into_iter().find(|verb| parts.len() > 1 && parts[0] == *verb);
    if special.is_some() {
        parts.remove(0);
    }
    let parts = match parts.as_slice() {
        // the namespace itself is both the place and the object
        [first, namespace] if first == "namespaces" => {
            object.namespace = Some(namespace.clone());
            &parts[..]
        }
        [first, namespace, rest @ ..] if first == "namespaces" => {
            object.namespace = Some(namespace.clone());
            rest
        }
        all => all,
    };
    object.plural = parts.first()?.clone();
    object.name = parts.get(1).cloned();
    object.subresource = parts.get(2).cloned();
    Some((object, special))
}
