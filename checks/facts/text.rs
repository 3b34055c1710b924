//! Text from outside, made harmless once, at decode.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::fmt;
use std::hash::Hash;
use std::ops::Deref;

use ecow::EcoString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_width::UnicodeWidthChar;

/// Longest text that is kept, in characters. Kubernetes caps event messages at 1,024 bytes.
pub const LONGEST: usize = 2048;

/// No token that is known is shorter.
const SHORTEST: usize = 40;

/// So many marks may stand on one letter: more of them reach over the neighbouring lines of a terminal.
const MOST_MARKS: usize = 4;

/// A string that came from a server: one line without control, invisible or direction-changing characters, at most
/// [`LONGEST`] characters, nothing in it that looks like a Hetzner or service-account token, and domains as they are in
/// DNS, so that letters of another script cannot pass for Latin ones.
///
/// Up to 15 bytes are kept in place, and copies share the others: most of a large cluster is `True`, `Ready` and addresses.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(EcoString);

impl Text {
    pub fn new(raw: &str) -> Text {
        if raw.len() <= LONGEST && raw.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Text(if raw.len() < SHORTEST { raw.into() } else { mask(raw.to_string()).into() });
        }
        let mut clean = String::with_capacity(raw.len().min(LONGEST));
        let mut marks = 0;
        let seen = raw.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !is_hidden(*c));
        let kept = seen.filter(|c| {
            marks = if c.width() == Some(0) { marks + 1 } else { 0 };
            marks <= MOST_MARKS
        });
        for (count, c) in kept.enumerate() {
            if count == LONGEST {
                clean.push('…');
                break;
            }
            clean.push(c);
        }
        if !clean.is_ascii() {
            clean = cut(spelled(clean));
        }
        Text(mask(clean).into())
    }

    /// The same, sharing memory where the same words were read shortly before: keys of labels, and the images, owners and
    /// namespaces of one application's pods, which follow each other.
    pub fn shared(raw: &str) -> Text {
        if !(IN_PLACE + 1..=LONGEST_SHARED).contains(&raw.len()) {
            return Text::new(raw);
        }
        RECENT.with_borrow_mut(|recent| {
            let at = place(raw.as_bytes());
            if recent.is_empty() {
                recent.resize(MOST_RECENT, Text::default());
            }
            if recent[at] != *raw {
                recent[at] = Text::new(raw);
            }
            recent[at].clone()
        })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Texts up to this length need no memory of their own.
const IN_PLACE: usize = 15;
/// Longer ones are messages, which nobody repeats.
const LONGEST_SHARED: usize = 256;

/// So many of them are remembered, for each thread; a later one takes the place of an earlier one.
const MOST_RECENT: usize = 1024;

/// Where a text of eight bytes or more is remembered. That two of them meet there costs no more than their memory, so this
/// need not be hard to guess: it looks at the length, at both ends and at the middle.
fn place(raw: &[u8]) -> usize {
    let word = |bytes: Option<&[u8; 8]>| u64::from_le_bytes(bytes.copied().unwrap_or_default());
    let (first, last) = (word(raw.first_chunk()), word(raw.last_chunk()));
    let middle = word(raw[raw.len() / 2..].first_chunk());
    let mixed = [last, middle, raw.len() as u64]
        .into_iter()
        .fold(first, |mixed, word| (mixed ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23));
    (mixed >> 32) as usize % MOST_RECENT
}

thread_local! {
    static RECENT: RefCell<Vec<Text>> = RefCell::default();
}

/// What stands where a secret, or a value that is on no list, was dropped. k3s masks its own arguments so.
pub const MASK: &str = "********";

/// Controls, line separators, direction marks and overrides, and what Unicode calls default ignorable (zero-width
/// characters, fillers, variation selectors, tags): they change how a line looks without being seen. And the two that are no
/// characters, which YAML does not take.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// The text with every domain that is not ASCII in the form of DNS (`xn--…`), or with its letters by number where it has
/// none.
fn spelled(text: String) -> String {
    let is_dot = |c: char| matches!(c, '.' | '。' | '．' | '｡');
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_') || is_dot(c) || c.width() == Some(0);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find(inside) {
        let end = rest[start..].find(|c| !inside(c)).map_or(rest.len(), |n| start + n);
        out.push_str(&rest[..start]);
        let word = &rest[start..end];
        // A sentence may end there.
        let name = word.trim_end_matches(is_dot);
        let is_domain = !word.is_ascii() && name.trim_start_matches(is_dot).contains(is_dot);
        match is_domain.then(|| idna::domain_to_ascii(name)) {
            None => out.push_str(word),
            Some(spelled) => {
                match spelled {
                    Ok(ascii) => out.push_str(&ascii),
                    Err(_) => name.chars().for_each(|c| match c.is_ascii() {
                        true => out.push(c),
                        false => out.extend(c.escape_unicode()),
                    }),
                }
                word[name.len()..].chars().for_each(|_| out.push('.'));
            }
        }
        rest = &rest[end..];
    }
    out + rest
}

fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Hetzner tokens are 64 letters and digits of both cases; hex digests have one case. JSON web tokens begin with `eyJ`.
fn mask(text: String) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let suspicious = |w: &str| {
        (w.starts_with("eyJ") && w.len() > 40)
            || w.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| {
                run.len() >= 64
                    && run.bytes().any(|b| b.is_ascii_uppercase())
                    && run.bytes().any(|b| b.is_ascii_lowercase())
            })
    };
    if text.len() < SHORTEST || !text.split(|c| !word(c)).any(suspicious) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find(word) {
        let end = rest[start..].find(|c| !word(c)).map_or(rest.len(), |n| start + n);
        out.push_str(&rest[..start]);
        out.push_str(if suspicious(&rest[start..end]) { MASK } else { &rest[start..end] });
        rest = &rest[end..];
    }
    out + rest
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}
impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}
impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
impl From<&str> for Text {
    fn from(raw: &str) -> Text {
        Text::new(raw)
    }
}
impl From<String> for Text {
    fn from(raw: String) -> Text {
        Text::new(&raw)
    }
}
impl From<&Text> for String {
    fn from(text: &Text) -> String {
        text.0.to_string()
    }
}
impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}
impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.0 == **other
    }
}
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
impl Serialize for Text {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}
impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Text, D::Error> {
        struct V;
        impl serde::de::Visitor<'_> for V {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_str<E>(self, v: &str) -> Result<Text, E> {
                Ok(Text::shared(v))
            }
        }
        d.deserialize_str(V)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_gone() {
        assert_eq!(Text::new("a\u{1b}[31mb\u{202e}c\nd\u{0}"), "a[31mbc d");
    }

    #[test]
    fn whatever_space_it_is_words_stay_apart() {
        assert_eq!(Text::new("a\u{b}b\u{c}c\u{85}d\u{2028}e\u{2029}f\u{a0}g\th"), "a b c d e f g h");
    }

    #[test]
    fn what_is_not_seen_is_not_there() {
        let hidden =
            "a\u{200b}\u{feff}\u{ad}\u{2066}\u{2069}\u{3164}\u{fe0f}\u{e0041}\u{9b}31m\u{90}q\u{9c}b";
        assert_eq!(Text::new(hidden), "a31mqb");
        let heaped = format!("e{}x", "\u{301}".repeat(50));
        assert_eq!(Text::new(&heaped).chars().count(), 2 + MOST_MARKS);
    }

    #[test]
    fn a_domain_is_shown_as_dns_has_it() {
        let shown = |text: &str| Text::new(text).to_string();
        // Cyrillic а, р, е and palochka; then all of it, and only the end.
        assert_eq!(shown("see https://\u{430}\u{440}ple.com/x now"), "see https://xn--ple-5cd4f.com/x now");
        assert_eq!(shown("аррӏе.com"), "xn--80ak6aa92e.com");
        assert_eq!(shown("web.example.соm, and."), "web.example.xn--m-0tbi, and.");
        assert_eq!(shown("bücher.example."), "xn--bcher-kva.example.");
        assert_eq!(shown("ｇｏｏｇｌｅ。ｃｏｍ"), "google.com");
        // None that DNS could have: its letters by number.
        assert_eq!(shown("-\u{430}.com\u{301}\u{5d0}a"), "-\\u{430}.com\\u{301}\\u{5d0}a");
        assert_eq!(shown("größer als… 1.5"), "größer als… 1.5");
    }

    #[test]
    fn tokens_are_masked_and_digests_are_kept() {
        let token = "aB3".repeat(22)[..64].to_string();
        assert_eq!(Text::new(&format!("bad token {token}!")), format!("bad token {MASK}!").as_str());
        let digest = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(Text::new(&digest), digest.as_str());
        let short = format!("eyJ{}", "a".repeat(45));
        assert_eq!(Text::new(&short), MASK);
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        let text = Text::new(&"x".repeat(5000));
        assert_eq!(text.chars().count(), LONGEST + 1);
        assert!(text.ends_with('…'));
    }
}
