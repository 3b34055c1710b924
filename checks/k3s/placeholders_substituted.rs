//! When a template's placeholder such as `<HETZNER_REGION>` is left in a cloud-config, everything starts and nothing works,
//! because to Helm, Kubernetes and k3s it is a string like any other, which only Hetzner's API refuses
//! (kairos-io/hadron `examples/hetzner-cloud`: `<HETZNER_API_TOKEN>`, `<HETZNER_NETWORK_NAME_OR_ID>`, `<HETZNER_REGION>`).

use crate::domain::hccm::{self, Ccm, Var};
use crate::domain::hccm_log::{Said, Word, heard};
use crate::domain::k3s;
use crate::domain::owner::{self, Owner};
use crate::facts::controller_log::ControllerLog;
use crate::facts::kubernetes::{
    Container, DaemonSet, Deployment, HelmChart, HelmChartConfig, Meta, Node, Service, Values, is_placeholder,
};
use crate::facts::{Facts, Kind, Known};
use crate::remedies::charts::{self, Chart};
use crate::remedies::controller;
use crate::remedies::placeholders as remedies;
use crate::{Check, Finding, ObjectRef, Severity, Verdict};

pub const CHECK: Check = Check {
    code: "KD801",
    slug: "placeholders-substituted",
    title: "no template placeholder is left",
    examines: "charts, controllers, Services and nodes",
    severity: Severity::Critical,
    needs: &[
        hccm::NEEDS[0],
        hccm::NEEDS[1],
        hccm::NEEDS[2],
        owner::NEEDS[0],
        charts::NEEDS[0],
        charts::NEEDS[1],
        &Service::NEED,
        &Node::NEED,
        &ControllerLog::NEED,
    ],
    caused_by: &[],
    explain: include_str!("placeholders_substituted.md"),
    judge,
};

/// Whether a placeholder stands in that variable of the cloud controller, or may: the keys of a Secret are not told apart.
pub fn is_in(cause: &Finding, variable: &str) -> bool {
    cause.subject.kind == "Secret" || cause.evidence.iter().any(|evidence| evidence.path.contains(variable))
}

/// What the controller reads only when it makes a load balancer does not keep it from running.
pub fn keeps_it_from_running(cause: &Finding, effect: &Finding) -> bool {
    cause.subject.kind == "Secret"
        || effect.discriminator == Some("config")
        || cause.evidence.iter().any(|evidence| !evidence.path.contains("HCLOUD_LOAD_BALANCERS"))
}

const PREFIX: &str = "load-balancer.hetzner.cloud/";

/// How long the token is that stands in its place in published templates: that much the controller's log tells of a Secret.
const TOKENS: &[&str] =
    &["<HETZNER_API_TOKEN>", "<HCLOUD_TOKEN>", "<YOUR_HETZNER_API_TOKEN>", "<YOUR_HCLOUD_TOKEN>"];

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let charts = facts.all::<HelmChart>()?;
    let configs = facts.all::<HelmChartConfig>()?;
    let ccm = Ccm::find(facts)?;
    v.examined += charts.len() + configs.len();
    let mut found = Vec::new();
    for chart in charts {
        found.extend(of_values(chart, &chart.spec.values_content, facts));
    }
    for config in configs {
        found.extend(of_values(config, &config.spec.values_content, facts));
    }
    for workload in facts.all::<Deployment>()? {
        let containers = &workload.spec.template.spec.containers;
        of_workload(facts, workload, &workload.metadata, containers, &mut found)?;
        v.examined += usize::from(!containers.is_empty());
    }
    for workload in facts.all::<DaemonSet>()? {
        let containers = &workload.spec.template.spec.containers;
        of_workload(facts, workload, &workload.metadata, containers, &mut found)?;
        v.examined += usize::from(!containers.is_empty());
    }
    if let Some(ccm) = &ccm {
        of_running(facts, ccm, &mut found)?;
        of_log(facts, ccm, v, &mut found);
    }
    of_services(facts, ccm.as_ref(), v, &mut found)?;
    of_nodes(facts, v, &mut found)?;
    for place in found {
        v.findings.push(remedies::fill_in(place.finding, facts, &place.names, place.chart.as_ref()));
    }
    Ok(())
}

/// One object that has placeholders in it.
struct Found<'a> {
    finding: Finding,
    /// The placeholders, `<HETZNER_REGION>`, each with its path.
    names: Vec<(String, String)>,
    chart: Option<Chart<'a>>,
}

impl Found<'_> {
    fn has(&self, placeholder: &str) -> bool {
        self.names.iter().any(|(_, name)| name == placeholder)
    }

    /// The finding about a chart, or its HelmChartConfig, that this placeholder comes from.
    fn is_source(&self, chart: &Chart, placeholder: &str) -> bool {
        let own = self.chart.as_ref().is_some_and(|own| own.chart.reference() == chart.chart.reference());
        own && self.has(placeholder)
    }

    fn relate(&mut self, object: ObjectRef) {
        let finding = std::mem::replace(&mut self.finding, Finding::about(object.clone(), ""));
        self.finding = finding.relates_to(object);
    }
}

/// `HelmChart traefik still has <A> and 2 more in it`.
fn says(what: &str, names: &[(String, String)]) -> String {
    let mut unique: Vec<&str> = names.iter().map(|(_, name)| &**name).collect();
    unique.sort();
    unique.dedup();
    match unique[..] {
        [only] => format!("{what} still has {only} in it"),
        _ => format!("{what} still has {} and {} more in it", unique[0], unique.len() - 1),
    }
}

fn of_values<'a>(object: &impl Kind, values: &Values, facts: &'a Facts) -> Option<Found<'a>> {
    let reference = object.reference();
    let configs = facts.all::<HelmChartConfig>().unwrap_or_default();
    let config = configs.iter().find(|config| config.reference().path() == reference.path());
    let mut names = values.placeholders();
    if reference.kind == "HelmChart" {
        // what a HelmChartConfig says in its place is what Helm gets
        names.retain(|(path, _)| config.is_none_or(|config| config.spec.values_content.text(path).is_none()));
    }
    if names.is_empty() {
        return None;
    }
    let mut finding = Finding::new(object, says(&format!("{} {}", reference.kind, reference.name), &names))
        .because("Helm passes it on as it is, and what gets it asks Hetzner for something of that name.");
    for (path, _) in &names {
        finding = finding.shows(object, &format!("values {path}"));
    }
    // Its HelmChart or HelmChartConfig is the other half of the same values.
    let charts = facts.all::<HelmChart>().unwrap_or_default();
    let chart = charts.iter().find(|chart| chart.reference().path() == reference.path());
    if let Some(chart) = chart {
        finding = finding.relates(chart);
    }
    Some(Found { finding, names, chart: chart.map(|chart| Chart { chart, config }) })
}

/// Literal variables of what runs, as far as they are kept; those that a chart gives belong to the chart.
fn of_workload<'a>(
    facts: &'a Facts,
    workload: &impl Kind,
    meta: &Meta,
    containers: &[Container],
    found: &mut Vec<Found<'a>>,
) -> Known<()> {
    let names = literal(containers);
    if names.is_empty() {
        return Ok(());
    }
    if let Some(chart) = Chart::of(facts, meta)?
        && let Some(source) =
            found.iter_mut().find(|found| names.iter().any(|(_, name)| found.is_source(&chart, name)))
    {
        source.relate(workload.reference());
        return Ok(());
    }
    let reference = workload.reference();
    let mut finding = Finding::new(workload, says(&format!("{} {}", reference.kind, reference.name), &names))
        .because("It was started with that string, and asks Hetzner for something of that name.");
    for (path, _) in &names {
        finding = finding.shows(workload, path);
    }
    found.push(Found { finding, names, chart: None });
    Ok(())
}

fn literal(containers: &[Container]) -> Vec<(String, String)> {
    let vars = containers.iter().flat_map(|container| &container.env.0);
    let with = vars.filter_map(|var| Some((format!("env {}", var.name), var.value.as_ref()?.to_string())));
    with.filter(|(_, value)| is_placeholder(value)).collect()
}

/// The controller's pod: what it runs with may be older than what its workload says by now.
fn of_running(facts: &Facts, ccm: &Ccm, found: &mut Vec<Found>) -> Known<()> {
    let Some(pod) = ccm.pod() else { return Ok(()) };
    let names = literal(&pod.spec.containers);
    let workload = ccm.workload(facts)?;
    let chart = ccm.chart(facts)?;
    let known = |found: &&mut Found| {
        let same = found.finding.places().any(|place| *place == workload);
        let of_chart =
            chart.as_ref().is_some_and(|chart| names.iter().any(|(_, name)| found.is_source(chart, name)));
        same || of_chart
    };
    if names.is_empty() {
        return Ok(());
    }
    if let Some(source) = found.iter_mut().find(known) {
        source.relate(workload);
        source.relate(pod.reference());
        return Ok(());
    }
    let what = format!("the running pod of {}", workload.name);
    let mut finding = Finding::about(workload, says(&what, &names))
        .because("What it was made from has been mended; the pod was not made anew.");
    for (path, _) in &names {
        finding = finding.shows(pod, path);
    }
    let finding = controller::make_live(finding, facts, ccm)?;
    found.push(Found { finding, names: Vec::new(), chart: None });
    Ok(())
}

/// Secrets are never read; the controller says what was in them.
fn of_log(facts: &Facts, ccm: &Ccm, v: &mut Verdict, found: &mut Vec<Found>) {
    let from_secret = |name: &str| {
        let var = ccm.container().var(name)?;
        var.value_from.as_ref()?.secret_key_ref.clone()
    };
    let secrets = ["HCLOUD_TOKEN", "HCLOUD_NETWORK"].map(from_secret);
    if secrets.iter().all(Option::is_none) {
        return;
    }
    let Some(heard) = v.see(heard(facts)) else { return };
    v.gaps.extend(heard.unread);
    let [token, network] = secrets;
    let names = |said: &Said| matches!(&said.word, Word::NetworkNotFound { name } if is_placeholder(name));
    let network = network.and_then(|key| {
        let said = heard.said.iter().find(|said| names(said))?;
        let Word::NetworkNotFound { name } = &said.word else { return None };
        let says = format!("Secret {} still has {name} in it", key.name);
        Some((key, said, says, name.to_string(), false))
    });
    let token = token.and_then(|key| {
        let long = |said: &Said| match said.word {
            Word::TokenForm { got: Some(got) } => TOKENS.iter().copied().find(|token| token.len() == got),
            _ => None,
        };
        let (said, name) = heard.said.iter().find_map(|said| Some((said, long(said)?)))?;
        let says = format!(
            "the token in Secret {} is {} characters long, as the template's {name}",
            key.name,
            name.len()
        );
        let rejected = heard.said.iter().any(|said| matches!(said.word, Word::TokenRejected));
        Some((key, said, says, name.to_string(), !rejected))
    });
    // One Secret is mended once.
    let both = network.into_iter().chain(token);
    let mut secrets: Vec<Found> = Vec::new();
    for (key, said, says, name, guessed) in both {
        let secret = ObjectRef::new("Secret", Some(&ccm.namespace()), &key.name);
        let path = format!("key {}", key.key);
        match secrets.iter_mut().find(|found| found.finding.subject == secret) {
            Some(found) => {
                let finding = std::mem::replace(&mut found.finding, Finding::about(secret, ""));
                found.finding = finding.shows_at(said.log, &said.path(), said.line.time);
                found.names.push((path, name));
            }
            None => {
                let finding = Finding::about(secret, says)
                    .because("The doctor reads no Secrets; the cloud controller says what it was given.")
                    .shows_at(said.log, &said.path(), said.line.time)
                    .relates_to(ccm.reference());
                let finding = match ccm.workload(facts) {
                    Ok(workload) => finding.relates_to(workload),
                    Err(_) => finding,
                };
                let finding = if guessed { finding.predicted() } else { finding };
                secrets.push(Found { finding, names: vec![(path, name)], chart: None });
            }
        }
    }
    found.extend(secrets);
}

fn of_services<'a>(
    facts: &'a Facts,
    ccm: Option<&Ccm>,
    v: &mut Verdict,
    found: &mut Vec<Found<'a>>,
) -> Known<()> {
    for service in facts.all::<Service>()?.iter().filter(|service| service.wants_load_balancer()) {
        v.examined += 1;
        // one that takes the controller's variable, which is the placeholder
        if let Some(ccm) = ccm
            && service.annotation("location").is_none()
            && let Var::Is(location) = ccm.var("HCLOUD_LOAD_BALANCERS_LOCATION")
            && is_placeholder(location)
        {
            let reference = ccm.reference();
            let source = found.iter_mut().find(|found| {
                found.finding.places().any(|place| *place == reference)
                    && (found.names.is_empty() || found.has(location))
            });
            if let Some(source) = source {
                source.relate(service.reference());
            }
        }
        let annotations = service.metadata.annotations.0.iter();
        let names: Vec<(String, String)> = annotations
            .filter(|(key, value)| key.starts_with(PREFIX) && is_placeholder(value))
            .map(|(key, value)| (format!("metadata.annotations['{key}']"), value.to_string()))
            .collect();
        if names.is_empty() {
            continue;
        }
        let owner = Owner::of(facts, service)?;
        if let Owner::HelmChart(chart) = &owner
            && let Some(source) =
                found.iter_mut().find(|found| names.iter().any(|(_, name)| found.is_source(chart, name)))
        {
            source.relate(service.reference());
            continue;
        }
        let because = "Hetzner's cloud controller takes the annotation at its word, and the API refuses it.";
        let mut finding = match owner {
            Owner::Gateway(gateway) => {
                let mut finding = Finding::new(gateway, says(&gateway.reference().to_string(), &names));
                for (path, _) in &names {
                    finding = finding.shows(gateway, &path.replacen("metadata", "spec.infrastructure", 1));
                }
                finding
            }
            _ => Finding::new(service, says(&service.reference().to_string(), &names)),
        };
        for (path, _) in &names {
            finding = finding.shows(service, path);
        }
        found.push(Found { finding: finding.because(because), names, chart: None });
    }
    Ok(())
}

/// What k3s was started with. A node's name cannot be one: Kubernetes takes no such name.
fn of_nodes(facts: &Facts, v: &mut Verdict, found: &mut Vec<Found>) -> Known<()> {
    for node in facts.all::<Node>()?.iter().filter(|node| k3s::has_args(node)) {
        v.examined += 1;
        let names: Vec<(String, String)> = k3s::placeholders(node);
        if names.is_empty() {
            continue;
        }
        let finding = Finding::new(node, says(&format!("k3s on node {}", node.name()), &names))
            .severity(Severity::Warning)
            .because("k3s runs with that string as it is.")
            .shows(node, "metadata.annotations['k3s.io/node-args']");
        found.push(Found { finding, names, chart: None });
    }
    Ok(())
}
