use kairos_doctor_checks::engine::{Hidden, Report};
use kairos_doctor_checks::facts::{Gap, Replaced, Why};
use kairos_doctor_checks::{Act, Changes, Evidence, ObjectRef, Step};
use proptest::prelude::*;

use super::gfm::{self, Read};
use super::{LONGEST, render};
use crate::report::View;
use crate::report::samples::{self, view};

fn text(report: &Report) -> String {
    render(report, &view(report, 80))
}

/// That many findings, each of its own and with evidence.
fn many(count: usize) -> Report {
    let mut report = samples::many(count);
    for ranked in &mut report.findings {
        let value = Some("a value that takes a while to be read".into());
        let source = ranked.finding.subject.clone();
        ranked.finding.evidence.push(Evidence { source, path: "spec.thing".into(), value, time: None });
    }
    report
}

fn snapshot(name: &str, report: &Report) {
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(format!("markdown_{name}"), text(report));
    });
}

#[test]
fn snapshots() {
    snapshot("pending_service", &samples::pending_service());
    snapshot("mixed", &samples::mixed());
    snapshot("blind", &samples::blind());
    snapshot("healthy", &samples::healthy());
    snapshot("kubelets_40", &samples::kubelets(40));
}

/// The report as GitHub reads it. Nothing in it is an element that was not meant, acts, or is cut in the middle.
fn read(text: &str) -> Read {
    let read = gfm::read(text);
    assert!(read.unmeant.is_empty(), "{:?} in\n{text}", read.unmeant);
    assert_eq!(gfm::acts(&read.text), None, "{text}");
    let count = |name: &str| read.elements.iter().filter(|e| *e == name).count();
    for tag in ["details", "summary", "b"] {
        assert_eq!(count(tag), count(&format!("/{tag}")), "{tag} in\n{text}");
    }
    // an open fence or tag would swallow the end
    assert_eq!(read.elements.last().map(String::as_str), Some("/details"), "{text}");
    assert!(text.chars().count() <= LONGEST, "{} characters", text.chars().count());
    read
}

#[test]
fn a_reader_is_told_what_is_a_pseudonym() {
    let report = samples::healthy();
    let replaced = Replaced { naming: "0a1b".into(), counts: [("addresses".into(), 2)].into() };
    let view = View { replaced: Some(replaced), ..view(&report, 80) };
    let said = "\nPseudonyms (naming `0a1b`) stand for 2 IP addresses, in commands too. ";
    assert!(render(&report, &view).contains(said));
    assert!(!text(&report).contains("seudonym"));
}

const HOSTILE: [&str; 24] = [
    "@octocat",
    "@org/team",
    "#1",
    "a/b#2",
    "GH-3",
    "https://evil.example/x",
    "www.evil.example",
    "mail@evil.example",
    "xmpp:a@evil.example",
    "0123456789abcdef0123456789abcdef01234567",
    ":smile:",
    "<img src=x>",
    "</details>",
    "<!--",
    "](http://x) [a",
    "`code`",
    "``` x",
    "**bold** _it_",
    "| a | b |",
    "a\n\n# heading",
    "-->",
    "\\",
    "$x^2$",
    "[^1]",
];

#[test]
fn hostile_names_make_no_element() {
    let bundle = samples::pending_service_bundle();
    let calm = read(&text(&samples::renamed(&bundle, "cilium-gateway-web", "cilium-gateway-x"))).elements;
    for hostile in HOSTILE {
        let name = format!("cilium-gateway-{hostile}");
        let text = text(&samples::renamed(&bundle, "cilium-gateway-web", &name));
        let seen = read(&text);
        assert_eq!(seen.elements, calm, "{hostile}\n{text}");
        assert!(!seen.text.contains("evil"), "{hostile}: {}", seen.text);
    }
}

/// What the scanner finds, it finds: otherwise the tests above would say nothing.
#[test]
fn what_github_acts_on_is_seen_by_this_reader() {
    for acts in ["see @octocat", "o/r#12 ", "(#12)", "gh-12", "at deadbeef1", ":smile: x", "http://x"] {
        assert!(gfm::acts(acts).is_some(), "{acts}");
    }
    assert_eq!(gfm::acts("a sentence, 12 d left: k1 (4 more)"), None);
    for unmeant in [
        "www.evil.example",
        "a@evil.example",
        "https://evil.example",
        "[a](b)",
        "<img src=x>",
        "- [ ] x",
        "***",
        "~~a~~",
    ] {
        assert!(!gfm::read(&format!("x\n\n{unmeant}\n")).unmeant.is_empty(), "{unmeant}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_name_makes_an_element(hostile in "([ -~]{1,14}|[`|<>@#*_\\[\\]()!:/ a1.-]{1,14})", folded in any::<bool>()) {
        let mut report = samples::mixed();
        let calm = read(&text(&report)).elements;
        let at = if folded { report.findings.len() - 1 } else { 0 };
        let finding = &mut report.findings[at].finding;
        finding.says = format!("{} {hostile} and {hostile}", finding.says);
        finding.because = finding.because.take().map(|b| format!("{hostile} {b}"));
        for step in &mut finding.steps {
            step.why = format!("{hostile} {}", step.why);
            step.hazard = step.hazard.take().map(|h| format!("{hostile} {h}"));
        }
        for evidence in &mut finding.evidence {
            evidence.value = evidence.value.take().map(|_| hostile.as_str().into());
        }
        let text = text(&report);
        let seen = read(&text);
        prop_assert_eq!(seen.elements, calm, "{}", text);
        prop_assert!(!seen.text.contains(['@', '<', '#', '`', '[', '*', '_', '|']), "{}", seen.text);
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]
    /// However much there is, and of whatever kind: it fits, nothing is cut in the middle, and what is left out is counted.
    #[test]
    fn every_report_fits_and_is_whole(
        findings in 0usize..160,
        evidence in 0usize..24,
        steps in 0usize..20,
        width in prop_oneof![Just(10usize), Just(900), Just(4000)],
        gaps in 0usize..200,
        hostile in "[`|<>@#*_a1é😀 -]{1,12}",
    ) {
        let mut report = samples::many(findings);
        let long = |n: usize| hostile.repeat(n.div_ceil(hostile.chars().count()));
        for (i, ranked) in report.findings.iter_mut().enumerate() {
            let finding = &mut ranked.finding;
            // only some are large
            let much = if i % 7 == 0 { 1 } else { 7 };
            for n in 0..evidence / much {
                finding.evidence.push(Evidence {
                    source: ObjectRef::new("Node", None, &format!("n{n}{hostile}")),
                    path: format!("status.{hostile}"),
                    value: Some(long(width / much).as_str().into()),
                    time: None,
                });
            }
            for n in 0..steps / much {
                let argv = vec!["kubectl".to_string(), "get".into(), long(width / much), format!("{n}")];
                let step = if n % 3 == 0 { Act::Decide } else { Act::Run(argv) };
                finding.steps.push(Step { act: step, changes: Changes::Cluster, hazard: Some(long(width / 9)), ..Step::decide(long(width / 9)) });
            }
        }
        for n in 0..gaps {
            let why = Why::ALL[n % Why::ALL.len()];
            let need = ["nodes", "hcloud.servers", "kubelets"][n % 3];
            let gap = Gap::new(need, why, format!("{n} {}", long(300))).of(format!("k{n}{hostile}"));
            report.gaps.push(Hidden { gap, hides: vec!["KD110"; 1 + n % 4] });
        }
        for checked in &mut report.checks {
            checked.detail = long(width);
        }
        let text = text(&report);
        read(&text);
        let rows = text.lines().filter(|line| line.starts_with("| KD900 | error")).count();
        if rows < findings {
            let said = if findings - rows == 1 { "1 row of the table".to_string() } else { format!("{} rows of the table", findings - rows) };
            prop_assert!(text.contains(&said), "{}", said);
        }
    }
}

#[test]
fn what_does_not_fit_goes_in_the_stated_order() {
    let counts = |text: &str| {
        let count = |what: &str| text.matches(what).count();
        (count("\n| KD900 | error"), count("<summary><b>KD900"), count("#### KD900"), count("**Because**"))
    };
    let few = text(&many(20));
    assert!(!few.contains("**Left out**"));
    let (rows, folded, open, because) = counts(&few);
    assert_eq!((rows, folded, open, because), (20, 17, 3, 20));
    for count in [200, 400, 2000] {
        let long = text(&many(count));
        read(&long);
        let (rows, folded, open, because) = counts(&long);
        let all = format!("{count}: {rows} rows, {folded} folded, {open} open, {because} with evidence");
        assert!(rows >= 100 && open == 3 && because >= 3, "{all}");
        assert!(
            rows == 100 || because == 3 + folded,
            "rows after the hundredth go before any evidence: {all}"
        );
        assert!(because == 3 || folded == count - 3, "evidence goes before what is told: {all}");
        assert!(long.contains(&format!("{} rows of the table", count - rows)) || rows == count, "{count}");
        assert!(long.contains("`-o json` has all"), "{count}");
        assert!(long.chars().count() > LONGEST / 2, "{count}: {}", long.chars().count());
    }
}

#[test]
fn a_giant_command_is_named_and_not_cut() {
    let mut report = samples::pending_service();
    let names: Vec<String> = (0..5000).map(|n| format!("k{n}")).collect();
    report.findings[0].finding.steps[0].act = Act::Run([vec!["kubectl".to_string()], names].concat());
    let text = text(&report);
    read(&text);
    assert!(text.contains("characters, too many for here: `-o json` has them)"), "{text}");
}

#[test]
fn the_mark_is_the_clusters_and_not_its_name() {
    let report = samples::healthy();
    let first = |report: &Report, view: &View| render(report, view).lines().next().unwrap().to_string();
    let mark = first(&report, &view(&report, 80));
    assert!(mark.starts_with("<!-- kairos-doctor: report/v1 ") && mark.len() == 50, "{mark}");
    let pending = samples::pending_service();
    assert_eq!(first(&pending, &view(&pending, 80)), mark);
    let other = samples::renamed(&samples::bundle(&[1]), "5a1b8c1e", "6a1b8c1e");
    assert_ne!(first(&other, &view(&other, 80)), mark);
    assert!(!mark.contains("5a1b8c1e"));

    // The same under pseudonyms, where the report does not know the UID.
    let mut hidden = report.clone();
    hidden.cluster.uid = hidden.cluster.uid.map(|uid| crate::redact::cluster_pseudonym(&uid).into());
    let redacted = View { replaced: Some(Replaced::default()), ..view(&hidden, 80) };
    assert_eq!(first(&hidden, &redacted), mark);

    let mut blind = report.clone();
    blind.cluster.uid = None;
    assert_eq!(first(&blind, &view(&blind, 80)), "<!-- kairos-doctor: report/v1 unknown -->");
}
