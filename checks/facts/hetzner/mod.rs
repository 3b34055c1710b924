//! Hetzner Cloud objects, as far as a check reads them. Field names are the API's own.

mod certificate;
mod firewall;
mod load_balancer;
mod network;
mod server;
mod zone;

pub use certificate::{Certificate, CertificateError, CertificateStatus, UsedBy};
pub use firewall::{AppliedTo, Firewall, Rule};
pub use load_balancer::{
    HealthCheck, HealthStatus, LbPrivateNet, LbPublicNet, LbService, LoadBalancer, Target, TargetServer,
};
pub use network::{Location, Network, Route, Subnet};
pub use server::{PrivateNet, PublicAddress, PublicNet, Server};
pub use zone::{Nameservers, Zone};
