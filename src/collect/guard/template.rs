//! The list of what may be asked, made from the needs.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use kairos_doctor_checks::facts::{LogRead, NEEDS, Need, Origin};

use super::Refused;
use super::get::{LOG_BYTES, LOG_LINES};

/// The longest name, and the longest path segment: RFC 1123 subdomains, as the API server limits names of pods.
const LONGEST_NAME: usize = 253;
/// Tokens of real API servers are a few hundred bytes.
const LONGEST_TOKEN: usize = 4096;
/// The largest page that is ever asked for.
pub(super) const LARGEST_PAGE: usize = 500;
/// The groups that the API server serves.
pub(super) const GROUPS: &str = "/apis";

pub(super) struct Template {
    segments: Vec<Segment>,
    query: Query,
}

#[derive(Clone, PartialEq, Eq)]
enum Segment {
    Exactly(String),
    /// The name of an object.
    Name,
}

enum Query {
    Nothing,
    List { field_selector: Option<&'static str> },
    Log(LogRead),
}

static TEMPLATES: LazyLock<Vec<Template>> = LazyLock::new(|| {
    let mut all: Vec<Template> = NEEDS.iter().flat_map(|need| of(need)).collect();
    all.push(Template::new(GROUPS, Query::Nothing));
    all
});

fn of(need: &Need) -> Vec<Template> {
    match need.from {
        Origin::Kubernetes(resource) => {
            let query = || match resource.only {
                Some(_) => Query::Nothing,
                None => Query::List { field_selector: resource.field_selector },
            };
            resource.versions.iter().map(|version| Template::new(&resource.path(version), query())).collect()
        }
        Origin::KubernetesPath(path) => vec![Template::new(path, Query::Nothing)],
        Origin::PodLogs { namespace, read } => {
            vec![Template::new(
                &format!("/api/v1/namespaces/{namespace}/pods/{{name}}/log"),
                Query::Log(read),
            )]
        }
        Origin::Hetzner(_) | Origin::Kubelets | Origin::Connection => Vec::new(),
    }
}

/// Everything that may be asked of the Kubernetes API, one line each, for people: `{…}` stands for a value.
pub fn templates() -> Vec<String> {
    let lines: BTreeSet<String> = TEMPLATES.iter().map(Template::line).collect();
    lines.into_iter().collect()
}

/// Whether one of the path's templates has such a query. Paths are compared segment by segment. No listed path and no name
/// needs an escape, so a `%` is refused wherever it stands; with it go the ways to hide a slash or a dot.
pub(super) fn check(path: &str, query: Option<&str>) -> Result<(), Refused> {
    let unlisted = Refused::new(format!("path {}", shown(path)));
    let Some(path) = path.strip_prefix('/') else { return Err(unlisted) };
    let segments: Vec<&str> = path.split('/').collect();
    let mut refused = unlisted;
    for template in TEMPLATES.iter().filter(|template| template.matches(&segments)) {
        match template.check_query(query) {
            Ok(()) => return Ok(()),
            Err(why) => refused = why,
        }
    }
    Err(refused)
}

impl Template {
    fn new(path: &str, query: Query) -> Template {
        let segment = |text: &str| match text {
            "{name}" => Segment::Name,
            _ => Segment::Exactly(text.into()),
        };
        Template { segments: path.trim_start_matches('/').split('/').map(segment).collect(), query }
    }

    fn matches(&self, segments: &[&str]) -> bool {
        self.segments.len() == segments.len()
            && self.segments.iter().zip(segments).all(|(expected, segment)| match expected {
                Segment::Exactly(text) => text == segment,
                Segment::Name => is_name(segment),
            })
    }

    /// Whether the query is one that this path may have: each key once, each value in its bounds, escaped as the doctor
    /// escapes it and in no other way.
    fn check_query(&self, query: Option<&str>) -> Result<(), Refused> {
        let mut seen: Vec<(&str, String)> = Vec::new();
        for pair in query.into_iter().flat_map(|query| query.split('&')) {
            let refused = || Refused::new(format!("query `{}`", shown(pair)));
            let (key, raw) = pair.split_once('=').ok_or_else(refused)?;
            let value = unescape(raw).filter(|value| escape(value) == raw).ok_or_else(refused)?;
            if seen.iter().any(|(earlier, _)| *earlier == key) || !self.allows(key, &value) {
                return Err(refused());
            }
            seen.push((key, value));
        }
        match self.required().iter().find(|key| !seen.iter().any(|(seen, _)| seen == *key)) {
            Some(key) => Err(Refused::new(format!("a query without `{key}`"))),
            None => Ok(()),
        }
    }

    fn allows(&self, key: &str, value: &str) -> bool {
        match (&self.query, key) {
            (Query::List { .. }, "limit") => {
                value.parse().is_ok_and(|n: usize| (1..=LARGEST_PAGE).contains(&n) && n.to_string() == value)
            }
            (Query::List { .. }, "continue") => is_token(value),
            (Query::List { field_selector }, "fieldSelector") => *field_selector == Some(value),
            (Query::Log(_), "container") => is_label(value),
            (Query::Log(LogRead::Byte), "tailLines" | "limitBytes") => value == "1",
            (Query::Log(LogRead::Byte), "previous") => matches!(value, "true" | "false"),
            (Query::Log(LogRead::Tail), "tailLines") => value == LOG_LINES.to_string(),
            (Query::Log(LogRead::Tail), "limitBytes") => value == LOG_BYTES.to_string(),
            (Query::Log(LogRead::Tail), "timestamps" | "previous") => value == "true",
            _ => false,
        }
    }

    /// Without these a list has no end, or a log comes whole.
    fn required(&self) -> &'static [&'static str] {
        match self.query {
            Query::Nothing => &[],
            Query::List { field_selector: None } => &["limit"],
            Query::List { field_selector: Some(_) } => &["limit", "fieldSelector"],
            Query::Log(LogRead::Byte) => &["container", "tailLines", "limitBytes"],
            Query::Log(LogRead::Tail) => &["container", "tailLines", "limitBytes", "timestamps"],
        }
    }

    fn line(&self) -> String {
        let segments: Vec<&str> = self
            .segments
            .iter()
            .map(|segment| match segment {
                Segment::Exactly(text) => text.as_str(),
                Segment::Name => "{name}",
            })
            .collect();
        let query = match self.query {
            Query::Nothing => String::new(),
            Query::List { field_selector: None } => "?limit={1..500}&continue={token}".into(),
            Query::List { field_selector: Some(selector) } => {
                format!("?fieldSelector={selector}&limit={{1..500}}&continue={{token}}")
            }
            Query::Log(LogRead::Byte) => {
                "?container={name}&tailLines=1&limitBytes=1&previous={true|false}".into()
            }
            Query::Log(LogRead::Tail) => format!(
                "?container={{name}}&tailLines={LOG_LINES}&limitBytes={LOG_BYTES}&timestamps=true[&previous=true]"
            ),
        };
        format!("GET /{}{query}", segments.join("/"))
    }
}

/// An RFC 1123 label: what containers are called.
pub(super) fn is_label(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    matches!(bytes, [first, .., last] | [first @ last] if plain(*first) && plain(*last))
        && bytes.len() <= LONGEST_NAME
        && bytes.iter().all(|b| plain(*b) || *b == b'-')
}

/// An RFC 1123 subdomain: what pods are called. There is no `..` among them, nor an empty one.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME && text.split('.').all(is_label)
}

/// A token is opaque, but it is printable and of bounded length.
pub(super) fn is_token(text: &str) -> bool {
    (1..=LONGEST_TOKEN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub(super) fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn unescape(raw: &str) -> Option<String> {
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let (high, low) = (char::from(bytes.next()?), char::from(bytes.next()?));
                u8::try_from(high.to_digit(16)? * 16 + low.to_digit(16)?).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(out).ok()
}

/// A path or a query may be long, or hold what a terminal obeys.
fn shown(text: &str) -> String {
    text.chars().take(100).flat_map(char::escape_default).collect()
}
