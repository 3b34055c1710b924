//! Changing the values of a chart that k3s's helm-controller installs.
//!
//! Sources: helm-controller `21a911f` (`pkg/controllers/chart`): `valuesContent` is one string that a patch replaces whole, a
//! HelmChartConfig of the same name is merged over it, an unset `version` upgrades at every change, and `failurePolicy`
//! defaults to `reinstall`, which uninstalls the release first.

use serde_json::{Value, json};

use crate::facts::kubernetes::{HelmChart, HelmChartConfig, Meta};
use crate::facts::{Facts, Kind, Known, Need};
use crate::{Changes, Step};

/// What [`Chart::named`] and [`Chart::of`] read.
pub const NEEDS: [&Need; 2] = [&HelmChart::NEED, &HelmChartConfig::NEED];

/// Where cloud-configs write what k3s applies at every start.
const MANIFESTS: &str =
    "a manifest that your cloud-config in /oem writes to /var/lib/rancher/k3s/server/manifests/";

/// What helm-controller does where nobody said otherwise.
const UNINSTALLS: &str =
    "set spec.failurePolicy: abort beside it first: unset, a failed upgrade uninstalls the release";

/// A HelmChart and the HelmChartConfig beside it.
#[derive(Clone, Copy)]
pub struct Chart<'a> {
    pub chart: &'a HelmChart,
    pub config: Option<&'a HelmChartConfig>,
}

impl<'a> Chart<'a> {
    /// The HelmChart that installs the chart of that name (`cilium`, `hcloud-csi`), whatever it is called itself.
    pub fn named(facts: &'a Facts, name: &str) -> Known<Option<Chart<'a>>> {
        let charts = facts.all::<HelmChart>()?;
        charts
            .iter()
            .find(|chart| chart_name(chart) == name)
            .map(|chart| Chart::with(facts, chart))
            .transpose()
    }

    /// The HelmChart whose release an object belongs to, by Helm's annotations; release names are unique in a namespace only.
    pub fn of(facts: &'a Facts, meta: &Meta) -> Known<Option<Chart<'a>>> {
        let Some(release) = meta.annotation("meta.helm.sh/release-name") else { return Ok(None) };
        let namespace = meta.annotation("meta.helm.sh/release-namespace").unwrap_or_default();
        let is_of = |c: &&HelmChart| {
            c.metadata.name == *release && (namespace.is_empty() || c.release_namespace() == namespace)
        };
        let charts = facts.all::<HelmChart>()?;
        charts.iter().find(is_of).map(|chart| Chart::with(facts, chart)).transpose()
    }

    fn with(facts: &'a Facts, chart: &'a HelmChart) -> Known<Chart<'a>> {
        let configs = facts.all::<HelmChartConfig>()?;
        let same = |c: &&HelmChartConfig| c.reference().path() == chart.reference().path();
        Ok(Chart { chart, config: configs.iter().find(same) })
    }

    /// Any change to it also upgrades it: it names no version, and comes from a repository.
    pub fn is_unpinned(&self) -> bool {
        self.chart.spec.version.is_empty() && !self.chart.spec.chart.contains(".tgz")
    }

    /// A value as the release gets it: the HelmChartConfig's, else the HelmChart's.
    pub fn value(&self, path: &str) -> Option<String> {
        let config = self.config.and_then(|config| config.spec.values_content.text(path));
        config.or_else(|| self.chart.spec.values_content.text(path))
    }

    /// Gives the chart these values, now and for good: pins the running version (`1.35.0`, where it is known) first, and adds
    /// a HelmChartConfig where there is none.
    pub fn set(&self, why: &str, running: Option<&str>, values: Value) -> Vec<Step> {
        let mut steps = self.pin(running);
        match self.config {
            Some(config) => {
                let place = format!("spec.valuesContent of {}, beside what is there", config.reference());
                let step = Step::write(Changes::Cluster, why, place, values.clone());
                steps.push(if self.uninstalls() { step.hazard(UNINSTALLS) } else { step });
                let why =
                    "the same where that HelmChartConfig comes from, so that the next boot does not undo it";
                steps.push(Step::write(Changes::Cluster, why, MANIFESTS, values).for_good());
            }
            None => {
                let object = self.new_config(values);
                steps.push(Step::apply(why, object.clone()));
                steps.push(self.manifest(object));
            }
        }
        steps
    }

    /// The same, but only for good: where a quicker step has been given for now.
    pub fn set_for_good(&self, running: Option<&str>, values: Value) -> Vec<Step> {
        let step = match self.config {
            Some(config) => {
                let place = format!("spec.valuesContent of {}, beside what is there", config.reference());
                let step = Step::write(
                    Changes::Cluster,
                    "into the values that the chart already gets",
                    place,
                    values,
                );
                (if self.uninstalls() { step.hazard(UNINSTALLS) } else { step }).for_good()
            }
            None => self.manifest(self.new_config(values)),
        };
        let mut steps: Vec<Step> = self.pin(running).into_iter().map(Step::for_good).collect();
        steps.push(step);
        steps
    }

    /// A failed upgrade ends in an uninstall: the HelmChartConfig's policy counts before the HelmChart's, and both are silent
    /// or say so.
    fn uninstalls(&self) -> bool {
        let of_config = self.config.map(|config| &*config.spec.failure_policy).filter(|it| !it.is_empty());
        !matches!(of_config.unwrap_or(&*self.chart.spec.failure_policy), "abort" | "retry")
    }

    fn new_config(&self, values: Value) -> Value {
        let meta = &self.chart.metadata;
        json!({
            "apiVersion": "helm.cattle.io/v1",
            "kind": "HelmChartConfig",
            "metadata": {"name": meta.name, "namespace": meta.namespace},
            "spec": {"failurePolicy": "abort", "valuesContent": values},
        })
    }

    fn manifest(&self, object: Value) -> Step {
        let why = "k3s merges it over the chart's own values at every start; valuesContent is one string";
        Step::write(Changes::Cluster, why, MANIFESTS, object).for_good()
    }

    /// Sets the version that runs, because any change to an unpinned chart upgrades it.
    fn pin(&self, running: Option<&str>) -> Vec<Step> {
        if !self.is_unpinned() {
            return Vec::new();
        }
        let (name, namespace) = (&*self.chart.metadata.name, self.chart.metadata.namespace.as_deref());
        let Some(version) = running else {
            return vec![Step::decide(format!(
                "set spec.version of HelmChart {name} to the version that runs first: it names none, so any change to its \
                 values also upgrades it"
            ))];
        };
        // The pin itself runs Helm again, and what fails then must not be answered by uninstalling.
        let spec = json!({"version": version, "failurePolicy": "abort"});
        let patch = json!({ "spec": spec }).to_string();
        let args = [
            "patch",
            "helmchart",
            name,
            "-n",
            namespace.unwrap_or_default(),
            "--type",
            "merge",
            "-p",
            &patch,
        ];
        let why =
            format!("pins the chart at the version that runs: unpinned, any change also upgrades {name}");
        let for_good = Step::write(
            Changes::Cluster,
            "the same in the cloud-config, whose manifest is written anew at every boot",
            format!("the HelmChart {name} in your cloud-config in /oem"),
            json!({ "spec": spec }),
        );
        vec![Step::kubectl(Changes::Cluster, why, &args), for_good.for_good()]
    }
}

/// The chart's name without repository, archive and version: `traefik` of `https://…/traefik-39.0.701+up39.0.7.tgz`.
pub fn chart_name(chart: &HelmChart) -> &str {
    let file = chart.spec.chart.rsplit('/').next().unwrap_or_default();
    let Some(archive) = file.strip_suffix(".tgz") else { return file };
    let version = archive
        .match_indices('-')
        .find(|(at, _)| archive[at + 1..].trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()));
    version.map_or(archive, |(at, _)| &archive[..at])
}
