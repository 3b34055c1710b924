//! One TLS listener for each address of each node, with the certificate that the bundle recorded there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use kairos_doctor_checks::facts::Facts;
use kairos_doctor_checks::facts::kubelet::Kubelet;
use kairos_doctor_checks::facts::kubernetes::Node;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::fault::Fault;
use crate::http::{hold, plain_http};
use crate::options::{KubeletPort, Source};
use crate::pki::{self, Authority, Names, Signed};
use crate::pod_logs::PodLogs;
use crate::shared::Shared;
use crate::socket::{Counted, Port};

/// How often a port that is free on all addresses is looked for.
const TRIES: usize = 64;
/// More than any client has reason to send to a kubelet.
const LONGEST: usize = 64 * 1024;

/// Where kubelets are, for whoever dials them.
pub(crate) struct Addresses {
    pub port: u16,
    pub silent: BTreeSet<IpAddr>,
}

/// What answers at one address.
pub(crate) struct Listener {
    node: String,
    ip: IpAddr,
    manner: Manner,
}

enum Manner {
    Tls(Arc<ServerConfig>),
    /// Nothing listens.
    Closed,
    Silent,
    /// It is no TLS server.
    Http,
}

/// Plans a listener for each address. Errors: an address that is not of this machine, or a certificate that cannot be made.
pub(crate) fn plan(facts: &Facts, ca: &Authority, shared: &Shared) -> Result<Vec<Listener>, String> {
    let nodes = facts.unproven::<Node>().unwrap_or_default();
    let recorded = facts.unproven::<Kubelet>().unwrap_or_default();
    let mut plan: BTreeMap<IpAddr, Listener> = BTreeMap::new();
    for node in nodes {
        let mut ips: Vec<IpAddr> = Vec::new();
        for text in node.addresses("InternalIP").chain(node.addresses("ExternalIP")) {
            match text.parse::<IpAddr>() {
                Ok(ip @ IpAddr::V4(v4)) if v4.is_loopback() => ips.push(ip),
                _ => {
                    return Err(format!(
                        "node {} has the address {text}: simulated nodes live in 127.0.0.0/8",
                        node.name()
                    ));
                }
            }
        }
        for ip in &ips {
            let item = recorded.iter().find(|k| k.node == *node.name() && k.address == *ip.to_string());
            let manner = manner(node, &ips, item, ca, shared)?;
            // of nodes that claim one address, only one can be there
            plan.entry(*ip).or_insert(Listener { node: node.name().into(), ip: *ip, manner });
        }
    }
    Ok(plan.into_values().collect())
}

fn manner(
    node: &Node,
    ips: &[IpAddr],
    item: Option<&Kubelet>,
    ca: &Authority,
    shared: &Shared,
) -> Result<Manner, String> {
    if shared.faults.refuses(Source::Kubelet, node.name()) {
        return Ok(Manner::Closed);
    }
    if let Some(flaw) = shared.faults.flaw(Source::Kubelet, node.name()) {
        let signed = pki::flawed(ca, good(node.name(), ips), Some(flaw))?;
        return signed.serve_clients_of(ca).map(Manner::Tls);
    }
    let good = || ca.sign(&good(node.name(), ips))?.serve_clients_of(ca).map(Manner::Tls);
    let Some(item) = item else { return good() };
    if let Some(failure) = &item.failure {
        return Ok(match failure.why.as_str() {
            "timed-out" => Manner::Silent,
            "malformed" => Manner::Http,
            _ => Manner::Closed,
        });
    }
    let Some(certificate) = &item.certificate else { return good() };
    let names =
        Names::recorded(certificate).map_err(|e| format!("the certificate of {}: {e}", node.name()))?;
    let signed = if item.trusted {
        ca.sign(&names)
    } else if certificate.issuer == certificate.subject {
        Signed::by_itself(&names)
    } else {
        Authority::new(&Names::new(&certificate.issuer, &[], &[])).and_then(|other| other.sign(&names))
    };
    let config = signed.and_then(|signed| signed.serve_clients_of(ca));
    config.map(Manner::Tls).map_err(|e| format!("the certificate of {}: {e}", node.name()))
}

/// What k3s makes for a node with these addresses.
fn good(node: &str, ips: &[IpAddr]) -> Names {
    let mut all = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    all.extend(ips.iter().filter(|ip| **ip != Ipv4Addr::LOCALHOST));
    Names::new(node, &[node, "localhost"], &all)
}

/// Binds all listeners to one port. Errors: there is none that is free on every address.
pub(crate) fn bind(plan: &[Listener], wanted: KubeletPort) -> Result<(u16, Vec<Port>), String> {
    let Some(first) = plan.first() else { return Ok((10250, Vec::new())) };
    let open = |listener: &Listener| !matches!(listener.manner, Manner::Closed);
    let mut trouble = String::new();
    let tries = if wanted == KubeletPort::Ephemeral { TRIES } else { 1 };
    for _ in 0..tries {
        let port = match wanted {
            KubeletPort::Fixed10250 => 10250,
            KubeletPort::Ephemeral => 0,
        };
        let at = |listener: &Listener, port: u16| {
            Port::bind(listener.ip, port, open(listener)).map_err(|e| format!("{}: {e}", listener.ip))
        };
        let bound = at(first, port).and_then(|bound| {
            let port = bound.address().map_err(|e| e.to_string())?.port();
            let mut all = vec![bound];
            for listener in &plan[1..] {
                all.push(at(listener, port)?);
            }
            Ok((port, all))
        });
        match bound {
            Ok(bound) => return Ok(bound),
            Err(e) => trouble = e,
        }
    }
    Err(format!("no port for the kubelets: {trouble}"))
}

impl Addresses {
    pub fn new(plan: &[Listener], port: u16, shared: &Shared) -> Addresses {
        let silent = |listener: &&Listener| {
            matches!(listener.manner, Manner::Silent) || shared.faults.silences(&listener.node)
        };
        Addresses { port, silent: plan.iter().filter(silent).map(|l| l.ip).collect() }
    }
}

/// Serves one kubelet until the runtime ends.
pub(crate) async fn serve(listener: Listener, port: Port, shared: Arc<Shared>) {
    let Port::Open(socket) = port else {
        // the port stays bound, so that nobody else answers there
        return hold(port).await;
    };
    let Ok(address) = socket.local_addr() else { return };
    let Ok(socket) = tokio::net::TcpListener::from_std(socket) else { return };
    let listener = Arc::new(listener);
    let path = format!("{} {address}", listener.node);
    loop {
        let Ok((stream, peer)) = socket.accept().await else { continue };
        let (listener, shared, path) = (listener.clone(), shared.clone(), path.clone());
        tokio::spawn(async move {
            // what the API server dials is none of the client's requests
            let number = (!shared.was_dialed_from(peer))
                .then(|| shared.log.arrived(Source::Kubelet, "TLS", &path, ""));
            let stream = Counted::new(stream, shared.log.clone(), Source::Kubelet);
            answer(&listener, stream, &shared, &path, number).await;
        });
    }
}

async fn answer(
    listener: &Listener,
    mut stream: Counted,
    shared: &Shared,
    path: &str,
    number: Option<usize>,
) {
    let fault = shared.faults.strike(Source::Kubelet, path);
    match fault {
        Some(Fault::Silent | Fault::Stall) => return hold(stream).await,
        Some(Fault::Refuse | Fault::Reset) => return stream.reset().store(true, Relaxed),
        // The connection ends inside the handshake; what was sent is read, or the end would be a reset.
        Some(Fault::Truncate) => return drop(stream.read(&mut [0; 4096]).await),
        // it speaks HTTP where TLS is expected
        Some(Fault::Status { .. } | Fault::Html502 | Fault::NotTls) => return plain_http(&mut stream).await,
        Some(_) | None => {}
    }
    let config = match &listener.manner {
        Manner::Tls(config) => config.clone(),
        Manner::Silent => return hold(stream).await,
        Manner::Http => return plain_http(&mut stream).await,
        Manner::Closed => return,
    };
    let Ok(mut stream) = TlsAcceptor::from(config).accept(stream).await else { return };
    if let Some(number) = number {
        shared.log.update(number, |request| request.status = 200);
    }
    let known = stream.get_ref().1.peer_certificates().is_some();
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        head.extend_from_slice(&buffer[..read]);
        if let Some(number) = number {
            shared.log.update(number, |request| request.received = head.len());
        }
        if fault.is_some() {
            break;
        }
        if head.ends_with(b"\r\n\r\n") {
            // the peer may be gone already
            let _ = stream.write_all(reply(&head, known, &shared.logs).as_bytes()).await;
            break;
        }
        if head.len() > LONGEST {
            return;
        }
    }
    // the peer may be gone already
    let _ = stream.shutdown().await;
}

/// What a kubelet of k3s answers: nothing to strangers, and to the API server the container's log.
fn reply(head: &[u8], known: bool, logs: &PodLogs) -> String {
    let head = String::from_utf8_lossy(head);
    let target = head.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (status, body) = match path.starts_with("/containerLogs/") {
        _ if !known => ("401 Unauthorized", "Unauthorized".to_string()),
        true => match logs.answer(path, query) {
            (200, log) => ("200 OK", log),
            (_, refusal) => ("400 Bad Request", refusal),
        },
        false => ("404 Not Found", "404 page not found\n".to_string()),
    };
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
