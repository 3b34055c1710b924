//! Serves a recorded cluster on this machine: a Kubernetes API that enforces the shipped RBAC, a Hetzner API, and one TLS
//! kubelet for each address of each node. Whatever the needs read is served; see [`Simulator::start`].

mod body;
mod fault;
mod hetzner;
mod http;
mod inflate;
mod kept;
mod kubelets;
mod kubernetes;
mod log;
mod options;
mod paging;
mod pki;
mod pod_logs;
mod rbac;
mod shared;
mod shuffle;
mod socket;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kairos_doctor_checks::facts::{Facts, Origin, need};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub use fault::{Fault, Flaw, Pages};
use http::{Site, serve};
use kept::Kept;
use kubelets::Addresses;
pub use kubernetes::kinds::kind;
pub use kubernetes::protobuf;
pub use log::{Bytes, Request};
pub use options::{KubeletPort, Options, Source, Target};
use pki::Names;
pub use pki::{Authority, Pem};
use pod_logs::PodLogs;
use rbac::Rights;
use shared::Shared;
use socket::Port;
use world::World;

/// The bearer token of the ServiceAccount; a canary like the others.
const KUBERNETES_TOKEN: &str =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6IkNBTkFSWSJ9.CANARY-kubernetes-token.c2lnbmF0dXJl";
/// Of the form of a real one: 64 letters and digits.
const HETZNER_TOKEN: &str = "CANARYhetznerTOKEN0123456789abcdefghijABCDEFGHIJ0123456789abcdef";

const CONTEXT: &str = "simulated";

/// A running simulator; dropping it ends everything it serves.
pub struct Simulator {
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
    folder: TempDir,
    context: String,
    kubeconfig: String,
    server: String,
    hetzner: String,
    kubelet_port: u16,
    cluster_ca: String,
}

impl Simulator {
    /// Serves a bundle (`kairos-doctor/bundle/v1`).
    ///
    /// # Panics
    /// Where [`Simulator::try_start`] gives an error.
    pub fn start(bundle: &Value, options: Options) -> Simulator {
        Simulator::try_start(bundle, options).unwrap_or_else(|e| panic!("the simulator does not start: {e}"))
    }

    /// Serves a bundle. Everything listens when this returns.
    ///
    /// # Errors
    /// When it is no bundle, an option names what does not exist, a node has an address outside of 127.0.0.0/8, or
    /// there is no port.
    pub fn try_start(bundle: &Value, options: Options) -> Result<Simulator, String> {
        let facts = Facts::from_bundle(bundle).map_err(|e| e.to_string())?;
        let withheld = options
            .withhold
            .iter()
            .map(|key| need(key).ok_or_else(|| format!("no need has the key `{key}`")))
            .collect::<Result<Vec<_>, _>>()?;
        let rights = Rights::new(options.rbac.as_deref(), &withheld)?;
        let ca = match &options.authority {
            Some(authority) => authority.clone(),
            None => Authority::recorded(&facts)?,
        };

        // the port comes first, because the served nodes name it
        let plan = kubelets::plan(&facts, &ca, &Shared::new(&options, BTreeSet::new(), PodLogs::default()))?;
        let (kubelet_port, ports) = kubelets::bind(&plan, options.kubelet_port)?;
        let (world, canaries) = World::new(bundle, &facts, &options, kubelet_port, &ca.pem());
        let world = Arc::new(world);
        let shared = Arc::new(Shared::new(&options, canaries, PodLogs::of(&facts)));

        let api_server = kubernetes::ApiServer {
            world: world.clone(),
            rights,
            token: KUBERNETES_TOKEN.into(),
            shared: shared.clone(),
            kubelets: Addresses::new(&plan, kubelet_port, &shared),
            kubelet_ca: Arc::new(kubernetes::ClusterCa::new(&ca)?),
            kept: Kept::default(),
        };
        let path = |origin: &Origin| match origin {
            Origin::Hetzner(collection) => Some(collection.path),
            _ => None,
        };
        let hetzner = hetzner::Hetzner {
            world,
            token: HETZNER_TOKEN.into(),
            remaining: options.rate_limit_remaining.into(),
            withheld: withheld.iter().filter_map(|need| path(&need.from)).collect(),
            kept: Kept::default(),
        };
        let hetzner_ca = Authority::new(&Names::new("Simulated Web CA", &[], &[]))?;

        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("simulator")
            .enable_all()
            .build()
            .map_err(|e| e.to_string())?;
        for (listener, port) in plan.into_iter().zip(ports) {
            runtime.spawn(kubelets::serve(listener, port, shared.clone()));
        }
        let api_port = open(&runtime, api_server, &ca, &shared)?;
        let hetzner_port = open(&runtime, hetzner, &hetzner_ca, &shared)?;

        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let server = format!("https://127.0.0.1:{api_port}");
        let context = bundle["context"].as_str().unwrap_or(CONTEXT).to_string();
        let kubeconfig = kubeconfig(&server, &context, &ca.pem());
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).map_err(|e| format!("{name}: {e}"))
        };
        write("kubeconfig", &kubeconfig)?;
        write("hetzner-ca.crt", &hetzner_ca.pem())?;
        Ok(Simulator {
            runtime: Some(runtime),
            shared,
            folder,
            context,
            kubeconfig,
            server,
            hetzner: format!("https://127.0.0.1:{hetzner_port}/v1"),
            kubelet_port,
            cluster_ca: ca.pem(),
        })
    }

    /// A kubeconfig with this cluster as its current context, authority and token in it.
    pub fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    /// The file in which [`Simulator::kubeconfig`] stands, as long as the simulator lives.
    pub fn kubeconfig_path(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// A folder that is removed with the simulator, for what a test writes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The bundle's context, or `simulated`.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// `https://127.0.0.1:<port>`.
    pub fn server(&self) -> &str {
        &self.server
    }

    pub fn kubernetes_token(&self) -> &str {
        KUBERNETES_TOKEN
    }

    /// The cluster's certificate authority, in PEM.
    pub fn cluster_ca(&self) -> &str {
        &self.cluster_ca
    }

    /// For `HCLOUD_ENDPOINT`: with `/v1`, as the real one.
    pub fn hetzner_endpoint(&self) -> &str {
        &self.hetzner
    }

    /// For `SSL_CERT_FILE`: the authority of the Hetzner API's certificate.
    pub fn hetzner_ca_file(&self) -> PathBuf {
        self.folder.path().join("hetzner-ca.crt")
    }

    pub fn hetzner_token(&self) -> &str {
        HETZNER_TOKEN
    }

    pub fn kubelet_port(&self) -> u16 {
        self.kubelet_port
    }

    /// What was asked so far, in the order of arrival. What the simulated API server asks kubelets is not among it.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log.all()
    }

    /// How often each method was used; a handshake with a kubelet is `TLS`.
    pub fn methods(&self) -> BTreeMap<String, usize> {
        self.shared.log.methods()
    }

    /// Bytes on the sockets of that source, both ways.
    pub fn bytes(&self, source: Source) -> Bytes {
        self.shared.log.bytes(source)
    }

    /// Connections to that source, of which some may have carried no request.
    pub fn connections(&self, source: Source) -> u64 {
        self.shared.log.connections(source)
    }

    /// Every string that may stand in no output: both tokens, the containers' logs, and what
    /// [`Options::inflate`] planted.
    pub fn canaries(&self) -> Vec<String> {
        let always = [KUBERNETES_TOKEN, HETZNER_TOKEN, pod_logs::LOG_CANARY].map(String::from);
        always.into_iter().chain(self.shared.canaries().iter().cloned()).collect()
    }

    /// The planted canaries that have not been in any answer yet.
    pub fn unserved_canaries(&self) -> Vec<String> {
        self.shared.unserved()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // may be dropped inside another runtime, which must not block
            runtime.shutdown_background();
        }
    }
}

/// Listens on a free port of 127.0.0.1, or keeps it closed when a fault says so.
fn open<S: Site>(
    runtime: &Runtime,
    site: S,
    authority: &Authority,
    shared: &Arc<Shared>,
) -> Result<u16, String> {
    let open = !shared.faults.refuses(S::SOURCE, "");
    let port = Port::bind(Ipv4Addr::LOCALHOST.into(), 0, open).map_err(|e| e.to_string())?;
    let number = port.address().map_err(|e| e.to_string())?.port();
    let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let names = Names::new("simulated", &["localhost", "kubernetes"], &addresses);
    let tls = pki::flawed(authority, names, shared.faults.flaw(S::SOURCE, ""))?.serve()?;
    match port {
        Port::Open(listener) => drop(runtime.spawn(serve(listener, tls, Arc::new(site), shared.clone()))),
        closed @ Port::Closed { .. } => drop(runtime.spawn(http::hold(closed))),
    }
    Ok(number)
}

/// JSON is YAML, and every reader of kubeconfigs takes it.
fn kubeconfig(server: &str, context: &str, ca: &str) -> String {
    let cluster = json!({"server": server, "certificate-authority-data": STANDARD.encode(ca)});
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": {"token": KUBERNETES_TOKEN}}],
        "contexts": [{"name": context, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
        "current-context": context,
    });
    serde_json::to_string_pretty(&config).expect("it is plain data")
}
