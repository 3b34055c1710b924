//! The Kubernetes API of a bundle: what the needs read, as a real API server would answer it.

mod discovery;
pub(crate) mod kinds;
pub(crate) mod list;
mod logs;
pub mod protobuf;
pub(crate) mod request;
mod select;
mod status;
mod verify;

use std::sync::Arc;

use kairos_doctor_checks::facts::{NEEDS, Origin, Resource};
use serde_json::{Value, json};

use crate::http::{Answer, Ask, Site};
use crate::kept::Kept;
use crate::kubelets::Addresses;
use crate::options::Source;
use crate::rbac::{Rights, USER};
use crate::shared::Shared;
use crate::world::World;
use list::Listed;
use request::{Object, Wanted, What};

pub(crate) struct ApiServer {
    pub world: Arc<World>,
    pub rights: Rights,
    pub token: String,
    pub shared: Arc<Shared>,
    /// Where it would dial kubelets, and which of them never answer.
    pub kubelets: Addresses,
    pub kubelet_ca: Arc<verify::ClusterCa>,
    pub kept: Kept,
}

pub(crate) use list::{expired, written};
pub(crate) use verify::ClusterCa;

impl Site for ApiServer {
    const SOURCE: Source = Source::Kubernetes;

    async fn answer(&self, ask: &Ask) -> Answer {
        protobuf::negotiated(self.judged(ask).await, protobuf::is_accepted(ask))
    }
}

impl ApiServer {
    async fn judged(&self, ask: &Ask) -> Answer {
        // k3s serves no anonymous requests
        if ask.bearer() != Some(&self.token) {
            return status::unauthorized();
        }
        if let Some(user) = ask.header("impersonate-user") {
            return impersonation(user);
        }
        let wanted = Wanted::read(ask);
        if !self.rights.allow(&wanted) {
            return wanted.forbidden(USER);
        }
        if ask.method != "GET" {
            return status::method_not_allowed();
        }
        match &wanted.what {
            // judged like the path with one slash, and served to nobody
            _ if ask.path.starts_with("//") => status::no_such_path(),
            What::Path(path) => self.path(path, ask),
            What::Object(object) => self.object(object, ask).await,
        }
    }
}

impl ApiServer {
    fn path(&self, path: &str, ask: &Ask) -> Answer {
        match path.trim_end_matches('/') {
            "/version" if !accepts_json(ask) => status::not_acceptable("application/json"),
            "/version" => {
                let version = serde_json::to_string_pretty(&self.world.version).expect("it is plain data");
                Answer::new(200, "application/json", version).with("Cache-Control", "no-cache, private")
            }
            "/apis" => {
                let accept = ask.header("accept").unwrap_or_default();
                discovery::answer(accept, |group| self.world.serves_group(group))
            }
            _ => status::no_such_path(),
        }
    }

    async fn object(&self, object: &Object, ask: &Ask) -> Answer {
        let Some(resource) = self.served(object) else {
            let of_group = |r: &Resource| r.group == object.group && !r.custom;
            return if resources().any(|r| of_group(&r)) {
                status::no_such_resource()
            } else {
                status::no_such_path()
            };
        };
        let Some((kind, _)) = kinds::kind(resource.plural) else { return status::no_such_resource() };
        if object.subresource.is_none() && !accepts_json(ask) {
            return status::not_acceptable(status::OBJECT_FORMS);
        }
        let items = self.world.items(&object.group, &object.plural);
        let custom = resource.custom;
        let Some(name) = &object.name else {
            let listed = Listed { items, kind, custom, seed: self.world.seed };
            return self.kept.or_make(ask, || {
                protobuf::negotiated(list::list(&listed, object, ask), protobuf::is_accepted(ask))
            });
        };
        let it = |item: &&Value| {
            item["metadata"]["name"] == name.as_str()
                && (resource.plural == "namespaces"
                    || object.namespace.as_deref() == item["metadata"]["namespace"].as_str())
        };
        let Some(item) = items.iter().find(it) else {
            return status::not_found(&object.group, &object.plural, name);
        };
        match object.subresource.as_deref() {
            None => {
                let item = list::typed(item, kind, &list::api_version(object));
                Answer::new(200, "application/json", format!("{item}\n"))
                    .with("Cache-Control", "no-cache, private")
            }
            Some("log") if object.plural == "pods" => self.log(item, ask).await,
            Some(_) => status::no_such_resource(),
        }
    }

    /// The resource of that name and version, when it is served.
    fn served(&self, object: &Object) -> Option<Resource> {
        resources().find(|r| {
            r.group == object.group
                && r.plural == object.plural
                && r.versions.contains(&object.version.as_str())
                && (!r.custom || self.world.serves_group(r.group))
        })
    }
}

fn accepts_json(ask: &Ask) -> bool {
    let accept = ask.header("accept").unwrap_or("*/*");
    ["application/json", protobuf::MEDIA_TYPE, "application/*", "*/*"]
        .iter()
        .any(|media| accept.contains(media))
}

/// Every resource that a need reads.
fn resources() -> impl Iterator<Item = Resource> {
    NEEDS.iter().filter_map(|need| match need.from {
        Origin::Kubernetes(resource) => Some(resource),
        _ => None,
    })
}

/// The rights of `deploy/` let nobody be somebody else.
fn impersonation(user: &str) -> Answer {
    let message = format!(
        "users \"{user}\" is forbidden: User \"{USER}\" cannot impersonate resource \"users\" in API group \"\" \
         at the cluster scope"
    );
    status::forbidden(json!({"name": user, "kind": "users"}), &message)
}
