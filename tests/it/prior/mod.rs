//! What was known before a run: earlier reports, accepted findings, and a job that runs every morning.

mod baseline;
mod chain;
mod exit_status;
mod filters;
mod metrics;
mod suppressions;

use kairos_doctor::fixture::Fixture;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::live::{Run, bare, run};

/// A folder to run in, with recorded clusters and reports in it.
pub struct Desk(TempDir);

impl Desk {
    pub fn new() -> Desk {
        Desk(tempfile::tempdir().expect("a folder"))
    }

    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("UTF-8").to_string()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).expect("it can be written");
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("it can be read")
    }

    /// The program over a recorded cluster; `args` may name files of the folder as `@name`.
    pub fn doctor(&self, cluster: &Value, args: &[&str]) -> Run {
        let from = self.write("cluster.json", &cluster.to_string());
        let args = args.iter().map(|arg| match arg.split_once('@') {
            Some((before, name)) => format!("{before}{}", self.path(name)),
            None => arg.to_string(),
        });
        let args: Vec<String> = ["--from".to_string(), from].into_iter().chain(args).collect();
        run(bare(&args.iter().map(String::as_str).collect::<Vec<_>>()))
    }

    /// The same as JSON.
    pub fn report(&self, cluster: &Value, args: &[&str]) -> (Value, Run) {
        let run = self.doctor(cluster, &[args, &["-o", "json"]].concat());
        (run.json(), run)
    }
}

pub fn cluster(fixture: &str) -> Value {
    Fixture::named(fixture).unwrap_or_else(|| panic!("no fixture is named {fixture}")).bundle()
}

/// The cluster with these parts out of sight.
pub fn without_sight(mut cluster: Value, parts: &[&str]) -> Value {
    for part in parts {
        cluster["parts"].as_object_mut().expect("parts").remove(*part).expect("a part of that name");
        cluster["gaps"][*part] = json!({"need": part, "why": "forbidden", "detail": "403 for nobody"});
    }
    cluster
}

/// The cluster, read so many hours later.
pub fn later(mut cluster: Value, hours: i64) -> Value {
    let now: jiff::Timestamp = cluster["now"].as_str().expect("a time").parse().expect("a time");
    cluster["now"] = (now + jiff::SignedDuration::from_hours(hours)).to_string().into();
    cluster
}

/// The IDs in a list of a report.
pub fn ids(list: &Value) -> Vec<String> {
    let one = |item: &Value| item["id"].as_str().expect("an ID").to_string();
    let mut ids: Vec<String> = list.as_array().into_iter().flatten().map(one).collect();
    ids.sort();
    ids
}

/// The IDs of the findings with that state.
pub fn with_state(report: &Value, state: &str) -> Vec<String> {
    let findings = report["findings"].as_array().expect("findings");
    ids(&findings.iter().filter(|f| f["since"]["state"] == state).cloned().collect())
}
