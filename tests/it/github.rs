//! What GitHub gets: the issue form, the documents, and the comment that a job keeps up to date.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;
use kairos_doctor::cli::Cli;
use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&file(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn forms() -> Vec<String> {
    let folder = std::fs::read_dir(Path::new(ROOT).join(".github/ISSUE_TEMPLATE")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "config.yml").map(|name| format!(".github/ISSUE_TEMPLATE/{name}")).collect()
}

/// GitHub's form schema, as its documentation states it: a form that breaks it is not offered, without a word.
#[test]
fn the_issue_forms_follow_githubs_schema() {
    let only = |value: &Value, keys: &[&str], at: &str| {
        for key in value.as_object().unwrap_or_else(|| panic!("{at} is no mapping")).keys() {
            assert!(keys.contains(&&**key), "{at} has `{key}`");
        }
    };
    let forms = forms();
    assert!(!forms.is_empty());
    for form in forms {
        let document = yaml(&form);
        only(
            &document,
            &["name", "description", "body", "title", "labels", "assignees", "projects", "type"],
            &form,
        );
        for key in ["name", "description"] {
            assert!(document[key].as_str().is_some_and(|text| text.len() > 3), "{form}: {key}");
        }
        let (mut ids, mut labels, mut asks) = (BTreeSet::new(), BTreeSet::new(), 0);
        for (i, element) in document["body"].as_array().expect("body is a list").iter().enumerate() {
            let at = format!("{form}: body[{i}]");
            let (kind, attributes) = (element["type"].as_str().unwrap(), &element["attributes"]);
            only(element, &["type", "id", "attributes", "validations"], &at);
            if let Some(id) = element["id"].as_str() {
                assert!(
                    id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')),
                    "{at}: {id}"
                );
                assert!(ids.insert(id.to_string()), "{at}: a second `{id}`");
            }
            let known: &[&str] = match kind {
                "markdown" => &["value"],
                "input" => &["label", "description", "placeholder", "value"],
                "textarea" => &["label", "description", "placeholder", "value", "render"],
                "dropdown" => &["label", "description", "multiple", "options", "default"],
                "checkboxes" => &["label", "description", "options"],
                other => panic!("{at}: no element is of type {other}"),
            };
            only(attributes, known, &at);
            let needed = if kind == "markdown" { "value" } else { "label" };
            let text = attributes[needed].as_str().unwrap_or_else(|| panic!("{at} has no {needed}"));
            if kind != "markdown" {
                assert!(labels.insert(text.to_string()), "{at}: a second label `{text}`");
                asks += 1;
            }
            for option in attributes["options"].as_array().into_iter().flatten() {
                only(option, &["label", "required"], &at);
            }
            only(
                &element.get("validations").cloned().unwrap_or(Value::Object(Default::default())),
                &["required"],
                &at,
            );
        }
        assert!(asks > 0, "{form} asks for nothing");
        // the report is Markdown: in a code block it would be no table and fold nothing
        let report = document["body"]
            .as_array()
            .unwrap()
            .iter()
            .find(|e| e["id"] == "report")
            .expect("it asks for the report");
        assert_eq!((&report["type"], report["attributes"].get("render")), (&Value::from("textarea"), None));
    }
    let config = yaml(".github/ISSUE_TEMPLATE/config.yml");
    only(&config, &["blank_issues_enabled", "contact_links"], "config.yml");
    assert!(config["blank_issues_enabled"].is_boolean());
}

/// Every command line of ours in what people copy from is one that the program takes.
#[test]
fn the_commands_that_are_named_exist() {
    let mut files = forms();
    files.extend([
        "docs/github.md".to_string(),
        "README.md".to_string(),
        "deploy/github/comment".to_string(),
    ]);
    let mut seen = 0;
    for path in &files {
        let text = file(path);
        let lines =
            text.lines().filter(|line| line.trim_start().starts_with("kairos-doctor ")).map(str::trim);
        let spans = text.split('`').skip(1).step_by(2).filter(|span| span.starts_with("kairos-doctor "));
        for command in lines.chain(spans).filter(|command| !command.contains('\n')) {
            let words = command
                .split(" #")
                .next()
                .unwrap_or_default()
                .split(['>', '|', ';'])
                .next()
                .unwrap_or_default();
            let words = words.split_whitespace().map(|word| word.trim_matches('"'));
            let words: Vec<&str> = words.filter(|word| *word != "$@").collect();
            if let Err(error) = Cli::try_parse_from(&words) {
                use clap::error::ErrorKind::{DisplayHelp, DisplayVersion};
                assert!(matches!(error.kind(), DisplayHelp | DisplayVersion), "{path}: `{command}`: {error}");
            }
            seen += 1;
        }
    }
    assert!(seen > 6, "{seen}");
}

#[test]
fn the_documents_name_files_that_exist() {
    let text = file("docs/github.md") + &file("README.md");
    for path in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let path = path.trim_start_matches("../");
        assert!(path.starts_with("https://") || Path::new(ROOT).join(path).exists(), "{path}");
    }
}

/// A `gh` that keeps the comments of one issue in a folder, and takes the calls of `deploy/github/comment` and no other. GitHub itself
/// cannot be asked in a test.
const GH: &str = r#"#!/bin/sh
set -eu
folder=${0%/*}
echo "$*" >>"$folder/calls"
case "$*" in
  "api --paginate repos/o/r/issues/7/comments --jq .[] | select(.body | startswith(env.mark)) | .id")
    for comment in "$folder"/comment-*; do
      [ -e "$comment" ] || continue
      case $(cat "$comment") in "$mark"*) echo "${comment##*-}" ;; esac
    done ;;
  "api --silent --method POST repos/o/r/issues/7/comments -F body=@"*)
    n=$(($(ls "$folder" | grep -c '^comment-' || true) + 1))
    cp "${*#*@}" "$folder/comment-$n" ;;
  "api --silent --method PATCH repos/o/r/issues/comments/"*)
    path=${*%% -F*}
    cp "${*#*@}" "$folder/comment-${path##*/}" ;;
  *) echo "unknown call: $*" >&2; exit 9 ;;
esac
"#;

#[test]
fn a_job_updates_its_own_comment() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path: PathBuf = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    put("gh", GH);
    put("kairos-doctor", &format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_kairos-doctor")));
    put("comment-1", "somebody else's words");
    let bundle = |name: &str, fixture: &str, change: &dyn Fn(&mut Value)| {
        let mut bundle = kairos_doctor::fixture::Fixture::named(fixture).unwrap().bundle();
        change(&mut bundle);
        put(name, &bundle.to_string())
    };
    let uid = |uid: &'static str| {
        move |bundle: &mut Value| {
            let spaces = bundle["parts"]["namespaces"].as_array_mut().unwrap();
            let system = spaces.iter_mut().find(|n| n["metadata"]["name"] == "kube-system").unwrap();
            system["metadata"]["uid"] = uid.into();
        }
    };
    let (ours, theirs) =
        (uid("66666666-0000-4000-8000-000000000006"), uid("77777777-0000-4000-8000-000000000007"));
    let broken = bundle("broken.json", "incidents/field-report", &ours);
    let healthy = bundle("healthy.json", "healthy/hcm-only-1", &ours);
    let other = bundle("other.json", "healthy/hcm-only-1", &theirs);
    let unread = bundle("unread.json", "healthy/hcm-only-1", &|b| {
        drop(b["parts"].as_object_mut().unwrap().remove("namespaces"))
    });
    let run = |from: &Path, args: &[&str]| {
        let mut command = Command::new("/bin/sh");
        command
            .arg(Path::new(ROOT).join("deploy/github/comment"))
            .args(["o/r", "7", "--from"])
            .arg(from)
            .args(args);
        command.env_clear().env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()));
        let output = command.output().unwrap();
        assert!(!String::from_utf8_lossy(&output.stderr).contains("unknown call"), "{output:?}");
        output.status.code().unwrap()
    };
    let comments = || {
        let names =
            std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.starts_with("comment-")).collect();
        names.sort();
        names
            .iter()
            .map(|name| std::fs::read_to_string(folder.path().join(name)).unwrap())
            .collect::<Vec<_>>()
    };

    assert_eq!(run(&broken, &[]), 1);
    assert!(comments().len() == 2 && comments()[1].contains("things to fix"), "{:?}", comments());
    assert_eq!(run(&healthy, &[]), 0);
    assert!(comments().len() == 2 && comments()[1].contains("nothing found"), "{:?}", comments());
    let before = comments().len();
    assert_eq!(run(&other, &[]), 0);
    assert_eq!(comments().len(), before + 1, "another cluster has a comment of its own");
    assert_eq!(run(&other, &["--no-redact"]), 0);
    assert_eq!(comments().len(), before + 1, "and the same under its own names");
    run(&unread, &[]);
    assert_eq!(comments().len(), before + 1, "without a UID the first report is updated");
    assert_eq!(comments()[0], "somebody else's words");
    assert_eq!(
        run(Path::new("/nonexistent.json"), &[]),
        2,
        "nothing is posted, and the status is the doctor's"
    );
    assert_eq!(comments().len(), before + 1);
}

/// The filter of `deploy/github/comment`, by jq itself, whose language `gh` speaks.
#[test]
fn the_filter_finds_the_comment_of_the_mark() {
    let script = file("deploy/github/comment");
    let filter = script.split("--jq '").nth(1).and_then(|rest| rest.split('\'').next()).expect("a filter");
    let mut jq = Command::new("jq");
    jq.arg("-r")
        .arg(filter)
        .env("mark", "<!-- kairos-doctor: report/v1 0a -->")
        .stdin(std::process::Stdio::piped());
    let Ok(mut child) = jq.stdout(std::process::Stdio::piped()).spawn() else {
        eprintln!("skipped: no jq here");
        return;
    };
    let body = |id: u64, body: &str| serde_json::json!({"id": id, "body": body});
    let comments = serde_json::json!([
        body(1, "see <!-- kairos-doctor: report/v1 0a -->"),
        body(2, "<!-- kairos-doctor: report/v1 0b -->\n"),
        body(3, "<!-- kairos-doctor: report/v1 0a -->\n\n### ok"),
    ]);
    use std::io::Write;
    child.stdin.take().unwrap().write_all(comments.to_string().as_bytes()).unwrap();
    assert_eq!(String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout), "3\n");
}
