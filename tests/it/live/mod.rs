//! The program as people run it, against a simulated cluster: real processes, real TLS, the shipped RBAC enforced.

mod bad_input;
mod contract;
mod controller_log;
mod diagnosis;
mod harmless;
mod hostile;
mod published;
mod terminal;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use kairos_doctor::fixture::Fixture;
use kairos_doctor_simulator::{Options, Simulator};
use serde_json::Value;

/// A simulated cluster and the environment that leads to it.
pub struct Cluster {
    pub simulator: Simulator,
}

/// One run of the program.
pub struct Run {
    pub exit: i32,
    pub out: String,
    pub err: String,
}

impl Cluster {
    pub fn of(fixture: &str, options: Options) -> Cluster {
        let fixture = Fixture::named(fixture).unwrap_or_else(|| panic!("no fixture is named {fixture}"));
        Cluster { simulator: Simulator::start(&fixture.bundle(), options) }
    }

    /// The program with everything that leads to this cluster, and nothing else of this machine.
    pub fn doctor(&self, args: &[&str]) -> Run {
        self.doctor_with(args, &[])
    }

    /// The same with variables set, or unset where the value is empty.
    pub fn doctor_with(&self, args: &[&str], vars: &[(&str, &str)]) -> Run {
        let mut command = self.command(args);
        for (name, value) in vars {
            match *value {
                "" => command.env_remove(name),
                value => command.env(name, value),
            };
        }
        run(command)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = bare(args);
        command
            .env("KUBECONFIG", self.simulator.kubeconfig_path())
            .env("HCLOUD_ENDPOINT", self.simulator.hetzner_endpoint())
            .env("HCLOUD_TOKEN", self.simulator.hetzner_token())
            .env("SSL_CERT_FILE", self.simulator.hetzner_ca_file());
        command
    }

    /// The report of a run as JSON, and the run.
    pub fn report(&self, args: &[&str]) -> (Value, Run) {
        let run = self.doctor(&[args, &["-o", "json"]].concat());
        (run.json(), run)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.simulator.folder().join(name)
    }

    /// Records the cluster under its own names and gives the bundle.
    pub fn collected(&self, args: &[&str]) -> (Value, PathBuf) {
        let path = self.file("collected.json");
        let run = self.doctor(&[&["collect", "--no-redact", "-o", path.to_str().unwrap()], args].concat());
        // 3: some of it could not be read
        assert!(matches!(run.exit, 0 | 3), "{}", run.err);
        (serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap(), path)
    }
}

impl Run {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|e| panic!("{e}\n--- out\n{}\n--- err\n{}", self.out, self.err))
    }
}

/// The program without anything that this machine would give it.
pub fn bare(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kairos-doctor"));
    command.args(args).env_clear().env("HOME", "/nonexistent").env("PATH", "/usr/bin:/bin").env("CI", "true");
    command.stdin(Stdio::null());
    command
}

pub fn run(mut command: Command) -> Run {
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    Run { exit: status.code().expect("it ends by itself"), out: text(stdout), err: text(stderr) }
}

/// `KD301/Service/edge/web critical`, indented where folded: as fixtures write it.
pub fn drawn(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().expect("a report has findings");
    let mut depths = std::collections::HashMap::new();
    let line = |finding: &Value| {
        let id = finding["id"].as_str().unwrap();
        let causes = finding["caused_by"].as_array().unwrap();
        let above = causes.iter().filter_map(|c| depths.get(c.as_str().unwrap()).copied()).max();
        let depth = above.map_or(0, |d: usize| d + 1);
        depths.insert(id.to_string(), depth);
        let predicted = if finding["confidence"] == "predicted" { " predicted" } else { "" };
        format!("{}{id} {}{predicted}", "  ".repeat(depth), finding["severity"].as_str().unwrap())
    };
    findings.iter().map(line).collect()
}

/// What a fixture says its diagnosis is, in the same form.
pub fn expected(fixture: &str) -> Vec<String> {
    let line = |e: kairos_doctor::fixture::Expected| {
        let predicted = if e.predicted { " predicted" } else { "" };
        format!("{}{} {}{predicted}", "  ".repeat(e.depth), e.id, e.severity)
    };
    Fixture::named(fixture).expect("a fixture").expect().into_iter().map(line).collect()
}

/// The codes of a report's checks with that status.
pub fn codes(report: &Value, status: &str) -> Vec<String> {
    let checks = report["checks"].as_array().expect("a report has checks");
    let with = checks.iter().filter(|c| c["status"] == status);
    with.map(|c| c["code"].as_str().unwrap().to_string()).collect()
}
