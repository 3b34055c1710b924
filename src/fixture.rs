//! Clusters that are built in, for `demo`, `explain` and the tests: each is a small change to another one.
//!
//! A fixture is a YAML file under `fixtures/`; its name is the path without `.yaml`.
//!
//! - `what`: one sentence. `base`: the fixture it starts from; of a list the first is the cluster, the others give their
//!   changes (and their healing). Without a base it starts from an empty cluster.
//! - `change`: a JSON merge patch (RFC 7396), addressed by part and object: `nodes: {k1: {…}}`. Objects are named by
//!   `namespace/name` or `name`, kubelets by `node address`, log probes (`pods.log`) by `node`, the controller's logs
//!   (`controller.log`) by `pod` and, of the container before, `pod previous`; `null` removes one. A new object takes its
//!   name from there, and may start as a copy: `like: k1`. Lists are replaced whole.
//! - `also`: more of the change, which belongs to the picture and which no check needs to see it.
//! - `gaps`: parts that could not be read: `{part: {why, detail, need}}`; `kubernetes` and `hcloud` stand for all of theirs.
//! - `expect`: the complete list of findings in rank order, indented where folded: `KD301/Service/edge/web critical`.
//! - `heal`: the change that the printed fix leads to.
//! - `now` and `context`, where they differ from the base's.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use include_dir::{Dir, DirEntry, include_dir};
use kairos_doctor_checks::facts::{FORMAT, Facts, Gap, LogRead, NEEDS, Need, Origin, Why, need};
use serde::Deserialize;
use serde_json::{Map, Value, json};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/fixtures");

/// Every file, read once.
static DOCUMENTS: LazyLock<BTreeMap<String, Document>> = LazyLock::new(|| {
    fn read(dir: &Dir<'_>, all: &mut BTreeMap<String, Document>) {
        for entry in dir.entries() {
            match entry {
                DirEntry::Dir(dir) => read(dir, all),
                DirEntry::File(file) => {
                    let path = file.path().to_string_lossy().replace('\\', "/");
                    let Some(name) = path.strip_suffix(".yaml") else { continue };
                    let text = file.contents_utf8().unwrap_or_else(|| panic!("fixture {name}: not UTF-8"));
                    let document = parse(text).unwrap_or_else(|e| panic!("fixture {name}: {e}"));
                    all.insert(name.to_string(), document);
                }
            }
        }
    }
    let mut all = BTreeMap::new();
    read(&FILES, &mut all);
    all
});

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Document {
    what: String,
    base: Base,
    now: Option<String>,
    context: Option<String>,
    change: Map<String, Value>,
    also: Map<String, Value>,
    gaps: BTreeMap<String, Missing>,
    expect: Vec<String>,
    heal: Map<String, Value>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Base {
    One(String),
    Several(Vec<String>),
}

impl Default for Base {
    fn default() -> Base {
        Base::Several(Vec::new())
    }
}

/// A part that could not be read.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Missing {
    why: Why,
    detail: String,
    need: Option<String>,
}

fn parse(text: &str) -> Result<Document, String> {
    let options = serde_saphyr::options! { strict_booleans: true, leading_zero_numbers_as_strings: true };
    let value: Value = serde_saphyr::from_str_with_options(text, options).map_err(|e| e.to_string())?;
    let mut document: Document = serde_json::from_value(value).map_err(|e| e.to_string())?;
    // YAML drops the space between a dash and its item; here it says what is folded under what.
    let lines = text.lines().skip_while(|line| !line.starts_with("expect:")).skip(1);
    let items = lines.take_while(|line| line.starts_with([' ', '-', '#'])).filter_map(|line| {
        let item = line.trim_start().strip_prefix('-')?;
        Some(item.split(" #").next().unwrap_or(item))
    });
    for (expected, item) in document.expect.iter_mut().zip(items) {
        let indent = item.len() - item.trim_start().len() - 1;
        if item.trim() != expected.trim() || indent % 2 != 0 {
            return Err(format!("`{expected}` does not stand on a line of its own, indented by twos"));
        }
        *expected = format!("{}{expected}", " ".repeat(indent));
    }
    Ok(document)
}

/// The objects of a cluster as they are on the wire, by part and by name.
type Parts = BTreeMap<&'static str, BTreeMap<String, Value>>;

/// A recorded cluster with what its diagnosis must be.
#[derive(Clone)]
pub struct Fixture {
    name: String,
    document: Document,
    now: String,
    context: String,
    parts: Parts,
    gaps: BTreeMap<&'static str, Gap>,
    heals: Vec<Map<String, Value>>,
}

/// One line of `expect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub depth: usize,
    pub id: String,
    pub severity: String,
    pub predicted: bool,
}

impl Fixture {
    /// The fixture of that name; `None` when there is none.
    ///
    /// # Panics
    /// When a file in `fixtures/` is not what this module describes; the tests read them all.
    pub fn named(name: &str) -> Option<Fixture> {
        let document = DOCUMENTS.get(name)?.clone();
        Some(Fixture::build(name, document))
    }

    /// The names of all fixtures, sorted.
    pub fn names() -> impl Iterator<Item = &'static str> {
        DOCUMENTS.keys().map(String::as_str)
    }

    /// All fixtures, by name.
    pub fn all() -> Vec<Fixture> {
        Fixture::names().filter_map(Fixture::named).collect()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is special about this cluster, one sentence.
    pub fn what(&self) -> &str {
        &self.document.what
    }

    /// A near miss: looks like the fault and is not.
    pub fn is_quiet(&self) -> bool {
        self.name.ends_with(".quiet")
    }

    /// The cluster that it starts from; `None` for one that starts from nothing.
    pub fn base(&self) -> Option<&str> {
        match &self.document.base {
            Base::One(base) => Some(base.as_str()).filter(|base| !base.is_empty()),
            Base::Several(bases) => bases.first().map(String::as_str),
        }
    }

    /// The merge patch over the base.
    pub fn change(&self) -> &Map<String, Value> {
        &self.document.change
    }

    /// The same fixture with another change.
    pub fn with_change(&self, change: Map<String, Value>) -> Fixture {
        Fixture::build(&self.name, Document { change, ..self.document.clone() })
    }

    /// The objects of the base are told apart from those that the change brings.
    pub fn is_new(&self, part: &str, object: &str) -> bool {
        let base = Fixture::build(
            &self.name,
            Document { change: Map::new(), also: Map::new(), ..self.document.clone() },
        );
        !base.parts.get(part).is_some_and(|objects| objects.contains_key(object))
    }

    /// The complete findings in their order.
    ///
    /// # Panics
    /// When a line is not `ID SEVERITY` or `ID SEVERITY predicted`.
    pub fn expect(&self) -> Vec<Expected> {
        let read = |line: &String| {
            let depth = (line.len() - line.trim_start().len()) / 2;
            let (line, predicted) = match line.trim().strip_suffix(" predicted") {
                Some(line) => (line, true),
                None => (line.trim(), false),
            };
            let Some((id, severity)) = line.rsplit_once(' ') else {
                panic!("fixture {}: `{line}` is not `ID SEVERITY`", self.name)
            };
            Expected { depth, id: id.into(), severity: severity.into(), predicted }
        };
        self.document.expect.iter().map(read).collect()
    }

    /// Whether it says what its fix leads to: itself, or what it is a small change to. A cluster that is put together from
    /// several says so itself or not at all, since some of its parts may not.
    pub fn heals(&self) -> bool {
        let own = !self.document.heal.is_empty();
        own || (matches!(self.document.base, Base::One(_)) && self.heals.iter().any(|heal| !heal.is_empty()))
    }

    /// The cluster as facts, the same way a recorded one is read.
    ///
    /// # Panics
    /// When an object is not what its part promises.
    pub fn facts(&self) -> Facts {
        Facts::from_bundle(&self.bundle()).unwrap_or_else(|e| panic!("fixture {}: {e}", self.name))
    }

    /// The cluster after the printed fix.
    ///
    /// # Panics
    /// As [`Fixture::facts`].
    pub fn healed(&self) -> Facts {
        let mut healed = self.clone();
        for heal in &self.heals {
            healed.apply(heal);
        }
        healed.facts()
    }

    /// The cluster in the format of a bundle, its objects as they are on the wire.
    pub fn bundle(&self) -> Value {
        let mut parts = Map::new();
        for need in NEEDS.iter().filter(|need| !self.gaps.contains_key(need.key)) {
            let objects = self.parts.get(need.key).map(|objects| objects.values().cloned().collect());
            parts.insert(need.key.into(), Value::Array(objects.unwrap_or_default()));
        }
        let mut bundle = json!({"format": FORMAT, "now": self.now, "context": self.context, "parts": parts});
        if !self.gaps.is_empty() {
            bundle["gaps"] = json!(self.gaps);
        }
        bundle
    }

    fn build(name: &str, document: Document) -> Fixture {
        let bases = match &document.base {
            Base::One(base) => vec![base.as_str()],
            Base::Several(bases) => bases.iter().map(String::as_str).collect(),
        };
        let known = |base: &str| {
            DOCUMENTS.get(base).unwrap_or_else(|| panic!("fixture {name}: no fixture is named `{base}`"))
        };
        let mut fixture = match bases.first() {
            Some(base) => Fixture::build(base, known(base).clone()),
            None => Fixture {
                name: String::new(),
                document: Document::default(),
                now: "2026-01-01T00:00:00Z".into(),
                context: "prod".into(),
                parts: Parts::new(),
                gaps: BTreeMap::new(),
                heals: Vec::new(),
            },
        };
        fixture.name = name.to_string();
        fixture.heals.clear();
        for other in bases.iter().skip(1).map(|base| known(base)).chain([&document]) {
            fixture.now = other.now.clone().unwrap_or(fixture.now);
            fixture.context = other.context.clone().unwrap_or(fixture.context);
            fixture.apply(&other.change);
            fixture.apply(&other.also);
            fixture.heals.push(other.heal.clone());
            for (key, missing) in &other.gaps {
                fixture.miss(key, missing);
            }
        }
        fixture.document = document;
        fixture
    }

    fn miss(&mut self, key: &str, missing: &Missing) {
        let source = |need: &&&Need| need.source() == key && need.from != Origin::Connection;
        let mut needs: Vec<&'static Need> = need(key).into_iter().collect();
        needs.extend(NEEDS.iter().filter(source));
        assert!(!needs.is_empty(), "fixture {}: there is no part `{key}`", self.name);
        for part in needs {
            let of = missing.need.as_deref().unwrap_or(part.key);
            self.gaps.insert(part.key, Gap::new(of, missing.why, missing.detail.as_str()));
        }
    }

    fn apply(&mut self, change: &Map<String, Value>) {
        for (key, objects) in change {
            let part = need(key).unwrap_or_else(|| panic!("fixture {}: there is no part `{key}`", self.name));
            let objects = objects.as_object().unwrap_or_else(|| {
                panic!("fixture {}: `{key}` is not a map of objects", self.name);
            });
            for (name, patch) in objects {
                self.change_object(part, name, patch);
            }
        }
    }

    fn change_object(&mut self, part: &'static Need, name: &str, patch: &Value) {
        let objects = self.parts.entry(part.key).or_default();
        if patch.is_null() {
            let removed = objects.remove(name);
            assert!(removed.is_some(), "fixture {}: no {} `{name}` to remove", self.name, part.key);
            return;
        }
        let mut patch = patch.clone();
        if let Some(like) = patch.as_object_mut().and_then(|patch| patch.remove("like")) {
            let like = like.as_str().unwrap_or_default();
            let copy = objects.get(like).cloned();
            let mut copy =
                copy.unwrap_or_else(|| panic!("fixture {}: no {} `{like}` to be like", self.name, part.key));
            match part.from {
                Origin::Kubernetes(_) => merge(&mut copy, &json!({"metadata": {"uid": null}})),
                _ => merge(&mut copy, &json!({"id": null})),
            }
            merge(&mut copy, &patch);
            patch = copy;
        }
        let object = objects.entry(name.to_string()).or_insert(Value::Null);
        merge(object, &patch);
        identify(part, object, name);
    }
}

/// Gives an object the name that its key says.
fn identify(part: &Need, object: &mut Value, key: &str) {
    let mut own = Map::new();
    match part.from {
        Origin::Kubernetes(resource) if resource.only.is_none() => {
            let meta = match key.split_once('/') {
                Some((namespace, name)) => json!({"name": name, "namespace": namespace}),
                None => json!({"name": key}),
            };
            own.insert("metadata".into(), meta);
        }
        Origin::Hetzner(_) => drop(own.insert("name".into(), key.into())),
        Origin::Kubelets => match key.split_once(' ') {
            Some((node, address)) => {
                own.insert("node".into(), node.into());
                own.insert("address".into(), address.into());
            }
            None => drop(own.insert("node".into(), key.into())),
        },
        Origin::PodLogs { read: LogRead::Byte, .. } => drop(own.insert("node".into(), key.into())),
        Origin::PodLogs { namespace, read: LogRead::Tail } => {
            let previous = key.strip_suffix(" previous");
            own.insert("namespace".into(), namespace.into());
            own.insert("pod".into(), previous.unwrap_or(key).into());
            own.insert("previous".into(), previous.map_or(Value::Null, |_| true.into()));
        }
        Origin::Kubernetes(_) | Origin::KubernetesPath(_) | Origin::Connection => {}
    }
    merge(object, &Value::Object(own));
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().expect("made an object above");
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.as_str()).or_insert(Value::Null), value);
        }
    }
}
