//! `docs/faults.md`: written when asked for, and held to what the runs show.

use std::fmt::Write;

use super::cell::{Cell, Then, Who};
use super::judge::sentence;
use super::list::FLOOD;
use super::runs::{LONG, Run, SHORT};
use super::{HEALTHY, SICK};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults.md");
const WRITE: &str = "KAIROS_DOCTOR_WRITE_FAULTS";

/// What one run showed.
pub struct Row {
    cell: String,
    fixture: &'static str,
    sentence: String,
    exit: String,
    ms: u128,
    mib: u64,
}

impl Row {
    pub fn of(cell: &Cell, fixture: &'static str, run: &Run) -> Row {
        let sentence = match cell.then {
            Then::Whole => String::new(),
            _ => sentence(cell, &run.report)
                .map(|(sentence, _)| settled(cell.who, &sentence))
                .unwrap_or_default(),
        };
        let exit = run.exit.map_or("killed".into(), |exit| exit.to_string());
        Row { cell: cell.name(), fixture, sentence, exit, ms: run.took.as_millis(), mib: run.peak >> 20 }
    }
}

/// The sentence without what is another at every run: ports, which of the lists was the first, and how much of an endless
/// answer was taken.
fn settled(who: Who, sentence: &str) -> String {
    if sentence.contains(FLOOD) {
        return format!("… {FLOOD} …");
    }
    let mut sentence =
        sentence.replace("in the time that was left", "within … s").replace("in the time left", "within … s");
    if let Some((before, after)) = sentence.split_once("within ")
        && let Some((_, after)) = after.split_once(" s").filter(|(time, _)| time.parse::<f64>().is_ok())
    {
        sentence = format!("{before}within … s{after}");
    }
    // the day on which a certificate expired
    if let Some((before, after)) = sentence.split_once(" ago (") {
        let after = after.split_once(')').map_or("", |(_, after)| after);
        sentence = format!("{before} ago (…){after}");
    }
    if who == Who::KubernetesLists
        && let Some(path) =
            sentence.split([' ', ':']).find(|word| word.starts_with("/api")).map(str::to_string)
    {
        sentence = sentence.replacen(&path, "…", 1);
    }
    let mut out = String::new();
    let mut rest = sentence.as_str();
    while let Some(at) = rest.find("127.0.0.") {
        let (before, address) = rest.split_at(at);
        out.push_str(before);
        let end = address.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(address.len());
        out.push_str(&address[..end]);
        rest = &address[end..];
        if let Some(port) = rest.strip_prefix(':') {
            let digits = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
            if digits > 0 {
                out.push_str(":PORT");
                rest = &port[digits..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Writes the table when the variable says so.
pub fn write_if_asked(cells: &[Cell], rows: &[Row]) {
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(PATH, table(cells, rows)).expect("docs/ can be written");
    }
}

/// Compares the table with the committed one.
///
/// # Panics
/// When a sentence or an exit status differs.
pub fn hold(cells: &[Cell], rows: &[Row]) {
    let text = table(cells, rows);
    let committed = std::fs::read_to_string(PATH).unwrap_or_default();
    let (now, then) = (timeless(&text), timeless(&committed));
    let new: Vec<&String> = now.iter().filter(|line| !then.contains(line)).collect();
    let gone: Vec<&String> = then.iter().filter(|line| !now.contains(line)).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "docs/faults.md is of another run; {WRITE}=1 cargo test --locked --test it faults:: writes it.\n\
         these are new:\n{new:#?}\nthese are gone:\n{gone:#?}"
    );
}

/// The lines of the table without the columns of time and memory.
fn timeless(text: &str) -> Vec<String> {
    let columns = |line: &str| match line.starts_with("| ") {
        true => line.rsplitn(3, " | ").last().unwrap_or_default().to_string(),
        false => line.to_string(),
    };
    text.lines().map(columns).collect()
}

fn table(cells: &[Cell], rows: &[Row]) -> String {
    let mut out = format!(
        "# What each fault comes to\n\n\
         Written by `{WRITE}=1 cargo test --locked --test it faults::`; the same test without the variable holds the\n\
         sentences and exit statuses to what is written here. Each run is the real program against a\n\
         simulated cluster over real TLS: `{SICK}`, where something is wrong everywhere, and `{HEALTHY}`, where nothing is.\n\
         The sentence is the one of the first cluster's report (`gaps[].detail`, or the finding). The exit statuses are of\n\
         both: 1 something found, 3 something not seen, 0 nothing found and all seen. Time and memory are of one run of a\n\
         debug build among others on two cores, and are not compared. `--timeout` is {} s where somebody is waited for, else {} s; nobody\n\
         is waited for longer than half of it. `…` stands for what is another at every run.\n",
        SHORT.as_secs(),
        LONG.as_secs()
    );
    let mut who = "";
    for cell in cells {
        if who != cell.who.name() {
            who = cell.who.name();
            let _ = write!(
                out,
                "\n## {who}\n\n| fault | sentence | exit, sick | exit, healthy | ms | MiB |\n|---|---|--:|--:|--:|--:|\n"
            );
        }
        let of = |fixture: &str| {
            rows.iter().find(|row| row.cell == cell.name() && row.fixture == fixture).expect("all have run")
        };
        let (sick, healthy) = (of(SICK), of(HEALTHY));
        let sentence = match cell.then {
            Then::Whole => "nothing is missing".to_string(),
            _ => sick.sentence.replace('|', "\\|").replace('<', "&lt;"),
        };
        let _ = writeln!(
            out,
            "| {} | {sentence} | {} | {} | {} | {} |",
            cell.how, sick.exit, healthy.exit, sick.ms, sick.mib
        );
    }
    out
}
