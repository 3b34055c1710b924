//! When a kubelet's serving certificate ends, `kubectl logs`, `exec` and `top` fail for that node, because the API server
//! verifies it at every connection, and k3s makes a new one only when it starts.
//!
//! Sources: k3s `pkg/server/handlers/handlers.go` (`ServingKubeletCert`: issued at every start of the agent, for a year unless
//! `CATTLE_NEW_SIGNED_CERT_EXPIRATION_DAYS` says otherwise); Go `crypto/x509` (`certificate has expired or is not yet valid`).

use std::collections::BTreeMap;

use crate::domain::addresses::host_port;
use crate::domain::k3s;
use crate::facts::kubelet::{Certificate, Kubelet};
use crate::facts::kubernetes::Node;
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::remedies::node_ip;
use crate::{Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD112",
    slug: "kubelet-certificate-expiry",
    title: "kubelet certificates are valid for a while yet",
    examines: "nodes",
    severity: Severity::Error,
    needs: &[&Node::NEED, &Kubelet::NEED],
    caused_by: &[],
    explain: include_str!("kubelet_certificate_expiry.md"),
    judge,
};

const DAY: i64 = 86_400;
/// So long before its end a certificate is worth a word. k3s makes it for a year, at every start.
const NEAR_DAYS: i64 = 30;
/// Where certificates are made for a shorter time, the last twelfth of it: that of a year is about the same.
const NEAR_PART: i64 = 12;
/// Clocks differ a little, and a certificate that was made just now is fine.
const CLOCK_SECONDS: i64 = 300;

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let nodes = facts.all::<Node>()?;
    let mut shakes: BTreeMap<&str, Vec<&Kubelet>> = BTreeMap::new();
    for shake in facts.all::<Kubelet>()? {
        shakes.entry(&*shake.node).or_default().push(shake);
    }
    for node in nodes {
        v.examined += 1;
        let of_node = shakes.get(node.name()).map(Vec::as_slice).unwrap_or_default();
        // All addresses show the same certificate, each of them may be out of reach.
        let is_its = |shake: &&&Kubelet| {
            shake.trusted && shake.certificate.as_ref().is_some_and(|seen| seen.names(node.name()))
        };
        match of_node.iter().find(is_its) {
            Some(shake) => v.findings.extend(tell(facts, node, shake)),
            None => v.gaps.push(unseen(node, of_node)),
        }
    }
    Ok(())
}

/// Seconds before its end from which on a certificate is worth a word.
fn near(certificate: &Certificate) -> i64 {
    let (begin, end) = (certificate.not_before.get(), certificate.not_after.get());
    let lasts = begin.zip(end).map(|(begin, end)| end.as_second() - begin.as_second());
    lasts.map_or(NEAR_DAYS * DAY, |lasts| (lasts / NEAR_PART).min(NEAR_DAYS * DAY))
}

fn unseen(node: &Node, shakes: &[&Kubelet]) -> Gap {
    let Some(shake) = shakes.first() else {
        return Gap::new(Kubelet::NEED.key, Why::NotRead, "its kubelet was not dialled").of(node.name());
    };
    let item = format!("{} {}", node.name(), host_port(&shake.address, node.kubelet_port()));
    match &shake.failure {
        Some(failure) => failure.gap(&Kubelet::NEED, &item),
        None => {
            let detail = "no certificate of this node, signed by the cluster's authority, was seen";
            Gap::new(Kubelet::NEED.key, Why::NotRead, detail).of(item)
        }
    }
}

fn tell(facts: &Facts, node: &Node, shake: &Kubelet) -> Option<Finding> {
    let certificate = shake.certificate.as_ref()?;
    let name = node.name();
    let past = certificate.not_after.seconds_until(facts.now);
    let until_begin = certificate.not_before.seconds_until(facts.now).map(|since| -since);
    let fails = "The API server verifies the certificate at every connection: kubectl logs, exec and top fail for this node.";
    let (finding, shown) = match (past, until_begin) {
        (Some(past), _) if past >= 0 => {
            let when = match past / DAY {
                0 => "today".into(),
                days => format!("{days} d ago"),
            };
            let says = format!("the kubelet certificate of node {name} expired {when}");
            (Finding::new(node, says).discriminator("expired").because(fails), "certificate.notAfter")
        }
        (_, Some(wait)) if wait > CLOCK_SECONDS => {
            let says = format!("the kubelet certificate of node {name} is not valid yet: a clock is wrong");
            let because = "The clock of the server that signed it is ahead of this machine's, or this one is behind. Where the \
                           API server's clock agrees with this one, kubectl logs, exec and top fail for this node.";
            (Finding::new(node, says).discriminator("not-yet").because(because), "certificate.notBefore")
        }
        (Some(past), _) if -past < near(certificate) => {
            let says = format!("the kubelet certificate of node {name} expires in {} d", -past / DAY);
            let mut finding = Finding::new(node, says)
                .discriminator("near")
                .severity(Severity::Warning)
                .predicted()
                .because("From then on kubectl logs, exec and top fail for this node, unless the kubelet gets a new one before.");
            finding.deadline = certificate.not_after.get();
            (finding, "certificate.notAfter")
        }
        _ => return None,
    };
    let finding = finding.shows(shake, shown);
    // A new one would be of the same clock.
    let finding = match finding.discriminator {
        Some("not-yet") => finding.step(Step::decide(
            "which clock is wrong: compare `timedatectl` on the servers with this machine's; a node whose certificate is of a \
             wrong clock gets a new one when its k3s is restarted after that",
        )),
        _ if k3s::runs_on(node) => finding.step(node_ip::restart(node)),
        _ => finding.step(Step::kubectl(
            Changes::Nothing,
            "a kubelet that asks for its certificate waits where its request is pending: approve it if the node is yours",
            &["get", "csr"],
        )),
    };
    let raw = format!("/api/v1/nodes/{name}/proxy/healthz");
    Some(finding.verify_kubectl(&["get", "--raw", &raw], "ok"))
}
