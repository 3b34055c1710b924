//! The definitions of custom resources: the published ones, or without those ones that take anything.
//!
//! `KAIROS_DOCTOR_CRDS` names the folder that `tests/crds/fetch` filled, with one folder for each release.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use kairos_doctor_checks::facts::{NEEDS, Origin, Resource};
use serde_json::{Value, json};

use super::demands::{install, named, takes_anything};
use super::server::{Server, folder_of};

/// Custom resources for which no release in `tests/crds/fetch` has a definition, as `<plural>.<group>`.
const UNPUBLISHED: &[&str] = &[];

const FOLDER: &str = "KAIROS_DOCTOR_CRDS";

/// The definitions that one release of a project publishes.
pub struct Release {
    /// Such as `gateway-api-v1.4.1-standard`.
    pub name: String,
    files: Vec<String>,
}

/// What is in the folder; channels that call themselves experimental come last.
static RELEASES: LazyLock<Option<Vec<Release>>> = LazyLock::new(|| {
    let folder = PathBuf::from(std::env::var_os(FOLDER).filter(|folder| !folder.is_empty())?);
    let mut all: Vec<Release> = entries(&folder).iter().map(|path| Release::read(path)).collect();
    all.sort_by_key(|release| (release.name.contains("experimental"), release.name.clone()));
    assert!(!all.is_empty(), "{FOLDER} has no releases: {}", folder.display());
    Some(all)
});

/// The published definitions; without them the test says that it was skipped.
pub fn published(test: &str) -> Option<&'static [Release]> {
    folder_of(FOLDER, test)?;
    RELEASES.as_deref()
}

impl Release {
    fn read(folder: &Path) -> Release {
        let name = folder.file_name().expect("it has a name").to_string_lossy().into_owned();
        let text =
            |path: &PathBuf| fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Release { name, files: entries(folder).iter().map(text).collect() }
    }

    /// The definition of that resource, if the release serves a version of it that is read.
    pub fn definition(&self, resource: &Resource) -> Option<Value> {
        let name = named(resource);
        let line = format!("  name: {name}");
        let text = self.files.iter().find(|text| text.lines().any(|l| l == line))?;
        let options = serde_saphyr::options! { strict_booleans: true };
        let mut definition: Value = serde_saphyr::from_str_with_options(text, options)
            .unwrap_or_else(|e| panic!("{}: {name}: {e}", self.name));
        assert_eq!(definition["kind"], "CustomResourceDefinition", "{}: {name}", self.name);
        // cert-manager's labels are templates of its chart: nothing in the schema, and no value that a label may have
        definition["metadata"] = json!({"name": name, "annotations": definition["metadata"]["annotations"]});
        version_read(&served(&definition), resource)?;
        Some(definition)
    }
}

/// Every custom resource that some check may read.
pub fn custom() -> Vec<Resource> {
    let mut seen = BTreeSet::new();
    let resource = |from: &Origin| match from {
        Origin::Kubernetes(resource) if resource.custom => Some(*resource),
        _ => None,
    };
    NEEDS.iter().filter_map(|need| resource(&need.from)).filter(|r| seen.insert(named(r))).collect()
}

/// The versions that a definition serves.
pub fn served(definition: &Value) -> Vec<String> {
    let versions = definition["spec"]["versions"].as_array().expect("a definition has versions").iter();
    versions.filter(|v| v["served"] == true).map(|v| v["name"].as_str().unwrap().to_string()).collect()
}

/// The version in which the program would read the resource.
pub fn version_read(served: &[String], resource: &Resource) -> Option<&'static str> {
    resource.versions.iter().copied().find(|version| served.iter().any(|s| s == version))
}

/// Custom resources of which no release has a definition, and that are not known for it.
pub fn undefined(releases: &[Release]) -> Vec<String> {
    let defined = |r: &Resource| releases.iter().any(|release| release.definition(r).is_some());
    let known = |r: &Resource| UNPUBLISHED.contains(&&*named(r));
    custom().iter().filter(|r| !known(r) && !defined(r)).map(named).collect()
}

/// Defines the custom resources of those groups: each as the first release has it, or to take anything, and of the owner
/// whose labels and annotations it has among the recorded ones.
pub fn define(server: &Server, groups: &BTreeSet<&str>, recorded: &Value) {
    let definition = |resource: &Resource| {
        let of_release = |release: &Release| release.definition(resource);
        let published = RELEASES.as_ref().and_then(|all| all.iter().find_map(of_release));
        let may_lack = RELEASES.is_none() || UNPUBLISHED.contains(&&*named(resource));
        assert!(published.is_some() || may_lack, "no release defines {}", named(resource));
        let mut definition = published.unwrap_or_else(|| takes_anything(resource));
        let mut all = recorded.as_array().into_iter().flatten();
        if let Some(was) = all.find(|d| d["metadata"]["name"] == named(resource)) {
            owned_as(&mut definition, was);
        }
        definition
    };
    let wanted = custom().into_iter().filter(|resource| groups.contains(resource.group));
    install(server, &wanted.map(|resource| definition(&resource)).collect::<Vec<_>>());
}

/// Adds the recorded labels and annotations that the publisher leaves to whoever installs it: Helm's, for one.
fn owned_as(definition: &mut Value, recorded: &Value) {
    for field in ["labels", "annotations"] {
        for (key, value) in recorded["metadata"][field].as_object().into_iter().flatten() {
            let own = &mut definition["metadata"][field][key];
            if own.is_null() {
                *own = value.clone();
            }
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    all.sort();
    all
}
