//! The workflows: whose code they run, and what they may do.

use serde_json::Value;

fn workflow(name: &str) -> (String, Value) {
    let path = super::path("..").join(".github/workflows").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
    let parsed = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
    (text, parsed)
}

const ALL: [&str; 2] = ["ci.yml", "release.yml"];

/// Pinned to a commit, of which the version is written beside it, and each job with its own rights.
#[test]
fn every_action_is_pinned_and_every_right_is_named() {
    for name in ALL {
        let (text, workflow) = workflow(name);
        let used: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("- uses: ")).collect();
        assert!(!used.is_empty() && used.len() == text.matches("uses:").count(), "{name}");
        for action in used {
            let pinned = action.split_once('@').and_then(|(_, rest)| rest.split_once(" # v"));
            let is_commit = |sha: &str| sha.len() == 40 && sha.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(pinned.is_some_and(|(sha, _)| is_commit(sha)), "{name}: {action}");
        }
        let top = workflow["permissions"].as_object().expect("the workflow's own rights");
        assert!(top.values().all(|right| right == "read"), "{name}: {top:?}");
        for (job, parts) in workflow["jobs"].as_object().unwrap() {
            let rights = parts["permissions"].as_object();
            assert!(rights.is_some() || !top.is_empty(), "{name}: {job} has no rights of its own");
            let writes = rights.into_iter().flatten().filter(|(_, right)| *right == "write");
            let writes: Vec<&str> = writes.map(|(what, _)| what.as_str()).collect();
            let wanted: &[&str] = match (name, job.as_str()) {
                ("release.yml", "binary") => &["attestations", "id-token"],
                ("release.yml", "image") => &["attestations", "id-token", "packages"],
                ("release.yml", "release") => &["contents"],
                _ => &[],
            };
            let mut sorted = writes.clone();
            sorted.sort();
            assert_eq!(sorted, wanted, "{name}: {job}");
            assert!(parts["timeout-minutes"].is_u64(), "{name}: {job}");
        }
        assert!(!text.contains("pull_request_target"), "{name}");
        assert_eq!(
            text.matches("actions/checkout@").count(),
            text.matches("persist-credentials: false").count()
        );
    }
}

/// No text that somebody else writes becomes part of a script.
#[test]
fn scripts_have_no_expressions_in_them() {
    for name in ALL {
        let (_, workflow) = workflow(name);
        for (job, parts) in workflow["jobs"].as_object().unwrap() {
            for step in parts["steps"].as_array().unwrap() {
                let script = step["run"].as_str().unwrap_or_default();
                assert!(!script.contains("${{"), "{name}: {job}: {script}");
            }
        }
    }
}

/// What is released is what the tests here build and run, and the image has these binaries.
#[test]
fn the_release_is_the_static_binary_of_this_source() {
    let (text, workflow) = workflow("release.yml");
    assert!(text.contains("cargo build --locked --profile dist --target \"$TARGET\" --bin kairos-doctor"));
    assert!(text.contains("RUSTFLAGS: -C target-feature=+crt-static"));
    let machines: Vec<&str> = workflow["jobs"]["binary"]["strategy"]["matrix"]["include"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["machine"].as_str())
        .collect();
    assert_eq!(machines, ["x86_64", "aarch64"]);
    let copied = super::text("Containerfile");
    for (machine, architecture) in [("x86_64", "amd64"), ("aarch64", "arm64")] {
        let line = format!(
            "cp released/kairos-doctor-{machine}-unknown-linux-gnu dist/kairos-doctor-{architecture}"
        );
        assert!(text.contains(&line), "{line}");
    }
    assert!(copied.contains("COPY --chmod=0755 dist/kairos-doctor-${TARGETARCH} /kairos-doctor"));
    assert!(text.contains("--build-arg BINARY=released"));
}
