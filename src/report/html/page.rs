//! The sheet that the page is written on. What is markup stands in the program (`&'static str`); everything else is text,
//! and this is the one place where text becomes HTML.

use crate::report::words::{clean, escape};

/// Attributes: names are the program's, values are escaped.
pub type Attrs<'a> = &'a [(&'static str, &'a str)];

#[derive(Default)]
pub struct Page {
    out: String,
}

impl Page {
    pub fn into_html(self) -> String {
        self.out
    }

    /// An element with what `inner` writes in it: what is opened is closed.
    pub fn within(&mut self, tag: &'static str, attrs: Attrs, inner: impl FnOnce(&mut Page)) {
        self.open(tag, attrs);
        inner(self);
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
    }

    /// The same on a line of its own, for a page that a person may read as it is.
    pub fn block(&mut self, tag: &'static str, attrs: Attrs, inner: impl FnOnce(&mut Page)) {
        self.within(tag, attrs, inner);
        self.out.push('\n');
    }

    /// An element that holds nothing but text.
    pub fn tag(&mut self, tag: &'static str, attrs: Attrs, text: &str) {
        self.within(tag, attrs, |page| page.text(text));
    }

    /// An element of HTML that has no end (`meta`, `link`, `br`), or the start of one.
    pub fn open(&mut self, tag: &'static str, attrs: Attrs) {
        self.out.push('<');
        self.out.push_str(tag);
        for (name, value) in attrs {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(&mut self.out, value);
            self.out.push('"');
        }
        self.out.push('>');
    }

    /// Text on one line, without anything in it that changes how a line looks.
    pub fn text(&mut self, text: &str) {
        escape(&mut self.out, &clean(text));
    }

    /// Lines that are to be copied as they are.
    pub fn lines(&mut self, lines: &[String]) {
        escape(&mut self.out, &lines.join("\n"));
    }

    /// A sentence, with what it sets in backticks as code.
    pub fn sentence(&mut self, text: &str) {
        let text = clean(text);
        let pieces: Vec<&str> = text.split('`').collect();
        // An odd number of backticks quotes nothing.
        if pieces.len().is_multiple_of(2) {
            return self.text(&text);
        }
        for (i, piece) in pieces.iter().enumerate() {
            if i % 2 == 1 { self.tag("code", &[], piece) } else { self.text(piece) }
        }
    }

    /// The stylesheet: the program's own, whole.
    pub fn style(&mut self, css: &'static str) {
        self.out.push_str("<style>\n");
        self.out.push_str(css);
        self.out.push_str("</style>\n");
    }

    pub fn doctype(&mut self) {
        self.out.push_str("<!doctype html>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text_wherever_it_stands() {
        let mut page = Page::default();
        page.within("p", &[("title", "\"><script>'")], |page| page.sentence("a `<b>` & \u{202e}c"));
        assert_eq!(
            page.into_html(),
            "<p title=\"&quot;&gt;&lt;script&gt;&#39;\">a <code>&lt;b&gt;</code> &amp; c</p>"
        );
    }

    #[test]
    fn one_backtick_quotes_nothing() {
        let mut page = Page::default();
        page.sentence("it's ` here");
        assert_eq!(page.into_html(), "it&#39;s ` here");
    }
}
