//! The README's list as a language: which request lines are in it. Written from the list alone, and not from the code that
//! makes requests.

use std::sync::LazyLock;

/// One line of the list.
pub struct Line {
    path: Vec<String>,
    query: Vec<Key>,
}

struct Key {
    name: String,
    value: String,
    optional: bool,
}

pub static LISTED: LazyLock<Vec<Line>> = LazyLock::new(|| {
    let readme = include_str!("../../../README.md");
    let (_, from) = readme.split_once("<!-- reads -->\n```\n").expect("the list begins");
    let (list, _) = from.split_once("```\n<!-- /reads -->").expect("the list ends");
    list.lines().map(Line::read).collect()
});

/// Whether such a request line is in the list.
pub fn is_listed(method: &str, target: &str) -> bool {
    method == "GET" && LISTED.iter().any(|line| line.has(target))
}

impl Line {
    fn read(line: &str) -> Line {
        let target = line.strip_prefix("GET ").expect("only GETs are listed");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut keys = Vec::new();
        let mut optional = false;
        for pair in query.replace('[', "&[").replace(']', "").split('&').filter(|pair| !pair.is_empty()) {
            if pair == "[" {
                optional = true;
                continue;
            }
            let (name, value) = pair.split_once('=').expect("a key and its value");
            // a first page has no token, and a log is the running container's when nothing else is said
            let may_miss = optional || matches!(value, "{token}" | "{true|false}");
            keys.push(Key { name: name.into(), value: value.into(), optional: may_miss });
        }
        Line { path: path.split('/').map(String::from).collect(), query: keys }
    }

    fn has(&self, target: &str) -> bool {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let segments: Vec<&str> = path.split('/').collect();
        let same = |(wanted, is): (&String, &&str)| wanted == is || (wanted == "{name}" && is_name(is));
        if segments.len() != self.path.len() || !self.path.iter().zip(&segments).all(same) {
            return false;
        }
        let pairs: Vec<(&str, &str)> = match query {
            None => Vec::new(),
            Some(query) => match query.split('&').map(|pair| pair.split_once('=')).collect() {
                Some(pairs) => pairs,
                None => return false,
            },
        };
        let once = |name: &str| pairs.iter().filter(|(n, _)| *n == name).count() == 1;
        pairs.iter().all(|(name, value)| {
            once(name) && self.query.iter().any(|key| key.name == *name && key.takes(value))
        }) && self.query.iter().all(|key| key.optional || once(&key.name))
    }

    /// A request that this line lists.
    pub fn example(&self) -> String {
        let path: Vec<&str> = self.path.iter().map(|s| if s == "{name}" { "pod-a.b" } else { s }).collect();
        let value = |key: &Key| match key.value.as_str() {
            "{1..500}" => "500".to_string(),
            "{n}" => "7".to_string(),
            "{name}" => "c".to_string(),
            "{token}" => encoded("eyJ2IjoibWV0YSJ9+/="),
            "{true|false}" => "true".to_string(),
            literal => encoded(literal),
        };
        let query: Vec<String> = self.query.iter().map(|k| format!("{}={}", k.name, value(k))).collect();
        let path = path.join("/");
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    }
}

impl Key {
    /// Whether it takes the value, which is written in the one way in which it is written.
    fn takes(&self, written: &str) -> bool {
        let Some(value) = decoded(written).filter(|value| encoded(value) == written) else { return false };
        match self.value.as_str() {
            "{1..500}" => number(&value).is_some_and(|n| (1..=500).contains(&n)),
            "{n}" => number(&value).is_some_and(|n| n > 0),
            // a container's: a label
            "{name}" => is_name(&value) && !value.contains('.'),
            "{token}" => {
                (1..=4096).contains(&value.len()) && value.bytes().all(|b| (0x21..0x7f).contains(&b))
            }
            "{true|false}" => value == "true" || value == "false",
            literal => value == literal,
        }
    }
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|n: &u32| n.to_string() == text)
}

/// A name as Kubernetes gives them to pods.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn encoded(text: &str) -> String {
    let one = |b: u8| match b {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(one).collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        match (first, more) {
            (b'%', [high, low, after @ ..]) => {
                let digits = std::str::from_utf8(&[*high, *low]).ok()?.to_string();
                bytes.push(u8::from_str_radix(&digits, 16).ok().filter(|_| !digits.starts_with('+'))?);
                rest = after;
            }
            (b'%', _) => return None,
            (plain, after) => {
                bytes.push(*plain);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[test]
fn the_language_tells_requests_apart() {
    assert!(LISTED.len() > 40, "{}", LISTED.len());
    for line in LISTED.iter() {
        let example = line.example();
        assert!(is_listed("GET", &example), "{example}");
        for wrong in [format!("{example}&watch=true"), format!("{example}/"), format!("/{example}")] {
            assert!(!is_listed("GET", &wrong), "{wrong}");
        }
        assert!(!is_listed("DELETE", &example));
    }
    for wrong in ["/", "/api/v1/secrets?limit=500", "/api/v1/pods", "/api/v1/pods?limit=501", "/v1/servers"] {
        assert!(!is_listed("GET", wrong), "{wrong}");
    }
}
