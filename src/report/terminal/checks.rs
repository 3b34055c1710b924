//! With `-v`: how each check went, and what was read.

use kairos_doctor_checks::engine::{Report, Status};

use super::page::{Ink, Page};
use super::wrap::wrap;
use crate::report::View;
use crate::report::words::{clean, counted};

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
    }
    let text = format!("{}: {}", view.outcome.exit, view.outcome.why);
    page.hung("exit      ", Ink::Label, 10, &text, Ink::Plain);
}

fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{} kB", (count + 500) / 1_000),
        _ => format!("{}.{} MB", count / 1_000_000, count % 1_000_000 / 100_000),
    }
}
