//! Whether the cloud controller makes routes for pods in the Hetzner network.
//!
//! Sources: HCCM `6485324f` (`internal/config/config.go`: routes need a network; `hcloud/routes.go`: the cluster CIDR must be
//! one range), kubernetes/cloud-provider `46666112` (`app/core.go`: `--configure-cloud-routes`, and nothing asks for
//! `--allocate-node-cidrs`; `names/controller_names.go`: how `--controllers` names it).

use ipnet::IpNet;

use super::hccm::{Ccm, Var};
use crate::facts::{Facts, Gap, Kind, Known, Why, kubernetes::Pod};

/// What becomes of routes for pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routes {
    /// It makes one for each node's pod range, and removes those within this range that no node has any more.
    Managed(IpNet),
    Off(Off),
}

/// Why it makes none, in the order in which it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Off {
    /// It has no network to put them into.
    NoNetwork,
    /// `HCLOUD_NETWORK_ROUTES_ENABLED` is false.
    Told,
    /// `--configure-cloud-routes` is false, or `--controllers` leaves the route controller out.
    NotStarted,
    /// There is no `--cluster-cidr`: said in one line of the log, and nothing else fails.
    NoCidr,
    /// `--cluster-cidr` is not one range: two of them, as for dual-stack, turn routes off without an event.
    BadCidr(String),
}

impl<'a> Ccm<'a> {
    /// Whether the controller of this cluster makes routes for pods; false when there is none.
    ///
    /// # Errors
    /// The gap of pods or workloads, or of a variable that is set from elsewhere.
    pub fn manages_routes(facts: &'a Facts) -> Known<bool> {
        let Some(ccm) = Ccm::find(facts)? else { return Ok(false) };
        Ok(matches!(ccm.routes()?, Routes::Managed(_)))
    }

    /// What it does about routes, by what it was started with.
    ///
    /// # Errors
    /// A gap when a variable that decides is set from a place that is not read.
    pub fn routes(&self) -> Known<Routes> {
        if !self.has_network()? {
            return Ok(Routes::Off(Off::NoNetwork));
        }
        if is_false(self.value("HCLOUD_NETWORK_ROUTES_ENABLED")?) {
            return Ok(Routes::Off(Off::Told));
        }
        let container = self.container();
        if container.flag("configure-cloud-routes").is_some_and(is_false)
            || !self.starts("node-route-controller", "route")
        {
            return Ok(Routes::Off(Off::NotStarted));
        }
        Ok(match container.flag("cluster-cidr") {
            None | Some("") => Routes::Off(Off::NoCidr),
            Some(cidr) => match cidr.parse() {
                Ok(range) => Routes::Managed(range),
                Err(_) => Routes::Off(Off::BadCidr(cidr.to_string())),
            },
        })
    }

    /// It was given a network, whichever: from a Secret's key that must be there, too, for else it would not have started.
    ///
    /// # Errors
    /// A gap when the variable may be set from elsewhere, or may not.
    pub fn has_network(&self) -> Known<bool> {
        const NAME: &str = "HCLOUD_NETWORK";
        match self.var(NAME) {
            Var::Unset | Var::Is("") => Ok(false),
            Var::Is(_) => Ok(true),
            Var::Elsewhere(place) => {
                let from = self.container().var(NAME).and_then(|var| var.value_from.as_ref());
                let keys = from.map(|from| [from.secret_key_ref.as_ref(), from.config_map_key_ref.as_ref()]);
                let must = |key: &&crate::facts::kubernetes::KeyRef| key.optional != Some(true);
                if keys.into_iter().flatten().flatten().any(|key| must(&key)) {
                    return Ok(true);
                }
                let detail = format!("whether the cloud controller has a network is not known: {place}");
                Err(Gap::new(Pod::NEED.key, Why::NotRead, detail).of(self.reference().path()))
            }
        }
    }

    /// Whether `--controllers` starts one: its name or its alias, `*` for all, a dash before what is left out.
    pub fn starts(&self, name: &str, alias: &str) -> bool {
        let Some(list) = self.container().flag("controllers") else { return true };
        let items: Vec<&str> = list.split(',').map(str::trim).collect();
        let is = |item: &str| item == name || item == alias;
        if items.iter().any(|item| item.strip_prefix('-').is_some_and(is)) {
            return false;
        }
        items.iter().any(|item| *item == "*" || is(item))
    }
}

/// As Go's `strconv.ParseBool` reads a false.
fn is_false(value: &str) -> bool {
    ["0", "f", "F", "false", "FALSE", "False"].contains(&value)
}
