//! A real etcd and a real kube-apiserver on ports of 127.0.0.1, and kubectl to talk to them.

use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kairos_doctor_simulator::{Authority, Pem};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything here may take; a busy machine needs a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// The token of a user `admin` in `system:masters`.
pub const ADMIN: &str = "admin-of-this-test";

/// One server at a time: each takes some hundred MB.
static ONE: Mutex<()> = Mutex::new(());

/// The folder with `etcd`, `kube-apiserver` and `kubectl`; without it the test says that it was skipped.
pub fn assets(test: &str) -> Option<PathBuf> {
    folder_of("KUBEBUILDER_ASSETS", test)
}

/// The folder that a variable names; without it the test says that it was skipped.
pub fn folder_of(variable: &str, test: &str) -> Option<PathBuf> {
    match std::env::var_os(variable).filter(|folder| !folder.is_empty()) {
        Some(folder) => Some(folder.into()),
        None => {
            // Written to the stream itself: what goes through `eprintln` is shown of failed tests only.
            let line = format!("SKIPPED real::{test}: {variable} is not set\n");
            std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
            None
        }
    }
}

/// How the API server is set up, where tests differ.
pub struct Setup<'a> {
    pub assets: PathBuf,
    /// The name of the kubeconfig's context.
    pub context: &'a str,
    /// Signs the API server's certificate, and is the one that it trusts for kubelets: as in k3s.
    pub authority: &'a Authority,
    /// Whether it shows the kubelets who it is.
    pub known_to_kubelets: bool,
    /// Arguments of the API server besides.
    pub more: &'a [String],
}

/// Running processes with their data; all gone when dropped.
pub struct Server {
    // in the order in which they have to end
    _api: Process,
    _etcd: Process,
    folder: TempDir,
    assets: PathBuf,
    context: String,
    port: u16,
    authority: String,
    _one: MutexGuard<'static, ()>,
}

/// A process that ends with this value, and also when the test's process is killed: a shell waits for the end of its
/// standard input and takes the process with it.
struct Process(Child);

impl Process {
    fn start(program: &Path, args: &[String], log: &Path) -> Process {
        let log = File::create(log).expect("the folder can be written to");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", r#""$@" & pid=$!; read -r _; kill -9 "$pid"; wait"#, "sh"]).arg(program).args(args);
        shell.stdin(Stdio::piped()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        Process(shell.spawn().expect("there is a shell"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // it has been told; there is nobody to tell about a failure
        let _ = self.0.wait();
    }
}

impl Server {
    /// Starts both and returns when the API answers.
    pub fn start(setup: Setup) -> Server {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().expect("a folder for the servers");
        let file = |name: &str| folder.path().join(name).display().to_string();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a new file");
        let keep = |name: &str, pem: Pem| {
            write(&format!("{name}.crt"), &pem.certificate);
            write(&format!("{name}.key"), &pem.key);
        };
        keep("api", setup.authority.api_server().expect("a certificate"));
        keep("kubelet-client", setup.authority.kubelet_client().expect("a certificate"));
        write("ca.crt", &setup.authority.pem());
        let tokens = rcgen::KeyPair::generate().expect("a key");
        write("sa.key", &tokens.serialize_pem());
        write("sa.pub", &tokens.public_key_pem());
        write("tokens.csv", &format!("{ADMIN},admin,admin,\"system:masters\"\n"));

        let [clients, peers, port] = free_ports();
        let etcd = format!("http://127.0.0.1:{clients}");
        let peer = format!("http://127.0.0.1:{peers}");
        let mut args = vec!["--name=default".into(), "--unsafe-no-fsync".into()];
        // eight GB: each object is there once for each time it was written
        args.push("--quota-backend-bytes=8589934592".into());
        args.push(format!("--data-dir={}", file("etcd")));
        for name in ["listen-client-urls", "advertise-client-urls"] {
            args.push(format!("--{name}={etcd}"));
        }
        for name in ["listen-peer-urls", "initial-advertise-peer-urls"] {
            args.push(format!("--{name}={peer}"));
        }
        args.push(format!("--initial-cluster=default={peer}"));
        let etcd_process = Process::start(&setup.assets.join("etcd"), &args, &folder.path().join("etcd.log"));

        let mut args: Vec<String> = [
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            // it would write an endpoint on loopback, which its own validation refuses
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.43.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--authorization-mode=RBAC",
            // what k3s sets
            "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
            // No controllers run: nobody makes the account `default`, and nobody takes the taint off a ready node.
            "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
        ]
        .map(String::from)
        .into();
        args.push(format!("--etcd-servers={etcd}"));
        args.push(format!("--secure-port={port}"));
        for (flag, name) in [
            ("cert-dir", "certs"),
            ("tls-cert-file", "api.crt"),
            ("tls-private-key-file", "api.key"),
            ("kubelet-certificate-authority", "ca.crt"),
            ("service-account-key-file", "sa.pub"),
            ("service-account-signing-key-file", "sa.key"),
            ("token-auth-file", "tokens.csv"),
        ] {
            args.push(format!("--{flag}={}", file(name)));
        }
        if setup.known_to_kubelets {
            args.push(format!("--kubelet-client-certificate={}", file("kubelet-client.crt")));
            args.push(format!("--kubelet-client-key={}", file("kubelet-client.key")));
        }
        args.extend_from_slice(setup.more);
        let log = folder.path().join("kube-apiserver.log");
        let api = Process::start(&setup.assets.join("kube-apiserver"), &args, &log);

        let server = Server {
            _api: api,
            _etcd: etcd_process,
            folder,
            assets: setup.assets,
            context: setup.context.into(),
            port,
            authority: setup.authority.pem(),
            _one: one,
        };
        server.write_kubeconfig("admin", ADMIN);
        server.eventually("the API server to be ready", || {
            // the last two are made after it says that it is ready
            server.try_kubectl(&["get", "--raw", "/readyz"], "").is_ok()
                && server.try_kubectl(&["get", "namespace", "kube-system"], "").is_ok()
                && server.try_kubectl(&["get", "service", "kubernetes"], "").is_ok()
        });
        server
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `https://host:port`.
    pub fn address(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub fn admin_kubeconfig(&self) -> PathBuf {
        self.folder().join("admin.kubeconfig")
    }

    /// Writes a kubeconfig for that token, and gives its path.
    pub fn write_kubeconfig(&self, name: &str, token: &str) -> PathBuf {
        let cluster = json!({"server": self.address(),
            "certificate-authority-data": STANDARD.encode(&self.authority)});
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "real", "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": self.context, "context": {"cluster": "real", "user": name}}],
            "current-context": self.context,
        });
        let path = self.folder().join(format!("{name}.kubeconfig"));
        fs::write(&path, config.to_string()).expect("a new file");
        path
    }

    /// kubectl as the administrator.
    pub fn kubectl(&self, args: &[&str]) -> String {
        self.kubectl_with(args, "")
    }

    /// The same with something to read.
    pub fn kubectl_with(&self, args: &[&str], input: &str) -> String {
        self.try_kubectl(args, input).unwrap_or_else(|e| panic!("kubectl {}: {e}", args.join(" ")))
    }

    pub fn try_kubectl(&self, args: &[&str], input: &str) -> Result<String, String> {
        let mut command = Command::new(self.assets.join("kubectl"));
        command.arg("--request-timeout=30s").args(args).env_clear();
        command.env("KUBECONFIG", self.admin_kubeconfig()).env("HOME", self.folder());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("kubectl starts");
        let mut stdin = child.stdin.take().expect("it is a pipe");
        let input = input.to_string();
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let Output { status, stdout, stderr } = child.wait_with_output().expect("kubectl ends");
        // it may not have read all of it, and then says why
        let _ = writer.join();
        match status.success() {
            true => Ok(String::from_utf8(stdout).expect("kubectl writes UTF-8")),
            false => Err(String::from_utf8_lossy(&stderr).trim().into()),
        }
    }

    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.kubectl(&[args, &["-o", "json"]].concat())).expect("kubectl writes JSON")
    }

    /// Asks until it is so.
    ///
    /// # Panics
    /// When that takes too long; with the end of the API server's log.
    pub fn eventually(&self, what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            if begun.elapsed() > PATIENCE {
                let tail = |name: &str| {
                    let log = fs::read_to_string(self.folder().join(name)).unwrap_or_default();
                    let lines: Vec<&str> = log.lines().collect();
                    lines[lines.len().saturating_sub(12)..].join("\n")
                };
                panic!("waited too long for {what}\n{}\n{}", tail("kube-apiserver.log"), tail("etcd.log"));
            }
            sleep(Duration::from_millis(200));
        }
    }
}

/// Ports that nobody had a moment ago, and that this process does not give out twice meanwhile.
fn free_ports<const N: usize>() -> [u16; N] {
    let bound: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    bound.map(|listener| listener.local_addr().expect("it is bound").port())
}
