//! The report as JSON: a contract for scripts. Additive only; the schema is made from these types.

use std::collections::BTreeMap;

use kairos_doctor_checks::domain::cluster::Component as Known;
use kairos_doctor_checks::engine::{Ranked, Report, Status};
use kairos_doctor_checks::{Act, Changes, Confidence, ObjectRef, Severity, Step, When};
use schemars::JsonSchema;
use serde::Serialize;

mod since;
#[cfg(test)]
mod tests;

use super::{SCHEMA, View, command, shown};
use since::{Accepted, Baseline, Short, Since, Unused};

/// The report of one run.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "kairos-doctor report, version 1")]
pub struct Document {
    /// `kairos-doctor/report/v1`.
    schema: &'static str,
    /// The version of the program.
    version: &'static str,
    /// When the cluster was read, RFC 3339.
    generated_at: String,
    outcome: Outcome,
    /// What pseudonyms stand for, counted by kind; absent where nothing was replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    redacted: Option<Replaced>,
    cluster: Cluster,
    summary: Summary,
    /// In rank order: each root before what it explains.
    findings: Vec<Finding>,
    /// What --min-severity hides, so that a later run can compare itself with this one; absent where it hides nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hidden: Vec<Short>,
    /// What a suppressions file keeps from being counted; absent where there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressed: Vec<Accepted>,
    /// Entries of the suppressions file that have ended or match nothing; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unused_suppressions: Vec<Unused>,
    /// What has changed since the report that --baseline names; absent without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<Baseline>,
    checks: Vec<Checked>,
    gaps: Vec<Gap>,
}

#[derive(Serialize, JsonSchema)]
struct Outcome {
    /// The exit status: 0 nothing, 1 a finding at or above --fail-on, 3 a check could not look.
    exit: u8,
    why: String,
}

#[derive(Serialize, JsonSchema)]
struct Cluster {
    /// The kubeconfig context.
    context: Option<String>,
    /// The UID of the namespace kube-system.
    uid: Option<String>,
    kubernetes_version: Option<String>,
    nodes: Option<usize>,
    /// How many nodes' kubelets showed a certificate of this cluster; null where none was asked.
    kubelets: Option<usize>,
    components: Components,
    hetzner: Hetzner,
}

#[derive(Serialize, JsonSchema)]
struct Components {
    ccm: Option<Component>,
    csi: Option<Component>,
    cni: Option<Component>,
    gateway: Option<Component>,
}

#[derive(Serialize, JsonSchema)]
struct Component {
    name: String,
    version: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Hetzner {
    /// Whether the Hetzner token shows this cluster's servers: same, other, undetermined or not-read.
    project: &'static str,
}

#[derive(Serialize, JsonSchema)]
struct Replaced {
    /// Two reports of one cluster with the same mark give the same machine the same name.
    naming: String,
    /// How many of each kind: addresses, machines, domains, hetzner_names, identifiers, people.
    counts: BTreeMap<String, usize>,
}

#[derive(Serialize, JsonSchema)]
struct Summary {
    /// All findings by their own severity, those below --min-severity included.
    findings: Counts,
    /// How many findings --min-severity hides.
    hidden: usize,
    /// How many findings a suppressions file keeps from being counted above.
    suppressed: usize,
    checks: Statuses,
}

#[derive(Serialize, JsonSchema)]
struct Counts {
    critical: usize,
    error: usize,
    warning: usize,
    info: usize,
}

#[derive(Serialize, JsonSchema)]
struct Statuses {
    healthy: usize,
    found: usize,
    unknown: usize,
    not_applicable: usize,
}

#[derive(Serialize, JsonSchema)]
struct Finding {
    rank: usize,
    /// Code, subject and discriminator: the same from run to run.
    id: String,
    code: &'static str,
    /// The check's slug.
    check: &'static str,
    area: &'static str,
    /// critical, error, warning or info.
    severity: &'static str,
    /// confirmed: something showed it; predicted: the configuration implies it.
    confidence: &'static str,
    /// What is true when this check is healthy.
    title: &'static str,
    /// What is wrong.
    says: String,
    /// What follows from it, or how it comes about.
    because: Option<String>,
    /// The object to repair first, then those it was found through, of these 100 at most.
    subjects: Vec<Subject>,
    /// What it rests on, 50 pieces at most: what is wrong with thousands of objects alike is seen at the first ones, and the
    /// headline says how many there are.
    evidence: Vec<Evidence>,
    fix: Vec<Fix>,
    verify: Vec<Verify>,
    /// IDs of the nearest causes.
    caused_by: Vec<String>,
    /// IDs of everything under this root.
    explains: Vec<String>,
    /// When it begins to hurt, RFC 3339, where that is known.
    deadline: Option<String>,
    /// Beside the report that --baseline names; absent without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Since>,
}

#[derive(Serialize, JsonSchema)]
struct Subject {
    kind: String,
    namespace: Option<String>,
    name: String,
    /// Hetzner's ID, for objects of its API.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
struct Evidence {
    /// The object, as "Kind namespace/name".
    source: String,
    /// Where in the object.
    path: String,
    /// What stands there; null: not set.
    value: Option<String>,
    time: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Fix {
    /// now or for-good.
    when: &'static str,
    why: String,
    /// The program and its arguments; null where there is nothing to run.
    argv: Option<Vec<String>>,
    /// The same for a POSIX shell, with its standard input where it has one.
    command: Option<String>,
    /// Where `snippet` goes, when it is to be written and not applied.
    place: Option<String>,
    /// YAML.
    snippet: Option<String>,
    /// nothing, cluster, cloud or node.
    changes: &'static str,
    /// What can go wrong by it; read it first.
    hazard: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Verify {
    argv: Vec<String>,
    command: String,
    /// What its output shows when it worked.
    expect: String,
}

#[derive(Serialize, JsonSchema)]
struct Checked {
    code: &'static str,
    check: &'static str,
    area: &'static str,
    title: &'static str,
    /// healthy, found, unknown or not_applicable.
    status: &'static str,
    examined: usize,
    detail: String,
}

#[derive(Serialize, JsonSchema)]
struct Gap {
    /// What was not read: a need, or a whole source.
    need: String,
    /// The one object of it; null: all.
    item: Option<String>,
    /// forbidden, unreachable, timed-out, not-configured, left-out, malformed, rate-limited, changed, other-project or not-read.
    why: &'static str,
    detail: String,
    remedy: String,
    /// Codes of the checks that would have needed it.
    hides: Vec<&'static str>,
}

/// The report as pretty-printed JSON, with a line end.
pub fn render(report: &Report, view: &View) -> String {
    let document = Document::of(report, view);
    serde_json::to_string_pretty(&document).expect("a report is plain data") + "\n"
}

/// The JSON Schema of [`render`]'s document.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Document);
    serde_json::to_string_pretty(&schema).expect("a schema is plain data") + "\n"
}

impl Document {
    fn of(report: &Report, view: &View) -> Document {
        let (shown, hidden) = shown(report, view.min_severity);
        let status = |status| report.count_status(status);
        Document {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            generated_at: report.generated_at.to_string(),
            outcome: Outcome { exit: view.outcome.exit, why: view.outcome.why.clone() },
            cluster: cluster(report),
            redacted: view.replaced.as_ref().map(|replaced| Replaced {
                naming: (&replaced.naming).into(),
                counts: replaced.counts.iter().map(|(kind, count)| (kind.into(), *count)).collect(),
            }),
            summary: Summary {
                findings: Counts {
                    critical: report.count(Severity::Critical),
                    error: report.count(Severity::Error),
                    warning: report.count(Severity::Warning),
                    info: report.count(Severity::Info),
                },
                hidden,
                suppressed: view.suppressed.findings.len(),
                checks: Statuses {
                    healthy: status(Status::Healthy),
                    found: status(Status::Found),
                    unknown: status(Status::Unknown),
                    not_applicable: status(Status::NotApplicable),
                },
            },
            findings: shown.into_iter().map(|ranked| finding(ranked, report, view)).collect(),
            hidden: since::hidden(report, view),
            suppressed: view.suppressed.findings.iter().map(since::accepted).collect(),
            unused_suppressions: view.suppressed.unused.iter().map(since::unused).collect(),
            baseline: view.since.as_ref().map(since::baseline),
            checks: report.checks.iter().map(checked).collect(),
            gaps: report.gaps.iter().map(gap).collect(),
        }
    }
}

fn cluster(report: &Report) -> Cluster {
    let component = |known: &Option<Known>| {
        let known = known.as_ref()?;
        Some(Component { name: (&known.name).into(), version: known.version.as_ref().map(Into::into) })
    };
    let c = &report.cluster;
    Cluster {
        context: report.context.as_ref().map(Into::into),
        uid: c.uid.as_ref().map(Into::into),
        kubernetes_version: c.kubernetes_version.as_ref().map(Into::into),
        nodes: c.nodes,
        kubelets: c.kubelets,
        components: Components {
            ccm: component(&c.ccm),
            csi: component(&c.csi),
            cni: component(&c.cni),
            gateway: component(&c.gateway),
        },
        hetzner: Hetzner { project: c.project },
    }
}

fn finding(ranked: &Ranked, report: &Report, view: &View) -> Finding {
    let f = &ranked.finding;
    Finding {
        rank: ranked.rank,
        id: ranked.id.clone(),
        code: ranked.check.code,
        check: ranked.check.slug,
        area: ranked.check.area(),
        severity: ranked.severity.as_str(),
        confidence: confidence(f.confidence),
        title: ranked.check.title,
        says: f.says.clone(),
        because: f.because.clone(),
        subjects: f.places().map(subject).collect(),
        evidence: f.evidence.iter().map(evidence).collect(),
        fix: f.steps.iter().map(|step| fix(step, report)).collect(),
        verify: f.verify.iter().map(|v| verify(&v.argv, &v.expect, report)).collect(),
        caused_by: ranked.caused_by.clone(),
        explains: ranked.explains.clone(),
        deadline: f.deadline.map(|d| d.to_string()),
        since: view.since.as_ref().and_then(|c| c.of(ranked)).map(since::since),
    }
}

fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Confirmed => "confirmed",
        Confidence::Predicted => "predicted",
    }
}

fn subject(object: &ObjectRef) -> Subject {
    Subject {
        kind: (&object.kind).into(),
        namespace: object.namespace.as_ref().map(Into::into),
        name: (&object.name).into(),
        id: object.id,
    }
}

fn evidence(shown: &kairos_doctor_checks::Evidence) -> Evidence {
    Evidence {
        source: shown.source.to_string(),
        path: shown.path.clone(),
        value: shown.value.as_ref().map(Into::into),
        time: shown.time.map(|t| t.to_string()),
    }
}

fn fix(step: &Step, report: &Report) -> Fix {
    let mut fix = Fix {
        when: match step.when {
            When::Now => "now",
            When::ForGood => "for-good",
        },
        why: step.why.clone(),
        argv: None,
        command: None,
        place: None,
        snippet: None,
        changes: match step.changes {
            Changes::Nothing => "nothing",
            Changes::Cluster => "cluster",
            Changes::Cloud => "cloud",
            Changes::Node => "node",
        },
        hazard: step.hazard.clone(),
    };
    match &step.act {
        Act::Decide => {}
        Act::Run(argv) => {
            let argv = command::argv(argv, report);
            fix.command = Some(command::line(&argv));
            fix.argv = Some(argv);
        }
        Act::Apply(object) => {
            let argv = ["kubectl", "apply", "-f", "-"].map(String::from);
            fix.argv = Some(command::argv(&argv, report));
            fix.command = Some(command::lines(&step.act, report, usize::MAX, 0).join("\n"));
            fix.snippet = Some(super::yaml::text(object));
        }
        Act::Write { place, snippet } => {
            fix.place = Some(place.clone());
            fix.snippet = Some(super::yaml::text(snippet));
        }
    }
    fix
}

fn verify(argv: &[String], expect: &str, report: &Report) -> Verify {
    let argv = command::argv(argv, report);
    Verify { command: command::line(&argv), argv, expect: expect.to_string() }
}

fn checked(checked: &kairos_doctor_checks::engine::Checked) -> Checked {
    Checked {
        code: checked.check.code,
        check: checked.check.slug,
        area: checked.check.area(),
        title: checked.check.title,
        status: checked.status.as_str(),
        examined: checked.examined,
        detail: checked.detail.clone(),
    }
}

fn gap(hidden: &kairos_doctor_checks::engine::Hidden) -> Gap {
    let gap = &hidden.gap;
    Gap {
        need: (&gap.need).into(),
        item: gap.item.as_ref().map(Into::into),
        why: gap.why.as_str(),
        detail: (&gap.detail).into(),
        remedy: gap.remedy().to_string(),
        hides: hidden.hides.clone(),
    }
}
