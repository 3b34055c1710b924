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

use crate::http::hold;
use crate::options::{Fault, KubeletPort, Source};
use crate::pki::{Authority, Names, serve_self_signed};
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
    let Some(item) = item else { return Ok(Manner::Tls(ca.serve(&good(node.name(), ips))?)) };
    if let Some(failure) = &item.failure {
        return Ok(match failure.why.as_str() {
            "timed-out" => Manner::Silent,
            "malformed" => Manner::Http,
            _ => Manner::Closed,
        });
    }
    let Some(certificate) = &item.certificate else {
        return Ok(Manner::Tls(ca.serve(&good(node.name(), ips))?));
    };
    let names =
        Names::recorded(certificate).map_err(|e| format!("the certificate of {}: {e}", node.name()))?;
    let config = if item.trusted {
        ca.serve(&names)
    } else if certificate.issuer == certificate.subject {
        serve_self_signed(&names)
    } else {
        Authority::new(&Names::new(&certificate.issuer, &[], &[])).and_then(|other| other.serve(&names))
    };
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
    match shared.faults.strike(Source::Kubelet, path) {
        Some(Fault::Silent) => return hold(stream).await,
        Some(Fault::Refuse | Fault::Reset) => return stream.reset().store(true, Relaxed),
        // the connection ends inside the handshake
        Some(Fault::Truncate) => return drop(stream.read(&mut [0; 16]).await),
        // it speaks HTTP where TLS is expected
        Some(Fault::Status { .. } | Fault::Html502) => return http(&mut stream).await,
        None => {}
    }
    let config = match &listener.manner {
        Manner::Tls(config) => config.clone(),
        Manner::Silent => return hold(stream).await,
        Manner::Http => return http(&mut stream).await,
        Manner::Closed => return,
    };
    let Ok(mut stream) = TlsAcceptor::from(config).accept(stream).await else { return };
    if let Some(number) = number {
        shared.log.update(number, |request| request.status = 200);
    }
    let mut received = 0;
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        received += read;
        if let Some(number) = number {
            shared.log.update(number, |request| request.received = received);
        }
        if received > LONGEST {
            return;
        }
    }
    // the peer may be gone already
    let _ = stream.shutdown().await;
}

/// What Go's HTTP server says to a TLS client.
async fn http(stream: &mut Counted) {
    let mut hello = [0; 4096];
    let text = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n";
    // both fail only when the peer went away
    if stream.read(&mut hello).await.is_ok() {
        let _ = stream.write_all(text).await;
        let _ = stream.shutdown().await;
    }
}
