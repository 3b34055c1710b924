//! Changing what k3s is told on a node that is already installed.
//!
//! Source: provider-kairos `547c23a` (`oneTimeBootstrap`): `k3s.args` are applied once; k3s merges
//! `/etc/rancher/k3s/config.yaml.d/*.yaml` at every start (`pkg/configfilearg`), and Kairos keeps `/etc/rancher`.

use serde_json::{Value, json};

use crate::{Changes, Step};

/// Writes `config` into a file of its own in k3s's configuration folder and restarts k3s, now and from the cloud-config.
/// `topic` names the file; `server` tells the unit. List flags such as `disable` have to be given as `disable+` to be added.
pub fn write(why: &str, topic: &str, config: Value, server: bool) -> Vec<Step> {
    let file = format!("/etc/rancher/k3s/config.yaml.d/90-{topic}.yaml");
    let unit = if server { "k3s" } else { "k3s-agent" };
    let on = if server { "each server" } else { "each agent" };
    let content = serde_json::to_string(&config).unwrap_or_default();
    let restart = Step::on_node(
        format!("on {on}, one after the other: k3s reads it at its start"),
        &["sudo", "systemctl", "restart", unit],
    );
    let restart =
        if server { restart.hazard("the API of that server is away for some seconds") } else { restart };
    vec![
        Step::write(Changes::Node, format!("on {on}: {why}"), file.clone(), config),
        restart,
        Step::write(
            Changes::Node,
            "the same from the cloud-config: a change to k3s.args reaches no node that is installed",
            "a file in /oem, beginning with #cloud-config",
            json!({"write_files": [{"path": file, "permissions": "0600", "content": content + "\n"}]}),
        )
        .for_good(),
    ]
}
