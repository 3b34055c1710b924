//! The list of checks, and their pages.

use std::collections::HashSet;

use kairos_doctor_checks::ALL;

use crate::cases::none;

const HEADINGS: [&str; 6] =
    ["What you see", "Why it happens", "How to confirm by hand", "Fix now", "Fix for good", "References"];

#[test]
fn every_check_has_its_page() {
    let mut wrong = Vec::new();
    for check in ALL {
        let page = check.explain;
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        if headings != HEADINGS {
            wrong.push(format!("{}: its page has the headings {headings:?}", check.code));
        }
        let lines = rendered(page);
        if lines > 60 {
            wrong.push(format!("{}: its page has {lines} lines at 80 columns", check.code));
        }
        if page.lines().any(|line| line.starts_with("# ")) {
            wrong.push(format!("{}: the title is the check's own, the page repeats it", check.code));
        }
        let sections = page.split("## ").skip(1);
        for section in sections.filter(|section| section.trim().lines().count() < 2) {
            wrong.push(format!("{}: nothing under {}", check.code, section.trim()));
        }
        if !page.contains("https://") {
            wrong.push(format!("{}: its page refers to nothing", check.code));
        }
    }
    none(wrong);
}

/// Lines on a terminal of 80 columns: code as it is, paragraphs and list items filled.
fn rendered(page: &str) -> usize {
    let mut code = false;
    let lines = page.lines().map(|line| {
        if line.starts_with("```") {
            code = !code;
            return 0;
        }
        line.chars().count().div_ceil(80).max(1)
    });
    lines.sum()
}

#[test]
fn codes_are_sorted_and_names_are_unique() {
    assert!(ALL.is_sorted_by(|a, b| a.code < b.code), "ALL is not sorted by code");
    let slugs: HashSet<&str> = ALL.iter().map(|check| check.slug).collect();
    assert_eq!(slugs.len(), ALL.len(), "a slug is taken twice");
    let mut wrong = Vec::new();
    for check in ALL {
        let code = check.code.strip_prefix("KD").is_some_and(|n| n.len() == 3 && n.parse::<u16>().is_ok());
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !code || !check.slug.chars().all(word) || check.title.ends_with('.') || check.needs.is_empty() {
            wrong.push(format!("{} {} `{}`", check.code, check.slug, check.title));
        }
        let unique: HashSet<&str> = check.needs.iter().map(|need| need.key).collect();
        if unique.len() != check.needs.len() {
            wrong.push(format!("{} declares a need twice", check.code));
        }
    }
    none(wrong);
}
