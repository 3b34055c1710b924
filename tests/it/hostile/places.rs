//! Hostile text where it is no value of a field: as the key of a map, as long as a body may be, and in a chart's values.

use kairos_doctor::fixture::Fixture;
use kairos_doctor::report::json;
use kairos_doctor_checks::ALL;
use kairos_doctor_checks::engine;
use kairos_doctor_checks::facts::Facts;
use serde_json::{Value, json};

use super::{HOSTILE, each, renderers};
use crate::cases::{CASES, none};

const MAPS: &[&str] = &["annotations", "labels", "selector", "matchLabels", "nodeSelector", "data"];
const KEPT: &[&str] = &["load-balancer.hetzner.cloud/", "kairos.io/", "app.kubernetes.io/", ""];

#[test]
fn hostile_keys() {
    let mut wrong = Vec::new();
    for name in ["incidents/cilium-gateway", "incidents/charts-wait-for-taint"] {
        let case = CASES.iter().find(|case| case.fixture.name() == name).expect("a fixture");
        let mut bundle = case.bundle.clone();
        keyed(&mut bundle["parts"]);
        let facts = Facts::from_bundle(&bundle).expect("a key is no reason to refuse a bundle");
        wrong.extend(renderers::diagnose(&facts));
    }
    none(wrong);
}

fn keyed(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(keyed),
        Value::Object(fields) => {
            for (name, field) in fields {
                if let (true, Value::Object(map)) = (MAPS.contains(&name.as_str()), &mut *field) {
                    for (n, text) in HOSTILE.iter().enumerate() {
                        map.insert(format!("{}{text}", KEPT[n % KEPT.len()]), (*text).into());
                    }
                }
                if name == "valuesContent" {
                    *field = values().into();
                }
                keyed(field);
            }
        }
        _ => {}
    }
}

/// Values of a chart that are mostly keys, with placeholders so that their paths are evidence.
fn values() -> String {
    let all = HOSTILE
        .iter()
        .map(|text| (text.to_string(), json!({"value": "<HETZNER_REGION>", "x": [text, "<A_NAME>"]})));
    let all: serde_json::Map<String, Value> = all.collect();
    json!({"env": all, "service": {"annotations": {"load-balancer.hetzner.cloud/name": HOSTILE[0]}}, "extra": all}).to_string()
}

#[test]
fn a_megabyte_where_a_name_should_be() {
    let bundle = Fixture::named("incidents/field-report").unwrap().bundle();
    let mut count = 0;
    each(&mut bundle["parts"].clone(), &mut |_| count += 1);
    let mut wrong = Vec::new();
    for (n, piece) in
        ["x", "\u{1b}", "\u{430}.", "`'\"", "a b\n", "\u{301}", "=.-/:@"].into_iter().enumerate()
    {
        let (mut bundle, mut here) = (bundle.clone(), 0);
        let long = piece.repeat((1 << 20) / piece.len());
        each(&mut bundle["parts"], &mut |leaf| {
            if here % (count / 12) == n {
                *leaf = long.clone();
            }
            here += 1;
        });
        let Ok(facts) = Facts::from_bundle(&bundle) else { continue };
        wrong.extend(renderers::shown(&facts));
        let report = engine::run(&facts, ALL);
        let size = json::render(&report, &renderers::view(&report)).len();
        if size > 1 << 20 {
            wrong.push(format!("{piece:?} makes a report of {size} bytes"));
        }
    }
    none(wrong);
}
