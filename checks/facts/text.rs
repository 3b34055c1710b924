//! Text from outside, made harmless once, at decode.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::ops::Deref;

use ecow::EcoString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest text that is kept, in characters. Kubernetes caps event messages at 1,024 bytes.
pub const LONGEST: usize = 2048;

/// A string that came from a server: no control or direction-changing characters, at most
/// [`LONGEST`] characters, nothing in it that looks like a Hetzner or service-account token.
///
/// Up to 15 bytes are kept in place, and copies share the others: most of a large cluster is `True`, `Ready` and addresses.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(EcoString);

impl Text {
    pub fn new(raw: &str) -> Text {
        if raw.len() <= 63 && raw.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Text(raw.into());
        }
        let mut clean = String::with_capacity(raw.len().min(4 * LONGEST));
        for (count, c) in raw.chars().filter(|c| !is_dropped(*c)).enumerate() {
            if count == LONGEST {
                clean.push('…');
                break;
            }
            clean.push(if is_space(c) { ' ' } else { c });
        }
        Text(mask(clean).into())
    }

    /// The same, in one place with others of the same words: for the keys of labels, which are few and on every object.
    pub fn shared(raw: &str) -> Text {
        KNOWN.with_borrow_mut(|known| {
            if let Some(text) = known.get(raw) {
                return text.clone();
            }
            let text = Text::new(raw);
            if known.len() < MOST_KNOWN {
                known.insert(text.clone());
            }
            text
        })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Far more than there are keys on the lists; a server that makes up keys must not fill the memory.
const MOST_KNOWN: usize = 1024;

thread_local! {
    static KNOWN: RefCell<HashSet<Text>> = RefCell::default();
}

/// What stands where a secret, or a value that is on no list, was dropped. k3s masks its own arguments so.
pub const MASK: &str = "********";

fn is_space(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' | '\u{85}')
}

/// Control characters, direction marks and overrides, zero-width and tag characters: they change how a line looks
/// without being seen.
fn is_dropped(c: char) -> bool {
    (c.is_control() && !is_space(c))
        || matches!(c,
            '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{061C}' | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
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
    if text.len() < 40 || !text.split(|c| !word(c)).any(suspicious) {
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
                Ok(Text::new(v))
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
    fn tokens_are_masked_and_digests_are_kept() {
        let token = "aB3".repeat(22)[..64].to_string();
        assert_eq!(Text::new(&format!("bad token {token}!")), format!("bad token {MASK}!").as_str());
        let digest = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(Text::new(&digest), digest.as_str());
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        let text = Text::new(&"x".repeat(5000));
        assert_eq!(text.chars().count(), LONGEST + 1);
        assert!(text.ends_with('…'));
    }
}
