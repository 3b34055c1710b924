//! When a listener's certificate cannot be used, the Gateway serves no HTTPS for it, because its Secret is missing, belongs
//! to another namespace that does not grant it, or waits for cert-manager (Gateway API, `ListenerConditionResolvedRefs` with
//! `InvalidCertificateRef` and `RefNotPermitted`; cert-manager `2d0d7f7f7`, `pkg/controller/certificate-shim`, makes
//! Certificates only for listeners with a host name, `tls.mode: Terminate` and a Secret of the Gateway's own namespace).

use serde_json::json;

use crate::certificates::cert_manager_certificates;
use crate::facts::kubernetes::{
    Certificate, Condition, GATEWAY_GROUP, Gateway, GrantFrom, GrantTo, Listener, ObjectReference,
    ReferenceGrant, condition,
};
use crate::facts::{Facts, Kind, Known};
use crate::remedies::in_manifest;
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD412",
    slug: "gateway-certificate-refs",
    title: "Gateways have a listener that can serve HTTPS with its certificate",
    examines: "listeners with a certificate",
    severity: Severity::Error,
    needs: &[&Gateway::NEED, &ReferenceGrant::NEED, &Certificate::NEED],
    caused_by: &[Cause::here(&cert_manager_certificates::CHECK).when(about_the_same_certificate)],
    explain: include_str!("gateway_certificate_refs.md"),
    judge,
};

/// Of a Gateway's certificates only the one that is not ready explains.
fn about_the_same_certificate(cause: &Finding, effect: &Finding) -> bool {
    let mut certificates = effect.places().filter(|place| place.kind == "Certificate");
    certificates.any(|certificate| cause.places().any(|place| place == certificate))
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    for gateway in facts.all::<Gateway>()? {
        for listener in &gateway.spec.listeners {
            let refs = listener
                .tls
                .as_ref()
                .filter(|tls| tls.mode != "Passthrough")
                .map(|tls| &tls.certificate_refs);
            let Some(refs) = refs.filter(|refs| !refs.is_empty()) else { continue };
            v.examined += 1;
            let status = resolved(gateway, listener);
            if status.is_some_and(|status| status.status == "True") {
                continue; // the controller has read the Secrets
            }
            for reference in refs.iter().filter(|r| is_secret(r)) {
                if let Some(finding) = look(facts, gateway, listener, reference, status, v)? {
                    v.findings.push(finding);
                    break; // one repair at a time
                }
            }
        }
        if let Some(finding) = asks_in_vain(gateway) {
            v.examined += 1;
            v.findings.push(finding);
        }
    }
    Ok(())
}

/// What the controller says about the listener as it is now; a status of an older generation says nothing.
fn resolved<'a>(gateway: &'a Gateway, listener: &Listener) -> Option<&'a Condition> {
    let status = gateway.status.listeners.iter().find(|status| status.name == listener.name)?;
    let resolved = condition(&status.conditions, "ResolvedRefs")?;
    let (written, now) = (resolved.observed_generation, gateway.metadata.generation);
    (written.is_none() || now.is_none() || written >= now).then_some(resolved)
}

fn is_secret(reference: &ObjectReference) -> bool {
    reference.kind.as_ref().is_none_or(|kind| *kind == "Secret")
        && reference.group.as_ref().is_none_or(|group| group.is_empty())
}

fn look(
    facts: &Facts,
    gateway: &Gateway,
    listener: &Listener,
    reference: &ObjectReference,
    status: Option<&Condition>,
    v: &mut Verdict,
) -> Known<Option<Finding>> {
    let own = gateway.metadata.namespace.as_deref().unwrap_or_default();
    let namespace = reference.namespace.as_deref().unwrap_or(own);
    let secret = format!("{namespace}/{}", reference.name);
    let path = gateway.reference().path();
    let here = format!("listener {} of Gateway {path}", listener.name);
    let mut finding = Finding::new(gateway, String::new());
    if let Some(status) = status {
        let at = format!("status.listeners[name={}].conditions[type=ResolvedRefs]", listener.name);
        finding = finding.shows_at(gateway, &format!("{at}.reason"), status.last_transition_time);
        if !status.message.is_empty() {
            finding = finding.shows(gateway, &format!("{at}.message"));
        }
    } else {
        finding = finding.predicted();
    }
    finding = finding.shows(
        gateway,
        &format!("spec.listeners[name={}].tls.certificateRefs[name={}].name", listener.name, reference.name),
    );
    finding = finding.verify_kubectl(
        &["describe", "gateway", &gateway.metadata.name, "-n", own],
        format!("ResolvedRefs of listener {} is True", listener.name),
    );
    if namespace != own && !granted(facts, own, namespace, &reference.name)? {
        finding.says = format!("{here} may not read Secret {secret}: no ReferenceGrant allows it");
        let finding = finding.discriminator("not-granted").because(
            "A Gateway reads certificates of other namespaces only where a ReferenceGrant there permits it.",
        );
        return Ok(Some(finding.steps(grant(own, namespace, &reference.name))));
    }
    let certificates = match status {
        Some(_) => v.see(facts.all::<Certificate>()).unwrap_or_default(),
        None => facts.all::<Certificate>()?,
    };
    if let Some(certificate) = certificates.iter().find(|c| c.makes(Some(namespace), &reference.name)) {
        if certificate.is_ready() && status.is_none() {
            return Ok(None); // the controller has not written yet, and nothing stands in its way
        }
        finding = finding.relates(certificate);
        if !certificate.is_ready() {
            finding.says = format!("{here} waits for Certificate {}", certificate.reference().path());
            return Ok(Some(
                finding
                    .discriminator("not-ready")
                    .because("Until cert-manager has written the Secret, HTTPS is not served for it.")
                    .shows(certificate, "status.conditions[type=Ready].status")
                    .step(Step::kubectl(
                        Changes::Nothing,
                        "shows what the certificate waits for",
                        &[
                            "describe",
                            "certificate.cert-manager.io",
                            &certificate.metadata.name,
                            "-n",
                            namespace,
                        ],
                    )),
            ));
        }
    }
    let Some(status) = status else { return Ok(None) };
    if !["InvalidCertificateRef", "RefNotPermitted"].contains(&&*status.reason) {
        return Ok(None); // other references of the listener: its kinds of routes
    }
    finding.says = format!("{here} cannot use the certificate in Secret {secret}");
    Ok(Some(
        finding
            .discriminator("invalid")
            .because(if status.reason == "RefNotPermitted" {
                "The controller refuses it although a ReferenceGrant allows it: the grant may be newer than this status."
            } else {
                "The Secret is missing, or is no TLS Secret with `tls.crt` and `tls.key`."
            })
            .step(Step::kubectl(
                Changes::Nothing,
                "shows whether it is there, and of type kubernetes.io/tls",
                &["get", "secret", &reference.name, "-n", namespace],
            ))
            .step(Step::decide(format!(
                "let cert-manager make it (a Certificate in {namespace} with secretName {}), or name the right Secret in the \
                 listener",
                reference.name
            ))),
    ))
}

fn granted(facts: &Facts, from: &str, namespace: &str, secret: &str) -> Known<bool> {
    let grants = facts.all::<ReferenceGrant>()?.iter();
    let mut grants = grants.filter(|grant| grant.metadata.namespace.as_deref() == Some(namespace));
    Ok(grants.any(|grant| {
        let gateway = |f: &GrantFrom| f.group == GATEWAY_GROUP && f.kind == "Gateway" && f.namespace == *from;
        let to = |t: &GrantTo| {
            t.group.is_empty()
                && t.kind == "Secret"
                && t.name.as_ref().is_none_or(|n| n.is_empty() || *n == *secret)
        };
        grant.spec.from.iter().any(gateway) && grant.spec.to.iter().any(to)
    }))
}

fn grant(from: &str, namespace: &str, secret: &str) -> [Step; 2] {
    let object = json!({
        "apiVersion": format!("{GATEWAY_GROUP}/v1beta1"),
        "kind": "ReferenceGrant",
        "metadata": {"name": format!("{secret}-to-{from}"), "namespace": namespace},
        "spec": {
            "from": [{"group": GATEWAY_GROUP, "kind": "Gateway", "namespace": from}],
            "to": [{"group": "", "kind": "Secret", "name": secret}],
        },
    });
    let why = format!("lets the Gateways of {from} read this one Secret");
    [
        Step::apply(why, object.clone()),
        in_manifest(&format!("ReferenceGrant {namespace}/{secret}-to-{from}"), object),
    ]
}

/// It is annotated for cert-manager, and has no listener that cert-manager would make a Certificate for.
fn asks_in_vain(gateway: &Gateway) -> Option<Finding> {
    let keys = ["cert-manager.io/cluster-issuer", "cert-manager.io/issuer"];
    let key = keys.into_iter().find(|key| gateway.metadata.annotation(key).is_some())?;
    if gateway.spec.listeners.iter().any(|listener| listener.tls.is_some()) {
        return None;
    }
    let meta = &gateway.metadata;
    let (name, namespace) = (&*meta.name, meta.namespace.as_deref().unwrap_or_default());
    let says = format!(
        "Gateway {} asks for certificates, but no listener of it has tls",
        gateway.reference().path()
    );
    let listener = json!({"spec": {"listeners": [{
        "name": "https", "hostname": "HOST", "port": 443, "protocol": "HTTPS",
        "tls": {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": format!("{name}-tls")}]},
    }]}});
    Some(
        Finding::new(gateway, says)
            .discriminator("no-listener")
            .because("cert-manager makes a Certificate for each listener with a host name and a Secret to write; there is none.")
            .shows(gateway, &format!("metadata.annotations['{key}']"))
            .shows(gateway, "spec.listeners")
            .step(Step::write(
                Changes::Cluster,
                "adds a listener for HTTPS beside those that are there (Traefik of k3s: port 8443 in place of 443)",
                format!("the manifest of {}", gateway.reference()),
                listener,
            ))
            .verify_kubectl(&["get", "certificate.cert-manager.io", "-n", namespace], "one for the listener's Secret"),
    )
}
