//! Structured snippets as the YAML one would write by hand.

use kairos_doctor_checks::facts::is_hidden;
use serde_json::Value;

/// YAML in block style, strings of several lines as literal blocks, without a final newline. The chart values in a
/// HelmChart or HelmChartConfig are structured here and one string on the wire: they become one.
pub fn text(snippet: &Value) -> String {
    if let Value::String(text) = snippet {
        return text.trim_end_matches('\n').to_string();
    }
    // Kairos reads a file in /oem as a cloud-config only where it begins so (mudler/yip, `pkg/schema`).
    let cloud_config = snippet.get("write_files").is_some() || snippet.get("stages").is_some();
    let header = if cloud_config { "#cloud-config\n" } else { "" };
    header.to_string() + &written(&wire(snippet))
}

/// The object as the API takes it.
pub fn wire(object: &Value) -> Value {
    let mut object = object.clone();
    if matches!(object["kind"].as_str(), Some("HelmChart" | "HelmChartConfig")) {
        let values = &object["spec"]["valuesContent"];
        if values.is_object() {
            let text = written(values);
            object["spec"]["valuesContent"] = Value::String(text);
        }
    }
    object
}

fn written(value: &Value) -> String {
    // A long string stays on its line: a folded one is right, and nobody recognises it.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: 100_000 };
    let yaml = serde_saphyr::to_string_with_options(value, options).expect("JSON is always YAML");
    if yaml.contains(unseen) {
        return escaped(value);
    }
    // Where the last string keeps its own final newlines they count, and stay.
    if yaml.ends_with("\n\n") { yaml } else { yaml.trim_end_matches('\n').to_string() }
}

fn unseen(c: char) -> bool {
    c != '\n' && is_hidden(c)
}

/// In quotes, so that what is not seen has an escape: a tab that is pasted into a shell asks it to complete the line.
fn escaped(value: &Value) -> String {
    let json = serde_json::to_string_pretty(value).expect("a value is always JSON");
    let mut yaml = String::with_capacity(json.len());
    for c in json.chars() {
        match u32::from(c) {
            _ if !unseen(c) => yaml.push(c),
            code @ ..=0xffff => yaml += &format!("\\u{code:04x}"),
            code => yaml += &format!("\\U{code:08x}"),
        }
    }
    yaml
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(yaml: &str) -> Value {
        let options = serde_saphyr::options! { strict_booleans: true };
        serde_saphyr::from_str_with_options(yaml, options).unwrap_or_else(|e| panic!("{e}\n{yaml}"))
    }

    #[test]
    fn chart_values_become_one_literal_string() {
        let config = json!({
            "apiVersion": "helm.cattle.io/v1", "kind": "HelmChartConfig",
            "metadata": {"name": "ccm", "namespace": "kube-system"},
            "spec": {"failurePolicy": "abort",
                "valuesContent": {"env": {"HCLOUD_NETWORK": {"value": "815"}, "HCLOUD_NETWORK_ROUTES_ENABLED": {"value": "false"}}}},
        });
        let yaml = text(&config);
        insta::assert_snapshot!(yaml);
        let back = read(&yaml);
        let values = back["spec"]["valuesContent"].as_str().expect("one string");
        assert_eq!(read(values), config["spec"]["valuesContent"]);
    }

    #[test]
    fn a_file_in_a_cloud_config_keeps_its_lines() {
        let snippet = json!({"write_files": [{"path": "/etc/x.yaml", "permissions": "0600", "content": "node-ip: 127.0.0.2\nb: 1\n"}]});
        insta::assert_snapshot!(text(&snippet));
        assert_eq!(read(&text(&snippet)), snippet);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|b| json!(b)),
            any::<i32>().prop_map(|n| json!(n)),
            "[ -~\n\t\u{200b}\u{e0041}]{0,20}".prop_map(|s| json!(s)),
            "(yes|no|on|null|~|0600|1e3|0x1f|- a|a: b|#|'|\"|  x|x  |\n|a\n\n b|é…)".prop_map(|s| json!(s)),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map("[ -~]{0,8}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn whatever_is_written_reads_back(value in any_json()) {
            let yaml = written(&value);
            prop_assert!(!yaml.contains(unseen), "{yaml:?}");
            prop_assert_eq!(read(&yaml), value);
        }
    }
}
