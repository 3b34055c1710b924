//! At the terminal: completion, the manual page, progress, `-v`.

use std::io::Write;
use std::process::{Command, Stdio};

use clap::CommandFactory;
use kairos_doctor::cli::Cli;
use kairos_doctor_checks::ALL;
use kairos_doctor_simulator::Options;

use super::{Cluster, bare, run};

/// What bash offers for the last of these words.
fn completed(words: &[&str]) -> Vec<String> {
    let script = run(bare(&["completions", "bash"])).out;
    let last = words.len() - 1;
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let ask = format!(
        "{script}\nCOMP_WORDS=({}); COMP_CWORD={last}; _kairos__doctor kairos-doctor '{}' '{}'; printf '%s\\n' \
         \"${{COMPREPLY[@]}}\"\n",
        quoted.join(" "),
        words[last],
        words[last - 1]
    );
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut bash = bash.spawn().expect("there is bash");
    bash.stdin.take().unwrap().write_all(ask.as_bytes()).unwrap();
    let out = bash.wait_with_output().unwrap();
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_string).collect()
}

#[test]
fn the_shell_completes_codes_slugs_areas_and_clusters() {
    let codes: Vec<&str> = ALL.iter().map(|c| c.code).filter(|code| code.starts_with("KD30")).collect();
    assert_eq!(completed(&["kairos-doctor", "--only", "KD30"]), codes);
    assert_eq!(completed(&["kairos-doctor", "check", "--skip", "KD30"]), codes);
    assert_eq!(completed(&["kairos-doctor", "explain", "KD30"]), codes);
    assert_eq!(
        completed(&["kairos-doctor", "explain", "kubelet-certificate-c"]),
        ["kubelet-certificate-covers-node-ip"]
    );
    assert_eq!(completed(&["kairos-doctor", "--only", "cloud-c"]), ["cloud-controller"]);
    assert_eq!(completed(&["kairos-doctor", "demo", "field"]), ["field-report"]);
    // what is completed is taken
    for name in ["KD301", "load-balancer-location", "cloud-controller"] {
        assert_eq!(run(bare(&["demo", "--only", name])).exit, 0, "{name}");
    }
    for shell in ["zsh", "fish"] {
        let script = run(bare(&["completions", shell])).out;
        assert!(
            ALL.iter().all(|check| script.contains(check.code) && script.contains(check.slug)),
            "{shell}"
        );
    }
    // the names would drown what the help says
    assert!(!run(bare(&["--help"])).out.contains("KD301"));
}

#[test]
fn the_manual_page_is_complete() {
    let page = run(bare(&["man"])).out.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "");
    let mut cli = Cli::command();
    cli.build();
    for command in std::iter::once(&cli).chain(cli.get_subcommands()) {
        assert!(page.contains(command.get_name()));
        for long in command.get_arguments().filter_map(|arg| arg.get_long()) {
            assert!(page.contains(&format!("--{long}")), "{} --{long}", command.get_name());
        }
    }
    for check in ALL {
        assert!(page.contains(check.code) && page.contains(check.slug), "{}", check.code);
    }
    let exit = page.split(".SH \"EXIT STATUS\"").nth(1).unwrap().split(".SH").next().unwrap();
    for status in ["0", "1", "2", "3"] {
        assert!(exit.lines().any(|line| line == status), "exit status {status} in {exit}");
    }
    // every variable that the program asks for is told of
    for name in variables() {
        assert!(page.contains(&name), "{name} is asked for, and the manual page does not say so");
    }
}

/// The names in the program's sources of the variables that it asks the environment for.
fn variables() -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.ends_with("tests.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let asks = ["var(\"", "var_os(\"", "var(&[\"", " env(\""];
            let asked = asks.iter().flat_map(|ask| text.match_indices(ask).map(|(at, ask)| at + ask.len()));
            names.extend(asked.filter_map(|at| text[at..].split('"').next()).map(str::to_string));
        }
    }
    names.retain(|name| !name.starts_with("CARGO_"));
    names.sort();
    names.dedup();
    assert!(names.iter().any(|name| name == "HCLOUD_TOKEN") && names.len() >= 10, "{names:?}");
    names
}

#[test]
fn what_was_read_and_how_long_it_took_is_told_when_asked_for() {
    let cluster = Cluster::of("healthy/hcm-cilium-3", Options::default());
    let told = cluster.doctor(&["-v"]);
    assert_eq!(told.exit, 0, "{}", told.err);
    let read = told.out.lines().skip_while(|line| !line.starts_with("read ")).collect::<Vec<_>>().join(" ");
    assert!(read.contains(" requests, ") && read.contains("kB, "), "{read}");
    for list in ["nodes 3 (", "hcloud.servers 3 ("] {
        assert!(read.contains(list), "{list} in {read}");
    }
    assert!(read.contains("none of "), "{read}");
    assert!(!cluster.doctor(&[]).out.contains("requests"));
}

#[test]
fn progress_is_seen_on_a_terminal_and_gone_when_done() {
    let cluster = Cluster::of("healthy/hcm-cilium-3", Options::default());
    // nothing of it in a pipe, whether it is a job's or not
    assert_eq!(cluster.doctor_with(&[], &[("CI", "")]).err, "");
    // `script` of util-linux gives the program a terminal
    let on_a_terminal = |ci: bool| {
        let doctor = cluster.command(&[]);
        let mut command = Command::new("script");
        command.args(["-qec", env!("CARGO_BIN_EXE_kairos-doctor"), "/dev/null"]).stdin(Stdio::null());
        command.env_clear().envs(doctor.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("TERM", "xterm");
        if !ci {
            command.env_remove("CI");
        }
        run(command)
    };
    let shown = on_a_terminal(false);
    assert_eq!(shown.exit, 0, "{}", shown.out);
    let pieces: Vec<&str> = shown.out.split("\r\u{1b}[2K").collect();
    let (last, before) = pieces.split_last().unwrap();
    for what in ["Kubernetes ", "Hetzner ", "kubelets ", "(3 nodes)"] {
        assert!(
            before.iter().any(|line| line.starts_with("reading: ") && line.contains(what)),
            "{what}: {before:?}"
        );
    }
    assert!(
        before[1..].iter().all(|line| line.starts_with("reading: ") && !line.contains('\n')),
        "{before:?}"
    );
    assert!(last.contains("nothing found") && !last.contains("reading"), "{last}");
    assert!(!on_a_terminal(true).out.contains("reading"));
}
