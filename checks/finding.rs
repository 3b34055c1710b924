//! What a check says: the object, the sentence, the evidence, what to type and how to see that it worked.

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

use crate::Severity;
use crate::facts::{Gap, Kind, Text, Time, path};

/// Names one object: of Kubernetes by kind, namespace and name, of Hetzner by kind, name and ID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    pub kind: Text,
    pub namespace: Option<Text>,
    pub name: Text,
    pub id: Option<i64>,
}

impl ObjectRef {
    pub fn new(kind: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
        ObjectRef { kind: kind.into(), namespace: namespace.map(Text::new), name: name.into(), id: None }
    }

    pub fn hetzner(kind: &str, name: &str, id: i64) -> ObjectRef {
        ObjectRef { kind: kind.into(), namespace: None, name: name.into(), id: Some(id) }
    }

    /// `namespace/name`, or the name alone.
    pub fn path(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.to_string(),
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.path())?;
        self.id.map_or(Ok(()), |id| write!(f, " ({id})"))
    }
}

/// Whether somebody saw it happen, or the configuration makes it happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// A status, an event, a log or a handshake showed it.
    Confirmed,
    /// The configuration implies it; nothing showed it.
    Predicted,
}

/// One fact a finding rests on: the value at a place in an object. `value: None` says that nothing is set there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub source: ObjectRef,
    /// As [`path::resolve`] reads it.
    pub path: String,
    pub value: Option<Text>,
    pub time: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    Now,
    ForGood,
}

/// What a step changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changes {
    Nothing,
    Cluster,
    Cloud,
    Node,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// The facts do not choose; the reader must. No command.
    Decide,
    /// A program and its arguments, quoted by the renderer.
    Run(Vec<String>),
    /// `kubectl apply -f -` with this object on its standard input.
    Apply(Value),
    /// Structured text to put into a place (a file on a node, a manifest, a values file).
    Write { place: String, snippet: Value },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub when: When,
    /// What it does and why, one sentence without a full stop.
    pub why: String,
    pub act: Act,
    pub changes: Changes,
    /// What can go wrong by it; shown above the command.
    pub hazard: Option<String>,
}

impl Step {
    pub fn decide(why: impl Into<String>) -> Step {
        Step::new(why, Act::Decide, Changes::Nothing)
    }

    pub fn kubectl(changes: Changes, why: impl Into<String>, args: &[&str]) -> Step {
        Step::new(why, Act::Run(argv("kubectl", args)), changes)
    }

    pub fn hcloud(changes: Changes, why: impl Into<String>, args: &[&str]) -> Step {
        Step::new(why, Act::Run(argv("hcloud", args)), changes)
    }

    /// A command to type on the node itself.
    pub fn on_node(why: impl Into<String>, args: &[&str]) -> Step {
        Step::new(why, Act::Run(args.iter().map(|a| a.to_string()).collect()), Changes::Node)
    }

    pub fn apply(why: impl Into<String>, object: Value) -> Step {
        Step::new(why, Act::Apply(object), Changes::Cluster)
    }

    pub fn write(changes: Changes, why: impl Into<String>, place: impl Into<String>, snippet: Value) -> Step {
        Step::new(why, Act::Write { place: place.into(), snippet }, changes)
    }

    fn new(why: impl Into<String>, act: Act, changes: Changes) -> Step {
        Step { when: When::Now, why: why.into(), act, changes, hazard: None }
    }

    pub fn for_good(mut self) -> Step {
        self.when = When::ForGood;
        self
    }

    pub fn hazard(mut self, hazard: impl Into<String>) -> Step {
        self.hazard = Some(hazard.into());
        self
    }

    /// One hazard more, after what is said already.
    pub fn add_hazard(&mut self, hazard: &str) {
        self.hazard = Some(match self.hazard.take() {
            Some(first) => format!("{first}; {hazard}"),
            None => hazard.to_string(),
        });
    }
}

fn argv(program: &str, args: &[&str]) -> Vec<String> {
    std::iter::once(program).chain(args.iter().copied()).map(str::to_string).collect()
}

/// How to see that it worked.
#[derive(Clone, Debug, PartialEq)]
pub struct Verify {
    pub argv: Vec<String>,
    /// What its output shows then.
    pub expect: String,
}

/// So much evidence is kept of one finding: what is wrong with thousands of nodes alike is seen at the first ones, and the
/// headline says how many there are.
pub const MOST_EVIDENCE: usize = 50;

/// And so many related objects, by which causes are found.
pub const MOST_RELATED: usize = 100;

/// One thing that is wrong. Its identity is the check's code, the subject and the discriminator, never the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The object that one repairs.
    pub subject: ObjectRef,
    /// Tells several findings of one check about one subject apart.
    pub discriminator: Option<&'static str>,
    /// The other objects that the check walked through.
    pub related: Vec<ObjectRef>,
    /// The headline: lower case, no full stop, at most 100 columns with everyday names.
    pub says: String,
    /// What follows from it, or how it comes about, where the headline does not say it all.
    pub because: Option<String>,
    pub evidence: Vec<Evidence>,
    pub confidence: Confidence,
    /// Where it differs from the check's own.
    pub severity: Option<Severity>,
    /// When it begins to hurt, where that is known.
    pub deadline: Option<Timestamp>,
    pub steps: Vec<Step>,
    pub verify: Vec<Verify>,
}

impl Finding {
    pub fn new(subject: &impl Kind, says: impl Into<String>) -> Finding {
        Finding::about(subject.reference(), says)
    }

    pub fn about(subject: ObjectRef, says: impl Into<String>) -> Finding {
        Finding {
            subject,
            discriminator: None,
            related: Vec::new(),
            says: says.into(),
            because: None,
            evidence: Vec::new(),
            confidence: Confidence::Confirmed,
            severity: None,
            deadline: None,
            steps: Vec::new(),
            verify: Vec::new(),
        }
    }

    pub fn because(mut self, because: impl Into<String>) -> Finding {
        self.because = Some(because.into());
        self
    }

    /// Rests on what stands at `path` in `object`; the value is read from there, so that it cannot be another.
    pub fn shows(self, object: &impl Kind, path: &str) -> Finding {
        self.shows_at(object, path, Time::default())
    }

    /// The same with the time at which it was so.
    pub fn shows_at(mut self, object: &impl Kind, path: &str, time: Time) -> Finding {
        if self.evidence.len() < MOST_EVIDENCE {
            self.evidence.push(evidence(object, path, time));
        }
        self.relates(object)
    }

    /// The check walked through that object.
    pub fn relates(self, object: &impl Kind) -> Finding {
        let object = object.reference();
        self.relates_to(object)
    }

    pub fn relates_to(mut self, object: ObjectRef) -> Finding {
        if self.related.len() < MOST_RELATED && object != self.subject && !self.related.contains(&object) {
            self.related.push(object);
        }
        self
    }

    pub fn discriminator(mut self, discriminator: &'static str) -> Finding {
        self.discriminator = Some(discriminator);
        self
    }

    pub fn severity(mut self, severity: Severity) -> Finding {
        self.severity = Some(severity);
        self
    }

    pub fn predicted(mut self) -> Finding {
        self.confidence = Confidence::Predicted;
        self
    }

    pub fn step(mut self, step: Step) -> Finding {
        self.steps.push(step);
        self
    }

    pub fn steps(mut self, steps: impl IntoIterator<Item = Step>) -> Finding {
        self.steps.extend(steps);
        self
    }

    pub fn verify_kubectl(mut self, args: &[&str], expect: impl Into<String>) -> Finding {
        self.verify.push(Verify { argv: argv("kubectl", args), expect: expect.into() });
        self
    }

    pub fn verify_hcloud(mut self, args: &[&str], expect: impl Into<String>) -> Finding {
        self.verify.push(Verify { argv: argv("hcloud", args), expect: expect.into() });
        self
    }

    /// Gives back memory that making it took: there may be thousands.
    pub(crate) fn tighten(&mut self) {
        self.related.shrink_to_fit();
        self.evidence.shrink_to_fit();
        self.steps.shrink_to_fit();
        self.verify.shrink_to_fit();
    }

    /// Where it takes place: the subject and everything walked through.
    pub fn places(&self) -> impl Iterator<Item = &ObjectRef> {
        std::iter::once(&self.subject).chain(&self.related)
    }
}

fn evidence(object: &impl Kind, path: &str, time: Time) -> Evidence {
    let json = serde_json::to_value(object).expect("facts are plain data");
    let value = path::resolve(&json, path).map(Text::from);
    Evidence { source: object.reference(), path: path.to_string(), value, time: time.get() }
}

/// What one run of one check gives.
#[derive(Debug, Default)]
pub struct Verdict {
    /// How many objects were looked at.
    pub examined: usize,
    pub findings: Vec<Finding>,
    pub gaps: Vec<Gap>,
}

impl Verdict {
    /// The fact, or `None` with the gap noted: for what a check can do without.
    pub fn see<T>(&mut self, fact: Result<T, Gap>) -> Option<T> {
        match fact {
            Ok(fact) => Some(fact),
            Err(gap) => {
                self.gaps.push(gap);
                None
            }
        }
    }

    /// The finding with its remedy; without one, and with the gap noted, where it takes what could not be read.
    pub fn advise(
        &mut self,
        finding: Finding,
        remedy: impl FnOnce(Finding) -> Result<Finding, Gap>,
    ) -> Finding {
        let advised = remedy(finding.clone());
        self.see(advised).unwrap_or(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::kubernetes::Node;

    #[test]
    fn a_finding_about_thousands_of_nodes_keeps_the_first_ones() {
        let node = |n: usize| {
            let mut node = Node::default();
            node.metadata.name = format!("k{n}").into();
            node
        };
        let nodes = (0..5000).map(node);
        let about = ObjectRef::new("Service", Some("edge"), "web");
        let finding = nodes.fold(Finding::about(about, "says"), |finding, node| finding.shows(&node, "spec"));
        assert_eq!((finding.evidence.len(), finding.related.len()), (50, 100));
        assert_eq!((&*finding.evidence[0].source.name, &*finding.related[99].name), ("k0", "k99"));
    }
}
