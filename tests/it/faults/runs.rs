//! Runs the program once against a cluster that fails, and measures what it took.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kairos_doctor_simulator::Options;
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};

use super::cell::Cell;
use crate::live::Cluster;

/// What a run is given in which somebody is waited for.
pub const SHORT: Duration = Duration::from_secs(4);
/// What every other run is given.
pub const LONG: Duration = Duration::from_secs(10);
/// What a run is given that is made by itself.
pub const ALONE: Duration = Duration::from_secs(20);
/// It ends by itself. This is only for a run that would not, and generous: other tests run meanwhile.
const KILLED_AFTER: Duration = Duration::from_secs(60);

/// One run of the program.
pub struct Run {
    /// `None`: it did not end by itself.
    pub exit: Option<i32>,
    pub report: Value,
    pub err: String,
    /// From start to end.
    pub took: Duration,
    /// The most memory it had, in bytes.
    pub peak: u64,
}

/// How long a run among others is given.
pub fn among_others(cell: &Cell) -> Duration {
    if cell.is_waited_for() { SHORT } else { LONG }
}

/// The program against a cluster that may fail.
pub fn against(fixture: &str, options: Options, timeout: Duration) -> Run {
    let cluster = Cluster::of(fixture, options);
    let timeout = format!("{}s", timeout.as_secs());
    let doctor = cluster.command(&["--timeout", &timeout, "-o", "json"]);
    // The peak of one process can be asked for by its parent, of all its children together: so each has a parent of its own.
    let mut parent = Command::new(std::env::current_exe().expect("this test has a path"));
    parent.args(["--exact", "faults::runs::parent", "--nocapture"]).env_clear();
    for (name, value) in doctor.get_envs() {
        parent.env(name, value.unwrap_or_default());
    }
    let args: Vec<&str> = doctor.get_args().map(|arg| arg.to_str().expect("it is text")).collect();
    parent.env("FAULTS_PROGRAM", doctor.get_program()).env("FAULTS_ARGS", args.join("\n"));
    parent.env("FAULTS_FOLDER", cluster.simulator.folder());
    let status = parent.stdin(Stdio::null()).stdout(Stdio::null()).status().expect("it starts");
    assert!(status.success(), "the parent of {fixture} failed");
    let text = |name: &str| std::fs::read_to_string(cluster.file(name)).expect("output is UTF-8");
    let end: Value = serde_json::from_str(&text("end")).expect("it was written whole");
    let out = text("out");
    Run {
        exit: end["exit"].as_i64().map(|code| i32::try_from(code).expect("a status is small")),
        report: serde_json::from_str(&out).unwrap_or(Value::Null),
        err: text("err"),
        took: Duration::from_millis(end["ms"].as_u64().expect("it was measured")),
        peak: end["peak"].as_u64().expect("it was measured"),
    }
}

/// The other half of [`against`]; by itself it does nothing.
#[test]
fn parent() {
    let Ok(folder) = std::env::var("FAULTS_FOLDER") else { return };
    let folder = std::path::Path::new(&folder);
    let file = |name: &str| std::fs::File::create(folder.join(name)).expect("there is room for a file");
    let mut doctor = Command::new(std::env::var_os("FAULTS_PROGRAM").expect("it is set"));
    doctor.args(std::env::var("FAULTS_ARGS").expect("it is set").lines());
    for name in ["FAULTS_FOLDER", "FAULTS_PROGRAM", "FAULTS_ARGS"] {
        doctor.env_remove(name);
    }
    let begun = Instant::now();
    let mut child =
        doctor.stdin(Stdio::null()).stdout(file("out")).stderr(file("err")).spawn().expect("it starts");
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break Some(status);
        }
        if begun.elapsed() > KILLED_AFTER {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let took = begun.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("it can be asked for");
    // Linux counts in kilobytes
    let peak = u64::try_from(usage.max_rss()).expect("it is positive") * 1024;
    let end = json!({"exit": status.and_then(|s| s.code()), "ms": took.as_millis() as u64, "peak": peak});
    std::fs::write(folder.join("end"), end.to_string()).expect("there is room for a file");
}
