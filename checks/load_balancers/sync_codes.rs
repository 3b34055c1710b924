//! What the codes mean that Hetzner refuses a load balancer with, and what to do about each.
//!
//! Sources: Hetzner Cloud API (error codes of load balancers and in general), hcloud-go `hcloud/error.go`; HCCM
//! `6485324f` for what it does with them.

use crate::domain::sync_error::code;
use crate::facts::hetzner::LoadBalancer;
use crate::facts::kubernetes::Service;
use crate::{Changes, Step};

/// What an error comes to.
pub struct Meaning {
    /// The end of a headline.
    pub what: String,
    pub because: &'static str,
    pub cure: Cure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    Quota,
    Name,
    Protection,
    /// It goes away by itself.
    Wait,
    Budget,
    Subnet,
    Address,
    Attach,
    Type,
    Twins,
    Setting,
    /// Only the message tells.
    Read,
}

/// (code, what, because, cure)
type Row = (&'static str, &'static str, &'static str, Cure);

const CODES: &[Row] = &[
    (
        "resource_limit_exceeded",
        "a limit is reached",
        "The project may have no more load balancers, or this type of load balancer no more ports or certificates.",
        Cure::Quota,
    ),
    (
        "uniqueness_error",
        "its name is taken",
        "Names of load balancers are unique in a project, and the annotation `name` asks for one that another has.",
        Cure::Name,
    ),
    (
        "protected",
        "it is protected",
        "Somebody protected the load balancer against changes.",
        Cure::Protection,
    ),
    (
        "locked",
        "it is locked",
        "Another action on the load balancer runs; the controller tries again.",
        Cure::Wait,
    ),
    (
        "resource_locked",
        "it is locked",
        "Another action on the load balancer runs; the controller tries again.",
        Cure::Wait,
    ),
    (
        "conflict",
        "another change runs",
        "Another change of the load balancer runs; the controller tries again.",
        Cure::Wait,
    ),
    (
        "rate_limit_exceeded",
        "too many API requests",
        "A project has 3,600 requests an hour, and all tokens of it share them; the controller tries again.",
        Cure::Budget,
    ),
    (
        "no_subnet_available",
        "no subnet has an address for it",
        "The controller attaches each load balancer to its network, and no subnet in the load balancer's zone has a free address.",
        Cure::Subnet,
    ),
    (
        "ip_not_available",
        "its private address is not free",
        "The annotation `private-ipv4` asks for an address that another has or that is in no subnet.",
        Cure::Address,
    ),
    (
        "load_balancer_not_attached_to_network",
        "it is not in the network",
        "Targets by private address need the load balancer in their network.",
        Cure::Attach,
    ),
    (
        "server_not_attached_to_network",
        "a server is not in its network",
        "A target by private address has to be in the load balancer's network, and the controller stops at the first that is not.",
        Cure::Attach,
    ),
    (
        "load_balancer_public_interface_disabled",
        "its public interface is off",
        "Targets by public address need the public interface, which `disable-public-network` turns off.",
        Cure::Setting,
    ),
    (
        "missing_ipv4",
        "a server has no public IPv4",
        "Targets by public address need one; the controller stops at the first server that has none.",
        Cure::Setting,
    ),
    (
        "invalid_input",
        "Hetzner refuses a setting",
        "A value of an annotation, or of two that exclude each other, is not allowed.",
        Cure::Setting,
    ),
    (
        "invalid_load_balancer_type",
        "its type is no such",
        "The annotation or variable `type` names no type of load balancer.",
        Cure::Type,
    ),
    (
        "source_port_already_used",
        "a port is used twice",
        "Two ports of the load balancer listen on the same number.",
        Cure::Setting,
    ),
    (
        "targets_without_use_private_ip",
        "targets are public",
        "The public interface goes off only when all targets are private.",
        Cure::Setting,
    ),
    (
        "unsupported_error",
        "Hetzner does not support it",
        "The message says what cannot be combined.",
        Cure::Read,
    ),
    (
        "not_found",
        "something is gone",
        "What the message names was deleted or is in another project.",
        Cure::Read,
    ),
    ("service_error", "Hetzner refuses a change", "The message says what is in the way.", Cure::Read),
    ("server_error", "an error at Hetzner", "Hetzner's API failed; the controller tries again.", Cure::Wait),
    ("unknown_error", "an error at Hetzner", "Hetzner's API failed; the controller tries again.", Cure::Wait),
    ("bad_gateway", "an error at Hetzner", "Hetzner's API failed; the controller tries again.", Cure::Wait),
    (
        "timeout",
        "Hetzner does not answer",
        "Hetzner's API did not answer in time; the controller tries again.",
        Cure::Wait,
    ),
    (
        "unavailable",
        "Hetzner does not answer",
        "Hetzner's API is not available; the controller tries again.",
        Cure::Wait,
    ),
    (
        "maintenance",
        "Hetzner's API is in maintenance",
        "The controller tries again until it is over.",
        Cure::Wait,
    ),
    (
        "resource_unavailable",
        "Hetzner has none left there",
        "The location has no more load balancers of this type for now.",
        Cure::Type,
    ),
    (
        "deprecated_api_endpoint",
        "the controller is too old",
        "Hetzner removed what this version of the controller asks for.",
        Cure::Read,
    ),
];

/// Errors that the controller or its client finds itself, without a code of the API.
const WORDS: &[Row] = &[
    (
        "context deadline exceeded",
        "Hetzner does not answer",
        "An action took longer than the controller waits; it tries again.",
        Cure::Wait,
    ),
    (
        "non-unique result",
        "two load balancers claim it",
        "More than one load balancer has the label of this Service, and the controller takes none.",
        Cure::Twins,
    ),
    (
        "load balancer type not found",
        "its type is no such",
        "The annotation or variable `type` names no type of load balancer.",
        Cure::Type,
    ),
    (
        "is unavailable and can no longer be ordered",
        "its type is sold no more",
        "Hetzner sells this type of load balancer no more.",
        Cure::Type,
    ),
    (
        "not attached to the load balancer's network",
        "a server is not in its network",
        "A target by private address has to be in the load balancer's network.",
        Cure::Attach,
    ),
];

/// What a message of the controller comes to.
pub fn meaning(message: &str) -> Meaning {
    let of = |row: &Row| Meaning { what: row.1.into(), because: row.2, cure: row.3 };
    if let Some(row) = WORDS.iter().find(|row| message.contains(row.0)) {
        return of(row);
    }
    let Some(code) = code(message) else {
        let because = "The message says what; the controller tries again after at most five minutes.";
        return Meaning { what: "the controller reports an error".into(), because, cure: Cure::Read };
    };
    match CODES.iter().find(|row| row.0 == code) {
        Some(row) => of(row),
        None => {
            let because = "The code is Hetzner's; the message says more.";
            Meaning { what: format!("Hetzner answers {code}"), because, cure: Cure::Read }
        }
    }
}

impl Cure {
    /// It passes without anybody's help.
    pub fn passes(self) -> bool {
        matches!(self, Cure::Wait | Cure::Budget)
    }

    pub fn steps(self, service: &Service, lb: Option<&LoadBalancer>) -> Vec<Step> {
        let look = |why: &str, args: &[&str]| Step::hcloud(Changes::Nothing, why, args);
        let list = |why: &str| look(why, &["load-balancer", "list"]);
        let name = lb.map(|lb| &*lb.name);
        let describe = |why: &str| match name {
            Some(name) => look(why, &["load-balancer", "describe", name]),
            None => list(why),
        };
        let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
        let said = |why: &str| {
            let args = ["describe", "service", &*service.metadata.name, "-n", namespace];
            Step::kubectl(Changes::Nothing, why, &args)
        };
        match self {
            Cure::Quota => vec![
                list("shows what there is: one that no Service needs any more can go"),
                Step::decide(
                    "else ask for a higher limit in the Hetzner console (Limits), or take a larger type with the annotation load-balancer.hetzner.cloud/type",
                ),
            ],
            Cure::Name => vec![
                list("shows who has the name"),
                Step::decide(
                    "give the Service another name with the annotation load-balancer.hetzner.cloud/name, or delete the other load balancer",
                ),
            ],
            Cure::Protection => match name {
                Some(name) => vec![
                    Step::hcloud(
                        Changes::Cloud,
                        "takes the protection away",
                        &["load-balancer", "disable-protection", name, "delete"],
                    )
                    .hazard(
                        "nothing keeps the load balancer and its addresses then when the Service is deleted",
                    ),
                ],
                None => vec![list("shows what is protected")],
            },
            Cure::Wait => vec![
                describe("shows whether the load balancer is changing"),
                Step::decide(
                    "if it lasts for more than half an hour: look at https://status.hetzner.com, and ask Hetzner's support about the action",
                ),
            ],
            Cure::Budget => vec![Step::decide(
                "find who else asks Hetzner's API in this project (external-dns, autoscalers, scripts, a second cluster), and give each cluster a project of its own",
            )],
            Cure::Subnet => vec![
                look("shows the subnets and their zones", &["network", "list"]),
                Step::decide(
                    "add a subnet in the load balancer's network zone (hcloud network add-subnet), or free an address",
                ),
            ],
            Cure::Address => vec![Step::decide(
                "change the annotation load-balancer.hetzner.cloud/private-ipv4 to a free address of a subnet, or take it out and let Hetzner choose",
            )],
            Cure::Attach => vec![
                describe("shows the network that it is in"),
                Step::decide(
                    "attach the server that the message names to that network (hcloud server attach-to-network), or keep its node out with the label node.kubernetes.io/exclude-from-external-load-balancers",
                ),
            ],
            Cure::Type => vec![
                look("shows the types and where they are sold", &["load-balancer-type", "list"]),
                Step::decide("set the annotation load-balancer.hetzner.cloud/type to one of them"),
            ],
            Cure::Twins => {
                let selector = format!("hcloud-ccm/service-uid={}", service.metadata.uid);
                vec![
                    look("shows both", &["load-balancer", "list", "--selector", &selector]),
                    Step::decide(
                        "keep the one whose address is in use, and take the label hcloud-ccm/service-uid off the other, or delete it",
                    ),
                ]
            }
            Cure::Setting => vec![said("shows the annotations and which field is refused")],
            Cure::Read => vec![said("shows the whole message each time it tries")],
        }
    }
}
