//! One root finding as a card: what to type, its hazard above it, and beside it why.

use kairos_doctor_checks::engine::{Ranked, Report};
use kairos_doctor_checks::{Act, Changes, Confidence, Evidence, Severity, Step, When};

use super::page::Page;
use super::prior;
use crate::report::group::{Group, alike};
use crate::report::words::{self, cut, listed, spoken};
use crate::report::{View, command, since, yaml};

/// How much is shown without `-v`.
const FACTS: usize = 12;
const NAMES: usize = 30;
const VALUE: usize = 240;
/// Commands scroll in their own box; a line of this width needs no scrolling on a desk.
const WIDTH: usize = 78;

/// Where a finding stands in the page. Made of the program's words only, so that it is safe in a link.
pub fn anchor(ranked: &Ranked) -> String {
    format!("{}-{}", ranked.check.code, ranked.rank)
}

/// A shape and a word for each severity, so that colour is never alone.
pub fn sign(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::Error => "✗",
        Severity::Warning => "!",
        Severity::Info => "i",
    }
}

/// The class that gives an element its severity's colour.
pub fn tone(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::Error => "bad",
        Severity::Warning => "warn",
        Severity::Info => "note",
    }
}

pub fn severity(page: &mut Page, severity: Severity) {
    page.within("span", &[("class", &format!("severity {}", tone(severity)))], |page| {
        page.tag("span", &[("aria-hidden", "true")], sign(severity));
        page.text(&format!(" {}", severity.as_str()));
    });
}

pub fn card(page: &mut Page, report: &Report, group: &Group, view: &View) {
    let verbose = view.verbose;
    let root = group.root;
    let id = anchor(root);
    let heading = format!("{id}-says");
    let class = format!("finding {}", tone(root.effective));
    page.block("article", &[("class", &class), ("id", &id), ("aria-labelledby", &heading)], |page| {
        page.block("header", &[], |page| head(page, report, group, &heading, view));
        page.block("div", &[("class", "do")], |page| {
            steps(page, report, root, When::Now, "Now");
            verify(page, report, root);
            steps(page, report, root, When::ForGood, "For good");
        });
        page.block("div", &[("class", "why")], |page| {
            also(page, group, verbose);
            because(page, report, &root.finding.evidence, verbose);
            explains(page, group, view);
            page.within("p", &[("class", "more")], |page| {
                page.text("More: ");
                page.tag("code", &[], &format!("kairos-doctor explain {}", root.check.code));
            });
        });
    });
}

fn head(page: &mut Page, report: &Report, group: &Group, heading: &str, view: &View) {
    let mark = prior::mark(group, view);
    let finding = &group.root.finding;
    let predicted = finding.confidence == Confidence::Predicted && !group.is_shown_by_effects();
    page.within("p", &[("class", "label")], |page| {
        severity(page, group.effective());
        page.tag("span", &[("class", "code")], group.root.check.code);
        page.tag("span", &[], &group.root.check.area().replace('-', " "));
        if predicted {
            page.tag("span", &[("class", "predicted")], "predicted");
        }
        if !mark.is_empty() {
            page.tag("span", &[("class", "predicted")], &mark);
        }
    });
    page.within("h3", &[("id", heading)], |page| {
        page.sentence(&if view.verbose { finding.says.clone() } else { cut(&finding.says, VALUE) });
        if !group.others.is_empty() {
            page.tag("span", &[("class", "others")], &format!(" and {}", group.others_counted()));
        }
    });
    if let Some(because) = &finding.because {
        page.within("p", &[("class", "because")], |page| page.sentence(because));
    }
    for remark in since::remarks(group, view) {
        page.within("p", &[("class", "aside")], |page| page.sentence(&remark));
    }
    if predicted {
        page.tag("p", &[("class", "aside")], "Predicted from the configuration: nothing has shown it yet.");
    }
    if let Some(deadline) = finding.deadline {
        let text = format!("Until {}.", words::deadline(deadline, report.generated_at));
        page.tag("p", &[("class", "aside")], &text);
    }
}

fn steps(page: &mut Page, report: &Report, root: &Ranked, when: When, title: &str) {
    let steps: Vec<&Step> = root.finding.steps.iter().filter(|step| step.when == when).collect();
    if steps.is_empty() {
        return;
    }
    page.block("section", &[("class", if when == When::Now { "now" } else { "later" })], |page| {
        page.tag("h4", &[], title);
        match steps.as_slice() {
            [one] => step(page, report, one),
            several => page.block("ol", &[], |page| {
                several.iter().for_each(|one| page.block("li", &[], |page| step(page, report, one)));
            }),
        }
    });
}

fn step(page: &mut Page, report: &Report, step: &Step) {
    let why = |page: &mut Page| {
        page.block("p", &[], |page| {
            if step.act == Act::Decide {
                page.tag("strong", &[], "Decide: ");
            }
            page.sentence(&step.why);
            let changes = match step.changes {
                Changes::Nothing if matches!(step.act, Act::Run(_)) => "changes nothing",
                Changes::Nothing => return,
                Changes::Cluster => "changes the cluster",
                Changes::Cloud => "changes the cloud",
                Changes::Node => "changes the node",
            };
            page.text(" ");
            page.tag("span", &[("class", "changes")], changes);
        });
    };
    let hazard = |page: &mut Page| {
        if let Some(hazard) = &step.hazard {
            page.block("p", &[("class", "hazard")], |page| {
                page.tag("strong", &[], "Careful: ");
                page.sentence(hazard);
            });
        }
    };
    // What is to be decided is in the sentence itself, so the hazard stands above that.
    if step.act == Act::Decide {
        hazard(page);
        why(page);
    } else {
        why(page);
        hazard(page);
    }
    match &step.act {
        Act::Decide => {}
        Act::Write { place, snippet } => {
            page.within("p", &[("class", "place")], |page| {
                page.text("In ");
                page.sentence(place);
                page.text(":");
            });
            let lines: Vec<String> = yaml::text(snippet).lines().map(str::to_string).collect();
            copied(page, &lines, "text to write");
        }
        act => copied(page, &command::lines(act, report, WIDTH, 0), "command"),
    }
}

/// Lines to copy, in a box that scrolls by itself and can be reached by keyboard for that.
fn copied(page: &mut Page, lines: &[String], label: &str) {
    let attrs = [("class", "copy"), ("tabindex", "0"), ("role", "group"), ("aria-label", label)];
    page.block("pre", &attrs, |page| page.within("code", &[], |page| page.lines(lines)));
}

fn verify(page: &mut Page, report: &Report, root: &Ranked) {
    if root.finding.verify.is_empty() {
        return;
    }
    page.block("section", &[], |page| {
        page.tag("h4", &[], "Verify");
        for verify in &root.finding.verify {
            page.within("p", &[], |page| page.sentence(&words::expected(&verify.expect)));
            copied(page, &command::wrapped(&command::argv(&verify.argv, report), WIDTH, 0), "command");
        }
    });
}

fn also(page: &mut Page, group: &Group, verbose: bool) {
    if group.others.is_empty() {
        return;
    }
    let names = listed(&group.other_names(), if verbose { usize::MAX } else { NAMES });
    page.block("section", &[], |page| {
        page.tag("h4", &[], "Also");
        page.within("p", &[], |page| {
            page.text(&format!("{}: ", group.others_counted()));
            page.within("code", &[], |page| page.lines(&[names]));
            page.text(". The same fault and the same fix, each with its own names.");
        });
    });
}

fn because(page: &mut Page, report: &Report, evidence: &[Evidence], verbose: bool) {
    if evidence.is_empty() {
        return;
    }
    let most = if verbose { evidence.len() } else { FACTS };
    let mut sources: Vec<(String, Vec<&Evidence>)> = Vec::new();
    for one in evidence.iter().take(most) {
        let name = words::object(&one.source);
        match sources.iter_mut().find(|(other, _)| *other == name) {
            Some((_, facts)) => facts.push(one),
            None => sources.push((name, vec![one])),
        }
    }
    page.block("section", &[("class", "evidence")], |page| {
        page.tag("h4", &[], "Because");
        for (name, facts) in &sources {
            page.tag("p", &[("class", "source")], name);
            page.block("dl", &[], |page| facts.iter().for_each(|one| fact(page, report, one, verbose)));
        }
        if evidence.len() > most {
            let more = format!("and {} more (-v)", evidence.len() - most);
            page.tag("p", &[("class", "aside")], &more);
        }
    });
}

fn fact(page: &mut Page, report: &Report, one: &Evidence, verbose: bool) {
    page.within("div", &[], |page| {
        page.tag("dt", &[], &spoken(&one.path));
        page.within("dd", &[], |page| {
            match one.value.as_deref() {
                None | Some("") => page.tag("em", &[], &words::value(one.value.as_deref())),
                Some(value) if verbose => page.text(value),
                Some(value) => page.text(&cut(value, VALUE)),
            }
            if let Some(time) = one.time {
                let ago = format!(" {}", words::ago(time, report.generated_at));
                page.tag("span", &[("class", "ago")], &ago);
            }
        });
    });
}

fn explains(page: &mut Page, group: &Group, view: &View) {
    let verbose = view.verbose;
    if group.beneath.is_empty() {
        return;
    }
    let parts = since::apart(&group.beneath, view);
    let rows = parts.iter().flat_map(|(mark, part)| alike(part).into_iter().map(move |row| (mark, row)));
    let rows: Vec<_> = rows.collect();
    let open: &[(&'static str, &str)] = if verbose { &[("open", "")] } else { &[] };
    page.block("details", open, |page| {
        let what = match group.beneath.len() {
            1 => "Explains 1 more, which should clear with it".to_string(),
            n => format!("Explains {n} more, which should clear with it"),
        };
        page.tag("summary", &[], &what);
        page.block("ul", &[("class", "explained")], |page| {
            for (mark, (first, names)) in &rows {
                page.block("li", &[("id", &anchor(first))], |page| {
                    page.tag("span", &[("class", "code")], first.check.code);
                    page.text(&format!(" {mark}"));
                    page.sentence(&cut(&first.finding.says, VALUE));
                    if !names.is_empty() {
                        let most = if verbose { usize::MAX } else { NAMES };
                        page.text(&format!("; {} more like it: ", names.len()));
                        page.within("code", &[], |page| page.lines(&[listed(names, most)]));
                    }
                });
            }
        });
    });
}
