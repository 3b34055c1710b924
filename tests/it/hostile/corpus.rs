//! The fuzz targets (`docs/fuzzing.md`) over their committed corpora and over everything that once failed: no nightly needed.

#[path = "../../../fuzz/targets.rs"]
mod targets;
#[path = "../../../fuzz/words.rs"]
mod words;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use kairos_doctor_checks::Act;
use kairos_doctor_checks::facts::{NEEDS, Origin};
use rcgen::{CertificateParams, KeyPair, SanType};
use serde_json::{Value, json};

// The targets look for them in the module above them.
use super::{HOSTILE, github, renderers};
use crate::cases::{CASES, none};
use crate::protobuf;
use targets::TARGETS;

fn folder(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join(target)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_committed_input_is_harmless() {
    let mut wrong = Vec::new();
    for (name, run) in TARGETS {
        let corpus = files(&folder("corpus", name));
        assert!(!corpus.is_empty(), "{name} has no corpus");
        for path in corpus.into_iter().chain(files(&folder("regressions", name))) {
            let bytes = fs::read(&path).unwrap();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(&bytes))) {
                let words = panic.downcast_ref::<String>().map(String::as_str);
                let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
                wrong.push(format!("{}: {words}", path.display()));
            }
        }
    }
    none(wrong);
}

#[test]
fn every_target_is_built_and_no_corpus_is_forgotten() {
    let manifest = fs::read_to_string(folder("", "Cargo.toml")).unwrap();
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| name.to_string()).collect();
    let built = manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"));
    let built: BTreeSet<String> = built.map(|line| line.trim_end_matches(".rs\"").to_string()).collect();
    assert_eq!(built, names);
    for kind in ["corpus", "regressions"] {
        for path in files(&folder("", kind)) {
            assert!(names.contains(path.file_name().unwrap().to_str().unwrap()), "{}", path.display());
        }
    }
}

/// What a real API server answered, with bytes changed, left out, and put where they do not belong.
#[test]
fn damaged_protobuf_is_harmless() {
    let needs: Vec<_> = NEEDS.iter().filter(|need| !matches!(need.from, Origin::Hetzner(_))).collect();
    let mut wrong = Vec::new();
    for (need, _) in protobuf::needs() {
        let which = needs.iter().position(|other| **other == need).unwrap() as u8;
        let whole = fs::read(&protobuf::answers(need)[1]).unwrap();
        let mut numbers = Numbers(whole.len() as u64);
        for round in 0..DAMAGED {
            let mut body = [&[which], &whole[..]].concat();
            // Of the magic and the envelope most is left, so that most are looked into.
            let mut place = |body: &Vec<u8>| 5 + numbers.next() as usize % (body.len() - 5);
            for _ in 0..=round % 4 {
                let (at, other) = (place(&body), place(&body));
                match (at + other + round) % 5 {
                    0 => body[at] ^= 1 << (other % 8),
                    1 => body[at] = other as u8,
                    2 => body.truncate(at),
                    3 => drop(body.drain(at.min(other)..at.max(other).min(at.min(other) + 9))),
                    _ => body.insert(at, [0, 0x7f, 0x80, 0xff, 0x0a, 0x12][other % 6]),
                }
                if body.len() < 16 {
                    break;
                }
            }
            if catch_unwind(AssertUnwindSafe(|| targets::kubernetes(&body))).is_err() {
                wrong.push(format!("{}, round {round}: {body:?}", need.key));
            }
        }
    }
    none(wrong);
}

/// How often each answer is damaged.
const DAMAGED: usize = 200;

/// Numbers that are always the same (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 31
    }
}

/// Where a fuzzer begins: `cargo test --locked --test it hostile::corpus::seeds -- --ignored` writes `fuzz/seeds`.
#[test]
#[ignore = "writes fuzz/seeds"]
fn seeds() {
    for (name, _) in TARGETS {
        let all = seeds_of(name);
        let folder = folder("seeds", name);
        fs::create_dir_all(&folder).unwrap();
        for (i, seed) in all.iter().filter(|seed| seed.len() <= 32_768).enumerate() {
            fs::write(folder.join(format!("{i:04}")), seed).unwrap();
        }
        println!("{name}: {}", all.len());
    }
}

fn seeds_of(target: &str) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    let mut add = |bytes: Vec<u8>| {
        all.insert(bytes);
    };
    match target {
        "bundle" => CASES.iter().for_each(|case| {
            for found in &case.report.findings {
                let facts = case.facts.only(found.check.needs);
                add(facts.to_bundle().to_string().into_bytes());
            }
        }),
        "leaves" => (0..16).for_each(|which| {
            for (n, text) in HOSTILE.iter().enumerate() {
                let place = (which as usize * 631 + n * 97) as u16;
                let mut edit = vec![which];
                edit.extend(place.to_be_bytes());
                edit.push((text.len().min(127) as u8) << 1 | (n as u8 & 1));
                edit.extend(text.bytes().take(127));
                add(edit);
            }
        }),
        "kubernetes" => bodies(false).into_iter().for_each(add),
        "hetzner" => bodies(true).into_iter().for_each(add),
        "values" => fields("valuesContent").into_iter().for_each(|text| add(text.into_bytes())),
        "certificate" => certificates().into_iter().for_each(add),
        "error_text" => {
            for text in fields("message").into_iter().chain(fields("text")).chain(fields("note")) {
                add(text.into_bytes());
            }
        }
        "shell" => acts(&mut |act| {
            if let Act::Run(args) = act {
                add([&[80], args.join("\0").as_bytes()].concat());
            }
        }),
        "snippet" => acts(&mut |act| {
            if let Act::Write { snippet, .. } | Act::Apply(snippet) = act {
                add(snippet.to_string().into_bytes());
            }
        }),
        _ => {
            HOSTILE.iter().for_each(|text| add(text.as_bytes().to_vec()));
            let says = CASES.iter().flat_map(|case| &case.report.findings);
            says.for_each(|found| add(found.finding.says.clone().into_bytes()));
        }
    }
    all
}

/// Up to two objects of each kind, as a body of the API has them, behind the byte that says which kind it is.
fn bodies(hetzner: bool) -> Vec<Vec<u8>> {
    let needs = NEEDS.iter().filter(|need| matches!(need.from, Origin::Hetzner(_)) == hetzner);
    let mut all = Vec::new();
    for (which, need) in needs.enumerate() {
        for case in CASES.iter() {
            let Some(items) = case.bundle["parts"][need.key].as_array().filter(|items| !items.is_empty())
            else {
                continue;
            };
            let some = &items[..items.len().min(2)];
            let body = match need.from {
                Origin::Hetzner(collection) => {
                    json!({collection.path: some, "meta": {"pagination": {"next_page": null}}})
                }
                Origin::Kubernetes(resource) if resource.only.is_none() => {
                    json!({"metadata": {"resourceVersion": "1"}, "items": some})
                }
                _ => some[0].clone(),
            };
            all.push([&[which as u8], body.to_string().as_bytes()].concat());
            if let Some((_, resource)) = protobuf::needs().find(|(other, _)| *other == *need) {
                let list = protobuf::list(&resource, &some.into());
                let body = kairos_doctor_simulator::protobuf::body(&list).expect("a built-in kind has it");
                all.push([vec![which as u8], body].concat());
            }
        }
    }
    all
}

/// Every text that stands in a field of that name.
fn fields(name: &str) -> BTreeSet<String> {
    fn walk(value: &Value, name: &str, all: &mut BTreeSet<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| walk(item, name, all)),
            Value::Object(fields) => {
                all.extend(fields.get(name).and_then(Value::as_str).map(str::to_string));
                fields.values().for_each(|field| walk(field, name, all));
            }
            _ => {}
        }
    }
    let mut all = BTreeSet::new();
    CASES.iter().for_each(|case| walk(&case.bundle, name, &mut all));
    all
}

fn acts(see: &mut dyn FnMut(&Act)) {
    for found in CASES.iter().flat_map(|case| &case.report.findings) {
        found.finding.steps.iter().for_each(|step| see(&step.act));
    }
}

fn certificates() -> Vec<Vec<u8>> {
    let signed = |names: Vec<SanType>| {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.self_signed(&KeyPair::generate().unwrap()).unwrap()
    };
    let name = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let plain = signed(vec![name("k1"), name("localhost"), SanType::IpAddress("127.0.0.1".parse().unwrap())]);
    let many = signed((0..100).map(|n| name(&format!("n{n}"))).collect());
    vec![
        plain.pem().into_bytes(),
        plain.der().to_vec(),
        many.der().to_vec(),
        signed(Vec::new()).der().to_vec(),
    ]
}
