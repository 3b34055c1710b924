//! Boxes, ways and tags in SVG. Nothing here measures a font: text is cut where it would surely fit in a wide one, and whole
//! in the title.

use std::fmt::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::model::{Part, State};
use crate::report::html::finding::tone;
use crate::report::html::page::Page;

/// Widths of a character, wide fonts included: of names (12 px, fixed) and of lines (11.5 px).
const NAME: f64 = 7.4;
const LINE: f64 = 6.5;
const PAD: f64 = 11.0;
const NAME_HEIGHT: f64 = 16.0;
const LINE_HEIGHT: f64 = 15.0;
const TAG: (f64, f64) = (66.0, 19.0);
const TAG_GAP: f64 = 5.0;

#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Frame {
    pub fn middle(&self) -> f64 {
        self.y + self.height / 2.0
    }

    pub fn right(&self) -> f64 {
        self.x + self.width
    }

    pub fn bottom(&self) -> f64 {
        self.y + self.height
    }
}

pub fn height(part: &Part) -> f64 {
    let tags = if part.tags.is_empty() { 0.0 } else { TAG.1 + 7.0 };
    2.0 * 9.0 + NAME_HEIGHT + LINE_HEIGHT * as_f64(part.lines.len()) + tags
}

pub fn as_f64(count: usize) -> f64 {
    f64::from(u16::try_from(count).unwrap_or(u16::MAX))
}

/// A coordinate, without more digits than a screen has use for.
fn at(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_string).unwrap_or(text)
}

/// The text's beginning, as much as surely fits.
fn fitting(text: &str, width: f64, of_one: f64) -> String {
    let fits = |text: &str| as_f64(text.width()) * of_one <= width;
    if fits(text) {
        return text.to_string();
    }
    let mut out = String::new();
    for c in text.chars() {
        if !fits(&format!("{out}{c}…")) && c.width() != Some(0) {
            break;
        }
        out.push(c);
    }
    format!("{}…", out.trim_end())
}

pub fn words(page: &mut Page, class: &str, x: f64, y: f64, text: &str) {
    page.tag("text", &[("class", class), ("x", &at(x)), ("y", &at(y))], text);
}

pub fn label(page: &mut Page, class: &str, x: f64, y: f64, text: &str) {
    let attrs = [("class", class), ("x", &*at(x)), ("y", &at(y)), ("text-anchor", "middle")];
    page.tag("text", &attrs, text);
}

fn rect(page: &mut Page, class: &str, frame: Frame, radius: &str) {
    let (x, y, width, height) = (at(frame.x), at(frame.y), at(frame.width), at(frame.height));
    let attrs =
        [("class", class), ("x", &*x), ("y", &y), ("width", &width), ("height", &height), ("rx", radius)];
    page.tag("rect", &attrs, "");
}

/// A line of text, cut to `width`.
pub fn line(page: &mut Page, x: f64, y: f64, text: &str, width: f64) {
    words(page, "line", x, y, &fitting(text, width, LINE));
}

/// The box of what is no part of the cluster.
pub fn outline(page: &mut Page, frame: Frame) {
    rect(page, "box outside", frame, "15");
}

/// A part of the drawing in its frame.
pub fn part(page: &mut Page, part: &Part, frame: Frame) {
    part_in(page, part, frame, frame.width);
}

/// The same with its text in the first `width` of the frame.
pub fn part_in(page: &mut Page, part: &Part, frame: Frame, width: f64) {
    page.block("g", &[("class", &format!("part {}", part.state.class()))], |page| {
        page.tag("title", &[], &format!("{}: {}", part.title, part.words()));
        rect(page, "box", frame, "7");
        let (x, mut y) = (frame.x + PAD, frame.y + 9.0 + 12.0);
        let mut room = width - 2.0 * PAD;
        let mut start = x;
        if let Some(sign) = part.state.sign() {
            words(page, "sign", x, y, sign);
            (start, room) = (x + 15.0, room - 15.0);
        }
        words(page, "name", start, y, &fitting(&part.name, room, NAME));
        for line in &part.lines {
            y += LINE_HEIGHT;
            words(page, "line", x, y, &fitting(line, width - 2.0 * PAD, LINE));
        }
        tags(page, part, x, y + 11.0, width - 2.0 * PAD);
    });
}

fn tags(page: &mut Page, part: &Part, x: f64, y: f64, width: f64) {
    let room = |count: usize, more: f64| as_f64(count) * (TAG.0 + TAG_GAP) - TAG_GAP + more <= width;
    let total = part.tags.len();
    let shown = if room(total, 0.0) { total } else { (1..total).rev().find(|n| room(*n, 26.0)).unwrap_or(1) };
    let mut x = x;
    for tag in part.tags.iter().take(shown) {
        let href = format!("#{}", tag.anchor);
        let class = format!("tag {}{}", tone(tag.severity), if tag.here { " here" } else { "" });
        page.within("a", &[("href", &href), ("class", &class)], |page| {
            let how = if tag.here { "" } else { ", named in" };
            page.tag("title", &[], &format!("{}{how}: {}", tag.code, tag.says));
            rect(page, "pill", Frame { x, y, width: TAG.0, height: TAG.1 }, "9.5");
            label(page, "code", x + TAG.0 / 2.0, y + 13.5, &tag.label());
        });
        x += TAG.0 + TAG_GAP;
    }
    if shown < total {
        words(page, "line", x, y + 13.5, &format!("+{}", total - shown));
    }
}

/// A way from one place to another, and its sign at `mark` of it (0 to 1).
pub fn way(page: &mut Page, state: State, from: (f64, f64), to: (f64, f64), mark: f64) {
    let half = (from.0 + to.0) / 2.0;
    let mut d = String::new();
    let _ = write!(d, "M{} {}", at(from.0), at(from.1));
    if (from.1 - to.1).abs() < 0.05 {
        let _ = write!(d, "H{}", at(to.0));
    } else {
        let (half, y0, x1, y1) = (at(half), at(from.1), at(to.0), at(to.1));
        let _ = write!(d, "C{half} {y0} {half} {y1} {x1} {y1}");
    }
    page.tag("path", &[("class", &format!("way {}", state.class())), ("d", &d)], "");
    if matches!(state, State::Bad | State::Warned | State::Unseen) {
        let (t, u) = (mark, 1.0 - mark);
        let bezier = |p: [f64; 4]| {
            u * u * u * p[0] + 3.0 * u * u * t * p[1] + 3.0 * u * t * t * p[2] + t * t * t * p[3]
        };
        let x = bezier([from.0, half, half, to.0]);
        sign(page, state, x, bezier([from.1, from.1, to.1, to.1]));
    }
}

/// A way of straight pieces.
pub fn rail(page: &mut Page, state: State, points: &[(f64, f64)]) {
    let mut d = String::new();
    for (i, (x, y)) in points.iter().enumerate() {
        let _ = write!(d, "{}{} {}", if i == 0 { "M" } else { "L" }, at(*x), at(*y));
    }
    page.tag("path", &[("class", &format!("way {}", state.class())), ("d", &d)], "");
}

/// The sign of a way that is broken or was not seen.
pub fn sign(page: &mut Page, state: State, x: f64, y: f64) {
    let Some(sign) = state.sign() else { return };
    page.within("g", &[("class", &format!("mark {}", state.class())), ("aria-hidden", "true")], |page| {
        page.tag("circle", &[("cx", &*at(x)), ("cy", &at(y)), ("r", "7.5")], "");
        label(page, "sign", x, y + 4.0, sign);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_to_what_surely_fits() {
        assert_eq!(fitting("short", 74.0, NAME), "short");
        assert_eq!(fitting("eleven-char", 74.0, NAME), "eleven-ch…");
        // wide characters count twice
        assert_eq!(fitting("一二三四五六", 74.0, NAME), "一二三四…");
    }
}
