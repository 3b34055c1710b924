//! Pseudonyms of IP addresses that keep which network an address is in.
//!
//! Each bit is turned or left by a secret choice that depends on the bits before it and on nothing else (Xu, Fan, Ammar, Moon:
//! Prefix-Preserving IP Address Anonymization, 2002): addresses that share a prefix go on sharing it, and an address has the
//! same pseudonym whatever other addresses there are. Well-known ranges are kept: what is private stays so.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::key::Key;

/// Ranges whose addresses are the same in every cluster and name nobody: this host, loopback, k3s's pods and Services, the
/// metadata service, multicast.
const KEPT: &[&str] = &[
    "0.0.0.0/8",
    "10.42.0.0/16",
    "10.43.0.0/16",
    "127.0.0.0/8",
    "169.254.169.254/32",
    "192.192.192.192/32",
    "224.0.0.0/3",
    "::/127",
    "ff00::/8",
];

/// Ranges in which an address stays.
const KNOWN: &[&str] = &[
    "10.0.0.0/8",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "203.0.113.0/24",
    "fc00::/7",
    "fe80::/10",
];

/// How often another choice is tried when a pseudonym happens to be somebody else's address.
const TRIES: u8 = 64;

#[derive(Default)]
pub struct Addresses {
    nets: Vec<IpNet>,
    pseudonyms: BTreeMap<IpAddr, IpAddr>,
}

impl Addresses {
    pub fn note(&mut self, net: IpNet) {
        self.nets.push(net);
    }

    /// Works out the pseudonyms; nothing can be noted afterwards.
    pub fn settle(&mut self, key: &Key) {
        self.nets.sort();
        self.nets.dedup();
        let all: BTreeSet<IpAddr> = self.nets.iter().map(|net| net.addr()).collect();
        let families = [Family::of(&self.nets, true), Family::of(&self.nets, false)];
        for attempt in 0..TRIES {
            let of = |ip: &IpAddr| (*ip, families[usize::from(ip.is_ipv6())].pseudonym(*ip, key, attempt));
            self.pseudonyms = all.iter().map(of).collect();
            let taken = |(ip, other): (&IpAddr, &IpAddr)| all.contains(other) && is_somebodys(*ip);
            if !self.pseudonyms.iter().any(taken) {
                break;
            }
        }
    }

    /// The pseudonym of an address that was noted.
    pub fn of(&self, ip: IpAddr) -> Option<IpAddr> {
        self.pseudonyms.get(&ip).copied()
    }

    /// Each address that got another one.
    pub fn replaced(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> {
        self.pseudonyms.iter().filter(|(ip, other)| ip != other).map(|(ip, other)| (*ip, *other))
    }
}

/// It could tell somebody something: it is in no range that is kept whole, and no well-known range itself.
fn is_somebodys(ip: IpAddr) -> bool {
    let nets =
        |all: &[&str], test: &dyn Fn(IpNet) -> bool| all.iter().filter_map(|n| n.parse().ok()).any(test);
    !nets(KEPT, &|net| net.contains(&ip)) && !nets(KNOWN, &|net| net.addr() == ip)
}

/// What is the same for all addresses of one family.
struct Family {
    width: u32,
    known: Vec<(u128, u32)>,
    kept: Vec<IpNet>,
    /// Paths in the host part of a network's own address: its bits are zero and stay so.
    hosts: HashSet<(u32, u128)>,
}

impl Family {
    fn of(nets: &[IpNet], v4: bool) -> Family {
        let parsed = |all: &[&str]| -> Vec<IpNet> {
            all.iter()
                .filter_map(|net| net.parse().ok())
                .filter(|n: &IpNet| n.addr().is_ipv4() == v4)
                .collect()
        };
        let (known, kept) = (parsed(KNOWN), parsed(KEPT));
        let width = if v4 { 32 } else { 128 };
        let networks = nets.iter().filter(|n| n.addr().is_ipv4() == v4 && n.trunc().addr() == n.addr());
        let paths = networks.flat_map(|net| {
            let bits = bits(net.addr());
            (u32::from(net.prefix_len())..width).map(move |depth| (depth, path(bits, depth, width)))
        });
        let hosts = paths.collect();
        let known = known.iter().chain(&kept).map(|n| (bits(n.addr()), u32::from(n.prefix_len()))).collect();
        Family { width, known, kept, hosts }
    }

    fn pseudonym(&self, ip: IpAddr, key: &Key, attempt: u8) -> IpAddr {
        if self.kept.iter().any(|net| net.contains(&ip)) {
            return ip;
        }
        let address = bits(ip);
        let mut out = 0u128;
        for depth in 0..self.width {
            let shift = self.width - 1 - depth;
            let bit = (address >> shift) & 1;
            let way = path(address, depth, self.width);
            let known = |(net, len): &(u128, u32)| depth < *len && path(*net, depth, self.width) == way;
            let stays = self.known.iter().any(known) || self.hosts.contains(&(depth, way));
            let turned = || key.number(&[b"address", &[attempt, depth as u8], &way.to_be_bytes()]) & 1;
            out |= (if stays { bit } else { bit ^ turned() }) << shift;
        }
        match ip {
            IpAddr::V4(_) => Ipv4Addr::from(out as u32).into(),
            IpAddr::V6(_) => Ipv6Addr::from(out).into(),
        }
    }
}

/// The first `depth` bits.
fn path(bits: u128, depth: u32, width: u32) -> u128 {
    bits.checked_shr(width - depth).unwrap_or(0)
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

#[cfg(test)]
mod tests {
    use kairos_doctor_checks::facts::{FORMAT, Facts};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn key(cluster: &str) -> Key {
        let namespace = json!({"metadata": {"name": "kube-system", "uid": cluster}});
        let bundle =
            json!({"format": FORMAT, "now": "2026-11-23T09:00:00Z", "parts": {"namespaces": [namespace]}});
        Key::of(&Facts::from_bundle(&bundle).unwrap())
    }

    fn settled(all: &[&str]) -> Addresses {
        let mut addresses = Addresses::default();
        all.iter().for_each(|net| addresses.note(net.parse().unwrap()));
        addresses.settle(&key("5a1b8c1e-0000-4000-8000-000000000001"));
        addresses
    }

    #[test]
    fn an_address_stays_in_its_network_and_private_stays_private() {
        let addresses = settled(&[
            "10.0.0.0/24",
            "10.0.0.2/32",
            "10.0.1.2/32",
            "88.198.4.7/32",
            "88.198.0.0/16",
            "0.0.0.0/0",
        ]);
        let of = |text: &str| addresses.of(text.parse().unwrap()).unwrap();
        let net = IpNet::new(of("10.0.0.0"), 24).unwrap();
        assert!(net.contains(&of("10.0.0.2")) && !net.contains(&of("10.0.1.2")));
        assert_eq!(net.trunc().addr(), net.addr(), "a network has no host bits");
        assert!(matches!(of("10.0.0.2"), IpAddr::V4(ip) if ip.is_private()));
        assert!(matches!(of("88.198.4.7"), IpAddr::V4(ip) if !ip.is_private()));
        assert!(IpNet::new(of("88.198.0.0"), 16).unwrap().contains(&of("88.198.4.7")));
        for ip in ["10.0.0.0", "10.0.0.2", "10.0.1.2", "88.198.4.7", "88.198.0.0"] {
            assert_ne!(of(ip), ip.parse::<IpAddr>().unwrap());
        }
        assert_eq!(of("0.0.0.0"), "0.0.0.0".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn what_every_cluster_has_is_kept() {
        let same =
            ["127.0.0.1/32", "10.42.0.0/16", "10.42.3.0/24", "10.43.0.1/32", "169.254.169.254/32", "::1/128"];
        assert_eq!(settled(&same).replaced().count(), 0);
    }

    #[test]
    fn another_address_changes_nothing_and_another_cluster_everything() {
        let few = settled(&["88.198.4.7/32", "2a01:4f8:c0c:1::/64"]);
        let more = settled(&["88.198.4.7/32", "2a01:4f8:c0c:1::/64", "88.198.4.9/32", "95.216.1.1/32"]);
        for ip in ["88.198.4.7", "2a01:4f8:c0c:1::"] {
            let ip = ip.parse().unwrap();
            assert_eq!(few.of(ip), more.of(ip));
        }
        let mut other = Addresses::default();
        other.note("88.198.4.7/32".parse().unwrap());
        other.settle(&key("6a1b8c1e-0000-4000-8000-000000000001"));
        let ip = "88.198.4.7".parse().unwrap();
        assert_ne!(other.of(ip), few.of(ip));
    }

    proptest! {
        #[test]
        fn shared_prefixes_are_kept_and_no_address_is_anothers(all in proptest::collection::btree_set(any::<u32>(), 2..20)) {
            let mut addresses = Addresses::default();
            let ip = |n: u32| IpAddr::from(Ipv4Addr::from(n));
            all.iter().for_each(|n| addresses.note(IpNet::from(ip(*n))));
            addresses.settle(&key("5a1b8c1e-0000-4000-8000-000000000001"));
            let of = |n: u32| bits(addresses.of(ip(n)).unwrap()) as u32;
            for a in &all {
                prop_assert!(!is_somebodys(ip(*a)) || !all.contains(&of(*a)));
                for b in &all {
                    prop_assert_eq!((a ^ b).leading_zeros(), (of(*a) ^ of(*b)).leading_zeros());
                }
            }
        }
    }
}
