//! Commands as one can paste them into a POSIX shell, with the run's contexts in them.

use kairos_doctor_checks::Act;
use kairos_doctor_checks::engine::Report;
use kairos_doctor_checks::facts::is_hidden;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::yaml;

/// The arguments with the run's `--context`, so that a command pasted into another window acts on the same cluster.
pub fn argv(argv: &[String], report: &Report) -> Vec<String> {
    let context = match argv.first().map(String::as_str) {
        Some("kubectl") => report.context.as_ref(),
        Some("hcloud") => report.hetzner_context.as_ref(),
        _ => None,
    };
    let mut out = argv.to_vec();
    if let Some(context) = context {
        out.splice(1..1, ["--context".to_string(), context.to_string()]);
    }
    out
}

/// One line that a POSIX shell reads as exactly these arguments.
pub fn line(argv: &[String]) -> String {
    argv.iter().map(|arg| quote(arg)).collect::<Vec<_>>().join(" ")
}

/// The same over several lines of at most `width` columns, broken only between arguments. An option stays with its
/// value where both fit.
pub fn wrapped(argv: &[String], width: usize, indent: usize) -> Vec<String> {
    let margin = " ".repeat(indent);
    let room = |first: bool| width.saturating_sub(indent + if first { 0 } else { 2 });
    let mut lines = vec![String::new()];
    for unit in units(argv, room(false).saturating_sub(2)) {
        let first = lines.len() == 1;
        let last = lines.last_mut().expect("there is a line");
        // ` \` needs two columns, unless this is the end; being strict costs nothing.
        if last.is_empty() {
            *last = unit;
        } else if last.width() + 1 + unit.width() + 2 <= room(first) {
            last.push(' ');
            last.push_str(&unit);
        } else {
            last.push_str(" \\");
            lines.push(unit);
        }
    }
    let place = |(i, line): (usize, &String)| format!("{margin}{}{line}", if i == 0 { "" } else { "  " });
    lines.iter().enumerate().map(place).collect()
}

/// Quoted arguments, an option joined with its value unless the two are wider than `most`.
fn units(argv: &[String], most: usize) -> Vec<String> {
    let mut units: Vec<String> = Vec::new();
    let mut option = false;
    for (i, arg) in argv.iter().enumerate() {
        let quoted = quote(arg);
        let joins = option && !arg.starts_with('-');
        option = i > 0 && arg.starts_with('-') && arg.len() > 1 && !arg.contains('=');
        match units.last_mut() {
            // A value that is too wide anyway is no wider beside its option.
            Some(last) if joins && (last.width() + 1 + quoted.width() <= most || quoted.width() > most) => {
                last.push(' ');
                last.push_str(&quoted);
            }
            _ => units.push(quoted),
        }
    }
    units
}

/// What to type for a step: its lines, the first `indent` columns in. A here-document stands at the margin, where alone
/// the shell sees its end.
pub fn lines(act: &Act, report: &Report, width: usize, indent: usize) -> Vec<String> {
    match act {
        Act::Run(args) => wrapped(&argv(args, report), width, indent),
        Act::Apply(object) => apply(object, report),
        Act::Decide | Act::Write { .. } => Vec::new(),
    }
}

/// `kubectl apply` with the object in a here-document whose end does not occur in it.
fn apply(object: &Value, report: &Report) -> Vec<String> {
    let yaml = yaml::text(object);
    let mut end = "EOF".to_string();
    while yaml.lines().any(|line| line == end) {
        end.push('_');
    }
    let args = ["kubectl", "apply", "-f", "-"].map(String::from);
    let mut lines = vec![format!("{} <<'{end}'", line(&argv(&args, report)))];
    lines.extend(yaml.lines().map(str::to_string));
    lines.push(end);
    lines
}

/// One argument. Control and invisible characters are written as octal for `printf`, so that nothing but print stands in
/// the line; only newlines at the very end stay as they are, because `$(…)` drops them.
fn quote(arg: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    // zsh puts a path in place of a word that begins with an equals sign.
    if !arg.is_empty() && arg.chars().all(bare) && !arg.starts_with('=') {
        return arg.to_string();
    }
    let body = arg.trim_end_matches('\n');
    let tail = &arg[body.len()..];
    if !body.chars().any(is_hidden) {
        return format!("'{}'", arg.replace('\'', r"'\''"));
    }
    let mut octal = String::new();
    for c in body.chars() {
        match c {
            '\\' => octal.push_str(r"\\"),
            '\'' => octal.push_str(r"'\''"),
            // In double quotes an interactive bash looks for its history, whatever quotes are within.
            c if is_hidden(c) || c == '!' => {
                let mut bytes = [0; 4];
                c.encode_utf8(&mut bytes);
                octal.extend(bytes[..c.len_utf8()].iter().map(|b| format!("\\0{b:03o}")));
            }
            c => octal.push(c),
        }
    }
    let tail = if tail.is_empty() { String::new() } else { format!("'{tail}'") };
    format!("\"$(printf %b '{octal}')\"{tail}")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::report::samples;

    /// What a real shell makes of it.
    fn spoken(script: &str) -> Vec<String> {
        let run = Command::new("sh").args(["-c", &format!("printf '%s\\0' {script}")]).output().unwrap();
        assert!(run.status.success(), "{script}: {}", String::from_utf8_lossy(&run.stderr));
        let all = String::from_utf8(run.stdout).unwrap();
        all.strip_suffix('\0').unwrap().split('\0').map(str::to_string).collect()
    }

    fn strings(args: &[&str]) -> Vec<String> {
        args.iter().map(|a| a.to_string()).collect()
    }

    #[test]
    fn hostile_names_reach_the_program_as_they_are() {
        let hostile = strings(&[
            "-n",
            "--",
            "",
            "a b",
            "it's",
            "\"",
            "$(touch /nowhere)",
            "`id`",
            "a\nb",
            "\n",
            "a\n\n",
            "\u{1b}[31m\n",
            "ü…",
            "*",
            "~",
            "a;b",
            "\\",
            "\\n\u{7}",
            "{a,b}",
            "!x",
            "!!\u{7}!x",
            "=ls",
            "#",
            "\u{202e}abc",
            "-e",
            "%s",
            "\u{200b}%b'\\",
        ]);
        assert_eq!(spoken(&line(&hostile)), hostile);
        assert_eq!(spoken(&wrapped(&hostile, 20, 0).join("\n")), hostile);
        let printed = line(&hostile).replace('\n', "");
        assert!(!printed.chars().any(is_hidden), "{printed:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn every_argument_round_trips(
            args in prop::collection::vec("([^\0]{0,12}|[-'\"$`\\\\ \n!*]{0,8}|[a-z./=-]{0,12})", 1..8),
            width in 8usize..90,
        ) {
            prop_assert_eq!(&spoken(&line(&args)), &args);
            prop_assert_eq!(&spoken(&wrapped(&args, width, 4).join("\n")), &args);
        }
    }

    #[test]
    fn lines_break_between_arguments_and_keep_options_with_their_values() {
        let args = strings(&[
            "kubectl",
            "--context",
            "prod",
            "-n",
            "kube-system",
            "patch",
            "helmchart",
            "hcloud-cloud-controller-manager",
            "--type",
            "merge",
            "-p",
            r#"{"spec":{"version":"1.35.0"}}"#,
        ]);
        let lines = wrapped(&args, 80, 4);
        assert_eq!(
            lines,
            [
                r"    kubectl --context prod -n kube-system patch helmchart \",
                r"      hcloud-cloud-controller-manager --type merge \",
                r#"      -p '{"spec":{"version":"1.35.0"}}'"#,
            ]
        );
        assert_eq!(wrapped(&args, 200, 0).len(), 1);
    }

    #[test]
    fn contexts_go_to_the_program_that_knows_them() {
        let mut report = samples::healthy();
        report.context = Some("prod".into());
        report.hetzner_context = Some("my project".into());
        let with = |args: &[&str]| line(&argv(&strings(args), &report));
        assert_eq!(with(&["kubectl", "get", "nodes"]), "kubectl --context prod get nodes");
        assert_eq!(with(&["hcloud", "server", "list"]), "hcloud --context 'my project' server list");
        assert_eq!(with(&["sudo", "systemctl", "restart", "k3s"]), "sudo systemctl restart k3s");
    }

    #[test]
    fn a_here_document_ends_where_it_should() {
        let mut report = samples::healthy();
        report.context = Some("prod".into());
        let object = json!({"kind": "ConfigMap", "data": {"x": "EOF\nEOF_\n$(id)"}});
        let lines = lines(&Act::Apply(object.clone()), &report, 80, 4);
        assert_eq!(lines[0], "kubectl --context prod apply -f - <<'EOF'");
        let script = lines.join("\n").replace("kubectl --context prod apply -f -", "cat");
        let run = Command::new("sh").args(["-c", &script]).output().unwrap();
        let back: Value = serde_saphyr::from_str(std::str::from_utf8(&run.stdout).unwrap()).unwrap();
        assert_eq!(back, object);
        let bare = json!({"data": ["EOF"]});
        assert_eq!(super::lines(&Act::Apply(bare), &report, 80, 4).last().unwrap(), "EOF");
    }
}
