//! An earlier report from its JSON.

use std::path::Path;

use jiff::Timestamp;
use kairos_doctor_checks::facts::{FORMAT, Text};
use kairos_doctor_checks::{Confidence, ObjectRef, Severity};
use serde::Deserialize;
use serde_json::Value;

use super::{Baseline, Earlier};
use crate::bundle_file;
use crate::report::SCHEMA;

#[derive(Deserialize)]
struct Document {
    generated_at: Timestamp,
    cluster: Cluster,
    summary: Summary,
    findings: Vec<Finding>,
    /// Absent in reports that hide nothing.
    #[serde(default)]
    hidden: Vec<Finding>,
    #[serde(default)]
    suppressed: Vec<Id>,
    checks: Vec<Checked>,
    #[serde(default)]
    baseline: Option<Before>,
    #[serde(default)]
    redacted: Option<Value>,
}

#[derive(Deserialize)]
struct Cluster {
    uid: Option<Text>,
}

#[derive(Deserialize)]
struct Summary {
    hidden: usize,
}

#[derive(Deserialize)]
struct Finding {
    id: String,
    code: Text,
    check: Text,
    severity: Severity,
    confidence: Word,
    subjects: Vec<Subject>,
    /// Of a finding that was carried on.
    #[serde(default)]
    seen_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Confirmed,
    Predicted,
}

#[derive(Deserialize)]
struct Subject {
    kind: Text,
    namespace: Option<Text>,
    name: Text,
    #[serde(default)]
    id: Option<i64>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
struct Checked {
    code: String,
    status: String,
}

#[derive(Deserialize)]
struct Before {
    not_comparable: Vec<Finding>,
}

/// Reads an earlier report: what `-o json` prints.
///
/// # Errors
/// One sentence naming the file: it cannot be read, is no report, or one that cannot be compared with.
pub fn read(path: &Path) -> Result<Baseline, String> {
    let name = path.display();
    let bytes = bundle_file::bytes(path, "report").map_err(|e| {
        format!("{e}. --baseline wants an earlier report: make one with --output-file json={name}")
    })?;
    of(&bytes, &name.to_string())
}

/// The report of these bytes.
pub fn of(bytes: &[u8], name: &str) -> Result<Baseline, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|e| match e.is_eof() {
        true => format!("{name} is cut off: --baseline wants a whole report, as `-o json` prints it"),
        false => format!("{name} is no report: it is no JSON ({e}); --baseline wants what `-o json` prints"),
    })?;
    match (value["schema"].as_str(), value["format"].as_str()) {
        (Some(SCHEMA), _) => {}
        (_, Some(FORMAT)) => {
            return Err(format!(
                "{name} is a bundle of facts and no report; make it one: kairos-doctor --from {name} -o json"
            ));
        }
        (Some(other), _) => {
            return Err(format!(
                "{name} is a report of the format {}, and this version reads {SCHEMA}",
                Text::new(other)
            ));
        }
        _ => return Err(format!("{name} is no report: --baseline wants what `-o json` prints")),
    }
    let document: Document = serde_json::from_value(value)
        .map_err(|e| format!("{name} is no whole report: {}", Text::new(&e.to_string())))?;
    if document.redacted.is_some() {
        return Err(format!(
            "{name} was written under pseudonyms, and they may be others than today's: --baseline wants a report that was \
             made without --redact"
        ));
    }
    if document.summary.hidden != document.hidden.len() {
        return Err(format!(
            "{name} hides {} findings without naming them: make it without --min-severity",
            document.summary.hidden
        ));
    }
    let read_at = document.generated_at;
    let carried = document.baseline.map(|before| before.not_comparable).unwrap_or_default();
    let all = document.findings.into_iter().chain(document.hidden).chain(carried);
    let findings = all.map(|finding| earlier(finding, read_at)).collect::<Option<Vec<_>>>();
    Ok(Baseline {
        name: name.to_string(),
        read_at: Some(read_at),
        uid: document.cluster.uid.filter(|uid| !uid.is_empty()),
        findings: findings.ok_or_else(|| format!("{name} is no whole report: a finding has no subject"))?,
        suppressed: document.suppressed.into_iter().map(|suppressed| suppressed.id).collect(),
        looked: document
            .checks
            .into_iter()
            .filter(|checked| checked.status != "unknown")
            .map(|checked| checked.code)
            .collect(),
    })
}

fn earlier(finding: Finding, read_at: Timestamp) -> Option<Earlier> {
    let subject = finding.subjects.into_iter().next()?;
    Some(Earlier {
        id: finding.id,
        code: finding.code,
        check: finding.check,
        severity: finding.severity,
        confidence: match finding.confidence {
            Word::Confirmed => Confidence::Confirmed,
            Word::Predicted => Confidence::Predicted,
        },
        object: ObjectRef {
            kind: subject.kind,
            namespace: subject.namespace,
            name: subject.name,
            id: subject.id,
        },
        seen_at: finding.seen_at.unwrap_or(read_at),
    })
}
