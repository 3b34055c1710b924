//! What to do about the job that installs a chart for k3s.
//!
//! Source: helm-controller `21a911f` (`pkg/controllers/chart/chart.go`): the job belongs to the HelmChart and is made anew
//! when it is deleted or when what it was made from changes; `bootstrap` gives it tolerations and the host's network;
//! `failurePolicy` is `reinstall` where nothing is said.

use serde_json::{Value, json};

use crate::facts::Kind;
use crate::facts::kubernetes::{HelmChart, HelmChartConfig, Job, Pod};
use crate::{Changes, Finding, Step};

fn namespace(chart: &HelmChart) -> &str {
    chart.metadata.namespace.as_deref().unwrap_or_default()
}

fn job_name(chart: &HelmChart) -> String {
    match &*chart.status.job_name {
        "" => format!("helm-install-{}", chart.metadata.name),
        name => name.to_string(),
    }
}

fn verify(finding: Finding, chart: &HelmChart) -> Finding {
    let job = job_name(chart);
    finding.verify_kubectl(
        &["get", "job", &job, "-n", namespace(chart)],
        "COMPLETIONS shows 1/1 within some minutes",
    )
}

/// Where the chart comes from: what kubectl changes in it is undone at the next boot.
fn manifest(chart: &HelmChart, why: &str, spec: Value) -> Step {
    let name = &chart.metadata.name;
    let place = format!("the manifest of HelmChart {name} in your cloud-config in /oem");
    Step::write(Changes::Cluster, why, place, json!({ "spec": spec })).for_good()
}

fn patch(chart: &HelmChart, why: &str, spec: Value) -> Step {
    let patch = json!({ "spec": spec }).to_string();
    let args =
        ["patch", "helmchart", &chart.metadata.name, "-n", namespace(chart), "--type", "merge", "-p", &patch];
    Step::kubectl(Changes::Cluster, why, &args)
}

/// Read the log, mend what it names, try again.
pub fn retry(finding: Finding, chart: &HelmChart, job: &Job, lenient: bool) -> Finding {
    let (name, namespace) = (&*job.metadata.name, namespace(chart));
    let target = format!("job/{name}");
    let log = ["logs", "-n", namespace, &target, "--tail", "50"];
    let mut finding =
        finding.step(Step::kubectl(Changes::Nothing, "Helm's own words, the last ones count", &log));
    if !lenient {
        // A patch of the policy alone is safe, and takes the sting out of what follows.
        let why =
            "a failed upgrade then stops; unset, helm-controller uninstalls the release and installs it anew";
        finding = finding.step(patch(chart, why, json!({"failurePolicy": "abort"})));
    }
    let mend = format!(
        "what to mend by those words. `another operation is in progress` or pending-upgrade: an install was interrupted, delete \
         the newest Secret sh.helm.release.v1.{0}.*. `cannot be imported into the current release`: somebody else made that \
         object, delete it or set takeOwnership. `no such host`, `timeout`: DNS or the way to the chart's repository. `cannot \
         unmarshal`, `parse error`, `failed pre-install`: the values, in the manifest of HelmChart {0} or its HelmChartConfig",
        chart.metadata.name
    );
    let again = ["delete", "job", name, "-n", namespace];
    let mut finding = finding.step(Step::decide(mend)).step(Step::kubectl(
        Changes::Cluster,
        "then at once and not after the pause: helm-controller makes the job anew",
        &again,
    ));
    if !lenient {
        let why =
            "the same for good; where a HelmChartConfig of that name sets failurePolicy, that one counts";
        finding = finding.step(manifest(chart, why, json!({"failurePolicy": "abort"})));
    }
    let why = "put what you mended into the manifest that the cloud-config in /oem writes: kubectl edit is undone at the next boot";
    verify(finding.step(Step::decide(why).for_good()), chart)
}

pub fn unreadable(finding: Finding, chart: &HelmChart, in_config: bool) -> Finding {
    let kind = if in_config { "helmchartconfig" } else { "helmchart" };
    let args =
        ["get", kind, &*chart.metadata.name, "-n", namespace(chart), "-o", "jsonpath={.spec.valuesContent}"];
    let show = Step::kubectl(Changes::Nothing, "shows the text; look for the indents, tabs and {{", &args)
        .hazard("values may hold a token: do not paste them elsewhere");
    let edit = ["edit", kind, &*chart.metadata.name, "-n", namespace(chart)];
    let edit =
        Step::kubectl(Changes::Cluster, "mends it until the next boot; the job starts anew by itself", &edit);
    let why = format!(
        "mend it in the manifest of {kind} {} in your cloud-config in /oem as well",
        chart.metadata.name
    );
    verify(finding.step(show).step(edit).step(Step::decide(why).for_good()), chart)
}

/// `needed`: nodes are initialised, or get a network, only by this chart; it must not wait for that.
pub fn waits(finding: Finding, chart: &HelmChart, needed: bool) -> Finding {
    let finding = match needed {
        true => {
            let why = "lets its job run on nodes that nobody has initialised yet, which only this chart's program does or allows";
            let spec = json!({"bootstrap": true});
            finding.step(patch(chart, why, spec.clone())).step(manifest(chart, "the same at the next boot", spec))
        }
        false => finding.step(Step::decide(format!(
            "why the cloud controller does not initialise the nodes (`kairos-doctor --only cloud-controller,nodes`): chart {} \
             goes on by itself then, and needs no change",
            chart.metadata.name
        ))),
    };
    verify(finding, chart)
}

pub fn unplaced(finding: Finding, pod: &Pod) -> Finding {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let args = ["describe", "pod", &*pod.metadata.name, "-n", namespace];
    finding
        .step(Step::kubectl(Changes::Nothing, "says for each node why not", &args))
        .step(Step::decide("make room or bring a node back; the job goes on by itself then"))
        .verify_kubectl(&["get", "pod", &pod.metadata.name, "-n", namespace], "Running, then Completed")
}

pub fn image(finding: Finding, chart: &HelmChart, pod: &Pod, image: &str) -> Finding {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let events = ["describe", "pod", &*pod.metadata.name, "-n", namespace];
    let pull = format!("pulls {image} on node {} and says why it fails", pod.spec.node_name);
    let mut finding = finding
        .because(
            "The job's own image is missing, so Helm has not even started: this is no fault of the chart.",
        )
        .step(Step::kubectl(Changes::Nothing, "the registry's answer stands in the events", &events));
    if !image.is_empty() && !pod.spec.node_name.is_empty() {
        let step = Step::on_node(pull, &["sudo", "k3s", "crictl", "pull", image]);
        finding = finding.step(step);
    }
    verify(
        finding.step(Step::decide(
            "mend the node's DNS, its way out or its registries.yaml; the pull is repeated by itself",
        )),
        chart,
    )
}

pub fn not_taken(finding: Finding, chart: &HelmChart) -> Finding {
    let args = [
        "get",
        "helmchart",
        &*chart.metadata.name,
        "-n",
        namespace(chart),
        "-o",
        "jsonpath={.status.conditions}",
    ];
    verify(
        finding.step(Step::kubectl(Changes::Nothing, "shows what helm-controller said, if it said anything", &args)).step(
            Step::decide(
                "whether --disable-helm-controller is to stay on the servers: without it k3s installs the chart; else install it \
                 with Helm",
            ),
        ),
        chart,
    )
}

/// It was meant for that chart.
pub fn misnamed(finding: Finding, config: &HelmChartConfig, chart: &HelmChart) -> Finding {
    let meant = chart.reference().path();
    let (name, namespace) =
        (&*config.metadata.name, config.metadata.namespace.as_deref().unwrap_or_default());
    let why = format!(
        "in the manifest of {}: call it as the HelmChart is called, {meant}, and apply it; the chart is then upgraded with these \
         values",
        config.reference()
    );
    let place = format!("the manifest of {}", config.reference());
    let renamed = json!({"metadata": {"name": chart.metadata.name, "namespace": chart.metadata.namespace}});
    finding
        .step(Step::write(Changes::Cluster, why, place, renamed).hazard(
            "set failurePolicy: abort in it: unset, a failed upgrade uninstalls the release. A HelmChart without a version is \
             also upgraded to the newest",
        ))
        .step(Step::kubectl(Changes::Cluster, "removes the one that does nothing", &["delete", "helmchartconfig", name, "-n", namespace]))
        .step(Step::decide("rename it in the cloud-config in /oem, which writes it anew at every boot").for_good())
        .verify_kubectl(&["get", "helmchartconfig", &chart.metadata.name, "-n", self::namespace(chart)], "it is there")
}

pub fn alone(finding: Finding, config: &HelmChartConfig) -> Finding {
    let (name, namespace) =
        (&*config.metadata.name, config.metadata.namespace.as_deref().unwrap_or_default());
    finding
        .step(Step::decide(format!(
            "whether a HelmChart {name} is to be there (k3s has traefik, unless it is disabled): if not, take the HelmChartConfig \
             out of the cloud-config"
        )))
        .verify_kubectl(&["get", "helmchart", "-n", namespace], "one has the name of each HelmChartConfig")
}
