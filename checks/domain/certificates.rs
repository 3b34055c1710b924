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

    /// The names as Go lists them, DNS names, then addresses; the first of many.
    pub fn covered(&self) -> String {
        let mut all = self.dns_names.iter().chain(&self.ip_addresses).map(|name| &**name);
        let first = all.by_ref().take(SHOWN).collect::<Vec<_>>().join(", ");
        match all.count() as i64 + self.more_names {
            _ if first.is_empty() => "nothing".into(),
            0 => first,
            more => format!("{first} and {more} more"),
        }
    }
}

const SHOWN: usize = 8;
