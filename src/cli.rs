//! The command line: what may be asked, and how.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kairos_doctor_checks::{ALL, Check, Severity};

use crate::names::{Names, areas};
use crate::report::catalogue;

#[derive(Parser)]
#[command(
    name = "kairos-doctor",
    version,
    about = "Finds what is wrong between Kairos, k3s and Hetzner Cloud, and says what to do about it.",
    long_about = "Finds what is wrong between Kairos, k3s and Hetzner Cloud, and says what to do about it.\n\n\
        Reads the running cluster, the Hetzner Cloud API and the kubelets' certificates, and changes nothing. \
        Without a command it diagnoses the cluster of the current kubeconfig context.",
    after_help = "Exit status: 0 nothing found, 1 a finding at or above --fail-on, 2 it could not be attempted, \
        3 nothing found but a check could not look.\n\
        Without a cluster at hand: kairos-doctor demo",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub check: CheckArgs,
}

#[derive(Subcommand)]
pub enum Command {
    /// Diagnose a cluster (the default)
    Check(CheckArgs),
    /// Diagnose a cluster that is built in; needs nothing
    Demo {
        /// Which one; `demo --list` names them
        #[arg(value_parser = Names::Clusters, hide_possible_values = true)]
        name: Option<String>,
        /// Name the clusters that are built in
        #[arg(long)]
        list: bool,
        #[command(flatten)]
        report: ReportArgs,
    },
    /// Record a cluster's facts, to be diagnosed elsewhere with --from
    ///
    /// Names and addresses in it are pseudonyms unless --no-redact is given. Ends with status 3 when something could not be
    /// recorded; what could is written all the same.
    Collect {
        /// Where to (.json, .json.gz, or - for standard output)
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        #[command(flatten)]
        live: LiveArgs,
        #[command(flatten)]
        redact: RedactArgs,
        /// Say more about what was read
        #[arg(short, long)]
        verbose: bool,
    },
    /// List every check by area
    Checks {
        /// The form of the list
        #[arg(short, long, value_enum, default_value = "terminal")]
        output: ListFormat,
        #[command(flatten)]
        paint: PaintArgs,
    },
    /// Show a check's page, its causes and effects, and what its finding looks like
    Explain {
        /// A code (KD301) or slug (load-balancer-location)
        #[arg(value_parser = Names::Checks, hide_possible_values = true)]
        check: String,
        #[command(flatten)]
        paint: PaintArgs,
    },
    /// Print a completion script for a shell
    Completions {
        /// For which shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
    /// Print the JSON Schema of `-o json`
    Schema,
    /// Print the least Kubernetes rights that a run needs, as manifests
    Rbac,
}

#[derive(Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub live: LiveArgs,
    /// Diagnose a recorded cluster instead of a live one (- for standard input)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kubeconfig", "context", "as_user", "hcloud_token_file", "hcloud_context", "no_hetzner", "timeout"])]
    pub from: Option<PathBuf>,
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Where the live cluster is.
#[derive(Args)]
#[command(next_help_heading = "The cluster")]
pub struct LiveArgs {
    /// The kubeconfig file [default: $KUBECONFIG, ~/.kube/config, or the pod's service account]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig context
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Act as another user, as `kubectl --as`
    #[arg(id = "as_user", long = "as", value_name = "USER")]
    pub as_user: Option<String>,
    /// A file with the Hetzner Cloud token [default: HCLOUD_TOKEN, HCLOUD_TOKEN_FILE, or the hcloud context]
    #[arg(long, value_name = "FILE")]
    pub hcloud_token_file: Option<PathBuf>,
    /// The hcloud context [default: HCLOUD_CONTEXT, or the active one]
    #[arg(long, value_name = "NAME", conflicts_with = "hcloud_token_file")]
    pub hcloud_context: Option<String>,
    /// Leave the Hetzner API out, on purpose
    #[arg(long, conflicts_with_all = ["hcloud_token_file", "hcloud_context"])]
    pub no_hetzner: bool,
    /// How long the whole run may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub timeout: Duration,
}

#[derive(Args)]
#[command(next_help_heading = "The report")]
pub struct ReportArgs {
    /// The form of the report
    #[arg(short, long, value_enum, default_value = "terminal")]
    pub output: Format,
    /// Write the same report in another form to a file too (repeatable)
    #[arg(long, value_name = "FORMAT=PATH", value_parser = output_file)]
    pub output_file: Vec<(Format, PathBuf)>,
    /// Run only these checks: codes, slugs or areas
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = Names::ChecksAndAreas, hide_possible_values = true)]
    pub only: Vec<String>,
    /// Leave these checks out: codes, slugs or areas
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = Names::ChecksAndAreas, hide_possible_values = true)]
    pub skip: Vec<String>,
    /// Show findings from this severity on; the others are counted
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "info")]
    pub min_severity: Level,
    /// End with status 1 from this severity on [default: warning; of demo: never]; `new` counts only what is new or worse
    /// than in --baseline, from warning on
    #[arg(long, value_enum, value_name = "SEVERITY", overrides_with = "fail_on")]
    pub fail_on: Option<FailOn>,
    /// Say what is new, worse, fixed or unchanged since an earlier report (of -o json). It may be missing where
    /// --output-file json= writes the same file: then this is the first run
    #[arg(long, value_name = "REPORT.json")]
    pub baseline: Option<PathBuf>,
    /// Leave findings that are accepted out of the count: YAML with `check`, `object`, `reason` and `until` for each
    #[arg(long, value_name = "FILE")]
    pub suppressions: Option<PathBuf>,
    #[command(flatten)]
    pub redact: RedactArgs,
    #[command(flatten)]
    pub paint: PaintArgs,
    /// Only the verdict and the headlines
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Everything: all evidence, every check, what was read
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Args, Clone, Copy)]
pub struct RedactArgs {
    /// Replace addresses, identifiers and the names of machines by pseudonyms [default for markdown and collect]
    #[arg(long, overrides_with = "no_redact")]
    pub redact: bool,
    /// Leave all of them as they are
    #[arg(long, overrides_with = "redact")]
    pub no_redact: bool,
}

impl RedactArgs {
    /// What was asked for, or else the default.
    pub fn or(self, default: bool) -> bool {
        self.redact || (default && !self.no_redact)
    }
}

#[derive(Args, Clone, Copy)]
pub struct PaintArgs {
    /// When to use colour; NO_COLOR is honoured
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: Colour,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Terminal,
    Json,
    Markdown,
    Html,
    /// Metrics for node_exporter's textfile collector
    Prometheus,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    Terminal,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Level {
    Critical,
    Error,
    Warning,
    Info,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Severity {
        match level {
            Level::Critical => Severity::Critical,
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
            Level::Info => Severity::Info,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    Critical,
    Error,
    Warning,
    Info,
    Never,
    #[value(name = "new", alias = "new:warning")]
    New,
    #[value(name = "new:critical")]
    NewCritical,
    #[value(name = "new:error")]
    NewError,
    #[value(name = "new:info")]
    NewInfo,
}

impl FailOn {
    /// The severity to fail on; `None` for never.
    pub fn severity(self) -> Option<Severity> {
        match self {
            FailOn::Critical | FailOn::NewCritical => Some(Severity::Critical),
            FailOn::Error | FailOn::NewError => Some(Severity::Error),
            FailOn::Warning | FailOn::New => Some(Severity::Warning),
            FailOn::Info | FailOn::NewInfo => Some(Severity::Info),
            FailOn::Never => None,
        }
    }

    /// Whether only what is new or worse than in the baseline counts.
    pub fn is_of_news(self) -> bool {
        matches!(self, FailOn::New | FailOn::NewCritical | FailOn::NewError | FailOn::NewInfo)
    }
}

/// The checks that `--only` and `--skip` leave.
///
/// # Errors
/// A name that is no code, slug or area, with the nearest that is.
pub fn chosen(only: &[String], skip: &[String]) -> Result<Vec<&'static Check>, String> {
    let named = |names: &[String], option: &str| -> Result<Vec<&'static str>, String> {
        let mut codes = Vec::new();
        for name in names.iter().map(|n| n.trim()).filter(|n| !n.is_empty()) {
            let area: Vec<_> =
                ALL.iter().filter(|c| c.area() == name.to_ascii_lowercase().replace('_', "-")).collect();
            if area.is_empty() {
                let wrong = |e| format!("{option}: {e} (areas: {})", areas().join(", "));
                codes.push(catalogue::find(ALL, name).map_err(wrong)?.code);
            }
            codes.extend(area.iter().map(|c| c.code));
        }
        Ok(codes)
    };
    let (wanted, unwanted) = (named(only, "--only")?, named(skip, "--skip")?);
    let keep =
        |c: &&&'static Check| (only.is_empty() || wanted.contains(&c.code)) && !unwanted.contains(&c.code);
    let left: Vec<_> = ALL.iter().filter(keep).copied().collect();
    if left.is_empty() { Err("--only and --skip leave no check to run".into()) } else { Ok(left) }
}

fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "a time such as 30s, 2m or 500ms is wanted".to_string();
    let seconds = text.parse::<u32>().map(|s| format!("{s}s"));
    let span: jiff::SignedDuration = seconds.as_deref().unwrap_or(text).parse().map_err(|_| wrong())?;
    let time = Duration::try_from(span).map_err(|_| wrong())?;
    if time.is_zero() || time > Duration::from_secs(3600) {
        Err("it must be between 1 ms and 1 h".into())
    } else {
        Ok(time)
    }
}

fn output_file(text: &str) -> Result<(Format, PathBuf), String> {
    let (format, path) = text.split_once('=').ok_or("FORMAT=PATH is wanted, such as json=report.json")?;
    if path.is_empty() {
        return Err("the path is missing".into());
    }
    let known = Format::from_str(format, true).map_err(|_| {
        let names: Vec<_> =
            Format::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
        let names: Vec<&str> = names.iter().map(|name| name.get_name()).collect();
        format!("`{format}` is none of {}", names.join(", "))
    })?;
    Ok((known, path.into()))
}
