//! Words, addresses and domains in a text.

use std::net::IpAddr;

use serde_json::Value;

/// Every string in a value.
pub fn strings(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, see)),
        Value::Object(fields) => fields.values().for_each(|item| strings(item, see)),
        _ => {}
    }
}

/// It reads as a host name with a domain.
pub fn is_domain(name: &str) -> bool {
    let end = name.rsplit('.').next().unwrap_or_default();
    name.contains('.')
        && end.len() >= 2
        && end.chars().all(|c| c.is_ascii_alphabetic())
        && name.split('.').all(|label| {
            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
        })
        && !name.ends_with(".svc")
        && name != "kubernetes.default"
}

/// Runs of letters, digits, dots, dashes, underscores and colons, with their places.
pub fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(inside)?;
        let end = text[start..].find(|c| !inside(c)).map_or(text.len(), |n| start + n);
        at = end;
        Some((start, &text[start..end]))
    })
}

/// The word stands in quotes or backticks.
pub fn quoted(text: &str, at: usize, length: usize) -> bool {
    let marks = ['"', '\'', '`'];
    text[..at].ends_with(marks) && text[at + length..].starts_with(marks)
}

/// An address, and no number or name that could be read as one.
pub fn as_address(part: &str) -> Option<IpAddr> {
    if part.bytes().filter(|b| matches!(b, b'.' | b':')).count() < 2 {
        return None;
    }
    part.parse().ok()
}

/// Each address in a word, with the length up to its end.
pub fn address_prefixes(word: &str) -> Vec<(usize, IpAddr)> {
    let mut found = Vec::new();
    let mut start = 0;
    while start < word.len() {
        let rest = &word[start..];
        let cuts = rest.char_indices().filter(|(_, c)| !c.is_ascii_hexdigit() && *c != '.').map(|(at, _)| at);
        let mut ends: Vec<usize> = cuts.filter(|at| *at > 0).collect();
        ends.push(rest.len());
        // the last full stop of a sentence belongs to none
        ends.extend(rest.strip_suffix('.').map(str::len));
        ends.sort();
        match ends.into_iter().rev().find_map(|end| Some((end, as_address(&rest[..end])?))) {
            Some((end, ip)) => {
                found.push((start + end, ip));
                start += end;
            }
            None => start += rest.find([':', '-', '_']).map_or(rest.len(), |n| n + 1),
        }
    }
    found
}

/// The prefix length that follows a word which is an address: `/24`.
pub fn word_after(text: &str, word: &str, length: usize) -> Option<u8> {
    let end = word.as_ptr() as usize - text.as_ptr() as usize + length;
    let digits = text[end..].strip_prefix('/')?;
    let stop = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..stop].parse().ok()
}
