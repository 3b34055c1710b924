//! What a failing server did, in words for whoever has to mend it.

use std::error::Error;
use std::io;
use std::time::Duration;

use http::header::{HeaderMap, RETRY_AFTER};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use kairos_doctor_checks::facts::{Text, Undecodable, protobuf};
use rustls::pki_types::UnixTime;
use rustls::{CertificateError, InvalidMessage};
use serde_json::error::Category;

/// So much of a body is looked at to tell what it is.
const GLANCE: usize = 4096;
const YEAR: Duration = Duration::from_secs(366 * 86_400);
/// So many names of a certificate are told.
const NAMES: usize = 3;

/// An error and its causes, outermost first. What an `io::Error` wraps is no `source` of it, but belongs to the chain.
pub fn causes<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut chain: Vec<&'a (dyn Error + 'static)> = vec![error];
    // Chains are short; the bound is for one that would turn in a circle.
    while chain.len() < 32 {
        let last = *chain.last().expect("it begins with one");
        let inner = last.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| last.source()) {
            Some(next) => chain.push(next),
            None => break,
        }
    }
    chain
}

/// What is wrong with what a TLS server presented; `no_trust` goes on after "an authority that". `None`: it is of another
/// kind.
pub fn tls(error: &rustls::Error, no_trust: &str) -> Option<String> {
    use CertificateError as C;
    let error = match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            return Some("does not speak TLS: plain HTTP, or another service on that port?".into());
        }
        rustls::Error::InvalidCertificate(error) => error,
        _ => return None,
    };
    Some(match error {
        C::ExpiredContext { time, not_after } => {
            format!("its certificate expired {} ago ({})", apart(*time, *not_after), day(*not_after))
        }
        C::NotValidYetContext { time, not_before } => format!(
            "its certificate begins to be valid in {} ({}): is this machine's clock right?",
            apart(*time, *not_before),
            day(*not_before)
        ),
        C::NotValidForNameContext { expected, presented } => {
            let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            let more = names.len().saturating_sub(NAMES);
            let shown = match names.len() {
                0 => "no name at all".into(),
                _ => names[..names.len().min(NAMES)].join(", "),
            };
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("its certificate is for {shown}{more}, not for {}", expected.to_str())
        }
        C::UnknownIssuer => {
            format!("its certificate is signed by itself, or by an authority that {no_trust}")
        }
        other => format!("its certificate is not valid: {other}"),
    })
}

/// `elsewhere.example` of `DnsName("elsewhere.example")`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

fn apart(a: UnixTime, b: UnixTime) -> String {
    long(Duration::from_secs(a.as_secs().abs_diff(b.as_secs())))
}

fn day(time: UnixTime) -> String {
    let time = i64::try_from(time.as_secs()).ok().and_then(|s| Timestamp::from_second(s).ok());
    time.map(|time| time.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// `45 s`, `90 min`, `36 h`, `12 d`.
pub fn long(time: Duration) -> String {
    match time.as_secs() {
        s @ ..120 => format!("{s} s"),
        s @ 120..7200 => format!("{} min", s / 60),
        s @ 7200..172_800 => format!("{} h", s / 3600),
        s => format!("{} d", s / 86_400),
    }
}

/// `15 s`, `1.5 s`, `75 ms`: how long was waited.
pub fn short(time: Duration) -> String {
    // what is left of a deadline is never round
    match (time.as_secs_f64() * 10.0).round() / 10.0 {
        seconds if seconds >= 1.0 => format!("{seconds} s"),
        _ => format!("{} ms", time.as_millis()),
    }
}

/// The pause that a server asks for, in either form of the header; `None` where it is neither, and where it is negative.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // more seconds than fit are for ever
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let at = rfc2822::parse(text).ok()?.timestamp();
    let seconds = at.as_second() - Timestamp::now().as_second();
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// `; it asks for a pause of 24 h`.
pub fn pause(after: Option<Duration>) -> String {
    let how_long = |after| if after > YEAR { "more than a year".into() } else { long(after) };
    after.map(|after| format!("; it asks for a pause of {}", how_long(after))).unwrap_or_default()
}

/// What a status means, where the number alone tells little.
pub fn status(code: u16) -> Option<&'static str> {
    Some(match code {
        401 => "the credentials are not accepted",
        404 => "nothing is there",
        409 => "a conflict",
        410 => "it is gone",
        429 => "too many requests",
        500 => "the server failed inside",
        502 => "a proxy in between gets no proper answer from the server",
        503 => "not ready, or overloaded",
        504 => "a proxy in between waited for the server in vain",
        _ => return None,
    })
}

/// What a body is that should have been JSON, and is not; of JSON nothing is quoted, for it may hold anything.
pub fn body(body: &[u8]) -> String {
    let glance = &body[..body.len().min(GLANCE)];
    let text = String::from_utf8_lossy(glance);
    let trimmed = text.trim_start();
    if trimmed.is_empty() {
        return "nothing".into();
    }
    if trimmed.starts_with('<') {
        let title = title(trimmed);
        let title = if title.is_empty() { String::new() } else { format!(" (\"{title}\")") };
        return format!("HTML{title} and not JSON: a proxy or login page in between?");
    }
    if trimmed.starts_with('{') {
        return "JSON of another kind".into();
    }
    if glance.iter().any(|byte| *byte < 0x20 && !byte.is_ascii_whitespace()) {
        return "binary data and not JSON".into();
    }
    let words: Vec<&str> = trimmed.split_whitespace().collect();
    format!("no JSON: {}", Text::new(&words.join(" ").chars().take(200).collect::<String>()))
}

/// The title of a page, or the beginning of what it shows.
fn title(html: &str) -> String {
    let lower = html.to_ascii_lowercase();
    let titled = lower.find("<title>").map(|at| &html[at + "<title>".len()..]);
    let text = match titled {
        Some(rest) => rest.split('<').next().unwrap_or_default().to_string(),
        None => html.split('<').map(|tag| tag.split_once('>').map_or("", |(_, text)| text)).collect(),
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    Text::new(&words.join(" ").chars().take(80).collect::<String>()).to_string()
}

/// What is wrong with a body of 200 that could not be decoded.
pub fn undecodable(bytes: &[u8], error: &Undecodable) -> String {
    let error = match error {
        Undecodable::Protobuf(protobuf::Error::Cut) => return "protobuf that ends in the middle".into(),
        Undecodable::Protobuf(protobuf::Error::Broken) => return "broken protobuf".into(),
        Undecodable::Protobuf(protobuf::Error::Other(what)) => return format!("protobuf that is {what}"),
        // Its words may quote what was sent.
        Undecodable::Protobuf(protobuf::Error::Shape(_)) => return "protobuf of another shape".into(),
        Undecodable::Json(error) => error,
    };
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return body(bytes);
    }
    match error.classify() {
        Category::Eof => "JSON that ends in the middle".into(),
        // the one syntax error that has a limit of ours as its cause
        _ if error.to_string().starts_with("recursion limit") => "JSON that is nested too deeply".into(),
        // what is missed by ourselves, in our own words
        Category::Data if error.line() == 0 => format!("JSON of another kind: {error}"),
        Category::Syntax => format!("broken JSON (line {}, column {})", error.line(), error.column()),
        _ => format!("JSON of another shape (line {}, column {})", error.line(), error.column()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &str) -> Option<Duration> {
        retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]))
    }

    #[test]
    fn a_pause_is_read_in_both_forms_and_nonsense_is_none() {
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let later = asked("Fri, 21 Oct 2095 07:28:00 GMT").unwrap();
        assert!(later > Duration::from_secs(365 * 86_400), "{later:?}");
        for nonsense in ["-5", "soon", "", "1.5", "1e3", "Wed, 99 Oct"] {
            assert_eq!(asked(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn what_is_no_json_is_named() {
        let page = b"<!DOCTYPE html>\n<html><HEAD><Title>Sign in\n to Example</Title></HEAD>";
        assert_eq!(
            body(page),
            "HTML (\"Sign in to Example\") and not JSON: a proxy or login page in between?"
        );
        let page = body("<html><body><h1>Bad</h1> gateway</body>".as_bytes());
        assert!(page.starts_with("HTML (\"Bad gateway\")"), "{page}");
        assert_eq!(body(b" \n"), "nothing");
        assert_eq!(body(b"k8s\0\x0a\x0f"), "binary data and not JSON");
        assert_eq!(body(b"upstream\r\n gone"), "no JSON: upstream gone");
    }
}
