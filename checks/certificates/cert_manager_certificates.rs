//! When cert-manager's Certificate is not ready, or its renewal is overdue, the reason stands further down its chain of
//! CertificateRequest, Order and Challenge, or on its issuer, because each controller writes only about its own object
//! (cert-manager `2d0d7f7f7`, `pkg/controller`). A failed attempt is repeated after one hour, then two, up to 32.

use crate::certificates::cert_manager_words::{is_unreached, meaning};
use crate::domain::cert_manager::{self, AnyIssuer, CertManager, Chain, Named};
use crate::facts::kubernetes::{Certificate, Challenge, Gateway, ParentReference, condition};
use crate::facts::{Facts, Kind, Known};
use crate::gateway::gateway_address;
use crate::{Cause, Changes, Check, Finding, ObjectRef, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD410",
    slug: "cert-manager-certificates",
    title: "cert-manager certificates are ready",
    examines: "Certificates and issuers of cert-manager",
    severity: Severity::Error,
    needs: &[
        cert_manager::NEEDS[0],
        cert_manager::NEEDS[1],
        cert_manager::NEEDS[2],
        cert_manager::NEEDS[3],
        cert_manager::NEEDS[4],
        cert_manager::NEEDS[5],
        &Gateway::NEED,
    ],
    // its host cannot lead to a Gateway that has no address
    caused_by: &[Cause::here(&gateway_address::CHECK).when(waits_for_that_gateway)],
    explain: include_str!("cert_manager_certificates.md"),
    judge,
};

const SOLVER: &str = "spec.solver.http01.gatewayHTTPRoute.parentRefs";
/// How long a first issuance may take.
const GRACE_SECONDS: i64 = 15 * 60;
/// A certificate this near its end should have been renewed: cert-manager begins after two thirds of its life.
const NEAR_DAYS: i64 = 14;

/// A challenge that is to be answered through that Gateway cannot be reached while the Gateway has no address.
fn waits_for_that_gateway(cause: &Finding, effect: &Finding) -> bool {
    let at = &effect.subject;
    let mut solver = effect.evidence.iter().filter(|e| e.source == *at && e.path.starts_with(SOLVER));
    // the Service of a Gateway that only does not show its address can be reached
    let hidden = cause.evidence.iter().any(|e| e.path == "status.loadBalancer.ingress" && e.value.is_some());
    is_unreached(&effect.says) && solver.any(|e| e.value.as_deref() == Some(&*cause.subject.name)) && !hidden
}

/// What is the matter with a certificate, as its own status tells.
enum Trouble {
    NotReady,
    /// It is served, and attempts to renew it fail or do not happen.
    NotRenewed,
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let all = CertManager::read(facts)?;
    for issuer in all.issuers() {
        v.examined += 1;
        let age = issuer.metadata().creation_timestamp.seconds_until(facts.now);
        if !issuer.is_ready() && age.is_none_or(|age| age >= GRACE_SECONDS) {
            v.findings.push(about_issuer(issuer));
        }
    }
    for certificate in all.certificates.iter().filter(|c| c.metadata.deletion_timestamp.is_none()) {
        v.examined += 1;
        let Some(trouble) = trouble(facts, certificate) else { continue };
        let chain = all.chain(certificate);
        let issuer = all.issuer_of(certificate);
        let mut finding = match &issuer {
            Named::Found(issuer) if !issuer.is_ready() => {
                let place = v.findings.iter().position(|finding| finding.subject == issuer.reference());
                let mut finding = place.map_or_else(|| about_issuer(*issuer), |at| v.findings.remove(at));
                finding.severity = None; // somebody waits for it
                finding
            }
            _ => deepest(certificate, &trouble, &chain, &issuer),
        };
        finding = finding.shows(certificate, "status.conditions[type=Ready].status");
        finding = finding.shows(certificate, "status.conditions[type=Ready].message");
        finding = finish(finding, facts, certificate, &trouble);
        if let Named::Found(issuer) = &issuer {
            finding = finding.relates_to(issuer.reference());
        }
        let links = [
            chain.request.map(Kind::reference),
            chain.order.map(Kind::reference),
            Some(ObjectRef::new(
                "Secret",
                certificate.metadata.namespace.as_deref(),
                &certificate.spec.secret_name,
            )),
        ];
        finding = links.into_iter().flatten().fold(finding, Finding::relates_to);
        finding = chain.challenges.iter().fold(finding, |finding, challenge| finding.relates(*challenge));
        for gateway in chain.challenges.iter().flat_map(|challenge| solver_gateways(challenge)) {
            finding = finding.relates_to(gateway);
        }
        for gateway in v.see(facts.all::<Gateway>()).unwrap_or_default() {
            if uses(gateway, certificate) {
                finding = finding.relates(gateway);
            }
        }
        v.findings.push(finding);
    }
    Ok(())
}

/// `None` for a certificate that is well, or young.
fn trouble(facts: &Facts, certificate: &Certificate) -> Option<Trouble> {
    let status = &certificate.status;
    let failed = status.failed_issuance_attempts.is_some_and(|attempts| attempts > 0);
    if !certificate.is_ready() {
        let changed = certificate.condition("Ready").map(|ready| ready.last_transition_time);
        let since = changed.unwrap_or_default().max(certificate.metadata.creation_timestamp);
        let waited = since.seconds_until(facts.now).is_none_or(|seconds| seconds >= GRACE_SECONDS);
        return (failed || waited).then_some(Trouble::NotReady);
    }
    let overdue = status.renewal_time.seconds_until(facts.now).is_some_and(|late| late >= GRACE_SECONDS);
    let near = status.not_after.seconds_until(facts.now).is_some_and(|past| -past < NEAR_DAYS * 86_400);
    (failed || (overdue && near)).then_some(Trouble::NotRenewed)
}

/// At the deepest object of the chain that says why.
fn deepest(certificate: &Certificate, trouble: &Trouble, chain: &Chain, issuer: &Named) -> Finding {
    let path = certificate.reference().path();
    if let Named::Missing(issuer) = issuer {
        return Finding::new(certificate, format!("Certificate {path} names {issuer}, which does not exist"))
            .shows(certificate, "spec.issuerRef.name")
            .step(Step::decide(format!(
                "make {issuer}, or name one that exists in spec.issuerRef (`kubectl get issuers,clusterissuers -A`)"
            )));
    }
    if let Some(challenge) = worst(&chain.challenges) {
        return about_challenge(challenge);
    }
    if let Some(order) = chain.order
        && (!order.status.reason.is_empty()
            || ["invalid", "errored", "expired"].contains(&&*order.status.state))
    {
        let finding =
            Finding::new(order, format!("Order {} is {}", order.reference().path(), order.status.state))
                .shows(order, "status.state")
                .shows(order, "status.reason");
        return advised(finding, &order.status.reason);
    }
    if let Some(request) = chain.request {
        let conditions = &request.status.conditions;
        let refusing = ["Denied", "InvalidRequest"]
            .iter()
            .find_map(|kind| condition(conditions, kind).filter(|condition| condition.status == "True"));
        let waiting = condition(conditions, "Ready").filter(|ready| ready.status != "True");
        if let Some(says) = refusing.or(waiting) {
            let state = if says.r#type == "Ready" { &says.reason } else { &says.r#type };
            let path = request.reference().path();
            let finding =
                Finding::new(request, format!("CertificateRequest {path} is {}", state.to_lowercase()))
                    .shows(request, &format!("status.conditions[type={}].message", says.r#type));
            return advised(finding, &says.message);
        }
    }
    let ready = certificate.condition("Ready");
    let idle = match ready {
        None => Some(format!("cert-manager has not looked at Certificate {path}")),
        Some(_) if matches!(trouble, Trouble::NotRenewed) && certificate.condition("Issuing").is_none() => {
            Some(format!("Certificate {path} is due for renewal, and cert-manager does not try"))
        }
        Some(_) => None,
    };
    if let Some(says) = idle {
        return Finding::new(certificate, says).shows(certificate, "status.conditions").step(Step::kubectl(
            Changes::Nothing,
            "shows whether cert-manager runs",
            &["get", "pods", "-A", "-l", "app.kubernetes.io/instance=cert-manager"],
        ));
    }
    let reason = ready.map_or("", |ready| &ready.reason);
    let finding = Finding::new(certificate, format!("Certificate {path} is not ready: {reason}"));
    let issuing = certificate.condition("Issuing").map_or("", |issuing| &issuing.message);
    let finding = match issuing {
        "" => finding,
        _ => finding.shows(certificate, "status.conditions[type=Issuing].message"),
    };
    advised(finding, issuing)
}

/// The one of an attempt's challenges that holds it up: refused before waiting, and one that says why before one that does
/// not.
fn worst<'a>(challenges: &[&'a Challenge]) -> Option<&'a Challenge> {
    let open = challenges.iter().filter(|c| c.status.state != "valid");
    let refused = |c: &Challenge| ["invalid", "errored", "expired"].contains(&&*c.status.state);
    open.min_by_key(|c| (!refused(c), c.status.reason.is_empty(), c.reference())).copied()
}

/// Whose listeners lead the world to the solver.
fn solver_parents(challenge: &Challenge) -> &[ParentReference] {
    let http = challenge.spec.solver.http01.as_ref();
    http.and_then(|http| http.gateway_http_route.as_ref()).map_or(&[], |route| &*route.parent_refs)
}

fn solver_gateways(challenge: &Challenge) -> impl Iterator<Item = ObjectRef> {
    let own = challenge.metadata.namespace.as_deref();
    let gateways =
        solver_parents(challenge).iter().filter(|p| p.kind.as_deref().is_none_or(|k| k == "Gateway"));
    gateways.map(move |p| ObjectRef::new("Gateway", p.namespace.as_deref().or(own), &p.name))
}

fn about_challenge(challenge: &Challenge) -> Finding {
    let (host, kind) = (&challenge.spec.dns_name, &challenge.spec.r#type);
    let state = if challenge.status.state.is_empty() { "waiting" } else { &*challenge.status.state };
    let finding = Finding::new(challenge, format!("the {kind} challenge for {host} is {state}"))
        .shows(challenge, "status.state")
        .shows(challenge, "status.reason");
    let parents = solver_parents(challenge).iter();
    let finding = parents
        .fold(finding, |f, parent| f.shows(challenge, &format!("{SOLVER}[name={}].name", parent.name)));
    if !challenge.status.processing && challenge.status.state.is_empty() {
        return finding.step(describe(&challenge.reference(), "shows why it is not worked on"));
    }
    advised(finding, &challenge.status.reason)
}

fn about_issuer(issuer: AnyIssuer) -> Finding {
    let reference = issuer.reference();
    let finding = Finding::about(reference.clone(), String::new()).severity(Severity::Warning);
    let Some(ready) = issuer.ready() else {
        let mut finding = issuer.shown(finding, "status.conditions");
        finding.says = format!("cert-manager has not looked at {reference}");
        return verify_issuer(finding, &reference).step(describe(&reference, "shows its events"));
    };
    let mut finding = issuer.shown(finding, "status.conditions[type=Ready].reason");
    finding.says = match meaning(&ready.message) {
        Some(_) => format!("{reference} is not ready"),
        None => format!("{reference} is not ready: {}", ready.reason),
    };
    finding = issuer.shown(finding, "status.conditions[type=Ready].message");
    verify_issuer(advised(finding, &ready.message), &reference)
}

fn verify_issuer(finding: Finding, issuer: &ObjectRef) -> Finding {
    let mut args = vec!["get".to_string(), issuer.kind.to_lowercase(), issuer.name.to_string()];
    if let Some(namespace) = &issuer.namespace {
        args.extend(["-n".to_string(), namespace.to_string()]);
    }
    finding.verify_kubectl(&args.iter().map(String::as_str).collect::<Vec<_>>(), "READY is True")
}

/// The meaning of a text in the headline and as a step, else the way to all of it.
fn advised(mut finding: Finding, message: &str) -> Finding {
    match meaning(message) {
        Some((short, advice)) => {
            finding.says = format!("{}: {short}", finding.says);
            finding.step(Step::decide(advice))
        }
        None => {
            let step = describe(&finding.subject, "shows its events and what it waits for");
            finding.step(step)
        }
    }
}

fn describe(object: &ObjectRef, why: &str) -> Step {
    let kind = object.kind.to_lowercase();
    // `challenge` and `order` may be other groups' too
    let kind = match &*kind {
        "challenge" | "order" => format!("{kind}.acme.cert-manager.io"),
        _ => format!("{kind}.cert-manager.io"),
    };
    let mut args = vec!["describe", &*kind, &*object.name];
    if let Some(namespace) = &object.namespace {
        args.extend(["-n", &**namespace]);
    }
    Step::kubectl(Changes::Nothing, why, &args)
}

/// What it means for the certificate, until when, and how to go on.
fn finish(mut finding: Finding, facts: &Facts, certificate: &Certificate, trouble: &Trouble) -> Finding {
    let (name, status) = (&certificate.metadata.name, &certificate.status);
    let namespace = certificate.metadata.namespace.as_deref().unwrap_or_default();
    let path = certificate.reference().path();
    let left = status.not_after.seconds_until(facts.now).map(|seconds| -seconds / 86_400);
    finding = match trouble {
        Trouble::NotReady => finding.because(format!(
            "Certificate {path} is not ready for it: nothing, or an old certificate, stands in Secret {}.",
            certificate.spec.secret_name
        )),
        Trouble::NotRenewed => {
            let until = match left {
                Some(days) if days < 0 => format!("expired {} d ago", -days),
                Some(days) => format!("is served for {days} d more, until it expires"),
                None => "is served until it expires".to_string(),
            };
            finding = finding.shows(certificate, "status.renewalTime").shows(certificate, "status.notAfter");
            finding.because(format!("Certificate {path} {until}; its renewal does not succeed."))
        }
    };
    if status.failed_issuance_attempts.is_some_and(|attempts| attempts > 0) {
        finding = finding.shows(certificate, "status.failedIssuanceAttempts");
        finding = finding.step(Step::decide(format!(
            "once the cause is gone, `cmctl renew {name} -n {namespace}` tries again at once; by itself cert-manager waits one \
             hour after a failure, then two, up to 32"
        )));
    }
    if left.is_some_and(|days| days < 0) || status.not_after.is_before(facts.now.into()) {
        finding.severity = Some(Severity::Critical);
    }
    if let Some(end) = status.not_after.get() {
        finding.deadline = Some(finding.deadline.map_or(end, |other| other.min(end)));
    }
    let get = ["get", "certificate.cert-manager.io", name, "-n", namespace];
    finding.verify_kubectl(&get, "READY is True")
}

/// One of its listeners serves that certificate.
fn uses(gateway: &Gateway, certificate: &Certificate) -> bool {
    let own = gateway.metadata.namespace.as_deref();
    let refs =
        gateway.spec.listeners.iter().filter_map(|l| l.tls.as_ref()).flat_map(|tls| &tls.certificate_refs);
    refs.into_iter().any(|r| certificate.makes(r.namespace.as_deref().or(own), &r.name))
}
