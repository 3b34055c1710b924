//! As much of a POSIX shell as the printed commands use: words, both quotes, line continuation, and `$(printf %b '…')`.
//! What is outside of that makes it `None`: whatever a shell would expand, redirect or end a command at.

/// The words of one command.
pub fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        match c {
            ' ' => {
                words.extend(word.take());
                rest = after;
            }
            '\'' => {
                let (inside, after) = after.split_once('\'')?;
                word.get_or_insert_default().push_str(inside);
                rest = after;
            }
            '"' => {
                let (escaped, after) = substitution(after)?;
                let said = printed(&escaped)?;
                // `$(…)` drops the newlines at the end.
                word.get_or_insert_default().push_str(said.trim_end_matches('\n'));
                rest = after.strip_prefix('"')?;
            }
            '\\' => match after.strip_prefix('\n') {
                Some(after) => rest = after,
                None => {
                    let c = after.chars().next()?;
                    word.get_or_insert_default().push(c);
                    rest = &after[c.len_utf8()..];
                }
            },
            c if c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c) => {
                // zsh puts a path in place of a word that begins so.
                if c == '=' && word.is_none() {
                    return None;
                }
                word.get_or_insert_default().push(c);
                rest = after;
            }
            _ => return None,
        }
    }
    words.extend(word);
    Some(words)
}

/// The quoted argument of `$(printf %b …)`, and what follows.
fn substitution(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix("$(printf %b ")?;
    let mut argument = String::new();
    loop {
        if let Some(after) = rest.strip_prefix(')') {
            return Some((argument, after));
        } else if let Some(after) = rest.strip_prefix('\'') {
            let (inside, after) = after.split_once('\'')?;
            argument.push_str(inside);
            rest = after;
        } else {
            rest = rest.strip_prefix(r"\'")?;
            argument.push('\'');
        }
    }
}

/// What `printf %b` makes of it, as far as the escapes are `\\` and `\0ddd`.
fn printed(escaped: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut rest = escaped.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        // bash looks for these even in single quotes, where they stand in double ones.
        if byte == b'!' {
            return None;
        }
        (rest, _) = match (byte, after) {
            (b'\\', [b'\\', after @ ..]) => (after, out.push(b'\\')),
            (b'\\', [b'0', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                (after, out.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0')))
            }
            (b'\\', _) => return None,
            _ => (after, out.push(byte)),
        };
    }
    String::from_utf8(out).ok()
}
