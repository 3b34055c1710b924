//! IP addresses and ranges.

use std::net::IpAddr;

use ipnet::IpNet;

/// Reads one address; surrounding space and an IPv6 zone do no harm.
pub fn ip(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.split_once('%').map_or(text, |(address, _)| address).parse().ok()
}

/// Reads a range, or a single address as the range that holds only it.
pub fn range(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse().ok().or_else(|| ip(text).map(IpNet::from))
}

/// `host:port`, with brackets around an IPv6 address.
pub fn host_port(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}
