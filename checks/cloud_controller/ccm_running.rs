//! When the cloud controller does not run, new nodes stay tainted, load balancers are not made or kept up to date, and
//! routes go stale, because nobody else does it. Why it does not run stands in its pod's status or in its last words
//! (HCCM `hcloud/cloud.go`, `main.go`; kubelet's waiting reasons), and each reason needs another fix.

use super::trouble::{State, Trouble, state};
use super::{ccm_network, ccm_permissions, ccm_token, ccm_version};
use crate::domain::ccm_network as network;
use crate::domain::hccm::{self, Ccm, NAME};
use crate::domain::hccm_log::{Said, heard};
use crate::facts::controller_log::ControllerLog;
use crate::facts::kubernetes::{DaemonSet, Deployment, Node, Pod};
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::k3s::{helm_charts_installed, placeholders_substituted};
use crate::remedies::charts::{self, Chart};
use crate::{Cause, Changes, Check, Finding, ObjectRef, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD201",
    slug: "ccm-running",
    title: "the cloud controller runs and stays up",
    examines: "cloud controllers",
    severity: Severity::Critical,
    needs: &[
        hccm::NEEDS[0],
        hccm::NEEDS[1],
        hccm::NEEDS[2],
        charts::NEEDS[0],
        charts::NEEDS[1],
        network::NEEDS[3],
        &ControllerLog::NEED,
    ],
    caused_by: &[
        Cause::here(&placeholders_substituted::CHECK).when(placeholders_substituted::keeps_it_from_running),
        Cause::everywhere(&helm_charts_installed::CHECK).when(of_its_chart),
        Cause::here(&ccm_version::CHECK).when(ends_without_reason),
        Cause::here(&ccm_network::CHECK).when(of_network),
        Cause::here(&ccm_permissions::CHECK).when(of_permissions),
        Cause::here(&ccm_token::CHECK).when(of_token),
    ],
    explain: include_str!("ccm_running.md"),
    judge,
};

fn is(effect: &Finding, of: &[&str]) -> bool {
    effect.discriminator.is_some_and(|discriminator| of.contains(&discriminator))
}

fn ends_without_reason(_: &Finding, effect: &Finding) -> bool {
    is(effect, &["panic", "crash"])
}

fn of_network(_: &Finding, effect: &Finding) -> bool {
    is(effect, &["network-not-found", "not-attached"])
}

fn of_permissions(_: &Finding, effect: &Finding) -> bool {
    is(effect, &["permissions", "lease", "crash"])
}

fn of_token(cause: &Finding, effect: &Finding) -> bool {
    // A read-only token passes the start.
    !is(cause, &["read-only"]) && is(effect, &["token-missing", "token-rejected", "network-not-found"])
}

/// The chart that did not come in is the controller's.
fn of_its_chart(cause: &Finding, effect: &Finding) -> bool {
    cause.subject.name.contains(NAME) && matches!(effect.discriminator, Some("absent" | "no-pod"))
}

/// No controller does its work; of a rollout that is stuck the old pod does.
pub fn nobody_serves(cause: &Finding, _: &Finding) -> bool {
    cause.severity != Some(Severity::Error)
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(ccm) = Ccm::find(facts)? else { return absent(facts, v) };
    v.examined += 1;
    let pods: Vec<&Pod> = hccm::pods(facts)?.into_iter().map(|(pod, _)| pod).collect();
    let workload = ccm.workload(facts)?;
    if pods.is_empty() {
        return without_pod(facts, v, &ccm, workload);
    }
    let states: Vec<(&Pod, State)> =
        pods.iter().map(|pod| (*pod, state(pod, &ccm.container().name, facts.now))).collect();
    let serves = states.iter().any(|(pod, state)| *state == State::Fine && pod.is_ready());
    // Of those in trouble the one that came last: it carries what was set last.
    let bad = states.iter().filter(|(_, state)| !matches!(state, State::Fine | State::Starting));
    let Some((pod, state)) = bad.max_by_key(|(pod, _)| pod.metadata.creation_timestamp) else {
        return Ok(());
    };
    // A second pod of one ReplicaSet, or a DaemonSet's on another node, is no rollout: it has the same settings.
    let maker = |pod: &Pod| pod.metadata.owner_references.first().map(|owner| owner.name.clone());
    let twin = states.iter().any(|(other, state)| {
        *state == State::Fine && other.is_ready() && maker(pod).is_some() && maker(other) == maker(pod)
    });
    let (trouble, said) = match state {
        State::Unscheduled if serves && !twin => (Trouble::RolloutStuck, None),
        State::Unscheduled => (Trouble::Unscheduled, None),
        State::Waiting(trouble) => (trouble.clone(), None),
        State::Crashing => last_words(facts, v, pod, Trouble::Crash),
        _ => last_words(facts, v, pod, Trouble::NotReady),
    };
    let mut finding = tell(facts, v, &ccm, pod, workload, &trouble, said.as_ref(), serves);
    if twin {
        finding.because = Some("Another pod of it, with the same settings, does the work.".into());
        finding = finding.severity(Severity::Warning);
    }
    v.findings.push(finding);
    Ok(())
}

/// What its log says of why it ended; `otherwise` where it says nothing.
fn last_words<'a>(
    facts: &'a Facts,
    v: &mut Verdict,
    pod: &Pod,
    otherwise: Trouble,
) -> (Trouble, Option<Said<'a>>) {
    let Some(heard) = v.see(heard(facts)) else { return (otherwise, None) };
    v.gaps.extend(heard.unread);
    let read =
        facts.all::<ControllerLog>().unwrap_or_default().iter().any(|log| log.pod == pod.metadata.name);
    if !read {
        let detail = "the log of this pod of the cloud controller was not read";
        v.gaps.push(Gap::new(ControllerLog::NEED.key, Why::NotRead, detail).of(pod.reference().path()));
    }
    let mut of_pod: Vec<Said> = heard.said.into_iter().filter(|s| s.log.pod == pod.metadata.name).collect();
    let mut found: Vec<(usize, Trouble)> =
        of_pod.iter().enumerate().filter_map(|(i, said)| Some((i, Trouble::of(&said.word)?))).collect();
    // What ends it at once comes before what it also complains of; of equals the newest.
    found.sort_by_key(|(i, trouble)| (!trouble.is_fatal(), *i));
    match found.into_iter().next() {
        Some((i, trouble)) => (trouble, Some(of_pod.swap_remove(i))),
        None => (otherwise, None),
    }
}

#[expect(clippy::too_many_arguments, reason = "the scene of one finding")]
fn tell(
    facts: &Facts,
    v: &mut Verdict,
    ccm: &Ccm,
    pod: &Pod,
    workload: ObjectRef,
    trouble: &Trouble,
    said: Option<&Said>,
    serves: bool,
) -> Finding {
    let mut finding = Finding::about(workload, trouble.says()).discriminator(trouble.discriminator());
    if !matches!(trouble, Trouble::RolloutStuck | Trouble::Unscheduled) {
        finding = finding.shows(pod, "status.conditions[type=Ready].status");
    }
    let status = format!("status.containerStatuses[name={}]", ccm.container().name);
    match trouble {
        Trouble::RolloutStuck | Trouble::Unscheduled => {
            finding = finding.shows(pod, "status.conditions[type=PodScheduled].message");
        }
        Trouble::SecretMissing(_) | Trouble::KeyMissing { .. } | Trouble::Image | Trouble::Waiting => {
            finding = finding.shows(pod, &format!("{status}.state.waiting.message"));
        }
        _ => {
            if pod.restarts(&ccm.container().name) > 0 {
                finding = finding.shows(pod, &format!("{status}.restartCount"));
            }
            let last = pod.status.container_statuses.iter().find(|s| s.name == ccm.container().name);
            if let Some(ended) = last.and_then(|status| status.last_state.terminated.as_ref()) {
                finding = finding
                    .shows_at(pod, &format!("{status}.lastState.terminated.reason"), ended.finished_at)
                    .shows(pod, &format!("{status}.lastState.terminated.exitCode"));
            }
        }
    }
    if let Some(said) = said {
        finding = finding.shows_at(said.log, &said.path(), said.line.time);
    }
    for variable in trouble.variables() {
        finding = ccm.shown(finding, variable);
    }
    let because = match serves {
        true => "The pod that was there before still serves: what was changed is not live.",
        false => {
            "Until it runs, new nodes stay tainted, and load balancers and routes are not kept up to date."
        }
    };
    finding.because = Some(because.into());
    if serves {
        finding = finding.severity(Severity::Error);
    }
    v.advise(finding, |finding| trouble.remedy(finding, facts, ccm, pod))
}

/// Its workload is there, and no pod of it.
fn without_pod(facts: &Facts, v: &mut Verdict, ccm: &Ccm, workload: ObjectRef) -> Known<()> {
    let deployment = facts.all::<Deployment>()?.iter().find(|one| one.reference() == workload);
    let set = facts.all::<DaemonSet>()?.iter().find(|one| one.reference() == workload);
    let made = deployment.map(|one| &one.metadata).or(set.map(|one| &one.metadata));
    let age = made.and_then(|meta| meta.creation_timestamp.seconds_until(facts.now));
    if age.is_some_and(|age| age < super::trouble::GRACE_SECONDS) {
        return Ok(());
    }
    let (namespace, name) = (ccm.namespace(), workload.name.to_string());
    let kind = workload.kind.to_lowercase();
    let none = deployment.is_some_and(|one| one.spec.replicas == Some(0));
    let mut finding = Finding::about(workload, "the cloud controller has no pod").discriminator("no-pod");
    finding = match deployment {
        Some(deployment) => finding.shows(deployment, "spec.replicas"),
        None => ccm.shown_of_container(finding, "image"),
    };
    finding.because = Some(
        "Until it runs, new nodes stay tainted, and load balancers and routes are not kept up to date."
            .into(),
    );
    let finding = match none {
        true => {
            finding.says = "the cloud controller is scaled to zero".into();
            let args = ["scale", "-n", &*namespace, &format!("{kind}/{name}"), "--replicas=1"];
            finding.step(Step::kubectl(Changes::Cluster, "starts it", &args))
        }
        false => {
            let args = ["describe", &*kind, &*name, "-n", &*namespace];
            finding.step(Step::kubectl(
                Changes::Nothing,
                "shows why none is made: a quota, a webhook, a selector",
                &args,
            ))
        }
    };
    let status = ["rollout", "status", "-n", &*namespace, &format!("{kind}/{name}"), "--timeout", "2m"];
    v.findings.push(finding.verify_kubectl(&status, "successfully rolled out"));
    Ok(())
}

/// Nothing of it is there: a fault only where the cluster evidently counts on it.
fn absent(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let chart = Chart::named(facts, NAME)?;
    let nodes = facts.all::<Node>()?;
    let old = |node: &&Node| {
        let age = node.metadata.creation_timestamp.seconds_until(facts.now);
        age.is_none_or(|age| age >= super::trouble::GRACE_SECONDS)
    };
    let ours: Vec<&Node> = nodes
        .iter()
        .filter(old)
        .filter(|node| node.is_uninitialized() || node.server_id().is_some())
        .collect();
    // A node that waits in a cluster of another cloud waits for that cloud's controller.
    let of_another = |node: &Node| {
        let id = &*node.spec.provider_id;
        !id.is_empty() && node.is_cloud() && !id.starts_with("hcloud://") && !id.starts_with("k3s://")
    };
    if chart.is_none() && nodes.iter().any(of_another) && !nodes.iter().any(|n| n.server_id().is_some()) {
        return Ok(());
    }
    let age = chart.and_then(|chart| chart.chart.metadata.creation_timestamp.seconds_until(facts.now));
    if (chart.is_none() && ours.is_empty()) || age.is_some_and(|age| age < 2 * super::trouble::GRACE_SECONDS)
    {
        return Ok(());
    }
    v.examined += 1;
    let subject = match &chart {
        Some(chart) => chart.chart.reference(),
        None => ObjectRef::new("Deployment", Some("kube-system"), NAME),
    };
    let mut finding = Finding::about(
        subject,
        "no cloud controller runs in this cluster, though it counts on one",
    )
    .discriminator("absent")
    .because("Until it runs, new nodes stay tainted, and load balancers and routes are not kept up to date.");
    if let Some(chart) = &chart {
        finding = finding.shows(chart.chart, "spec.chart");
    } else if !ours.iter().any(|node| node.is_uninitialized()) {
        // Nothing waits for it: hosted control planes run it where the doctor does not look.
        finding = finding.predicted().because(
            "Its nodes are initialised, and no pod of it is here. Unless it runs outside of the cluster, new nodes stay tainted, \
             and load balancers and routes are not kept up to date.",
        );
    }
    for node in ours.iter().take(4) {
        finding = match node.is_uninitialized() {
            true => {
                finding.shows(*node, "spec.taints[key=node.cloudprovider.kubernetes.io/uninitialized].effect")
            }
            false => finding.shows(*node, "spec.providerID"),
        };
    }
    finding = match &chart {
        Some(chart) => {
            let (name, namespace) = (&chart.chart.metadata.name, chart.chart.metadata.namespace.as_deref());
            let job = format!("job/helm-install-{name}");
            let args = ["logs", "-n", namespace.unwrap_or_default(), &job, "--tail", "50"];
            finding.step(Step::kubectl(Changes::Nothing, "shows why the chart was not installed", &args))
        }
        None => finding.step(
            Step::decide(format!(
                "install the chart {NAME} from https://charts.hetzner.cloud: a HelmChart in your cloud-config in /oem"
            ))
            .for_good(),
        ),
    };
    let args = ["get", "deployments", "-A", "--field-selector", &format!("metadata.name={NAME}")];
    v.findings.push(finding.verify_kubectl(&args, "it is there, and available"));
    Ok(())
}
