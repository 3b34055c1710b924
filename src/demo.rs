//! Clusters that are built in, shown as people know them: fixtures have loopback addresses, so that nothing can ever be
//! dialled by mistake; a demonstration is never dialled, and shows the addresses such a cluster has.

use kairos_doctor_checks::facts::Facts;
use serde_json::Value;

use crate::fixture::Fixture;

const DEFAULT: &str = "field-report";

/// The fixtures that `demo` offers: incidents first, then what a healthy or a hidden cluster looks like.
pub fn all() -> Vec<Fixture> {
    offered().filter_map(Fixture::named).collect()
}

/// The names to type: without the folder.
pub fn names() -> impl Iterator<Item = &'static str> {
    offered().map(without_folder)
}

/// The name to type.
pub fn short(fixture: &Fixture) -> &str {
    without_folder(fixture.name())
}

fn offered() -> impl Iterator<Item = &'static str> {
    let of = |folder: &'static str| Fixture::names().filter(move |name| name.starts_with(folder));
    ["incidents/", "healthy/", "blind/"].into_iter().flat_map(of)
}

fn without_folder(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// The built-in cluster of that name, or the default one.
///
/// # Errors
/// A name that no fixture has, with those that there are.
pub fn named(name: Option<&str>) -> Result<Fixture, String> {
    let wanted = name.unwrap_or(DEFAULT);
    let all = all();
    let found = all.iter().find(|fixture| short(fixture) == wanted).cloned();
    found.or_else(|| Fixture::named(wanted)).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(short).collect();
        format!("no built-in cluster is named `{wanted}`; there are: {}", names.join(", "))
    })
}

/// A fixture in which that check finds something: for `explain`.
pub fn example(code: &str) -> Option<Fixture> {
    let folder = format!("{}/", code.to_ascii_lowercase());
    let mut names = Fixture::names().filter(|name| name.starts_with(&folder) && !name.ends_with(".quiet"));
    names.next().and_then(Fixture::named)
}

/// The facts of a fixture with the addresses of a real cluster: 10.0.0.x private, 203.0.113.x public.
pub fn dressed(fixture: &Fixture) -> Facts {
    let mut bundle = fixture.bundle();
    dress(&mut bundle);
    Facts::from_bundle(&bundle).expect("addresses change no shape")
}

fn dress(value: &mut Value) {
    match value {
        Value::String(text) if text.contains("127.0.0.") => *text = dressed_text(text),
        Value::Array(items) => items.iter_mut().for_each(dress),
        Value::Object(fields) => fields.values_mut().for_each(dress),
        _ => {}
    }
}

/// 127.0.0.1 is itself everywhere; what is below 128 stands for the private network.
fn dressed_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("127.0.0.") {
        let after = at + "127.0.0.".len();
        let end = rest[after..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |n| after + n);
        out.push_str(&rest[..at]);
        rest = match rest[after..end].parse::<u8>() {
            Ok(1) | Err(_) => {
                out.push_str(&rest[at..end]);
                &rest[end..]
            }
            Ok(last) => {
                out.push_str(&if last < 128 {
                    format!("10.0.0.{last}")
                } else {
                    format!("203.0.113.{last}")
                });
                match rest[end..].strip_prefix("/25") {
                    Some(after) => {
                        out.push_str("/24");
                        after
                    }
                    None => &rest[end..],
                }
            }
        };
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_dressed_and_localhost_is_not() {
        assert_eq!(
            dressed_text("127.0.0.1, 127.0.0.12 (127.0.0.201:10250) in 127.0.0.0/25"),
            "127.0.0.1, 10.0.0.12 (203.0.113.201:10250) in 10.0.0.0/24"
        );
    }
}
