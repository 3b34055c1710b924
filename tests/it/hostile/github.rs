//! What GitHub makes of a text, as far as it can act: CommonMark with GitHub's extensions, and what it links by itself.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag};

/// The elements that the renderer writes, and in the text between them nothing that GitHub links, mentions or draws.
pub fn only_our_elements(text: &str) -> Result<(), String> {
    if let Some(line) = text.lines().find(|line| !super::renderers::harmless(line)) {
        return Err(format!("{line:?}"));
    }
    let (mut code, mut html, mut plain) = (false, String::new(), String::new());
    for event in Parser::new_ext(text, Options::all() & !Options::ENABLE_SMART_PUNCTUATION) {
        match event {
            Event::Start(tag) => {
                if !is_ours(&tag) {
                    return Err(format!("{tag:?}"));
                }
                code |= matches!(tag, Tag::CodeBlock(_));
                // A list inside of an item begins on a line of its own.
                if !matches!(tag, Tag::Strong) {
                    plain.push('\n');
                }
            }
            Event::End(end) => {
                if matches!(end, pulldown_cmark::TagEnd::CodeBlock) {
                    code = false;
                }
                // Inline elements do not end a word for those who look for links.
                if !matches!(end, pulldown_cmark::TagEnd::Strong) {
                    plain.push('\n');
                }
            }
            Event::Text(_) if code => {}
            Event::Text(text) => plain.push_str(&text),
            // A span of code is an element of its own: nothing goes through it.
            Event::Code(_) => plain.push('\u{fffc}'),
            Event::SoftBreak => plain.push(' '),
            Event::Html(block) => html.push_str(&block),
            other => return Err(format!("{other:?}")),
        }
    }
    plain.push_str(&text_of(&html)?);
    acts(&plain).map_or(Ok(()), Err)
}

fn is_ours(tag: &Tag) -> bool {
    match tag {
        Tag::Heading { level, .. } => matches!(level, HeadingLevel::H3 | HeadingLevel::H4),
        Tag::CodeBlock(CodeBlockKind::Fenced(language)) => matches!(&**language, "sh" | "yaml"),
        Tag::List(first) => first.is_none(),
        Tag::BlockQuote(kind) => kind.is_none(),
        Tag::Paragraph
        | Tag::Item
        | Tag::Table(_)
        | Tag::TableHead
        | Tag::TableRow
        | Tag::TableCell
        | Tag::Strong
        | Tag::HtmlBlock => true,
        _ => false,
    }
}

/// What stands between our own tags, code left out. Errors: another tag, or one with attributes.
fn text_of(html: &str) -> Result<String, String> {
    const OURS: &[&str] = &["details", "/details", "summary", "/summary", "b", "/b", "code", "/code"];
    let (mut out, mut rest, mut code) = (String::new(), html, false);
    while let Some((before, after)) = rest.split_once('<') {
        if !code {
            out.push_str(before);
        }
        if let Some(comment) = after.strip_prefix("!-- kairos-doctor: report/v1 ") {
            let Some((hash, after)) = comment.split_once(" -->") else {
                return Err("an open comment".into());
            };
            let is_hash = hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit());
            if !is_hash && hash != "unknown" {
                return Err(format!("the comment {hash}"));
            }
            rest = after;
            continue;
        }
        let Some((tag, after)) = after.split_once('>') else { return Err("an open tag".into()) };
        if !OURS.contains(&tag) {
            return Err(format!("<{tag}>"));
        }
        code = match tag {
            "code" => true,
            "/code" => {
                out.push('\u{fffc}');
                false
            }
            _ => code,
        };
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// What GitHub would act on in a text outside of code: extended autolinks (GFM 6.9), mentions, references to issues and
/// commits, emoji and formulas.
fn acts(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    for sign in ["@", "://", "www.", "mailto:", "xmpp:", "$", "<", ">", "`", "[", "\\"] {
        if let Some(at) = lower.find(sign) {
            return Some(format!("`{sign}` in {:?}", around(text, at)));
        }
    }
    for (at, _) in lower.match_indices('#') {
        if lower[at + 1..].starts_with(|c: char| c.is_ascii_digit()) {
            return Some(format!("an issue in {:?}", around(text, at)));
        }
    }
    for (at, _) in lower.match_indices("gh-") {
        let begins = !lower[..at].ends_with(char::is_alphanumeric);
        if begins && lower[at + 3..].starts_with(|c: char| c.is_ascii_digit()) {
            return Some(format!("an issue in {:?}", around(text, at)));
        }
    }
    let mut at = 0;
    for word in lower.split(|c: char| !c.is_alphanumeric()) {
        if (7..=40).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Some(format!("a commit in {:?}", around(text, at)));
        }
        at += word.len();
        at += lower[at..].chars().next().map_or(0, char::len_utf8);
    }
    let mut parts = lower.split(':').skip(1).peekable();
    while let Some(name) = parts.next() {
        let emoji = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-');
        if parts.peek().is_some() && !name.is_empty() && name.chars().all(emoji) {
            return Some(format!("the emoji {name}"));
        }
    }
    None
}

fn around(text: &str, at: usize) -> String {
    let start = text[..at].char_indices().rev().nth(20).map_or(0, |(start, _)| start);
    text[start..].chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::only_our_elements;

    #[test]
    fn what_github_acts_on_is_noticed() {
        for text in [
            "[a](b)",
            "![a](b)",
            "<https://a.b>",
            "https://a.b",
            "www.a.b",
            "see a@b.c now",
            "hi @octocat",
            "see #12",
            "octo/repo#1",
            "GH-12",
            "at 0123abc now",
            "at deadbeef",
            "[^1]\n\n[^1]: x",
            "- [x] done",
            "title\n===",
            "title\n---",
            "# big",
            "~~a~~",
            "*a*",
            "<b onclick=x>a</b>",
            "a <img src=x> b",
            "a<br>b",
            "```js\nx\n```",
            "    code",
            "1. a",
            "***",
            "a $x$ b",
            ":smile:",
            "a  \nb",
            "> [!NOTE]\n> x",
            "a\u{202e}b",
            "a\u{1b}[1mb",
            "[x]: y\n\n[x]",
            "<!-- x -->",
            "<details open>",
        ] {
            assert!(only_our_elements(text).is_err(), "{text:?}");
        }
        for text in
            ["a `@x` b", "### a\n\n- b\n- `www.x.y`", "| a | b |\n| - | - |\n| **c** | `#1` |", "a: b"]
        {
            assert_eq!(only_our_elements(text), Ok(()), "{text:?}");
        }
    }
}
