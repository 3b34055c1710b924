//! The units: what systemd takes, and what they start.

use std::path::{Path, PathBuf};
use std::process::Command;

use kairos_doctor_simulator::Options;

use super::{path, skipped, text};
use crate::live::{Cluster, bare, run};

const UNITS: [&str; 3] =
    ["systemd/kairos-doctor.service", "systemd/kairos-doctor.timer", "kairos/kairos-doctor-install.service"];

/// Each unit, and above how much exposure (0 to 100) it is too open: the doctor has to reach the network, and nothing else;
/// what fetches it runs as root, because it writes to `/usr/local`.
const EXPOSED: [(&str, u32); 2] =
    [("systemd/kairos-doctor.service", 15), ("kairos/kairos-doctor-install.service", 40)];

/// systemd's own judge, in a version that judges files.
fn analyze(test: &str) -> Option<Command> {
    let version = Command::new("systemd-analyze").arg("--version").output().ok();
    let version = version.and_then(|o| String::from_utf8(o.stdout).ok()).unwrap_or_default();
    let number = version.split_whitespace().nth(1).and_then(|n| n.parse::<u32>().ok());
    match number {
        Some(250..) => Some(Command::new("systemd-analyze")),
        Some(old) => {
            skipped(test, &format!("systemd-analyze {old} judges no files, 250 does"));
            None
        }
        None => {
            skipped(test, "there is no systemd-analyze");
            None
        }
    }
}

/// The unit with everything that it starts where this machine has it, so that what is missing is not what is judged.
fn here(folder: &Path, unit: &str) -> PathBuf {
    let installed = text(unit)
        .replace("/usr/local/bin/kairos-doctor", env!("CARGO_BIN_EXE_kairos-doctor"))
        .replace("/usr/local/lib/kairos-doctor/install", path("kairos/install").to_str().unwrap());
    let to = folder.join(Path::new(unit).file_name().unwrap());
    std::fs::write(&to, installed).unwrap();
    to
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let Some(mut analyze) = analyze("systemd::systemd_finds_nothing_wrong_with_the_units") else { return };
    let folder = tempfile::tempdir().unwrap();
    let units: Vec<PathBuf> = UNITS.iter().map(|unit| here(folder.path(), unit)).collect();
    for (unit, from) in [
        ("hetzner.conf", "systemd/hetzner.conf"),
        ("textfile.conf", "systemd/textfile.conf"),
        ("10-install.conf", "kairos/10-install.conf"),
    ] {
        let beside = folder.path().join("kairos-doctor.service.d");
        std::fs::create_dir_all(&beside).unwrap();
        std::fs::write(beside.join(unit), text(from)).unwrap();
    }
    let judged = analyze.args(["verify", "--man=no"]).args(&units).output().unwrap();
    let said = String::from_utf8_lossy(&judged.stderr);
    // of other units of this machine it may have something to say
    let ours: Vec<&str> = said
        .lines()
        .filter(|line| {
            line.contains("kairos-doctor")
                || line.contains("hetzner.conf")
                || line.contains("10-install.conf")
                || line.contains("textfile.conf")
        })
        .collect();
    assert_eq!(ours, [""; 0], "{said}");
}

#[test]
fn a_unit_has_no_way_that_it_does_not_need() {
    let test = "systemd::a_unit_has_no_way_that_it_does_not_need";
    for (unit, most) in EXPOSED {
        let Some(mut analyze) = analyze(test) else { return };
        analyze.args(["security", "--offline=true", "--no-pager", &format!("--threshold={most}")]);
        let judged = analyze.arg(path(unit)).output().unwrap();
        assert!(judged.status.success(), "{unit}\n{}", String::from_utf8_lossy(&judged.stdout));
    }
}

/// The words of the unit's command after systemd has put its own values in.
fn command(values: &[(&str, &str)]) -> Vec<String> {
    let unit = text("systemd/kairos-doctor.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("it starts something");
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        // `$NAME` becomes as many words as there are in it, `${NAME}` is part of its word
        if let Some((_, value)) = values.iter().find(|(name, _)| word == format!("${name}")) {
            words.extend(value.split_whitespace().map(String::from));
            continue;
        }
        let braced =
            |word: String, (name, value): &(&str, &str)| word.replace(&format!("${{{name}}}"), value);
        let word = values.iter().fold(word.to_string(), braced);
        assert!(!word.contains('$'), "nobody sets {word}");
        words.push(word);
    }
    assert_eq!(words.remove(0), "/usr/local/bin/kairos-doctor");
    words
}

/// It runs as the account of `deploy/rbac.yaml` and not as the administrator whose kubeconfig it has, reads the token where
/// the drop-in puts it, and leaves its report in the state directory.
#[test]
fn the_service_runs_the_program_as_the_account_with_the_least_rights() {
    let cluster = Cluster::of("healthy/hcm-cilium-3", Options::default());
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    std::fs::copy(cluster.simulator.kubeconfig_path(), folder.path().join("kubeconfig")).unwrap();
    std::fs::write(folder.path().join("hcloud-token"), cluster.simulator.hetzner_token()).unwrap();
    let drop_in = text("systemd/hetzner.conf");
    let option = drop_in.split_once("KAIROS_DOCTOR_HETZNER=").unwrap().1.trim_end().trim_end_matches('"');
    let option = option.replace("/run/credentials/kairos-doctor.service", place);
    let metrics = text("systemd/textfile.conf").replace("/var/lib/kairos-doctor", place);
    let metrics = metrics.split_once("KAIROS_DOCTOR_TEXTFILE=").unwrap().1.lines().next().unwrap();
    let metrics = metrics.trim_end_matches('"').to_string();
    let default = "--fail-on error";
    let set = format!("\"KAIROS_DOCTOR_OPTIONS={default}\"\n");
    assert!(text("systemd/kairos-doctor.service").contains(&set), "the unit has these options");
    for (hetzner, options) in [("", default), (option.as_str(), "-q --fail-on warning --no-redact")] {
        let args = command(&[
            ("CREDENTIALS_DIRECTORY", place),
            ("STATE_DIRECTORY", place),
            ("KAIROS_DOCTOR_HETZNER", hetzner),
            ("KAIROS_DOCTOR_TEXTFILE", metrics.as_str()),
            ("KAIROS_DOCTOR_OPTIONS", options),
        ]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut program = bare(&args);
        program
            .env("HCLOUD_ENDPOINT", cluster.simulator.hetzner_endpoint())
            .env("SSL_CERT_FILE", cluster.simulator.hetzner_ca_file());
        let run = run(program);
        // the simulator's token is no administrator's, and may not act as another
        assert_eq!(run.exit, 3, "{}", run.err);
        let report = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let published = std::fs::read_to_string(folder.path().join("kairos_doctor.prom")).unwrap();
        assert!(published.contains("kairos_doctor_exit_status"), "{published}");
        let gaps = report["gaps"].to_string();
        let account = "cannot impersonate";
        let refused = "system:serviceaccount:kairos-doctor:kairos-doctor";
        assert!(gaps.contains(account) && gaps.contains(refused), "{gaps}");
        let asked = cluster.simulator.requests().iter().any(|r| r.path == "/v1/servers");
        assert_eq!(asked, !hetzner.is_empty(), "the token is the drop-in's");
    }
}
