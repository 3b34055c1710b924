//! Which Gateway a route names, which of its listeners, and whether they take it.
//!
//! Source: kubernetes-sigs/gateway-api `apis/v1` (defaults of references and of `allowedRoutes`); both controllers follow it:
//! traefik v3.5 `pkg/provider/kubernetes/gateway` (`matchingGatewayListeners`, `allowRoute`), cilium
//! `operator/pkg/gateway-api/routechecks`.

use super::spelling;
use crate::facts::kubernetes::{
    Condition, GATEWAY_GROUP, GRPCRoute, Gateway, GatewayClass, HTTPRoute, LabelSelector, Listener, Meta,
    Namespace, ParentReference, RouteParentStatus, RouteSpec, RouteStatus,
};
use crate::facts::{Facts, Gap, Kind, Known, Need, Why};
use crate::{Finding, ObjectRef, Verdict};

/// What [`Route::all`] reads.
pub const ROUTES: [&Need; 2] = [&HTTPRoute::NEED, &GRPCRoute::NEED];

/// A controller may take this long before its silence means something.
pub const GRACE_SECONDS: i64 = 120;

/// A route of either kind that the two controllers serve.
#[derive(Clone, Copy)]
pub enum Route<'a> {
    Http(&'a HTTPRoute),
    Grpc(&'a GRPCRoute),
}

impl<'a> Route<'a> {
    /// Every route that is not being deleted. A kind that could not be read is noted and left out.
    pub fn all(facts: &'a Facts, v: &mut Verdict) -> Vec<Route<'a>> {
        let http = v.see(facts.all::<HTTPRoute>()).unwrap_or_default();
        let grpc = v.see(facts.all::<GRPCRoute>()).unwrap_or_default();
        let mut all: Vec<Route> = http.iter().map(Route::Http).collect();
        all.extend(grpc.iter().map(Route::Grpc));
        all.retain(|route| route.meta().deletion_timestamp.is_none());
        all
    }

    pub fn meta(self) -> &'a Meta {
        match self {
            Route::Http(route) => &route.metadata,
            Route::Grpc(route) => &route.metadata,
        }
    }

    pub fn spec(self) -> &'a RouteSpec {
        match self {
            Route::Http(route) => &route.spec,
            Route::Grpc(route) => &route.spec,
        }
    }

    pub fn status(self) -> &'a RouteStatus {
        match self {
            Route::Http(route) => &route.status,
            Route::Grpc(route) => &route.status,
        }
    }

    pub fn kind(self) -> &'static str {
        match self {
            Route::Http(_) => "HTTPRoute",
            Route::Grpc(_) => "GRPCRoute",
        }
    }

    /// As kubectl names it.
    pub fn resource(self) -> &'static str {
        match self {
            Route::Http(_) => "httproute",
            Route::Grpc(_) => "grpcroute",
        }
    }

    pub fn reference(self) -> ObjectRef {
        self.meta().reference(self.kind())
    }

    pub fn namespace(self) -> &'a str {
        self.meta().namespace.as_deref().unwrap_or_default()
    }

    /// Adds what stands at `path` in the route to a finding's evidence.
    pub fn shown(self, finding: Finding, path: &str) -> Finding {
        match self {
            Route::Http(route) => finding.shows(route, path),
            Route::Grpc(route) => finding.shows(route, path),
        }
    }

    /// The Gateways it names. References to Services (GAMMA), ListenerSets and other groups are left out.
    pub fn parents(self) -> impl Iterator<Item = Parent<'a>> {
        self.spec().parent_refs.iter().enumerate().filter_map(move |(index, reference)| {
            let group = reference.group.as_deref().unwrap_or(GATEWAY_GROUP);
            let kind = reference.kind.as_deref().unwrap_or("Gateway");
            (group == GATEWAY_GROUP && kind == "Gateway").then_some(Parent { route: self, index, reference })
        })
    }
}

/// One `parentRefs` item of a route that names a Gateway.
#[derive(Clone, Copy)]
pub struct Parent<'a> {
    pub route: Route<'a>,
    /// Its place in `spec.parentRefs`.
    pub index: usize,
    pub reference: &'a ParentReference,
}

impl<'a> Parent<'a> {
    /// The Gateway's namespace, the route's own unless it says another.
    pub fn namespace(&self) -> &'a str {
        self.reference.namespace.as_deref().unwrap_or(self.route.namespace())
    }

    pub fn name(&self) -> &'a str {
        &self.reference.name
    }

    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace(), self.name())
    }

    pub fn names(&self, gateway: &Gateway) -> bool {
        gateway.metadata.name == *self.name()
            && gateway.metadata.namespace.as_deref() == Some(self.namespace())
    }

    /// The listeners that it names: all of them, or those of that section and port.
    pub fn listeners(&self, gateway: &'a Gateway) -> Vec<(usize, &'a Listener)> {
        let named = |listener: &Listener| {
            self.reference.section_name.as_ref().is_none_or(|name| *name == listener.name)
                && self.reference.port.is_none_or(|port| port == listener.port)
        };
        gateway.spec.listeners.iter().enumerate().filter(|(_, listener)| named(listener)).collect()
    }

    /// What that controller (whoever, where it is not known) says of this reference, with its place in `status.parents`.
    pub fn status(&self, controller: Option<&str>) -> Option<(usize, &'a RouteParentStatus)> {
        let own = self.route.namespace();
        let same = |other: &ParentReference| {
            other.name == self.reference.name
                && other.namespace.as_deref().unwrap_or(own) == self.namespace()
                && other.section_name == self.reference.section_name
                && other.port == self.reference.port
        };
        self.route.status().parents.iter().enumerate().find(|(_, status)| {
            same(&status.parent_ref) && controller.is_none_or(|name| status.controller_name == *name)
        })
    }
}

/// The condition of that type, if it speaks of this generation of the object.
pub fn current<'a>(conditions: &'a [Condition], kind: &str, meta: &Meta) -> Option<&'a Condition> {
    let now = |condition: &&Condition| {
        condition.r#type == kind
            && (condition.observed_generation.is_none() || condition.observed_generation == meta.generation)
    };
    conditions.iter().find(now)
}

/// The class that a Gateway names.
///
/// # Errors
/// The gap of GatewayClasses.
pub fn class<'a>(facts: &'a Facts, gateway: &Gateway) -> Known<Option<&'a GatewayClass>> {
    let classes = facts.all::<GatewayClass>()?;
    Ok(classes.iter().find(|class| class.metadata.name == gateway.spec.gateway_class_name))
}

/// It exists for longer than a controller may take.
pub fn is_settled(facts: &Facts, meta: &Meta) -> bool {
    meta.creation_timestamp.seconds_until(facts.now).is_none_or(|age| age >= GRACE_SECONDS)
}

/// Why no listener that a route names takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no listener of that section or port.
    NoListener,
    /// None takes routes of this kind.
    Kind,
    /// None takes routes from this namespace.
    Namespace,
    /// None serves any of its host names.
    Hostname,
}

/// Whether the Gateway takes a route, as a controller would decide; `None` when it does.
///
/// # Errors
/// The gap of namespaces, or that a listener asks for labels that are not read.
pub fn refusal(facts: &Facts, gateway: &Gateway, parent: &Parent) -> Known<Option<Refusal>> {
    let named = parent.listeners(gateway);
    if named.is_empty() {
        return Ok(Some(Refusal::NoListener));
    }
    let of_kind: Vec<&Listener> =
        named.iter().map(|(_, listener)| *listener).filter(|l| takes_kind(l, parent.route.kind())).collect();
    if of_kind.is_empty() {
        return Ok(Some(Refusal::Kind));
    }
    let mut unknown = None;
    let mut admitting = Vec::new();
    for listener in of_kind {
        match takes_namespace(facts, gateway, listener, parent.route.namespace()) {
            Ok(true) => admitting.push(listener),
            Ok(false) => {}
            Err(gap) => unknown = Some(gap),
        }
    }
    let hostnames = &parent.route.spec().hostnames;
    let served = |listener: &&Listener| {
        hostnames.is_empty() || hostnames.iter().any(|name| hostnames_meet(&listener.hostname, name))
    };
    match (admitting.iter().any(served), unknown) {
        (true, _) => Ok(None),
        (false, Some(gap)) => Err(gap),
        (false, None) if admitting.is_empty() => Ok(Some(Refusal::Namespace)),
        (false, None) => Ok(Some(Refusal::Hostname)),
    }
}

/// Without a list a listener takes the kinds of its protocol.
fn takes_kind(listener: &Listener, kind: &str) -> bool {
    let kinds = listener.allowed_routes.as_ref().map(|allowed| &allowed.kinds[..]).unwrap_or_default();
    if kinds.is_empty() {
        return !matches!(&*listener.protocol, "TCP" | "TLS" | "UDP");
    }
    kinds.iter().any(|k| k.kind == *kind && k.group.as_deref().unwrap_or(GATEWAY_GROUP) == GATEWAY_GROUP)
}

/// `Same` where the listener does not say; `All`, `Selector`, `None`.
pub fn admits_from(listener: &Listener) -> &str {
    let namespaces = listener.allowed_routes.as_ref().and_then(|allowed| allowed.namespaces.as_ref());
    namespaces.map(|n| &*n.from).filter(|from| !from.is_empty()).unwrap_or("Same")
}

/// The labels that a namespace needs, where the listener admits by label.
pub fn admits_labels(listener: &Listener) -> Option<&LabelSelector> {
    listener.allowed_routes.as_ref()?.namespaces.as_ref()?.selector.as_ref()
}

/// Whether a listener takes routes from that namespace.
///
/// # Errors
/// The gap of namespaces, or that the listener asks for labels that are not read.
pub fn takes_namespace(facts: &Facts, gateway: &Gateway, listener: &Listener, name: &str) -> Known<bool> {
    match admits_from(listener) {
        "All" => Ok(true),
        "Same" => Ok(gateway.metadata.namespace.as_deref() == Some(name)),
        "Selector" => {
            let Some(selector) = admits_labels(listener) else { return Ok(false) };
            let namespaces = facts.all::<Namespace>()?;
            let Some(namespace) = namespaces.iter().find(|n| n.metadata.name == *name) else {
                return Ok(false);
            };
            selector.selects(&namespace.metadata.labels).ok_or_else(|| {
                let detail = format!(
                    "listener {} of {} admits namespaces by labels that are not read",
                    listener.name,
                    gateway.reference()
                );
                Gap::new(Namespace::NEED.key, Why::NotRead, detail).of(name)
            })
        }
        _ => Ok(false),
    }
}

/// Whether a listener's host name and a route's have a name in common; `*.` stands for one or more labels, and nothing for all.
fn hostnames_meet(listener: &str, route: &str) -> bool {
    let covers = |wide: &str, name: &str| {
        wide.strip_prefix("*.").is_some_and(|domain| {
            name.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        })
    };
    listener.is_empty() || listener == route || covers(listener, route) || covers(route, listener)
}

/// The name most like `wanted`, if it is like it at all: at most a third of the letters differ, or one begins with the other.
pub fn most_like<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let far = |name: &str| match name.strip_prefix(wanted).or(wanted.strip_prefix(name)) {
        Some(rest) if rest.starts_with('-') => 1,
        _ => spelling::distance(name, wanted),
    };
    let near = names.map(|name| (far(name), name)).min()?;
    (near.0 <= (wanted.chars().count() / 3).max(1)).then_some(near.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_meet_where_one_name_fits_both() {
        assert!(hostnames_meet("", "a.example.com"));
        assert!(hostnames_meet("*.example.com", "a.b.example.com"));
        assert!(hostnames_meet("a.example.com", "*.example.com"));
        assert!(!hostnames_meet("*.example.com", "example.com"));
        assert!(!hostnames_meet("*.example.com", "badexample.com"));
        assert!(!hostnames_meet("a.example.com", "b.example.com"));
    }

    #[test]
    fn the_most_like_name_is_a_typo_or_has_a_word_more() {
        let names = || ["traefik-gateway", "web"].into_iter();
        assert_eq!(most_like("traefik", names()), Some("traefik-gateway"));
        assert_eq!(most_like("wbe", names()), None);
        assert_eq!(most_like("webb", names()), Some("web"));
        assert_eq!(most_like("shop", names()), None);
    }
}
