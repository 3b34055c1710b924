use kairos_doctor_checks::Severity;
use kairos_doctor_checks::engine::Report;
use serde_json::json;

use crate::report::html::render;
use crate::report::samples::{self, view};
use crate::report::{View, samples::report};
use crate::suppressions::{Hushed, Suppressed};

/// The wide drawing alone.
fn drawing(report: &Report) -> String {
    let html = render(report, &view(report, 80));
    let (_, rest) = html.split_once("<svg class=\"wide\"").expect("a drawing");
    rest.split_once("</svg>").expect("it ends").0.to_string()
}

/// The boxes of that class, each as far as its end.
fn parts<'a>(drawing: &'a str, class: &str) -> Vec<&'a str> {
    let start = format!("<g class=\"part {class}\">");
    drawing.split(start.as_str()).skip(1).map(|rest| rest.split_once("</g>").expect("it ends").0).collect()
}

#[test]
fn a_healthy_cluster_is_drawn_whole_and_without_signs() {
    let drawing = drawing(&samples::healthy());
    for name in ["internet", "edge-web", "edge/web", "k1", "k2", "k3"] {
        assert!(drawing.contains(&format!(">{name}</text>")), "{name} in {drawing}");
    }
    assert_eq!(parts(&drawing, "fine").len(), 2 + 3 + 3);
    assert!(!drawing.contains("class=\"mark"));
}

#[test]
fn what_is_broken_is_marked_and_linked() {
    let report = samples::pending_service();
    let html = render(&report, &view(&report, 80));
    let drawing = drawing(&report);
    let bad = parts(&drawing, "bad");
    assert!(bad.iter().any(|part| part.contains("edge/cilium-gatew")), "{bad:?}");
    assert!(bad[0].contains("<a href=\"#KD301-1\" class=\"tag bad here\">"), "{bad:?}");
    assert!(html.contains("<article class=\"finding bad\" id=\"KD301-1\""));
    // the load balancer is missing, and not unseen
    assert!(parts(&drawing, "absent")[0].contains(">no load balancer<"));
    assert!(drawing.contains("class=\"way bad\""));
}

#[test]
fn what_was_not_seen_is_never_drawn_as_well() {
    let drawing = drawing(&samples::blind());
    // the nodes are ready, but their servers and kubelets were out of sight
    assert_eq!(parts(&drawing, "unseen").len(), 1 + 3 + 3, "{drawing}");
    assert_eq!(parts(&drawing, "fine").len(), 0, "{drawing}");
    // the Service was seen, and nobody could judge it
    assert!(parts(&drawing, "partly")[0].contains(">2 checks did not look<"), "{drawing}");
    assert!(drawing.contains("class=\"mark unseen\""));
}

#[test]
fn a_cluster_out_of_reach_is_all_unseen() {
    let drawing = drawing(&samples::unreachable());
    assert_eq!(parts(&drawing, "fine").len(), 0);
    assert!(drawing.contains(">nodes</text>") && drawing.contains(">not seen</text>"));
}

#[test]
fn of_many_nodes_the_broken_stand_alone_and_the_rest_are_counted() {
    let certificates: Vec<usize> = (1..=200).map(|i| if i % 70 == 0 { i + 1 } else { i }).collect();
    let report = report(&samples::bundle(&certificates));
    let drawing = drawing(&report);
    for name in ["k70", "k140"] {
        assert!(drawing.contains(&format!(">{name}</text>")), "{drawing}");
    }
    // one is the load balancer's only target
    assert!(drawing.contains(">k1</text>") && drawing.contains(">197 more nodes</text>"), "{drawing}");
    assert_eq!(drawing.matches(">nothing found</text>").count(), 1);
    assert!(drawing.len() < 20_000, "{}", drawing.len());
}

#[test]
fn many_broken_nodes_are_counted_too_and_not_called_well() {
    let report = samples::kubelets(40);
    let drawing = drawing(&report);
    assert!(drawing.contains(">30 more nodes</text>"), "{drawing}");
    assert!(!drawing.contains(">nothing found</text>"));
    assert_eq!(drawing.matches("KD110</text>").count(), 2 * 11);
}

#[test]
fn a_finding_that_is_not_shown_leaves_no_clean_node() {
    let certificates: Vec<usize> = (1..=200).map(|i| if i == 70 { i + 1 } else { i }).collect();
    let mut report = report(&samples::bundle(&certificates));
    report.findings[0].effective = Severity::Info;
    let html = render(&report, &View { min_severity: Severity::Warning, ..view(&report, 80) });
    assert!(html.contains(">not all shown</text>"));
    assert!(html.contains(">198 more nodes</text>"));
}

#[test]
fn targets_are_drawn_as_hetzner_judges_them() {
    let mut bundle = samples::bundle(&[1, 2, 3]);
    let health = |id: usize, status: &str| {
        json!({"type": "server", "server": {"id": 4711880 + id},
            "health_status": [{"listen_port": 443, "status": status}]})
    };
    bundle["parts"]["hcloud.load_balancers"][0]["targets"] =
        json!([health(1, "healthy"), health(2, "unhealthy"), health(3, "unknown")]);
    let drawing = drawing(&report(&bundle));
    assert!(drawing.contains(">1 of 3 targets healthy</text>"), "{drawing}");
    assert_eq!(drawing.matches("class=\"way bad\"").count(), 1);
    assert_eq!(drawing.matches("class=\"way unseen\"").count(), 1);
}

#[test]
fn what_is_suppressed_leaves_no_clean_part() {
    let mut report = report(&samples::bundle(&[1, 2, 4]));
    let ranked = report.findings.remove(0);
    let whole = drawing(&report);
    let until = "2027-01-01".parse().unwrap();
    let hushed = Hushed { ranked, reason: "known".into(), until };
    let suppressed = Suppressed { findings: vec![hushed], ..Suppressed::default() };
    let html = render(&report, &View { suppressed, ..view(&report, 80) });
    assert!(!whole.contains("not all shown"));
    // the node and its kubelet, in both drawings
    assert_eq!(html.matches(">not all shown</text>").count(), 2 * 2);
}
