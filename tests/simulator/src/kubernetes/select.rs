//! Field and label selectors, as a real API server judges them.

use serde_json::Value;

/// A refusal of a selector, in the server's words.
pub(crate) type Refusal = String;

#[derive(Debug)]
pub(crate) struct Term {
    key: String,
    value: String,
    equal: bool,
}

impl Term {
    fn meets(&self, found: &str) -> bool {
        (found == self.value) == self.equal
    }
}

/// The terms of a field selector; all of them have to be met.
pub(crate) fn fields(selector: &str, group: &str, plural: &str, custom: bool) -> Result<Vec<Term>, Refusal> {
    let terms: Vec<Term> = split(selector)
        .into_iter()
        .filter(|term| !term.is_empty())
        .map(|term| {
            parse(&term).ok_or_else(|| format!("invalid selector: '{selector}'; can't understand '{term}'"))
        })
        .collect::<Result<_, _>>()?;
    for Term { key, .. } in &terms {
        let known = matches!(key.as_str(), "metadata.name" | "metadata.namespace")
            || (group.is_empty() && FIELDS.iter().any(|(p, f)| *p == plural && f == key));
        if !known && (group.is_empty() || custom) {
            return Err(format!("field label not supported: {key}"));
        }
        if !known {
            let only = "only \"metadata.name\", \"metadata.namespace\"";
            return Err(format!("\"{key}\" is not a known field selector: {only}"));
        }
    }
    Ok(terms)
}

/// (plural, field) of the core group, beside the name and namespace that all have.
const FIELDS: &[(&str, &str)] = &[
    ("events", "involvedObject.kind"),
    ("events", "involvedObject.namespace"),
    ("events", "involvedObject.name"),
    ("events", "involvedObject.uid"),
    ("events", "involvedObject.apiVersion"),
    ("events", "involvedObject.resourceVersion"),
    ("events", "involvedObject.fieldPath"),
    ("events", "reason"),
    ("events", "reportingComponent"),
    ("events", "source"),
    ("events", "type"),
    ("namespaces", "status.phase"),
    ("nodes", "spec.unschedulable"),
    ("pods", "spec.nodeName"),
    ("pods", "spec.restartPolicy"),
    ("pods", "spec.schedulerName"),
    ("pods", "spec.serviceAccountName"),
    ("pods", "spec.hostNetwork"),
    ("pods", "status.phase"),
    ("pods", "status.podIP"),
    ("pods", "status.nominatedNodeName"),
    ("services", "spec.clusterIP"),
    ("services", "spec.type"),
];

pub(crate) fn meets_fields(object: &Value, terms: &[Term]) -> bool {
    terms.iter().all(|term| term.meets(&field(object, &term.key)))
}

/// An absent field is the empty string, and an absent boolean is `false`.
fn field(object: &Value, key: &str) -> String {
    let at = |path: &str| path.split('.').fold(object, |here, part| &here[part]);
    let found = match key {
        "source" if at("source.component").is_string() => at("source.component"),
        "source" => at("reportingComponent"),
        other => at(other),
    };
    match found {
        Value::String(text) => text.clone(),
        Value::Null if matches!(key, "spec.unschedulable" | "spec.hostNetwork") => "false".into(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The terms of a label selector: `key=value`, `key!=value`, `key`, `!key`. Sets are refused: nobody here asks for them.
pub(crate) fn labels(selector: &str) -> Result<Vec<Label>, Refusal> {
    let term = |term: &str| {
        if term.contains(['(', ' ']) {
            return Err(format!("unable to parse requirement: the simulator knows no sets: {term}"));
        }
        Ok(match (parse(term), term.strip_prefix('!')) {
            (Some(term), _) => Label::Value(term),
            (None, Some(key)) => Label::Exists(key.into(), false),
            (None, None) => Label::Exists(term.into(), true),
        })
    };
    selector.split(',').filter(|t| !t.is_empty()).map(term).collect()
}

#[derive(Debug)]
pub(crate) enum Label {
    Value(Term),
    Exists(String, bool),
}

pub(crate) fn meets_labels(object: &Value, labels: &[Label]) -> bool {
    let label = |key: &str| object["metadata"]["labels"][key].as_str();
    labels.iter().all(|wanted| match wanted {
        Label::Value(term) => label(&term.key).map_or(!term.equal, |found| term.meets(found)),
        Label::Exists(key, there) => label(key).is_some() == *there,
    })
}

/// Splits at commas that no backslash stands before.
fn split(selector: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut escaped = false;
    for c in selector.chars() {
        match c {
            ',' if !escaped => terms.push(String::new()),
            _ => terms.last_mut().expect("there is always one").push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    terms
}

fn parse(term: &str) -> Option<Term> {
    let at = term.find(['=', '!'])?;
    let (key, rest) = term.split_at(at);
    let (equal, value) = if let Some(value) = rest.strip_prefix("!=") {
        (false, value)
    } else {
        (true, rest.strip_prefix("==").or_else(|| rest.strip_prefix('='))?)
    };
    let value = value.replace("\\,", ",").replace("\\=", "=").replace("\\\\", "\\");
    Some(Term { key: key.into(), value, equal })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_terms_have_to_be_met() {
        let terms = fields("type=Warning,involvedObject.kind!=Pod", "", "events", false).unwrap();
        let event = |kind: &str, r#type: &str| json!({"type": r#type, "involvedObject": {"kind": kind}});
        assert!(meets_fields(&event("Node", "Warning"), &terms));
        assert!(!meets_fields(&event("Pod", "Warning"), &terms));
        assert!(!meets_fields(&event("Node", "Normal"), &terms));
        let escaped = fields("reason==a\\,b", "", "events", false).unwrap();
        assert!(meets_fields(&json!({"reason": "a,b"}), &escaped));
    }

    #[test]
    fn what_it_does_not_know_is_refused_in_the_real_words() {
        let refused = |selector, group, plural| fields(selector, group, plural, false).unwrap_err();
        assert_eq!(refused("spec.x=1", "", "events"), "field label not supported: spec.x");
        assert_eq!(refused("type", "", "events"), "invalid selector: 'type'; can't understand 'type'");
        assert_eq!(
            refused("foo=1", "apps", "daemonsets"),
            "\"foo\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        );
    }
}
