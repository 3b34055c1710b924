//! What a finding rests on: objects, the places in them, and the values there.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use kairos_doctor_checks::Evidence;
use kairos_doctor_checks::engine::Report;
use unicode_width::UnicodeWidthStr;

use super::finding::{UNDER, shortened};
use super::page::{GUTTER, Ink, Page};
use super::wrap::wrap;
use crate::report::words::{self, spoken};

/// From this width on there is room for three columns.
const WIDE: usize = 100;
/// How many facts are shown without `-v`.
const FEW: usize = 10;

/// One object and what it shows.
struct Source {
    name: String,
    facts: Vec<(String, String)>,
}

pub fn because(page: &mut Page, report: &Report, evidence: &[Evidence], verbose: bool) {
    let most = if verbose { evidence.len() } else { FEW };
    let mut sources: Vec<Source> = Vec::new();
    for one in evidence.iter().take(most) {
        let mut value = shortened(&words::value(one.value.as_deref()), verbose);
        if let Some(time) = one.time {
            value.push_str(&format!(" ({})", words::ago(time, report.generated_at)));
        }
        let (name, fact) = (words::object(&one.source), (spoken(&one.path), value));
        match sources.iter_mut().find(|source| source.name == name) {
            Some(source) => source.facts.push(fact),
            None => sources.push(Source { name, facts: vec![fact] }),
        }
    }
    if sources.is_empty() {
        return;
    }
    let mut label = "because";
    if page.width >= WIDE {
        for line in table(page, &mut sources) {
            let gutter = page.paint(&format!("  {label:<10}"), Ink::Label);
            page.raw(&format!("{gutter}{line}"));
            label = "";
        }
    }
    listed(page, label, &sources);
    if evidence.len() > most {
        page.beside("", "", &format!("and {} more (-v)", evidence.len() - most), Ink::Plain);
    }
}

/// Object, place and value side by side, for the facts that are short enough; those that are not are left in `sources`.
fn table(page: &Page, sources: &mut Vec<Source>) -> Vec<String> {
    let room = page.width - GUTTER - 4;
    let most = room * 7 / 16;
    let short = |source: &Source, place: &str| source.name.width() <= most && place.width() <= most;
    let all = || sources.iter().flat_map(|s| s.facts.iter().map(move |(place, _)| (s, place)));
    let (mut objects, mut places) = (0, 0);
    for (source, place) in all().filter(|(source, place)| short(source, place)) {
        objects = objects.max(source.name.width());
        places = places.max(place.width());
    }
    let values = room - objects - places;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    for source in sources.iter_mut() {
        let mut object = std::mem::take(&mut source.facts);
        let name = source.name.clone();
        let mut shown = false;
        object.retain(|(place, value)| {
            let value = wrap(value, values);
            let fits = short(source, place) && value.len() <= 2;
            if fits {
                table.add_row([if shown { "" } else { &name }, place, &value.join("\n")]);
                shown = true;
            }
            !fits
        });
        source.facts = object;
    }
    sources.retain(|source| !source.facts.is_empty());
    let columns = [objects + 2, places + 2, values].map(|width| u16::try_from(width).unwrap_or(u16::MAX));
    table.set_constraints(columns.map(|width| ColumnConstraint::Absolute(Width::Fixed(width))));
    for column in table.column_iter_mut() {
        column.set_padding((0, 0));
    }
    table.trim_fmt().lines().map(str::to_string).collect()
}

/// The object in a line of its own, and beneath it each place with its value, in the next line where it is long.
fn listed(page: &mut Page, label: &str, sources: &[Source]) {
    let room = page.width - UNDER;
    for (i, source) in sources.iter().enumerate() {
        page.beside(if i == 0 { label } else { "" }, "", &source.name, Ink::Plain);
        let column = source.facts.iter().map(|(place, _)| place.width()).max().unwrap_or(0);
        let aligned = source.facts.iter().all(|(_, value)| column + 2 + value.width() <= room);
        for (place, value) in &source.facts {
            let column = if aligned { column } else { place.width() };
            if column + 2 + value.width() <= room {
                let space = " ".repeat(column + 2 - place.width());
                page.raw(&format!("{}{place}{space}{value}", " ".repeat(UNDER)));
                continue;
            }
            for line in wrap(place, room) {
                page.raw(&format!("{}{line}", " ".repeat(UNDER)));
            }
            for line in wrap(value, page.prose() - UNDER - 2) {
                page.raw(&format!("{}{line}", " ".repeat(UNDER + 2)));
            }
        }
    }
}
