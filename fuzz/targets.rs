//! What each fuzz target does with its bytes. A panic is a finding, whether the program's own or an assertion here.

use std::sync::LazyLock;

use kairos_doctor::collect::budget::excerpt;
use kairos_doctor::collect::certificate as certificates;
use kairos_doctor::fixture::Fixture;
use kairos_doctor::report::markdown::escape::{self, Place};
use kairos_doctor::report::{command, yaml};
use kairos_doctor_checks::domain::hccm_log::{self, Piece};
use kairos_doctor_checks::domain::sync_error;
use kairos_doctor_checks::engine;
use kairos_doctor_checks::facts::kubernetes::HelmChart;
use kairos_doctor_checks::facts::{Document, FORMAT, Facts, LONGEST, NEEDS, Need, Origin, Text};
use kairos_doctor_checks::{ALL, Act};
use serde_json::{Value, json};

use super::github::only_our_elements;
use super::renderers::{diagnose, harmless, judged, shown_in, strings};
use super::words;

type Run = fn(&[u8]);
/// Every target by name.
pub const TARGETS: &[(&str, Run)] = &[
    ("bundle", bundle),
    ("leaves", leaves),
    ("kubernetes", kubernetes),
    ("hetzner", hetzner),
    ("values", values),
    ("certificate", certificate),
    ("error_text", error_text),
    ("shell", shell),
    ("snippet", snippet),
    ("sanitise", sanitise),
    ("markdown", markdown),
];

fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_text(text: &str) {
    assert!(harmless(text), "{text:?}");
    assert!(text.chars().count() <= LONGEST + 1, "{} characters", text.chars().count());
}

/// A bundle as it is read from a file: facts, every check, every renderer, pseudonyms, and back.
pub fn bundle(bytes: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Document>(bytes) else { return };
    if let Ok(facts) = document.facts {
        none(diagnose(&facts));
    }
}

/// A fixture with strings of its objects replaced or added to: which one and in which form it is shown (one byte), then for
/// each edit the place (two bytes), what to do and how long (one byte), and the text.
pub fn leaves(bytes: &[u8]) {
    let Some((&which, mut edits)) = bytes.split_first() else { return };
    let which = usize::from(which);
    let mut bundle = INCIDENTS[which % INCIDENTS.len()].clone();
    let mut all = Vec::new();
    strings_mut(&mut bundle["parts"], &mut all);
    while let [high, low, how, rest @ ..] = edits {
        let length = usize::from(how >> 1).min(rest.len());
        let text = String::from_utf8_lossy(&rest[..length]);
        let place = usize::from(u16::from_be_bytes([*high, *low])) % all.len();
        if how & 1 == 0 {
            *all[place] = text.into_owned();
        } else {
            all[place].push_str(&text);
        }
        edits = &rest[length..];
    }
    if let Ok(facts) = Facts::from_bundle(&bundle) {
        none(shown_in(&facts, which / INCIDENTS.len()));
    }
}

/// One byte does not reach all fixtures; the incidents are what has most to say.
static INCIDENTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let names = Fixture::names().filter(|name| name.starts_with("incidents/"));
    names.map(|name| Fixture::named(name).expect("it is listed").bundle()).collect()
});

fn strings_mut<'a>(value: &'a mut Value, all: &mut Vec<&'a mut String>) {
    match value {
        Value::String(text) => all.push(text),
        Value::Array(items) => items.iter_mut().for_each(|item| strings_mut(item, all)),
        Value::Object(fields) => fields.values_mut().for_each(|field| strings_mut(field, all)),
        _ => {}
    }
}

/// A body of the Kubernetes API, read as the kind that the first byte says.
pub fn kubernetes(bytes: &[u8]) {
    decoded(bytes, |need| !matches!(need.from, Origin::Hetzner(_)));
}

/// A body of the Hetzner API, read as the kind that the first byte says.
pub fn hetzner(bytes: &[u8]) {
    decoded(bytes, |need| matches!(need.from, Origin::Hetzner(_)));
}

/// What is decoded is text, and reads back the same; and what is said of a body that is not what it should be is short.
fn decoded(bytes: &[u8], of: impl Fn(&&&Need) -> bool) {
    let Some((&which, body)) = bytes.split_first() else { return };
    let needs: Vec<&Need> = NEEDS.iter().filter(of).copied().collect();
    let need = needs[usize::from(which) % needs.len()];
    let said = excerpt(body);
    is_text(&said);
    assert!(said.chars().count() <= 200);
    match need.decode(body) {
        Ok(page) => {
            let part = need.join(vec![page.items]);
            let items = need.encode(&part);
            strings(&items, &mut is_text_or_values);
            let back = need.load(&items).expect("what was written is read");
            assert_eq!(need.encode(&back), items, "{} reads back otherwise", need.key);
            let mut facts = Facts::new("2026-11-23T09:00:00Z".parse().expect("a time"));
            facts.put(need, Ok(part));
            none(judged(&engine::run(&facts, ALL)));
        }
        Err(error) => is_text(&Text::new(&error.to_string())),
    }
}

/// The values of a chart are kept as one string of JSON, which may be long.
fn is_text_or_values(text: &str) {
    match text.starts_with('{') {
        true => assert!(harmless(text), "{text:?}"),
        false => is_text(text),
    }
}

/// `valuesContent` of a HelmChart: only what is on the list is kept, all of it is text, and it reads back the same.
pub fn values(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let chart =
        json!({"metadata": {"name": "chart", "namespace": "kube-system"}, "spec": {"valuesContent": text}});
    let bundle = json!({"format": FORMAT, "now": "2026-11-23T09:00:00Z", "parts": {"helmcharts": [chart]}});
    let facts = Facts::from_bundle(&bundle).expect("any text is a chart's values");
    let once = facts.to_bundle();
    strings(&once, &mut is_text_or_values);
    let charts = facts.all::<HelmChart>().expect("it was read");
    for (path, text) in charts[0].spec.values_content.placeholders() {
        assert!(harmless(&path) && harmless(&text), "{path:?} {text:?}");
    }
    let again = Facts::from_bundle(&once).expect("what was written is read");
    assert_eq!(again.to_bundle(), once);
    none(judged(&engine::run(&facts, ALL)));
}

/// A certificate as a kubelet shows it, and the same bytes as a file of PEM: little is kept, and it is text.
pub fn certificate(bytes: &[u8]) {
    let pem = certificates::pem_certificates(&String::from_utf8_lossy(bytes));
    for der in pem.iter().map(|der| &der[..]).chain([bytes]) {
        let Some(found) = certificates::certificate(der) else { continue };
        assert!(found.dns_names.len() <= 64 && found.ip_addresses.len() <= 64);
        strings(&json!(found), &mut is_text);
        is_text(&found.covered());
    }
}

/// Words of the cloud controller, from an event and from its log: whatever they are, they mean something or nothing.
pub fn error_text(bytes: &[u8]) {
    let raw = String::from_utf8_lossy(bytes);
    for text in [&*raw, &*Text::new(&raw)] {
        let claimed = sync_error::claimed(text);
        assert!(claimed.is_none_or(|code| ALL.iter().any(|check| check.code == code)), "{claimed:?}");
        if let Some(code) = sync_error::code(text) {
            assert!(text.contains(&format!("({code}")));
        }
        sync_error::refuses_place(text);
        sync_error::refuses_zone(text);
    }
    let lines = hccm_log::kept(hccm_log::lines(&raw));
    assert!(lines.len() <= hccm_log::MOST_LINES);
    for line in &lines {
        is_text(&line.text);
        hccm_log::classify(&line.text);
        let pieces = hccm_log::pieces(&line.text);
        let whole: String = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Words(text) | Piece::Network(text) | Piece::Rest(text) => *text,
            })
            .collect();
        assert_eq!(whole, *line.text, "a line is its pieces");
    }
    let again = hccm_log::kept(lines.clone());
    assert_eq!(again, lines, "what is kept is kept again");
}

/// Arguments, one a line of NUL-separated bytes: a shell reads exactly them, and nothing but print stands there. As the
/// last one in a here-document: it ends where it should.
pub fn shell(bytes: &[u8]) {
    let Some((&width, rest)) = bytes.split_first() else { return };
    let args: Vec<String> =
        rest.split(|b| *b == 0).map(|arg| String::from_utf8_lossy(arg).into_owned()).collect();
    let line = command::line(&args);
    // Newlines at an argument's end stay as they are, in quotes.
    assert!(line.lines().all(harmless), "{line:?}");
    assert_eq!(words::split(&line).as_deref(), Some(&args[..]), "{line}");
    let wrapped = command::wrapped(&args, usize::from(width), 4).join("\n");
    assert_eq!(words::split(&wrapped).as_deref(), Some(&args[..]), "{wrapped}");
    let object = json!({"kind": "ConfigMap", "data": {"text": args}});
    let lines = command::lines(&Act::Apply(object.clone()), &report(), 80, 0);
    let (head, rest) = lines.split_first().expect("a command");
    let (end, body) = rest.split_last().expect("an end");
    assert_eq!(head, &format!("kubectl apply -f - <<'{end}'"));
    assert!(body.iter().all(|line| line != end && harmless(line)), "{body:?}");
    assert_eq!(read(&body.join("\n")), object);
}

fn report() -> engine::Report {
    let now = "2026-11-23T09:00:00Z".parse().expect("a time");
    engine::run(&Facts::new(now), &[])
}

/// A snippet of YAML, given as JSON, says what it was made of.
pub fn snippet(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    // A string is a file as it stands, a number beyond 64 bits is another number in YAML, and a key of more than 1,024
    // characters is none there (YAML 1.2.2, 7.4.3), nor is it one in Kubernetes.
    if value.is_string() || !small(&value) {
        return;
    }
    let yaml = yaml::text(&value);
    assert!(yaml.lines().all(harmless), "{yaml:?}");
    assert_eq!(read(&yaml), yaml::wire(&value), "{yaml}");
}

fn small(value: &Value) -> bool {
    match value {
        Value::Number(number) => !number.is_f64(),
        Value::Array(items) => items.iter().all(small),
        // with its escapes, of which each may take six characters
        Value::Object(fields) => fields.iter().all(|(key, value)| key.len() <= 160 && small(value)),
        _ => true,
    }
}

fn read(yaml: &str) -> Value {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(yaml, options).unwrap_or_else(|e| panic!("{e}\n{yaml}"))
}

/// Any bytes become text, which stays the same when it is read again.
pub fn sanitise(bytes: &[u8]) {
    let text = Text::new(&String::from_utf8_lossy(bytes));
    is_text(&text);
    assert_eq!(Text::new(&text), text);
}

/// A sentence with anything in it, in every place of the Markdown that there is.
pub fn markdown(bytes: &[u8]) {
    let raw = String::from_utf8_lossy(bytes);
    let says = |place| escape::sentence(&raw, place);
    let (prose, cell, html) = (says(Place::Prose), says(Place::Cell), says(Place::Html));
    let value = escape::code(&raw, Place::Cell);
    let page = format!(
        "### {prose}\n\n{prose}\n\n**Now:** {prose}\n\n- {prose}\n  - {prose}\n\n> **Careful:** {prose}\n\n| a | b |\n| --- | --- |\n\
         | {cell} | {value} |\n\n<details>\n<summary><b>KD1</b> {html}</summary>\n\n{prose}\n\n{}\n</details>\n",
        escape::fenced(
            "sh",
            &[raw.lines().map(|line| Text::new(line).to_string()).collect::<Vec<_>>().join("\n")]
        ),
    );
    if let Err(what) = only_our_elements(&page) {
        panic!("{what}\n{page}");
    }
}
