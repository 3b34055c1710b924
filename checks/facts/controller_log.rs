//! What the cloud controller itself says: the lines of its log that are of a known pattern, and nothing else of it.

use serde::{Deserialize, Deserializer, Serialize};

use super::kubelet::Failure;
use super::wire::{Field, wire};
use super::{Kind, LogRead, Need, Origin, Text, Time};
use crate::ObjectRef;
use crate::domain::hccm_log;

wire! { "camelCase"
    /// One request for the log of the cloud controller's container: of the one that runs, or of the one before it.
    pub struct ControllerLog {
        pub namespace: Text,
        pub pod: Text,
        pub container: Text,
        /// Of the container that ended before the one that runs now.
        pub previous: bool,
        /// HTTP status; 0 when there was no answer.
        pub status: i64,
        /// The `reason` of the Status that came back; empty for a failed dial.
        pub reason: Text,
        /// The error's message, only where it is one of the known patterns; never a log line.
        pub message: Text,
        /// The known ones among the last lines, the oldest first.
        pub lines: Lines,
        pub failure: Option<Failure>,
    }

    pub struct LogLine {
        /// When the container runtime took it.
        pub time: Time,
        /// The message, without klog's header.
        pub text: Text,
    }
}

/// Lines of a log that are of a known pattern, each text once. A bundle is held to the same: a line that is not known does
/// not come in.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Lines(Vec<LogLine>);

impl Lines {
    /// Keeps what is known.
    pub fn of(lines: Vec<LogLine>) -> Lines {
        Lines(hccm_log::kept(lines))
    }

    pub fn iter(&self) -> std::slice::Iter<'_, LogLine> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Lines, D::Error> {
        Ok(Lines::of(Vec::<LogLine>::deserialize(d)?))
    }
}

impl Field for Lines {
    fn tighten(&mut self) {
        self.0.shrink_to_fit();
    }
}

impl Kind for ControllerLog {
    const NEED: Need = Need::made::<ControllerLog>(
        "controller.log",
        Origin::PodLogs { namespace: "kube-system", read: LogRead::Tail },
    );
    fn reference(&self) -> ObjectRef {
        let name =
            if self.previous { format!("{} previous", self.pod) } else { self.pod.as_str().to_string() };
        ObjectRef::new("ControllerLog", Some(&self.namespace), &name)
    }
}
