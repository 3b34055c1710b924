//! Text from outside, so that on GitHub it is neither Markdown nor HTML, mentions nobody and links nowhere.
//!
//! Words of letters and digits stay as they are; everything else stands in a code span, where GitHub leaves `@name`, `#1`,
//! addresses and links alone. Entities would not do: mentions and mail addresses are found after they are decoded.

use crate::report::words::{self, clean};

/// Where the text goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Prose,
    /// A cell of a table, where a bar would end it.
    Cell,
    /// Inside an HTML element.
    Html,
}

/// A sentence with names in it. What it sets in backticks is code here too.
pub fn sentence(text: &str, place: Place) -> String {
    let text = clean(text);
    let quoted = text.matches('`').count().is_multiple_of(2);
    let mut words: Vec<String> = Vec::new();
    // Neighbouring words that need code share a span.
    let mut span: Vec<&str> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (bracket, start) = if rest.starts_with("(`") { rest.split_at(1) } else { ("", rest) };
        if let Some((inner, after)) =
            start.strip_prefix('`').filter(|_| quoted).and_then(|r| r.split_once('`'))
        {
            close(&mut words, &mut span, place);
            // What follows without a space belongs to it, but for the sentence's own marks.
            let (tail, after) = after.split_once(' ').unwrap_or((after, ""));
            let (tail, marks) = marks(tail);
            words.push(format!(
                "{bracket}{}{marks}",
                code(&format!("{}{}", inner.trim(), tail.replace('`', "")), place)
            ));
            rest = after.trim_start();
            continue;
        }
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = after.trim_start();
        if let Some(word) = plain(word, place) {
            close(&mut words, &mut span, place);
            words.push(word);
            continue;
        }
        let (body, end) = if is_open(word) { (word, "") } else { marks(word) };
        let inner = body.trim_start_matches('(');
        let (start, end) = if inner.is_empty() { ("", "") } else { (&body[..body.len() - inner.len()], end) };
        if !start.is_empty() {
            close(&mut words, &mut span, place);
        }
        span.push(if inner.is_empty() { word } else { inner });
        if !start.is_empty() || !end.is_empty() {
            close(&mut words, &mut span, place);
            let last = words.pop().expect("a span was closed");
            words.push(format!("{start}{last}{end}"));
        }
    }
    close(&mut words, &mut span, place);
    // Of code with nothing in it nothing is left, and four spaces at the beginning of a line are code themselves.
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

fn close(words: &mut Vec<String>, span: &mut Vec<&str>, place: Place) {
    if !span.is_empty() {
        words.push(code(&span.join(" "), place));
        span.clear();
    }
}

/// A word and the marks at its end that belong to the sentence. Two colons are none: what stands between them could be read
/// as an emoji's name.
fn marks(word: &str) -> (&str, &str) {
    let (body, end) = word.split_at(word.trim_end_matches(['.', ',', ';', ':', ')', '?', '!']).len());
    if end.matches(':').count() > 1 { (word, "") } else { (body, end) }
}

/// A brace is open, so that what follows belongs to it: `{value: "true"}`.
fn is_open(word: &str) -> bool {
    word.matches('{').count() > word.matches('}').count()
}

/// A word that is safe as it is; `None` when it belongs into a code span.
fn plain(word: &str, place: Place) -> Option<String> {
    let scheme = word.to_lowercase();
    let links = ["mailto:", "xmpp:", "www."].iter().any(|sign| scheme.contains(sign));
    if word.matches(':').count() > 1 || links {
        return None;
    }
    let core = word
        .trim_start_matches(['(', '"', '\''])
        .trim_end_matches([')', '"', '\'', ',', '.', ';', ':', '?', '!', '…']);
    if core.is_empty() {
        return matches!(word, "…" | "·" | "–" | "—").then(|| word.to_string());
    }
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '’' | '-');
    if !core.chars().all(inner) || core.starts_with(['-', '\'']) || core.ends_with(['-', '\'']) {
        return None;
    }
    let parts: Vec<&str> = core.split(|c: char| !c.is_alphanumeric()).collect();
    let issue = |at: usize| {
        let number = parts.get(at + 1).is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()));
        number && parts[at].eq_ignore_ascii_case("gh")
    };
    let commit = |part: &str| part.len() >= 7 && part.bytes().all(|b| b.is_ascii_hexdigit());
    if parts.iter().enumerate().any(|(at, part)| issue(at) || commit(part)) {
        return None;
    }
    // `1.` at the beginning of a paragraph would be a list.
    if place != Place::Html && core.bytes().all(|b| b.is_ascii_digit()) && word.ends_with(['.', ')']) {
        return Some(format!("{}\\{}", &word[..word.len() - 1], &word[word.len() - 1..]));
    }
    Some(word.to_string())
}

/// A code span, with a fence longer than any in it.
pub fn code(text: &str, place: Place) -> String {
    let text = clean(text);
    let text = text.trim();
    if place == Place::Html {
        return format!("<code>{}</code>", html(text));
    }
    // In a cell a bar ends the cell even in code, and escaping it is told apart by parsers.
    let text = if place == Place::Cell { text.replace('|', "¦") } else { text.to_string() };
    if text.is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// A fenced block.
pub fn fenced(language: &str, lines: &[String]) -> String {
    let text = lines.join("\n");
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    words::escape(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_code_and_words_do_not() {
        let says = sentence("Service edge/web stays pending: nothing says where (k1, k2).", Place::Prose);
        assert_eq!(says, "Service `edge/web` stays pending: nothing says where (k1, k2).");
        let says = sentence(
            "attach them to `kube`. Then `hcloud context create NAME`, or set HCLOUD_TOKEN; done",
            Place::Prose,
        );
        assert_eq!(
            says,
            "attach them to `kube`. Then `hcloud context create NAME`, or set `HCLOUD_TOKEN`; done"
        );
    }

    #[test]
    fn brackets_stay_outside() {
        assert_eq!(
            sentence("server k1 (4711881), on a node (deploy/)", Place::Prose),
            "server k1 (`4711881`), on a node (`deploy/`)"
        );
        assert_eq!(
            sentence(r#"set it: {value: "true"} in"#, Place::Prose),
            r#"set it: `{value: "true"}` in"#
        );
        assert_eq!(
            sentence("in this project (`hcloud zone create --name Z`), copy it", Place::Prose),
            "in this project (`hcloud zone create --name Z`), copy it"
        );
    }

    #[test]
    fn what_github_would_act_on_is_in_code() {
        for hostile in [
            "@octocat",
            "#1",
            "o/r#1",
            "GH-12",
            "https://x.example",
            "www.x.example",
            "www.",
            "a@b.example",
            "Mailto:",
            "xmpp:",
            "<b>",
            "**b**",
            "[a](b)",
            "![a](b)",
            "deadbeef1",
            "deadbeef",
            "x-deadbeef's",
            "x-gh-12",
            ":smile:",
            "$x$",
            "&amp;",
            "_a_",
            "~~a~~",
            "a|b",
            "-",
            "+",
            "***",
            "===",
            "#",
            ">",
        ] {
            let out = sentence(hostile, Place::Prose);
            assert!(out.starts_with('`') && marks(&out).0.ends_with('`'), "{out}");
        }
        assert_eq!(sentence("1. one", Place::Prose), "1\\. one");
        assert_eq!(sentence("`` `` `` `` a", Place::Prose), "a");
        assert_eq!(code("a|b", Place::Cell), "`a¦b`");
        assert_eq!(code("``a`", Place::Prose), "``` ``a` ```");
        assert_eq!(sentence("<b>a</b> x", Place::Html), "<code>&lt;b&gt;a&lt;/b&gt;</code> x");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fenced("sh", &["echo '````'".into()]), "`````sh\necho '````'\n`````\n");
    }
}
