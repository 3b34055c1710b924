//! Words, addresses and domains in a text.

use std::net::IpAddr;

/// A home directory names its owner.
pub fn home(text: String) -> String {
    let mut text = text;
    for parent in ["/home/", "/Users/"] {
        while let Some(at) = text.find(parent) {
            let after = at + parent.len();
            let end = text[after..].find('/').map_or(text.len(), |n| after + n);
            text.replace_range(at..end, "~");
        }
    }
    text
}

/// A domain of somebody: not those that every cluster has.
pub fn is_domain(name: &str) -> bool {
    const EVERYBODYS: &[&str] = &["cluster.local", "svc", "kubernetes.default", "localhost", "hetzner.cloud"];
    let end = name.rsplit('.').next().unwrap_or_default();
    name.contains('.')
        && end.len() >= 2
        && end.chars().all(|c| c.is_ascii_alphabetic())
        && !EVERYBODYS.iter().any(|known| name == *known || name.ends_with(&format!(".{known}")))
        && name.parse::<IpAddr>().is_err()
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
