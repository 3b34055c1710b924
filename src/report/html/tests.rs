use kairos_doctor_checks::Severity;
use kairos_doctor_checks::engine::Report;
use kairos_doctor_checks::facts::Replaced;

use super::render;
use crate::report::View;
use crate::report::samples::{self, view};

fn html(report: &Report) -> String {
    render(report, &view(report, 80))
}

/// The page without the stylesheet, which is looked at in a browser.
fn snapshot(name: &str, report: &Report) {
    let html = html(report);
    let (start, rest) = html.split_once("<style>\n").expect("a stylesheet");
    let (_, end) = rest.split_once("</style>\n").expect("it ends");
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(format!("html_{name}"), format!("{start}{end}"));
    });
}

#[test]
fn snapshots() {
    snapshot("pending_service", &samples::pending_service());
    snapshot("mixed", &samples::mixed());
    snapshot("blind", &samples::blind());
    snapshot("healthy", &samples::healthy());
}

#[test]
fn a_reader_is_told_whether_names_are_real() {
    let report = samples::healthy();
    assert!(html(&report).contains("<strong>Real names</strong>"));
    let replaced = Replaced { naming: "0a1b".into(), counts: [("addresses".into(), 2)].into() };
    let view = View { replaced: Some(replaced), ..view(&report, 80) };
    let page = render(&report, &view);
    assert!(page.contains("<strong>Pseudonyms</strong> stand for 2 IP addresses, in commands too."));
    assert!(!page.contains("Real names"));
}

#[test]
fn the_first_to_fix_comes_before_everything_else() {
    let page = html(&samples::mixed());
    let at = |what: &str| page.find(what).unwrap_or_else(|| panic!("no {what}"));
    assert!(at("Fix this first") < at("tells it the network"));
    // the hazard stands above its command, and the proof below
    assert!(at("restarts the controller") < at("apply -f -"));
    assert!(at("apply -f -") < at(">Because<"));
    assert!(at(">Because<") < at("Everything found"));
}

#[test]
fn with_nothing_found_what_was_not_seen_comes_first() {
    let page = html(&samples::blind());
    let at = |what: &str| page.find(what).unwrap_or_else(|| panic!("no {what}"));
    assert!(at(">Not seen<") < at(">All checks<"));
    assert!(page.contains("<h1 class=\"unseen\">"));
    assert!(!page.contains("Fix this first"));
}

#[test]
fn quiet_verbose_and_filtered_as_elsewhere() {
    let report = samples::mixed();
    let quiet = render(&report, &View { quiet: true, ..view(&report, 80) });
    assert!(quiet.contains("the cloud controller is not told its network"));
    assert!(!quiet.contains("<pre") && !quiet.contains("All checks"));
    let verbose = render(&report, &View { verbose: true, ..view(&report, 80) });
    assert!(
        verbose.matches("<article class=\"finding").count()
            > html(&report).matches("<article class=\"finding").count()
    );
    let filtered = render(&report, &View { min_severity: Severity::Error, ..view(&report, 80) });
    assert!(!filtered.contains("kube-proxy still runs"));
    assert!(filtered.contains("3 below error not shown"));
}
