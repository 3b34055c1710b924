//! Label selectors written as text, as `kubectl -l` and HCCM's annotation `node-selector` take them.
//!
//! Source: apimachinery `pkg/labels/selector.go`.

use crate::facts::Text;
use crate::facts::kubernetes::{LabelExpression, LabelSelector};

/// `a=b, c!=d, e in (f,g), h, !i`; `None` when it is no selector.
pub fn parse(text: &str) -> Option<LabelSelector> {
    let mut selector = LabelSelector::default();
    for term in split(text)? {
        selector.match_expressions.push(expression(term.trim())?);
    }
    Some(selector)
}

/// At the commas that stand outside of parentheses.
fn split(text: &str) -> Option<Vec<&str>> {
    let (mut terms, mut depth, mut start) = (Vec::new(), 0usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                terms.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    (depth == 0).then_some(terms)
}

fn expression(term: &str) -> Option<LabelExpression> {
    let of = |key: &str, operator: &str, values: Vec<&str>| {
        let key = key.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        let values: Vec<&str> = values.into_iter().map(str::trim).collect();
        let proper = !key.is_empty() && key.chars().all(plain) && values.iter().all(|v| v.chars().all(plain));
        proper.then(|| LabelExpression {
            key: key.into(),
            operator: operator.into(),
            values: values.into_iter().map(Text::new).collect(),
        })
    };
    if let Some(key) = term.strip_prefix('!') {
        return of(key, "DoesNotExist", Vec::new());
    }
    if let Some((key, value)) = term.split_once("!=") {
        return of(key, "NotIn", vec![value]);
    }
    if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return of(key, "In", vec![value]);
    }
    if let Some(inner) = term.strip_suffix(')') {
        let (head, values) = inner.split_once('(')?;
        let (key, operator) = head.trim().rsplit_once(char::is_whitespace)?;
        let operator = match operator {
            "in" => "In",
            "notin" => "NotIn",
            _ => return None,
        };
        return of(key, operator, values.split(',').collect());
    }
    of(term, "Exists", Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::kubernetes::Labels;

    fn selects(selector: &str, labels: &[(&str, &str)]) -> Option<bool> {
        let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        parse(selector).expect("it is a selector").selects(&Labels(labels))
    }

    #[test]
    fn the_forms_of_kubectl() {
        let labels = [("kubernetes.io/arch", "arm64"), ("app", "web")];
        assert_eq!(selects("app=web", &labels), Some(true));
        assert_eq!(selects("app == web , kubernetes.io/arch in (amd64, arm64)", &labels), Some(true));
        assert_eq!(selects("app!=web", &labels), Some(false));
        assert_eq!(selects("kubernetes.io/arch notin (arm64)", &labels), Some(false));
        assert_eq!(selects("!app", &labels), Some(false));
        assert_eq!(selects("kubernetes.io/os", &labels), Some(false));
    }

    #[test]
    fn a_label_that_is_not_read_cannot_be_judged_unless_another_term_fails() {
        assert_eq!(selects("role=ingress", &[("app", "web")]), None);
        assert_eq!(selects("role=ingress,app=other", &[("app", "web")]), Some(false));
    }

    #[test]
    fn what_is_no_selector() {
        for text in ["a in b", "a in (b", "a=b)", "=b", "a=b c"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
