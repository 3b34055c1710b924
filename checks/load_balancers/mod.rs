//! Load balancers that the cloud controller makes for Services.

pub mod load_balancer_address;
pub mod load_balancer_annotations;
pub mod load_balancer_has_targets;
pub mod load_balancer_location;
pub mod load_balancer_location_exists;
pub mod load_balancer_network_zone;
pub mod load_balancer_one_controller;
pub mod load_balancer_private_targets;
pub mod load_balancer_source_ranges;
pub mod load_balancer_sync;
pub mod load_balancer_targets_healthy;
mod misplaced;
mod sync_codes;
mod target_firewalls;
mod target_remedies;
pub(crate) mod targets;
mod zone_remedies;
