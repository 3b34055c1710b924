//! When no listener of the Gateway that a route names takes it, its host names answer 404, because the controller makes no
//! router for it and says so only in the route's status (`Accepted=False`, `NotAllowedByListeners`). Where that status is stale
//! or missing it is worked out from `allowedRoutes` (traefik `pkg/provider/kubernetes/gateway/httproute.go`, cilium
//! `operator/pkg/gateway-api/routechecks`).

use crate::domain::gateway::{self, Parent, ROUTES, Refusal, Route, current, is_settled, refusal};
use crate::domain::gateway_controller::{Controller, NEEDS as CONTROLLER, Program};
use crate::facts::kubernetes::{Condition, Gateway, GatewayClass, Namespace};
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::gateway::listener_remedies::{admit, json_patch};
use crate::gateway::{gateway_class_accepted, gateway_crds, gateway_listener_port};
use crate::remedies::charts;
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD601",
    slug: "route-allowed-by-listener",
    title: "routes are admitted by the listener they name",
    examines: "route parents",
    severity: Severity::Error,
    needs: &[
        ROUTES[0],
        ROUTES[1],
        &Gateway::NEED,
        &GatewayClass::NEED,
        &Namespace::NEED,
        CONTROLLER[0],
        CONTROLLER[1],
        CONTROLLER[2],
        charts::NEEDS[0],
        charts::NEEDS[1],
    ],
    caused_by: &[
        Cause::here(&gateway_listener_port::CHECK),
        Cause::here(&gateway_class_accepted::CHECK).when(nobody_answered),
        Cause::here(&gateway_crds::CHECK).when(nobody_answered),
    ],
    explain: include_str!("route_allowed_by_listener.md"),
    judge,
};

const SILENT: &str = "no-status";

fn nobody_answered(_: &Finding, effect: &Finding) -> bool {
    effect.discriminator == Some(SILENT)
}

/// What is wrong between a route and one of its parents.
enum Fault<'a> {
    Refused(Refusal, Option<At<'a>>),
    /// Nobody has written a status.
    Silent,
}

/// A condition, and where in the route it stands.
struct At<'a> {
    condition: &'a Condition,
    path: String,
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let gateways = facts.all::<Gateway>()?;
    for route in Route::all(facts, v) {
        let mut findings: Vec<Finding> = Vec::new();
        for parent in route.parents() {
            // one that does not exist is another check's
            let Some(gateway) = gateways.iter().find(|g| parent.names(g)) else { continue };
            v.examined += 1;
            let Some(Some(fault)) = v.see(fault(facts, gateway, &parent)) else { continue };
            let finding = tell(facts, gateway, &parent, fault, v);
            match findings.iter_mut().find(|f| f.discriminator == finding.discriminator) {
                // one repair of the same kind at two Gateways: one finding
                Some(first) => {
                    for object in finding.related {
                        if !first.related.contains(&object) {
                            first.related.push(object);
                        }
                    }
                    for step in finding.steps {
                        if !first.steps.contains(&step) {
                            first.steps.push(step);
                        }
                    }
                }
                None => findings.push(finding),
            }
        }
        v.findings.extend(findings);
    }
    Ok(())
}

fn fault<'a>(facts: &'a Facts, gateway: &Gateway, parent: &Parent<'a>) -> Known<Option<Fault<'a>>> {
    let class = gateway::class(facts, gateway)?;
    let controller = class.map(|class| &*class.spec.controller_name);
    let status = parent.status(controller);
    let meta = parent.route.meta();
    let said = status.and_then(|(i, status)| {
        let condition = current(&status.conditions, "Accepted", meta)?;
        let path = format!("status.parents[{i}].conditions[type=Accepted].reason");
        Some(At { condition, path })
    });
    if let Some(said) = said {
        let refusal = match &*said.condition.reason {
            _ if said.condition.status == "True" => return Ok(None),
            "NotAllowedByListeners" => match refusal(facts, gateway, parent) {
                Ok(Some(Refusal::Kind)) => Refusal::Kind,
                _ => Refusal::Namespace,
            },
            "NoMatchingParent" => Refusal::NoListener,
            "NoMatchingListenerHostname" => Refusal::Hostname,
            _ => return Ok(None),
        };
        return Ok(Some(Fault::Refused(refusal, Some(said))));
    }
    // Stale or missing: what the controller would say, if it is one whose rules are known.
    let known = controller.is_none_or(|name| Program::claiming(name).is_some());
    if known && let Some(refusal) = refusal(facts, gateway, parent)? {
        return Ok(Some(Fault::Refused(refusal, None)));
    }
    if !known && status.is_some() {
        let detail = format!("its controller has not judged {} as it is now", parent.route.reference());
        return Err(Gap::new(ROUTES[0].key, Why::NotRead, detail).of(parent.path()));
    }
    Ok((status.is_none() && is_settled(facts, meta)).then_some(Fault::Silent))
}

fn tell(facts: &Facts, gateway: &Gateway, parent: &Parent, fault: Fault, v: &mut Verdict) -> Finding {
    let route = parent.route;
    let (what, to) = (route.reference(), parent.path());
    let (refusal, said) = match fault {
        Fault::Silent => return silent(facts, gateway, parent, v),
        Fault::Refused(refusal, said) => (refusal, said),
    };
    let namespace = route.namespace();
    let says = match refusal {
        Refusal::Namespace => format!("{what} is not admitted by Gateway {to}"),
        Refusal::Kind => format!("{what} is of a kind that Gateway {to} does not take"),
        Refusal::NoListener => format!("{what} names a listener that Gateway {to} does not have"),
        Refusal::Hostname => format!("{what} has no host name that Gateway {to} serves"),
    };
    let listeners = parent.listeners(gateway);
    let mut finding = Finding::about(what, says).relates(gateway);
    finding = match said {
        Some(At { condition, path }) => {
            let finding = route.shown(finding, &path);
            if condition.message.is_empty() {
                finding
            } else {
                route.shown(finding, &path.replace(".reason", ".message"))
            }
        }
        None => finding.predicted(),
    };
    let verify = ["get", route.resource(), &route.meta().name, "-n", namespace, "-o", "yaml"];
    finding = finding.verify_kubectl(&verify, "under status.parents the condition Accepted is True");
    match refusal {
        Refusal::Namespace => {
            for (i, listener) in &listeners {
                let path = format!("spec.listeners[{i}].allowedRoutes.namespaces");
                finding = match listener.allowed_routes {
                    Some(_) => finding.shows(gateway, &path),
                    None => finding.shows(gateway, &format!("spec.listeners[{i}].allowedRoutes")),
                };
            }
            let admitted = matches!(gateway::refusal(facts, gateway, parent), Ok(None));
            if admitted {
                return admitted_and_yet_refused(finding, gateway);
            }
            finding
                .because(format!(
                    "Its listeners take no routes from namespace {namespace}; the route's host names answer 404."
                ))
                .steps(admit(facts, gateway, parent, v))
        }
        Refusal::Kind => finding.discriminator("kind").shows(gateway, "spec.listeners").step(Step::decide(format!(
            "add {} to allowedRoutes.kinds of a listener of Gateway {to}, or let the route name another listener",
            route.kind()
        ))),
        Refusal::NoListener => no_listener(finding, gateway, parent),
        Refusal::Hostname => {
            let served: Vec<&str> = listeners.iter().map(|(_, listener)| &*listener.hostname).collect();
            route.shown(finding, "spec.hostnames").discriminator("hostname").step(Step::decide(format!(
                "change spec.hostnames of the route to names under {}, or the hostname of a listener of Gateway {to}",
                served.join(", ")
            )))
        }
    }
}

/// The listeners would take it: then they are not valid themselves, or the controller has not looked again.
fn admitted_and_yet_refused(finding: Finding, gateway: &Gateway) -> Finding {
    let namespace = gateway.metadata.namespace.as_deref().unwrap_or_default();
    finding
        .because(
            "allowedRoutes would take it: a listener that is itself not accepted refuses every route, and Traefik then \
             says the same.",
        )
        .shows(gateway, "status.conditions[type=Accepted].reason")
        .step(Step::kubectl(
            Changes::Nothing,
            "shows under status.listeners why the listener is not accepted",
            &["get", "gateway", &gateway.metadata.name, "-n", namespace, "-o", "yaml"],
        ))
}

fn no_listener(finding: Finding, gateway: &Gateway, parent: &Parent) -> Finding {
    let route = parent.route;
    let at = format!("spec.parentRefs[{}]", parent.index);
    let finding = route.shown(finding, &at).discriminator("no-listener").shows(gateway, "spec.listeners");
    let names: Vec<&str> = gateway.spec.listeners.iter().map(|listener| &*listener.name).collect();
    let wanted = parent.reference.section_name.as_deref().unwrap_or_default();
    let like = match names[..] {
        [only] if !wanted.is_empty() && parent.reference.port.is_none() => Some(only),
        _ if parent.reference.port.is_some() => None,
        _ => gateway::most_like(wanted, names.iter().copied()),
    };
    let meta = route.meta();
    let field = format!("/spec/parentRefs/{}/sectionName", parent.index);
    match like {
        Some(like) => finding.step(json_patch(
            format!("names the listener {like}, which the Gateway has"),
            route.resource(),
            route.namespace(),
            &meta.name,
            &serde_json::json!([{"op": "replace", "path": field, "value": like}]),
        )),
        None => finding.step(Step::decide(format!(
            "let {at} of the route name one of the listeners {} (sectionName), or none for all of them; its port must be \
             the listener's",
            names.join(", ")
        ))),
    }
}

fn silent(facts: &Facts, gateway: &Gateway, parent: &Parent, v: &mut Verdict) -> Finding {
    let route = parent.route;
    let what = route.reference();
    let finding = Finding::about(
        what.clone(),
        format!("nobody has admitted {what} to Gateway {}", parent.path()),
    )
    .discriminator(SILENT)
    .because(
        "A controller that runs answers within seconds: none watches this Gateway or this kind of route.",
    )
    .relates(gateway);
    let mut finding = route.shown(finding, "status.parents").shows(gateway, "spec.gatewayClassName");
    let namespace = route.namespace();
    let verify = ["get", route.resource(), &route.meta().name, "-n", namespace, "-o", "yaml"];
    finding = finding.verify_kubectl(&verify, "status.parents has an entry of the Gateway's controller");
    let class = v.see(gateway::class(facts, gateway)).flatten();
    let program = class.and_then(|class| {
        finding = finding.clone().relates(class);
        Program::claiming(&class.spec.controller_name)
    });
    if let (Some(class), None) = (class, program) {
        return finding.step(Step::decide(format!(
            "see that the controller {} runs and serves {}s: the doctor does not know it",
            class.spec.controller_name,
            route.kind()
        )));
    }
    let controller = program.and_then(|program| v.see(Controller::of(facts, program)).flatten());
    match controller {
        Some(controller) => {
            let (target, of) = (controller.target(), controller.namespace());
            controller.shown(finding, controller.readiness_path()).step(Step::kubectl(
                Changes::Nothing,
                "shows why it does not answer; a kind whose definition came after its start it does not watch",
                &["logs", &target, "-n", of, "--tail", "100"],
            ))
        }
        None => finding.step(Step::decide(format!(
            "install the controller of GatewayClass {}, or name another class in Gateway {}",
            gateway.spec.gateway_class_name,
            parent.path()
        ))),
    }
}
