//! When several StorageClasses are the default, a claim without a class gets the newest of them, and when none is, it gets
//! nothing, because that is how Kubernetes chooses: newest first, then by name (`pkg/volume/util/storageclass.go`,
//! `GetDefaultClass`). k3s's `local-path` and hcloud-csi's `hcloud-volumes` both want to be it.

use std::cmp::Reverse;

use serde_json::json;

use crate::domain::k3s;
use crate::facts::kubernetes::{Node, StorageClass};
use crate::facts::{Facts, Kind, Known};
use crate::k3s::k3s_disable_values;
use crate::remedies::charts::{self, Chart, chart_name};
use crate::remedies::{in_manifest, k3s_config};
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD701",
    slug: "default-storage-class",
    title: "exactly one StorageClass is the default",
    examines: "StorageClasses",
    severity: Severity::Warning,
    needs: &[&StorageClass::NEED, &Node::NEED, charts::NEEDS[0], charts::NEEDS[1]],
    caused_by: &[Cause::everywhere(&k3s_disable_values::CHECK).when(local_storage_was_to_go)],
    explain: include_str!("default_storage_class.md"),
    judge,
};

const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
const KEYS: [&str; 2] = [DEFAULT, "storageclass.beta.kubernetes.io/is-default-class"];
const HETZNER: &str = "csi.hetzner.cloud";
/// The provisioner of k3s's packaged `local-storage`.
const LOCAL: &str = "rancher.io/local-path";

/// `--disable` names local storage in a way that k3s ignores, and so `local-path` is there.
fn local_storage_was_to_go(cause: &Finding, effect: &Finding) -> bool {
    let local =
        |finding: &Finding| finding.places().any(|o| o.kind == "StorageClass" && o.name == "local-path");
    cause.discriminator == Some("local-storage") && effect.discriminator == Some("several") && local(effect)
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let alive = |class: &&StorageClass| class.metadata.deletion_timestamp.is_none();
    let classes: Vec<&StorageClass> = facts.all::<StorageClass>()?.iter().filter(alive).collect();
    v.examined += classes.len();
    let mut defaults: Vec<&StorageClass> = classes.iter().copied().filter(|c| is_default(c)).collect();
    // as Kubernetes sorts them: the first wins
    defaults.sort_by_key(|class| (Reverse(class.metadata.creation_timestamp), &class.metadata.name));
    match defaults[..] {
        [] if classes.is_empty() => {}
        [] => {
            let finding = none(facts, &classes, v);
            v.findings.push(finding);
        }
        [_] => {}
        _ => {
            let finding = several(facts, &defaults, v);
            v.findings.push(finding);
        }
    }
    Ok(())
}

/// Either annotation says so, the old one too.
fn is_default(class: &StorageClass) -> bool {
    KEYS.iter().any(|key| class.metadata.annotation(key) == Some("true"))
}

fn is_hetzner(class: &StorageClass) -> bool {
    class.provisioner == HETZNER
}

fn none(facts: &Facts, classes: &[&StorageClass], v: &mut Verdict) -> Finding {
    let class = classes.iter().copied().find(|c| is_hetzner(c)).unwrap_or(classes[0]);
    let name = &*class.metadata.name;
    let mut finding =
        Finding::new(class, "no StorageClass is the default: claims that name none stay pending")
            .discriminator("none")
            .severity(Severity::Error);
    for class in classes {
        finding = finding.shows(*class, &format!("metadata.annotations['{DEFAULT}']"));
    }
    if classes.len() > 1 {
        let names: Vec<&str> = classes.iter().map(|c| &*c.metadata.name).collect();
        finding = finding.step(Step::decide(format!("which one is to be the default: {}", names.join(", "))));
    }
    let why = format!("makes {name} the default; claims that wait and name no class get it as well");
    finding
        .step(patch(name, &[DEFAULT], "true", why))
        .steps(for_good(facts, class, true, v))
        .verify_kubectl(&["get", "storageclass"], "(default) stands behind one name")
}

fn several(facts: &Facts, defaults: &[&StorageClass], v: &mut Verdict) -> Finding {
    let names: Vec<&str> = defaults.iter().map(|class| &*class.metadata.name).collect();
    let wins = names[0];
    let says = match names[..] {
        [_, other] => format!("StorageClasses {wins} and {other} are both default: claims now get {wins}"),
        _ => format!("{} StorageClasses are default: claims now get {wins}, the newest", names.len()),
    };
    // The one that would be turned off: everything but Hetzner's, else everything but the one that wins.
    let hetzner = defaults.iter().copied().filter(|class| is_hetzner(class)).collect::<Vec<_>>();
    let keep = if let [only] = hetzner[..] { only } else { defaults[0] };
    let losers: Vec<&StorageClass> =
        defaults.iter().copied().filter(|class| class.metadata.name != keep.metadata.name).collect();
    let mut finding = Finding::new(losers[0], says).discriminator("several").because(
        "The newest wins. k3s makes local-path anew when local storage is switched off and on again, and claims without a \
         class then silently get volumes of another kind.",
    );
    for class in defaults {
        for key in KEYS.iter().filter(|key| class.metadata.annotation(key) == Some("true")) {
            finding = finding.shows(*class, &format!("metadata.annotations['{key}']"));
        }
        finding = finding.shows(*class, "metadata.creationTimestamp");
    }
    finding = finding.step(Step::decide(format!(
        "which one is to stay the default ({}); what follows keeps {}: volumes of Hetzner's move with their pod, those of \
         local-path stay on one node",
        names.join(", "),
        keep.metadata.name
    )));
    for class in losers {
        let keys: Vec<&str> =
            KEYS.into_iter().filter(|key| class.metadata.annotation(key) == Some("true")).collect();
        let why = format!("{} is no default any more", class.metadata.name);
        let step = patch(&class.metadata.name, &keys, "false", why);
        let packaged = class.provisioner == LOCAL;
        finding = finding.step(match packaged {
            true => step.hazard(
                "until k3s starts again: it applies its manifest of local-path then, default and all",
            ),
            false => step,
        });
        let steps = match packaged {
            true => without_local_storage(facts, v),
            false => for_good(facts, class, false, v),
        };
        finding = finding.steps(steps);
    }
    finding.verify_kubectl(&["get", "storageclass"], "(default) stands behind one name")
}

fn patch(name: &str, keys: &[&str], value: &str, why: String) -> Step {
    let annotations: serde_json::Map<_, _> = keys.iter().map(|key| (key.to_string(), json!(value))).collect();
    let patch = json!({"metadata": {"annotations": annotations}}).to_string();
    Step::kubectl(Changes::Cluster, why, &["patch", "storageclass", name, "-p", &patch])
}

/// k3s stops making the class at every start only when it is told to leave out local storage.
fn without_local_storage(facts: &Facts, v: &mut Verdict) -> Vec<Step> {
    let nodes = v.see(facts.all::<Node>()).unwrap_or_default();
    let told = |node: &&Node| k3s::disabled(node).iter().any(|value| value == "local-storage");
    let mut servers = nodes.iter().filter(|node| node.is_control_plane()).peekable();
    if servers.peek().is_some() && servers.all(|node| told(&node)) {
        let manifest = json!({"metadata": {"annotations": {DEFAULT: "false"}}});
        return vec![in_manifest(
            "StorageClass local-path, which is not k3s's: its local storage is off",
            manifest,
        )];
    }
    let config = json!({"disable+": ["local-storage"]});
    let why = "leaves out local storage; the + adds it to what is disabled already";
    let mut steps: Vec<Step> = k3s_config::write(why, "disable-local-storage", config, true)
        .into_iter()
        .map(Step::for_good)
        .collect();
    if let Some(first) = steps.first_mut() {
        first.hazard = Some(
            "k3s then deletes local-path and its provisioner: volumes of it stay on their nodes, and nothing makes new ones or \
             deletes them. Where you use it, put an empty file local-storage.yaml.skip into \
             /var/lib/rancher/k3s/server/manifests instead: k3s leaves its objects as they are then"
                .into(),
        );
    }
    steps
}

/// Where the class comes from.
fn for_good(facts: &Facts, class: &StorageClass, on: bool, v: &mut Verdict) -> Vec<Step> {
    let name = &*class.metadata.name;
    match v.see(Chart::of(facts, &class.metadata)).flatten() {
        Some(chart) if chart_name(chart.chart) == "hcloud-csi" && !has_classes(&chart) => {
            // one list: it replaces the chart's own
            let classes = json!([{"name": name, "defaultStorageClass": on, "reclaimPolicy": "Delete"}]);
            chart.set_for_good(None, json!({"storageClasses": classes}))
        }
        Some(chart) => {
            let on = if on { "the" } else { "no" };
            let why =
                format!("make {name} {on} default in the values of the chart {}", chart.chart.metadata.name);
            vec![Step::decide(why).for_good()]
        }
        None => {
            let value = if on { "true" } else { "false" };
            let manifest = json!({"metadata": {"annotations": {DEFAULT: value}}});
            vec![in_manifest(&format!("StorageClass {name}"), manifest)]
        }
    }
}

/// Its values name classes already: the list would be replaced.
fn has_classes(chart: &Chart) -> bool {
    let of_config = chart.config.map(|config| &config.spec.values_content);
    of_config
        .into_iter()
        .chain([&chart.chart.spec.values_content])
        .any(|values| values.get("storageClasses").is_some())
}
