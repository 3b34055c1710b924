//! The script that fetches the release, run as the node would, against a server that gives what a test says.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::super::{path, skipped};
use crate::live::{Run, run};

/// What stands for the program: it prints what the script asks it for.
const RELEASE: &str = "#!/bin/sh\n[ \"$1\" = rbac ] && echo \"kind: ServiceAccount # $0\" | sed 's/ #.*//'\n";

/// Answers over TLS, one connection after the other, and ends with the test.
struct Releases {
    port: u16,
    authority: String,
    asked: Arc<AtomicUsize>,
}

impl Releases {
    /// `answers` are status lines with their bodies, one for each request; the last one stays.
    fn serve(answers: Vec<(&'static str, String)>) -> Releases {
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["localhost".to_string()]).unwrap().self_signed(&key).unwrap();
        let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        let (tls, counted, answers) = (Arc::new(tls), asked.clone(), Mutex::new(answers));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Ok(connection) = ServerConnection::new(tls.clone()) else { return };
                let mut stream = StreamOwned::new(connection, stream);
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                    head.push(byte[0]);
                }
                if head.is_empty() {
                    continue;
                }
                counted.fetch_add(1, SeqCst);
                let mut answers = answers.lock().unwrap();
                let (status, body) = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all((head + &body).as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        Releases { port, authority: own.pem(), asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

/// A node's folders.
struct Node {
    folder: tempfile::TempDir,
}

impl Node {
    fn new() -> Node {
        let node = Node { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(node.path("bin")).unwrap();
        node
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn binary(&self) -> Option<String> {
        std::fs::read_to_string(self.path("bin/kairos-doctor")).ok()
    }

    /// Runs the script for the release with that checksum.
    fn install(&self, from: &Releases, sha256: &str) -> Run {
        let machine = String::from_utf8(Command::new("uname").arg("-m").output().unwrap().stdout).unwrap();
        let machine = machine.trim();
        let url = format!("https://localhost:{}/kairos-doctor", from.port);
        let release = format!("URL_{machine}={url}\nSHA256_{machine}={sha256}\n");
        std::fs::write(self.path("release"), release).unwrap();
        std::fs::write(self.path("authority.pem"), &from.authority).unwrap();
        let mut command = Command::new("/bin/sh");
        command.arg(path("kairos/install")).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("CURL_CA_BUNDLE", self.path("authority.pem")).env("PAUSE", "1").env("RETRIES", "2");
        command.env("RELEASE", self.path("release")).env("BINARY", self.path("bin/kairos-doctor"));
        command.env("MANIFESTS", self.path("manifests"));
        run(command)
    }

    /// Nothing half-done is left behind.
    fn is_tidy(&self) -> bool {
        let names = |of: &str| -> Vec<String> {
            let entries = std::fs::read_dir(self.path(of)).into_iter().flatten();
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
        };
        names("bin").iter().all(|n| n == "kairos-doctor")
            && names("manifests").iter().all(|n| n == "kairos-doctor.yaml")
    }
}

fn sha256(of: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, of).unwrap();
    let output = Command::new("sha256sum").arg(&file).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_string()
}

/// Whether this machine has what every Kairos image has.
fn can(test: &str) -> bool {
    let has =
        |program: &str| ["/usr/bin", "/bin"].iter().any(|folder| Path::new(folder).join(program).exists());
    let missing: Vec<&str> = ["curl", "sha256sum", "mktemp", "cmp"].into_iter().filter(|p| !has(p)).collect();
    if !missing.is_empty() {
        skipped(&format!("kairos::install::{test}"), &format!("there is no {}", missing.join(", ")));
    }
    missing.is_empty()
}

#[test]
fn a_release_is_fetched_once_and_then_left_alone() {
    if !can("a_release_is_fetched_once_and_then_left_alone") {
        return;
    }
    let busy = ("503 Service Unavailable", String::new());
    let releases = Releases::serve(vec![busy.clone(), busy, ("200 OK", RELEASE.into())]);
    let node = Node::new();
    let first = node.install(&releases, &sha256(RELEASE));
    assert_eq!(first.exit, 0, "{}", first.err);
    assert_eq!((node.binary().as_deref(), releases.asked()), (Some(RELEASE), 3), "it is patient");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(node.path("bin/kairos-doctor")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o7777, 0o755);
    // no k3s server runs here, so there is nobody to write the account for
    assert!(!node.path("manifests").exists());

    std::fs::create_dir(node.path("manifests")).unwrap();
    let again = node.install(&releases, &sha256(RELEASE));
    assert_eq!((again.exit, releases.asked()), (0, 3), "{}", again.err);
    let account = node.path("manifests/kairos-doctor.yaml");
    assert_eq!(std::fs::read_to_string(&account).unwrap(), "kind: ServiceAccount\n");
    let written = std::fs::metadata(&account).unwrap().modified().unwrap();
    assert_eq!(node.install(&releases, &sha256(RELEASE)).exit, 0);
    assert_eq!(std::fs::metadata(&account).unwrap().modified().unwrap(), written, "k3s is not woken");
    assert!(node.is_tidy());
}

#[test]
fn what_does_not_have_the_checksum_replaces_nothing() {
    if !can("what_does_not_have_the_checksum_replaces_nothing") {
        return;
    }
    let node = Node::new();
    let old = RELEASE.replace("rbac", "old");
    std::fs::write(node.path("bin/kairos-doctor"), &old).unwrap();
    for (answer, says) in [
        (("200 OK", "something else".to_string()), "does not have the checksum"),
        (("404 Not Found", RELEASE.to_string()), "cannot be fetched"),
        (("302 Found\r\nlocation: http://localhost:1/kairos-doctor", String::new()), "cannot be fetched"),
    ] {
        let releases = Releases::serve(vec![answer]);
        let run = node.install(&releases, &sha256(RELEASE));
        assert_eq!(run.exit, 1);
        assert!(run.err.contains(says), "{}", run.err);
        assert_eq!(node.binary().as_deref(), Some(old.as_str()));
        assert!(node.is_tidy());
    }
}

#[test]
fn a_release_without_a_checksum_is_not_fetched() {
    if !can("a_release_without_a_checksum_is_not_fetched") {
        return;
    }
    let releases = Releases::serve(vec![("200 OK", RELEASE.into())]);
    let node = Node::new();
    let run = node.install(&releases, "");
    assert_eq!((run.exit, releases.asked()), (1, 0));
    assert!(run.err.contains("no SHA256_"), "{}", run.err);
    assert_eq!(node.binary(), None);
}
