//! When a new node's name is no Hetzner server's name, the node stays tainted and without a provider ID, because the cloud
//! controller looks a node without provider ID up by name, exactly as it is written (hcloud-cloud-controller-manager
//! `hcloud/instances.go`, `lookupServer`: `no matching server found for node`).

use std::collections::HashSet;

use super::{PROVIDED, TAINT};
use crate::domain::hccm::{self, Ccm, Var};
use crate::domain::machines::ByAddress;
use crate::domain::spelling;
use crate::facts::hetzner::Server;
use crate::facts::kubernetes::Node;
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::{Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD101",
    slug: "node-name-matches-server",
    title: "every new node has a Hetzner server of the same name",
    examines: "nodes",
    severity: Severity::Critical,
    needs: &[&Node::NEED, &Server::NEED, hccm::NEEDS[0], hccm::NEEDS[1], hccm::NEEDS[2]],
    caused_by: &[],
    explain: include_str!("node_name_matches_server.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let nodes = facts.all::<Node>()?;
    let servers = facts.all::<Server>()?;
    let names: HashSet<&str> = servers.iter().map(|server| &*server.name).collect();
    let machines = ByAddress::new(servers);
    for node in nodes.iter().filter(|node| node.is_cloud()) {
        v.examined += 1;
        // Once it has a provider ID, names no longer count.
        if !node.spec.provider_id.is_empty() || names.contains(node.name()) {
            continue;
        }
        let of_address = machines.server_of(node);
        if of_address.is_none() {
            if !node.is_uninitialized() {
                continue; // a machine elsewhere: nothing shows that it is a server of Hetzner Cloud
            }
            match v.see(knows_robot(facts)) {
                Some(false) => {}
                Some(true) => {
                    let detail = format!(
                        "node {} may be a dedicated (Robot) server, which the Cloud API does not list",
                        node.name()
                    );
                    v.gaps.push(Gap::new(Server::NEED.key, Why::NotRead, detail).of(node.name()));
                    continue;
                }
                None => continue,
            }
        } else if !node.is_uninitialized() && v.see(Ccm::find(facts)).flatten().is_none() {
            continue; // nobody looks servers up by name here, or one cannot see whether somebody does
        }
        v.findings.push(finding(node, nodes, servers, of_address));
    }
    Ok(())
}

/// The controller also looks servers up in the Robot API, which the doctor does not ask.
fn knows_robot(facts: &Facts) -> Known<bool> {
    let Some(ccm) = Ccm::find(facts)? else { return Ok(false) };
    Ok(match ccm.var("ROBOT_ENABLED") {
        Var::Unset => false,
        Var::Is(value) => matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True"),
        Var::Elsewhere(_) => true,
    })
}

fn finding(node: &Node, nodes: &[Node], servers: &[Server], of_address: Option<&Server>) -> Finding {
    let name = node.name();
    let near = of_address.or_else(|| nearest(name, nodes, servers));
    let says = match of_address {
        Some(server) => format!("node {name} runs on server {}: the names differ", server.name),
        None => format!("no Hetzner server is named {name}, as this node is"),
    };
    let finding = Finding::new(node, says).because(
        "The cloud controller looks a new node's server up by name, exactly as it is written; without it the node stays \
         tainted and gets no addresses, volumes or load balancer targets.",
    );
    let finding = finding.shows(node, "metadata.name").shows(node, "spec.providerID").shows(node, TAINT);
    let finding = match near {
        Some(server) => finding.shows(node, PROVIDED).shows(server, "name"),
        None => finding,
    };
    let expect = match near {
        Some(server) => format!("hcloud://{}", server.id),
        None => "hcloud:// and the server's ID".into(),
    };
    remedy(finding, node, near, of_address.is_some())
        .verify_kubectl(&["get", "node", name, "-o", "jsonpath={.spec.providerID}"], expect)
}

fn remedy(finding: Finding, node: &Node, near: Option<&Server>, sure: bool) -> Finding {
    let name = node.name();
    let Some(server) = near else {
        return finding.step(Step::decide(format!(
            "find the server that this node runs on and give it the name {name} (hcloud server update); if there is none, \
             the node is not in this project"
        )));
    };
    let rename = Step::hcloud(
        Changes::Cloud,
        "gives the server the node's name; nothing restarts, and the controller tries again by itself within minutes",
        &["server", "update", &server.name, "--name", name],
    );
    let finding = if sure {
        finding.step(
            rename
                .hazard("where Terraform made the server, rename it there: its next run takes the name back"),
        )
    } else {
        let look = Step::hcloud(
            Changes::Nothing,
            format!(
                "whether server {}, whose name is the nearest, is that machine: compare the addresses",
                server.name
            ),
            &["server", "describe", &server.name],
        );
        finding.step(look).step(rename.hazard(
            "only if it is that machine: another server's identity would pass to this node. Where Terraform made it, rename \
             it there",
        ))
    };
    finding.step(
        Step::decide(
            "give nodes that are still to be installed their server's name as hostname in the cloud-config in /oem; templates \
             such as {{ trunc 4 .MachineID }} never match one",
        )
        .for_good()
        .hazard("on an installed node another hostname registers another Node beside the old one"),
    )
}

/// The server with the most similar name, of those that no node claims; `None` when two are alike.
fn nearest<'a>(name: &str, nodes: &[Node], servers: &'a [Server]) -> Option<&'a Server> {
    let ids: HashSet<i64> = nodes.iter().filter_map(Node::server_id).collect();
    let names: HashSet<&str> = nodes.iter().map(Node::name).collect();
    let claimed = |server: &Server| ids.contains(&server.id) || names.contains(&*server.name);
    let mut near: Vec<(usize, &Server)> = servers
        .iter()
        .filter(|server| !claimed(server))
        .filter_map(|server| Some((distance(name, &server.name)?, server)))
        .collect();
    near.sort_by_key(|(distance, server)| (*distance, server.id));
    match near[..] {
        [(best, _), (second, _), ..] if best == second => None,
        [(_, server), ..] => Some(server),
        [] => None,
    }
}

/// How far two names are apart: case alone is 0, a part at either end is 1, then letters; `None` when they are not alike.
fn distance(a: &str, b: &str) -> Option<usize> {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    if a == b {
        return Some(0);
    }
    let part =
        |long: &str, short: &str| short.len() > 1 && (long.starts_with(short) || long.ends_with(short));
    if part(&a, &b) || part(&b, &a) {
        return Some(1);
    }
    let letters = spelling::distance(&a, &b);
    (letters <= 2 && letters * 3 <= a.chars().count()).then_some(letters + 1)
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn names_that_people_mix_up_are_near() {
        for (a, b, expected) in [
            ("Worker-1", "worker-1", Some(0)),
            ("worker-1", "prod-worker-1", Some(1)),
            ("worker-1.example", "worker-1", Some(1)),
            ("worker-1", "worker1", Some(2)),
            ("worker-1", "wroker-1", Some(3)),
            ("k1", "k2", None),
            ("worker-1", "database", None),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
