//! A job that every morning compares itself with what it wrote the morning before.

use serde_json::Value;

use super::{Desk, cluster, ids, later, with_state, without_sight};

const ARGS: &[&str] =
    &["--baseline", "@last.json", "--output-file", "json=@last.json", "--fail-on", "new", "-o", "json"];

/// One morning: the report and the exit status.
fn morning(desk: &Desk, cluster: Value, day: i64) -> (Value, i32) {
    let run = desk.doctor(&later(cluster, 24 * day), ARGS);
    assert_eq!(run.err, "");
    assert_eq!(desk.read("last.json"), run.out, "the report is kept for the next morning");
    (run.json(), run.exit)
}

fn counts(report: &Value) -> [u64; 4] {
    let baseline = &report["baseline"];
    let listed = |key: &str| baseline[key].as_array().expect("a list").len() as u64;
    [
        baseline["new"].as_u64().unwrap() + baseline["worse"].as_u64().unwrap(),
        baseline["unchanged"].as_u64().unwrap(),
        listed("fixed"),
        listed("not_comparable"),
    ]
}

#[test]
fn broken_half_fixed_blind_half_fixed_fixed() {
    let desk = Desk::new();
    let (broken, exit) = morning(&desk, cluster("incidents/field-report"), 0);
    let all = ids(&broken["findings"]);
    assert_eq!((exit, counts(&broken)), (1, [all.len() as u64, 0, 0, 0]), "the first run");
    assert_eq!(broken["baseline"]["generated_at"], Value::Null);

    let (same, exit) = morning(&desk, cluster("incidents/field-report"), 1);
    assert_eq!((exit, counts(&same)), (0, [0, all.len() as u64, 0, 0]));
    assert_eq!(same["baseline"]["generated_at"], broken["generated_at"]);

    let (half, exit) = morning(&desk, cluster("incidents/cilium-gateway"), 2);
    let left = ids(&half["findings"]);
    let gone: Vec<_> = all.iter().filter(|id| !left.contains(id)).cloned().collect();
    assert!(!left.is_empty() && gone.len() > 5, "{left:?} {gone:?}");
    assert_eq!((exit, counts(&half)), (0, [0, left.len() as u64, gone.len() as u64, 0]));
    assert_eq!(ids(&half["baseline"]["fixed"]), gone);

    // Services out of sight: none of the findings can be looked for, and none of them is fixed.
    let blind = without_sight(cluster("incidents/cilium-gateway"), &["services", "gateways", "challenges"]);
    let (blind, exit) = morning(&desk, blind, 3);
    assert_eq!((exit, counts(&blind)), (3, [0, 0, 0, left.len() as u64]));
    assert_eq!(ids(&blind["baseline"]["not_comparable"]), left);
    let (blind_again, _) = morning(
        &desk,
        without_sight(cluster("healthy/hcm-cilium-3"), &["services", "gateways", "challenges"]),
        4,
    );
    assert_eq!(ids(&blind_again["baseline"]["not_comparable"]), left, "they are carried on");
    for carried in blind_again["baseline"]["not_comparable"].as_array().unwrap() {
        assert_eq!(carried["seen_at"], half["generated_at"]);
    }

    // In sight again, and as it was: that is no news.
    let (back, exit) = morning(&desk, cluster("incidents/cilium-gateway"), 5);
    assert_eq!((exit, counts(&back)), (0, [0, left.len() as u64, 0, 0]));

    let (fixed, exit) = morning(&desk, cluster("healthy/hcm-cilium-3"), 6);
    assert_eq!((exit, counts(&fixed)), (0, [0, 0, left.len() as u64, 0]));
    let (still, exit) = morning(&desk, cluster("healthy/hcm-cilium-3"), 7);
    assert_eq!((exit, counts(&still)), (0, [0, 0, 0, 0]), "what was fixed is told once");

    let (again, exit) = morning(&desk, cluster("incidents/cilium-gateway"), 8);
    assert_eq!((exit, counts(&again)), (1, [left.len() as u64, 0, 0, 0]));
}

#[test]
fn what_was_predicted_and_comes_true_is_worse_and_the_way_back_is_better() {
    let desk = Desk::new();
    morning(&desk, cluster("incidents/hcm-cilium-as-published-1"), 0);
    // Two agents have joined.
    let (worse, exit) = morning(&desk, cluster("incidents/hcm-cilium-as-published-3"), 1);
    assert_eq!(exit, 1);
    let cilium = "KD506/DaemonSet/kube-system/cilium";
    assert!(with_state(&worse, "worse").iter().any(|id| id == cilium), "{:?}", with_state(&worse, "worse"));
    let of =
        |report: &Value| report["findings"].as_array().unwrap().iter().find(|f| f["id"] == cilium).cloned();
    let finding = of(&worse).unwrap();
    let was = serde_json::json!({"severity": "info", "confidence": "predicted"});
    assert_eq!((&finding["severity"], &finding["confidence"]), (&"critical".into(), &"confirmed".into()));
    assert_eq!(finding["since"]["was"], was);

    let (better, exit) = morning(&desk, cluster("incidents/hcm-cilium-as-published-1"), 2);
    assert_eq!(exit, 0, "better is no news");
    assert_eq!(of(&better).unwrap()["since"]["state"], "better");
}

#[test]
fn when_the_api_is_out_of_reach_nothing_is_fixed_and_the_cluster_is_not_proven_to_be_the_same() {
    let desk = Desk::new();
    let (half, _) = morning(&desk, cluster("incidents/cilium-gateway"), 0);
    let (gone, exit) = morning(&desk, cluster("kd100/server-off"), 1);
    assert_eq!((exit, &gone["cluster"]["uid"]), (1, &Value::Null));
    assert_eq!(with_state(&gone, "new").len(), 1, "KD100 itself");
    assert_eq!(ids(&gone["baseline"]["not_comparable"]), ids(&half["findings"]));
    assert_eq!(gone["baseline"]["fixed"], serde_json::json!([]));
    assert!(gone["baseline"]["doubt"].is_string());
    let (back, exit) = morning(&desk, cluster("incidents/cilium-gateway"), 2);
    assert_eq!((exit, with_state(&back, "unchanged")), (0, ids(&half["findings"])));
    assert_eq!(ids(&back["baseline"]["fixed"]).len(), 1);
}
