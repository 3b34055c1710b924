//! The HTML report in a real headless Chromium: nothing runs over its edge, no text lies on another, every word can be read
//! in both schemes, and nothing is asked of anybody.
//!
//! `chromium`, `chromium-browser` or `google-chrome` is taken from the PATH; without one these tests say that they were
//! skipped. `KAIROS_DOCTOR_SCREENSHOTS` names a folder where the pictures are to stay.

mod chromium;
mod pages;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cases::none;
use chromium::Chromium;

const MEASURE: &str = include_str!("measure.js");
/// Name, width and height.
const SCREENS: [(&str, u32, u32); 3] = [("phone", 390, 844), ("narrow", 360, 740), ("desktop", 1280, 900)];

fn browser(test: &str) -> Option<Chromium> {
    let Some(program) = chromium::installed() else {
        eprintln!("SKIPPED {test}: no chromium, chromium-browser or google-chrome on the PATH");
        return None;
    };
    Some(Chromium::start(&program))
}

/// Where pictures stay, if somebody wants them.
fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("KAIROS_DOCTOR_SCREENSHOTS")?);
    std::fs::create_dir_all(&folder).expect("a folder for the pictures");
    Some(folder)
}

#[test]
fn every_page_can_be_read_on_every_screen() {
    let Some(mut browser) = browser("every_page_can_be_read_on_every_screen") else { return };
    let (home, kept) = (tempfile::tempdir().unwrap(), folder());
    let mut wrong = Vec::new();
    for (name, html) in pages::all() {
        let page = written(home.path(), name, &html);
        let asked = browser.open(&page);
        // the page itself, and its empty icon
        let outside: Vec<&String> = asked.iter().filter(|url| !is_own(url, &page)).collect();
        wrong.extend(outside.iter().map(|url| format!("{name}: asks for {url}")));
        wrong.extend(browser.complaints().into_iter().map(|text| format!("{name}: {text}")));
        for (screen, width, height) in SCREENS {
            for scheme in ["light", "dark"] {
                browser.view(width, height, scheme, "screen");
                let measured = browser.value(MEASURE);
                let at = format!("{name}, {screen}, {scheme}");
                wrong.extend(complaints(&measured).map(|what| format!("{at}: {what}")));
                assert!(measured["checked"].as_u64() > Some(3), "{at}: nothing was measured: {measured}");
                let picture = browser.screenshot(false);
                assert!(picture.starts_with(b"\x89PNG"), "{at}: no picture");
                if let Some(folder) = &kept {
                    std::fs::write(folder.join(format!("{name}-{screen}-{scheme}.png")), picture).unwrap();
                    let whole = browser.screenshot(true);
                    std::fs::write(folder.join(format!("{name}-{screen}-{scheme}-whole.png")), whole)
                        .unwrap();
                }
            }
        }
        // on paper a drawing may be smaller, and what is folded is printed
        browser.view(703, 1000, "dark", "print");
        browser.value("window.SMALLEST = 7");
        let measured = browser.value(MEASURE);
        wrong.extend(complaints(&measured).map(|what| format!("{name}, print: {what}")));
        let pdf = browser.pdf();
        assert!(pdf.starts_with(b"%PDF"), "{name}: no PDF");
        if let Some(folder) = &kept {
            std::fs::write(folder.join(format!("{name}.pdf")), pdf).unwrap();
            std::fs::write(folder.join(format!("{name}.html")), &html).unwrap();
        }
    }
    none(wrong);
}

#[test]
fn a_code_in_the_drawing_leads_to_its_finding() {
    let Some(mut browser) = browser("a_code_in_the_drawing_leads_to_its_finding") else { return };
    let home = tempfile::tempdir().unwrap();
    let (name, html) = pages::incident();
    browser.open(&written(home.path(), name, &html));
    browser.view(1280, 900, "light", "screen");
    // KD300 is explained by KD301, and folded beneath it
    let seen = "(() => { const tag = [...document.querySelectorAll('svg.wide a')].find((a) => a.textContent.includes('KD300'));
        const told = document.querySelector(tag.getAttribute('href')); const seen = () => told.checkVisibility({contentVisibilityAuto: true});
        const before = seen(); tag.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}));
        return new Promise((done) => setTimeout(() => done([before, seen(), told.getBoundingClientRect().top < innerHeight, told.textContent]), 300)); })()";
    let seen = browser.value(seen);
    assert_eq!((&seen[0], &seen[1], &seen[2]), (&Value::Bool(false), &Value::Bool(true), &Value::Bool(true)));
    assert!(seen[3].as_str().unwrap().contains("KD300"), "{seen}");
}

fn written(home: &Path, name: &str, html: &str) -> PathBuf {
    let path = home.join(format!("{name}.html"));
    std::fs::write(&path, html).unwrap();
    path
}

fn is_own(url: &str, page: &Path) -> bool {
    url == format!("file://{}", page.display()) || url == "data:,"
}

fn complaints(measured: &Value) -> impl Iterator<Item = &str> {
    measured["wrong"].as_array().into_iter().flatten().filter_map(Value::as_str)
}
