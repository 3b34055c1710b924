//! Lines of a given width.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Breaks at spaces into lines of at most `first` and then `rest` columns. A word that is wider than a line is broken too,
/// after a separator if it has one.
pub fn wrap_uneven(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let width = if lines.len() == 1 { first } else { rest }.max(1);
        let last = lines.last_mut().expect("there is a line");
        let space = usize::from(!last.is_empty());
        if last.width() + space + word.width() <= width {
            last.push_str(&" "[..space]);
            last.push_str(word);
            continue;
        }
        let mut word = word;
        if !last.is_empty() {
            lines.push(String::new());
        }
        loop {
            let width = if lines.len() == 1 { first } else { rest }.max(1);
            let last = lines.last_mut().expect("there is a line");
            let end = fitting(word, width);
            last.push_str(&word[..end]);
            word = &word[end..];
            if word.is_empty() {
                break;
            }
            lines.push(String::new());
        }
    }
    lines
}

pub fn wrap(text: &str, width: usize) -> Vec<String> {
    wrap_uneven(text, width, width)
}

/// How many bytes of a word fit, at least one character.
fn fitting(word: &str, width: usize) -> usize {
    let (mut used, mut end, mut good) = (0, 0, 0);
    for (at, c) in word.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width && at > 0 {
            return if good * 2 > end { good } else { end };
        }
        end = at + c.len_utf8();
        if "/,.:;-_=)}]".contains(c) {
            good = end;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_lines_fit() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap_uneven("one two three", 4, 20), ["one", "two three"]);
        assert_eq!(wrap("", 8), [""]);
    }

    #[test]
    fn a_word_wider_than_a_line_breaks_after_a_separator() {
        assert_eq!(
            wrap("x load-balancer.hetzner.cloud/location", 24),
            ["x", "load-balancer.hetzner.", "cloud/location"]
        );
        assert_eq!(wrap("xxxxxxxxxxx", 4), ["xxxx", "xxxx", "xxx"]);
        assert_eq!(wrap("一二三四", 5), ["一二", "三四"]);
        assert_eq!(wrap("一二", 1), ["一", "二"]);
    }
}
