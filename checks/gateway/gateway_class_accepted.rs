//! When no running controller claims a Gateway's class, the Gateway stays `Unknown`, `Waiting for controller`, and none of its
//! routes is served, because nobody watches it: the class does not exist, its controller does not run or is not told to serve
//! Gateway API, or it refuses the class (kubernetes-sigs/gateway-api `apis/v1/gatewayclass_types.go`; the charts of Traefik and
//! Cilium make the class only where the provider is on and the definitions were there).

use serde_json::json;

use crate::domain::gateway::{class, current, is_settled, most_like};
use crate::domain::gateway_controller::{Controller, NEEDS as CONTROLLER, Program};
use crate::facts::kubernetes::{CiliumConfig, Gateway, GatewayClass, condition};
use crate::facts::{Facts, Kind, Known};
use crate::gateway::gateway_crds;
use crate::k3s::helm_charts_installed;
use crate::nodes::node_initialized;
use crate::remedies::{charts, in_manifest};
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD605",
    slug: "gateway-class-accepted",
    title: "Gateways are claimed by a running controller",
    examines: "Gateways",
    severity: Severity::Error,
    needs: &[
        &Gateway::NEED,
        &GatewayClass::NEED,
        &CiliumConfig::NEED,
        CONTROLLER[0],
        CONTROLLER[1],
        CONTROLLER[2],
        charts::NEEDS[0],
        charts::NEEDS[1],
    ],
    caused_by: &[
        Cause::here(&gateway_crds::CHECK),
        Cause::everywhere(&helm_charts_installed::CHECK).when(of_its_chart),
        Cause::everywhere(&node_initialized::CHECK).when(node_initialized::keeps_pods_waiting),
    ],
    explain: include_str!("gateway_class_accepted.md"),
    judge,
};

/// The chart that would bring the class or its controller did not come in.
fn of_its_chart(cause: &Finding, effect: &Finding) -> bool {
    let name = &*cause.subject.name;
    let about = |path: &str| matches!(path, "spec.controllerName" | "spec.gatewayClassName");
    cause.subject.kind == "HelmChart"
        && ["cilium", "traefik"].contains(&name)
        && matches!(effect.discriminator, Some("absent" | "no-class"))
        && effect.evidence.iter().any(|evidence| {
            about(&evidence.path) && evidence.value.as_ref().is_some_and(|value| value.contains(name))
        })
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let gateways: Vec<&Gateway> =
        facts.all::<Gateway>()?.iter().filter(|g| g.metadata.deletion_timestamp.is_none()).collect();
    let mut judged: Vec<&str> = Vec::new();
    for gateway in &gateways {
        v.examined += 1;
        let Some(class) = class(facts, gateway)? else {
            let finding = no_class(facts, gateway, v);
            v.findings.push(finding);
            continue;
        };
        let name = &*class.metadata.name;
        let of_class = || gateways.iter().filter(|g| g.spec.gateway_class_name == *name).copied();
        let finding = match of_its_class(facts, class)? {
            // one repair for all Gateways of the class: one finding
            Some(_) if judged.contains(&name) => continue,
            Some(fault) => {
                judged.push(name);
                let finding = tell(facts, class, fault, v);
                of_class().fold(finding, |finding, gateway| finding.relates(gateway))
            }
            None => match unclaimed(facts, gateway, class, v) {
                Some(finding) => finding,
                None => continue,
            },
        };
        v.findings.push(finding);
    }
    Ok(())
}

/// Why a class serves no Gateway.
enum Fault<'a> {
    /// Its controller is not in the cluster.
    Absent(Program),
    Down(Controller<'a>),
    /// The controller runs, and is not told to serve Gateway API.
    Off(Controller<'a>),
    /// Cilium serves Gateway API only in place of kube-proxy, or, in older releases, where it is told to serve nodePorts.
    BesideKubeProxy(Controller<'a>),
    /// Refused or not answered.
    NotAccepted,
}

fn of_its_class<'a>(facts: &'a Facts, class: &GatewayClass) -> Known<Option<Fault<'a>>> {
    if let Some(program) = Program::claiming(&class.spec.controller_name) {
        let Some(controller) = Controller::of(facts, program)? else {
            return Ok(Some(Fault::Absent(program)));
        };
        let config = match program {
            Program::Cilium => facts.all::<CiliumConfig>()?.first(),
            Program::Traefik => None,
        };
        let off = match program {
            Program::Cilium => config.is_some_and(|config| !config.is_true("enable-gateway-api")),
            Program::Traefik => controller.serves_gateways() == Some(false),
        };
        if off {
            return Ok(Some(Fault::Off(controller)));
        }
        if controller.is_down(facts) {
            return Ok(Some(Fault::Down(controller)));
        }
        let beside = |config: &&CiliumConfig| {
            config.get("kube-proxy-replacement") == Some("false") && !config.is_true("enable-node-port")
        };
        if config.as_ref().is_some_and(beside) {
            return Ok(Some(Fault::BesideKubeProxy(controller)));
        }
    }
    let accepted = current(&class.status.conditions, "Accepted", &class.metadata);
    let fault = match accepted.map(|condition| &*condition.status) {
        Some("True") => false,
        Some("False") => true,
        _ => is_settled(facts, &class.metadata),
    };
    Ok(fault.then_some(Fault::NotAccepted))
}

fn tell(facts: &Facts, class: &GatewayClass, fault: Fault, v: &mut Verdict) -> Finding {
    let name = &*class.metadata.name;
    let finding = |says: String| {
        Finding::new(class, says)
            .shows(class, "spec.controllerName")
            .verify_kubectl(&["get", "gatewayclass", name], "ACCEPTED shows True")
    };
    match fault {
        Fault::Absent(program) => {
            let who = program.name();
            finding(format!("GatewayClass {name} is {who}'s, and {who} is not in the cluster"))
                .discriminator("absent")
                .shows(class, "status.conditions[type=Accepted].status")
                .because("What the status says is from a controller that has gone.")
                .step(Step::decide(format!(
                    "install {who} again, or let the Gateways name the class of the controller that runs"
                )))
        }
        Fault::Down(controller) => {
            let (target, namespace) = (controller.target(), controller.namespace());
            let who = controller.program.name();
            let finding =
                finding(format!("no pod of {who} is ready, so GatewayClass {name} serves nothing new"))
                    .discriminator("down")
                    .because(match controller.program {
                        Program::Traefik => "Traefik is also what the requests go through: they fail.",
                        Program::Cilium => {
                            "What is set up already goes on; no change to a Gateway or route takes effect."
                        }
                    });
            let finding = controller.shown(finding, controller.readiness_path());
            let finding = match controller.unscheduled() {
                Some(pod) => finding.shows(pod, "status.conditions[type=PodScheduled].message"),
                None => finding,
            };
            finding
                .step(Step::kubectl(
                    Changes::Nothing,
                    "shows where its pods are and what they wait for",
                    &["get", "pods", "-n", namespace, "-o", "wide"],
                ))
                .step(Step::kubectl(
                    Changes::Nothing,
                    "shows what it said last",
                    &["logs", &target, "-n", namespace, "--tail", "100"],
                ))
        }
        Fault::Off(controller) => {
            let who = controller.program.name();
            let off = finding(format!(
                "{who} is not told to serve Gateway API, though GatewayClass {name} is its own"
            ))
            .discriminator("off");
            let off = shown_off(facts, &controller, off);
            enable(facts, &controller, off, v)
        }
        Fault::BesideKubeProxy(controller) => {
            let off = finding("Cilium leaves Gateway API off, because it does not replace kube-proxy".into())
                .discriminator("kube-proxy");
            shown_off(facts, &controller, off).step(Step::decide(
                "set kubeProxyReplacement: true in the values of cilium and disable-kube-proxy on every server, in one \
                 go: without either of the two no Service works",
            ))
        }
        Fault::NotAccepted => finding(format!("GatewayClass {name} is not accepted by its controller"))
            .discriminator("not-accepted")
            .shows(class, "status.conditions[type=Accepted].reason")
            .shows(class, "status.conditions[type=Accepted].message")
            .step(Step::kubectl(
                Changes::Nothing,
                "shows what its controller says; nothing at all means that no controller has that name",
                &["describe", "gatewayclass", name],
            )),
    }
}

fn shown_off(facts: &Facts, controller: &Controller, finding: Finding) -> Finding {
    let config = facts.all::<CiliumConfig>().unwrap_or_default().first();
    match (controller.program, config) {
        (Program::Cilium, Some(config)) => finding
            .shows(config, "data.enable-gateway-api")
            .shows(config, "data.kube-proxy-replacement")
            .relates_to(controller.reference()),
        _ => controller.flag_shown(finding, "providers.kubernetesgateway"),
    }
}

/// Tells the controller to serve Gateway API, in the values of its chart.
fn enable(facts: &Facts, controller: &Controller, finding: Finding, v: &mut Verdict) -> Finding {
    let (values, key) = match controller.program {
        Program::Traefik => (
            json!({"providers": {"kubernetesGateway": {"enabled": true}}}),
            "providers.kubernetesGateway.enabled",
        ),
        Program::Cilium => (json!({"gatewayAPI": {"enabled": true}}), "gatewayAPI.enabled"),
    };
    let Some(chart) = v.see(controller.chart(facts)).flatten() else {
        return finding.step(Step::decide(format!("set {key}=true in the values of the Helm release")));
    };
    let running = controller.release().map(|(a, b, c)| format!("{a}.{b}.{c}"));
    let why = format!("lets {} serve Gateway API and make its class", controller.program.name());
    // Only Cilium's charts have the version of their program.
    let running = running.filter(|_| controller.program == Program::Cilium);
    let finding = finding.relates(chart.chart).steps(chart.set(&why, running.as_deref(), values));
    match controller.program {
        Program::Cilium => restart(finding, controller),
        Program::Traefik => finding,
    }
}

/// Cilium's operator looks for the definitions only at its start.
fn restart(finding: Finding, controller: &Controller) -> Finding {
    let target = controller.target();
    let args = ["rollout", "restart", &target, "-n", controller.namespace()];
    finding.step(Step::kubectl(
        Changes::Cluster,
        "Cilium's operator looks for Gateway API only at its start",
        &args,
    ))
}

fn no_class(facts: &Facts, gateway: &Gateway, v: &mut Verdict) -> Finding {
    let wanted = &*gateway.spec.gateway_class_name;
    let (name, path) = (&*gateway.metadata.name, gateway.reference().path());
    let namespace = gateway.metadata.namespace.as_deref().unwrap_or_default();
    let says = format!("Gateway {path} names GatewayClass {wanted}, which does not exist");
    let finding = Finding::new(gateway, says)
        .discriminator("no-class")
        .shows(gateway, "spec.gatewayClassName")
        .verify_kubectl(&["get", "gateway", name, "-n", namespace], "PROGRAMMED shows True");
    let controller =
        Program::making(wanted).and_then(|program| v.see(Controller::of(facts, program)).flatten());
    if let Some(controller) = controller {
        let finding = finding.relates_to(controller.reference());
        return made_by_chart(facts, &controller, finding, v);
    }
    let classes = facts.all::<GatewayClass>().unwrap_or_default();
    let names: Vec<&str> = classes.iter().map(|class| &*class.metadata.name).collect();
    match most_like(wanted, names.iter().copied()) {
        Some(like) => {
            let snippet = json!({"spec": {"gatewayClassName": like}});
            let patch = snippet.to_string();
            let args = ["patch", "gateway", name, "-n", namespace, "--type", "merge", "-p", &patch];
            finding
                .step(Step::kubectl(Changes::Cloud, format!("names the class {like}, which is there"), &args))
                .step(in_manifest(&gateway.reference().to_string(), snippet))
        }
        None => finding.step(Step::decide(match &names[..] {
            [] => "install a controller that makes a GatewayClass (Traefik or Cilium), and name its class"
                .into(),
            _ => format!("let the Gateway name one of the classes that are there: {}", names.join(", ")),
        })),
    }
}

/// The program is there, and its chart has not made its class.
fn made_by_chart(facts: &Facts, controller: &Controller, finding: Finding, v: &mut Verdict) -> Finding {
    let config = match controller.program {
        Program::Cilium => v.see(facts.all::<CiliumConfig>()).and_then(<[_]>::first),
        Program::Traefik => None,
    };
    match controller.program {
        Program::Cilium if config.is_some_and(|config| config.is_true("enable-gateway-api")) => {
            let finding = finding.because(
                "Cilium's chart makes the class only if Gateway API was defined when the chart was installed.",
            );
            let value = json!({"gatewayAPI": {"gatewayClass": {"create": "true"}}});
            let finding = match v.see(controller.chart(facts)).flatten() {
                Some(chart) => {
                    let running = controller.release().map(|(a, b, c)| format!("{a}.{b}.{c}"));
                    let why = "runs the chart once more, and makes it render the class";
                    finding.relates(chart.chart).steps(chart.set(why, running.as_deref(), value))
                }
                None => finding.step(Step::decide(
                    "run helm upgrade for cilium once more, with gatewayAPI.gatewayClass.create=true",
                )),
            };
            restart(finding, controller)
        }
        _ => {
            let finding = finding.because(format!(
                "{} makes it where it is told to serve Gateway API.",
                controller.program.name()
            ));
            let finding = shown_off(facts, controller, finding);
            enable(facts, controller, finding, v)
        }
    }
}

/// The class is accepted, its controller runs, and yet nobody has taken the Gateway.
fn unclaimed(facts: &Facts, gateway: &Gateway, class: &GatewayClass, v: &mut Verdict) -> Option<Finding> {
    let accepted = condition(&gateway.status.conditions, "Accepted");
    let waits = accepted.is_none_or(|condition| condition.status == "Unknown");
    if !waits || !is_settled(facts, &gateway.metadata) {
        return None;
    }
    let (name, path) = (&*gateway.metadata.name, gateway.reference().path());
    let namespace = gateway.metadata.namespace.as_deref().unwrap_or_default();
    let finding = Finding::new(gateway, format!("no controller has taken Gateway {path}"))
        .discriminator("unclaimed")
        .because("A controller that runs answers within seconds; one that started without Gateway API looks never again.")
        .shows(gateway, "status.conditions[type=Accepted].status")
        .shows(gateway, "status.conditions[type=Accepted].message")
        .shows(class, "spec.controllerName")
        .verify_kubectl(&["get", "gateway", name, "-n", namespace], "PROGRAMMED shows True");
    let program = Program::claiming(&class.spec.controller_name);
    let controller = program.and_then(|program| v.see(Controller::of(facts, program)).flatten());
    Some(match controller {
        Some(controller) => {
            let (target, of) = (controller.target(), controller.namespace());
            let args = ["rollout", "restart", &target, "-n", of];
            let finding = finding
                .relates_to(controller.reference())
                .step(Step::kubectl(
                    Changes::Nothing,
                    "shows whether it watches Gateways",
                    &["logs", &target, "-n", of, "--tail", "100"],
                ))
                .step(Step::kubectl(Changes::Cluster, "lets it look for Gateway API once more", &args));
            match controller.program {
                Program::Traefik => finding.step(Step::decide(
                    "where Traefik watches some namespaces or labels only, let it watch this Gateway's too",
                )),
                Program::Cilium => finding,
            }
        }
        None => finding.step(Step::decide(format!(
            "see that the controller {} runs: the doctor does not know it",
            class.spec.controller_name
        ))),
    })
}
