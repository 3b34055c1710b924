//! Nodes and their kubelets, as parts of the drawing: what is broken one by one, the rest counted.

use std::collections::BTreeMap;

use kairos_doctor_checks::domain::topology::{Machine, Sight, Station, Topology};

use super::lanes::Draft;
use super::marks::{Found, Marks, Of};
use super::model::{Lane, Part, Row, State};
use crate::report::words::{clean, counted, listed, name};

/// So many are drawn one by one; of more only those that are not plain, up to `MOST`.
const FEW: usize = 8;
const MOST: usize = 10;
/// How many boxes there may be of nodes that are alike.
const KINDS: usize = 8;

/// The rows, and the lanes with their ways into them.
pub fn rows(topology: &Topology, marks: &Marks, drafts: Vec<Draft>) -> (Vec<Row>, Vec<Lane>) {
    let stations = match &topology.nodes {
        Err(gap) => {
            let part = |name: &str| Part::new(name, State::Unseen, Found::default()).line("not seen");
            let row = Row { node: part("nodes").detail(&gap.detail), kubelet: part("kubelets") };
            return (
                vec![row],
                drafts.into_iter().map(|draft| with(draft.lane, vec![(0, State::Unseen)])).collect(),
            );
        }
        Ok(stations) => stations,
    };
    if stations.is_empty() {
        let part = |name: &str| Part::new(name, State::Absent, Found::default());
        let row = Row { node: part("no nodes"), kubelet: part("no kubelets") };
        return (vec![row], drafts.into_iter().map(|draft| draft.lane).collect());
    }
    let singles: Vec<Row> = stations.iter().map(|station| row(station, marks)).collect();
    let ways = |node: usize| -> Vec<Option<State>> {
        drafts.iter().map(|d| d.targets.iter().filter(|(at, _)| *at == node).map(|(_, s)| *s).max()).collect()
    };
    let ways: Vec<Vec<Option<State>>> = (0..singles.len()).map(ways).collect();
    let groups = grouped(&singles, &ways);
    let lanes = drafts.into_iter().enumerate().map(|(at, draft)| {
        let to = groups.iter().enumerate().filter_map(|(row, (_, nodes))| {
            let states = nodes.iter().filter_map(|node| ways[*node][at]);
            states.max().map(|state| (row, state))
        });
        let to: Vec<(usize, State)> = to.collect();
        // Where the load balancer was not seen, neither was where it sends traffic.
        let to = match (to.is_empty(), draft.lane.pass) {
            (true, State::Unseen) => (0..groups.len()).map(|row| (row, State::Unseen)).collect(),
            _ => to,
        };
        with(draft.lane, to)
    });
    let lanes = lanes.collect();
    (groups.into_iter().map(|(row, _)| row).collect(), lanes)
}

fn with(lane: Lane, to: Vec<(usize, State)>) -> Lane {
    Lane { to, ..lane }
}

/// Each box with the nodes that it stands for.
fn grouped(singles: &[Row], ways: &[Vec<Option<State>>]) -> Vec<(Row, Vec<usize>)> {
    if singles.len() <= FEW {
        return singles.iter().enumerate().map(|(i, row)| (row.clone(), vec![i])).collect();
    }
    let mut drawn: Vec<(Row, Vec<usize>)> = Vec::new();
    let mut alike: BTreeMap<(bool, String), Vec<usize>> = BTreeMap::new();
    for (i, row) in singles.iter().enumerate() {
        // What a finding only names along the way is not broken itself.
        let worst = row.node.state.max(row.kubelet.state);
        let broken = worst >= State::Noted || ways[i].contains(&Some(State::Bad));
        if broken && drawn.len() < MOST {
            drawn.push((row.clone(), vec![i]));
        } else {
            let likeness = format!("{} {} {:?}", row.node.likeness(), row.kubelet.likeness(), ways[i]);
            alike.entry((!broken, likeness)).or_default().push(i);
        }
    }
    // Too many kinds are no picture: the smallest of them share a box, which says so.
    let mut kinds: Vec<(bool, Vec<usize>)> =
        alike.into_iter().map(|((plain, _), nodes)| (plain, nodes)).collect();
    let mut rest: Vec<usize> = Vec::new();
    if kinds.len() > KINDS {
        kinds.sort_by_key(|(_, nodes)| std::cmp::Reverse(nodes.len()));
        rest = kinds.split_off(KINDS - 1).into_iter().flat_map(|(_, nodes)| nodes).collect();
    }
    kinds.sort_by_key(|(plain, nodes)| (nodes.len() > 1, *plain, std::cmp::Reverse(nodes.len())));
    let more = if drawn.is_empty() && kinds.len() + rest.len().min(1) == 1 { "" } else { "more " };
    for (_, nodes) in kinds {
        drawn.push((one_of(singles, &nodes, more), nodes));
    }
    if !rest.is_empty() {
        let row = Row {
            node: unlike(format!("{} {more}nodes", rest.len()), rest.iter().map(|i| &singles[*i].node)),
            kubelet: unlike("kubelets".into(), rest.iter().map(|i| &singles[*i].kubelet)),
        };
        drawn.push((row, rest));
    }
    drawn
}

/// One box for parts that have nothing in common: the worst of them, and all their codes.
fn unlike<'a>(name: String, parts: impl Iterator<Item = &'a Part>) -> Part {
    let mut all = Part::new(name, State::Fine, Found::default()).line("of several kinds");
    for part in parts {
        all.state = all.state.max(part.state);
        all.hides |= part.hides;
        all.ranks.extend(&part.ranks);
        for tag in &part.tags {
            if all.tags.iter().all(|known| known.code != tag.code) {
                all.tags.push(tag.clone());
            }
        }
    }
    all
}

/// One box for nodes that are alike in all that is drawn of them.
fn one_of(singles: &[Row], nodes: &[usize], more: &str) -> Row {
    let mut row = singles[nodes[0]].clone();
    if nodes.len() == 1 {
        return row;
    }
    let names: Vec<String> = nodes.iter().map(|i| singles[*i].node.name.clone()).collect();
    for other in nodes[1..].iter().map(|i| &singles[*i]) {
        row.node.ranks.extend(&other.node.ranks);
        row.kubelet.ranks.extend(&other.kubelet.ranks);
    }
    row.node.name = format!("{} {more}nodes", nodes.len());
    if row.node.is_plain() && row.kubelet.tags.is_empty() && !row.kubelet.hides {
        row.node.lines.insert(0, "nothing found".into());
    }
    row.node.title = format!("{}: {}", row.node.name, listed(&names, 40));
    row.kubelet.name = counted(nodes.len(), "kubelet");
    row.kubelet.title = row.kubelet.name.clone();
    row
}

fn row(station: &Station, marks: &Marks) -> Row {
    let mut objects = vec![&station.node];
    let (machine, of_machine) = match &station.machine {
        Machine::Server { object, status } => {
            objects.push(object);
            match &**status {
                "running" => ("server runs".into(), State::Fine),
                "" => ("server not seen".into(), State::Unseen),
                status => (format!("server {}", clean(status)), State::Bad),
            }
        }
        Machine::Dedicated => ("dedicated".into(), State::Fine),
        Machine::NotFound => ("no server found".into(), State::Unseen),
        Machine::NotSeen(_) => ("server not seen".into(), State::Unseen),
    };
    let (ready, of_node) = match station.ready {
        Some(true) => ("ready", State::Fine),
        Some(false) => ("not ready", State::Bad),
        None => ("readiness not seen", State::Unseen),
    };
    let found = marks.at(&objects, &station.kubelets);
    let mut node =
        Part::new(name(&station.node), of_node.max(of_machine), found).line(format!("{ready}, {machine}"));
    node = node.unjudged(marks.unjudged(Of::Node, &station.node.path()));
    if station.is_control_plane {
        node = node.detail("control plane");
    }
    if let Some(address) = &station.address {
        node = node.detail(&clean(address));
    }
    let (words, seen) = match &station.kubelet {
        Sight::Own => ("seen", State::Fine),
        Sight::Answers => ("answers", State::Fine),
        Sight::Refused => ("refused", State::Bad),
        Sight::Other(_) => ("not proven", State::Unseen),
        Sight::Unreached(_) => ("not reached", State::Unseen),
        Sight::NotAsked => ("not asked", State::Unseen),
    };
    let kubelets: Vec<_> = station.kubelets.iter().collect();
    let mut kubelet = Part::new("kubelet", seen, marks.at(&kubelets, &[])).line(words);
    if let Sight::Other(detail) | Sight::Unreached(detail) = &station.kubelet {
        kubelet = kubelet.detail(&clean(detail));
    }
    kubelet.title = format!("{} of {}", kubelet.title, node.name);
    Row { node, kubelet }
}
