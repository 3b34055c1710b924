//! The manual page: one for the whole program, made from the command line's own descriptions.

use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use kairos_doctor_checks::ALL;

/// What the environment is asked for.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("KUBECONFIG", "Kubeconfig files, separated by colons, as for kubectl."),
    (
        "KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT",
        "Set in a pod, where its service account is taken if there is no kubeconfig.",
    ),
    (
        "HCLOUD_TOKEN, HCLOUD_TOKEN_FILE",
        "The Hetzner Cloud token, or a file with it. A read-only token is enough.",
    ),
    (
        "HCLOUD_CONTEXT, HCLOUD_CONFIG",
        "The context of the hcloud CLI whose token is taken, and the file in which it is looked for.",
    ),
    ("HCLOUD_ENDPOINT", "The address of the Hetzner Cloud API."),
    (
        "HTTPS_PROXY, ALL_PROXY, NO_PROXY",
        "The way to the Kubernetes API and the Hetzner API, in capitals or not. Kubelets are dialled directly.",
    ),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "Certificate authorities to trust instead of the system's, for the Hetzner API.",
    ),
    ("NO_COLOR, TERM", "With NO_COLOR set to anything, or TERM to dumb, there is no colour by itself."),
    ("COLUMNS", "The width of the report, instead of the terminal's."),
    ("PAGER, LESS", "What shows a page of explain on a terminal."),
    ("CI", "Set to anything: no progress is shown."),
    ("HOME, APPDATA", "Where ~/.kube/config and the hcloud CLI's cli.toml are looked for."),
];

const EXIT: &[(&str, &str)] = &[
    ("0", "Nothing was found at or above --fail-on (by default: warning), and every check could look."),
    ("1", "Something was found."),
    (
        "2",
        "It could not be attempted: a wrong option, no kubeconfig, an unreadable recording. Standard output stays empty. An \
         API server that does not answer is a finding (KD100), not this.",
    ),
    ("3", "Nothing was found, but at least one check could not look."),
];

const FILES: &[(&str, &str)] = &[
    ("~/.kube/config", "The kubeconfig where neither --kubeconfig nor KUBECONFIG names another."),
    ("/etc/rancher/k3s/k3s.yaml", "The kubeconfig on a k3s server; name it with --kubeconfig."),
    (
        "/var/run/secrets/kubernetes.io/serviceaccount",
        "The pod's service account, taken where there is no kubeconfig.",
    ),
    ("~/.config/hcloud/cli.toml", "The contexts of the hcloud CLI."),
];

const EXAMPLES: &[(&str, &str)] = &[
    ("kairos-doctor", "Diagnoses the cluster of the current kubeconfig context."),
    ("kairos-doctor demo", "Shows a diagnosis without a cluster at hand."),
    ("kairos-doctor --only load-balancers,KD110", "Runs the checks of one area and one more."),
    ("kairos-doctor explain KD301", "Tells why it happens and how to confirm it by hand."),
    ("kairos-doctor -o markdown --output-file json=report.json", "Writes the same report in two forms."),
    (
        "kairos-doctor collect -o facts.json.gz",
        "Records the cluster under pseudonyms, to be diagnosed elsewhere.",
    ),
    ("kairos-doctor --from facts.json.gz", "Diagnoses that recording."),
    (
        "kairos-doctor rbac | kubectl apply -f -",
        "Grants a service account what a run reads, and nothing else.",
    ),
];

/// The page in roff, for `man -l -`.
pub fn page(mut command: Command) -> String {
    command.build();
    let man = Man::new(command.clone()).manual("kairos-doctor");
    let mut out = Vec::new();
    let written = man
        .render_title(&mut out)
        .and_then(|()| man.render_name_section(&mut out))
        .and_then(|()| synopsis(&command).to_writer(&mut out))
        .and_then(|()| man.render_description_section(&mut out))
        .and_then(|()| commands(&command).to_writer(&mut out))
        .and_then(|()| man.render_options_section(&mut out))
        .and_then(|()| rest().to_writer(&mut out))
        .and_then(|()| checks().to_writer(&mut out))
        .and_then(|()| see_also().to_writer(&mut out));
    written.expect("memory can be written to");
    String::from_utf8(out).expect("roff is text")
}

fn synopsis(command: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([
        bold("kairos-doctor"),
        roman(" ["),
        bold("check"),
        roman("] ["),
        italic("OPTION"),
        roman("]…"),
    ]);
    for sub in visible(command).filter(|sub| sub.get_name() != "check") {
        roff.control("br", []);
        let mut line = vec![bold("kairos-doctor "), bold(sub.get_name())];
        for arg in sub.get_arguments().filter(|arg| arg.is_required_set() || arg.is_positional()) {
            let name = value(arg);
            line.push(roman(" "));
            match (arg.get_short(), arg.is_required_set()) {
                (Some(short), _) => line.extend([bold(format!("-{short} ")), italic(name)]),
                (None, true) => line.push(italic(name)),
                (None, false) => line.extend([roman("["), italic(name), roman("]")]),
            }
        }
        if sub.get_arguments().any(|arg| !arg.is_positional() && !arg.is_required_set() && !is_help(arg)) {
            line.extend([roman(" ["), italic("OPTION"), roman("]…")]);
        }
        roff.text(line);
    }
    roff
}

/// Each command, with the options that only it has, and the names of those that are told further down.
fn commands(command: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    let told = |arg: &Arg| {
        let same = |other: &&Arg| other.get_id() == arg.get_id() && other.get_help() == arg.get_help();
        command.get_arguments().find(same).is_some()
    };
    for sub in visible(command) {
        roff.control("SS", [sub.get_name()]);
        roff.text([roman(format!("{}.", sub.get_about().map(ToString::to_string).unwrap_or_default()))]);
        let (shared, own): (Vec<&Arg>, Vec<&Arg>) =
            sub.get_arguments().filter(|arg| !is_help(arg) && !arg.is_hide_set()).partition(|arg| told(arg));
        for arg in own {
            roff.control("TP", []);
            roff.text(flags(arg));
            roff.text([roman(told_of(arg))]);
        }
        if sub.get_name() == "check" || shared.is_empty() {
            continue;
        }
        roff.control("PP", []);
        let mut line = vec![roman("Takes too, as told below: ")];
        for (n, arg) in shared.iter().enumerate() {
            line.push(roman(if n == 0 { "" } else { ", " }));
            line.push(bold(format!("--{}", arg.get_long().unwrap_or_default())));
        }
        line.push(roman("."));
        roff.text(line);
    }
    roff
}

/// What it is for, and what may stand there.
fn told_of(arg: &Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    if arg.is_hide_possible_values_set() || !arg.get_action().takes_values() {
        return format!("{help}.");
    }
    let values = arg.get_possible_values();
    let values: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
    if values.is_empty() { format!("{help}.") } else { format!("{help}: {}.", values.join(", ")) }
}

/// Every check by area, as --only, --skip and explain take it.
fn checks() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["CHECKS"]);
    let mut area = "";
    for check in ALL {
        if check.area() != area {
            area = check.area();
            roff.control("SS", [area]);
        }
        roff.control("TP", []);
        roff.text([bold(check.code), roman(" "), bold(check.slug)]);
        roff.text([roman(format!("Healthy when {}.", check.title))]);
    }
    roff
}

fn rest() -> Roff {
    let mut roff = Roff::new();
    for (title, rows) in
        [("EXIT STATUS", EXIT), ("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES), ("EXAMPLES", EXAMPLES)]
    {
        roff.control("SH", [title]);
        for (what, tells) in rows {
            roff.control("TP", []);
            roff.text([bold(*what)]);
            roff.text([roman(*tells)]);
        }
    }
    roff
}

fn see_also() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("kubectl"), roman("(1), "), bold("hcloud"), roman("(1), "), bold("k3s"), roman("(1)")]);
    roff
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set())
}

fn is_help(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "version")
}

fn value(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    names.first().map_or_else(|| arg.get_id().to_string().to_uppercase(), ToString::to_string)
}

fn flags(arg: &Arg) -> Vec<Inline> {
    if arg.is_positional() {
        return vec![italic(value(arg))];
    }
    let mut line: Vec<Inline> = Vec::new();
    line.extend(arg.get_short().map(|short| bold(format!("-{short}, "))));
    line.push(bold(format!("--{}", arg.get_long().unwrap_or_default())));
    if arg.get_action().takes_values() {
        line.extend([roman(" "), italic(value(arg))]);
    }
    line
}
