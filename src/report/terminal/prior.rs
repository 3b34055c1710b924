//! What has changed since an earlier report, and what is suppressed.

use kairos_doctor_checks::engine::Report;

use super::page::{Ink, Page};
use crate::report::{View, since};

/// How many lines of a section are shown without `-v`.
const FEW: usize = 8;

pub fn summary(page: &mut Page, report: &Report, view: &View) {
    if let Some(summary) = since::summary(report, view) {
        page.hung("  ", Ink::Plain, 2, &summary, Ink::Plain);
    }
}

pub fn sections(page: &mut Page, view: &View) {
    for section in since::sections(view, view.verbose) {
        page.blank();
        let lead = format!("{:<10}", format!("{}  ", section.title));
        page.hung(&lead, Ink::Label, 2, &section.says, Ink::Plain);
        let most = if view.verbose { section.lines.len() } else { FEW };
        for (code, line) in section.lines.iter().take(most) {
            page.beside("", &format!("{code}  "), line, Ink::Plain);
        }
        if section.lines.len() > most {
            page.beside("", "", &format!("and {} more (-v)", section.lines.len() - most), Ink::Plain);
        }
    }
}
