//! The same generated cluster in a real kube-apiserver with a real etcd: what a server takes to answer is in these figures.
//!
//! `KUBEBUILDER_ASSETS` names the folder with `etcd`, `kube-apiserver` and `kubectl`. The Hetzner API is still the simulator's.

#[path = "../it/real/demands.rs"]
mod demands;
#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../it/real/server.rs"]
mod server;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use kairos_doctor_checks::facts::{NEEDS, Origin, Resource};
use kairos_doctor_simulator::Authority;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::cluster::cluster;
use crate::measured::{self, Run, median};
use crate::plain::{Form, Plan, client};
use crate::served::{Served, Traffic, Way, What};
use demands::{complete, install, takes_anything};
use server::{Server, Setup, assets};

/// Objects that are created at the same time.
const AT_ONCE: usize = 64;
/// Parts that a server has of its own, or makes.
const OWN: &[&str] = &["apiservices", "cluster_ca", "customresourcedefinitions"];
/// Gaps that are no list: logs, for which the server would have to ask kubelets, and Cilium's configuration, which is newer
/// here than the agents that should have read it.
const NO_LISTS: &[&str] = &["pods.log", "controller.log", "cilium_config"];
const CONTEXT: &str = "real";

/// One size.
pub struct Row {
    nodes: usize,
    objects: usize,
    requests: usize,
    unpacked: usize,
    doctor: Run,
    gets: Run,
    large: Run,
    alike: Run,
}

/// Measures each size. `None` without the servers.
pub fn bench(sizes: &[usize], rounds: usize) -> Option<Vec<Row>> {
    let assets = assets("bench")?;
    Some(sizes.iter().map(|nodes| compare(&assets, *nodes, rounds)).collect())
}

fn compare(assets: &Path, nodes: usize, rounds: usize) -> Row {
    let mut bundle = cluster(nodes);
    let authority = Authority::of(&bundle).expect("an authority");
    let folder = tempfile::tempdir().expect("there is room for files");
    let file = |name: &str| folder.path().join(name);
    let log = file("audit.log");
    fs::write(file("policy.json"), POLICY).expect("there is room for a file");
    let more = [
        format!("--audit-policy-file={}", file("policy.json").display()),
        format!("--audit-log-path={}", log.display()),
    ];
    let setup = Setup {
        assets: assets.into(),
        context: CONTEXT,
        authority: &authority,
        known_to_kubelets: false,
        more: &more,
    };
    let server = Server::start(setup);
    let begun = Instant::now();
    let objects = load(&server, &authority, &mut bundle);
    eprintln!("{nodes} nodes: {objects} objects were created in {:.0} s", begun.elapsed().as_secs_f64());
    drop(bundle);

    let mut served = Served::start(nodes, What::Hetzner);
    let kubeconfig = server.admin_kubeconfig();
    let way = Way {
        kubeconfig: kubeconfig.display().to_string(),
        server: server.address(),
        kubernetes_token: server::ADMIN.into(),
        cluster_ca: authority.pem(),
        ..served.way.clone()
    };
    let hetzner_ca = file("hetzner-ca.crt");
    fs::write(&hetzner_ca, &way.hetzner_ca).expect("there is room for a file");
    let vars = [
        ("KUBECONFIG", way.kubeconfig.as_str()),
        ("HCLOUD_ENDPOINT", &format!("{}/v1", way.hetzner)),
        ("HCLOUD_TOKEN", &way.hetzner_token),
        ("SSL_CERT_FILE", hetzner_ca.to_str().expect("it is text")),
    ];
    // 3: nobody answers for the kubelets
    let command = [crate::DOCTOR, "--skip", "KD110,KD112"];
    let doctor = || measured::run(&command, &vars, 3);
    let mut requests = Requests { log, read: 0 };
    let this = std::env::current_exe().expect("this program has a path").display().to_string();
    let plain = |traffic: &Traffic, form: Form| {
        let plan = Plan { way: way.clone(), traffic: traffic.clone(), handshakes: false, form };
        let path = file("plan.json");
        fs::write(&path, serde_json::to_vec(&plan).expect("it is plain data"))
            .expect("there is room for a file");
        measured::run(&[&this, "plain", path.to_str().expect("it is text")], &[], 0)
    };
    // once for the server's caches, and to see that all lists are read
    let report = measured::run(&[&command[..], &["-o", "json"]].concat(), &vars, 3).out;
    let report: Value = serde_json::from_str(&report).expect("it prints a report");
    let gaps = report["gaps"].as_array().expect("a report has gaps");
    assert!(
        gaps.iter().all(|gap| gap["need"].as_str().is_some_and(|need| NO_LISTS.contains(&need))),
        "{gaps:?}"
    );
    let [mut of_doctor, mut of_gets, mut of_large, mut of_alike] = [const { Vec::new() }; 4];
    let mut asked = 0;
    for _ in 0..rounds {
        requests.since_last();
        served.traffic();
        of_doctor.push(doctor());
        // its tokens are of that moment, so each round asks its own
        let traffic =
            Traffic { kubernetes: requests.since_last(), handshakes: Vec::new(), ..served.traffic() };
        asked = traffic.kubernetes.len() + traffic.hetzner.len();
        of_gets.push(plain(&traffic, Form::Json));
        of_large.push(plain(&traffic, Form::Uncompressed));
        of_alike.push(plain(&traffic, Form::Protobuf));
    }
    let gets = median(of_gets);
    let unpacked = gets.out.parse().expect("it prints how much it read");
    Row {
        nodes,
        objects,
        requests: asked,
        unpacked,
        doctor: median(of_doctor),
        gets,
        large: median(of_large),
        alike: median(of_alike),
    }
}

/// Reads only: what is created here is not of interest.
const POLICY: &str = r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "verbs": ["get", "list"], "users": ["admin"]}, {"level": "None"}]}"#;

/// What the server says that it was asked.
struct Requests {
    log: PathBuf,
    read: usize,
}

impl Requests {
    /// The targets since the last call, in their order.
    fn since_last(&mut self) -> Vec<String> {
        // it is written when the answer has been
        sleep(Duration::from_millis(500));
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let events =
            text[self.read..].lines().map(|line| serde_json::from_str(line).expect("a line is an event"));
        let mut targets: Vec<(String, String)> = events
            .map(|event: Value| {
                let field = |name: &str| event[name].as_str().unwrap_or_default().to_string();
                (field("requestReceivedTimestamp"), field("requestURI"))
            })
            .collect();
        self.read = text.len();
        targets.sort();
        targets.into_iter().map(|(_, target)| target).collect()
    }
}

/// Creates every Kubernetes object, each with its status, and says how many there are.
fn load(server: &Server, authority: &Authority, bundle: &mut Value) -> usize {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("threads can be started");
    let to = Arc::new(To { client: client(&authority.pem(), false), server: server.address() });
    let needs = || {
        NEEDS.iter().filter_map(|need| match need.from {
            Origin::Kubernetes(resource) if !OWN.contains(&need.key) => Some((need.key, resource)),
            _ => None,
        })
    };
    let is_there = |key: &str| bundle["parts"][key].as_array().is_some_and(|part| !part.is_empty());
    let custom = needs().filter(|(key, resource)| resource.custom && is_there(key));
    install(server, &custom.map(|(_, resource)| takes_anything(&resource)).collect::<Vec<_>>());
    // first what others are in
    let mut ordered: Vec<(&str, Resource)> = needs().collect();
    ordered.sort_by_key(|(key, _)| *key != "namespaces");
    let mut count = 0;
    for (key, resource) in ordered {
        let Value::Array(objects) = bundle["parts"][key].take() else { continue };
        count += objects.len();
        let make = stream::iter(objects).map(|object| {
            let to = Arc::clone(&to);
            tokio::spawn(async move { to.create(resource, object).await })
        });
        runtime.block_on(make.buffer_unordered(AT_ONCE).for_each(|made| {
            made.expect("it was created");
            std::future::ready(())
        }));
    }
    count
}

struct To {
    client: Client,
    server: String,
}

impl To {
    async fn create(&self, resource: Resource, mut object: Value) {
        let version = resource.versions[0];
        let of_all = Resource { only: None, ..resource }.path(version);
        let path = match object["metadata"]["namespace"].as_str() {
            Some(namespace) => {
                let (group, plural) = of_all.rsplit_once('/').expect("it is a path");
                format!("{group}/namespaces/{namespace}/{plural}")
            }
            None => of_all,
        };
        object = complete(&resource, version, object);
        for field in ["resourceVersion", "uid"] {
            object["metadata"].as_object_mut().expect("every object has metadata").remove(field);
        }
        if resource.plural == "services" && object["spec"]["clusterIP"] != "None" {
            let spec = object["spec"].as_object_mut().expect("a service has a spec");
            // the server gives its own
            spec.retain(|field, _| !matches!(field.as_str(), "clusterIP" | "clusterIPs"));
        }
        let name = object["metadata"]["name"].as_str().expect("every object has a name").to_string();
        let at = format!("{}{path}", self.server);
        let made = self.send(self.client.post(&at), "application/json", &object).await;
        // some are there from the beginning
        if made == StatusCode::CONFLICT || !object["status"].is_object() {
            return;
        }
        let status = json!({"status": object["status"].take()});
        let at = format!("{at}/{name}/status");
        self.send(self.client.patch(at), "application/merge-patch+json", &status).await;
    }

    async fn send(&self, request: reqwest::RequestBuilder, form: &str, object: &Value) -> StatusCode {
        let request = request.bearer_auth(server::ADMIN).header("Content-Type", form);
        let answer = request.body(object.to_string()).send().await.expect("it is answered");
        let status = answer.status();
        if !status.is_success() && status != StatusCode::CONFLICT {
            panic!("{status}: {}", answer.text().await.unwrap_or_default());
        }
        status
    }
}

const HEAD: &str = "\
# What a run costs against a real API server

Made by `cargo bench --profile dist --bench scale -- --real --write`, with `KUBEBUILDER_ASSETS` naming the folder of `etcd`,
`kube-apiserver` and `kubectl`: the lists of [benchmark.md](benchmark.md), without handshakes, of the same generated clusters, read
from a kube-apiserver on the same machine, which reads, encodes and compresses each answer when it is asked. That is where the
time goes. *Plain* is the same client with the same requests, which the server's audit log tells; `uncompressed` and `as protobuf`
as there.

What small clusters show is not reading: the doctor opens a connection for each list, so that one that hangs holds up no other,
where the plain client shares one (HTTP/2), and knows from the first answer on whom it asks, and from the pods whose logs.
";

/// The figures as a Markdown table, with what they mean.
pub fn table(rows: &[Row], rounds: usize) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut text =
        format!("{HEAD}\nMedian of {rounds} runs on {cores} cores, which the servers need as well.\n\n");
    text += "| nodes | objects | requests | MB of JSON | doctor ms | plain GETs ms | ratio | uncompressed ms | ratio | as protobuf ms | ratio | doctor's CPU ms | \
             plain CPU ms | doctor's peak MiB |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
    for row in rows {
        let ms = |time: Duration| format!("{:.0}", time.as_secs_f64() * 1e3);
        let ratio = |run: &Run| row.doctor.wall.as_secs_f64() / run.wall.as_secs_f64();
        writeln!(
            text,
            "| {} | {} | {} | {:.1} | {} | {} | {:.2} | {} | {:.2} | {} | {:.2} | {} | {} | {:.1} |",
            row.nodes,
            row.objects,
            row.requests,
            row.unpacked as f64 / 1e6,
            ms(row.doctor.wall),
            ms(row.gets.wall),
            ratio(&row.gets),
            ms(row.large.wall),
            ratio(&row.large),
            ms(row.alike.wall),
            ratio(&row.alike),
            ms(row.doctor.cpu),
            ms(row.gets.cpu),
            row.doctor.peak_kib as f64 / 1024.0,
        )
        .expect("a string takes every write");
    }
    text
}
