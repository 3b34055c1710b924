//! What was out of sight, what that hides, and how to bring it into sight.

use kairos_doctor_checks::engine::{Report, Status};

use super::finding::shortened;
use super::page::{Ink, Page};
use crate::report::gaps::{Blind, blind};
use crate::report::words::counted;

/// How many different answers of one source are shown without `-v`.
const FEW: usize = 4;
const CODES: usize = 12;

pub fn not_seen(page: &mut Page, report: &Report, verbose: bool) {
    let all = blind(report);
    if all.is_empty() {
        return;
    }
    page.blank();
    if all.iter().any(|b| !b.on_purpose) {
        let unknown = report.count_status(Status::Unknown);
        let what = match unknown {
            0 => "only details: every check could say something".into(),
            n => format!("{n} of {} could not look", counted(report.checks.len(), "check")),
        };
        page.hung("not seen  ", Ink::Warn, 2, &what, Ink::Plain);
    }
    for one in all.iter().filter(|b| !b.on_purpose) {
        source(page, one, verbose);
    }
    for one in all.iter().filter(|b| b.on_purpose) {
        let judged = match one.hides.len() {
            0 => String::new(),
            _ => format!("; not judged: {}", codes(&one.hides, verbose)),
        };
        let text = format!("{}, on purpose{judged}", one.source);
        page.hung("left out  ", Ink::Label, 10, text.trim_end(), Ink::Plain);
    }
}

fn source(page: &mut Page, one: &Blind, verbose: bool) {
    let most = if verbose { one.tried.len() } else { FEW };
    for (i, tried) in one.tried.iter().take(most).enumerate() {
        page.beside(if i == 0 { one.source } else { "" }, "", &shortened(tried, verbose), Ink::Plain);
    }
    if one.tried.len() > most {
        page.beside("", "", &format!("and {} more (-v)", one.tried.len() - most), Ink::Plain);
    }
    page.beside("", "", &hides(one, verbose), Ink::Plain);
    page.beside("", "→ ", &one.remedy, Ink::Plain);
}

fn hides(one: &Blind, verbose: bool) -> String {
    let mut text = Vec::new();
    text.extend((!one.hides.is_empty()).then(|| format!("Hides {}.", codes(&one.hides, verbose))));
    text.extend(
        (!one.narrows.is_empty()).then(|| format!("Limits what {} can say.", codes(&one.narrows, verbose))),
    );
    text.join(" ")
}

fn codes(all: &[&str], verbose: bool) -> String {
    let shown = if verbose { all.len() } else { all.len().min(CODES) };
    let more =
        if all.len() > shown { format!(" and {} more (-v)", all.len() - shown) } else { String::new() };
    format!("{}{more}", all[..shown].join(" "))
}

/// With nothing to fix, the gap that hides most is what to begin with.
pub fn last_line(page: &mut Page, report: &Report) {
    let all = blind(report);
    let Some(first) = all.iter().find(|b| !b.on_purpose && !b.hides.is_empty()) else { return };
    page.blank();
    let text = format!("Start with {}: {}. Then run this again.", first.source, first.remedy);
    page.hung("", Ink::Plain, 0, &text, Ink::Strong);
}
