//! The first two lines of a report: how it stands, and which cluster this is.

use kairos_doctor_checks::Severity;
use kairos_doctor_checks::domain::cluster::Component;
use kairos_doctor_checks::engine::{Report, Status};
use kairos_doctor_checks::facts::Why;

use super::View;
use super::group::Group;
use super::words::{clean, counted};

/// How the cluster stands, in one sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Broken,
    Warned,
    Unknown,
    Fine,
}

impl Mark {
    pub fn sign(self) -> &'static str {
        match self {
            Mark::Broken => "✗",
            Mark::Warned => "!",
            Mark::Unknown => "?",
            Mark::Fine => "✓",
        }
    }
}

pub struct Verdict {
    pub mark: Mark,
    /// Without the sign: `prod: 1 thing to fix, 4 more should clear with it.`
    pub text: String,
}

/// `groups` are what is shown, `hidden` how many findings the chosen severity keeps from being shown.
pub fn verdict(report: &Report, groups: &[Group], hidden: usize, view: &View) -> Verdict {
    let name = report.context.as_ref().map_or_else(|| "this cluster".into(), |context| clean(context));
    let unknown = report.count_status(Status::Unknown);
    let (mark, text) = if groups.is_empty() && hidden == 0 {
        let nothing_found = match view.suppressed.findings.len() {
            0 => "nothing found".to_string(),
            n => format!("nothing found but {n} suppressed"),
        };
        if unknown > 0 {
            (Mark::Unknown, blind(report, &nothing_found, unknown))
        } else {
            nothing(report, &nothing_found)
        }
    } else {
        found(report, groups, hidden, view)
    };
    Verdict { mark, text: format!("{name}: {text}") }
}

fn blind(report: &Report, nothing_found: &str, unknown: usize) -> String {
    let of = could_not_look(report, unknown);
    format!("{nothing_found}, but {of}. This is not a clean bill.")
}

fn could_not_look(report: &Report, unknown: usize) -> String {
    format!("{unknown} of {} could not look", counted(report.checks.len(), "check"))
}

fn nothing(report: &Report, nothing_found: &str) -> (Mark, String) {
    let passed = report.count_status(Status::Healthy);
    let unasked = report.count_status(Status::NotApplicable);
    let left_out = report.gaps.iter().any(|hidden| hidden.gap.why == Why::LeftOut);
    let rest = match unasked {
        0 => String::new(),
        1 => ", 1 does not apply".into(),
        n => format!(", {n} do not apply"),
    };
    if passed == 0 {
        return (Mark::Unknown, format!("{nothing_found}, because no check had anything to look at."));
    }
    let sight = if left_out {
        format!("{nothing_found} in what was not left out")
    } else {
        format!("{nothing_found}, and nothing was out of sight")
    };
    (Mark::Fine, format!("{sight}. {} passed{rest}.", counted(passed, "check")))
}

fn found(report: &Report, groups: &[Group], hidden: usize, view: &View) -> (Mark, String) {
    let at = |wanted: fn(Severity) -> bool| groups.iter().filter(move |g| wanted(g.effective()));
    let things = at(|s| s >= Severity::Error).count();
    let places: usize = at(|s| s >= Severity::Error).map(|g| 1 + g.others.len()).sum();
    let cleared: usize = groups.iter().map(|g| g.beneath.len()).sum();
    let warnings: usize = at(|s| s == Severity::Warning).map(|g| 1 + g.others.len()).sum();
    let notes: usize = at(|s| s == Severity::Info).map(|g| 1 + g.others.len()).sum();
    let unknown = report.count_status(Status::Unknown);

    let mut first = Vec::new();
    if things > 0 {
        let spread = if places > things { format!(" in {places} places") } else { String::new() };
        first.push(format!("{} to fix{spread}", counted(things, "thing")));
        if cleared > 0 {
            let with = if things == 1 { "it" } else { "them" };
            first.push(format!("{cleared} more should clear with {with}"));
        }
    }
    let mut second = Vec::new();
    second.extend((warnings > 0).then(|| counted(warnings, "warning")));
    second.extend((notes > 0).then(|| counted(notes, "note")));
    second.extend((unknown > 0).then(|| could_not_look(report, unknown)));
    second.extend((hidden > 0).then(|| format!("{hidden} below {} not shown", view.min_severity.as_str())));
    let suppressed = view.suppressed.findings.len();
    second.extend((suppressed > 0).then(|| format!("{suppressed} suppressed")));

    let unreachable = groups.iter().any(|g| g.root.finding.subject.kind == "ApiServer");
    let mut text = String::new();
    if unreachable {
        text.push_str("the Kubernetes API is out of reach. ");
    }
    for part in [first, second] {
        if !part.is_empty() {
            text.push_str(&format!("{}. ", part.join(", ")));
        }
    }
    let mark = if things > 0 { Mark::Broken } else { Mark::Warned };
    (mark, text.trim_end().to_string())
}

/// What is known of the cluster at a glance, in pieces that a line is made of.
pub fn cluster(report: &Report) -> Vec<String> {
    let cluster = &report.cluster;
    let mut pieces = Vec::new();
    if let Some(version) = &cluster.kubernetes_version {
        let name = if version.contains("+k3s") { "k3s" } else { "Kubernetes" };
        pieces.push(format!("{name} {}", clean(version)));
    }
    pieces.extend(cluster.nodes.map(|nodes| counted(nodes, "node")));
    pieces.extend(cluster.cni.as_ref().map(component));
    if let Some(gateway) = &cluster.gateway {
        let twice = cluster.cni.as_ref().is_some_and(|cni| cni.version == gateway.version);
        pieces.push(if twice { clean(&gateway.name) } else { component(gateway) });
    }
    if let Some(ccm) = &cluster.ccm {
        pieces.push(component(&Component { name: "cloud controller".into(), version: ccm.version.clone() }));
    }
    let left_out = report.gaps.iter().any(|h| h.gap.source() == "hcloud" && h.gap.why == Why::LeftOut);
    let read = !report.gaps.iter().any(|h| h.gap.source() == "hcloud");
    let project = match cluster.project {
        "undetermined" if cluster.nodes.is_none() && read => "Hetzner read",
        "undetermined" if cluster.nodes.is_none() => "Hetzner not read",
        "same" => "Hetzner read",
        "other" => "Hetzner: another project",
        "undetermined" => "Hetzner: whose project is not proven",
        _ if left_out => "Hetzner left out",
        _ => "Hetzner not read",
    };
    pieces.push(project.into());
    if let (Some(seen), Some(nodes)) = (cluster.kubelets, cluster.nodes) {
        pieces.push(format!("kubelets {seen} of {nodes}"));
    }
    pieces
}

fn component(component: &Component) -> String {
    match &component.version {
        Some(version) => format!("{} {}", clean(&component.name), clean(version.trim_start_matches('v'))),
        None => clean(&component.name),
    }
}
