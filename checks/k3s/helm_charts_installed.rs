//! When the job that installs a HelmChart fails, k3s starts it again a thousand times, and the chart is simply not there,
//! because helm-controller sets the job's `backoffLimit` to 1000 and the chart's `Failed` condition only after that
//! (k3s-io/helm-controller `21a911f`, `pkg/controllers/chart/chart.go`). So the job and its pod are what tells.

use crate::domain::hccm;
use crate::domain::near::nearest;
use crate::facts::kubernetes::{ContainerStatus, HelmChart, HelmChartConfig, Job, Pod, Values, condition};
use crate::facts::{Facts, Kind, Known};
use crate::k3s::placeholders_substituted;
use crate::remedies::charts::chart_name;
use crate::remedies::helm_jobs;
use crate::{Cause, Check, Finding, Severity, Verdict};

pub const CHECK: Check = Check {
    code: "KD802",
    slug: "helm-charts-installed",
    title: "k3s has installed its Helm charts",
    examines: "HelmCharts",
    severity: Severity::Error,
    needs: &[&HelmChart::NEED, &HelmChartConfig::NEED, &Job::NEED, &Pod::NEED],
    caused_by: &[
        Cause::here(&placeholders_substituted::CHECK),
        Cause::everywhere_of("KD104").when(waits_for_nodes),
    ],
    explain: include_str!("helm_charts_installed.md"),
    judge,
};

/// Its job waits for what the cloud controller does, and it is not the cloud controller's own: that one explains the nodes.
fn waits_for_nodes(_: &Finding, effect: &Finding) -> bool {
    effect.discriminator == Some("waits-for-taint") && !effect.subject.name.contains(hccm::NAME)
}

/// An install that works is done by then, downloads and all.
const SLOW_SECONDS: i64 = 600;
/// While a cluster starts, first tries fail: there is no network or DNS yet.
const FIRST_TRIES_SECONDS: i64 = 180;
const UNMANAGED: &str = "helmcharts.helm.cattle.io/unmanaged";

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let charts = facts.all::<HelmChart>()?;
    let configs = facts.all::<HelmChartConfig>()?;
    if charts.is_empty() && configs.is_empty() {
        return Ok(());
    }
    let jobs = facts.all::<Job>()?;
    for chart in charts {
        v.examined += 1;
        let managed = chart.metadata.annotation(UNMANAGED).is_none() && !chart.spec.chart.is_empty();
        if !managed || chart.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let config = configs.iter().find(|config| config.reference().path() == chart.reference().path());
        let name = job_name(chart);
        let job = jobs
            .iter()
            .find(|job| job.metadata.name == *name && job.metadata.namespace == chart.metadata.namespace);
        match job {
            Some(job) => {
                let install = Install { facts, chart, config, job };
                if let Some(finding) = install.judge(v) {
                    v.findings.push(finding);
                }
            }
            // With a name and without a job it was there: it has been removed since.
            None if chart.status.job_name.is_empty() && older(facts, chart, SLOW_SECONDS) => {
                v.findings.push(not_taken(chart));
            }
            None => {}
        }
    }
    for config in configs {
        let path = config.reference().path();
        if charts.iter().all(|chart| chart.reference().path() != path) {
            v.examined += 1;
            v.findings.push(alone(config, charts));
        }
    }
    Ok(())
}

/// The job as the chart's status names it; while it is being deleted that is `helm-delete-…`.
fn job_name(chart: &HelmChart) -> String {
    match &*chart.status.job_name {
        "" => format!("helm-install-{}", chart.metadata.name),
        name => name.to_string(),
    }
}

fn older(facts: &Facts, object: &HelmChart, seconds: i64) -> bool {
    object.metadata.creation_timestamp.seconds_until(facts.now).is_some_and(|age| age >= seconds)
}

/// A chart whose job is there.
struct Install<'a> {
    facts: &'a Facts,
    chart: &'a HelmChart,
    config: Option<&'a HelmChartConfig>,
    job: &'a Job,
}

/// Why the job's pod does not get on.
enum Stuck<'a> {
    /// Kubernetes finds no node for it: only nodes that the cloud controller has not initialised.
    Taint(&'a Pod),
    /// No node for it for another reason.
    Unplaced(&'a Pod),
    /// Its container cannot start, or ends with an error again and again.
    Container(&'a Pod, &'a ContainerStatus),
}

impl<'a> Install<'a> {
    fn judge(&self, v: &mut Verdict) -> Option<Finding> {
        let status = &self.job.status;
        let complete = condition(&status.conditions, "Complete").is_some_and(|c| c.status == "True");
        if complete || status.succeeded > 0 {
            return None;
        }
        let age = self.job.metadata.creation_timestamp.seconds_until(self.facts.now).unwrap_or(SLOW_SECONDS);
        if age < FIRST_TRIES_SECONDS {
            return None;
        }
        let stuck = v.see(self.facts.all::<Pod>()).and_then(|pods| self.stuck(pods));
        if stuck.is_none() && age < SLOW_SECONDS {
            return None;
        }
        Some(self.unreadable().unwrap_or_else(|| self.failing(stuck, age)))
    }

    /// The newest pod of the job that has something to say.
    fn stuck(&self, pods: &'a [Pod]) -> Option<Stuck<'a>> {
        let of_job = |pod: &&Pod| {
            pod.metadata.namespace == self.job.metadata.namespace
                && pod
                    .metadata
                    .owner_references
                    .iter()
                    .any(|o| o.kind == "Job" && o.name == self.job.metadata.name)
                && pod.metadata.deletion_timestamp.is_none()
        };
        let newest = pods
            .iter()
            .filter(of_job)
            .max_by_key(|pod| (pod.metadata.creation_timestamp, &pod.metadata.name))?;
        let unplaced = newest.condition("PodScheduled").filter(|c| c.status == "False");
        if let Some(unplaced) = unplaced {
            let taint = unplaced.message.contains("node.cloudprovider.kubernetes.io/uninitialized");
            return Some(if taint { Stuck::Taint(newest) } else { Stuck::Unplaced(newest) });
        }
        let container = newest.status.container_statuses.iter().find(|c| {
            let waits = c
                .state
                .waiting
                .as_ref()
                .is_some_and(|w| w.reason != "ContainerCreating" && w.reason != "PodInitializing");
            let ended = c.state.terminated.as_ref().is_some_and(|t| t.exit_code != 0);
            waits || ended || c.restart_count > 0
        })?;
        Some(Stuck::Container(newest, container))
    }

    fn name(&self) -> &'a str {
        &self.chart.metadata.name
    }

    /// The chart with everything that belongs to it.
    fn finding(&self, says: String) -> Finding {
        let finding = Finding::new(self.chart, says).relates(self.job);
        match self.config {
            Some(config) => finding.relates(config),
            None => finding,
        }
    }

    /// Helm cannot read the values either, or the job would be done.
    fn unreadable(&self) -> Option<Finding> {
        let chart = (self.chart.spec.values_content == Values::Unreadable).then_some("HelmChart");
        let config = self.config.filter(|config| config.spec.values_content == Values::Unreadable);
        let kind = config.map(|_| "HelmChartConfig").or(chart)?;
        let name = self.name();
        let says = format!("chart {name} is not installed: valuesContent of its {kind} is no YAML");
        let finding = self.finding(says).discriminator("unreadable").because(
            "valuesContent is one string that Helm reads as a YAML mapping: an indent too few, a tab, or a `{{` that no template \
             has filled in is enough.",
        );
        let finding =
            finding.shows(self.job, "status.succeeded").shows(self.job, "metadata.creationTimestamp");
        Some(helm_jobs::unreadable(finding, self.chart, config.is_some()))
    }

    fn failing(&self, stuck: Option<Stuck>, age: i64) -> Finding {
        let name = self.name();
        let minutes = age / 60;
        match stuck {
            Some(Stuck::Taint(pod)) => {
                let says = format!("chart {name} waits for a node that the cloud controller has initialised");
                let finding = self
                    .finding(says)
                    .discriminator("waits-for-taint")
                    .because(
                        "Its job has not `bootstrap: true`, and so tolerates no taint: it runs only on nodes that a cloud \
                         controller has taken over.",
                    )
                    .shows(pod, "status.conditions[type=PodScheduled].message")
                    .shows(self.chart, "spec.bootstrap");
                let needed = [hccm::NAME, "cilium"].contains(&chart_name(self.chart));
                helm_jobs::waits(finding, self.chart, needed)
            }
            Some(Stuck::Unplaced(pod)) => {
                let says = format!("chart {name} is not installed: its job finds no node for {minutes} min");
                let finding = self.finding(says).shows(pod, "status.conditions[type=PodScheduled].message");
                helm_jobs::unplaced(finding, pod)
            }
            Some(Stuck::Container(pod, container)) => {
                let at = format!("status.containerStatuses[name={}]", container.name);
                let waiting =
                    container.state.waiting.as_ref().map(|w| &*w.reason).filter(|reason| !reason.is_empty());
                let image = waiting.is_some_and(|reason| reason.contains("Image"));
                let how = match waiting {
                    Some(reason) => reason.to_string(),
                    None => format!("restarts: {}", container.restart_count),
                };
                let says = format!("chart {name} is not installed: its job fails ({how})");
                let mut finding = self.finding(says);
                if waiting.is_some() {
                    finding = finding.shows(pod, &format!("{at}.state.waiting.reason"));
                }
                if image {
                    finding = finding.shows(pod, &format!("{at}.state.waiting.message"));
                    return helm_jobs::image(finding, self.chart, pod, &container.image);
                }
                if let Some(ended) =
                    container.last_state.terminated.as_ref().or(container.state.terminated.as_ref())
                {
                    let state = if container.last_state.terminated.is_some() { "lastState" } else { "state" };
                    finding = finding.shows_at(
                        pod,
                        &format!("{at}.{state}.terminated.exitCode"),
                        ended.finished_at,
                    );
                }
                finding =
                    finding.shows(pod, &format!("{at}.restartCount")).shows(self.job, "status.succeeded");
                helm_jobs::retry(self.policy(finding), self.chart, self.job, self.is_lenient())
            }
            None => {
                let says = format!("chart {name} is not installed: its job is not done after {minutes} min");
                let finding =
                    self.finding(says).shows(self.job, "status.active").shows(self.job, "status.failed");
                let finding = finding.shows(self.job, "metadata.creationTimestamp");
                helm_jobs::retry(self.policy(finding), self.chart, self.job, self.is_lenient())
            }
        }
    }

    /// A failed upgrade is not answered by uninstalling the release.
    fn is_lenient(&self) -> bool {
        let of_config =
            self.config.map(|config| &*config.spec.failure_policy).filter(|policy| !policy.is_empty());
        let policy = of_config.unwrap_or(&*self.chart.spec.failure_policy);
        policy == "abort" || policy == "retry"
    }

    fn policy(&self, finding: Finding) -> Finding {
        let finding = finding.because(
            "k3s repeats the job, each time after a longer pause, up to five minutes; until it succeeds the chart's objects are \
             missing or old.",
        );
        match self.config {
            Some(config) if !config.spec.failure_policy.is_empty() => {
                finding.shows(config, "spec.failurePolicy")
            }
            _ => finding.shows(self.chart, "spec.failurePolicy"),
        }
    }
}

fn not_taken(chart: &HelmChart) -> Finding {
    let says = format!("nobody installs chart {}: k3s made no job for it", chart.metadata.name);
    let finding = Finding::new(chart, says)
        .discriminator("not-taken")
        .because("helm-controller, a part of k3s, makes the job; it does not run, or it was told to leave this chart.")
        .shows(chart, "status.jobName")
        .shows(chart, "metadata.creationTimestamp");
    helm_jobs::not_taken(finding, chart)
}

/// Values for a chart that does not exist.
fn alone(config: &HelmChartConfig, charts: &[HelmChart]) -> Finding {
    let name = &*config.metadata.name;
    let elsewhere = charts.iter().find(|chart| chart.metadata.name == *name);
    let near = || {
        let same_namespace =
            charts.iter().filter(|chart| chart.metadata.namespace == config.metadata.namespace);
        let found = nearest(name, same_namespace.map(|chart| &*chart.metadata.name))?;
        charts.iter().find(|chart| chart.metadata.name == *found)
    };
    let meant = elsewhere.or_else(near);
    let path = config.reference().path();
    let finding = Finding::new(
        config,
        format!("HelmChartConfig {path} belongs to no HelmChart: its values do nothing"),
    )
    .discriminator("config-alone")
    .severity(if meant.is_some() { Severity::Warning } else { Severity::Info })
    .because("helm-controller looks for one of exactly the chart's name and namespace.")
    .shows(config, "metadata.name")
    .shows(config, "metadata.namespace");
    match meant {
        Some(chart) => helm_jobs::misnamed(
            finding.shows(chart, "metadata.name").shows(chart, "metadata.namespace"),
            config,
            chart,
        ),
        None => helm_jobs::alone(finding, config),
    }
}
