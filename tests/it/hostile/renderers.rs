//! Every renderer, and what must hold of its output whatever stands in the facts. The fuzz targets use it too.

use kairos_doctor::redact::redact;
use kairos_doctor::report::{View, html, json, markdown, outcome, prometheus, terminal};
use kairos_doctor_checks::engine::{self, Report};
use kairos_doctor_checks::facts::Facts;
use kairos_doctor_checks::{ALL, Act, Severity};
use serde_json::Value;

use super::github;
use crate::html_page::only_our_page;

/// A renderer and what holds of its output: `Err` says what does not. A new renderer is a line here.
pub type Render = fn(&Report, &View) -> String;
pub type Holds = fn(&str) -> Result<(), String>;
pub const RENDERERS: &[(&str, Render, Holds)] = &[
    ("terminal", terminal::render, only_text),
    ("terminal in colour", in_colour, only_our_colours),
    ("JSON", json::render, one_document),
    ("Markdown", markdown::render, github::only_our_elements),
    ("HTML", html::render, only_our_page),
    ("metrics", prometheus::render, only_samples),
];

fn in_colour(report: &Report, view: &View) -> String {
    terminal::render(report, &View { colour: true, ..view.clone() })
}

pub fn view(report: &Report) -> View {
    View {
        width: 80,
        colour: false,
        verbose: true,
        quiet: false,
        min_severity: Severity::Info,
        outcome: outcome(report, Some(Severity::Warning)),
        reads: None,
        replaced: None,
        since: None,
        suppressed: Default::default(),
    }
}

/// Judges the facts, shows them in every form, as they are and under pseudonyms, and gives what does not hold.
pub fn diagnose(facts: &Facts) -> Vec<String> {
    let mut wrong = shown(facts);
    let redacted = redact(facts.clone());
    wrong.extend(bundled(&redacted).into_iter().map(|what| format!("under pseudonyms: {what}")));
    wrong
}

/// The same without pseudonyms, which cost as much as all the rest.
pub fn shown(facts: &Facts) -> Vec<String> {
    let report = engine::run(facts, ALL);
    let mut wrong = judged(&report);
    wrong.extend(bundled(facts));
    let view = view(&report);
    for (name, render, holds) in RENDERERS {
        wrong.extend(holds(&render(&report, &view)).err().map(|what| format!("{name}: {what}")));
    }
    wrong
}

/// One form of it alone, which is the quickest way to the checks.
pub fn shown_in(facts: &Facts, form: usize) -> Vec<String> {
    let report = engine::run(facts, ALL);
    let mut wrong = judged(&report);
    let (name, render, holds) = RENDERERS[form % RENDERERS.len()];
    wrong.extend(holds(&render(&report, &view(&report))).err().map(|what| format!("{name}: {what}")));
    wrong
}

/// The innermost places at which two documents differ first.
fn differs<'a>(a: &'a Value, b: &'a Value) -> Option<(&'a Value, &'a Value)> {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) if x.len() == y.len() && x.keys().eq(y.keys()) => {
            x.iter().find_map(|(key, value)| differs(value, &y[key]))
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            x.iter().zip(y).find_map(|(x, y)| differs(x, y))
        }
        _ => (a != b).then_some((a, b)),
    }
}

/// What is wrong with a bundle of these facts: it must read back the same, and hold nothing but text.
fn bundled(facts: &Facts) -> Vec<String> {
    let bundle = facts.to_bundle();
    let mut wrong = Vec::new();
    strings(&bundle, &mut |text| {
        if !harmless(text) {
            wrong.push(format!("the bundle holds {text:?}"));
        }
    });
    match Facts::from_bundle(&bundle) {
        Ok(back) => {
            if let Some((was, is)) = differs(&bundle, &back.to_bundle()) {
                wrong.push(format!("the bundle reads back otherwise: {is}, and not {was}"));
            }
        }
        Err(e) => wrong.push(format!("the bundle does not read back: {e}")),
    }
    wrong
}

pub fn judged(report: &Report) -> Vec<String> {
    let mut wrong = Vec::new();
    for checked in report.checks.iter().filter(|checked| checked.detail.starts_with("a bug in ")) {
        wrong.push(format!("{} panics: {}", checked.check.code, checked.detail));
    }
    let mut ids: Vec<&str> = report.findings.iter().map(|f| f.id.as_str()).collect();
    ids.sort();
    ids.dedup();
    if ids.len() != report.findings.len() {
        wrong.push("two findings have one ID".into());
    }
    for f in &report.findings {
        let start = format!("{}/{}/", f.check.code, f.finding.subject.kind);
        if !f.id.starts_with(&start) || !harmless(&f.id) {
            wrong.push(format!("the ID {:?}", f.id));
        }
        let steps = f.finding.steps.iter();
        let commands = steps.clone().filter_map(|step| match &step.act {
            Act::Run(argv) => Some(argv.join(" ")),
            _ => None,
        });
        let texts = [f.finding.says.clone()].into_iter().chain(f.finding.because.clone());
        let texts = texts.chain(steps.map(|step| step.why.clone())).chain(commands);
        for text in texts.filter(|text| !harmless(text)) {
            wrong.push(format!("{} says {text:?}", f.id));
        }
    }
    wrong
}

pub fn only_text(screen: &str) -> Result<(), String> {
    let wrong = screen.lines().find(|line| !harmless(line));
    wrong.map_or(Ok(()), |line| Err(format!("{line:?}")))
}

/// Text, and the sequences that set a colour or a weight.
fn only_our_colours(screen: &str) -> Result<(), String> {
    let mut plain = String::with_capacity(screen.len());
    let mut rest = screen;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(after.len());
        let Some(next) = after[end..].strip_prefix('m') else {
            return Err(format!("a control sequence that sets no colour: {:?}", &after[..end.min(8)]));
        };
        rest = next;
    }
    plain.push_str(rest);
    only_text(&plain)
}

fn one_document(text: &str) -> Result<(), String> {
    only_text(text)?;
    let document: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let keys: Vec<&str> = document.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    let expected =
        ["checks", "cluster", "findings", "gaps", "generated_at", "outcome", "schema", "summary", "version"];
    if keys != expected {
        return Err(format!("it has the keys {keys:?}"));
    }
    let mut wrong = Ok(());
    strings(&document, &mut |text| {
        // A snippet and a here-document have lines; everything else is one.
        if text.lines().any(|line| !harmless(line)) {
            wrong = Err(format!("{text:?}"));
        }
    });
    wrong
}

fn only_samples(text: &str) -> Result<(), String> {
    only_text(text)?;
    crate::exposition::read(text).map(drop).map_err(|e| e.to_string())
}

/// Every string and every key.
pub fn strings(value: &Value, see: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, see)),
        Value::Object(fields) => fields.iter().for_each(|(key, field)| {
            see(key);
            strings(field, see);
        }),
        _ => {}
    }
}

/// Nothing that a reader does not see, and that moves, hides, reorders or joins what they do see. Unicode's
/// `Default_Ignorable_Code_Point`, `Bidi_Control`, controls, line and paragraph separators.
pub fn harmless(text: &str) -> bool {
    !text.chars().any(|c| {
        c.is_control()
            || matches!(c,
                '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}')
    })
}
