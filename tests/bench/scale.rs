//! How the doctor's cost grows with the cluster: `cargo bench --profile dist --bench scale -- [--real] [--write] [--runs 5]
//! [NODES …]`; in the profile of what is shipped.
//!
//! Nothing here is a timed test: it measures and prints a table; `--write` puts it into `docs/benchmark.md`. Beside the
//! doctor stands what nobody could do faster: plain GETs of exactly the same paths.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "it measures another client and other processes"
)]

mod cluster;
mod measured;
mod plain;
mod real;
mod served;
mod table;

use measured::{Run, median};
use plain::{Form, Plan};
use served::{Served, Traffic, What};
use table::{More, Row, table};

const SIZES: [usize; 5] = [1, 10, 100, 1000, 5000];
/// A real server takes minutes to be filled.
const REAL_SIZES: [usize; 3] = [10, 1000, 5000];
const RUNS: usize = 5;
const DOCTOR: &str = env!("CARGO_BIN_EXE_kairos-doctor");

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("serve") => served::serve(args[1].parse().expect("a number of nodes"), &args[2]),
        Some("generate") => println!("{}", cluster::cluster(args[1].parse().expect("a number of nodes"))),
        Some("measure") => measured::measure(&args[1..]),
        Some("plain") => {
            let plan = std::fs::read(&args[1]).expect("the plan can be read");
            print!("{}", plain::run(&serde_json::from_slice(&plan).expect("it is a plan")));
        }
        // what cargo adds; without it this is a test run, in which nothing is measured
        _ if args.iter().any(|arg| arg == "--bench") => bench(&args),
        _ => println!("run it by `cargo bench --bench scale`"),
    }
}

fn bench(args: &[String]) {
    let (mut sizes, mut runs, mut write, mut real) = (Vec::new(), RUNS, false, false);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--write" => write = true,
            "--real" => real = true,
            "--runs" => runs = args.next().and_then(|n| n.parse().ok()).expect("--runs takes a number"),
            size => sizes.push(size.parse().unwrap_or_else(|_| panic!("`{size}` is no number of nodes"))),
        }
    }
    if real {
        let sizes = if sizes.is_empty() { &REAL_SIZES } else { &*sizes };
        if let Some(rows) = real::bench(sizes, runs.max(1)) {
            publish(&real::table(&rows, runs), "docs/benchmark-real.md", write);
        }
        return;
    }
    if sizes.is_empty() {
        sizes = SIZES.to_vec();
    }
    let mut rows = Vec::new();
    let most = sizes.iter().copied().max();
    let kinds = sizes.iter().flat_map(|nodes| [(*nodes, Kind::Lists), (*nodes, Kind::Whole)]);
    let mut served: Option<(usize, bool, Served)> = None;
    for (nodes, kind) in kinds.chain(most.map(|most| (most, Kind::Broken))) {
        let is_broken = kind == Kind::Broken;
        if served.as_ref().is_none_or(|(of, broken, _)| (*of, *broken) != (nodes, is_broken)) {
            eprintln!("{nodes} nodes: the cluster is made");
            // the one before ends first: a large one takes gigabytes
            drop(served.take());
            served = Some((
                nodes,
                is_broken,
                Served::start(nodes, if is_broken { What::Broken } else { What::Healthy }),
            ));
        }
        let (_, _, served) = served.as_mut().expect("it was just started");
        rows.push(compare(served, nodes, kind, runs.max(1)));
        eprintln!("{}", rows.last().expect("it was just added"));
    }
    publish(&table(&rows, runs), "docs/benchmark.md", write);
}

fn publish(text: &str, page: &str, write: bool) {
    print!("{text}");
    if write {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        std::fs::write(path, text).expect("docs/ can be written");
    }
}

/// What is run, on what kind of cluster.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// Without handshakes.
    Lists,
    /// Everything.
    Whole,
    /// Everything, where something is wrong everywhere.
    Broken,
}

/// The doctor beside plain GETs of what it asked. Each kind of run has its turn in each round, so that whatever else this
/// machine does meets all of them alike.
fn compare(served: &mut Served, nodes: usize, kind: Kind, rounds: usize) -> Row {
    let whole = kind != Kind::Lists;
    let way = served.way.clone();
    let folder = tempfile::tempdir().expect("there is room for a file");
    let write = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("there is room for a file");
        path.display().to_string()
    };
    let hetzner_ca = write("hetzner-ca.crt", way.hetzner_ca.as_bytes());
    let vars = [
        ("KUBECONFIG", way.kubeconfig.as_str()),
        ("HCLOUD_ENDPOINT", &format!("{}/v1", way.hetzner)),
        ("HCLOUD_TOKEN", &way.hetzner_token),
        ("SSL_CERT_FILE", &hetzner_ca),
    ];
    let command: &[&str] = if whole { &[DOCTOR] } else { &[DOCTOR, "--skip", "KD110,KD112"] };
    let exit = i32::from(kind == Kind::Broken);
    let doctor = || measured::run(command, &vars, exit);

    // the first run fills the simulator's cache, and says what is asked
    served.traffic();
    doctor();
    let traffic = served.traffic();
    let (requests, bytes) = (traffic.kubernetes.len() + traffic.hetzner.len(), traffic.bytes);
    let handshakes = traffic.handshakes.len();
    let this = std::env::current_exe().expect("this program has a path").display().to_string();
    let plan = |name: &str, traffic: &Traffic, handshakes: bool, form: Form| {
        let plan = Plan { way: way.clone(), traffic: traffic.clone(), handshakes, form };
        write(name, &serde_json::to_vec(&plan).expect("it is plain data"))
    };
    let gets = plan("gets.json", &traffic, false, Form::Json);
    let large = plan("large.json", &traffic, false, Form::Uncompressed);
    let alike = plan("alike.json", &traffic, false, Form::Protobuf);
    let both = plan("both.json", &traffic, true, Form::Json);
    let plain = |plan: &str| measured::run(&[&this, "plain", plan], &[], 0);

    let [mut of_doctor, mut of_gets, mut of_large, mut of_alike, mut of_both] = [const { Vec::new() }; 5];
    for _ in 0..rounds {
        of_doctor.push(doctor());
        of_gets.push(plain(&gets));
        of_large.push(plain(&large));
        of_alike.push(plain(&alike));
        if whole {
            of_both.push(plain(&both));
        }
    }
    let gets: Run = median(of_gets);
    Row {
        nodes,
        kind,
        requests,
        handshakes,
        bytes,
        unpacked: gets.out.parse().expect("it prints how much it read"),
        doctor: median(of_doctor),
        gets,
        large: median(of_large),
        alike: median(of_alike),
        both: whole.then(|| median(of_both)),
        more: whole.then(|| {
            let file = folder.path().join("recording.json.gz").display().to_string();
            let doctor = |args: &[&str]| measured::run(&[&[DOCTOR], args].concat(), &vars, exit);
            let (markdown, collect) = (doctor(&["-o", "markdown"]), doctor(&["collect", "-o", &file]));
            let bytes = std::fs::metadata(&file).expect("it was just written").len();
            More { markdown, collect, bytes, from: doctor(&["--from", &file]) }
        }),
    }
}
