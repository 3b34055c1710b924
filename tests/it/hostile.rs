//! Hostile text in every string of a cluster: nothing panics, and no report shows more than text.

use kairos_doctor::redact::redact;
use kairos_doctor::report::{View, html, json, markdown, outcome, prometheus, terminal};
use kairos_doctor_checks::engine::{self, Report};
use kairos_doctor_checks::facts::Facts;
use kairos_doctor_checks::{ALL, Act, Severity};
use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::Value;

use crate::cases::{CASES, Case, none};
use crate::html_page::only_our_page;

/// Every renderer, and what its output must hold whatever stands in the facts: `Err` says what it does not.
type Render = fn(&Report, &View) -> String;
type Holds = fn(&str) -> Result<(), String>;
const RENDERERS: &[(Render, Holds)] = &[
    (terminal::render, only_text),
    (json::render, one_document),
    (markdown::render, only_our_elements),
    (html::render, only_our_page),
    (prometheus::render, only_samples),
];

const HOSTILE: &[&str] = &[
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "a\nb\r\n\u{2028}c\u{202e}d\u{200b}",
    "'; rm -rf / #",
    "</script><img src=x onerror=alert(1)>",
    "`| [x](javascript:alert(1)) |\n# h",
    "",
    "-1",
    "99999999999999999999",
    "x509: certificate is valid for , not ",
    "127.0.0.1,::1,",
    "hcloud://",
    "80-",
    "[\"--node-ip\",\"\"]",
];

#[test]
fn hostile_text_everywhere_at_once() {
    let mut wrong = Vec::new();
    for (i, case) in CASES.iter().enumerate() {
        // Each fixture meets a third of them: a check has more fixtures than there are thirds.
        for (n, text) in HOSTILE.iter().enumerate().filter(|(n, _)| n % 3 == i % 3) {
            let replace = (i + n) % 2 == 0;
            let mut bundle = case.bundle.clone();
            each(&mut bundle["parts"], &mut |leaf| {
                *leaf = if replace { text.to_string() } else { format!("{leaf}{text}") };
            });
            diagnose(&bundle, case, text, &mut wrong);
        }
    }
    none(wrong);
}

#[test]
fn hostile_text_in_one_place_at_a_time() {
    let mut wrong = Vec::new();
    let broken = CASES.iter().filter(|case| case.fixture.name().starts_with("incidents/"));
    for case in broken {
        let mut count = 0;
        each(&mut case.bundle["parts"].clone(), &mut |_| count += 1);
        for at in (0..count).step_by(9) {
            let (mut bundle, mut here) = (case.bundle.clone(), 0);
            let text = HOSTILE[at % HOSTILE.len()];
            each(&mut bundle["parts"], &mut |leaf| {
                if here == at {
                    *leaf = text.to_string();
                }
                here += 1;
            });
            diagnose(&bundle, case, text, &mut wrong);
        }
    }
    none(wrong);
}

fn each(value: &mut Value, act: &mut dyn FnMut(&mut String)) {
    match value {
        Value::String(text) => act(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, act)),
        Value::Object(fields) => fields.values_mut().for_each(|field| each(field, act)),
        _ => {}
    }
}

fn diagnose(bundle: &Value, case: &Case, text: &str, wrong: &mut Vec<String>) {
    // A time or address that is none makes the object unreadable at most, never the program.
    let Ok(facts) = Facts::from_bundle(bundle) else { return };
    let report = engine::run(&facts, ALL);
    let mut blame = |what: String| wrong.push(format!("{} with {text:?}: {what}", case.fixture.name()));
    for checked in &report.checks {
        if checked.detail.starts_with("a bug in ") {
            blame(format!("{} panics: {}", checked.check.code, checked.detail));
        }
    }
    let mut ids: Vec<&str> = report.findings.iter().map(|f| f.id.as_str()).collect();
    ids.sort();
    ids.dedup();
    if ids.len() != report.findings.len() {
        blame("two findings have one ID".into());
    }
    for f in &report.findings {
        let start = format!("{}/{}/", f.check.code, f.finding.subject.kind);
        if !f.id.starts_with(&start) || !harmless(&f.id) {
            blame(format!("the ID {:?}", f.id));
        }
        let steps = f.finding.steps.iter();
        let commands = steps.clone().filter_map(|step| match &step.act {
            Act::Run(argv) => Some(argv.join(" ")),
            _ => None,
        });
        let texts = [f.finding.says.clone()].into_iter().chain(f.finding.because.clone());
        let texts = texts.chain(steps.map(|step| step.why.clone())).chain(commands);
        for text in texts.filter(|text| !harmless(text)) {
            blame(format!("{} says {text:?}", f.id));
        }
    }
    let view = View {
        width: 80,
        colour: false,
        verbose: true,
        quiet: false,
        min_severity: Severity::Info,
        outcome: outcome(&report, Some(Severity::Warning)),
        reads: None,
        replaced: None,
        since: None,
        suppressed: Default::default(),
    };
    for (render, holds) in RENDERERS {
        if let Err(what) = holds(&render(&report, &view)) {
            blame(what);
        }
    }
    // Redaction reads every string too; that it succeeds is all there is to ask of it here.
    redact(&facts);
}

fn only_text(screen: &str) -> Result<(), String> {
    let wrong = screen.lines().find(|line| !harmless(line));
    wrong.map_or(Ok(()), |line| Err(format!("the terminal shows {line:?}")))
}

fn one_document(text: &str) -> Result<(), String> {
    let document: Value = serde_json::from_str(text).map_err(|e| format!("JSON: {e}"))?;
    let keys: Vec<&str> = document.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    let expected =
        ["checks", "cluster", "findings", "gaps", "generated_at", "outcome", "schema", "summary", "version"];
    if keys == expected { Ok(()) } else { Err(format!("JSON has the keys {keys:?}")) }
}

/// No link, no image, and no HTML but what the renderer writes itself.
fn only_our_elements(text: &str) -> Result<(), String> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_GFM;
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Start(tag @ (Tag::Link { .. } | Tag::Image { .. })) => {
                return Err(format!("Markdown has {tag:?}"));
            }
            Event::InlineHtml(html) => return Err(format!("Markdown has {html}")),
            Event::Html(html) => {
                let ours = [
                    "<details",
                    "</details",
                    "<summary",
                    "</summary",
                    "<b>",
                    "</b>",
                    "<code>",
                    "</code>",
                    "<!-- ",
                ];
                let foreign = html.split_inclusive('>').map(str::trim).find(|part| {
                    part.find('<').is_some_and(|at| !ours.iter().any(|known| part[at..].starts_with(known)))
                });
                if let Some(part) = foreign {
                    return Err(format!("Markdown has {part}"));
                }
            }
            Event::FootnoteReference(name) => return Err(format!("Markdown has the footnote {name}")),
            _ => {}
        }
    }
    Ok(())
}

fn only_samples(text: &str) -> Result<(), String> {
    crate::exposition::read(text).map(drop).map_err(|e| format!("the metrics have {e}"))
}

/// No control character, no direction mark.
pub fn harmless(text: &str) -> bool {
    !text.chars().any(|c| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}'..='\u{2029}')
    })
}
