//! What names a person: users, mail addresses, home directories.

use std::collections::BTreeMap;

use serde_json::Value;

/// A user or group of a binding that no program made.
pub fn is_person(subject: &Value) -> bool {
    matches!(subject["kind"].as_str(), Some("User" | "Group"))
        && subject["name"].as_str().is_some_and(|name| !name.starts_with("system:") && !name.is_empty())
}

/// The users that a refusal names: `User "alice" cannot list resource …`.
pub fn users_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for start in ["User \"", "user \""] {
        for piece in text.split(start).skip(1) {
            match piece.split_once('"') {
                Some((name, _)) if !name.is_empty() && !name.starts_with("system:") => {
                    found.push(name.to_string())
                }
                _ => {}
            }
        }
    }
    found
}

/// The text without local parts of mail addresses, home directories, and the moments by which k3s's certificate
/// authorities are named.
pub fn hidden(text: String, authorities: &BTreeMap<String, String>) -> String {
    let mut text = text;
    if text.contains('@') {
        text = without_mailboxes(&text);
        for (moment, other) in authorities {
            text = text.replace(&format!("@{moment}"), &format!("@{other}"));
        }
    }
    home(text)
}

/// `alice@domain-1.example` becomes `user@domain-1.example`, and what stands before the `@` of a URL likewise.
fn without_mailboxes(text: &str) -> String {
    let local = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-' | ':');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let domain =
            after.split(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '-')).next().unwrap_or_default();
        let start = before
            .rfind(|c| !local(c))
            .map_or(0, |n| n + before[n..].chars().next().map_or(1, char::len_utf8));
        let url = before[..start].ends_with("//");
        let mailbox = domain.trim_end_matches('.').contains('.') && domain.starts_with(char::is_alphabetic);
        if (mailbox || url) && start < at {
            out.push_str(&before[..start]);
            out.push_str("user");
        } else {
            out.push_str(before);
        }
        out.push('@');
        rest = after;
    }
    out + rest
}

/// A home directory names its owner.
fn home(text: String) -> String {
    let mut text = text;
    for parent in ["/home/", "/Users/", "\\Users\\"] {
        let mut from = 0;
        while let Some(at) = text[from..].find(parent).map(|n| from + n) {
            let after = at + parent.len();
            let end = text[after..]
                .find(['/', '\\', ' ', '"', '\'', '`', ':', ',', ')'])
                .map_or(text.len(), |n| after + n);
            let start = if parent.starts_with('\\') { at.saturating_sub(2) } else { at };
            let start = if text.is_char_boundary(start) { start } else { at };
            text.replace_range(start..end, "~");
            from = start + 1;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_and_home_directories_name_nobody() {
        let hidden = |text: &str| {
            hidden(text.to_string(), &BTreeMap::from([("1699999999".into(), "1000000001".into())]))
        };
        assert_eq!(
            hidden("mail to alice.b+x@domain-1.example, please"),
            "mail to user@domain-1.example, please"
        );
        assert_eq!(hidden("https://bob:pw@10.0.0.1/x"), "https://user@10.0.0.1/x");
        assert_eq!(
            hidden("pause@sha256:0a1b of k3s-server-ca@1699999999"),
            "pause@sha256:0a1b of k3s-server-ca@1000000001"
        );
        assert_eq!(hidden("read /home/alice/.kube and /home/bob"), "read ~/.kube and ~");
        assert_eq!(hidden("read C:\\Users\\alice\\kube"), "read ~\\kube");
        assert_eq!(users_in("User \"alice\" cannot; User \"system:node:k1\" may"), ["alice"]);
    }
}
