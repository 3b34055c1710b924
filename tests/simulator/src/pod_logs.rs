//! What the containers have written, and what kubelets say of logs that are not there.

use std::collections::HashSet;

use jiff::Timestamp;
use kairos_doctor_checks::facts::Facts;
use kairos_doctor_checks::facts::controller_log::{ControllerLog, LogLine};
use kairos_doctor_checks::facts::kubernetes::Pod;

/// Stands in what each container has written; seen only by who asks for more of it than a byte.
pub(crate) const LOG_CANARY: &str = "CANARY-pods-log-line";
pub(crate) const LOG_LINE: &str = "token: CANARY-pods-log-line";

/// The logs of a cluster.
#[derive(Default)]
pub(crate) struct PodLogs {
    recorded: Vec<ControllerLog>,
    /// Namespace, pod and container of those that were started more than once.
    restarted: HashSet<[String; 3]>,
    now: Timestamp,
}

impl PodLogs {
    pub fn of(facts: &Facts) -> PodLogs {
        let mut restarted = HashSet::new();
        for pod in facts.unproven::<Pod>().unwrap_or_default() {
            let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
            for container in pod.status.container_statuses.iter().filter(|c| c.restart_count > 0) {
                restarted.insert([namespace, &pod.metadata.name, &container.name].map(String::from));
            }
        }
        let recorded = facts.unproven::<ControllerLog>().map(<[_]>::to_vec).unwrap_or_default();
        PodLogs { recorded, restarted, now: facts.now }
    }

    /// The log that was recorded for that pod.
    pub fn recorded(&self, namespace: &str, pod: &str, previous: bool) -> Option<&ControllerLog> {
        let is =
            |log: &&ControllerLog| log.namespace == *namespace && log.pod == *pod && log.previous == previous;
        self.recorded.iter().find(is)
    }

    /// A kubelet's answer to `/containerLogs/<namespace>/<pod>/<container>`: status and body.
    pub fn answer(&self, path: &str, query: &str) -> (u16, String) {
        let mut names = path.trim_start_matches("/containerLogs/").split('/').map(String::from);
        let [namespace, pod, container] = [(); 3].map(|()| names.next().unwrap_or_default());
        let option = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let number = |name: &str| option(name).and_then(|value| value.parse().ok()).unwrap_or(usize::MAX);
        let is_on = |name: &str| option(name).is_some_and(|value| value == "true");
        let previous = is_on("previous");
        let recorded = self.recorded(&namespace, &pod, previous).filter(|log| log.status == 200);
        if previous
            && recorded.is_none()
            && !self.restarted.contains(&[namespace, pod.clone(), container.clone()])
        {
            let text = format!("previous terminated container \"{container}\" in pod \"{pod}\" not found");
            return (400, text);
        }
        let said = recorded.map(|log| log.lines.iter().cloned().collect()).unwrap_or_default();
        (200, self.raw(said, is_on("timestamps"), number("tailLines"), number("limitBytes")))
    }

    /// The log as the container wrote it, every known line among others: its end, and of that so many bytes.
    fn raw(&self, said: Vec<LogLine>, with_times: bool, tail: usize, limit: usize) -> String {
        let mut lines: Vec<String> = Vec::new();
        let mut write = |time: Option<Timestamp>, text: &str| {
            lines.push(match time.filter(|_| with_times) {
                Some(time) => format!("{time} {text}\n"),
                None => format!("{text}\n"),
            });
        };
        let began = Some(self.now);
        write(began, &header('I', self.now, "flags.go:64", "FLAG: --cloud-provider=\"hcloud\""));
        for line in said {
            let time = line.time.get();
            let at = time.unwrap_or(self.now);
            write(time, &header('I', at, "round_tripper.go:1", LOG_LINE));
            let level = if line.text.contains("could not be initialized") { 'F' } else { 'E' };
            write(time, &header(level, at, "main.go:75", &line.text));
        }
        write(began, LOG_LINE);
        let mut log: String = lines[lines.len().saturating_sub(tail)..].concat();
        let mut end = limit.min(log.len());
        while !log.is_char_boundary(end) {
            end -= 1;
        }
        log.truncate(end);
        log
    }
}

/// A line of klog.
fn header(level: char, time: Timestamp, place: &str, text: &str) -> String {
    format!("{level}{}       1 {place}] {text}", time.strftime("%m%d %H:%M:%S.%6f"))
}
