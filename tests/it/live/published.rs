//! What leaves the machine of who ran it: reports and recordings under pseudonyms, and what is said beside them.

use std::io::Read;

use kairos_doctor_simulator::Options;
use serde_json::Value;

use super::{Cluster, codes, drawn};

/// The same codes on the same subjects in the same order, and none of the names.
#[test]
fn a_redacted_recording_tells_the_same_story_without_the_names() {
    let cluster = Cluster::of("incidents/field-report", Options::default());
    let (plain, path) = cluster.collected(&[]);
    let open = cluster.doctor(&["--from", path.to_str().unwrap(), "-o", "json"]).json();
    let hidden_path = cluster.file("hidden.json.gz");
    let collected = cluster.doctor(&["collect", "-v", "-o", hidden_path.to_str().unwrap()]);
    assert!(collected.err.contains("replaced by pseudonyms: ") && collected.exit == 0, "{}", collected.err);
    let hidden = cluster.doctor(&["--from", hidden_path.to_str().unwrap(), "-o", "json"]).json();
    let shape = |report: &Value| -> Vec<String> {
        drawn(report).iter().map(|line| line.split('/').take(2).collect::<Vec<_>>().join("/")).collect()
    };
    assert_eq!(shape(&hidden), shape(&open));
    assert_eq!(codes(&hidden, "healthy"), codes(&open, "healthy"));
    let machines = hidden["redacted"]["counts"]["machines"].as_u64();
    assert_eq!((&open["redacted"], machines), (&Value::Null, Some(3)));

    // Who was given the recording sees the names that its sender published.
    let of = |args: &[&str]| cluster.doctor(args).out;
    let theirs = of(&["--from", hidden_path.to_str().unwrap(), "-o", "markdown"]);
    let ours = of(&["-o", "markdown"]);
    let rows = |text: &str| text.lines().filter(|l| l.starts_with("| ↳") || l.starts_with("| KD")).count();
    let told = |text: &str| {
        text.lines().filter(|l| l.contains(" | confirmed |")).map(str::to_string).collect::<Vec<_>>()
    };
    assert!(rows(&ours) > 10);
    assert_eq!(told(&theirs), told(&ours));

    let packed = std::fs::read(&hidden_path).unwrap();
    let mut recording = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut recording).unwrap();
    assert!(recording.contains("\"replaced\"") && recording.contains("\"recorded_by\""));
    let published = [
        ("recording", recording),
        ("what collect says", collected.err.replace(hidden_path.to_str().unwrap(), "")),
        ("markdown", ours),
        ("json", of(&["-o", "json", "--redact"])),
        ("terminal", of(&["-v", "--redact"])),
    ];
    let names = names_of(&plain);
    assert!(names.len() > 20, "{names:?}");
    for (form, text) in published {
        for name in &names {
            let part = |c: char| c.is_alphanumeric();
            let whole = |(at, _): (usize, &str)| {
                !text[..at].ends_with(part) && !text[at + name.len()..].starts_with(part)
            };
            assert!(!text.match_indices(name.as_str()).any(whole), "{name} in {form}");
        }
    }
}

fn names_of(bundle: &Value) -> Vec<String> {
    let mut names = vec!["example.com".to_string(), "example.org".to_string()];
    let parts = [
        "nodes",
        "services",
        "hcloud.servers",
        "hcloud.load_balancers",
        "hcloud.networks",
        "hcloud.firewalls",
    ];
    for part in parts {
        for item in bundle["parts"][part].as_array().unwrap() {
            names.extend(item["metadata"]["uid"].as_str().map(str::to_string));
            names.extend(item["id"].as_i64().map(|id| id.to_string()));
            names.extend(item["metadata"]["name"].as_str().filter(|_| part == "nodes").map(str::to_string));
        }
    }
    names
}

/// 3 as in a report: what is there is recorded, and something is not.
#[test]
fn a_recording_that_lacks_something_is_written_and_says_so() {
    let cluster = Cluster::of("healthy/hcm-only-1", Options::default());
    let path = cluster.file("part.json");
    let (file, vars) = (path.to_str().unwrap(), [("HCLOUD_TOKEN", "")]);
    let run = cluster.doctor_with(&["collect", "-o", file], &vars);
    assert!(run.exit == 3 && run.err.contains("not recorded: hcloud.servers"), "{} {}", run.exit, run.err);
    assert_eq!(cluster.doctor(&["check", "--from", file]).exit, 3);
    let run = cluster.doctor_with(&["collect", "-o", file, "--no-hetzner"], &vars);
    assert!(run.exit == 0 && !run.err.contains("not recorded"), "on purpose: {}", run.err);
}

/// The facts are given up for the first form that hides names; what comes after it is as if it had come alone.
#[test]
fn what_one_form_hides_the_next_one_shows() {
    let cluster = Cluster::of("incidents/field-report", Options::default());
    let (_, path) = cluster.collected(&[]);
    let from = ["--from", path.to_str().unwrap()];
    let alone = |form: &str| cluster.doctor(&[&from[..], &["-o", form]].concat()).out;
    let first = alone("json");
    let baseline = cluster.file("baseline.json");
    std::fs::write(&baseline, &first).unwrap();
    let (markdown, json) = (cluster.file("a.md"), cluster.file("b.json"));
    let named = [format!("markdown={}", markdown.display()), format!("json={}", json.display())];
    let both = ["--output-file", &named[0], "--output-file", &named[1], "-o", "terminal"];
    let read = |path| std::fs::read_to_string(path).unwrap();

    let out = cluster.doctor(&[&from[..], &both].concat()).out;
    assert_eq!((read(&markdown), read(&json), out), (alone("markdown"), first, alone("terminal")));

    // Beside an earlier report as well, which names what it was about.
    let before = ["--baseline", baseline.to_str().unwrap()];
    let out = cluster.doctor(&[&from[..], &before, &both].concat()).out;
    let alone = |form: &str| cluster.doctor(&[&from[..], &before, &["-o", form]].concat()).out;
    assert_eq!((read(&markdown), read(&json), out), (alone("markdown"), alone("json"), alone("terminal")));
}

/// Each form follows its own rule, whatever else is asked for.
#[test]
fn a_form_is_redacted_or_not_by_itself() {
    let cluster = Cluster::of("healthy/hcm-only-1", Options::default());
    let files = ["terminal", "json", "markdown"].map(|form| (form, cluster.file(form)));
    let named: Vec<String> = files.iter().map(|(form, path)| format!("{form}={}", path.display())).collect();
    for (options, redacted) in [
        (&[][..], &["markdown"][..]),
        (&["--redact"], &["terminal", "json", "markdown"]),
        (&["--no-redact"], &[]),
    ] {
        for output in ["terminal", "json", "markdown"] {
            let mut args = vec!["-o", output];
            named.iter().for_each(|named| args.extend(["--output-file", named]));
            args.extend(options);
            let run = cluster.doctor(&args);
            let texts = files.iter().map(|(form, path)| (*form, std::fs::read_to_string(path).unwrap()));
            for (form, text) in texts.chain([(output, run.out.clone())]) {
                let hides = text.contains("seudonyms ") || text.contains("\"redacted\"");
                assert_eq!(hides, redacted.contains(&form), "{form} with {options:?} beside -o {output}");
            }
        }
    }
}
