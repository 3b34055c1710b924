//! Small words that every renderer needs.

use jiff::Timestamp;
use kairos_doctor_checks::ObjectRef;
use kairos_doctor_checks::facts::Text;

/// One line without anything that acts on a terminal. Facts are clean already; sentences are made of them.
pub fn clean(raw: &str) -> String {
    Text::new(raw).to_string()
}

/// Adds a text to HTML, as text: in an element or in an attribute's quotes.
pub fn escape(out: &mut String, text: &str) {
    // Most text has none of them, and one by one they are found fast.
    if !['&', '<', '>', '"', '\''].iter().any(|c| text.contains(*c)) {
        return out.push_str(text);
    }
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

/// `1 finding`, `3 findings`.
pub fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// `a`, `a and b`, `a, b and 3 more`: at most `most` names.
pub fn listed(names: &[String], most: usize) -> String {
    if names.len() > most {
        let first = names[..most.max(1) - 1].join(", ");
        let rest = format!("{} more", names.len() - (most.max(1) - 1));
        return if first.is_empty() { rest } else { format!("{first} and {rest}") };
    }
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

/// `12 s`, `5 min`, `3 h`, `12 d`: the largest unit that says enough.
pub fn duration(seconds: i64) -> String {
    match seconds.abs() {
        s @ ..120 => format!("{s} s"),
        s @ 120..7200 => format!("{} min", s / 60),
        s @ 7200..172_800 => format!("{} h", s / 3600),
        s if s < MANY_DAYS => format!("{} d", s / 86_400),
        // A number of seven digits would be a commit on GitHub.
        s => format!("{} years", s / 31_556_952),
    }
}

/// In seconds: nobody counts more days than these.
const MANY_DAYS: i64 = 100_000 * 86_400;

/// When something was so, as seen from the moment at which the cluster was read.
pub fn ago(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - time.as_second();
    if seconds < 0 { format!("in {}", duration(seconds)) } else { format!("{} ago", duration(seconds)) }
}

/// `2026-12-04, 12 d left`; `2026-12-04, 3 d ago`.
pub fn deadline(time: Timestamp, now: Timestamp) -> String {
    let day = time.strftime("%Y-%m-%d");
    let seconds = time.as_second() - now.as_second();
    if seconds < 0 {
        format!("{day}, {} ago", duration(seconds))
    } else {
        format!("{day}, {} left", duration(seconds))
    }
}

/// A field path as one would say it: `annotation K` for `metadata.annotations['K']`. JSON has the path itself.
pub fn spoken(path: &str) -> String {
    let key = |prefix: &str| path.strip_prefix(prefix)?.strip_suffix("']");
    let spoken = key("metadata.annotations['").map(|k| format!("annotation {k}"));
    let spoken = spoken.or_else(|| key("metadata.labels['").map(|k| format!("label {k}")));
    clean(&spoken.unwrap_or_else(|| path.to_string()))
}

/// The value of a piece of evidence.
pub fn value(value: Option<&str>) -> String {
    match value {
        None => "not set".into(),
        Some("") => "empty".into(),
        Some(value) => clean(value),
    }
}

/// What a command shows when all is well: a sentence, or the one word that it prints.
pub fn expected(expect: &str) -> String {
    if expect.contains(' ') { expect.to_string() } else { format!("it prints `{expect}`") }
}

/// At most that many characters, and an ellipsis in place of the rest.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_string(),
    }
}

/// The object's name among its like: `edge/web`, `k1`.
pub fn name(object: &ObjectRef) -> String {
    clean(&object.path())
}

pub fn object(object: &ObjectRef) -> String {
    clean(&object.to_string())
}

/// A Kubernetes kind in everyday words and in the plural where there are several: `3 nodes`, `2 Services`.
pub fn kinds(kind: &str, count: usize) -> String {
    let everyday = match kind {
        "Node" => "node",
        "Server" => "server",
        "LoadBalancer" => "load balancer",
        "Gateway" | "Service" | "Pod" | "Deployment" | "DaemonSet" | "Ingress" => kind,
        _ => "object",
    };
    match everyday {
        "Ingress" if count != 1 => format!("{count} Ingresses"),
        _ => counted(count, everyday),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut_and_say_how_much_is_missing() {
        let names: Vec<String> = ["a", "b", "c", "d"].map(String::from).to_vec();
        assert_eq!(listed(&names, 4), "a, b, c and d");
        assert_eq!(listed(&names, 3), "a, b and 2 more");
        assert_eq!(listed(&names, 1), "4 more");
        assert_eq!(listed(&names[..1], 3), "a");
    }

    #[test]
    fn what_is_far_away_is_counted_in_years() {
        let at = |time: &str| time.parse::<Timestamp>().unwrap();
        assert_eq!(ago(at("2026-11-20T00:00:00Z"), at("2026-11-23T00:00:00Z")), "3 d ago");
        assert_eq!(ago(at("9842-01-01T00:00:00Z"), at("2026-11-23T00:00:00Z")), "in 7815 years");
    }

    #[test]
    fn paths_are_spoken_where_that_is_shorter() {
        assert_eq!(spoken("metadata.annotations['a.b/c']"), "annotation a.b/c");
        assert_eq!(spoken("spec.infrastructure.annotations['a']"), "spec.infrastructure.annotations['a']");
    }
}
