//! The Hetzner API.

use kairos_doctor_checks::facts::{NEEDS, Origin};
use kairos_doctor_simulator::{Options, Simulator};
use serde_json::json;

use crate::bundle;
use crate::client::{hetzner, hetzner_with};

#[test]
fn every_need_is_served_and_decodes() {
    let simulator = Simulator::start(&bundle(), Options::default());
    for need in NEEDS {
        let Origin::Hetzner(collection) = need.from else { continue };
        let got = hetzner(&simulator, &format!("/{}?per_page=50", collection.path));
        assert_eq!(got.status, 200, "{}", got.text());
        need.decode(&got.body).unwrap();
    }
    let servers = hetzner(&simulator, "/servers").json();
    assert_eq!(servers["servers"][0]["server_type"]["name"], "cpx21");
}

#[test]
fn pages_are_those_of_the_real_api() {
    let simulator = Simulator::start(&bundle(), Options::default());
    let page = |query: &str| hetzner(&simulator, &format!("/servers?{query}")).json();
    let first = page("per_page=500");
    assert_eq!(first["servers"].as_array().unwrap().len(), 50);
    assert_eq!(
        first["meta"]["pagination"],
        json!({"page": 1, "per_page": 50, "previous_page": null, "next_page": 2, "last_page": 2, "total_entries": 60})
    );
    let second = page("per_page=50&page=2");
    assert_eq!(second["servers"].as_array().unwrap().len(), 10);
    assert!(second["meta"]["pagination"]["next_page"].is_null());
    assert_eq!(page("")["servers"].as_array().unwrap().len(), 25);
    assert_eq!(page("page=9")["servers"], json!([]));
    assert_eq!(page("page=0")["error"]["code"], "invalid_input");
}

#[test]
fn a_seed_loses_no_item_between_pages() {
    let simulator = Simulator::start(&bundle(), Options::default().shuffled(7));
    let mut ids = Vec::new();
    let mut next = Some(1);
    for _ in 0..100 {
        let Some(number) = next else { break };
        let page = hetzner(&simulator, &format!("/servers?per_page=50&page={number}")).json();
        ids.extend(page["servers"].as_array().unwrap().iter().map(|s| s["id"].as_i64().unwrap()));
        next = page["meta"]["pagination"]["next_page"].as_u64();
    }
    assert_ne!(ids, (1..=60).collect::<Vec<i64>>());
    ids.sort_unstable();
    assert_eq!(ids, (1..=60).collect::<Vec<i64>>());
}

#[test]
fn refusals_come_in_its_envelope_and_the_budget_shrinks() {
    let simulator = Simulator::start(
        &bundle(),
        Options { rate_limit_remaining: 2, ..Options::default() }.withholding("hcloud.networks"),
    );
    let got = hetzner_with(&simulator, "/servers", &[("Authorization", "Bearer wrong")]);
    assert_eq!((got.status, &got.json()["error"]["code"]), (401, &json!("unauthorized")));
    let got = hetzner(&simulator, "/networks");
    assert_eq!((got.status, got.headers["ratelimit-remaining"].as_str()), (403, "1"));
    let got = hetzner(&simulator, "/nothing");
    assert_eq!((got.status, &got.json()["error"]["code"]), (404, &json!("not_found")));
    assert_eq!(got.headers["ratelimit-remaining"], "0");
    let got = hetzner(&simulator, "/servers");
    assert_eq!((got.status, &got.json()["error"]["code"]), (429, &json!("rate_limit_exceeded")));
    assert_eq!(got.headers["ratelimit-limit"], "3600");
}
