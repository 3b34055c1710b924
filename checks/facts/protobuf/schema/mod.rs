//! Under which number each field that is read stands, and its name in JSON: the struct tags of k8s.io/api, apimachinery,
//! apiextensions-apiserver and kube-aggregator 0.35.4. Numbers never change their meaning within a version of a group.
//! A field that a slim struct reads and that is missing here stops every debug build that decodes it.

mod apps;
mod core;
mod extension;
mod meta;
mod others;

use super::super::Resource;

pub use meta::STATUS;

/// No field that is read has a higher number.
const HIGHEST: usize = 31;

/// A kind of message.
#[derive(Debug)]
pub struct Shape {
    fields: &'static [Field],
    /// By number: the place of the field, and one more; 0 where there is none.
    places: [u8; HIGHEST + 1],
    /// What the slim struct reads for the sake of other kinds, which have it.
    lacks: &'static [&'static str],
    pub it: Holds,
}

/// A field of a message.
#[derive(Debug)]
pub struct Field {
    pub number: u32,
    pub name: &'static str,
    pub holds: Holds,
    pub is_list: bool,
    /// JSON writes it even where it is zero or empty: a pointer in Go, or without `omitempty`. Protobuf always does.
    pub keeps_zero: bool,
}

pub enum Holds {
    Text,
    Number,
    Bool,
    /// A `metav1.Time` or `MicroTime`.
    Time,
    /// A message of one text, which in JSON stands there as text: a `resource.Quantity`, the name of an inlined reference.
    Wrapped,
    /// From text to text.
    Map,
    Message(&'static Shape),
}

impl std::fmt::Debug for Holds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Holds::Text => "text",
            Holds::Number => "number",
            Holds::Bool => "bool",
            Holds::Time => "time",
            Holds::Wrapped => "wrapped",
            Holds::Map => "map",
            Holds::Message(_) => "message",
        })
    }
}

impl Shape {
    /// The field of that number, if it is read.
    #[inline]
    pub fn field(&self, number: u32) -> Option<&'static Field> {
        let place = *self.places.get(number as usize)?;
        self.fields.get(usize::from(place).wrapping_sub(1))
    }

    const fn places(fields: &[Field]) -> [u8; HIGHEST + 1] {
        let (mut places, mut at) = ([0; HIGHEST + 1], 0);
        while at < fields.len() {
            places[fields[at].number as usize] = at as u8 + 1;
            at += 1;
        }
        places
    }

    /// Whether each of them is one of its fields, or known to be none.
    pub fn knows(&self, names: &[&str]) -> bool {
        let known =
            |name: &&str| self.fields.iter().any(|field| field.name == *name) || self.lacks.contains(name);
        names.iter().all(known)
    }
}

const fn field(number: u32, name: &'static str, holds: Holds) -> Field {
    Field { number, name, holds, is_list: false, keeps_zero: false }
}

const fn text(number: u32, name: &'static str) -> Field {
    field(number, name, Holds::Text)
}

const fn number(at: u32, name: &'static str) -> Field {
    field(at, name, Holds::Number)
}

const fn flag(number: u32, name: &'static str) -> Field {
    field(number, name, Holds::Bool)
}

const fn time(number: u32, name: &'static str) -> Field {
    field(number, name, Holds::Time)
}

const fn map(number: u32, name: &'static str) -> Field {
    field(number, name, Holds::Map)
}

const fn wrapped(number: u32, name: &'static str) -> Field {
    field(number, name, Holds::Wrapped)
}

const fn message(number: u32, name: &'static str, shape: &'static Shape) -> Field {
    field(number, name, Holds::Message(shape))
}

impl Field {
    const fn list(self) -> Field {
        Field { is_list: true, ..self }
    }

    const fn zero_too(self) -> Field {
        Field { keeps_zero: true, ..self }
    }
}

/// Declares shapes.
macro_rules! shapes {
    ($($(#[$meta:meta])* $name:ident $(lacks [$($lacks:literal),*])? = $($field:expr),+;)*) => { $(
        $(#[$meta])*
        pub static $name: super::Shape = super::Shape {
            fields: &[$($field),+],
            places: super::Shape::places(&[$($field),+]),
            lacks: &[$($($lacks),*)?],
            it: super::Holds::Message(&$name),
        };
    )* };
}
use shapes;

/// The shape of one object of that resource; `None` where it is not read in this form.
pub fn of(resource: &Resource) -> Option<&'static Shape> {
    Some(match (resource.group, resource.plural) {
        ("", "events") => &core::EVENT,
        ("", "namespaces") => &core::NAMESPACE,
        ("", "nodes") => &core::NODE,
        ("", "pods") => &core::POD,
        ("", "services") => &core::SERVICE,
        ("apps", "daemonsets") => &apps::DAEMON_SET,
        ("apps", "deployments") => &apps::DEPLOYMENT,
        ("batch", "jobs") => &apps::JOB,
        ("apiextensions.k8s.io", "customresourcedefinitions") => &extension::DEFINITION,
        ("apiregistration.k8s.io", "apiservices") => &extension::API_SERVICE,
        ("discovery.k8s.io", "endpointslices") => &others::ENDPOINT_SLICE,
        ("networking.k8s.io", "ingresses") => &others::INGRESS,
        ("rbac.authorization.k8s.io", "clusterrolebindings" | "rolebindings") => &others::BINDING,
        ("rbac.authorization.k8s.io", "clusterroles" | "roles") => &others::ROLE,
        ("storage.k8s.io", "csidrivers") => &others::CSI_DRIVER,
        ("storage.k8s.io", "csinodes") => &others::CSI_NODE,
        ("storage.k8s.io", "storageclasses") => &others::STORAGE_CLASS,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
