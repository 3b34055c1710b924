//! One `Need` is the only place that says what is read: the requests, the guard's allow-list, the RBAC manifests, the
//! bundle's keys and the simulator's routes all come from it.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::mem::take;
use std::sync::Arc;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::protobuf;
use crate::ObjectRef;

/// The items of one need, a `Vec` of one kind.
pub type Part = Arc<dyn Any + Send + Sync>;

/// So many are held as they stand in a bundle until facts are made of them.
const AT_ONCE: usize = 128;

/// Items as they stand in a bundle.
pub type Objects<'a> = Box<dyn Iterator<Item = Value> + 'a>;

/// A kind of fact: a slim, wire-shaped struct and where it comes from.
pub trait Kind: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    const NEED: Need;
    /// Names one object of this kind; unique within the need, and the order in which items are kept.
    fn reference(&self) -> ObjectRef;
    /// Drops what nobody asks of this kind, where there are tens of thousands of it.
    fn slim(&mut self) {}
}

pub struct Need {
    /// The bundle's key, and the name in `gaps` and `checks`.
    pub key: &'static str,
    pub from: Origin,
    decode: fn(&Need, &[u8]) -> Result<Page, Undecodable>,
    load: fn(&Value) -> Result<Part, serde_json::Error>,
    objects: fn(&Part) -> Objects<'_>,
    drain: fn(Part) -> Objects<'static>,
    join: fn(Vec<Part>) -> Part,
    append: fn(&mut Part, Part),
    len: fn(&Part) -> usize,
    references: fn(&Part) -> Vec<ObjectRef>,
    first: fn(&Part) -> Option<ObjectRef>,
}

/// Where the items of a need come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A list of one Kubernetes resource, or one object of it.
    Kubernetes(Resource),
    /// A Kubernetes path that is no resource, such as `/version`.
    KubernetesPath(&'static str),
    /// A list of the Hetzner Cloud API: `GET /v1/<path>`, items under the key of the same name.
    Hetzner(Collection),
    /// Logs of pods: `GET …/pods/<pod>/log` in the named namespace.
    PodLogs { namespace: &'static str, read: LogRead },
    /// TLS handshakes with the kubelets; nothing is requested.
    Kubelets,
    /// What the connection itself showed; nothing more is requested.
    Connection,
}

/// How much of a log is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogRead {
    /// One byte, which is thrown away: that there is an answer is what counts.
    Byte,
    /// The last lines, with the times at which they were written, of the container that runs or of the one before it.
    Tail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    pub group: &'static str,
    /// Versions that the slim struct reads, the preferred one first.
    pub versions: &'static [&'static str],
    pub plural: &'static str,
    /// The one object that is read, as (namespace, name); `None` lists all namespaces.
    pub only: Option<(&'static str, &'static str)>,
    pub field_selector: Option<&'static str>,
    /// Defined by a CustomResourceDefinition: absent is known, and empty.
    pub custom: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collection {
    pub path: &'static str,
    /// The items belong to a project (servers), not to Hetzner (locations).
    pub of_project: bool,
}

impl Resource {
    /// A built-in resource of the core group.
    pub const fn core(plural: &'static str) -> Resource {
        Resource::built_in("", &["v1"], plural)
    }

    pub const fn built_in(
        group: &'static str,
        versions: &'static [&'static str],
        plural: &'static str,
    ) -> Resource {
        Resource { group, versions, plural, only: None, field_selector: None, custom: false }
    }

    pub const fn custom(
        group: &'static str,
        versions: &'static [&'static str],
        plural: &'static str,
    ) -> Resource {
        Resource { group, versions, plural, only: None, field_selector: None, custom: true }
    }

    pub const fn where_field(mut self, selector: &'static str) -> Resource {
        self.field_selector = Some(selector);
        self
    }

    pub const fn only(mut self, namespace: &'static str, name: &'static str) -> Resource {
        self.only = Some((namespace, name));
        self
    }

    /// The path that is requested, for one of [`Resource::versions`].
    pub fn path(&self, version: &str) -> String {
        let group = if self.group.is_empty() {
            format!("/api/{version}")
        } else {
            format!("/apis/{}/{version}", self.group)
        };
        match self.only {
            Some((namespace, name)) => format!("{group}/namespaces/{namespace}/{}/{name}", self.plural),
            None => format!("{group}/{}", self.plural),
        }
    }
}

/// One response, decoded.
pub struct Page {
    pub items: Part,
    /// What to ask for next: the Kubernetes `continue` token, or the number of Hetzner's next page.
    pub next: Option<String>,
    /// How many objects there are on all pages together, where the server tells.
    pub total: Option<usize>,
}

/// What is wrong with a response body.
#[derive(Debug)]
pub enum Undecodable {
    Json(serde_json::Error),
    Protobuf(protobuf::Error),
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Undecodable::Json(error) => error.fmt(f),
            Undecodable::Protobuf(error) => error.fmt(f),
        }
    }
}

impl From<serde_json::Error> for Undecodable {
    fn from(error: serde_json::Error) -> Undecodable {
        Undecodable::Json(error)
    }
}

impl From<protobuf::Error> for Undecodable {
    fn from(error: protobuf::Error) -> Undecodable {
        Undecodable::Protobuf(error)
    }
}

impl Need {
    /// A list of Kubernetes objects, or a single one when the resource says `only`.
    pub const fn kubernetes<T: Kind>(key: &'static str, resource: Resource) -> Need {
        let decode = if resource.only.is_some() { decode_single::<T> } else { decode_list::<T> };
        Need::new::<T>(key, Origin::Kubernetes(resource), decode)
    }

    /// One JSON document at a Kubernetes path that is no resource.
    pub const fn kubernetes_path<T: Kind>(key: &'static str, path: &'static str) -> Need {
        Need::new::<T>(key, Origin::KubernetesPath(path), decode_single::<T>)
    }

    pub const fn hetzner<T: Kind>(key: &'static str, path: &'static str, of_project: bool) -> Need {
        Need::new::<T>(key, Origin::Hetzner(Collection { path, of_project }), decode_hetzner::<T>)
    }

    /// Facts that are made by the collector itself and not decoded from one response.
    pub const fn made<T: Kind>(key: &'static str, from: Origin) -> Need {
        Need::new::<T>(key, from, decode_single::<T>)
    }

    const fn new<T: Kind>(
        key: &'static str,
        from: Origin,
        decode: fn(&Need, &[u8]) -> Result<Page, Undecodable>,
    ) -> Need {
        Need {
            key,
            from,
            decode,
            load: load::<T>,
            objects: objects::<T>,
            drain: drain::<T>,
            join: join::<T>,
            append: append::<T>,
            len: len::<T>,
            references: references::<T>,
            first: first::<T>,
        }
    }

    /// Decodes one response body: JSON, or of lists of built-in kinds the form that API servers have among each other.
    ///
    /// # Errors
    /// When it is not what the API promises.
    pub fn decode(&self, body: &[u8]) -> Result<Page, Undecodable> {
        (self.decode)(self, body)
    }

    /// Reads the items back from a bundle.
    pub fn load(&self, items: &Value) -> Result<Part, serde_json::Error> {
        (self.load)(items)
    }

    /// Reads them back one after the other, without ever holding all of them as they stand there. What is wrong with one of
    /// them is the inner error; the others are not looked at then.
    ///
    /// # Errors
    /// The first that `objects` gives.
    pub fn gather<E>(
        &self,
        objects: impl Iterator<Item = Result<Value, E>>,
    ) -> Result<Result<Part, serde_json::Error>, E> {
        let (mut whole, mut some) = (self.join(Vec::new()), Vec::new());
        let mut objects = objects.peekable();
        while let Some(object) = objects.next() {
            some.push(object?);
            if some.len() == AT_ONCE || objects.peek().is_none() {
                match self.load(&Value::Array(take(&mut some))) {
                    Ok(part) => self.append(&mut whole, part),
                    Err(wrong) => return Ok(Err(wrong)),
                }
            }
        }
        Ok(Ok(self.join(vec![whole])))
    }

    /// The items as they stand in a bundle, each made when it is asked for: all at once take many times what the facts do.
    pub fn objects<'a>(&self, part: &'a Part) -> Objects<'a> {
        (self.objects)(part)
    }

    /// The same; each item is given up when it is made, unless somebody else has the part too.
    pub fn drain(&self, part: Part) -> Objects<'static> {
        (self.drain)(part)
    }

    /// All of them as one array.
    pub fn encode(&self, part: &Part) -> Value {
        self.objects(part).collect()
    }

    /// Pages put together: sorted by name, and one of each.
    pub fn join(&self, pages: Vec<Part>) -> Part {
        (self.join)(pages)
    }

    /// Puts a page behind the others as it came; `join` puts the whole in order. Pages that wait for each other would take
    /// twice the memory in the end.
    pub fn append(&self, whole: &mut Part, page: Part) {
        (self.append)(whole, page)
    }

    pub fn len(&self, part: &Part) -> usize {
        (self.len)(part)
    }

    /// The names of the items, in their order.
    pub fn references(&self, part: &Part) -> Vec<ObjectRef> {
        (self.references)(part)
    }

    /// The name of the item that stands first.
    pub fn first(&self, part: &Part) -> Option<ObjectRef> {
        (self.first)(part)
    }

    /// `kubernetes`, `hcloud` or `kubelets`.
    pub fn source(&self) -> &'static str {
        match self.from {
            Origin::Hetzner(_) => "hcloud",
            Origin::Kubelets => "kubelets",
            _ => "kubernetes",
        }
    }
}

impl PartialEq for Need {
    fn eq(&self, other: &Need) -> bool {
        self.key == other.key
    }
}

#[derive(Deserialize)]
struct List<'a, T> {
    #[serde(default, borrow)]
    metadata: ListMeta<'a>,
    #[serde(default = "Option::default")]
    items: Option<Vec<T>>,
}

#[derive(Default, Deserialize)]
struct ListMeta<'a> {
    #[serde(default, borrow, rename = "continue")]
    next: Option<Cow<'a, str>>,
}

fn decode_list<T: Kind>(need: &Need, body: &[u8]) -> Result<Page, Undecodable> {
    if let (Origin::Kubernetes(resource), true) = (need.from, protobuf::is(body)) {
        let (mut items, next) = protobuf::list::<T>(&resource, body)?;
        items.iter_mut().for_each(T::slim);
        return Ok(Page { items: Arc::new(items), next, total: None });
    }
    // Once for all strings of the page. Where it fails, what is wrong may be in a field that nobody reads.
    let list: List<T> = match std::str::from_utf8(body) {
        Ok(body) => serde_json::from_str(body)?,
        Err(_) => serde_json::from_slice(body)?,
    };
    let Some(mut items) = list.items else {
        return Err(serde_json::Error::custom("a list without `items`").into());
    };
    items.iter_mut().for_each(T::slim);
    let next = list.metadata.next.filter(|next| !next.is_empty()).map(Cow::into_owned);
    Ok(Page { items: Arc::new(items), next, total: None })
}

fn decode_single<T: Kind>(_: &Need, body: &[u8]) -> Result<Page, Undecodable> {
    let item: T = serde_json::from_slice(body)?;
    Ok(Page { items: Arc::new(vec![item]), next: None, total: None })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HetznerMeta {
    pagination: Option<Pagination>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pagination {
    next_page: Option<u32>,
    total_entries: Option<usize>,
}

fn decode_hetzner<T: Kind>(need: &Need, body: &[u8]) -> Result<Page, Undecodable> {
    let Origin::Hetzner(collection) = need.from else {
        unreachable!("decode_hetzner is set by Need::hetzner")
    };
    let mut fields: std::collections::HashMap<Cow<str>, &RawValue> = serde_json::from_slice(body)?;
    let Some(items) = fields.remove(collection.path) else {
        return Err(serde_json::Error::custom(format!("no `{}` in the answer", collection.path)).into());
    };
    let items: Option<Vec<T>> = serde_json::from_str(items.get())?;
    let meta: Option<HetznerMeta> = match fields.remove("meta") {
        Some(raw) => serde_json::from_str(raw.get())?,
        None => None,
    };
    let pagination = meta.and_then(|m| m.pagination).unwrap_or_default();
    let next = pagination.next_page.map(|n| n.to_string());
    Ok(Page { items: Arc::new(items.unwrap_or_default()), next, total: pagination.total_entries })
}

fn load<T: Kind>(items: &Value) -> Result<Part, serde_json::Error> {
    let mut items = Vec::<T>::deserialize(items)?;
    items.iter_mut().for_each(T::slim);
    Ok(join::<T>(vec![Arc::new(items)]))
}

fn objects<T: Kind>(part: &Part) -> Objects<'_> {
    let items = part.downcast_ref::<Vec<T>>().expect("a part holds the kind of its need");
    Box::new(items.iter().map(object))
}

fn drain<T: Kind>(part: Part) -> Objects<'static> {
    Box::new(items::<T>(part).into_iter().map(|item| object(&item)))
}

fn object<T: Kind>(item: &T) -> Value {
    serde_json::to_value(item).expect("facts are plain data")
}

fn items<T: Kind>(page: Part) -> Vec<T> {
    let page = page.downcast::<Vec<T>>().expect("a part holds the kind of its need");
    Arc::try_unwrap(page).unwrap_or_else(|shared| (*shared).clone())
}

fn append<T: Kind>(whole: &mut Part, page: Part) {
    let mut all = items::<T>(std::mem::replace(whole, Arc::new(())));
    all.extend(items::<T>(page));
    *whole = Arc::new(all);
}

fn join<T: Kind>(pages: Vec<Part>) -> Part {
    let mut pages = pages.into_iter().map(items::<T>);
    let mut all = pages.next().unwrap_or_default();
    all.extend(pages.flatten());
    // The server's order is ours but for few names (`a-b/x` stands before `a/x` there): mostly there is nothing to do.
    let mut before: Option<ObjectRef> = None;
    let in_order = all.iter().all(|item| {
        let this = item.reference();
        let in_order = before.as_ref().is_none_or(|before| *before < this);
        before = Some(this);
        in_order
    });
    if !in_order {
        all.sort_by_cached_key(T::reference);
        all.dedup_by_key(|item| item.reference());
    }
    all.shrink_to_fit();
    Arc::new(all)
}

fn len<T: Kind>(part: &Part) -> usize {
    part.downcast_ref::<Vec<T>>().map_or(0, Vec::len)
}

fn references<T: Kind>(part: &Part) -> Vec<ObjectRef> {
    part.downcast_ref::<Vec<T>>().into_iter().flatten().map(T::reference).collect()
}

fn first<T: Kind>(part: &Part) -> Option<ObjectRef> {
    part.downcast_ref::<Vec<T>>()?.first().map(T::reference)
}
