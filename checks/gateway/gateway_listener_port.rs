//! When a listener of a Traefik Gateway has a port on which no entry point listens, the listener is not accepted and refuses every
//! route, because Traefik takes the port of the entry point (8000), not the one that its Service exposes (80): `PortUnavailable`
//! (traefik `pkg/provider/kubernetes/gateway/kubernetes.go`, `entryPointName`). Cilium listens on any port.

use serde_json::json;

use crate::domain::gateway::{class, current};
use crate::domain::gateway_controller::{Controller, NEEDS as CONTROLLER, Program};
use crate::facts::kubernetes::{Gateway, GatewayClass, Listener};
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::gateway::listener_remedies::{json_patch, traefik_of};
use crate::remedies::{charts, in_manifest};
use crate::{Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD604",
    slug: "gateway-listener-port",
    title: "listeners use ports the controller serves",
    examines: "listeners of Traefik Gateways",
    severity: Severity::Error,
    needs: &[
        &Gateway::NEED,
        &GatewayClass::NEED,
        CONTROLLER[0],
        CONTROLLER[1],
        CONTROLLER[2],
        charts::NEEDS[0],
        charts::NEEDS[1],
    ],
    caused_by: &[],
    explain: include_str!("gateway_listener_port.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    for gateway in facts.all::<Gateway>()? {
        let Some(class) = class(facts, gateway)? else { continue };
        if Program::claiming(&class.spec.controller_name) != Some(Program::Traefik) {
            continue;
        }
        let controller = Controller::of(facts, Program::Traefik)?;
        let ports = controller.as_ref().map(Controller::entry_points).unwrap_or_default();
        let mut refused = Vec::new();
        let mut told = true;
        for (index, listener) in gateway.spec.listeners.iter().enumerate() {
            v.examined += 1;
            match said(gateway, listener) {
                Some(true) => {}
                Some(false) => refused.push((index, listener)),
                None if ports.is_empty() => v.gaps.push(unknown(gateway)),
                None if ports.iter().any(|(_, port)| *port == listener.port) => {}
                None => {
                    told = false;
                    refused.push((index, listener));
                }
            }
        }
        if !refused.is_empty() {
            let finding = tell(facts, gateway, controller.as_ref(), &refused, told, v);
            v.findings.push(finding);
        }
    }
    Ok(())
}

/// Whether Traefik found an entry point, as far as it has said so of this generation.
fn said(gateway: &Gateway, listener: &Listener) -> Option<bool> {
    let status = gateway.status.listeners.iter().find(|status| status.name == listener.name)?;
    let accepted = current(&status.conditions, "Accepted", &gateway.metadata)?;
    Some(accepted.status == "True" || accepted.reason != "PortUnavailable")
}

fn unknown(gateway: &Gateway) -> Gap {
    let detail =
        "Traefik's arguments do not name its entry points, and it has not judged this Gateway's listeners";
    Gap::new(Gateway::NEED.key, Why::NotRead, detail).of(gateway.reference().path())
}

fn tell(
    facts: &Facts,
    gateway: &Gateway,
    controller: Option<&Controller>,
    refused: &[(usize, &Listener)],
    told: bool,
    v: &mut Verdict,
) -> Finding {
    let path = gateway.reference().path();
    let listed: Vec<String> = refused.iter().map(|(_, listener)| listener.port.to_string()).collect();
    let says =
        format!("Gateway {path}: Traefik does not listen on the listeners' port {}", listed.join(", "));
    let mut finding = Finding::new(gateway, says).because(
        "A listener's port is that of Traefik's entry point inside the pod, 8000 for HTTP and 8443 for HTTPS as k3s \
         installs it; the Service makes 80 and 443 of them.",
    );
    for (index, listener) in refused {
        finding = finding.shows(gateway, &format!("spec.listeners[{index}].port"));
        if said(gateway, listener).is_some() {
            let at = format!("status.listeners[name={}].conditions[type=Accepted]", listener.name);
            finding = finding.shows(gateway, &format!("{at}.message"));
        }
    }
    if !told {
        finding = finding.predicted();
    }
    let entry_points = controller.map(Controller::entry_points).unwrap_or_default();
    if let Some(controller) = controller {
        for (name, _) in &entry_points {
            finding = controller.flag_shown(finding, &format!("entryPoints.{name}.address"));
        }
    }
    let (name, namespace) =
        (&*gateway.metadata.name, gateway.metadata.namespace.as_deref().unwrap_or_default());
    finding = finding.verify_kubectl(
        &["get", "gateway", name, "-n", namespace, "-o", "yaml"],
        "under status.listeners the condition Accepted is True",
    );
    let chart = v.see(traefik_of(facts, gateway)).flatten();
    let mut moved: Vec<(&Listener, i64)> = Vec::new();
    for (index, listener) in refused {
        let Some(port) = entry_point_for(listener, &entry_points) else {
            finding = finding.step(Step::decide(format!(
                "give listener {} the port of one of Traefik's entry points, or Traefik an entry point on {}",
                listener.name, listener.port
            )));
            continue;
        };
        if let Some(other) = in_the_way(gateway, listener, port, &moved) {
            finding = finding.step(Step::decide(format!(
                "take listener {} out, and let its routes name listener {}, which has port {port}, the same protocol and \
                 the same host names; or give one of the two another `hostname`",
                listener.name, other.name
            )));
            continue;
        }
        moved.push((listener, port));
        let why = format!("moves listener {} to the entry point on {port}", listener.name);
        if let Some(chart) = &chart {
            let listeners = json!({(&*listener.name): {"port": port}});
            finding = finding.steps(chart.set(&why, None, json!({"gateway": {"listeners": listeners}})));
            continue;
        }
        let operations =
            json!([{"op": "replace", "path": format!("/spec/listeners/{index}/port"), "value": port}]);
        let snippet = json!({"spec": {"listeners": [{"name": listener.name, "port": port}]}});
        finding =
            finding
                .step(json_patch(why, "gateway", namespace, name, &operations).hazard(
                    "a route that names the old port in its parentRefs no longer finds this listener",
                ))
                .step(in_manifest(&gateway.reference().to_string(), snippet));
    }
    finding
}

/// The listener that has, or was just given, that port for the same protocol and host name: the API takes no two of them
/// (`Combination of port, protocol and hostname must be unique`, the rule in the definition of Gateways).
fn in_the_way<'a>(
    gateway: &'a Gateway,
    listener: &Listener,
    port: i64,
    moved: &[(&'a Listener, i64)],
) -> Option<&'a Listener> {
    let there = gateway.spec.listeners.iter().map(|other| (other, other.port));
    let same = |other: &Listener| {
        other.name != listener.name
            && other.protocol == listener.protocol
            && other.hostname == listener.hostname
    };
    there.chain(moved.iter().copied()).find(|(other, at)| *at == port && same(other)).map(|(other, _)| other)
}

/// The port of the entry point that a listener of this protocol was meant for, by the names that the chart gives them.
fn entry_point_for(listener: &Listener, entry_points: &[(String, i64)]) -> Option<i64> {
    let name = match &*listener.protocol {
        "HTTP" => "web",
        "HTTPS" | "TLS" => "websecure",
        _ => return None,
    };
    entry_points.iter().find(|(of, _)| of == name).map(|(_, port)| *port)
}
