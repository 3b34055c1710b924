//! A generated cluster in a process of its own, so that what serving it costs is not counted.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use kairos_doctor_simulator::{Options, Simulator, Source};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::cluster::{broken, cluster};

/// What leads to a served cluster.
#[derive(Clone, Serialize, Deserialize)]
pub struct Way {
    pub kubeconfig: String,
    pub server: String,
    pub kubernetes_token: String,
    /// In PEM; it signed the kubelets' certificates too.
    pub cluster_ca: String,
    pub hetzner: String,
    pub hetzner_token: String,
    pub hetzner_ca: String,
}

/// What was asked since the last time somebody wanted to know.
#[derive(Clone, Serialize, Deserialize)]
pub struct Traffic {
    pub kubernetes: Vec<String>,
    pub hetzner: Vec<String>,
    /// `address:port` of each.
    pub handshakes: Vec<String>,
    /// Bodies as they were sent, that is compressed.
    pub bytes: usize,
}

/// What is served of a cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    Healthy,
    Broken,
    /// The Hetzner API alone, beside a real API server.
    Hetzner,
}

/// The other side of [`Served`]: each line on standard input asks for the traffic; its end ends the process.
pub fn serve(nodes: usize, what: &str) {
    // two listeners for each node; a lower limit shows itself when they are bound
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
    // the cluster has far more requests in it than an hour's budget: what is measured is not the rate limit
    let options = Options { rate_limit_remaining: u32::MAX, ..Options::default() };
    let mut bundle = if what == format!("{:?}", What::Broken) { broken(nodes) } else { cluster(nodes) };
    if what == format!("{:?}", What::Hetzner) {
        let parts = bundle["parts"].as_object_mut().expect("a bundle has parts");
        parts.retain(|key, _| key.starts_with("hcloud.") || matches!(&**key, "version" | "cluster_ca"));
    }
    let simulator = Simulator::start(&bundle, options);
    drop(bundle);
    let pem = |path| std::fs::read_to_string(path).expect("the simulator wrote it");
    let way = Way {
        kubeconfig: simulator.kubeconfig_path().display().to_string(),
        server: simulator.server().into(),
        kubernetes_token: simulator.kubernetes_token().into(),
        cluster_ca: simulator.cluster_ca().into(),
        hetzner: simulator.hetzner_endpoint().trim_end_matches("/v1").into(),
        hetzner_token: simulator.hetzner_token().into(),
        hetzner_ca: pem(simulator.hetzner_ca_file()),
    };
    tell(&way);
    let mut told = 0;
    for _ in std::io::stdin().lines().map_while(Result::ok) {
        let all = simulator.requests();
        let new = &all[told..];
        let of = |source: Source| {
            let targets = new.iter().filter(|r| r.source == source).map(|r| match r.query.as_str() {
                "" => r.path.clone(),
                query => format!("{}?{query}", r.path),
            });
            targets.collect::<Vec<String>>()
        };
        let last = |path: &String| path.rsplit(' ').next().unwrap_or_default().to_string();
        tell(&Traffic {
            kubernetes: of(Source::Kubernetes),
            hetzner: of(Source::Hetzner),
            handshakes: of(Source::Kubelet).iter().map(last).collect(),
            bytes: new.iter().map(|request| request.sent).sum(),
        });
        told = all.len();
    }
}

fn tell(what: &impl Serialize) {
    let line = serde_json::to_string(what).expect("it is plain data");
    println!("{line}");
    std::io::stdout().flush().expect("somebody reads");
}

/// A served cluster; dropping it ends the process.
pub struct Served {
    pub way: Way,
    process: Child,
    ask: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Served {
    pub fn start(nodes: usize, what: What) -> Served {
        let mut process = Command::new(std::env::current_exe().expect("this program has a path"))
            .args(["serve", &nodes.to_string(), &format!("{what:?}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let ask = process.stdin.take();
        let mut answers = BufReader::new(process.stdout.take().expect("it is piped"));
        let way = hear(&mut answers);
        Served { way, process, ask, answers }
    }

    /// What was asked since the last call.
    pub fn traffic(&mut self) -> Traffic {
        let ask = self.ask.as_mut().expect("it is open until the end");
        writeln!(ask).and_then(|()| ask.flush()).expect("the simulator listens");
        hear(&mut self.answers)
    }
}

fn hear<T: for<'de> Deserialize<'de>>(answers: &mut impl BufRead) -> T {
    let mut line = String::new();
    answers.read_line(&mut line).expect("the simulator answers");
    serde_json::from_str(&line).unwrap_or_else(|e| panic!("the simulator did not start or died: {e}"))
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.ask.take());
        // it may have died before
        let _ = self.process.wait();
    }
}
