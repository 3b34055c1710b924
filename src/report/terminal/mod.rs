//! The report for somebody in front of a terminal while something is broken: what to type stands near the top, what it
//! may break above it, the proof after it, and the last line, which stays in view, says where to begin.

mod checks;
mod evidence;
mod finding;
mod gaps;
pub(super) mod page;
mod prior;
pub(super) mod wrap;

#[cfg(test)]
mod tests;

use kairos_doctor_checks::engine::{Ranked, Report};
use kairos_doctor_checks::{Act, Changes, Severity, When};
use unicode_width::UnicodeWidthStr;

use super::group::{Group, groups};
use super::verdict::{Mark, cluster, verdict};
use super::{View, command, shown, since};
use page::{Ink, Page};

/// The whole report.
pub fn render(report: &Report, view: &View) -> String {
    let mut page = Page::new(view);
    let (shown, hidden) = shown(report, view.min_severity);
    let told = groups(&shown, true);
    let verdict = verdict(report, &told, hidden, view);
    let ink = match verdict.mark {
        Mark::Broken => Ink::Bad,
        Mark::Warned | Mark::Unknown => Ink::Warn,
        Mark::Fine => Ink::Good,
    };
    page.hung(&format!("{} ", verdict.mark.sign()), ink, 2, &verdict.text, Ink::Strong);
    if view.quiet {
        prior::summary(&mut page, report, view);
        for group in &told {
            finding::headline(&mut page, group, &since::mark(group, view));
        }
        return page.into_text();
    }
    page.hung("  ", Ink::Plain, 2, &pieces(report), Ink::Plain);
    if let Some(replaced) = &view.replaced {
        page.hung("  ", Ink::Plain, 2, &format!("Pseudonyms stand for {replaced}."), Ink::Plain);
    }
    prior::summary(&mut page, report, view);
    let told = if view.verbose { groups(&shown, false) } else { told };
    for group in &told {
        page.blank();
        finding::told(&mut page, report, group, view);
    }
    prior::sections(&mut page, view);
    gaps::not_seen(&mut page, report, view.verbose);
    if view.verbose {
        checks::by_status(&mut page, report, view);
    }
    last_line(&mut page, report, &told, view);
    page.into_text()
}

/// How a finding begins: its headline and the sentence beneath it.
pub fn headline(page: &mut Page, report: &Report, ranked: &Ranked) {
    let beneath = if ranked.depth == 0 { report.beneath(ranked).collect() } else { Vec::new() };
    finding::headline(page, &Group { root: ranked, others: Vec::new(), beneath }, "");
    finding::because(page, ranked);
}

/// The line on the cluster, broken only between its pieces.
fn pieces(report: &Report) -> String {
    let whole = cluster(report).iter().map(|piece| piece.replace(' ', "\u{a0}")).collect::<Vec<_>>();
    whole.join("\u{a0}· ")
}

/// From how many things to mend on they no longer stand on one screen.
const MANY: usize = 4;

/// The headlines once more, since the first of many have scrolled away.
fn again(page: &mut Page, groups: &[Group], view: &View) {
    let shown: Vec<&Group> = groups.iter().filter(|g| g.effective() > Severity::Info).collect();
    if shown.len() < MANY {
        return;
    }
    page.blank();
    page.hung("", Ink::Plain, 0, "All of them, the first to mend first:", Ink::Strong);
    for group in shown {
        let lead = format!("  {} {:<9}", group.root.check.code, group.effective().as_str());
        let ink = finding::severity_ink(group.effective());
        let says = format!("{}{}", since::mark(group, view), group.root.finding.says);
        page.hung(&lead, ink, lead.len(), &says, Ink::Plain);
    }
}

/// Where to begin. The command itself is repeated where it is one line and nothing needs care.
fn last_line(page: &mut Page, report: &Report, groups: &[Group], view: &View) {
    let Some(first) = groups.first().filter(|g| g.effective() > Severity::Info) else {
        gaps::last_line(page, report);
        return;
    };
    again(page, groups, view);
    let code = first.root.check.code;
    page.blank();
    let Some(step) = first.root.finding.steps.iter().find(|step| step.when == When::Now) else {
        page.hung(
            "",
            Ink::Plain,
            0,
            &format!("Start with {code} (above), then run this again."),
            Ink::Strong,
        );
        return;
    };
    let line = match &step.act {
        // Only what one types right here; a command for a node needs the sentence that says so.
        Act::Run(args) if step.hazard.is_none() && matches!(&*args[0], "kubectl" | "hcloud") => {
            command::line(&command::argv(args, report))
        }
        _ => String::new(),
    };
    if !line.is_empty() && line.width() + 4 <= page.width && !line.contains('\n') {
        let again = if step.changes == Changes::Nothing { "" } else { ", then run this again" };
        page.hung("", Ink::Plain, 0, &format!("Start with {code}{again}:"), Ink::Strong);
        page.copied(&[format!("    {line}")], Ink::Command);
    } else {
        let text = format!("Start with {code} (`now` above), then run this again.");
        page.hung("", Ink::Plain, 0, &text, Ink::Strong);
    }
}
