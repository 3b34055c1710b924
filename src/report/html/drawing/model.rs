//! What is drawn, before anything has a place: parts with a name, a state and tags, and how they hang together.

use kairos_doctor_checks::Severity;

use super::marks::{Found, Tag};
use crate::report::words::counted;

/// How a part or a way between two parts stands. The order is the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    Fine,
    /// It was seen, and not every check could look at it.
    Partly,
    /// There is nothing, and nobody said that it is a fault.
    Absent,
    /// It was not seen: neither well nor broken.
    Unseen,
    Noted,
    Warned,
    Bad,
}

impl State {
    pub fn of(severity: Severity) -> State {
        match severity {
            Severity::Info => State::Noted,
            Severity::Warning => State::Warned,
            Severity::Error | Severity::Critical => State::Bad,
        }
    }

    /// The class that draws it.
    pub fn class(self) -> &'static str {
        match self {
            State::Fine => "fine",
            State::Partly => "partly",
            State::Absent => "absent",
            State::Unseen => "unseen",
            State::Noted => "note",
            State::Warned => "warn",
            State::Bad => "bad",
        }
    }

    /// The sign beside the name; none where all is well.
    pub fn sign(self) -> Option<&'static str> {
        match self {
            State::Fine | State::Absent => None,
            State::Partly | State::Unseen => Some("?"),
            State::Noted => Some("i"),
            State::Warned => Some("!"),
            State::Bad => Some("✗"),
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            State::Fine => "nothing found",
            State::Partly => "nothing found as far as checks could look",
            State::Absent => "not there",
            State::Unseen => "not seen",
            State::Noted => "a note",
            State::Warned => "a warning",
            State::Bad => "broken",
        }
    }
}

/// One box.
#[derive(Clone, Debug)]
pub struct Part {
    pub name: String,
    /// Short lines beneath the name.
    pub lines: Vec<String>,
    /// All of it, for who points at it.
    pub title: String,
    pub state: State,
    pub tags: Vec<Tag>,
    /// The ranks of all findings that are shown here, those of the same code too.
    pub ranks: Vec<usize>,
    /// Something is suppressed here, or the chosen severity keeps it from being shown.
    pub hides: bool,
}

impl Part {
    /// A part that is seen, or not, and what is found there.
    pub fn new(name: impl Into<String>, seen: State, found: Found) -> Part {
        let here = found.tags.iter().filter(|tag| tag.here).map(|tag| State::of(tag.severity)).max();
        let (name, state) = (name.into(), seen.max(here.unwrap_or(State::Fine)));
        let hides = found.hidden > 0;
        let lines = if hides { vec!["not all shown".into()] } else { Vec::new() };
        Part { title: name.clone(), name, lines, state, tags: found.tags, ranks: found.ranks, hides }
    }

    pub fn line(mut self, line: impl Into<String>) -> Part {
        let line = line.into();
        self.title = format!("{}, {line}", self.title);
        self.lines.push(line);
        self
    }

    /// Only for who points at it.
    pub fn detail(mut self, detail: &str) -> Part {
        self.title = format!("{}, {detail}", self.title);
        self
    }

    /// So many checks that would say something of it could not look.
    pub fn unjudged(mut self, checks: usize) -> Part {
        if checks == 0 {
            return self;
        }
        self.state = self.state.max(State::Partly);
        self.line(format!("{} did not look", counted(checks, "check")))
    }

    /// How it stands, in words. Where a finding only names it, nobody said that nothing is found.
    pub fn words(&self) -> &'static str {
        match self.state {
            State::Fine | State::Partly if self.hides => "a finding is not shown",
            State::Fine | State::Partly if !self.tags.is_empty() => "not broken here, named in",
            state => state.words(),
        }
    }

    /// All is well and nothing is hidden.
    pub fn is_plain(&self) -> bool {
        self.state == State::Fine && self.tags.is_empty() && !self.hides
    }

    /// What it has in common with others that may stand in one box with it.
    pub fn likeness(&self) -> String {
        let tags: Vec<String> = self.tags.iter().map(|tag| format!("{}{}", tag.code, tag.here)).collect();
        format!("{:?} {:?} {tags:?}", self.state, self.lines)
    }
}

/// One Service with what stands before it, or several that are alike.
#[derive(Clone, Debug)]
pub struct Lane {
    pub balancer: Part,
    pub service: Part,
    /// From the internet to the load balancer, and from there to the Service.
    pub gate: State,
    pub pass: State,
    /// From the Service to the row of that place; the way of a target to its node.
    pub to: Vec<(usize, State)>,
    /// Targets in words: `k1, k2: healthy`.
    pub told: Vec<String>,
}

/// One node and its kubelet, or several that are alike.
#[derive(Clone, Debug)]
pub struct Row {
    pub node: Part,
    pub kubelet: Part,
}

#[derive(Clone, Debug)]
pub struct Picture {
    pub lanes: Vec<Lane>,
    pub rows: Vec<Row>,
}
