//! The report as one file that a browser shows anywhere: nothing in it runs, and it loads nothing.

mod drawing;
mod finding;
mod page;
mod prior;
mod rest;
#[cfg(test)]
mod tests;

use kairos_doctor_checks::Severity;
use kairos_doctor_checks::engine::Report;

use super::View;
use super::group::{Group, groups};
use super::shown;
use super::verdict::{Mark, Verdict, cluster, verdict};
use page::Page;

/// Nothing but the styles in the page itself; the icon is an empty one, so that none is asked for.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// The whole page.
pub fn render(report: &Report, view: &View) -> String {
    let (shown, hidden) = shown(report, view.min_severity);
    let verdict = verdict(report, &groups(&shown, true), hidden, view);
    let groups = groups(&shown, !view.verbose);
    let mut page = Page::default();
    page.doctype();
    page.within("html", &[("lang", "en")], |page| {
        page.block("head", &[], |page| head(page, &verdict));
        page.block("body", &[], |page| {
            page.block("header", &[("class", "verdict")], |page| top(page, report, view, &verdict));
            page.block("main", &[], |page| {
                if view.quiet {
                    rest::list(page, &groups, view, false);
                } else {
                    body(page, report, view, &verdict, &groups);
                }
            });
            page.block("footer", &[], |page| foot(page, report, view));
        });
    });
    page.into_html() + "\n"
}

fn head(page: &mut Page, verdict: &Verdict) {
    page.open("meta", &[("charset", "utf-8")]);
    page.open("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]);
    page.open("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
    page.open("meta", &[("name", "color-scheme"), ("content", "light dark")]);
    page.open("meta", &[("name", "referrer"), ("content", "no-referrer")]);
    page.open("meta", &[("name", "robots"), ("content", "noindex")]);
    page.open("link", &[("rel", "icon"), ("href", "data:,")]);
    page.tag("title", &[], &format!("{} {}", verdict.mark.sign(), verdict.text));
    page.style(include_str!("style.css"));
}

fn top(page: &mut Page, report: &Report, view: &View, verdict: &Verdict) {
    let (tone, name) = match verdict.mark {
        Mark::Broken => ("bad", "broken"),
        Mark::Warned => ("warn", "warnings"),
        Mark::Unknown => ("unseen", "not seen"),
        Mark::Fine => ("good", "healthy"),
    };
    page.block("h1", &[("class", tone)], |page| {
        let attrs = [("class", "sign"), ("role", "img"), ("aria-label", name)];
        page.tag("span", &attrs, verdict.mark.sign());
        page.within("span", &[], |page| page.sentence(&verdict.text));
    });
    page.block("ul", &[("class", "facts")], |page| {
        for piece in cluster(report) {
            page.tag("li", &[], &piece);
        }
        let read = report.generated_at.strftime("read %Y-%m-%d %H:%M UTC").to_string();
        page.tag("li", &[], &read);
    });
    prior::summary(page, report, view);
    page.within("p", &[("class", "names")], |page| match &view.replaced {
        Some(replaced) => {
            page.tag("strong", &[], "Pseudonyms");
            page.text(&format!(
                " stand for {replaced}, in commands too. Namespaces and names of objects in the cluster are real."
            ));
        }
        None => {
            page.tag("strong", &[], "Real names");
            page.text(" and addresses are in this file. To give it away, make it with ");
            page.tag("code", &[], "--redact");
            page.text(".");
        }
    });
}

fn body(page: &mut Page, report: &Report, view: &View, verdict: &Verdict, groups: &[Group]) {
    // With nothing found, what was not seen is where to begin.
    let blind = verdict.mark == Mark::Unknown;
    if blind {
        rest::not_seen(page, report, view);
    }
    let (first, others) = groups.split_at(groups.len().min(1));
    if let [first] = first {
        let title = match first.effective() {
            Severity::Info => "Worth knowing",
            _ => "Fix this first",
        };
        section(page, "first", title, |page| finding::card(page, report, first, view));
    }
    let way = |page: &mut Page| {
        section(page, "way", "The way traffic takes", |page| {
            drawing::figure(page, report, groups, view);
        });
    };
    if others.is_empty() {
        way(page);
    } else {
        page.block("nav", &[("aria-labelledby", "all-h")], |page| {
            page.tag("h2", &[("id", "all-h")], "Everything found");
            rest::list(page, groups, view, true);
        });
        way(page);
        section(page, "then", "Then", |page| {
            others.iter().for_each(|group| finding::card(page, report, group, view));
        });
    }
    prior::sections(page, view);
    if !blind {
        rest::not_seen(page, report, view);
    }
    rest::checks(page, report, view);
}

fn section(page: &mut Page, id: &'static str, title: &'static str, inner: impl FnOnce(&mut Page)) {
    let heading = format!("{id}-h");
    page.block("section", &[("id", id), ("aria-labelledby", &heading)], |page| {
        page.tag("h2", &[("id", &heading)], title);
        inner(page);
    });
}

fn foot(page: &mut Page, report: &Report, view: &View) {
    let at = report.generated_at.strftime("%Y-%m-%d %H:%M:%S UTC");
    let version = env!("CARGO_PKG_VERSION");
    page.tag("p", &[], &format!("kairos-doctor {version} read this cluster at {at}. It changed nothing."));
    if !view.quiet && !report.findings.is_empty() {
        page.tag("p", &[], "A click on a command selects the whole of it.");
    }
    page.tag("p", &[], &format!("Exit status {}: {}.", view.outcome.exit, view.outcome.why));
}
