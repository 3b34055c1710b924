//! The rules of the Prometheus text format 0.0.4, as strict as its readers: what breaks one of them breaks the scrape of
//! every file beside it.

use std::collections::{BTreeMap, BTreeSet};

/// One line that is a value.
#[derive(Debug)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// The samples of a text, or what is wrong with it.
pub fn read(text: &str) -> Result<Vec<Sample>, String> {
    let wrong = |line: &str, what: &str| format!("{what}: {line:?}");
    if !text.ends_with('\n') {
        return Err("the last line has no end".into());
    }
    let mut samples: Vec<Sample> = Vec::new();
    let (mut helped, mut typed, mut begun) = (BTreeSet::new(), BTreeSet::new(), Vec::<String>::new());
    let mut alike = BTreeSet::new();
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if line.is_empty() || line.chars().any(char::is_control) {
            return Err(wrong(line, "an empty line or a control character"));
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or_else(|| wrong(line, "no help"))?;
            if !is_name(name) || help.is_empty() || !helped.insert(name.to_string()) {
                return Err(wrong(line, "no name, no help, or a second one"));
            }
            unescaped(help, false).ok_or_else(|| wrong(line, "an escape that is none"))?;
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or_else(|| wrong(line, "no type"))?;
            let known = ["counter", "gauge", "histogram", "summary", "untyped"].contains(&kind);
            if !is_name(name)
                || !known
                || !typed.insert(name.to_string())
                || begun.contains(&name.to_string())
            {
                return Err(wrong(line, "no type, a second one, or one after its samples"));
            }
            continue;
        }
        if line.starts_with('#') {
            return Err(wrong(line, "a comment that a reader skips"));
        }
        let sample = sample(line).ok_or_else(|| wrong(line, "no sample"))?;
        if !typed.contains(&sample.name) || !helped.contains(&sample.name) {
            return Err(wrong(line, "no HELP and TYPE before it"));
        }
        if begun.last() != Some(&sample.name) {
            if begun.contains(&sample.name) {
                return Err(wrong(line, "its family is in two places"));
            }
            begun.push(sample.name.clone());
        }
        if !alike.insert((sample.name.clone(), sample.labels.clone())) {
            return Err(wrong(line, "the same series twice"));
        }
        samples.push(sample);
    }
    match typed.iter().find(|name| !begun.contains(name)) {
        Some(name) => Err(format!("{name} has a type and no sample")),
        None => Ok(samples),
    }
}

fn is_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}

/// `name{label="value",…} number`, and no timestamp.
fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, value) = rest.split_once("=\"")?;
            if !is_name(label) || label.contains(':') || label.starts_with("__") {
                return None;
            }
            let mut at = 0;
            while !value[at..].starts_with('"') {
                at += if value[at..].starts_with('\\') { 2 } else { value[at..].chars().next()?.len_utf8() };
            }
            let value_text = unescaped(&value[..at], true)?;
            if value_text.is_empty() || labels.insert(label.to_string(), value_text).is_some() {
                return None;
            }
            rest = &value[at + 1..];
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => break,
            }
        }
        rest = rest.strip_prefix('}')?;
    }
    let number = rest.strip_prefix(' ')?;
    let plain = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '-');
    (is_name(name) && plain)
        .then(|| Some(Sample { name: name.into(), labels, value: number.parse().ok()? }))
        .flatten()
}

/// The text behind the escapes; `None` for one that the format does not have.
fn unescaped(text: &str, in_label: bool) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                '\\' => out.push('\\'),
                'n' => out.push('\n'),
                '"' if in_label => out.push('"'),
                _ => return None,
            },
            '"' if in_label => return None,
            c => out.push(c),
        }
    }
    Some(out)
}

#[test]
fn what_breaks_a_scrape_is_refused() {
    let head = "# HELP a b\n# TYPE a gauge\n";
    let ok = format!("{head}a{{x=\"\\\\ \\\" \\n }},{{\"}} 1\na 2.5\n");
    let samples = read(&ok).unwrap();
    assert_eq!(samples[0].labels["x"], "\\ \" \n },{");
    assert_eq!(samples[1].value, 2.5);
    for bad in [
        "a 1\n",
        &format!("{head}a 1"),
        &format!("{head}a 1 1700000000000\n"),
        &format!("{head}a 1\na 1\n"),
        &format!("{head}a{{x=\"\\q\"}} 1\n"),
        &format!("{head}a{{x=\"y\",x=\"z\"}} 1\n"),
        &format!("{head}a{{x-y=\"z\"}} 1\n"),
        &format!("{head}a{{x=\"y}} 1\n"),
        &format!("{head}a 1\n{head}"),
        &format!("{head}a 1\n\n"),
        &format!("{head}a 1\n# HELP c d\n# TYPE c gauge\nc 1\na{{x=\"y\"}} 1\n"),
        head,
    ] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
}
