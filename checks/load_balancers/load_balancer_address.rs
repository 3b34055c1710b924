//! When a Service of type LoadBalancer has no address two minutes after it was made, nobody can reach it, because the
//! cloud controller has not (or not yet) given it one. The symptom itself: it folds under whatever explains it.

use crate::certificates::{
    managed_certificate_annotations, managed_certificate_drift, managed_certificate_issued,
};
use crate::cloud_controller::{ccm_permissions, ccm_running, ccm_token};
use crate::domain::hccm::{self, Ccm, last_event, load_balancer_of};
use crate::domain::owner::{self, Owner};
use crate::domain::sync_error;
use crate::facts::hetzner::{LoadBalancer, Server};
use crate::facts::kubernetes::{Event, Node, Service};
use crate::facts::{Facts, Kind, Known};
use crate::load_balancers::{
    load_balancer_annotations, load_balancer_location, load_balancer_location_exists,
    load_balancer_network_zone, load_balancer_sync,
};
use crate::network::cilium_leaves_load_balancers_to_hetzner;
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD300",
    slug: "load-balancer-address",
    title: "every LoadBalancer Service has an address",
    examines: "LoadBalancer Services",
    severity: Severity::Critical,
    needs: &[
        hccm::NEEDS[0],
        hccm::NEEDS[1],
        hccm::NEEDS[2],
        owner::NEEDS[0],
        owner::NEEDS[1],
        owner::NEEDS[2],
        &Service::NEED,
        &Event::NEED,
        &Node::NEED,
        &Server::NEED,
        &LoadBalancer::NEED,
    ],
    caused_by: &[
        Cause::here(&load_balancer_location::CHECK),
        Cause::here(&load_balancer_location_exists::CHECK),
        Cause::here(&load_balancer_network_zone::CHECK).when(keeps_waiting),
        Cause::here(&load_balancer_sync::CHECK),
        Cause::here(&load_balancer_annotations::CHECK)
            .when(|cause, _| load_balancer_annotations::aborts(cause)),
        // the controller waits for the issuance, and says how it ended; its next attempt goes on without it
        Cause::here(&managed_certificate_issued::CHECK)
            .when(|_, effect| refusal(effect) == Some(managed_certificate_issued::CHECK.code)),
        Cause::here(&managed_certificate_annotations::CHECK).when(managed_certificate_annotations::stops),
        Cause::here(&managed_certificate_drift::CHECK).when(managed_certificate_drift::stops),
        Cause::everywhere(&ccm_running::CHECK).when(ccm_running::nobody_serves),
        Cause::everywhere(&ccm_permissions::CHECK).when(no_services),
        Cause::everywhere(&ccm_token::CHECK),
        // only what was there can be taken away, and only a pool does that
        Cause::here(&cilium_leaves_load_balancers_to_hetzner::CHECK).when(|cause, effect| {
            cause.subject.kind == "ConfigMap"
                && effect.related.iter().any(|object| object.kind == "LoadBalancer")
        }),
    ],
    explain: include_str!("load_balancer_address.md"),
    judge,
};

/// The check that explains the message which the finding shows.
fn refusal(effect: &Finding) -> Option<&'static str> {
    let messages = effect.evidence.iter().filter(|evidence| evidence.path == "message");
    messages.filter_map(|evidence| evidence.value.as_ref()).find_map(|message| sync_error::claimed(message))
}

fn no_services(cause: &Finding, _: &Finding) -> bool {
    matches!(cause.discriminator, Some("all" | "services"))
}

/// How long the controller may take: Hetzner makes a load balancer in seconds, and the controller retries after 5 s.
const GRACE_SECONDS: i64 = 120;

/// What is only an oddity keeps nobody waiting.
fn keeps_waiting(cause: &Finding, _: &Finding) -> bool {
    !matches!(cause.severity, Some(Severity::Info | Severity::Warning))
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    for service in facts.all::<Service>()?.iter().filter(|s| s.wants_load_balancer()) {
        v.examined += 1;
        let age = service.metadata.creation_timestamp.seconds_until(facts.now);
        if service.has_ingress() || age.is_some_and(|age| age < GRACE_SECONDS) {
            continue;
        }
        let finding = tell(facts, service, v);
        v.findings.push(finding);
    }
    Ok(())
}

fn tell(facts: &Facts, service: &Service, v: &mut Verdict) -> Finding {
    let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
    let name = &*service.metadata.name;
    let path = service.reference().path();
    let mut finding = Finding::new(service, format!("Service {path} has no address"))
        .shows(service, "spec.type")
        .shows(service, "status.loadBalancer.ingress")
        .verify_kubectl(&["get", "service", name, "-n", namespace], "EXTERNAL-IP shows an address");
    if let Some(Owner::Gateway(gateway)) = v.see(Owner::of(facts, service)) {
        finding = finding.relates(gateway);
    }
    if let Some(event) = v.see(last_event(facts, service, "SyncLoadBalancerFailed")).flatten() {
        finding.says = format!("Service {path} has no address: the cloud controller reports an error");
        return finding.shows_at(event, "message", event.last_seen()).step(Step::kubectl(
            Changes::Nothing,
            "shows what the controller says each time it tries",
            &["describe", "service", name, "-n", namespace],
        ));
    }
    let ccm = match v.see(Ccm::find(facts)) {
        Some(Some(ccm)) => ccm,
        Some(None) => {
            finding.says = format!("Service {path} has no address: no cloud controller runs in this cluster");
            return finding.step(Step::decide(
                "install the Hetzner cloud controller (chart hcloud-cloud-controller-manager), or change the Service's \
                 type",
            ));
        }
        None => return finding,
    };
    if ccm.leaves_load_balancers() {
        finding.says = format!("Service {path} has no address: the cloud controller is told to make none");
        finding = ccm.shown(finding, "HCLOUD_LOAD_BALANCERS_ENABLED");
        return finding.step(Step::decide(
            "take HCLOUD_LOAD_BALANCERS_ENABLED out of the controller's env, or name another controller in \
             spec.loadBalancerClass",
        ));
    }
    if !ccm.is_ready() {
        finding.says = format!("Service {path} has no address: the cloud controller is not ready");
        if let Some(pod) = ccm.pod() {
            finding = finding.shows(pod, "status.conditions[type=Ready].status");
        }
        return finding.step(logs(&ccm, "shows why the controller does not run"));
    }
    let doing = logs(&ccm, "shows what the controller is doing");
    match v.see(load_balancer_of(facts, service)) {
        Some(Some(lb)) => return with_load_balancer(finding, service, lb, &ccm, v),
        Some(None) => {}
        None => return finding.step(doing), // perhaps there is one
    }
    let waited = match service.metadata.creation_timestamp.seconds_until(facts.now) {
        Some(seconds) => format!(" for {}", minutes(seconds)),
        None => String::new(),
    };
    finding.says = format!("Service {path} has no address: the controller runs but has not acted{waited}");
    finding.step(doing)
}

/// The load balancer is there and the Service has no address all the same.
fn with_load_balancer(
    finding: Finding,
    service: &Service,
    lb: &LoadBalancer,
    ccm: &Ccm,
    v: &mut Verdict,
) -> Finding {
    let path = service.reference().path();
    let hidden =
        v.see(ccm.is_on(service, "disable-private-ingress", "HCLOUD_LOAD_BALANCERS_DISABLE_PRIVATE_INGRESS"));
    let mut finding = finding.shows(lb, "public_net.enabled").shows(lb, "private_net");
    if !lb.public_net.enabled && hidden == Some(true) {
        finding.says =
            format!("Service {path} has no address: the public one is off, the private one hidden");
        finding = finding
            .shows(service, "metadata.annotations['load-balancer.hetzner.cloud/disable-private-ingress']");
        let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
        let set = "load-balancer.hetzner.cloud/disable-private-ingress=false";
        let args = ["annotate", "--overwrite", "service", &service.metadata.name, "-n", namespace, set];
        return finding.step(Step::kubectl(
            Changes::Cluster,
            "lets the controller write the private address into the Service's status",
            &args,
        ));
    }
    finding.says = format!("Service {path} has no address, though its load balancer {} exists", lb.name);
    finding.step(logs(ccm, "shows why the controller does not finish"))
}

fn logs(ccm: &Ccm, why: &str) -> Step {
    let pod = ccm.reference();
    let workload = format!("{}/{}", pod.kind.to_lowercase(), pod.name);
    let args = ["logs", "-n", &ccm.namespace(), &workload, "--tail", "50"];
    Step::kubectl(Changes::Nothing, why, &args)
}

fn minutes(seconds: i64) -> String {
    match seconds {
        ..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
