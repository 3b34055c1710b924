//! The smallest client that will do: one TLS connection, one request.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use kairos_doctor_simulator::Simulator;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

pub struct Got {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().into()
    }
}

/// A request to the Kubernetes API with the right token.
pub fn kubernetes(simulator: &Simulator, path: &str) -> Got {
    kubernetes_with(simulator, path, &[]).unwrap()
}

pub fn kubernetes_with(simulator: &Simulator, path: &str, headers: &[(&str, &str)]) -> io::Result<Got> {
    let token = format!("Bearer {}", simulator.kubernetes_token());
    let mut all = vec![("Authorization", token.as_str())];
    all.extend(headers);
    request("GET", &format!("{}{path}", simulator.server()), simulator.cluster_ca(), &all)
}

/// A request to the Hetzner API with the right token.
pub fn hetzner(simulator: &Simulator, path: &str) -> Got {
    let token = format!("Bearer {}", simulator.hetzner_token());
    hetzner_with(simulator, path, &[("Authorization", &token)])
}

pub fn hetzner_with(simulator: &Simulator, path: &str, headers: &[(&str, &str)]) -> Got {
    let ca = std::fs::read_to_string(simulator.hetzner_ca_file()).unwrap();
    request("GET", &format!("{}{path}", simulator.hetzner_endpoint()), &ca, headers).unwrap()
}

pub fn connect(address: &str, ca: &str) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut stream = TcpStream::connect(address)?;
    let name = ServerName::try_from(address.split(':').next().unwrap().to_string()).unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(connection, stream))
}

pub fn request(method: &str, url: &str, ca: &str, headers: &[(&str, &str)]) -> io::Result<Got> {
    let rest = url.strip_prefix("https://").unwrap();
    let (address, path) = rest.split_at(rest.find('/').unwrap());
    let mut stream = connect(address, ca)?;
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += "\r\n";
    stream.write_all(text.as_bytes())?;
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        // a server that answers "Connection: close" may leave out the TLS farewell
        Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => return Err(e),
        _ => {}
    }
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_string()))
        .collect();
    let body = all.split_off(end + 4);
    let length: usize = headers.get("content-length").map_or(0, |n| n.parse().unwrap());
    if body.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Got { status, headers, body })
}
