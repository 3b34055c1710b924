//! One run of a program: what it took, as the system counts it for a process that has ended.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

/// What one process took from its start to its end.
#[derive(Clone, Serialize, Deserialize)]
pub struct Run {
    pub wall: Duration,
    /// User and system time of all its threads.
    pub cpu: Duration,
    /// The most memory it ever had resident.
    pub peak_kib: u64,
    pub exit: Option<i32>,
    pub out: String,
}

/// Runs that command line and prints a [`Run`]. It is the only child of this process, which was started for it: the system
/// keeps one account for all children of a process.
pub fn measure(command: &[String]) {
    let begun = Instant::now();
    let mut child = Command::new(&command[0]);
    child.args(&command[1..]).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = child.output().expect("the program starts");
    let wall = begun.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("there is such an account");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    let run = Run {
        wall,
        cpu: Duration::from_micros(micros.unsigned_abs()),
        peak_kib: usage.max_rss().unsigned_abs(),
        exit: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
    };
    println!("{}", serde_json::to_string(&run).expect("it is plain data"));
}

/// Measures a command line in a process of its own, with these variables and nothing else of the surroundings.
pub fn run(command: &[&str], vars: &[(&str, &str)], exit: i32) -> Run {
    let mut process = Command::new(std::env::current_exe().expect("this program has a path"));
    process.arg("measure").args(command).env_clear().envs(vars.iter().copied()).stderr(Stdio::inherit());
    process.env("HOME", "/nonexistent").env("PATH", "/usr/bin:/bin").env("CI", "true");
    let output = process.output().expect("this program starts");
    let run: Run = serde_json::from_slice(&output.stdout).expect("it prints what it measured");
    assert!(run.exit.is_some_and(|code| code <= exit), "{command:?}\n{}", run.out);
    run
}

/// Of several runs the middle value of each figure.
pub fn median(mut runs: Vec<Run>) -> Run {
    let middle = runs.len() / 2;
    runs.sort_by_key(|run| run.cpu);
    let cpu = runs[middle].cpu;
    runs.sort_by_key(|run| run.peak_kib);
    let peak_kib = runs[middle].peak_kib;
    runs.sort_by_key(|run| run.wall);
    Run { cpu, peak_kib, ..runs[middle].clone() }
}
