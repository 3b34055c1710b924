//! A check's page, written in Markdown, as text for a terminal: headings, paragraphs, lists, tables and code as they come.

use super::terminal::page::{Ink, Page};

/// What a line of the page begins.
enum Block<'a> {
    Heading(&'a str),
    /// The mark, and the text after it.
    Item(String, &'a str),
    Text(&'a str),
}

fn block(line: &str) -> Block<'_> {
    let text = line.trim_start();
    let indent = line.len() - text.len();
    let hashes = text.bytes().take_while(|b| *b == b'#').count();
    if hashes > 0 && text[hashes..].starts_with(' ') {
        return Block::Heading(text[hashes..].trim());
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let mark = match text.as_bytes() {
        [b'-' | b'*', b' ', ..] => 2,
        _ if digits > 0 && text[digits..].starts_with(". ") => digits + 2,
        _ => return Block::Text(text.trim_end()),
    };
    let bullet = if digits > 0 { text[..mark].to_string() } else { "- ".into() };
    Block::Item(format!("{}{bullet}", " ".repeat(indent.min(6))), text[mark..].trim())
}

/// Writes the page. Code, fenced or indented, and tables keep their lines; everything else is wrapped anew. No line is
/// spent under a heading, or between a paragraph and the code that it leads to.
pub fn page(page: &mut Page, markdown: &str) {
    let mut open: Option<(String, String)> = None;
    let mut fence: Option<String> = None;
    let (mut gap, mut titled, mut code) = (false, false, false);
    for line in markdown.lines() {
        if let Some(end) = &fence {
            if line.trim() == end {
                fence = None;
                gap = true;
            } else {
                page.copied(&[format!("    {}", line.trim_end())], Ink::Command);
            }
            continue;
        }
        let trimmed = line.trim();
        if trimmed.is_empty() {
            flush(page, &mut open);
            gap = !titled;
            continue;
        }
        let ticks = trimmed.bytes().take_while(|b| *b == b'`').count();
        let indented = open.is_none() && line.starts_with("    ");
        if ticks >= 3 || indented {
            flush(page, &mut open);
            if std::mem::take(&mut gap) && code {
                page.blank();
            }
            (titled, code) = (false, true);
            if ticks >= 3 {
                fence = Some("`".repeat(ticks));
            } else {
                page.copied(&[line.trim_end().to_string()], Ink::Command);
            }
            continue;
        }
        if std::mem::take(&mut gap) {
            page.blank();
        }
        (titled, code) = (false, false);
        if trimmed.starts_with('|') {
            flush(page, &mut open);
            let rule = trimmed.chars().all(|c| "|-: ".contains(c));
            if !rule {
                let cells = trimmed.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
                page.hung("  ", Ink::Plain, 4, &inline(&cells.join("  ")), Ink::Plain);
            }
            continue;
        }
        match block(line) {
            Block::Heading(text) => {
                flush(page, &mut open);
                page.blank();
                page.hung("", Ink::Plain, 0, &inline(text), Ink::Strong);
                titled = true;
            }
            Block::Item(bullet, text) => {
                flush(page, &mut open);
                open = Some((format!("  {bullet}"), text.to_string()));
            }
            Block::Text(text) => match &mut open {
                Some((_, all)) => {
                    all.push(' ');
                    all.push_str(text);
                }
                None => open = Some(("  ".into(), text.to_string())),
            },
        }
    }
    flush(page, &mut open);
}

fn flush(page: &mut Page, open: &mut Option<(String, String)>) {
    if let Some((lead, text)) = open.take() {
        page.hung(&lead, Ink::Plain, lead.len(), &inline(&text), Ink::Plain);
    }
}

/// Emphasis away, links as text and address; code keeps its backticks.
fn inline(text: &str) -> String {
    let mut out = String::new();
    for (i, piece) in text.split('`').enumerate() {
        if i > 0 {
            out.push('`');
        }
        if i % 2 == 1 {
            out.push_str(piece);
            continue;
        }
        let mut rest = piece;
        while let Some((before, label, target, after)) = link(rest) {
            out.push_str(&plain(before));
            out.push_str(label);
            if label != target {
                out.push_str(&format!(" ({target})"));
            }
            rest = after;
        }
        out.push_str(&plain(rest));
    }
    out
}

/// Without the stars that open or close at a word.
fn plain(text: &str) -> String {
    let text = text.replace("**", "");
    let mut out = String::with_capacity(text.len());
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        if c != '*' || word(before) == word(rest.peek().copied()) {
            out.push(c);
        }
        before = Some(c);
    }
    out
}

/// The first `[label](target)`.
fn link(text: &str) -> Option<(&str, &str, &str, &str)> {
    let start = text.find('[')?;
    let middle = start + text[start..].find("](")?;
    let end = middle + text[middle..].find(')')?;
    Some((&text[..start], &text[start + 1..middle], &text[middle + 2..end], &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{healthy, view};

    #[test]
    fn a_page_is_wrapped_and_its_code_is_not() {
        let markdown = "# Title\n\n## What you see\n\nA **bold** word, an *open* one and [a link](https://docs.example/x), \
            and `code **kept**` in a paragraph\nthat goes on over several lines of the source until it is wrapped anew.\n\n\
            - one item that is long enough to be wrapped, so that its second line hangs under the first\n- two\n\n\
            1. first\n2. second\n\n```sh\nkubectl get nodes   # a comment\n\n  indented\n```\n\nIn four columns:\n\n    one \\\n      two\n    three\n\n| a | b |\n| - | - |\n| 1 | `2` |\n";
        let mut sheet = Page::new(&view(&healthy(), 60));
        page(&mut sheet, markdown);
        insta::with_settings!({snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!("explain_markdown", sheet.into_text());
        });
    }
}
