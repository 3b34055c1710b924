//! The annotations of a load balancer that the cloud controller reads, and how it reads their values.
//!
//! Source: HCCM `internal/annotation/{load_balancer,name}.go` at `6485324f` (v1.35.0 and later), compared with v1.20.0 to
//! v1.34.0: `private-ipv4` came with v1.21.0, `private-subnet-ip-range` with v1.27.0, `http-timeout-idle` with v1.35.0.

use std::net::IpAddr;

use super::spelling;

pub const PREFIX: &str = "load-balancer.hetzner.cloud/";

/// The newest release whose list this is.
pub const NEWEST: (u64, u64, u64) = (1, 35, 0);

/// How a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    Text,
    Bool,
    /// Go's: a number with its unit.
    Duration,
    Int,
    Ip,
    Cidr,
    Protocol,
    Algorithm,
    CertificateType,
    Selector,
    /// In the list, and read by nobody.
    Nothing,
}

pub struct Known {
    pub suffix: &'static str,
    pub reads: Reads,
    pub since: (u64, u64, u64),
}

const fn known(suffix: &'static str, reads: Reads) -> Known {
    Known { suffix, reads, since: (0, 0, 0) }
}

pub const ALL: &[Known] = &[
    known("algorithm-type", Reads::Algorithm),
    known("certificate-type", Reads::CertificateType),
    known("disable-private-ingress", Reads::Bool),
    known("disable-public-network", Reads::Bool),
    known("health-check-http-domain", Reads::Text),
    known("health-check-http-path", Reads::Text),
    known("health-check-http-validate-certificate", Reads::Bool),
    known("health-check-interval", Reads::Duration),
    known("health-check-port", Reads::Int),
    known("health-check-protocol", Reads::Protocol),
    known("health-check-retries", Reads::Int),
    known("health-check-timeout", Reads::Duration),
    known("hostname", Reads::Text),
    known("http-certificates", Reads::Text),
    known("http-cookie-lifetime", Reads::Duration),
    known("http-cookie-name", Reads::Text),
    known("http-managed-certificate-acme-staging", Reads::Text),
    known("http-managed-certificate-domains", Reads::Text),
    known("http-managed-certificate-name", Reads::Text),
    known("http-redirect-http", Reads::Bool),
    known("http-status-codes", Reads::Text),
    known("http-sticky-sessions", Reads::Bool),
    Known { suffix: "http-timeout-idle", reads: Reads::Duration, since: (1, 35, 0) },
    known("id", Reads::Nothing),
    known("ipv4", Reads::Nothing),
    known("ipv4-rdns", Reads::Text),
    known("ipv6", Reads::Nothing),
    known("ipv6-disabled", Reads::Bool),
    known("ipv6-rdns", Reads::Text),
    known("location", Reads::Text),
    known("name", Reads::Text),
    known("network-zone", Reads::Text),
    known("node-selector", Reads::Selector),
    Known { suffix: "private-ipv4", reads: Reads::Ip, since: (1, 21, 0) },
    Known { suffix: "private-subnet-ip-range", reads: Reads::Cidr, since: (1, 27, 0) },
    known("protocol", Reads::Protocol),
    known("type", Reads::Text),
    known("use-private-ip", Reads::Bool),
    known("uses-proxyprotocol", Reads::Bool),
];

/// What people write, and what it is called.
const WRONG: &[(&str, &str)] = &[
    ("certificates", "http-certificates"),
    ("datacenter", "location"),
    ("health-check-domain", "health-check-http-domain"),
    ("health-check-http-status-codes", "http-status-codes"),
    ("health-check-path", "health-check-http-path"),
    ("health-check-status-codes", "http-status-codes"),
    ("http-certificate-type", "certificate-type"),
    ("http-redirect-https", "http-redirect-http"),
    ("proxy-protocol", "uses-proxyprotocol"),
    ("proxyprotocol", "uses-proxyprotocol"),
    ("region", "location"),
    ("use-proxy-protocol", "uses-proxyprotocol"),
    ("uses-proxy-protocol", "uses-proxyprotocol"),
    ("zone", "network-zone"),
];

pub fn find(suffix: &str) -> Option<&'static Known> {
    ALL.iter().find(|known| known.suffix == suffix)
}

/// What an unknown key was probably meant to be. `network` is near nothing: the network is the controller's own.
pub fn meant(suffix: &str) -> Option<&'static str> {
    if suffix == "network" {
        return None;
    }
    let wrong = suffix.to_lowercase();
    if let Some((_, right)) = WRONG.iter().find(|(known, _)| *known == wrong) {
        return Some(right);
    }
    let read = || ALL.iter().filter(|known| known.reads != Reads::Nothing).map(|known| known.suffix);
    // a word of it was left out in front: `managed-certificate-domains`
    let mut longer =
        read().filter(|known| known.strip_suffix(&*wrong).is_some_and(|rest| rest.ends_with('-')));
    if let (Some(only), None) = (longer.next(), longer.next()) {
        return Some(only);
    }
    spelling::nearest(&wrong, read())
}

/// Go's strconv.ParseBool.
pub fn is_bool(text: &str) -> bool {
    ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "false", "FALSE", "False"].contains(&text)
}

/// Go's strconv.Atoi.
pub fn is_int(text: &str) -> bool {
    text.parse::<i64>().is_ok()
}

/// Go's time.ParseDuration: `15s`, `1m30s`, `0`.
pub fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = &rest[..rest.len() - unit.len()];
        if !number.contains(|c: char| c.is_ascii_digit()) || number.matches('.').count() > 1 {
            return false;
        }
        let Some(after) =
            ["ns", "us", "µs", "μs", "ms", "s", "m", "h"].iter().find_map(|name| unit.strip_prefix(name))
        else {
            return false;
        };
        rest = after;
    }
    true
}

/// Go's net.ParseIP.
pub fn is_ip(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// Go's net.ParseCIDR: an address alone is none.
pub fn is_cidr(text: &str) -> bool {
    text.parse::<ipnet::IpNet>().is_ok()
}

/// Kubernetes' labels.Parse: `a=b,c!=d,e in (f,g),!h,i`.
pub fn is_selector(text: &str) -> bool {
    let mut parts = vec![String::new()];
    let mut inside = false;
    for c in text.chars() {
        match c {
            '(' if inside => return false,
            ')' if !inside => return false,
            '(' => inside = true,
            ')' => inside = false,
            ',' if !inside => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("there is one from the start").push(c);
    }
    !inside && (text.trim().is_empty() || parts.iter().all(|part| is_requirement(part.trim())))
}

fn is_requirement(text: &str) -> bool {
    if let Some(key) = text.strip_prefix('!') {
        return is_key(key.trim());
    }
    if let Some((left, values)) = text.split_once('(') {
        let words: Vec<&str> = left.split_whitespace().collect();
        let [key, "in" | "notin"] = words[..] else { return false };
        let values = values.strip_suffix(')').unwrap_or_default();
        return is_key(key) && values.split(',').all(|value| is_value(value.trim()));
    }
    for operator in ["!=", "==", "="] {
        if let Some((key, value)) = text.split_once(operator) {
            return is_key(key.trim()) && is_value(value.trim());
        }
    }
    for operator in ['>', '<'] {
        if let Some((key, value)) = text.split_once(operator) {
            return is_key(key.trim()) && is_int(value.trim());
        }
    }
    is_key(text)
}

fn is_key(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let domain = |p: &str| {
        !p.is_empty()
            && p.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.')
    };
    !name.is_empty() && is_value(name) && prefix.is_none_or(domain)
}

/// A label's value, which may be empty.
fn is_value(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric();
    text.len() <= 63
        && text.chars().all(|c| word(c) || c == '-' || c == '_' || c == '.')
        && (text.is_empty() || text.starts_with(word) && text.ends_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_keys_and_what_they_mean() {
        let cases = [
            ("managed-certificate-domains", Some("http-managed-certificate-domains")),
            ("http-redirect-https", Some("http-redirect-http")),
            ("locaton", Some("location")),
            ("use-private-ips", Some("use-private-ip")),
            ("sticky-sessions", Some("http-sticky-sessions")),
            ("uses-proxy-protocol", Some("uses-proxyprotocol")),
            ("network", None),
            ("colour", None),
        ];
        for (wrong, right) in cases {
            assert_eq!(meant(wrong), right, "{wrong}");
        }
        assert!(WRONG.iter().all(|(wrong, right)| find(wrong).is_none() && find(right).is_some()));
    }

    #[test]
    fn values_are_read_as_go_does() {
        for good in ["15s", "1m30s", "1.5h", "0", "-1s", ".5s", "100ms"] {
            assert!(is_duration(good), "{good}");
        }
        for bad in ["15", "", "s", "15 s", "1d", "5sec", "1..5s"] {
            assert!(!is_duration(bad), "{bad}");
        }
        for good in
            ["", "a", "!a", "a=b", "a==b", "a!=b", "a in (b,c)", "a notin (b), c", "x.io/a=b", "a=", "a>1"]
        {
            assert!(is_selector(good), "{good}");
        }
        for bad in ["a in b", "a b", "a=b c", "(a)", "a in (b", "=b", "a,,b", "a=b/c", "a: b"] {
            assert!(!is_selector(bad), "{bad}");
        }
        assert!(is_bool("True") && !is_bool("yes") && !is_bool(""));
        assert!(is_cidr("10.0.1.0/24") && !is_cidr("10.0.1.0"));
    }
}
