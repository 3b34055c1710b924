use kairos_doctor_checks::Severity;
use kairos_doctor_checks::engine::Report;
use unicode_width::UnicodeWidthStr;

use super::render;
use crate::report::samples::{self, view};
use crate::report::{Listed, Reads, View};

const WIDTHS: [usize; 4] = [60, 80, 100, 140];

fn snapshots(name: &str, report: &Report) {
    for width in WIDTHS {
        insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(format!("terminal_{name}_{width}"), render(report, &view(report, width)));
        });
    }
}

#[test]
fn pending_service() {
    snapshots("pending_service", &samples::pending_service());
}

#[test]
fn unhealthy_targets() {
    snapshots("targets", &samples::targets());
}

#[test]
fn many_kubelets() {
    snapshots("kubelets_40", &samples::kubelets(40));
}

#[test]
fn an_etcd_member_among_kubelets() {
    snapshots("kubelets_etcd", &samples::kubelets_with_etcd(3));
}

#[test]
fn unreachable() {
    snapshots("unreachable", &samples::unreachable());
}

#[test]
fn blind() {
    snapshots("blind", &samples::blind());
}

#[test]
fn healthy() {
    snapshots("healthy", &samples::healthy());
}

#[test]
fn left_out() {
    snapshots("left_out", &samples::left_out());
}

#[test]
fn every_part() {
    snapshots("mixed", &samples::mixed());
}

#[test]
fn quiet_and_verbose() {
    let report = samples::mixed();
    let listed = |need, objects, seconds| Listed { need, objects, seconds };
    let lists = vec![
        listed("nodes", Some(3), 0.04),
        listed("pods", Some(1204), 0.811),
        listed("jobs", Some(0), 0.02),
        listed("events", None, 0.5),
        listed("hcloud.zones", Some(0), 0.1),
    ];
    let reads = Some(Reads { requests: 21, bytes: 184_320, seconds: 1.24, log: Vec::new(), lists });
    let text = render(&report, &View { quiet: true, ..view(&report, 80) });
    let verbose = render(&report, &View { verbose: true, reads, ..view(&report, 80) });
    let filtered =
        render(&report, &View { min_severity: Severity::Warning, quiet: true, ..view(&report, 80) });
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("terminal_quiet", text);
        insta::assert_snapshot!("terminal_verbose", verbose);
        insta::assert_snapshot!("terminal_filtered", filtered);
    });
}

fn all() -> Vec<Report> {
    vec![
        samples::pending_service(),
        samples::targets(),
        samples::kubelets(40),
        samples::kubelets_with_etcd(3),
        samples::unreachable(),
        samples::blind(),
        samples::healthy(),
        samples::left_out(),
        samples::mixed(),
    ]
}

/// Lines that are copied are as wide as their longest word; everything else keeps the width.
fn copied(line: &str) -> bool {
    line.starts_with("    ") && !line.starts_with("            ") || !line.starts_with(' ')
}

#[test]
fn lines_keep_the_width_and_have_no_trailing_space() {
    for report in all() {
        for width in (48..=160).step_by(7) {
            for verbose in [false, true] {
                let text = render(&report, &View { verbose, ..view(&report, width) });
                for line in text.lines() {
                    assert_eq!(line, line.trim_end(), "{text}");
                    let fits = line.width() <= width;
                    let unbreakable = copied(line) && line.trim().split(' ').count() <= 6;
                    assert!(fits || unbreakable, "{} > {width}: {line}\n{text}", line.width());
                }
            }
        }
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    for report in all() {
        let plain = render(&report, &view(&report, 80));
        let coloured = render(&report, &View { colour: true, ..view(&report, 80) });
        assert!(!plain.contains('\u{1b}'));
        let mut stripped = String::new();
        let mut rest = coloured.as_str();
        while let Some(start) = rest.find("\u{1b}[") {
            stripped.push_str(&rest[..start]);
            let end = start + rest[start..].find('m').expect("an SGR sequence ends");
            let codes = &rest[start + 2..end];
            assert!(codes.bytes().all(|b| b.is_ascii_digit() || b == b';'), "{codes}");
            rest = &rest[end + 1..];
        }
        stripped.push_str(rest);
        assert_eq!(stripped, plain);
    }
}

#[test]
fn hostile_names_stay_in_their_line() {
    let bundle = samples::pending_service_bundle();
    let calm = samples::renamed(&bundle, "cilium-gateway-web", "cilium-gateway-xxxx");
    let lines = |report: &Report| render(report, &view(report, 120)).lines().count();
    for name in ["\u{1b}[31mred\u{1b}[0m", "a\nb", "a\r\u{7}b", "\u{202e}abc", "x\u{2028}y", "\u{9b}31m"] {
        let report = samples::renamed(&bundle, "cilium-gateway-web", &format!("cilium-gateway-{name}"));
        let text = render(&report, &view(&report, 120));
        let bad = |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{2028}\u{2029}".contains(c));
        assert!(!text.contains(bad), "{text:?}");
        assert!(lines(&report).abs_diff(lines(&calm)) <= 3, "{text}");
    }
}
