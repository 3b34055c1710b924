//! When Cilium takes the place of kube-proxy and k3s runs its own beside it, both answer for every Service, because k3s
//! leaves kube-proxy out for the flag `--disable-kube-proxy` alone; `--disable kube-proxy` names no packaged component and
//! is ignored (k3s-io/k3s `pkg/cli/server/server.go`, `pkg/cli/cmds/stage.go`).

use serde_json::json;

use crate::domain::cilium::{self, Cilium};
use crate::domain::k3s;
use crate::facts::kubernetes::Node;
use crate::facts::{Facts, Kind, Known};
use crate::k3s::k3s_disable_values;
use crate::remedies::k3s_config;
use crate::{Cause, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD504",
    slug: "kube-proxy-replaced-once",
    title: "kube-proxy does not run beside Cilium's replacement",
    examines: "k3s servers",
    severity: Severity::Warning,
    needs: &[cilium::NEEDS[0], cilium::NEEDS[1], cilium::NEEDS[2], &Node::NEED],
    caused_by: &[Cause::here(&k3s_disable_values::CHECK)
        .when(|cause, _| cause.discriminator == Some("disable-kube-proxy"))],
    explain: include_str!("kube_proxy_replaced_once.md"),
    judge,
};

const ARGS: &str = "metadata.annotations['k3s.io/node-args']";

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(cilium) = Cilium::find(facts)? else { return Ok(()) };
    // Agents do as the servers say, and have no such flag.
    let servers = facts.all::<Node>()?.iter().filter(|node| node.is_control_plane() && k3s::has_args(node));
    let mut found = false;
    for server in servers {
        v.examined += 1;
        let off = ["true", "1", "t", "T", "TRUE", "True"];
        let disabled = k3s::arg(server, "disable-kube-proxy").is_some_and(|value| off.contains(&&*value));
        if disabled || !cilium.replaces_kube_proxy() {
            continue;
        }
        found = true;
        let name = server.name();
        let says = format!(
            "kube-proxy runs on server {name}, and on all agents, beside Cilium's replacement for it"
        );
        let values = k3s::arg_values(server, "disable");
        let ignored =
            values.iter().flat_map(|value| value.split(',')).any(|value| value.trim() == "kube-proxy");
        let because = match ignored {
            true => {
                "k3s ignores kube-proxy as a value of --disable: only the flag --disable-kube-proxy leaves it out. Its iptables \
                 rules answer for Services besides Cilium, and go stale unnoticed."
            }
            false => {
                "k3s is not told --disable-kube-proxy. Its iptables rules answer for Services besides Cilium, and go stale \
                 unnoticed."
            }
        };
        let finding = Finding::new(server, says)
            .because(because)
            .shows(server, ARGS)
            .shows(cilium.config, "data['kube-proxy-replacement']")
            .steps(k3s_config::write(
                "leaves kube-proxy out, for this server and for the agents",
                "kube-proxy",
                json!({"disable-kube-proxy": true}),
                true,
            ))
            .step(
                Step::on_node(
                    "when all servers have it, each node in turn: only a boot drops the rules that kube-proxy left",
                    &["sudo", "systemctl", "reboot"],
                )
                .hazard("drain the node first, and wait until it is ready again before the next"),
            )
            .verify_kubectl(
                &["get", "node", name, "-o", r"jsonpath={.metadata.annotations.k3s\.io/node-args}"],
                "holds --disable-kube-proxy",
            );
        v.findings.push(cilium.honest(finding));
    }
    if found || v.examined == 0 { Ok(()) } else { cilium.is_live() }
}
