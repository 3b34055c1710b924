//! When a Gateway has no address, nobody can reach its listeners, because the Service that its controller makes (Cilium) or
//! publishes (Traefik's `statusAddress`) has none: Cilium then says `Programmed=False`, `AddressNotAssigned`, Traefik says
//! `Programmed=True` all the same (traefik `pkg/provider/kubernetes/gateway/kubernetes.go`, `makeGatewayStatus`). The symptom
//! itself: it folds under the Service's.

use crate::domain::gateway::{class, current, is_settled};
use crate::domain::gateway_controller::{Controller, NEEDS as CONTROLLER, Program};
use crate::domain::owner::gateway_name;
use crate::facts::kubernetes::{Gateway, GatewayClass, Service};
use crate::facts::{Facts, Kind, Known};
use crate::gateway::gateway_class_accepted;
use crate::load_balancers::load_balancer_address;
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD606",
    slug: "gateway-address",
    title: "Gateways have an address",
    examines: "Gateways",
    severity: Severity::Error,
    needs: &[
        &Gateway::NEED,
        &GatewayClass::NEED,
        &Service::NEED,
        CONTROLLER[0],
        CONTROLLER[1],
        CONTROLLER[2],
    ],
    caused_by: &[Cause::here(&load_balancer_address::CHECK), Cause::here(&gateway_class_accepted::CHECK)],
    explain: include_str!("gateway_address.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    for gateway in facts.all::<Gateway>()? {
        let Some(class) = class(facts, gateway)? else { continue };
        let program = Program::claiming(&class.spec.controller_name);
        let controller = match program {
            Some(program) => Controller::of(facts, program)?,
            None => None,
        };
        // Traefik without a statusAddress writes none, and needs none.
        let traefik = program == Some(Program::Traefik);
        if traefik && !controller.as_ref().is_some_and(Controller::publishes_address) {
            continue;
        }
        v.examined += 1;
        let accepted = current(&gateway.status.conditions, "Accepted", &gateway.metadata);
        let refused = accepted.is_some_and(|condition| condition.status == "False");
        if refused || !is_settled(facts, &gateway.metadata) || !lacks_address(gateway) {
            continue;
        }
        // An address is optional: a controller that the doctor does not know may need none, and says whether it serves.
        let programmed = current(&gateway.status.conditions, "Programmed", &gateway.metadata);
        if program.is_none() && programmed.is_some_and(|condition| condition.status == "True") {
            continue;
        }
        let service = match program {
            Some(_) => service(facts, gateway, controller.as_ref())?,
            None => None,
        };
        // A Service that is no load balancer: it is reached another way (the nodes' own network).
        if service.is_some_and(|service| !service.wants_load_balancer()) {
            continue;
        }
        v.findings.push(tell(gateway, program, controller.as_ref(), service));
    }
    Ok(())
}

fn lacks_address(gateway: &Gateway) -> bool {
    let programmed = current(&gateway.status.conditions, "Programmed", &gateway.metadata);
    programmed.is_some_and(|c| c.status == "False" && c.reason == "AddressNotAssigned")
        || gateway.status.addresses.iter().all(|address| address.value.is_empty())
}

/// The Service whose address the Gateway gets.
fn service<'a>(
    facts: &'a Facts,
    gateway: &Gateway,
    controller: Option<&Controller>,
) -> Known<Option<&'a Service>> {
    let name = &*gateway.metadata.name;
    let published = controller.and_then(Controller::published_service);
    let is = |service: &&Service| {
        let meta = &service.metadata;
        match published {
            Some((namespace, name)) => meta.name == *name && meta.namespace.as_deref() == Some(namespace),
            None => meta.namespace == gateway.metadata.namespace && gateway_name(meta) == Some(name),
        }
    };
    Ok(facts.all::<Service>()?.iter().find(is))
}

fn tell(
    gateway: &Gateway,
    program: Option<Program>,
    controller: Option<&Controller>,
    service: Option<&Service>,
) -> Finding {
    let (name, path) = (&*gateway.metadata.name, gateway.reference().path());
    let namespace = gateway.metadata.namespace.as_deref().unwrap_or_default();
    let mut finding = Finding::new(gateway, format!("Gateway {path} has no address"))
        .shows(gateway, "status.addresses")
        .shows(gateway, "status.conditions[type=Programmed].status")
        .verify_kubectl(&["get", "gateway", name, "-n", namespace], "ADDRESS shows one");
    if current(&gateway.status.conditions, "Programmed", &gateway.metadata)
        .is_some_and(|c| c.status == "False")
    {
        finding = finding.shows(gateway, "status.conditions[type=Programmed].message");
    }
    if let Some(controller) = controller {
        finding = finding.relates_to(controller.reference());
    }
    if let Some(service) = service {
        let at = service.reference().path();
        let of = service.metadata.namespace.as_deref().unwrap_or_default();
        let because = match service.has_ingress() {
            true => format!("Service {at} has one, which the controller has not copied to the Gateway."),
            false => format!("It gets the address of Service {at}, which has none."),
        };
        finding = finding.because(because).shows(service, "status.loadBalancer.ingress");
        if !service.has_ingress() {
            return finding.step(Step::kubectl(
                Changes::Nothing,
                "shows why the Service has none",
                &["describe", "service", &service.metadata.name, "-n", of],
            ));
        }
    } else if program == Some(Program::Cilium) {
        finding = finding.because("Cilium has made no Service for it.");
    } else if let Some((of, service)) = controller.and_then(Controller::published_service) {
        finding = finding.because(format!(
            "Traefik is told to publish Service {of}/{service}, which does not exist; it then serves no Gateway at all."
        ));
    }
    match controller {
        Some(controller) => {
            let args = ["logs", &controller.target(), "-n", controller.namespace(), "--tail", "100"];
            finding.step(Step::kubectl(Changes::Nothing, "shows what its controller says", &args))
        }
        None => finding.step(Step::kubectl(
            Changes::Nothing,
            "shows what its controller says",
            &["describe", "gateway", name, "-n", namespace],
        )),
    }
}
