//! Where in an object a fact stands, and reading it from there.
//!
//! `a.b` is a field, `['k']` a key, `[n]` an item, `[field=value]` the first item with that field,
//! `env NAME` the variable of that name in the object's containers, `flag NAME` their argument `--NAME=…`, and `values a.b` a value of a Helm chart, which stands as
//! YAML in `spec.valuesContent`.

use serde_json::Value;

/// The value at `path` as a reader would write it; `None` when nothing is set there, or an empty list. Lists of plain
/// values are joined by `, `; anything nested is compact JSON.
pub fn resolve(object: &Value, path: &str) -> Option<String> {
    if let Some(name) = path.strip_prefix("env ") {
        return env(object, name);
    }
    if let Some(name) = path.strip_prefix("flag ") {
        return flag(object, name);
    }
    if let Some(path) = path.strip_prefix("values ") {
        let values = super::kubernetes::parse_values(object["spec"]["valuesContent"].as_str()?)?;
        return plain(walk(&values, path)?);
    }
    plain(walk(object, path)?)
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Array(items) if items.is_empty() => None,
        Value::String(s) => Some(s.clone()),
        Value::Array(items) if items.iter().all(|v| !v.is_array() && !v.is_object()) => {
            Some(items.iter().filter_map(plain).collect::<Vec<_>>().join(", "))
        }
        other => Some(other.to_string()),
    }
}

fn walk<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let mut here = object;
    let mut rest = path;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if let Some(inner) = rest.strip_prefix("['") {
            let end = inner.find("']")?;
            here = here.get(&inner[..end])?;
            rest = &inner[end + 2..];
        } else if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']')?;
            here = match inner[..end].split_once('=') {
                Some((field, value)) => {
                    here.as_array()?.iter().find(|item| plain(&item[field]).as_deref() == Some(value))?
                }
                None => here.get(inner[..end].parse::<usize>().ok()?)?,
            };
            rest = &inner[end + 1..];
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            here = here.get(&rest[..end])?;
            rest = &rest[end..];
        }
    }
    Some(here)
}

fn containers(object: &Value) -> Option<&Vec<Value>> {
    let spec = if object["spec"]["template"].is_object() {
        &object["spec"]["template"]["spec"]
    } else {
        &object["spec"]
    };
    spec["containers"].as_array()
}

/// The value of `--name=value`, the name in any case; a flag without one is `true`.
fn flag(object: &Value, name: &str) -> Option<String> {
    let lists =
        containers(object)?.iter().flat_map(|c| [&c["command"], &c["args"]]).filter_map(Value::as_array);
    lists.flatten().filter_map(Value::as_str).find_map(|arg| {
        let arg = arg.strip_prefix("--")?;
        let (flag, value) = arg.split_once('=').unwrap_or((arg, "true"));
        flag.eq_ignore_ascii_case(name).then(|| value.to_string())
    })
}

fn env(object: &Value, name: &str) -> Option<String> {
    let containers = containers(object)?;
    let var = containers.iter().flat_map(|c| c["env"].as_array()).flatten().find(|v| v["name"] == name)?;
    if let Some(value) = var["value"].as_str() {
        return Some(value.to_string());
    }
    // The API leaves out an empty value, and the container has the variable.
    if var["valueFrom"].is_null() {
        return Some(String::new());
    }
    ["secretKeyRef", "configMapKeyRef"].iter().find_map(|kind| {
        let from = &var["valueFrom"][kind];
        let what = if *kind == "secretKeyRef" { "Secret" } else { "ConfigMap" };
        Some(format!("from {what} {}, key {}", from["name"].as_str()?, from["key"].as_str()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_reach_keys_items_and_matches() {
        let object = json!({"metadata": {"annotations": {"a.b/c": "x"}}, "spec": {"n": [1, 2]},
            "status": {"addresses": [{"type": "ExternalIP", "address": "127.0.0.9"}, {"type": "InternalIP", "address": "127.0.0.2"}]}});
        assert_eq!(resolve(&object, "metadata.annotations['a.b/c']").as_deref(), Some("x"));
        assert_eq!(
            resolve(&object, "status.addresses[type=InternalIP].address").as_deref(),
            Some("127.0.0.2")
        );
        assert_eq!(resolve(&object, "status.addresses[0].type").as_deref(), Some("ExternalIP"));
        assert_eq!(resolve(&object, "spec.n").as_deref(), Some("1, 2"));
        assert_eq!(resolve(&object, "spec.missing.deep"), None);
    }

    #[test]
    fn a_flag_is_found_in_any_case_and_without_a_value_is_on() {
        let pod =
            json!({"spec": {"containers": [{"args": ["--entryPoints.web.address=:8000/tcp", "--ping"]}]}});
        assert_eq!(resolve(&pod, "flag entrypoints.web.address").as_deref(), Some(":8000/tcp"));
        assert_eq!(resolve(&pod, "flag ping").as_deref(), Some("true"));
        assert_eq!(resolve(&pod, "flag pin"), None);
    }

    #[test]
    fn a_variable_from_a_secret_names_the_secret_and_not_its_value() {
        let pod = json!({"spec": {"containers": [{"env": [{"name": "N", "valueFrom": {"secretKeyRef": {"name": "hcloud", "key": "network"}}}]}]}});
        assert_eq!(resolve(&pod, "env N").as_deref(), Some("from Secret hcloud, key network"));
        assert_eq!(resolve(&pod, "env M"), None);
    }

    #[test]
    fn a_variable_without_a_value_is_set_and_empty() {
        let field = json!({"fieldRef": {"fieldPath": "spec.nodeName"}});
        let pod =
            json!({"spec": {"containers": [{"env": [{"name": "N"}, {"name": "F", "valueFrom": field}]}]}});
        assert_eq!(resolve(&pod, "env N").as_deref(), Some(""));
        assert_eq!(resolve(&pod, "env F"), None);
    }
}
