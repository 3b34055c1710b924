//! Pseudonyms of IP addresses that keep which network an address is in, and the order of addresses.
//!
//! In the binary tree of all addresses that occur, a bit at which two of them part is kept; every other bit says nothing
//! about the others and is replaced. Well-known ranges are in the tree and are kept whole: what is private stays so.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Ranges that name nobody: their own bits are kept.
const KNOWN: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "192.192.192.192/32",
    "198.18.0.0/15",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "10.42.0.0/16",
    "10.43.0.0/16",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
    "::/64",
];

#[derive(Default)]
pub struct Addresses {
    /// Every prefix that occurs, as the bits of its path, by family.
    nets: Vec<IpNet>,
    pseudonyms: BTreeMap<IpAddr, IpAddr>,
}

impl Addresses {
    pub fn note(&mut self, net: IpNet) {
        self.nets.push(net);
    }

    /// Works out the pseudonyms; nothing can be noted afterwards.
    pub fn settle(&mut self) {
        let known: Vec<IpNet> = KNOWN.iter().filter_map(|net| net.parse().ok()).collect();
        for v4 in [true, false] {
            let width = if v4 { 32 } else { 128 };
            let of_family = |net: &&IpNet| net.addr().is_ipv4() == v4;
            let pairs = |nets: &[IpNet]| -> Vec<(u128, u8)> {
                nets.iter().filter(of_family).map(|n| (bits(n.addr()), n.prefix_len())).collect()
            };
            let fixed = pairs(&known);
            let mut addresses = pairs(&self.nets);
            addresses.extend(&fixed);
            addresses.sort();
            addresses.dedup_by_key(|(address, _)| *address);
            for (address, _) in &addresses {
                let other = pseudonym(*address, &addresses, &fixed, width);
                self.pseudonyms.insert(address_of(*address, v4), address_of(other, v4));
            }
        }
    }

    /// The pseudonym of an address that was noted.
    pub fn of(&self, ip: IpAddr) -> Option<IpAddr> {
        self.pseudonyms.get(&ip).copied()
    }

    /// How many addresses got another one.
    pub fn count(&self) -> usize {
        self.nets
            .iter()
            .map(|n| n.addr())
            .collect::<std::collections::BTreeSet<_>>()
            .iter()
            .filter(|ip| self.of(**ip).is_some_and(|other| other != **ip))
            .count()
    }
}

/// Every bit is chosen by what is true of all addresses that share the path to it, so that they go on sharing it.
fn pseudonym(address: u128, all: &[(u128, u8)], fixed: &[(u128, u8)], width: u32) -> u128 {
    let mut out = 0u128;
    // The addresses that share the path so far, as a range of the sorted list.
    let mut same = all;
    for depth in 0..width {
        let shift = width - 1 - depth;
        let bit = (address >> shift) & 1;
        let split = same.partition_point(|(other, _)| (other >> shift) & 1 == 0);
        let parts = split != 0 && split != same.len();
        let known = fixed.iter().any(|(net, len)| {
            depth < u32::from(*len) && (address ^ net).checked_shr(width - depth).unwrap_or(0) == 0
        });
        // A network's own address has no host bits.
        let host = same.iter().any(|(_, len)| u32::from(*len) <= depth);
        let chosen = if parts || known || host { bit } else { u128::from(scatter(out, depth)) };
        out |= chosen << shift;
        same = if bit == 0 { &same[..split] } else { &same[split..] };
    }
    out
}

/// A bit that depends on nothing but the path of pseudonyms: it tells nothing of the bit it stands for.
fn scatter(path: u128, depth: u32) -> bool {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in path.to_be_bytes().into_iter().chain(depth.to_be_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (hash >> 29) & 1 == 1
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

fn address_of(bits: u128, v4: bool) -> IpAddr {
    if v4 { Ipv4Addr::from(bits as u32).into() } else { Ipv6Addr::from(bits).into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settled(all: &[IpNet]) -> Addresses {
        let mut addresses = Addresses::default();
        all.iter().for_each(|net| addresses.note(*net));
        addresses.settle();
        addresses
    }

    #[test]
    fn an_address_stays_in_its_network_and_private_stays_private() {
        let all: Vec<IpNet> =
            ["10.0.0.0/24", "10.0.0.2/32", "10.0.1.2/32", "88.198.4.7/32", "88.198.0.0/16", "0.0.0.0/0"]
                .map(|n| n.parse().unwrap())
                .to_vec();
        let addresses = settled(&all);
        let of = |text: &str| addresses.of(text.parse().unwrap()).unwrap();
        let net = IpNet::new(of("10.0.0.0"), 24).unwrap();
        assert!(net.contains(&of("10.0.0.2")) && !net.contains(&of("10.0.1.2")));
        assert_eq!(net.trunc().addr(), net.addr(), "a network has no host bits");
        assert!(matches!(of("10.0.0.2"), IpAddr::V4(ip) if ip.is_private()));
        assert!(matches!(of("88.198.4.7"), IpAddr::V4(ip) if !ip.is_private()));
        assert!(IpNet::new(of("88.198.0.0"), 16).unwrap().contains(&of("88.198.4.7")));
        assert_ne!(of("88.198.4.7"), "88.198.4.7".parse::<IpAddr>().unwrap());
        assert_eq!(of("0.0.0.0"), "0.0.0.0".parse::<IpAddr>().unwrap());
    }

    proptest! {
        #[test]
        fn order_and_shared_prefixes_are_kept(all in proptest::collection::vec(any::<u32>(), 2..20)) {
            let nets: Vec<IpNet> = all.iter().map(|n| IpNet::from(IpAddr::from(Ipv4Addr::from(*n)))).collect();
            let addresses = settled(&nets);
            for a in &all {
                for b in &all {
                    let of = |n: u32| bits(addresses.of(Ipv4Addr::from(n).into()).unwrap()) as u32;
                    prop_assert_eq!(a.cmp(b), of(*a).cmp(&of(*b)));
                    prop_assert_eq!((a ^ b).leading_zeros(), (of(*a) ^ of(*b)).leading_zeros());
                }
            }
        }
    }
}
