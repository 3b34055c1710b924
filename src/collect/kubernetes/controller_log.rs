//! Asks for the last lines of the cloud controller's log, and of the one of the container before: two requests, whatever is
//! wrong. What is not of a known pattern is dropped before anything is done with it.

use std::sync::Arc;

use futures::future::join;
use http::StatusCode;
use kairos_doctor_checks::domain::hccm::speaker;
use kairos_doctor_checks::domain::hccm_log;
use kairos_doctor_checks::domain::kubelet::known_message;
use kairos_doctor_checks::facts::controller_log::{ControllerLog, Lines};
use kairos_doctor_checks::facts::kubelet::Failure as Failed;
use kairos_doctor_checks::facts::kubernetes::Pod;
use kairos_doctor_checks::facts::{Gap, Kind, Known, Part, Why};
use serde_json::from_slice;

use super::Kubernetes;
use super::ask::{Status, read_error};
use super::failure::Failure;
use super::log_probe::is_forbidden;
use crate::collect::budget::Came;
use crate::collect::guard::{Get, LOG_BYTES};
use crate::collect::room::Room;

/// More than this is not read: what was asked for, and a little for a server that counts otherwise.
const CAP: usize = LOG_BYTES + 4096;

/// An answer: a log, or why there is none.
enum Answer {
    Log(Lines),
    Refusal(StatusCode, Status),
}

impl Kubernetes {
    /// Both logs of the controller's pod that has most to say; none when no pod of it was ever on a node.
    ///
    /// # Errors
    /// When the doctor may not read logs at all, or the API does not answer.
    pub async fn controller_log(&self, pods: &[Pod]) -> Known<Part> {
        self.reached().await?;
        let Some((pod, container)) = speaker(pods) else { return Ok(ControllerLog::NEED.join(Vec::new())) };
        let one = |previous| self.one_log(&pod.metadata.name, &container.name, previous);
        let (current, previous) = join(one(false), one(true)).await;
        let mut logs: Vec<ControllerLog> = [current, previous].into_iter().flatten().collect();
        if !logs.is_empty() && logs.iter().all(|log| is_forbidden(log.status, &log.message)) {
            let log = logs.swap_remove(0);
            let detail = format!(
                "asked for the log of {}, the server answered {}: {}",
                log.pod, log.status, log.message
            );
            return Err(Gap::new(ControllerLog::NEED.key, Why::Forbidden, detail));
        }
        Ok(ControllerLog::NEED.join(vec![Arc::new(logs)]))
    }

    /// `None` for a pod that has no name Kubernetes would give: it is not asked for.
    async fn one_log(&self, pod: &str, container: &str, previous: bool) -> Option<ControllerLog> {
        let get = Get::tail(&ControllerLog::NEED, pod, container, previous).ok()?;
        let mut log = ControllerLog {
            namespace: "kube-system".into(),
            pod: pod.into(),
            container: container.into(),
            previous,
            ..ControllerLog::default()
        };
        let came = Came::default();
        match self.limited(&came, self.log_or_refusal(&get, &came)).await {
            Ok(Answer::Log(lines)) => {
                log.status = StatusCode::OK.as_u16().into();
                log.lines = lines;
            }
            Ok(Answer::Refusal(code, status)) => {
                log.status = code.as_u16().into();
                log.reason = status.reason.unwrap_or_default();
                log.message = known_message(&status.message.unwrap_or_default()).into();
            }
            Err(failure) => {
                let trouble = failure.trouble("GET the cloud controller's log");
                log.failure =
                    Some(Failed { why: trouble.why.as_str().into(), detail: trouble.detail.into() });
            }
        }
        Some(log)
    }

    async fn log_or_refusal(&self, get: &Get, came: &Came) -> Result<Answer, Failure> {
        let (head, body) = self.send(get).await?;
        let code = head.status;
        if !code.is_success() {
            let body = read_error(body, came).await?;
            return Ok(Answer::Refusal(code, from_slice(&body).unwrap_or_default()));
        }
        let (body, whole) = body.read(CAP, came, &mut Room::default(), |_| true).await?;
        self.meter.bytes(body.len());
        if !whole {
            return Err(Failure::new(
                "malformed",
                format!("the log is longer than the {LOG_BYTES} bytes asked for"),
            ));
        }
        Ok(Answer::Log(Lines::of(hccm_log::lines(&String::from_utf8_lossy(&body)))))
    }
}
