//! One comparison with an earlier report: what it takes, and how every form shows it.

use serde_json::{Value, json};

use super::{Desk, cluster, ids, later, with_state, without_sight};

#[test]
fn what_is_no_earlier_report_of_this_cluster_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    let broken = cluster("incidents/cilium-gateway");
    let (report, _) = desk.report(&broken, &[]);
    let (redacted, _) = desk.report(&broken, &["--redact"]);
    let with = |edit: &dyn Fn(&mut Value)| {
        let mut other = report.clone();
        edit(&mut other);
        other.to_string()
    };
    for (text, words) in [
        (with(&|r| r["cluster"]["uid"] = json!("5a1b8c1e-0000-4000-8000-00000000000f")), "another cluster"),
        (broken.to_string(), "--from"),
        ("{}".to_string(), "-o json"),
        ("[1".to_string(), "cut off"),
        ("kind: Report".to_string(), "no JSON"),
        (with(&|r| r["schema"] = json!("kairos-doctor/report/v9")), "report/v9"),
        (with(&|r| r["generated_at"] = json!("yesterday")), "no whole report"),
        (with(&|r| r["findings"][0]["subjects"] = json!([])), "no subject"),
        (with(&|r| r["summary"]["hidden"] = json!(3)), "--min-severity"),
        (redacted.to_string(), "--redact"),
    ] {
        desk.write("earlier.json", &text);
        let run = desk.doctor(&broken, &["--baseline", "@earlier.json", "--output-file", "json=@out.json"]);
        assert_eq!((run.exit, run.out.as_str()), (2, ""), "{words}");
        assert!(run.err.contains(words) && run.err.contains("earlier.json"), "{words}: {}", run.err);
        assert_eq!(run.err.lines().count(), 1, "{}", run.err);
        assert!(!std::path::Path::new(&desk.path("out.json")).exists());
    }
    let run = desk.doctor(&broken, &["--baseline", "@none.json", "--output-file", "json=@other.json"]);
    assert_eq!((run.exit, run.out.as_str()), (2, ""));
    assert!(run.err.contains("--output-file json="), "it says how to make one: {}", run.err);
    let run = desk.doctor(&broken, &["--fail-on", "new"]);
    assert_eq!((run.exit, run.out.as_str()), (2, ""));
    assert!(run.err.contains("--baseline"), "{}", run.err);
}

#[test]
fn what_min_severity_hid_is_not_new() {
    let desk = Desk::new();
    let broken = cluster("incidents/field-report");
    desk.doctor(&broken, &["--min-severity", "critical", "--output-file", "json=@earlier.json"]);
    let earlier: Value = serde_json::from_str(&desk.read("earlier.json")).unwrap();
    assert!(!earlier["hidden"].as_array().unwrap().is_empty());
    let (report, run) = desk.report(&broken, &["--baseline", "@earlier.json", "--fail-on", "new:info"]);
    assert_eq!((run.exit, with_state(&report, "new")), (0, vec![]));
    assert_eq!(with_state(&report, "unchanged"), ids(&report["findings"]));
}

#[test]
fn what_was_not_asked_or_cannot_be_is_not_comparable() {
    let desk = Desk::new();
    let broken = cluster("incidents/field-report");
    let (mut earlier, _) = desk.report(&broken, &[]);
    let gateways: Vec<String> =
        ids(&earlier["findings"]).into_iter().filter(|id| id.starts_with("KD6")).collect();
    // A check that a later version does not have any more.
    let mut retired = earlier["findings"][0].clone();
    retired["id"] = json!("KD999/Node/k1");
    retired["code"] = json!("KD999");
    earlier["findings"].as_array_mut().unwrap().push(retired);
    desk.write("earlier.json", &earlier.to_string());
    let (report, _) = desk.report(&broken, &["--baseline", "@earlier.json", "--skip", "gateway"]);
    let unseen = &report["baseline"]["not_comparable"];
    let mut expected = gateways;
    expected.push("KD999/Node/k1".into());
    assert_eq!(ids(unseen), expected);
    let why = |id: &str| {
        let found = unseen.as_array().unwrap().iter().find(|u| u["id"] == id);
        found.unwrap()["why"].as_str().unwrap().to_string()
    };
    assert!(why("KD606/Gateway/edge/web").contains("--skip"), "{}", why("KD606/Gateway/edge/web"));
    assert!(why("KD999/Node/k1").contains("no check KD999"), "{}", why("KD999/Node/k1"));
    assert_eq!(report["baseline"]["fixed"], json!([]));
    // And the other way round: what was not asked before is new, with the reason.
    desk.doctor(&broken, &["--skip", "gateway", "--output-file", "json=@earlier.json"]);
    let (report, run) = desk.report(&broken, &["--baseline", "@earlier.json", "--fail-on", "new"]);
    assert_eq!(run.exit, 1, "nobody was ever told of it");
    let new = report["findings"].as_array().unwrap().iter().filter(|f| f["since"]["state"] == "new");
    for finding in new {
        assert!(finding["code"].as_str().unwrap().starts_with("KD6"));
        assert!(finding["since"]["note"].as_str().unwrap().contains("check"), "{finding}");
    }
}

/// A check that found something on one node and did not see another has fixed nothing there.
#[test]
fn a_check_that_saw_only_a_part_has_fixed_nothing() {
    let desk = Desk::new();
    let broken = cluster("kd110/agent");
    let (earlier, _) = desk.report(&broken, &["--only", "KD110"]);
    desk.write("earlier.json", &earlier.to_string().replace("/k3", "/k2").replace("\"k3\"", "\"k2\""));
    let mut now = without_sight(broken, &["pods.log"]);
    for kubelet in now["parts"]["kubelets"].as_array_mut().unwrap() {
        if kubelet["node"] == "k2" {
            kubelet["certificate"] = Value::Null;
            kubelet["failure"] = json!({"why": "unreachable", "detail": "no route to host"});
        }
    }
    let (report, _) = desk.report(&now, &["--baseline", "@earlier.json", "--only", "KD110"]);
    assert_eq!(report["checks"][0]["status"], "found");
    assert_eq!(with_state(&report, "new"), ["KD110/Node/k3"]);
    assert_eq!(report["baseline"]["fixed"], json!([]));
    assert_eq!(ids(&report["baseline"]["not_comparable"]), ["KD110/Node/k2"]);
}

#[test]
fn every_form_shows_what_has_changed() {
    let desk = Desk::new();
    desk.doctor(
        &cluster("incidents/cilium-gateway"),
        &["--output-file", "json=@earlier.json", "--skip", "KD606"],
    );
    let now = later(without_sight(cluster("kd701/two"), &["gateways"]), 24);
    let form =
        |form: &str| desk.doctor(&now, &["--baseline", "@earlier.json", "--no-redact", "-o", form]).out;
    let report: Value = serde_json::from_str(&form("json")).unwrap();
    let unseen = report["baseline"]["not_comparable"].as_array().unwrap().len();
    let fixed = report["baseline"]["fixed"].as_array().unwrap().len();
    assert_eq!(report["baseline"]["new"], 1);
    assert!(fixed > 0 && unseen > 0, "{}", report["baseline"]);
    let line = format!("1 new, {fixed} fixed, {unseen} not comparable.");
    for name in ["terminal", "markdown"] {
        let text = form(name).replace("\n  ", " ").replace('`', "");
        assert!(text.contains(&line) && text.contains("(24 h ago)"), "{name}: {text}");
        assert!(text.contains("(new) StorageClasses"), "{name}: {text}");
        for gone in report["baseline"]["fixed"].as_array().unwrap() {
            let object = &gone["subjects"][0];
            let name =
                format!("{}/{}", object["namespace"].as_str().unwrap(), object["name"].as_str().unwrap());
            assert!(text.contains(&name), "{name}: {text}");
        }
    }
    let page = form("html");
    assert!(page.contains(&line) && page.contains(">new</span>"), "{page}");
    for title in [">Fixed</h2>", ">Not comparable</h2>"] {
        assert!(page.contains(title), "{title}: {page}");
    }
    let metrics = crate::exposition::read(&form("prometheus")).unwrap();
    let of = |state: &str| {
        let found = metrics.iter().find(|s| s.name.ends_with("since_baseline") && s.labels["state"] == state);
        found.unwrap().value
    };
    assert_eq!((of("new"), of("fixed"), of("not_comparable")), (1.0, fixed as f64, unseen as f64));
}

/// The names of what has gone are in no fact of this run, so nothing could replace them.
#[test]
fn a_redacted_report_withholds_the_names_of_what_has_gone() {
    let desk = Desk::new();
    let (earlier, _) = desk.report(&cluster("kd110/agent"), &["--only", "KD110"]);
    let earlier = earlier.to_string().replace("/k3", "/jupiter-9").replace("\"k3\"", "\"jupiter-9\"");
    desk.write("earlier.json", &earlier);
    for form in ["markdown", "json", "terminal", "html", "prometheus"] {
        let args = ["--baseline", "@earlier.json", "--only", "KD110", "--redact", "-v", "-o", form];
        let out = desk.doctor(&cluster("healthy/hcm-only-3"), &args).out;
        assert!(!out.contains("jupiter"), "{form}: {out}");
        assert!(form == "prometheus" || out.contains("withheld"), "{form}: {out}");
    }
    let args = ["--baseline", "@earlier.json", "--only", "KD110"];
    assert!(desk.doctor(&cluster("healthy/hcm-only-3"), &args).out.contains("Node jupiter-9"));
}
