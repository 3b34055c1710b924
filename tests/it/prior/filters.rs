//! Whatever is filtered, every form shows the same findings.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Desk, cluster};
use crate::exposition;

#[test]
fn filters_act_alike_in_every_form() {
    let desk = Desk::new();
    let broken = cluster("incidents/field-report");
    desk.doctor(&cluster("incidents/cilium-gateway"), &["--output-file", "json=@earlier.json"]);
    let accepted = "suppressions:\n  - {check: KD301, object: Service/edge/cilium-gateway-web, reason: r, until: 2099-01-01}\n  \
                    - {check: KD603, object: HTTPRoute/edge/site, reason: r, until: 2099-01-01}\n";
    desk.write("accepted.yaml", accepted);
    let mut counts = BTreeSet::new();
    for args in [
        &[][..],
        &["--only", "load-balancers,KD601"],
        &["--skip", "load-balancers,gateway"],
        &["--min-severity", "error"],
        &["--min-severity", "critical"],
        &["--suppressions", "@accepted.yaml"],
        &["--baseline", "@earlier.json"],
        &[
            "--skip",
            "KD203",
            "--min-severity",
            "warning",
            "--suppressions",
            "@accepted.yaml",
            "--baseline",
            "@earlier.json",
        ],
    ] {
        let form =
            |form: &str| desk.doctor(&broken, &[args, &["--no-redact", "-v", "-o", form]].concat()).out;
        let report: Value = serde_json::from_str(&form("json")).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let mut codes: Vec<&str> = findings.iter().map(|f| f["code"].as_str().unwrap()).collect();
        codes.sort();
        counts.insert(codes.len());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let objects: BTreeSet<[String; 4]> = findings
            .iter()
            .map(|f| {
                let subject = &f["subjects"][0];
                [&f["code"], &subject["kind"], &subject["namespace"], &subject["name"]].map(text)
            })
            .collect();
        assert_eq!(of_markdown(&form("markdown")), codes, "{args:?}");
        assert_eq!(of_metrics(&form("prometheus")), objects, "{args:?}");
        let unique: BTreeSet<String> = codes.iter().map(|code| code.to_string()).collect();
        assert_eq!(of_terminal(&form("terminal")), unique, "{args:?}");
        assert_eq!(of_page(&form("html")), unique, "{args:?}");
    }
    assert!(counts.len() >= 5, "the filters differ: {counts:?}");
}

/// The codes in the table of findings.
fn of_markdown(text: &str) -> Vec<String> {
    let rows = text.lines().skip_while(|l| !l.starts_with("| code | severity ")).skip(2);
    let code = |row: &str| row.trim_start_matches(['|', ' ', '↳']).split(' ').next().unwrap().to_string();
    let mut codes: Vec<String> = rows.take_while(|l| l.starts_with('|')).map(code).collect();
    codes.sort();
    codes
}

fn of_metrics(text: &str) -> BTreeSet<[String; 4]> {
    let samples = exposition::read(text).unwrap();
    let of = |s: exposition::Sample| {
        ["code", "kind", "namespace", "name"].map(|l| s.labels.get(l).cloned().unwrap_or_default())
    };
    samples.into_iter().filter(|s| s.name == "kairos_doctor_finding").map(of).collect()
}

/// The codes of what has a place of its own in the page: `id="KD301-1"`.
fn of_page(text: &str) -> BTreeSet<String> {
    let places = text.split("id=\"KD").skip(1).filter_map(|rest| rest.split_once('"'));
    let places = places.filter_map(|(place, _)| place.split_once('-'));
    places.filter(|(_, rank)| rank.parse::<usize>().is_ok()).map(|(code, _)| format!("KD{code}")).collect()
}

/// The codes of headlines and of what they explain: on the screen findings that are alike are told together.
fn of_terminal(text: &str) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    let mut beneath = false;
    for line in text.lines() {
        let head = ["critical[", "error[", "warning[", "info["].iter().find_map(|s| line.strip_prefix(s));
        codes.extend(head.and_then(|rest| rest.split_once(']')).map(|(code, _)| code.to_string()));
        beneath = line.starts_with("  explains") || (beneath && line.starts_with("            "));
        let row = line.get(12..).filter(|row| beneath && row.starts_with("KD"));
        codes.extend(row.and_then(|row| row.split_once(' ')).map(|(code, _)| code.to_string()));
    }
    codes
}
