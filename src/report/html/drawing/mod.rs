//! The way that traffic takes, drawn: internet, load balancers, Services, nodes, kubelets. What is broken is marked and
//! linked to where it is told; what was not seen is drawn as not seen.

mod lanes;
mod marks;
mod model;
mod narrow;
mod rows;
mod svg;
#[cfg(test)]
mod tests;
mod wide;

use std::collections::HashSet;

use kairos_doctor_checks::engine::Report;

use super::finding::anchor;
use super::page::Page;
use crate::report::View;
use crate::report::group::Group;
use crate::report::words::counted;
use marks::Marks;
use model::{Part, Picture, State};

/// The drawing, what its signs mean, and the same in words.
pub fn figure(page: &mut Page, report: &Report, groups: &[Group], view: &View) {
    let marks = Marks::new(report, groups, view);
    let picture = picture(report, &marks);
    page.block("figure", &[("class", "way-in")], |page| {
        svg(page, "wide", wide::size(&picture), &picture, wide::draw);
        svg(page, "narrow", narrow::size(&picture), &picture, narrow::draw);
        page.block("figcaption", &[], |page| {
            legend(page, &picture);
            beside(page, &marks, groups, &picture);
        });
    });
    in_words(page, &picture);
}

fn picture(report: &Report, marks: &Marks) -> Picture {
    let topology = &report.topology;
    let drafts = lanes::drafts(topology, marks);
    let (rows, lanes) = rows::rows(topology, marks, drafts);
    Picture { lanes, rows }
}

fn svg(
    page: &mut Page,
    class: &'static str,
    size: (f64, f64),
    picture: &Picture,
    draw: fn(&mut Page, &Picture),
) {
    let view = format!("0 0 {:.0} {:.0}", size.0, size.1.ceil());
    let (title, desc) = (format!("way-{class}-title"), format!("way-{class}-desc"));
    let labelled = format!("{title} {desc}");
    let attrs = [("class", class), ("viewBox", &*view), ("role", "group"), ("aria-labelledby", &labelled)];
    page.block("svg", &attrs, |page| {
        page.tag("title", &[("id", &title)], "The way that traffic takes");
        page.tag("desc", &[("id", &desc)], &summary(picture));
        draw(page, picture);
    });
}

/// What the drawing shows, in one sentence.
fn summary(picture: &Picture) -> String {
    let count = |wanted: fn(State) -> bool| parts(picture).filter(|part| wanted(part.state)).count();
    let (broken, unseen) =
        (count(|state| state >= State::Noted), count(|state| matches!(state, State::Unseen | State::Partly)));
    format!(
        "Internet, load balancers, Services, nodes and kubelets, from one to the next: {} marked by findings or faults, {unseen} \
         not seen, or not wholly. The same in words stands below the drawing.",
        counted(broken, "part")
    )
}

/// The signs that occur, and what they mean.
fn legend(page: &mut Page, picture: &Picture) {
    page.block("ul", &[("class", "legend")], |page| {
        for (state, words) in [
            (State::Bad, "broken here"),
            (State::Warned, "warning here"),
            (State::Noted, "note here"),
            (State::Unseen, "not seen: neither well nor broken"),
            (State::Partly, "seen, but not by every check"),
            (State::Absent, "not there"),
            (State::Fine, "seen, nothing found here"),
        ] {
            if parts(picture).all(|part| part.state != state) {
                continue;
            }
            page.within("li", &[("class", state.class())], |page| {
                let sign = state.sign().unwrap_or_default();
                page.tag("span", &[("class", "key"), ("aria-hidden", "true")], sign);
                page.text(&format!(" {words}"));
            });
        }
        if parts(picture).flat_map(|part| &part.tags).any(|tag| !tag.here) {
            page.within("li", &[], |page| {
                page.tag("span", &[("class", "key outline"), ("aria-hidden", "true")], "KD");
                page.text(" named in that finding, which is at home in another part");
            });
        }
    });
}

fn parts(picture: &Picture) -> impl Iterator<Item = &Part> {
    let lanes = picture.lanes.iter().flat_map(|lane| [&lane.balancer, &lane.service]);
    lanes.chain(picture.rows.iter().flat_map(|row| [&row.node, &row.kubelet]))
}

/// The findings that have no place in the drawing.
fn beside(page: &mut Page, marks: &Marks, groups: &[Group], picture: &Picture) {
    let drawn: HashSet<usize> = parts(picture).flat_map(|part| &part.ranks).copied().collect();
    let beside = marks.beside(groups, &drawn);
    if beside.is_empty() {
        return;
    }
    page.block("p", &[], |page| {
        page.text("Found beside this way: ");
        for (i, group) in beside.iter().enumerate() {
            page.text(if i == 0 { "" } else { ", " });
            page.within("a", &[("href", &format!("#{}", anchor(group.root)))], |page| {
                page.tag("span", &[("class", "code")], group.root.check.code);
            });
        }
        page.text(".");
    });
}

/// The drawing for who cannot see it, part by part.
fn in_words(page: &mut Page, picture: &Picture) {
    page.block("details", &[("class", "in-words")], |page| {
        page.tag("summary", &[], "The same in words");
        page.block("ul", &[], |page| {
            for lane in &picture.lanes {
                page.block("li", &[], |page| {
                    told(page, "Internet to ", &lane.balancer);
                    told(page, "; to Service ", &lane.service);
                    page.text(&format!("; to nodes: {}.", lane.told.join("; ")));
                });
            }
            for row in &picture.rows {
                page.block("li", &[], |page| {
                    told(page, "Node ", &row.node);
                    told(page, "; ", &row.kubelet);
                    page.text(".");
                });
            }
        });
    });
}

fn told(page: &mut Page, lead: &str, part: &Part) {
    page.text(&format!("{lead}{}: {}", part.title, part.words()));
    for tag in &part.tags {
        page.text(" ");
        page.within("a", &[("href", &format!("#{}", tag.anchor))], |page| {
            page.tag("span", &[("class", "code")], &tag.label());
        });
    }
}
