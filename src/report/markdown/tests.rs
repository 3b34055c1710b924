use kairos_doctor_checks::engine::Report;
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::{LONGEST, render};
use crate::report::samples::{self, view};

fn text(report: &Report) -> String {
    render(report, &view(report, 80))
}

fn snapshot(name: &str, report: &Report) {
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(format!("markdown_{name}"), text(report));
    });
}

#[test]
fn snapshots() {
    snapshot("pending_service", &samples::pending_service());
    snapshot("mixed", &samples::mixed());
    snapshot("blind", &samples::blind());
    snapshot("healthy", &samples::healthy());
    snapshot("kubelets_40", &samples::kubelets(40));
}

#[test]
fn a_reader_is_told_what_is_a_pseudonym() {
    let report = samples::healthy();
    let view = crate::report::View { replaced: Some("2 IP addresses".into()), ..view(&report, 80) };
    assert!(render(&report, &view).contains("\nPseudonyms stand for 2 IP addresses, in commands too. "));
    assert!(!text(&report).contains("seudonym"));
}

fn parse(text: &str) -> Vec<Event<'_>> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM;
    Parser::new_ext(text, options).collect()
}

/// The elements, without text and without how many code spans there are.
fn elements(text: &str) -> Vec<String> {
    let mut tags = Vec::new();
    for event in parse(text) {
        match event {
            Event::Start(Tag::Link { .. } | Tag::Image { .. }) => panic!("a link:\n{text}"),
            Event::InlineHtml(html) => panic!("{html} in\n{text}"),
            Event::Html(html) => tags.extend(html.split('<').skip(1).map(|tag| {
                let name = tag.split(['>', ' ']).next().unwrap_or_default().to_string();
                assert!(
                    ["details", "/details", "summary", "/summary", "b", "/b", "code", "/code", "!--"]
                        .contains(&&*name),
                    "{html}"
                );
                name
            })),
            Event::Start(tag) => {
                tags.push(format!("{tag:?}").split(['(', ' ']).next().unwrap_or_default().into())
            }
            Event::Rule | Event::TaskListMarker(_) | Event::FootnoteReference(_) => {
                panic!("an element:\n{text}")
            }
            _ => {}
        }
    }
    tags.retain(|tag| tag != "code" && tag != "/code");
    tags
}

/// All text that is not in code, where GitHub looks for mentions, references and links.
fn outside_code(text: &str) -> String {
    let mut out = String::new();
    let mut fenced = false;
    for event in parse(text) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => fenced = true,
            Event::End(pulldown_cmark::TagEnd::CodeBlock) => fenced = false,
            Event::Text(words) if !fenced => out.push_str(&words),
            Event::Html(html) if !html.starts_with("<!--") => {
                for part in html.split("<code>") {
                    let part = part.split_once("</code>").map_or(part, |(_, after)| after);
                    out.extend(
                        part.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, after)| after)),
                    );
                }
            }
            Event::SoftBreak | Event::End(_) => out.push('\n'),
            _ => {}
        }
    }
    out
}

const HOSTILE: [&str; 16] = [
    "@octocat",
    "#1",
    "a/b#2",
    "https://evil.example/x",
    "www.evil.example",
    "<img src=x>",
    "</details>",
    "<!--",
    "](http://x) [a",
    "`code`",
    "``` x",
    "**bold** _it_",
    "| a | b |",
    "a\n\n# heading",
    "-->",
    "\\",
];

#[test]
fn hostile_names_make_no_element() {
    let bundle = samples::pending_service_bundle();
    let calm = elements(&text(&samples::renamed(&bundle, "cilium-gateway-web", "cilium-gateway-x")));
    for hostile in HOSTILE {
        let name = format!("cilium-gateway-{hostile}");
        let report = samples::renamed(&bundle, "cilium-gateway-web", &name);
        let text = text(&report);
        assert_eq!(elements(&text), calm, "{hostile}\n{text}");
        let seen = outside_code(&text);
        for bad in ["@", "evil", "#1", "#2"] {
            assert!(!seen.contains(bad), "{hostile}: {seen}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_name_makes_an_element(hostile in "([ -~]{1,14}|[`|<>@#*_\\[\\]()!:/ a1.-]{1,14})", folded in any::<bool>()) {
        let mut report = samples::mixed();
        let calm = elements(&text(&report));
        let at = if folded { report.findings.len() - 1 } else { 0 };
        let finding = &mut report.findings[at].finding;
        finding.says = format!("{} {hostile} and {hostile}", finding.says);
        finding.because = finding.because.take().map(|b| format!("{hostile} {b}"));
        for step in &mut finding.steps {
            step.why = format!("{hostile} {}", step.why);
            step.hazard = step.hazard.take().map(|h| format!("{hostile} {h}"));
        }
        for evidence in &mut finding.evidence {
            evidence.value = evidence.value.take().map(|_| hostile.as_str().into());
        }
        let text = text(&report);
        prop_assert_eq!(elements(&text), calm, "{}", text);
        let seen = outside_code(&text);
        prop_assert!(!seen.contains(['@', '<', '#', '`', '[', '*', '_', '|']), "{}", seen);
        prop_assert!(!seen.contains("://") && !seen.contains("www."), "{}", seen);
    }
}

#[test]
fn a_long_report_is_cut_between_findings_and_says_so() {
    let report = samples::many(900);
    let text = text(&report);
    assert!(text.chars().count() <= LONGEST);
    assert!(text.chars().count() > LONGEST / 2, "{}", text.chars().count());
    let tags = elements(&text);
    let count = |name: &str| tags.iter().filter(|t| *t == name).count();
    assert_eq!(count("details"), count("/details"));
    assert_eq!(count("summary"), count("/summary"));
    let rows = text.lines().filter(|l| l.starts_with("| KD900 | error")).count();
    assert!(text.contains(&format!("**{} findings of the lowest rank left out**", 900 - rows)));
}

#[test]
fn the_fingerprint_is_the_clusters_and_not_its_name() {
    let report = samples::healthy();
    let first = text(&report).lines().next().unwrap().to_string();
    assert!(first.starts_with("<!-- kairos-doctor: report/v1 "), "{first}");
    assert_eq!(text(&samples::pending_service()).lines().next().unwrap(), first);
    let other = samples::renamed(&samples::bundle(&[1]), "5a1b8c1e", "6a1b8c1e");
    assert_ne!(text(&other).lines().next().unwrap(), first);
    assert!(!first.contains("5a1b8c1e"));
}
