//! Certificates and the names they cover.

use std::net::IpAddr;

use crate::domain::addresses::ip;
use crate::facts::kubelet::Certificate;

impl Certificate {
    /// Covers that IP address by an IP subject alternative name, as Go and rustls judge it.
    pub fn covers_ip(&self, address: IpAddr) -> bool {
        self.ip_addresses.iter().filter_map(|name| ip(name)).any(|name| name == address)
    }

    /// Carries that node's name, as its common name or a DNS name.
    pub fn names(&self, node: &str) -> bool {
        self.subject == node
            || self.subject == format!("system:node:{node}").as_str()
            || self.dns_names.iter().any(|name| *name == node)
    }

    /// The names as Go lists them: DNS names, then addresses.
    pub fn covered(&self) -> String {
        let all: Vec<&str> = self.dns_names.iter().chain(&self.ip_addresses).map(|name| &**name).collect();
        if all.is_empty() { "nothing".into() } else { all.join(", ") }
    }
}
