//! The list of all checks, and the page of one.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use kairos_doctor_checks::domain::spelling::distance;
use kairos_doctor_checks::engine::{Ranked, Report};
use kairos_doctor_checks::{Check, Reach, Severity};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::terminal::page::{Ink, Page};
use super::terminal::wrap::wrap;
use super::words::{counted, listed};
use super::{View, explain, terminal};

/// Every check by area.
pub fn list(checks: &[&Check], view: &View) -> String {
    let mut page = Page::new(view);
    let slugs = checks.iter().map(|c| c.slug.len()).max().unwrap_or(0);
    let titles = page.width.saturating_sub(2 + 6 + 9 + slugs + 2);
    for chunk in by_area(checks) {
        page.blank();
        let area = page.paint(chunk[0].area(), Ink::Strong);
        page.raw(&area);
        // A narrow column of titles is harder to read than two lines each.
        if titles < 40 {
            for check in chunk {
                page.raw(&format!("  {} {:<8} {}", check.code, check.severity.as_str(), check.slug));
                page.hung(&" ".repeat(17), Ink::Plain, 17, check.title, Ink::Plain);
            }
            continue;
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        for check in chunk {
            let title = wrap(check.title, titles).join("\n");
            table.add_row([check.code, check.severity.as_str(), check.slug, &title]);
        }
        let columns = [6, 9, slugs + 2, titles].map(|width| u16::try_from(width).unwrap_or(u16::MAX));
        table.set_constraints(columns.map(|width| ColumnConstraint::Absolute(Width::Fixed(width))));
        for column in table.column_iter_mut() {
            column.set_padding((0, 0));
        }
        for line in table.trim_fmt().lines() {
            page.raw(&format!("  {line}"));
        }
    }
    page.blank();
    let example = checks.first().map_or("KD301", |c| c.code);
    page.raw(&format!("{}. Explain one: kairos-doctor explain {example}", counted(checks.len(), "check")));
    page.into_text()
}

/// Runs of one area, in the order of the codes.
fn by_area<'a>(checks: &[&'a Check]) -> Vec<Vec<&'a Check>> {
    let mut areas: Vec<Vec<&Check>> = Vec::new();
    for check in checks {
        match areas.iter_mut().find(|area| area[0].area() == check.area()) {
            Some(area) => area.push(check),
            None => areas.push(vec![check]),
        }
    }
    areas
}

/// The same for programs.
pub fn list_json(checks: &[&Check]) -> Value {
    let one = |check: &&Check| {
        json!({
            "code": check.code,
            "slug": check.slug,
            "area": check.area(),
            "title": check.title,
            "severity": check.severity,
            "needs": check.needs.iter().map(|need| need.key).collect::<Vec<_>>(),
            "caused_by": check.caused_by.iter().map(|cause| cause.code).collect::<Vec<_>>(),
        })
    };
    checks.iter().map(one).collect()
}

/// The check of that code or slug, in any case.
///
/// # Errors
/// A sentence that names the nearest there is.
pub fn find<'a>(checks: &[&'a Check], name: &str) -> Result<&'a Check, String> {
    let wanted = name.trim().to_lowercase();
    let names = |check: &Check| [check.code.to_lowercase(), check.slug.to_string()];
    if let Some(check) = checks.iter().find(|check| names(check).contains(&wanted)) {
        return Ok(check);
    }
    let shown = super::words::cut(&super::words::clean(name.trim()), 60);
    let far = |check: &Check| {
        let [code, slug] = names(check);
        let slug = if wanted.len() >= 4 && slug.contains(&wanted) { 1 } else { distance(&slug, &wanted) };
        distance(&code, &wanted).min(slug)
    };
    let nearest =
        checks.iter().map(|check| (far(check), *check)).min_by_key(|(far, check)| (*far, check.code));
    // A third of the letters may be wrong: further away it is another word.
    match nearest.filter(|(far, _)| *far <= (wanted.chars().count() / 3).max(1)) {
        Some((_, check)) => {
            Err(format!("there is no check `{shown}`; did you mean {} ({})?", check.code, check.slug))
        }
        None => Err(format!("there is no check `{shown}`; `kairos-doctor checks` lists them all")),
    }
}

/// The finding that a page ends with.
pub struct Example<'a> {
    pub report: &'a Report,
    pub ranked: &'a Ranked,
    /// What `demo` shows it in full under.
    pub name: &'a str,
}

/// The page of one check: what it is, what causes it and what it causes, its Markdown, and one finding as it looks.
pub fn page(check: &Check, checks: &[&Check], example: Option<Example>, view: &View) -> String {
    let mut page = Page::new(view);
    let mut reads: Vec<&str> = check.needs.iter().map(|need| need.key).collect();
    reads.dedup();
    let head = format!("{} · {} · reads {}", check.slug, check.severity.as_str(), reads.join(", "));
    let lead = format!("{} ", check.code);
    page.hung(&lead, ink(check.severity), lead.width(), &head, Ink::Plain);
    page.hung("", Ink::Plain, 0, &format!("Healthy when {}.", check.title), Ink::Plain);
    // One by code and name; of several the codes, of many the numbers, or they would push the page off the screen.
    let named = |codes: Vec<(&str, Reach)>| -> Vec<String> {
        let alone = codes.len() == 1;
        if codes.len() > 8 {
            let short = |(n, (code, _)): (usize, &(&str, Reach))| match code.strip_prefix("KD") {
                Some(number) if n > 0 => number.to_string(),
                _ => code.to_string(),
            };
            return codes.iter().enumerate().map(short).collect();
        }
        let name = |(code, reach): &(&str, Reach)| match checks.iter().find(|c| c.code == *code) {
            Some(check) if alone && *reach == Reach::Cluster => {
                format!("{code} ({}), wherever it is", check.slug)
            }
            Some(check) if alone => format!("{code} ({})", check.slug),
            _ => code.to_string(),
        };
        codes.iter().map(name).collect()
    };
    let causes = named(check.caused_by.iter().map(|cause| (cause.code, cause.reach)).collect());
    let effects = checks.iter().filter(|other| other.caused_by.iter().any(|cause| cause.code == check.code));
    let effects = named(effects.map(|other| (other.code, Reach::Place)).collect());
    for (title, names) in [("May be caused by ", causes), ("May itself cause ", effects)] {
        if !names.is_empty() {
            page.hung(
                title,
                Ink::Plain,
                title.width(),
                &format!("{}.", listed(&names, usize::MAX)),
                Ink::Plain,
            );
        }
    }
    page.blank();
    explain::page(&mut page, check.explain);
    if let Some(Example { report, ranked, name }) = example {
        page.blank();
        let title = format!("(in full: kairos-doctor demo {name})");
        page.hung("What it looks like ", Ink::Strong, 0, &title, Ink::Plain);
        terminal::headline(&mut page, report, ranked);
    }
    page.into_text()
}

/// Names, and what each of them is.
pub fn names<'a>(all: impl Iterator<Item = (&'a str, &'a str)>, view: &View) -> String {
    let all: Vec<_> = all.collect();
    let column = all.iter().map(|(name, _)| name.width()).max().unwrap_or(0) + 2;
    let mut page = Page::new(view);
    for (name, what) in all {
        page.hung(&format!("{name:column$}"), Ink::Strong, column, what, Ink::Plain);
    }
    page.into_text()
}

fn ink(severity: Severity) -> Ink {
    match severity {
        Severity::Critical | Severity::Error => Ink::Bad,
        Severity::Warning => Ink::Warn,
        Severity::Info => Ink::Note,
    }
}

#[cfg(test)]
mod tests {
    use kairos_doctor_checks::ALL;

    use super::*;
    use crate::report::samples::{self, view};

    fn snapshot(name: &str, text: &str) {
        insta::with_settings!({snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(format!("catalogue_{name}"), text);
        });
    }

    #[test]
    fn every_check_stands_in_the_list() {
        let report = samples::healthy();
        let checks: Vec<&Check> = ALL
            .iter()
            .copied()
            .filter(|c| ["KD100", "KD110", "KD300", "KD301", "KD304"].contains(&c.code))
            .collect();
        for width in [60, 80, 140] {
            snapshot(&format!("list_{width}"), &list(&checks, &view(&report, width)));
        }
        for width in [48, 80, 120] {
            let text = list(ALL, &view(&report, width));
            assert!(ALL.iter().all(|check| text.contains(check.code) && text.contains(check.slug)));
        }
        assert_eq!(list_json(ALL).as_array().unwrap().len(), ALL.len());
        assert_eq!(list_json(&checks)[2]["caused_by"][0], json!("KD301"));
    }

    #[test]
    fn a_page_has_its_graph_and_an_example() {
        let report = samples::pending_service();
        let check = find(ALL, "KD301").unwrap();
        let example = Example { report: &report, ranked: &report.findings[0], name: "kd301/gateway" };
        let text = page(check, ALL, Some(example), &view(&report, 80));
        assert!(text.starts_with("KD301 load-balancer-location · critical · reads pods, "), "{text}");
        assert!(text.contains("\nMay itself cause KD300 (load-balancer-address).\n"), "{text}");
        assert!(text.contains("\n    kubectl -n kube-system get pods -o yaml \\\n      -l "), "{text}");
        assert!(text.contains("critical[KD301] Service edge/cilium-gateway-web"), "{text}");
        assert!(text.lines().all(|line| line.width() <= 80 || line.starts_with("    ")), "{text}");
    }

    #[test]
    fn checks_are_found_by_code_and_slug_and_nearly() {
        assert_eq!(find(ALL, "kd301").unwrap().code, "KD301");
        assert_eq!(find(ALL, " Load-Balancer-Location ").unwrap().code, "KD301");
        let wrong = |name| find(ALL, name).err().unwrap();
        assert!(wrong("KD31").contains("did you mean KD3"), "{}", wrong("KD31"));
        assert!(wrong("load-balancer-locaton").contains("KD301 (load-balancer-location)"));
        assert!(wrong("api-server").contains("KD100"));
        assert!(wrong("something else entirely").contains("lists them all"));
        assert!(wrong("\u{1b}[31m").contains("`[31m`"));
    }
}
