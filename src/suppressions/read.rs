//! The file itself.

use std::path::Path;

use jiff::civil::Date;
use kairos_doctor_checks::ALL;
use kairos_doctor_checks::facts::Text;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::Entry;
use crate::report::catalogue;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    suppressions: Option<Vec<Spanned<Raw>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    check: Option<Spanned<String>>,
    object: Option<Spanned<String>>,
    reason: Option<Spanned<String>>,
    until: Option<Spanned<String>>,
}

/// No such file is read beyond this.
const LARGEST: u64 = 1 << 20;

/// Reads a suppressions file.
///
/// # Errors
/// One sentence naming the option, the file and the line.
pub fn read(path: &Path) -> Result<Vec<Entry>, String> {
    let wrong = |what: String| format!("--suppressions {}: {what}", path.display());
    let size = path.metadata().map_err(|e| wrong(format!("it cannot be read: {e}")))?;
    if size.len() > LARGEST {
        return Err(wrong("it is larger than 1 MiB".into()));
    }
    let text = std::fs::read_to_string(path).map_err(|e| wrong(format!("it cannot be read: {e}")))?;
    of(&text).map_err(wrong)
}

/// The entries of this text.
///
/// # Errors
/// What is wrong, with its line.
pub fn of(text: &str) -> Result<Vec<Entry>, String> {
    let is_empty = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.lines().all(is_empty) {
        return Ok(Vec::new());
    }
    let options = serde_saphyr::options! { with_snippet: false };
    let document: Document = serde_saphyr::from_str_with_options(text, options)
        .map_err(|e| Text::new(&e.to_string()).to_string())?;
    document.suppressions.unwrap_or_default().into_iter().map(entry).collect()
}

fn entry(raw: Spanned<Raw>) -> Result<Entry, String> {
    let start = raw.referenced.line();
    let (check, line) = field(raw.value.check, "check", start, "a code or slug, such as KD301")?;
    let check = catalogue::find(ALL, &check).map_err(|e| format!("line {line}: {e}"))?;
    let (object, line) =
        field(raw.value.object, "object", start, "the finding's object, such as Service/edge/web")?;
    let parts: Vec<&str> = object.split('/').collect();
    if parts.len() < 2 || parts[0].is_empty() || parts.iter().any(|part| part.trim() != *part) {
        return Err(format!(
            "line {line}: `{}` is not Kind/name or Kind/namespace/name, as in the `id` that -o json prints",
            Text::new(&object)
        ));
    }
    let (reason, _) = field(raw.value.reason, "reason", start, "why this is accepted")?;
    let (until, line) = field(raw.value.until, "until", start, "the last day, such as 2026-12-31")?;
    let until: Date = until
        .parse()
        .map_err(|_| format!("line {line}: `until: {}` is no date such as 2026-12-31", Text::new(&until)))?;
    Ok(Entry { line: start, check, object, reason: Text::new(&reason), until })
}

/// A field that must be there, and its line.
fn field(
    field: Option<Spanned<String>>,
    name: &str,
    start: u64,
    what: &str,
) -> Result<(String, u64), String> {
    let missing = || format!("line {start}: an entry needs `{name}`: {what}");
    let field = field.ok_or_else(missing)?;
    let value = field.value.trim();
    if value.is_empty() { Err(missing()) } else { Ok((value.to_string(), field.referenced.line())) }
}
