//! Which kubelets are met first, and how many at once: in a large cluster there may not be time for all of them, and those
//! that are met should say something of the whole.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use kairos_doctor_checks::domain::kubelet::preferred;
use kairos_doctor_checks::facts::kubelet::Kubelet;
use kairos_doctor_checks::facts::kubernetes::Node;

use super::ONE;
use crate::collect::budget::Deadline;

/// So many handshakes at once at least, and at most: each takes a socket, and most systems give a process 1,024.
const FEW: usize = 64;
const MANY: usize = 256;
/// What comes after the handshakes (log probes) gets a quarter of the time, and no more than this.
const RESERVE: Duration = Duration::from_secs(3);

/// The handshakes of all nodes in the order in which they are tried: of each node the address that the API server dials
/// before any other address; nodes that are not ready and those that are in turns, since more is wrong with the former, and
/// they alone would tell nothing of the others; each of the two in an order that has nothing to do with names, which stand
/// for places and ages.
pub(super) fn in_order(nodes: &[Node]) -> Vec<Kubelet> {
    let first = preferred(nodes).first().copied();
    let mut ready = nodes.iter().filter(|node| node.is_ready()).collect::<Vec<_>>();
    let mut not_ready = nodes.iter().filter(|node| !node.is_ready()).collect::<Vec<_>>();
    for group in [&mut ready, &mut not_ready] {
        group.sort_by_cached_key(|node| (hash(node.name()), node.name()));
    }
    let (mut ready, mut not_ready) = (ready.into_iter(), not_ready.into_iter());
    let (mut dialled, mut others) = (Vec::new(), Vec::new());
    loop {
        let pair = [not_ready.next(), ready.next()];
        if pair.iter().all(Option::is_none) {
            break;
        }
        for node in pair.into_iter().flatten() {
            let mut targets = targets(node);
            targets.sort_by_key(|target| Some(&*target.address_type) != first);
            let mut targets = targets.into_iter();
            dialled.extend(targets.next());
            others.extend(targets);
        }
    }
    dialled.extend(others);
    dialled
}

/// The handshakes to try with one node, without their outcome.
pub(super) fn targets(node: &Node) -> Vec<Kubelet> {
    let mut targets: Vec<Kubelet> = Vec::new();
    for kind in ["InternalIP", "ExternalIP"] {
        let Some(address) = node.addresses(kind).next() else { continue };
        if targets.iter().all(|other| other.address != address) {
            targets.push(Kubelet {
                node: node.name().into(),
                address_type: kind.into(),
                address: address.into(),
                port: node.kubelet_port(),
                ..Kubelet::default()
            });
        }
    }
    targets
}

/// The end of the handshakes.
pub(super) fn end(deadline: Deadline) -> Deadline {
    deadline.earlier(RESERVE.min(deadline.left() / 4))
}

/// As many at once as it takes to wait for all of them in the time left, if none of them answers; within bounds.
pub(super) fn at_once(count: usize, end: Deadline) -> usize {
    let rounds = (end.left().as_millis() / ONE.as_millis()).max(1);
    count.div_ceil(usize::try_from(rounds).unwrap_or(usize::MAX)).clamp(FEW, MANY)
}

/// The same in every run, so that a second one sees the same nodes.
fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kairos_doctor_checks::facts::kubernetes::{Condition, NodeAddress};

    fn node(name: &str, ready: bool) -> Node {
        let mut node = Node::default();
        node.metadata.name = name.into();
        let address =
            |kind: &str, address: &str| NodeAddress { r#type: kind.into(), address: address.into() };
        node.status.addresses = vec![address("InternalIP", "127.0.0.1"), address("ExternalIP", "127.0.0.2")];
        let status = if ready { "True" } else { "False" };
        node.status.conditions =
            vec![Condition { r#type: "Ready".into(), status: status.into(), ..Condition::default() }];
        node
    }

    #[test]
    fn every_part_of_the_cluster_is_met_early() {
        let zones = ["fsn1", "hel1", "nbg1", "spare"];
        let nodes: Vec<Node> = zones
            .iter()
            .flat_map(|zone| (0..250).map(move |i| node(&format!("{zone}-{i:03}"), true)))
            .collect();
        let order = in_order(&nodes);
        assert_eq!(order.len(), 2000);
        for zone in zones {
            let of_zone = order[..200].iter().filter(|target| target.node.starts_with(zone)).count();
            assert!(
                (30..=70).contains(&of_zone),
                "{of_zone} of the first 200 are in {zone}, which is a quarter"
            );
        }
        let mut first: Vec<&str> = order[..1000].iter().map(|target| &*target.node).collect();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), 1000, "each node once before any node twice");
        assert!(order[..1000].iter().all(|target| target.address_type == "InternalIP"));
    }

    #[test]
    fn nodes_that_are_not_ready_come_early_and_not_alone() {
        let nodes: Vec<Node> = (0..1000).map(|i| node(&format!("n{i}"), i % 10 != 0)).collect();
        let not_ready = |target: &Kubelet| {
            let number: usize = target.node[1..].parse().unwrap();
            number.is_multiple_of(10)
        };
        assert_eq!(in_order(&nodes)[..200].iter().filter(|t| not_ready(t)).count(), 100);
    }

    #[test]
    fn the_address_that_the_api_server_dials_comes_first() {
        let mut nodes = [node("a", true), node("b", true)];
        let args = r#"["server","--flannel-external-ip"]"#;
        let pair = ("k3s.io/node-args".into(), args.into());
        nodes[0].metadata.annotations.0 = [pair].into_iter().collect();
        let kinds: Vec<String> = in_order(&nodes).iter().map(|t| t.address_type.to_string()).collect();
        assert_eq!(kinds, ["ExternalIP", "ExternalIP", "InternalIP", "InternalIP"]);
    }

    #[test]
    fn there_is_time_left_for_what_comes_after() {
        let whole = Deadline::after(Duration::from_secs(20));
        let before = |whole: Deadline| whole.left() - end(whole).left();
        assert!(before(whole).abs_diff(RESERVE) < Duration::from_secs(1));
        assert_eq!((at_once(3, end(whole)), at_once(10_000, end(whole))), (FEW, MANY));
        let short = Deadline::after(Duration::from_secs(1));
        assert!(!end(short).left().is_zero() && before(short) > Duration::from_millis(200));
    }
}
