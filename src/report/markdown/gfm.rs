//! A report as GitHub would read it: CommonMark with GitHub's extensions, extended autolinks among them.

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, Options, parse_document};

/// What a report consists of.
#[derive(Default)]
pub struct Read {
    /// The elements in their order, but for text and code spans; the tags of HTML are elements.
    pub elements: Vec<String>,
    /// The text that is not in code, where GitHub looks for mentions and references.
    pub text: String,
    /// Elements that no report means to have: links, pictures, footnotes, task items, HTML that is none of ours.
    pub unmeant: Vec<String>,
}

/// Reads `markdown` as GitHub does.
pub fn read(markdown: &str) -> Read {
    let mut options = Options::default();
    let extension = &mut options.extension;
    extension.autolink = true;
    extension.table = true;
    extension.strikethrough = true;
    extension.tasklist = true;
    extension.footnotes = true;
    extension.alerts = true;
    extension.math_dollars = true;
    extension.math_code = true;
    // GitHub has none of these; whoever reads the report elsewhere may.
    extension.superscript = true;
    extension.header_ids = None;
    let arena = Arena::new();
    let root = parse_document(&arena, markdown, &options);
    let mut read = Read::default();
    walk(root, &mut read);
    read.elements.retain(|element| element != "code" && element != "/code");
    read
}

fn walk<'a>(node: &'a AstNode<'a>, read: &mut Read) {
    let value = node.data.borrow().value.clone();
    match &value {
        NodeValue::Text(words) => read.text.push_str(words),
        NodeValue::Code(_) | NodeValue::SoftBreak => read.text.push('\n'),
        NodeValue::HtmlBlock(block) => html(&block.literal, read),
        NodeValue::Document
        | NodeValue::Paragraph
        | NodeValue::Heading(_)
        | NodeValue::List(_)
        | NodeValue::Item(_)
        | NodeValue::Table(_)
        | NodeValue::TableRow(_)
        | NodeValue::TableCell
        | NodeValue::Strong
        | NodeValue::BlockQuote
        | NodeValue::CodeBlock(_) => {
            read.elements.push(name(&value));
            read.text.push('\n');
        }
        other => read.unmeant.push(format!("{other:?}")),
    }
    node.children().for_each(|child| walk(child, read));
}

fn name(value: &NodeValue) -> String {
    format!("{value:?}").split(['(', ' ', '{']).next().unwrap_or_default().to_string()
}

/// Tags of an HTML block, and its text outside of code.
fn html(literal: &str, read: &mut Read) {
    if literal.starts_with("<!--") {
        let inner = literal.trim().strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->"));
        if inner.is_none_or(|inner| inner.contains("--")) {
            read.unmeant.push(literal.to_string());
        }
        read.elements.push("!--".into());
        return;
    }
    let mut code = false;
    for piece in literal.split('<').skip(1) {
        let Some((tag, text)) = piece.split_once('>') else {
            read.unmeant.push(piece.to_string());
            continue;
        };
        if !["details", "/details", "summary", "/summary", "b", "/b", "code", "/code"].contains(&tag) {
            read.unmeant.push(tag.to_string());
        }
        code = if tag == "code" { true } else { code && tag != "/code" };
        read.elements.push(tag.to_string());
        if !code {
            // entities are decoded before GitHub looks
            let text =
                text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
            read.text.push_str(&text.replace("&amp;", "&"));
        }
        read.text.push('\n');
    }
}

/// Something in a text that GitHub would act on: a mention, a reference to an issue or a commit, an emoji, a link.
pub fn acts(text: &str) -> Option<String> {
    for word in text.split_whitespace() {
        let inner = word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '@' | '#' | ':'));
        let lower = inner.to_ascii_lowercase();
        let after =
            |mark: char, next: fn(char) -> bool| inner.split(mark).skip(1).any(|rest| rest.starts_with(next));
        let mention = after('@', |c| c.is_ascii_alphanumeric());
        let issue = after('#', |c| c.is_ascii_digit())
            || lower.split(|c: char| !c.is_alphanumeric() && c != '-').any(|w| {
                w.strip_prefix("gh-").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
            });
        let commit = inner.split(|c: char| !c.is_ascii_alphanumeric()).any(|w| {
            (7..=40).contains(&w.len())
                && w.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
                && w.bytes().any(|b| b.is_ascii_digit())
        });
        let emoji = inner.len() > 2 && inner.matches(':').count() >= 2;
        let link = lower.contains("://") || lower.contains("www.");
        if mention || issue || commit || emoji || link {
            return Some(word.to_string());
        }
    }
    None
}
