//! When Cilium's agents are told to find the API server at 127.0.0.1:6443, those on k3s agents do not find it, because only
//! servers listen there; 127.0.0.1:6444 is k3s's own way to the servers on agents, and answers on servers, too (k3s-io/k3s
//! `pkg/agent/proxy`, flag `--lb-server-port`, default 6444).

use serde_json::json;

use crate::domain::cilium::{self, Cilium};
use crate::domain::k3s;
use crate::facts::kubernetes::{Container, Node, Pod, PodSpec};
use crate::facts::{Facts, Kind, Known};
use crate::remedies::charts::{self, Chart};
use crate::remedies::cilium as remedy;
use crate::{Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD506",
    slug: "cilium-api-endpoint",
    title: "Cilium agents reach the API server from every node",
    examines: "DaemonSets of Cilium's agents",
    severity: Severity::Critical,
    needs: &[
        cilium::NEEDS[0],
        cilium::NEEDS[1],
        cilium::NEEDS[2],
        &Node::NEED,
        charts::NEEDS[0],
        charts::NEEDS[1],
    ],
    caused_by: &[],
    explain: include_str!("cilium_api_endpoint.md"),
    judge,
};

const HOST: &str = "KUBERNETES_SERVICE_HOST";
const PORT: &str = "KUBERNETES_SERVICE_PORT";
/// Where only a server's API server listens.
const OF_SERVERS: &str = "6443";

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(cilium) = Cilium::find(facts)? else { return Ok(()) };
    let Some(set) = cilium.agents else { return Ok(()) };
    v.examined += 1;
    let nodes = facts.all::<Node>()?;
    // Only k3s has servers and agents; elsewhere something may listen on every node.
    if !nodes.iter().any(|node| node.is_control_plane() && k3s::has_args(node)) {
        return Ok(());
    }
    let agents: Vec<&Node> = nodes.iter().filter(|node| !node.is_control_plane()).collect();
    let told = is_of_servers(&set.spec.template.spec);
    let (mut cut, pods) = (Vec::new(), cilium.agents_by_node());
    for node in &agents {
        let port = k3s::arg(node, "lb-server-port");
        if port.as_deref() == Some(OF_SERVERS) {
            continue; // k3s's own way to the servers is there
        }
        match pods.get(node.name()).copied() {
            Some(pod) if !is_of_servers(&pod.spec) => {}
            Some(pod) if pod.is_ready() => {} // something answers there
            Some(pod) => cut.push((*node, Some(pod))),
            None if told => cut.push((*node, None)),
            None => {}
        }
    }
    let latent = agents.is_empty() && told;
    if cut.is_empty() && !latent {
        return Ok(());
    }
    let says = match &cut[..] {
        [] => "Cilium will not reach the API server on agents, as soon as one joins".to_string(),
        [(node, _)] => {
            format!("Cilium on agent {} looks for the API server where only servers have it", node.name())
        }
        several => {
            format!("Cilium on {} agents looks for the API server where only servers have it", several.len())
        }
    };
    let mut finding = Finding::new(set, says)
        .because("127.0.0.1:6443 answers on k3s servers only. On agents k3s listens on 127.0.0.1:6444, and so it does on servers.")
        .shows(set, &format!("env {HOST}"))
        .shows(set, &format!("env {PORT}"));
    let mut seen = false;
    for (node, pod) in &cut {
        finding = finding.relates(*node);
        if let Some(pod) = pod {
            seen = true;
            finding = finding
                .shows(*pod, &format!("env {PORT}"))
                .shows(*pod, "status.conditions[type=Ready].status");
        }
    }
    if !seen {
        finding = finding.predicted();
    }
    if latent {
        finding = finding.severity(Severity::Info);
    }
    let reference = set.reference();
    let namespace = reference.namespace.as_deref().unwrap_or("kube-system");
    let target = format!("daemonset/{}", reference.name);
    let status = ["rollout", "status", "-n", namespace, &*target, "--timeout", "10m"];
    let finding = finding.verify_kubectl(&status, "successfully rolled out");
    let why = "sends agents to the address that k3s has on every node; the DaemonSet then replaces its pods";
    let values = json!({"k8sServiceHost": "127.0.0.1", "k8sServicePort": 6444});
    let finding = if !told && !latent {
        let pods = cut.iter().filter_map(|(_, pod)| *pod);
        pods.fold(finding, |finding, pod| finding.step(replace(pod, namespace)))
    } else if let Some(Some(chart)) = v.see(Chart::named(facts, "cilium")) {
        finding.relates(chart.chart).steps(remedy::values(&chart, &cilium, why, values))
    } else {
        let port = format!("{PORT}=6444");
        finding
            .step(Step::kubectl(Changes::Cluster, why, &["set", "env", "-n", namespace, &target, &port]))
            .step(
                Step::write(
                    Changes::Cluster,
                    "the same for its next upgrade",
                    "values of the cilium chart",
                    values,
                )
                .for_good(),
            )
    };
    v.findings.push(finding);
    Ok(())
}

/// The DaemonSet is right, and this pod older than that.
fn replace(pod: &Pod, namespace: &str) -> Step {
    let args = ["delete", "pod", "-n", namespace, &*pod.metadata.name];
    Step::kubectl(Changes::Cluster, "set, not live: the DaemonSet makes it anew with the right port", &args)
}

fn is_of_servers(spec: &PodSpec) -> bool {
    let value = |container: &Container, name: &str| {
        container.var(name).and_then(|var| var.value.as_ref()).map(|value| value.to_string())
    };
    spec.containers.iter().filter(|container| container.name == "cilium-agent").any(|agent| {
        let host = value(agent, HOST).unwrap_or_default();
        ["127.0.0.1", "localhost", "::1"].contains(&&*host)
            && value(agent, PORT).as_deref() == Some(OF_SERVERS)
    })
}
