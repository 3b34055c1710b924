//! The sheet that a report is written on: a gutter for labels, prose beside it, colours where they are wanted.

use owo_colors::{OwoColorize, Style};
use unicode_width::UnicodeWidthStr;

use super::wrap::wrap_uneven;
use crate::report::View;
use crate::report::words::clean;

/// Where prose begins: two columns in, ten for the label.
pub const GUTTER: usize = 12;
/// Prose is no wider, however wide the terminal is: longer lines are hard to read.
const PROSE: usize = 80;
/// Below this nothing can be laid out; a narrower terminal wraps by itself.
const NARROWEST: usize = 40;

/// What a piece of text is, for its colour. The words themselves say it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    Plain,
    Strong,
    Label,
    Command,
    Careful,
    Bad,
    Warn,
    Good,
    Note,
}

pub struct Page {
    pub width: usize,
    colour: bool,
    out: String,
}

impl Page {
    pub fn new(view: &View) -> Page {
        Page { width: view.width.max(NARROWEST), colour: view.colour, out: String::new() }
    }

    pub fn into_text(self) -> String {
        let mut out = self.out;
        out.truncate(out.trim_end_matches('\n').len());
        out.push('\n');
        out
    }

    pub fn prose(&self) -> usize {
        self.width.min(PROSE)
    }

    pub fn paint(&self, text: &str, ink: Ink) -> String {
        if !self.colour || text.is_empty() {
            return text.to_string();
        }
        // Of the sixteen colours, which follow the reader's light or dark theme.
        let style = match ink {
            Ink::Plain => return text.to_string(),
            Ink::Strong | Ink::Label => Style::new().bold(),
            Ink::Command => Style::new().cyan(),
            Ink::Careful => Style::new().yellow().bold(),
            Ink::Bad => Style::new().red().bold(),
            Ink::Warn => Style::new().yellow().bold(),
            Ink::Good => Style::new().green().bold(),
            Ink::Note => Style::new().blue().bold(),
        };
        text.style(style).to_string()
    }

    pub fn raw(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    pub fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Prose from column `indent`, with a lead of its own ink before it, which later lines hang under.
    pub fn hung(&mut self, lead: &str, lead_ink: Ink, indent: usize, text: &str, ink: Ink) {
        let width = self.prose();
        let first = width.saturating_sub(lead.width());
        // cleaned between the spaces at which a piece must not be broken, which are none of the text's own
        let text = text.split('\u{a0}').map(clean).collect::<Vec<_>>().join("\u{a0}");
        for (i, line) in wrap_uneven(&text, first, width - indent).iter().enumerate() {
            // A piece that must not be broken has these in place of its spaces.
            let line = self.paint(&line.replace('\u{a0}', " "), ink);
            let line = if i == 0 {
                format!("{}{line}", self.paint(lead, lead_ink))
            } else {
                format!("{}{line}", " ".repeat(indent))
            };
            self.raw(&line);
        }
    }

    /// A label in the gutter (or none) and prose beside it. `bullet` belongs to the prose, which hangs under what follows
    /// it.
    pub fn beside(&mut self, label: &str, bullet: &str, text: &str, ink: Ink) {
        let label = format!("  {label:<10}");
        let indent = GUTTER + bullet.width();
        let width = self.prose();
        let lines = wrap_uneven(&clean(text), width - indent, width - indent);
        for (i, line) in lines.iter().enumerate() {
            let line = self.paint(line, ink);
            let line = if i == 0 {
                let lead =
                    if label.trim().is_empty() { label.clone() } else { self.paint(&label, Ink::Label) };
                format!("{lead}{bullet}{line}")
            } else {
                format!("{}{line}", " ".repeat(indent))
            };
            self.raw(&line);
        }
    }

    /// Lines that are to be copied, as they are.
    pub fn copied(&mut self, lines: &[String], ink: Ink) {
        for line in lines {
            let painted = self.paint(line.trim_end(), ink);
            self.out.push_str(&painted);
            self.out.push('\n');
        }
    }
}
