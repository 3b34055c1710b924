//! Does what the command line asks for.

use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::{CommandFactory, Parser};
use kairos_doctor_checks::engine;
use kairos_doctor_checks::facts::{Facts, NEEDS, Need, Replaced, Why, is_hidden};
use kairos_doctor_checks::{ALL, Check, Severity};

use crate::cli::{
    CheckArgs, Cli, Colour, Command, FailOn, Format, ListFormat, LiveArgs, PaintArgs, RedactArgs, ReportArgs,
    chosen,
};
use crate::collect::{self, Plan};
use crate::prior::{Judged, Prior};
use crate::redact::{self, Dictionary};
use crate::report::{Listed, Outcome, Reads, View, catalogue, html, json, markdown, prometheus, terminal};
use crate::{bundle_file, completions, demo, man, pager, rbac};

/// It could not be attempted: usage, no kubeconfig, an unreadable bundle.
const NOT_ATTEMPTED: u8 = 2;

/// Something could not be seen: the status of a report without findings, and of a recording that lacks something.
const INCOMPLETE: u8 = 3;

/// Runs the program and gives its exit status.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            wrong(&error);
            return ExitCode::from(if error.use_stderr() { NOT_ATTEMPTED } else { 0 });
        }
    };
    // kube and reqwest ask for the process default; one TLS stack, one provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A check that panics is caught and reported as unknown; the default hook would print a trace besides.
    std::panic::set_hook(Box::new(|panic| say(&format!("kairos-doctor: a bug, please report it: {panic}"))));
    // A bug outside of the checks: the hook has said so, and a script must not take it for an answer.
    match std::panic::catch_unwind(|| run(cli)) {
        Err(_) => ExitCode::from(NOT_ATTEMPTED),
        Ok(Ok(exit)) => ExitCode::from(exit),
        Ok(Err(message)) => {
            say(&format!("kairos-doctor: {message}"));
            ExitCode::from(NOT_ATTEMPTED)
        }
    }
}

fn run(cli: Cli) -> Result<u8, String> {
    match cli.command {
        None => check(cli.check),
        Some(Command::Check(args)) => check(args),
        Some(Command::Demo { list: true, report, .. }) => {
            let all = demo::all();
            let named = all.iter().map(|fixture| (demo::short(fixture), fixture.what()));
            print(&catalogue::names(named, &plain_view(report.paint)))
        }
        Some(Command::Demo { name, report, .. }) => demonstrate(name.as_deref(), report),
        Some(Command::Collect { output, live, redact, verbose }) => collect(&output, live, redact, verbose),
        Some(Command::Checks { output: ListFormat::Json, .. }) => {
            print(&(serde_json::to_string_pretty(&catalogue::list_json(ALL)).expect("plain data") + "\n"))
        }
        Some(Command::Checks { paint, .. }) => print(&catalogue::list(ALL, &plain_view(paint))),
        Some(Command::Explain { check, paint }) => explain(&check, paint),
        Some(Command::Completions { shell }) => print(&completions::script(shell, Cli::command())),
        Some(Command::Man) => print(&man::page(Cli::command())),
        Some(Command::Schema) => print(&json::schema()),
        Some(Command::Rbac) => print(&rbac::yaml()),
    }
}

fn check(args: CheckArgs) -> Result<u8, String> {
    let checks = chosen(&args.report.only, &args.report.skip)?;
    let prior = Prior::read(&args.report)?;
    let (facts, reads) = match &args.from {
        Some(path) => (bundle_file::read(path).map_err(|e| format!("--from: {e}"))?, None),
        None => {
            let (facts, reads) = live(&args.live, collect::needs_of(&checks))?;
            (facts, Some(reads))
        }
    };
    let fail_on = Some(args.report.fail_on.unwrap_or(FailOn::Warning));
    tell(facts, &checks, &prior, &args.report, fail_on, reads)
}

fn demonstrate(name: Option<&str>, args: ReportArgs) -> Result<u8, String> {
    let checks = chosen(&args.only, &args.skip)?;
    let prior = Prior::read(&args)?;
    let facts = demo::dressed(&demo::named(name)?);
    // Without --fail-on a demonstration ends well, whatever it shows.
    tell(facts, &checks, &prior, &args, args.fail_on, None)
}

fn collect(output: &Path, live: LiveArgs, redact: RedactArgs, verbose: bool) -> Result<u8, String> {
    let (mut facts, reads) = self::live(&live, collect::needs_of(ALL))?;
    facts.recorded_by = Some(env!("CARGO_PKG_VERSION").into());
    if redact.or(true) {
        facts = redact::redact(facts);
    }
    if output == Path::new("-") {
        let mut out = BufWriter::new(std::io::stdout().lock());
        let written = serde_json::to_writer_pretty(&mut out, &facts.bundle()).map_err(std::io::Error::from);
        printed(written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()))?;
    } else {
        let bytes = bundle_file::write(output, &facts)?;
        let (name, size) = (output.display(), bytes.div_ceil(1000));
        say(&format!("wrote {name} ({size} kB). Diagnose it: kairos-doctor --from {name}"));
    }
    match &facts.replaced {
        Some(replaced) => say(&format!("replaced by pseudonyms: {replaced}. --no-redact leaves them")),
        None => say("nothing was replaced: it names your nodes and their addresses"),
    }
    if verbose {
        say(&format!("{} requests, {} bytes, {:.1} s", reads.requests, reads.bytes, reads.seconds));
    }
    // One reason often holds for many kinds. What was left out on purpose is no lack.
    let mut missing: Vec<(&str, Vec<&str>)> = Vec::new();
    for need in NEEDS {
        let Some(Err(gap)) = facts.part(need) else { continue };
        if gap.why == Why::LeftOut {
            continue;
        }
        match missing.iter_mut().find(|(why, _)| *why == &*gap.detail) {
            Some((_, keys)) => keys.push(need.key),
            None => missing.push((&gap.detail, vec![need.key])),
        }
    }
    for (why, keys) in &missing {
        say(&format!("not recorded: {}: {why}", keys.join(", ")));
    }
    Ok(if missing.is_empty() { 0 } else { INCOMPLETE })
}

fn live(args: &LiveArgs, needs: Vec<&'static Need>) -> Result<(Facts, Reads), String> {
    let begun = Instant::now();
    let plan = Plan {
        kubeconfig: args.kubeconfig.clone(),
        context: args.context.clone(),
        as_user: args.as_user.clone(),
        hcloud_token_file: args.hcloud_token_file.clone(),
        hcloud_context: args.hcloud_context.clone(),
        hetzner: !args.no_hetzner,
        timeout: args.timeout,
        needs,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| format!("cannot start: {e}"))?;
    let collected = runtime.block_on(collect::collect(plan));
    // Whoever still hangs (a name look-up, say) is not waited for.
    runtime.shutdown_background();
    let (facts, meter) = collected?;
    let (log, bytes) = (meter.log(), meter.total_bytes());
    let seconds = begun.elapsed().as_secs_f64();
    let times = meter.times();
    let listed = |need: &&'static Need| {
        let (_, time) = times.iter().find(|(key, _)| *key == need.key)?;
        let objects = facts.part(need)?.as_ref().ok().map(|part| need.len(part));
        Some(Listed { need: need.key, objects, seconds: time.as_secs_f64() })
    };
    let lists = NEEDS.iter().filter_map(listed).collect();
    Ok((facts, Reads { requests: log.len(), bytes, seconds, log, lists }))
}

/// Judges the facts and writes the report in every form that was asked for.
fn tell(
    facts: Facts,
    checks: &[&'static Check],
    prior: &Prior,
    args: &ReportArgs,
    fail_on: Option<FailOn>,
    reads: Option<Reads>,
) -> Result<u8, String> {
    let open = prior.judge(&facts, checks)?;
    let before = facts.replaced.clone();
    let mut facts = Some(facts);
    let outcome = open.outcome(fail_on);
    let exit = outcome.exit;
    let mut redacted: Option<(Judged, Option<Replaced>, Option<Reads>)> = None;
    let mut form = |format: Format, to_stdout: bool| {
        // What is under pseudonyms already is shown as it is.
        let hide = args.redact.or(format == Format::Markdown) && before.is_none();
        if let Some(facts) = facts.take_if(|_| hide) {
            let dictionary = Dictionary::of(&facts);
            let replaced = dictionary.replaced();
            let reads = reads.as_ref().map(|reads| unnamed(reads, &dictionary));
            redacted = Some((prior.redact(facts, dictionary, checks, &open), Some(replaced), reads));
        }
        let (judged, replaced, reads) = match &redacted {
            Some((judged, replaced, reads)) if hide => (judged, replaced, reads),
            None if hide => unreachable!("what is to be hidden was, as soon as it was asked for"),
            _ => (&open, &before, &reads),
        };
        let view = View {
            width: width(),
            colour: to_stdout && colour(args.paint, true),
            verbose: args.verbose,
            quiet: args.quiet,
            min_severity: args.min_severity.into(),
            outcome: outcome.clone(),
            reads: reads.clone(),
            replaced: replaced.clone(),
            since: judged.since.clone(),
            suppressed: judged.suppressed.clone(),
        };
        let report = &judged.report;
        match format {
            Format::Terminal => terminal::render(report, &view),
            Format::Json => json::render(report, &view),
            Format::Markdown => markdown::render(report, &view),
            Format::Html => html::render(report, &view),
            Format::Prometheus => prometheus::render(report, &view),
        }
    };
    for (format, path) in &args.output_file {
        let text = form(*format, false);
        bundle_file::write_whole(path, text.as_bytes(), bundle_file::EVERYBODY)
            .map_err(|e| format!("--output-file: cannot write {}: {e}", path.display()))?;
    }
    print(&form(args.output, true))?;
    // The process ends here: to give back each of a large cluster's million pieces takes longer than to judge it.
    std::mem::forget(facts);
    Ok(exit)
}

/// What was read, with pseudonyms in the paths.
fn unnamed(reads: &Reads, dictionary: &Dictionary) -> Reads {
    let log = reads.log.iter().map(|line| dictionary.apply(line)).collect();
    Reads { log, ..reads.clone() }
}

fn explain(name: &str, paint: PaintArgs) -> Result<u8, String> {
    let page = explained(catalogue::find(ALL, name)?, &plain_view(paint));
    pager::show(&page)?;
    print(&page)
}

/// A check's page with the finding of a fixture that breaks it.
fn explained(check: &Check, view: &View) -> String {
    let fixture = demo::example(check.code);
    let report = fixture.as_ref().map(|fixture| engine::run(&demo::dressed(fixture), ALL));
    let example = fixture.as_ref().zip(report.as_ref()).and_then(|(fixture, report)| {
        let ranked = report.findings.iter().find(|f| f.check.code == check.code)?;
        Some(catalogue::Example { report, ranked, name: fixture.name() })
    });
    catalogue::page(check, ALL, example, view)
}

/// How a list or a page is shown: nothing is filtered, and nothing was read for it.
fn plain_view(paint: PaintArgs) -> View {
    View {
        width: width(),
        colour: colour(paint, true),
        verbose: false,
        quiet: false,
        min_severity: Severity::Info,
        outcome: Outcome { exit: 0, why: String::new() },
        reads: None,
        replaced: None,
        since: None,
        suppressed: Default::default(),
    }
}

/// What clap says of the arguments, which stand in it as they were given.
fn wrong(error: &clap::Error) {
    let plain = error.render().to_string();
    if plain.lines().any(|line| line.chars().any(is_hidden)) {
        return plain.lines().for_each(say);
    }
    let _ = error.print();
}

/// One line of standard error, whatever stands in the names of files and contexts; that nobody reads it is no error.
fn say(line: &str) {
    let seen = line.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    let seen: String = seen.filter(|c| !is_hidden(*c)).collect();
    let _ = writeln!(std::io::stderr(), "{seen}");
}

/// Prints the text.
fn print(text: &str) -> Result<u8, String> {
    let mut out = std::io::stdout().lock();
    printed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// What became of writing to standard output; that a reader has gone away is no error.
fn printed(written: std::io::Result<()>) -> Result<u8, String> {
    match written {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {e}"))
        }
        _ => Ok(0),
    }
}

fn colour(paint: PaintArgs, to_stdout: bool) -> bool {
    match paint.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => {
            let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
                || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            to_stdout && !refused && std::io::stdout().is_terminal()
        }
    }
}

/// The terminal's width, else 80 columns; `COLUMNS` is what scripts and tests set.
fn width() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    let seen = || terminal_size::terminal_size().map(|(w, _)| usize::from(w.0));
    told.or_else(seen).unwrap_or(80).clamp(40, 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_fits_sixty_lines_of_eighty_columns() {
        let view = View { width: 80, ..plain_view(PaintArgs { color: Colour::Never }) };
        let lines = |check: &&Check| (check.code, explained(check, &view).lines().count());
        let long: Vec<_> = ALL.iter().map(lines).filter(|(_, lines)| *lines > 60).collect();
        assert_eq!(long, [], "code and lines");
    }
}
