//! Each claim of `SECURITY.md` names tests, and each name is a test's.

use std::path::{Path, PathBuf};

/// Where modules of tests are: the crates' sources and the binaries of integration tests.
const ROOTS: [&str; 4] = ["tests/it", "src", "checks", "tests/simulator/tests/it"];

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("SECURITY.md")).unwrap()
}

/// The names of tests in a text: what stands in backticks and is a path of Rust modules.
fn names(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|name| name.contains("::") && !name.contains(' ')).collect()
}

/// The files that may be the module: `a::b::tests` is `a/b/tests.rs`, `a/b/tests/mod.rs`, or written inside `a/b.rs`, and so on.
fn files(root: &str, modules: &[&str]) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
    let inside = modules.strip_suffix(&["tests"]).unwrap_or(modules);
    let mut found = Vec::new();
    for modules in [modules, inside] {
        let path = modules.iter().fold(root.clone(), |path, module| path.join(module));
        found.extend([path.with_extension("rs"), path.join("mod.rs")]);
    }
    found.retain(|path| path.is_file());
    found
}

/// Whether such a test is in that file: a function, alone or with the arguments of a property, right after the attribute.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_it = |line: &str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('('))
    };
    let is_mark =
        |line: &&str| matches!(*line, "#[test]" | "#[tokio::test]") || line.starts_with("#[tokio::test(");
    let marked = |at: usize| lines[..at].iter().rev().take_while(|l| l.starts_with("#[")).any(is_mark);
    lines.iter().enumerate().any(|(at, line)| is_it(line) && marked(at))
}

fn exists(name: &str) -> bool {
    let mut modules: Vec<&str> = name.split("::").collect();
    let test = modules.pop().expect("a path has a last part");
    ROOTS
        .iter()
        .flat_map(|root| files(root, &modules))
        .any(|file| has_test(&std::fs::read_to_string(file).unwrap(), test))
}

#[test]
fn every_test_that_is_named_exists() {
    let page = page();
    let named = names(&page);
    assert!(named.len() > 30, "{}", named.len());
    let missing: Vec<&&str> = named.iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "no such test: {missing:#?}");
    for wrong in ["harmless::guard::no_such_test", "no::module", "harmless::listed::is_listed"] {
        assert!(!exists(wrong), "{wrong}");
    }
}

#[test]
fn every_claim_names_a_test() {
    let page = page();
    let claims: Vec<&str> =
        page.split("\n- ").skip(1).map(|claim| claim.split("\n\n").next().unwrap()).collect();
    assert!(claims.len() > 25, "{}", claims.len());
    for claim in claims {
        assert!(!names(claim).is_empty(), "no test holds: {claim}");
    }
}
