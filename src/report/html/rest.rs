//! What stands beside the findings: the list of them, what was not seen, and how every check went.

use kairos_doctor_checks::engine::{Report, Status};

use super::finding::{anchor, severity};
use super::page::Page;
use crate::report::View;
use crate::report::gaps::{Blind, blind};
use crate::report::group::Group;
use crate::report::words::{counted, cut};

/// How many different answers of one source, and how much of each, is shown without `-v`.
const ANSWERS: usize = 6;
const DETAIL: usize = 240;
/// How much of a headline stands in the list, which leads to all of it.
const SAYS: usize = 160;

/// Every root in rank order, each a link to its card where there is one.
pub fn list(page: &mut Page, groups: &[Group], view: &View, linked: bool) {
    page.block("ol", &[("class", "list")], |page| {
        for group in groups {
            page.block("li", &[], |page| {
                severity(page, group.effective());
                page.tag("span", &[("class", "code")], group.root.check.code);
                let says = |page: &mut Page| page.sentence(&cut(&group.root.finding.says, SAYS));
                match linked {
                    true => page.within("a", &[("href", &format!("#{}", anchor(group.root)))], says),
                    false => page.within("span", &[("class", "says")], says),
                }
                let mark = super::prior::mark(group, view);
                let more = [
                    (!mark.is_empty()).then_some(mark),
                    (!group.others.is_empty()).then(|| format!("and {}", group.others_counted())),
                    (!group.beneath.is_empty()).then(|| format!("explains {}", group.beneath.len())),
                ];
                let more: Vec<String> = more.into_iter().flatten().collect();
                page.tag("span", &[("class", "aside")], &more.join(", "));
            });
        }
    });
}

pub fn not_seen(page: &mut Page, report: &Report, view: &View) {
    let all = blind(report);
    if all.is_empty() {
        return;
    }
    page.block("section", &[("id", "not-seen"), ("aria-labelledby", "not-seen-h")], |page| {
        page.tag("h2", &[("id", "not-seen-h")], "Not seen");
        let what = match report.count_status(Status::Unknown) {
            0 => "Only details: every check that was asked could say something.".to_string(),
            n => format!(
                "{n} of {} could not look. What is hidden here may be broken.",
                counted(report.checks.len(), "check")
            ),
        };
        page.tag("p", &[("class", "lead")], &what);
        page.block("div", &[("class", "gaps")], |page| all.iter().for_each(|one| source(page, one, view)));
    });
}

fn source(page: &mut Page, one: &Blind, view: &View) {
    page.block("article", &[("class", "gap")], |page| {
        page.within("h3", &[], |page| {
            page.text(one.source);
            if one.on_purpose {
                page.tag("span", &[("class", "aside")], " left out on purpose");
            }
        });
        let most = if view.verbose { one.tried.len() } else { ANSWERS };
        for tried in one.tried.iter().take(most) {
            let tried = if view.verbose { tried.clone() } else { cut(tried, DETAIL) };
            page.within("p", &[], |page| page.sentence(&tried));
        }
        if one.tried.len() > most {
            page.tag("p", &[("class", "aside")], &format!("and {} more (-v)", one.tried.len() - most));
        }
        page.within("p", &[("class", "remedy")], |page| {
            page.tag("strong", &[], "To see it: ");
            page.sentence(&one.remedy);
        });
        for (label, codes) in [("Hides ", &one.hides), ("Limits what it can say: ", &one.narrows)] {
            if !codes.is_empty() {
                page.within("p", &[("class", "aside")], |page| {
                    page.text(label);
                    page.tag("span", &[("class", "codes")], &codes.join(" "));
                });
            }
        }
    });
}

const ORDER: [(Status, &str); 4] = [
    (Status::Found, "found something"),
    (Status::Unknown, "could not look"),
    (Status::Healthy, "healthy"),
    (Status::NotApplicable, "not applicable"),
];

fn mark(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Found => ("✗", "bad"),
        Status::Unknown => ("?", "unseen"),
        Status::Healthy => ("✓", "good"),
        Status::NotApplicable => ("–", "none"),
    }
}

pub fn checks(page: &mut Page, report: &Report, view: &View) {
    page.block("section", &[("id", "checks"), ("aria-labelledby", "checks-h")], |page| {
        page.tag("h2", &[("id", "checks-h")], "All checks");
        let counts: Vec<String> = ORDER
            .iter()
            .map(|(status, words)| (report.count_status(*status), words))
            .filter(|(count, _)| *count > 0)
            .map(|(count, words)| format!("{count} {words}"))
            .collect();
        let open: &[(&'static str, &str)] = if view.verbose { &[("open", "")] } else { &[] };
        page.block("details", open, |page| {
            let total = counted(report.checks.len(), "check");
            page.tag("summary", &[], &format!("{total}: {}", counts.join(", ")));
            page.block("table", &[], |page| {
                page.within("thead", &[], |page| {
                    page.within("tr", &[], |page| {
                        for name in ["status", "check", "what it looked at"] {
                            page.tag("th", &[("scope", "col")], name);
                        }
                    });
                });
                page.block("tbody", &[], |page| {
                    ORDER.iter().for_each(|(status, words)| rows(page, report, *status, words));
                });
            });
        });
        if let Some(reads) = view.reads.as_ref().filter(|_| view.verbose) {
            let text = format!(
                "{}, {} bytes, {:.1} s",
                counted(reads.requests, "request"),
                reads.bytes,
                reads.seconds.max(0.0)
            );
            page.tag("p", &[("class", "aside")], &text);
        }
    });
}

fn rows(page: &mut Page, report: &Report, status: Status, words: &str) {
    let (sign, tone) = mark(status);
    for checked in report.checks.iter().filter(|checked| checked.status == status) {
        page.block("tr", &[], |page| {
            page.within("td", &[("class", tone)], |page| {
                page.tag("span", &[("aria-hidden", "true")], sign);
                page.text(&format!(" {words}"));
            });
            page.within("th", &[("scope", "row")], |page| {
                page.tag("span", &[("class", "code")], checked.check.code);
                page.text(" ");
                page.text(checked.check.title);
            });
            page.within("td", &[("class", "detail")], |page| page.sentence(&cut(&checked.detail, DETAIL)));
        });
    }
}
