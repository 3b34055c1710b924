//! When the metrics API is not available, `kubectl top` fails and autoscalers see nothing, because the API server passes
//! these requests on to metrics-server, which must be ready and must get through to the kubelets
//! (kube-aggregator `pkg/apiserver/handler_proxy.go`, condition `Available`).

use super::{is_recent, kubelet_certificate_covers_node_ip, kubelet_certificate_expiry, node_initialized};
use crate::facts::kubernetes::{APIService, Pod, condition};
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD113",
    slug: "metrics-api",
    title: "the metrics API answers",
    examines: "metrics APIs",
    severity: Severity::Warning,
    needs: &[&APIService::NEED, &Pod::NEED],
    caused_by: &[
        Cause::everywhere(&kubelet_certificate_covers_node_ip::CHECK),
        Cause::everywhere(&kubelet_certificate_expiry::CHECK)
            .when(|cause, _| cause.discriminator == Some("expired")),
        Cause::everywhere(&node_initialized::CHECK).when(waits_for_taint),
    ],
    explain: include_str!("metrics_api.md"),
    judge,
};

/// Its pod finds no node, because all that are left are not initialised.
fn waits_for_taint(_: &Finding, effect: &Finding) -> bool {
    effect.evidence.iter().any(|evidence| {
        evidence.path == PLACED && evidence.value.as_ref().is_some_and(|value| value.contains(UNINITIALIZED))
    })
}

const PLACED: &str = "status.conditions[type=PodScheduled].message";
const UNINITIALIZED: &str = "node.cloudprovider.kubernetes.io/uninitialized";

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    for api in facts.all::<APIService>()? {
        let Some(service) = &api.spec.service else { continue };
        v.examined += 1;
        let Some(available) = condition(&api.status.conditions, "Available") else {
            let detail = format!("nobody has said yet whether {} is available", api.metadata.name);
            v.gaps.push(Gap::new(APIService::NEED.key, Why::NotRead, detail).of(api.metadata.name.clone()));
            continue;
        };
        if available.status == "True" || is_recent(available.last_transition_time, facts) {
            continue;
        }
        let mut finding =
            Finding::new(api, format!("the metrics API is not available: {}", available.reason))
                .because("kubectl top fails, and a HorizontalPodAutoscaler of CPU or memory does not scale.")
                .shows_at(api, "status.conditions[type=Available].message", available.last_transition_time)
                .relates_to(crate::ObjectRef::new("Service", Some(&service.namespace), &service.name));
        let pods = v.see(facts.all::<Pod>()).unwrap_or_default();
        // k3s labels it in its own way, its chart in Helm's
        let mut label = "k8s-app=metrics-server";
        for pod in pods.iter().filter(|pod| is_of_metrics(pod, &service.namespace)) {
            let unplaced = pod.condition("PodScheduled").is_some_and(|placed| placed.status == "False");
            finding =
                finding.shows(pod, if unplaced { PLACED } else { "status.conditions[type=Ready].status" });
            if pod.metadata.label("k8s-app").is_none() {
                label = "app.kubernetes.io/name=metrics-server";
            }
        }
        let labels = ["logs", "-n", &*service.namespace, "-l", label, "--tail", "50"];
        finding = finding.step(Step::kubectl(
            Changes::Nothing,
            "what metrics-server says: `x509` is a kubelet's certificate, `connection refused` or a timeout the way to it",
            &labels,
        ));
        finding = finding.step(match &*available.reason {
            "MissingEndpoints" | "EndpointsNotFound" | "ServiceNotFound" => Step::kubectl(
                Changes::Nothing,
                "why it has no ready pod: it becomes ready with the first node whose metrics it gets",
                &["describe", "pods", "-n", &service.namespace, "-l", label],
            ),
            _ => Step::decide(
                "mend the way from the servers to the pod: the API server could not reach it over the pod network (Flannel, \
                 Cilium, or a firewall between the nodes)",
            ),
        });
        v.findings.push(finding.verify_kubectl(&["top", "nodes"], "a line for every node"));
    }
    Ok(())
}

fn is_of_metrics(pod: &Pod, namespace: &str) -> bool {
    let name = |key| pod.metadata.label(key) == Some("metrics-server");
    pod.metadata.namespace.as_deref() == Some(namespace)
        && (name("k8s-app") || name("app.kubernetes.io/name"))
}
