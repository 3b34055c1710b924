//! Which files may talk to a server, start a program or write a file: clippy refuses it everywhere else (`clippy.toml`), and an
//! exception that is not needed is an error, too.

use std::path::Path;

/// File, and what it does that no other does.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("src/bundle_file.rs", "writes the report or recording that was asked for"),
    ("src/collect/hetzner.rs", "asks the Hetzner API"),
    ("src/collect/kubeconfig/plugin.rs", "starts the exec plugin of the kubeconfig"),
    ("src/collect/kubelet.rs", "shakes hands with kubelets"),
    ("src/collect/kubernetes/ask.rs", "asks the API server"),
    ("src/collect/kubernetes/mod.rs", "makes the client of the API server, with the guard around it"),
    ("src/pager.rs", "starts the reader's pager"),
];

fn rust_files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

#[test]
fn clients_processes_and_files_are_the_business_of_few_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    rust_files(&root.join("checks"), &mut files);
    assert!(files.len() > 100, "{}", files.len());
    let mut excepted: Vec<String> = files
        .iter()
        // of the whole crate only the tests are excepted
        .filter(|path| !path.ends_with("src/lib.rs"))
        .filter(|path| std::fs::read_to_string(path).unwrap().contains("clippy::disallowed_"))
        .map(|path| path.strip_prefix(root).unwrap().display().to_string())
        .collect();
    excepted.sort();
    let expected: Vec<&str> = EXCEPTIONS.iter().map(|(file, _)| *file).collect();
    assert_eq!(excepted, expected);
    let library = std::fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let attributes: Vec<&str> = library.lines().filter(|line| line.contains("clippy::disallowed_")).collect();
    assert!(
        library.contains("#![cfg_attr(\n    test,\n    allow(clippy::disallowed_types"),
        "{attributes:?}"
    );
    assert_eq!(attributes.len(), 1);
}

/// No file of the workspace may hold `unsafe`, and none may lift that.
#[test]
fn unsafe_code_is_forbidden_everywhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = |name: &str| -> toml::Table {
        std::fs::read_to_string(root.join(name)).unwrap().parse().expect("a manifest is TOML")
    };
    let workspace = manifest("Cargo.toml");
    assert_eq!(workspace["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    for member in workspace["workspace"]["members"].as_array().unwrap() {
        let name = format!("{}/Cargo.toml", member.as_str().unwrap());
        let inherits = manifest(&name)["lints"]["workspace"].as_bool();
        assert_eq!(inherits, Some(true), "{name} does not take the workspace's lints");
    }
}

/// `cargo deny` is run by hand and by the workflow; what it bans is looked up here at every run of the tests.
#[test]
fn the_lock_file_has_none_of_the_banned_crates() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| -> toml::Table {
        std::fs::read_to_string(root.join(name)).unwrap().parse().expect("it is TOML")
    };
    let (deny, lock) = (read("deny.toml"), read("Cargo.lock"));
    let of = |list: &toml::Value, key: &str| -> Vec<String> {
        list.as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap().to_string()).collect()
    };
    let (banned, locked) = (of(&deny["bans"]["deny"], "crate"), of(&lock["package"], "name"));
    assert!(banned.len() > 10 && locked.len() > 100);
    let found: Vec<&String> = banned.iter().filter(|name| locked.contains(name)).collect();
    assert!(found.is_empty(), "{found:?}");
    let sources = lock["package"].as_array().unwrap().iter().filter_map(|p| p.get("source"));
    let registry = "registry+https://github.com/rust-lang/crates.io-index";
    for source in sources {
        assert_eq!(source.as_str(), Some(registry));
    }
}
