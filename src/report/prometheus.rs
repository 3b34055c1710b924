//! The report as metrics in the Prometheus text format 0.0.4, for node_exporter's textfile collector.
//!
//! Every metric is a gauge, its samples stand together, and none has a timestamp, which that collector refuses. Names in
//! labels come from the cluster, so there are at most [`MOST`] findings by name; the rest is counted.

use std::collections::BTreeSet;

use kairos_doctor_checks::engine::{Ranked, Report, Status};
use kairos_doctor_checks::{Confidence, Severity};

use super::words::{clean, cut};
use super::{View, shown};
use crate::baseline::State;
use crate::suppressions::Idle;

/// So many findings have a series of their own, the worst first.
pub const MOST: usize = 500;
/// Kubernetes names are no longer than 253 characters.
const LONGEST: usize = 253;

const STATUSES: [Status; 4] = [Status::Healthy, Status::Found, Status::Unknown, Status::NotApplicable];

type Labels<'a> = Vec<(&'static str, &'a str)>;

/// The metrics, with a line end.
pub fn render(report: &Report, view: &View) -> String {
    let mut page = Page { out: String::new(), cluster: report.context.as_ref().map(|c| clean(c)) };
    page.one("build_info", "The version that wrote this.", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    let seconds = report.generated_at.as_millisecond() as f64 / 1000.0;
    page.one("run_timestamp_seconds", "When the cluster was read, in Unix time.", &[], seconds);
    page.one(
        "exit_status",
        "0 nothing found, 1 a finding that --fail-on asks for, 3 nothing found but a check could not look.",
        &[],
        f64::from(view.outcome.exit),
    );
    findings(&mut page, report, view);
    checks(&mut page, report);
    let unused = |expired: bool| {
        let of = |u: &&crate::suppressions::Unused| (u.why != Idle::Unmatched) == expired;
        view.suppressed.unused.iter().filter(of).count() as f64
    };
    page.family("suppressions_unused", "Entries of the suppressions file that suppress nothing, by reason.");
    page.sample("suppressions_unused", &[("reason", Idle::Expired.as_str())], unused(true));
    page.sample("suppressions_unused", &[("reason", Idle::Unmatched.as_str())], unused(false));
    since(&mut page, view);
    page.out
}

fn findings(page: &mut Page, report: &Report, view: &View) {
    page.family("findings", "How many findings there are, by their own severity; without suppressed ones.");
    for severity in Severity::ALL {
        page.sample("findings", &[("severity", severity.as_str())], report.count(severity) as f64);
    }
    let (shown, hidden) = shown(report, view.min_severity);
    page.one("findings_hidden", "How many of them --min-severity hides.", &[], hidden as f64);
    let suppressed = view.suppressed.findings.len() as f64;
    page.one(
        "findings_suppressed",
        "How many findings a suppressions file keeps from being counted.",
        &[],
        suppressed,
    );
    let unlisted = shown.len().saturating_sub(MOST) as f64;
    let help = "How many findings have no series of their own, because there are too many.";
    page.one("findings_unlisted", help, &[], unlisted);
    if shown.is_empty() {
        return;
    }
    page.family("finding", "1 for each finding: its check, its own severity, and the object to repair.");
    let mut told = BTreeSet::new();
    for ranked in shown.into_iter().take(MOST) {
        let name = cut(&clean(&ranked.finding.subject.name), LONGEST);
        let labels = labels(ranked, &name);
        // Two findings may be alike in all of this, and two samples may not.
        if told.insert(labels.iter().map(|(k, v)| format!("{k} {v}")).collect::<Vec<_>>()) {
            page.sample("finding", &labels, 1.0);
        }
    }
}

fn labels<'a>(ranked: &'a Ranked, name: &'a str) -> Labels<'a> {
    let subject = &ranked.finding.subject;
    let confidence = match ranked.finding.confidence {
        Confidence::Confirmed => "confirmed",
        Confidence::Predicted => "predicted",
    };
    vec![
        ("code", ranked.check.code),
        ("check", ranked.check.slug),
        ("severity", ranked.severity.as_str()),
        ("confidence", confidence),
        ("kind", &subject.kind),
        ("namespace", subject.namespace.as_deref().unwrap_or_default()),
        ("name", name),
        ("discriminator", ranked.finding.discriminator.unwrap_or_default()),
    ]
}

fn checks(page: &mut Page, report: &Report) {
    page.family("checks", "How many checks ended in which way.");
    for status in STATUSES {
        page.sample("checks", &[("status", status.as_str())], report.count_status(status) as f64);
    }
    if !report.checks.is_empty() {
        page.family("check_status", "1 for the way in which a check ended, 0 for the others.");
    }
    for checked in &report.checks {
        for status in STATUSES {
            let labels =
                [("code", checked.check.code), ("check", checked.check.slug), ("status", status.as_str())];
            page.sample("check_status", &labels, f64::from(u8::from(checked.status == status)));
        }
    }
    page.family("gaps", "What could not be read, by source.");
    for source in ["kubernetes", "hcloud", "kubelets"] {
        let count = report.gaps.iter().filter(|hidden| hidden.gap.source() == source).count();
        page.sample("gaps", &[("source", source)], count as f64);
    }
}

fn since(page: &mut Page, view: &View) {
    let Some(since) = &view.since else { return };
    if let Some(at) = since.read_at {
        let seconds = at.as_millisecond() as f64 / 1000.0;
        page.one(
            "baseline_timestamp_seconds",
            "When the cluster was read for the earlier report.",
            &[],
            seconds,
        );
    }
    page.family("since_baseline", "Findings of this and the earlier report, by what has become of them.");
    for state in State::ALL {
        page.sample("since_baseline", &[("state", state.as_str())], since.count(state) as f64);
    }
    let gone = [("fixed", since.fixed.len()), ("not_comparable", since.not_comparable.len())];
    for (state, count) in gone {
        page.sample("since_baseline", &[("state", state)], count as f64);
    }
}

struct Page {
    out: String,
    /// Tells the files of several clusters on one machine apart: no two samples of a collector may be alike.
    cluster: Option<String>,
}

impl Page {
    fn family(&mut self, name: &str, help: &str) {
        let name = full(name);
        self.out.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
    }

    fn one(&mut self, name: &str, help: &str, labels: &[(&'static str, &str)], value: f64) {
        self.family(name, help);
        self.sample(name, labels, value);
    }

    fn sample(&mut self, name: &str, labels: &[(&'static str, &str)], value: f64) {
        let cluster = self.cluster.as_deref().map(|cluster| ("cluster", cluster));
        // An empty label is the same as none.
        let all = cluster.iter().chain(labels).filter(|(_, value)| !value.is_empty());
        let all: Vec<String> = all.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) };
        self.out.push_str(&format!("{}{labels} {value}\n", full(name)));
    }
}

fn full(name: &str) -> String {
    format!("kairos_doctor_{name}")
}

/// In a label's value a backslash, a quotation mark and a line feed have two characters.
fn escaped(value: &str) -> String {
    clean(value).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{self, view};

    fn text(report: &Report) -> String {
        render(report, &view(report, 80))
    }

    #[test]
    fn snapshots() {
        insta::with_settings!({snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!("prometheus_mixed", text(&samples::mixed()));
            insta::assert_snapshot!("prometheus_blind", text(&samples::blind()));
            insta::assert_snapshot!("prometheus_healthy", text(&samples::healthy()));
        });
    }

    #[test]
    fn there_are_so_many_series_and_no_more() {
        let text = text(&samples::many(2000));
        let series = text.lines().filter(|l| l.starts_with("kairos_doctor_finding{")).count();
        assert_eq!(series, MOST);
        assert!(text.contains("\nkairos_doctor_findings_unlisted{cluster=\"prod\"} 1500\n"), "{text}");
        assert!(
            text.contains("\nkairos_doctor_findings{cluster=\"prod\",severity=\"error\"} 2000\n"),
            "{text}"
        );
    }

    #[test]
    fn a_hostile_name_stays_in_its_label() {
        let report =
            samples::renamed(&samples::pending_service_bundle(), "cilium-gateway-web", "a\"} 1\\\nb");
        let text = text(&report);
        assert!(text.contains("name=\"a\\\"} 1\\\\ b\""), "{text}");
    }
}
