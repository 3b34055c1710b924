//! What has changed since an earlier report, and what is suppressed.

use kairos_doctor_checks::engine::Report;

use super::page::Page;
use crate::report::group::Group;
use crate::report::{View, since};

/// How many lines of a section are shown without `-v`.
const LINES: usize = 20;

pub fn summary(page: &mut Page, report: &Report, view: &View) {
    if let Some(summary) = since::summary(report, view) {
        page.within("p", &[("class", "names")], |page| page.sentence(&summary));
    }
}

/// `new`, `worse: was warning`; empty when it is as it was.
pub fn mark(group: &Group, view: &View) -> String {
    since::mark(group, view).trim().trim_start_matches('(').trim_end_matches(')').to_string()
}

pub fn sections(page: &mut Page, view: &View) {
    for section in since::sections(view, true) {
        let id = format!("{}-h", section.title.replace(' ', "-"));
        page.block("section", &[("aria-labelledby", &id)], |page| {
            let title = format!("{}{}", section.title[..1].to_uppercase(), &section.title[1..]);
            page.tag("h2", &[("id", &id)], &title);
            page.within("p", &[("class", "lead")], |page| page.sentence(&section.says));
            let most = if view.verbose { section.lines.len() } else { LINES };
            page.block("ul", &[("class", "explained")], |page| {
                for (code, line) in section.lines.iter().take(most) {
                    page.block("li", &[], |page| {
                        page.tag("span", &[("class", "code")], code);
                        page.text(" ");
                        page.sentence(line);
                    });
                }
            });
            if section.lines.len() > most {
                page.tag(
                    "p",
                    &[("class", "aside")],
                    &format!("and {} more (-v)", section.lines.len() - most),
                );
            }
        });
    }
}
