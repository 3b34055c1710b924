//! Where things stand among thousands: each list is looked through once, when somebody first asks, and not for every object of
//! another one.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::hetzner::Server;
use super::kubernetes::{EndpointSlice, Event, Node, Pod, Service};
use super::{Facts, Known, Text};
use crate::ObjectRef;
use crate::domain::machines::server_of;

/// Places in the lists of facts. Whatever is put among the facts makes it anew.
#[derive(Default)]
pub(super) struct Index {
    /// By the name of what they speak of.
    events: OnceLock<HashMap<Text, Vec<usize>>>,
    /// By the name of their Service.
    slices: OnceLock<HashMap<Text, Vec<usize>>>,
    servers: OnceLock<HashMap<i64, usize>>,
    controllers: OnceLock<Vec<usize>>,
    /// Pairs of a node and its server.
    machines: OnceLock<Vec<(usize, usize)>>,
}

impl Facts {
    /// The events that speak of that object, in the order of their names.
    ///
    /// # Errors
    /// The gap of events.
    pub fn events_about(&self, object: &ObjectRef) -> Known<impl Iterator<Item = &Event>> {
        let all = self.all::<Event>()?;
        let index =
            self.index.events.get_or_init(|| by_name(all, |event| Some(&*event.involved_object.name)));
        let of_name = index.get(&object.name).into_iter().flatten().map(|at| &all[*at]);
        Ok(of_name.filter(|event| event.is_about(object)))
    }

    /// The EndpointSlices of a Service, in the order of their names.
    ///
    /// # Errors
    /// The gap of EndpointSlices.
    pub fn slices_of(&self, service: &Service) -> Known<impl Iterator<Item = &EndpointSlice>> {
        let all = self.all::<EndpointSlice>()?;
        let index = self.index.slices.get_or_init(|| by_name(all, EndpointSlice::service_name));
        let of_name = index.get(&service.metadata.name).into_iter().flatten().map(|at| &all[*at]);
        Ok(of_name.filter(|slice| slice.is_of(service)))
    }

    /// The nodes that run on a server of this cluster's project, each with it.
    ///
    /// # Errors
    /// The gap of servers, or of nodes.
    pub fn machines(&self) -> Known<impl Iterator<Item = (&Node, &Server)>> {
        let (servers, nodes) = (self.all::<Server>()?, self.all::<Node>()?);
        let pairs = self.index.machines.get_or_init(|| {
            let places = self.server_places(servers);
            let pair = |(at, node)| Some((at, places[&server_of(node, servers)?.id]));
            nodes.iter().enumerate().filter_map(pair).collect()
        });
        Ok(pairs.iter().map(|(node, server)| (&nodes[*node], &servers[*server])))
    }

    /// The node of that name.
    ///
    /// # Errors
    /// The gap of nodes.
    pub fn node(&self, name: &str) -> Known<Option<&Node>> {
        // They are in the order of their names.
        let all = self.all::<Node>()?;
        Ok(all.binary_search_by(|node| node.name().cmp(name)).ok().map(|at| &all[at]))
    }

    /// The server of that ID in this cluster's project.
    ///
    /// # Errors
    /// The gap of servers.
    pub fn server(&self, id: i64) -> Known<Option<&Server>> {
        let all = self.all::<Server>()?;
        Ok(self.server_places(all).get(&id).map(|at| &all[*at]))
    }

    /// By ID; of two the first one.
    fn server_places(&self, all: &[Server]) -> &HashMap<i64, usize> {
        let places = || all.iter().enumerate().rev().map(|(at, server)| (server.id, at)).collect();
        self.index.servers.get_or_init(places)
    }

    /// The pods that are the cloud controller's by `is_it`, which has to be the same at every call.
    pub(crate) fn controllers(&self, is_it: impl Fn(&Pod) -> bool) -> Known<impl Iterator<Item = &Pod>> {
        let all = self.all::<Pod>()?;
        let places =
            self.index.controllers.get_or_init(|| (0..all.len()).filter(|at| is_it(&all[*at])).collect());
        Ok(places.iter().map(|at| &all[*at]))
    }
}

fn by_name<T>(all: &[T], name: impl Fn(&T) -> Option<&str>) -> HashMap<Text, Vec<usize>> {
    let mut index: HashMap<Text, Vec<usize>> = HashMap::new();
    for (at, one) in all.iter().enumerate() {
        if let Some(name) = name(one) {
            index.entry(Text::new(name)).or_default().push(at);
        }
    }
    index
}
