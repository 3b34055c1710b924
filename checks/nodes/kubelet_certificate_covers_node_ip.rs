//! When a kubelet's serving certificate lacks the address that the API server dials, `kubectl logs`, `exec` and `top` fail
//! for that node, because the API server verifies the certificate against that address.
//!
//! Sources: k3s `pkg/server/handlers/handlers.go` (`ServingKubeletCert`: node name, localhost, 127.0.0.1, node-ip and
//! node-external-ip, issued anew at every start), kubernetes `kubelet-preferred-address-types`.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::domain::addresses::{host_port, ip};
use crate::domain::k3s;
use crate::domain::kubelet::{TYPES, Words, preferred, words};
use crate::facts::kubelet::{Kubelet, LogProbe};
use crate::facts::kubernetes::Node;
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::nodes::node_internal_ip;
use crate::remedies::{etcd, node_ip};
use crate::{Cause, Check, Finding, Severity, Verdict};

pub const CHECK: Check = Check {
    code: "KD110",
    slug: "kubelet-certificate-covers-node-ip",
    title: "kubelet serving certificates cover the address the API server dials",
    examines: "nodes",
    severity: Severity::Critical,
    needs: &[&Node::NEED, &Kubelet::NEED, &LogProbe::NEED],
    // without an InternalIP the ExternalIP is dialled, which k3s's certificate does not carry
    caused_by: &[Cause::here(&node_internal_ip::CHECK)
        .when(|_, effect| effect.evidence.iter().any(|evidence| evidence.path.contains("type=ExternalIP")))],
    explain: include_str!("kubelet_certificate_covers_node_ip.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let nodes = facts.all::<Node>()?;
    let kubelets = v.see(facts.all::<Kubelet>()).unwrap_or_default();
    // The probes are a second way: without them a handshake still tells.
    let probes = facts.all::<LogProbe>();
    let order = preferred(nodes);
    let mut shakes: HashMap<&str, Vec<&Kubelet>> = HashMap::new();
    for shake in kubelets {
        shakes.entry(&*shake.node).or_default().push(shake);
    }
    for node in nodes {
        v.examined += 1;
        let Some((kind, address)) = dialled(node, &order) else {
            let detail = format!("node {} has no address yet that the API server could dial", node.name());
            v.gaps.push(Gap::new(Kubelet::NEED.key, Why::NotRead, detail).of(node.name()));
            continue;
        };
        let mut of_node = shakes.get(node.name()).into_iter().flatten().copied();
        let shake = of_node.find(|k| ip(&k.address) == Some(address));
        let probe = probes.as_ref().unwrap_or(&&[][..]).iter().find(|p| p.node == node.name());
        let seen = Seen { node, nodes, kind, address, shake, probe };
        match seen.judge() {
            Judged::Fine => {}
            Judged::Lacks(finding) => v.findings.push(*finding),
            Judged::NotSeen(mut gaps) => {
                if let Err(gap) = &probes
                    && !gaps.is_empty()
                {
                    gaps.push(gap.clone());
                }
                v.gaps.extend(gaps);
                if let Some(finding) = seen.predict() {
                    v.findings.push(seen.remedy(finding));
                }
            }
        }
    }
    Ok(())
}

/// The first address of the first type that the node has.
fn dialled(node: &Node, order: &[&'static str]) -> Option<(&'static str, IpAddr)> {
    order.iter().find_map(|kind| Some((*kind, node.addresses(kind).find_map(ip)?)))
}

/// One node and all that was seen of its kubelet at the address that counts.
struct Seen<'a> {
    node: &'a Node,
    nodes: &'a [Node],
    kind: &'static str,
    address: IpAddr,
    shake: Option<&'a Kubelet>,
    probe: Option<&'a LogProbe>,
}

enum Judged {
    Fine,
    Lacks(Box<Finding>),
    NotSeen(Vec<Gap>),
}

impl<'a> Seen<'a> {
    fn judge(&self) -> Judged {
        let item = format!(
            "{} {}",
            self.node.name(),
            host_port(&self.address.to_string(), self.node.kubelet_port())
        );
        let gap = |why, detail: String| Gap::new(Kubelet::NEED.key, why, detail).of(item.clone());
        let mut gaps = Vec::new();
        match self.shake {
            Some(shake) => match (&shake.certificate, &shake.failure) {
                (Some(cert), _) if shake.trusted && cert.names(self.node.name()) => {
                    if cert.covers_ip(self.address) {
                        return Judged::Fine;
                    }
                    if cert.more_names > 0 {
                        let what = format!(
                            "its certificate is for {}; {} of its names are not kept, and the address may be one of them",
                            cert.covered(),
                            cert.more_names
                        );
                        return Judged::NotSeen(vec![gap(Why::NotRead, what)]);
                    }
                    let finding = self.finding().shows(shake, "certificate.ipAddresses");
                    return Judged::Lacks(Box::new(
                        self.remedy(finding.shows(shake, "certificate.notBefore")),
                    ));
                }
                (Some(cert), _) if cert.names(self.node.name()) => {
                    let why =
                        format!("a kubelet of that name, signed by another authority: {}", shake.distrust);
                    gaps.push(gap(Why::Malformed, why));
                }
                (Some(cert), _) => gaps.push(gap(
                    Why::Malformed,
                    format!("something else answers there: its certificate is for {}", cert.covered()),
                )),
                (None, Some(failure)) => gaps.push(failure.gap(&Kubelet::NEED, &item)),
                (None, None) => gaps.push(gap(Why::NotRead, "no certificate was seen".into())),
            },
            None => gaps.push(gap(Why::NotRead, "its kubelet was not dialled".into())),
        }
        let Some(probe) = self.probe else { return Judged::NotSeen(gaps) };
        if let Some(failure) = &probe.failure {
            gaps.push(failure.gap(&LogProbe::NEED, self.node.name()));
            return Judged::NotSeen(gaps);
        }
        if let Some((other, probe)) = self.elsewhere() {
            return Judged::Lacks(Box::new(other.remedy(other.finding().shows(probe, "message"))));
        }
        match words(probe) {
            Words::KubeletAnswered => Judged::Fine,
            Words::NotCovered { have, want } if ip(want) == Some(self.address) && self.plausible(have) => {
                Judged::Lacks(Box::new(self.remedy(self.finding().shows(probe, "message"))))
            }
            Words::NotCovered { have, .. } => {
                gaps.push(gap(
                    Why::Malformed,
                    format!("the API server met a certificate for {have}, another node's"),
                ));
                Judged::NotSeen(gaps)
            }
            Words::Nothing(gap) => {
                gaps.push(gap);
                Judged::NotSeen(gaps)
            }
        }
    }

    /// The API server says itself that it dials another address of this node, and that the certificate lacks it.
    fn elsewhere(&self) -> Option<(Seen<'a>, &'a LogProbe)> {
        let probe = self.probe.filter(|probe| probe.failure.is_none())?;
        let Words::NotCovered { have, want } = words(probe) else { return None };
        let address = ip(want).filter(|want| *want != self.address && self.plausible(have))?;
        let has = |kind: &&'static str| self.node.addresses(kind).filter_map(ip).any(|a| a == address);
        let kind = TYPES.into_iter().find(has)?;
        Some((Seen { kind, address, shake: None, ..*self }, probe))
    }

    /// The names in the API server's words can be this node's. Where k3s's tunnel to a node fails, the API server reaches
    /// its own kubelet instead and reports that one's certificate (k3s `pkg/daemons/control/tunnel.go`, `dialBackend`).
    fn plausible(&self, have: &str) -> bool {
        let names: Vec<&str> = have.split(',').map(str::trim).collect();
        let of = |node: &Node| {
            let addresses = node.status.addresses.iter().map(|a| &*a.address).chain(node.provided_ips());
            addresses.chain([node.name()]).any(|a| names.contains(&a))
        };
        of(self.node) || !self.nodes.iter().filter(|n| n.name() != self.node.name()).any(of)
    }

    /// Without having seen the certificate: k3s puts node-ip and node-external-ip into it, and nothing else. What node-ip
    /// came out as, the kubelet writes onto its Node; in dual-stack it does not, and nothing can be said.
    fn predict(&self) -> Option<Finding> {
        let given = |flag| {
            let values = k3s::arg_values(self.node, flag);
            values.iter().flat_map(|v| v.split(',')).filter_map(ip).collect::<Vec<_>>()
        };
        let mut told: Vec<IpAddr> = self.node.provided_ips().filter_map(ip).collect();
        told.extend(given("node-ip"));
        if told.is_empty() {
            return None;
        }
        told.extend(given("node-external-ip"));
        (!told.contains(&self.address)).then(|| self.finding().predicted())
    }

    fn finding(&self) -> Finding {
        let node = self.node;
        let says = format!(
            "the kubelet certificate of node {} does not cover {}, its {}",
            node.name(),
            self.address,
            self.kind
        );
        Finding::new(node, says)
            .because(
                "The API server dials that address and verifies the certificate against it: kubectl logs, exec and top fail \
                 for this node.",
            )
            .shows(node, &format!("status.addresses[type={}].address", self.kind))
            .shows(node, "metadata.annotations['alpha.kubernetes.io/provided-node-ip']")
    }

    fn remedy(&self, finding: Finding) -> Finding {
        let finding = self.steps(finding);
        let args = ["get", "--raw", &format!("/api/v1/nodes/{}/proxy/healthz", self.node.name())];
        finding.verify_kubectl(&args, "ok")
    }

    /// What k3s is told must become the address that is dialled, and on an etcd member it must not change at all unless
    /// the member moves with it.
    fn steps(&self, finding: Finding) -> Finding {
        let node = self.node;
        // An ExternalIP is k3s's node-external-ip, which etcd does not know.
        let flag = if self.kind == "ExternalIP" { "node-external-ip" } else { "node-ip" };
        if flag == "node-ip" && etcd::stops_with(node, self.address) {
            return etcd::plan(finding, node, self.nodes, self.address);
        }
        if self.is_told(flag) {
            return finding.step(node_ip::restart(node));
        }
        finding.steps(node_ip::write(node, flag, &node_ip::both_families(node, self.kind, self.address)))
    }

    /// k3s knows the address already, and only the certificate is older. A node-ip that the kubelet alone was given stands
    /// on the Node and never in the certificate.
    fn is_told(&self, flag: &str) -> bool {
        let given = k3s::arg_values(self.node, flag);
        let mut given = given.iter().flat_map(|v| v.split(',')).filter_map(ip);
        let mut kubelet = k3s::arg_values(self.node, "kubelet-arg").into_iter();
        let past_k3s = kubelet.any(|arg| arg.starts_with("node-ip="));
        let settled = flag == "node-ip" && !past_k3s;
        given.any(|a| a == self.address)
            || settled && self.node.provided_ips().filter_map(ip).any(|a| a == self.address)
    }
}
