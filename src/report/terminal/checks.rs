//! With `-v`: how each check went, and what was read.

use kairos_doctor_checks::engine::{Report, Status};

use super::page::{Ink, Page};
use super::wrap::wrap;
use crate::report::words::{clean, counted};
use crate::report::{Listed, Reads, View};

const ORDER: [Status; 4] = [Status::Found, Status::Unknown, Status::NotApplicable, Status::Healthy];

pub fn status_word(status: Status) -> &'static str {
    match status {
        Status::Found => "found",
        Status::Unknown => "unknown",
        Status::NotApplicable => "n/a",
        Status::Healthy => "healthy",
    }
}

pub fn by_status(page: &mut Page, report: &Report, view: &View) {
    page.blank();
    let counts: Vec<String> = ORDER
        .iter()
        .map(|status| (report.count_status(*status), status_word(*status)))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    page.hung("checks    ", Ink::Label, 10, &counts.join(", "), Ink::Plain);
    let slugs = report.checks.iter().map(|c| c.check.slug.len()).max().unwrap_or(0);
    for status in ORDER {
        let mut label = status_word(status);
        for checked in report.checks.iter().filter(|c| c.status == status) {
            let lead = format!("  {label:<10}{}  {:slugs$}  ", checked.check.code, checked.check.slug);
            let room = page.width.saturating_sub(lead.len());
            let detail = clean(&checked.detail);
            if room >= 24 {
                let lines = wrap(&detail, room);
                page.raw(&format!("{lead}{}", lines[0]));
                for line in &lines[1..] {
                    page.raw(&format!("{}{line}", " ".repeat(lead.len())));
                }
            } else {
                page.beside(label, &format!("{}  ", checked.check.code), checked.check.slug, Ink::Plain);
                page.beside("", "       ", &detail, Ink::Plain);
            }
            label = "";
        }
    }
    if let Some(reads) = &view.reads {
        let text = format!(
            "{}, {}, {:.1} s",
            counted(reads.requests, "request"),
            bytes(reads.bytes),
            reads.seconds.max(0.0)
        );
        page.hung("read      ", Ink::Label, 10, &text, Ink::Plain);
        lists(page, reads);
    }
    let text = format!("{}: {}", view.outcome.exit, view.outcome.why);
    page.hung("exit      ", Ink::Label, 10, &text, Ink::Plain);
}

/// What there was of each kind, the slowest first: the answer to "what takes so long".
fn lists(page: &mut Page, reads: &Reads) {
    let mut some: Vec<&Listed> = reads.lists.iter().filter(|l| l.objects != Some(0)).collect();
    some.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let one = |listed: &&Listed| {
        let count = listed.objects.map_or("not read".to_string(), |count| count.to_string());
        format!("{} {count} ({:.2} s)", listed.need, listed.seconds.max(0.0)).replace(' ', "\u{a0}")
    };
    let told: Vec<String> = some.iter().map(one).collect();
    if !told.is_empty() {
        page.hung("          ", Ink::Plain, 10, &told.join(", "), Ink::Plain);
    }
    let none: Vec<&str> = reads.lists.iter().filter(|l| l.objects == Some(0)).map(|l| l.need).collect();
    if !none.is_empty() {
        page.hung("          ", Ink::Plain, 10, &format!("none of {}", none.join(", ")), Ink::Plain);
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{} kB", (count + 500) / 1_000),
        _ => format!("{}.{} MB", count / 1_000_000, count % 1_000_000 / 100_000),
    }
}
