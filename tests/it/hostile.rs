//! Hostile text in every string of a cluster: nothing panics, and no report shows more than text.

mod corpus;
pub mod github;
mod places;
pub mod renderers;

pub use renderers::harmless;

use kairos_doctor_checks::facts::Facts;
use serde_json::Value;

use crate::cases::{CASES, Case, none};

/// What acts on a terminal, in a direction, unseen, in Markdown, on GitHub, in HTML, in a shell, in YAML, and on the checks.
const HOSTILE: &[&str] = &[
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "\u{1b}]8;;https://evil.example\u{1b}\\here\u{1b}]8;;\u{1b}\\ \u{1b}P1$q\u{1b}\\",
    "\u{9b}31m\u{9d}0;x\u{9c}\u{90}q\u{9c}\u{85}\u{0}\u{7f}",
    "a\nb\r\n\u{b}\u{c}\u{2028}c\u{202e}d\u{200b}\u{2029}e",
    "\u{2066}a\u{2067}b\u{2068}c\u{2069}\u{61c}\u{ad}\u{3164}\u{fe0f}\u{e0041}",
    "'; rm -rf / #",
    "\"; $(id) `id` !! ${IFS} \\\nEOF\n",
    "</script><img src=x onerror=alert(1)>",
    "<!-- --><details open><a href=//e.example>x</a>&lt;b&gt;&#60;",
    "`| [x](javascript:alert(1)) |\n# h",
    "![x](https://e.example/p.png) [^1] [x]: y <https://e.example>",
    "see https://e.example, www.e.example or me@e.example:80",
    "@octocat @org/team #123 o/r#1 GH-12 a1b2c3d deadbeef :tada: $x$",
    "===\n---\n- [x] a\n1. b\n> [!NOTE]\n~~~sh\n```",
    "*a* _b_ **c** ~~d~~ | --- | --- |",
    "\u{430}\u{440}\u{440}\u{4cf}\u{435}.com",
    "- a: &x [*x]\n? !!binary |\n%YAML",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
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
        // Each fixture meets a ninth of them: together they meet all, in every field that there is.
        for (n, text) in HOSTILE.iter().enumerate().filter(|(n, _)| n % 9 == i % 9) {
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
        for at in (0..count).step_by(23) {
            let (mut bundle, mut here) = (case.bundle.clone(), 0);
            let text = HOSTILE[at % HOSTILE.len()];
            each(&mut bundle["parts"], &mut |leaf| {
                if here == at {
                    *leaf = text.to_string();
                }
                here += 1;
            });
            let Ok(facts) = Facts::from_bundle(&bundle) else { continue };
            let what = renderers::shown(&facts).into_iter();
            wrong.extend(what.map(|what| format!("{} with {text:?}: {what}", case.fixture.name())));
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
    let what = renderers::diagnose(&facts).into_iter();
    wrong.extend(what.map(|what| format!("{} with {text:?}: {what}", case.fixture.name())));
}
