//! Annotations of a load balancer on an object that no cloud controller reads: a Gateway's metadata, an Ingress.
//!
//! Sources: Gateway API (`spec.infrastructure.annotations` is what reaches the Service; Cilium 1.15 and later); Cilium copies
//! annotations of an Ingress in dedicated mode and by listed prefixes only (`operator/pkg/ingress`).

use serde_json::{Map, Value, json};

use super::load_balancer_annotations::of_prefix;
use crate::domain::hccm::Ccm;
use crate::domain::lb_annotations::PREFIX;
use crate::domain::owner::gateway_name;
use crate::facts::kubernetes::{Gateway, IngressObject, Meta, Service};
use crate::facts::{Facts, Kind, Known};
use crate::remedies::in_manifest;
use crate::remedies::service_annotation::{Change, apply};
use crate::{Changes, Finding, Severity, Step, Verdict};

/// What stands on the wrong object and on none of these Services.
fn stray<'a>(meta: &'a Meta, behind: &[&Service]) -> Vec<(&'a str, &'a str)> {
    let all = of_prefix(meta.annotations.0.iter().map(|(key, value)| (&**key, &**value)));
    let copied = |suffix: &str, value: &str| behind.iter().any(|s| s.annotation(suffix) == Some(value));
    all.into_iter().filter(|(suffix, value)| !copied(suffix, value)).collect()
}

pub(super) fn on_gateways(facts: &Facts, ccm: &Ccm, gateways: &[Gateway], v: &mut Verdict) -> Known<()> {
    for gateway in gateways {
        let meta = &gateway.metadata;
        let of = |s: &&Service| {
            s.metadata.namespace == meta.namespace && gateway_name(&s.metadata) == Some(&*meta.name)
        };
        let own: Vec<&Service> = ccm.services(facts)?.filter(of).collect();
        let stray = stray(meta, &own);
        if stray.is_empty() {
            continue;
        }
        let path = gateway.reference().path();
        let says =
            format!("Gateway {path}: load balancer annotations in its metadata reach no load balancer");
        let because = "The controller reads annotations of the Service, and a Gateway hands on those of \
                       spec.infrastructure.annotations only.";
        let mut finding = shown(Finding::new(gateway, says), gateway, &stray).because(because);
        for service in &own {
            finding = finding.relates(*service);
        }
        let class = &*gateway.spec.gateway_class_name;
        // Traefik has one Service for all Gateways, which its chart makes
        if own.is_empty() && class.contains("traefik") {
            let finding = on_the_only_service(finding, facts, ccm, &stray, v)?;
            v.findings.push(finding);
            continue;
        }
        if own.is_empty() && class != "cilium" {
            let what = format!(
                "move them: to spec.infrastructure.annotations where the controller of class {class} makes a Service for each \
                 Gateway, to the Service itself where all Gateways share one"
            );
            let get = ["get", "services", "-A", "-o", "yaml"];
            let finding = finding.step(Step::decide(what));
            v.findings.push(finding.verify_kubectl(&get, "the Gateway's Service has the annotations"));
            continue;
        }
        let annotations: Map<String, Value> =
            stray.iter().map(|(suffix, value)| (format!("{PREFIX}{suffix}"), json!(value))).collect();
        let patch = json!({"spec": {"infrastructure": {"annotations": annotations}}});
        let (name, namespace) = (&*meta.name, meta.namespace.as_deref().unwrap_or_default());
        let merge = patch.to_string();
        let args = ["patch", "gateway", name, "-n", namespace, "--type", "merge", "-p", &merge];
        let why = "puts them where the Gateway's controller hands them on to its Service";
        let step = Step::kubectl(Changes::Cloud, why, &args).hazard(
            "they did nothing so far, and take effect at once; the location only for a new load balancer",
        );
        let get = ["get", "services", "-n", namespace, "-o", "yaml"];
        let finding = finding
            .step(step)
            .step(in_manifest(&gateway.reference().to_string(), patch))
            .verify_kubectl(&get, "the Gateway's Service has the annotations");
        v.findings.push(finding);
    }
    Ok(())
}

pub(super) fn on_ingresses(
    facts: &Facts,
    ccm: &Ccm,
    ingresses: &[IngressObject],
    v: &mut Verdict,
) -> Known<()> {
    for ingress in ingresses {
        let meta = &ingress.metadata;
        let dedicated = format!("cilium-ingress-{}", meta.name);
        let all: Vec<&Service> = ccm.services(facts)?.collect();
        let own: Vec<&Service> = all
            .iter()
            .copied()
            .filter(|s| s.metadata.name == *dedicated.as_str() && s.metadata.namespace == meta.namespace)
            .collect();
        let stray = stray(meta, if own.is_empty() { &all } else { &own });
        if stray.is_empty() {
            continue;
        }
        let path = ingress.reference().path();
        let says = format!("Ingress {path}: its load balancer annotations reach no load balancer");
        let because = "The controller reads annotations of Services of type LoadBalancer, and no Ingress.";
        let finding = shown(Finding::new(ingress, says), ingress, &stray).because(because);
        let finding = match own.first() {
            Some(service) => on_service(finding, facts, service, &stray, v),
            None => on_the_only_service(finding, facts, ccm, &stray, v)?,
        };
        v.findings.push(finding);
    }
    Ok(())
}

fn shown(finding: Finding, object: &impl Kind, stray: &[(&str, &str)]) -> Finding {
    let finding = finding.severity(Severity::Warning);
    stray.iter().fold(finding, |finding, (suffix, _)| {
        finding.shows(object, &format!("metadata.annotations['{PREFIX}{suffix}']"))
    })
}

/// Where only one Service has a load balancer, it is that one.
fn on_the_only_service(
    finding: Finding,
    facts: &Facts,
    ccm: &Ccm,
    stray: &[(&str, &str)],
    v: &mut Verdict,
) -> Known<Finding> {
    let all: Vec<&Service> = ccm.services(facts)?.collect();
    if let [only] = all[..] {
        return Ok(on_service(finding, facts, only, stray, v));
    }
    let names: Vec<String> = all.iter().map(|service| service.reference().path()).collect();
    let names = if names.is_empty() { "there is none yet".to_string() } else { names.join(", ") };
    let what = format!(
        "put them on the Service of type LoadBalancer in front of it ({names}), in its chart or manifest"
    );
    let get = ["get", "services", "-A", "-o", "yaml"];
    Ok(finding.step(Step::decide(what)).verify_kubectl(&get, "that Service has the annotations"))
}

fn on_service(
    finding: Finding,
    facts: &Facts,
    service: &Service,
    stray: &[(&str, &str)],
    v: &mut Verdict,
) -> Finding {
    let path = service.reference().path();
    let set = stray.iter().map(|(suffix, value)| (format!("{PREFIX}{suffix}"), value.to_string())).collect();
    let change = Change {
        why: format!("puts them on Service {path}, whose load balancer it is"),
        set,
        remove: Vec::new(),
        hazard: Some(
            "they did nothing so far, and take effect at once; the location only for a new load balancer"
                .into(),
        ),
    };
    let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
    let get = ["get", "service", &*service.metadata.name, "-n", namespace, "-o", "yaml"];
    let finding = finding.relates(service).verify_kubectl(&get, "it has the annotations");
    apply(finding, facts, service, &change, v)
}
