//! The yardstick: the requests of a doctor's run, asked again by a client that does nothing with the answers. Lists at
//! once, the pages of one list one after the other, as a `continue` token allows no other way: it does unpack them, as
//! everybody must who asks for compressed answers.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::{join, join_all, ready};
use futures::{StreamExt, stream};
use reqwest::Client;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::served::{Traffic, Way};

/// As many handshakes at once as the doctor makes at most.
const AT_ONCE: usize = 256;

/// As the doctor asks for lists of built-in kinds; custom resources are answered in JSON.
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf,application/json";

#[derive(Serialize, Deserialize)]
pub struct Plan {
    pub way: Way,
    pub traffic: Traffic,
    /// Shake hands with the kubelets as well.
    pub handshakes: bool,
    pub form: Form,
}

/// How answers are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// Compressed JSON.
    Json,
    /// JSON as it is, which is what `curl` gets.
    Uncompressed,
    /// As the doctor does: compressed, and protobuf where there is such a form.
    Protobuf,
}

/// Asks everything, and gives the number of bytes that the answers have when they are unpacked.
pub fn run(plan: &Plan) -> usize {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // as many threads as the doctor has
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("threads can be started").block_on(async {
        let (way, traffic) = (&plan.way, &plan.traffic);
        let kubernetes =
            lists(&way.cluster_ca, &way.server, &way.kubernetes_token, &traffic.kubernetes, plan.form);
        let hetzner = lists(&way.hetzner_ca, &way.hetzner, &way.hetzner_token, &traffic.hetzner, plan.form);
        let shakes = async {
            if plan.handshakes {
                shake_hands(&way.cluster_ca, &traffic.handshakes).await;
            }
        };
        let ((kubernetes, hetzner), ()) = join(join(kubernetes, hetzner), shakes).await;
        kubernetes + hetzner
    })
}

async fn lists(ca: &str, endpoint: &str, token: &str, targets: &[String], form: Form) -> usize {
    let client = client(ca, form != Form::Uncompressed);
    let accept = if form == Form::Protobuf { PROTOBUF } else { "application/json" };
    let mut lists: Vec<(&str, Vec<&str>)> = Vec::new();
    for target in targets {
        let path = target.split('?').next().unwrap_or_default();
        match lists.iter_mut().find(|(known, _)| *known == path) {
            Some((_, pages)) => pages.push(target),
            None => lists.push((path, vec![target])),
        }
    }
    // each in a task of its own, so that both threads have their share
    let list = |pages: Vec<&str>| {
        let requests: Vec<_> = pages
            .iter()
            .map(|page| client.get(format!("{endpoint}{page}")).bearer_auth(token).header("accept", accept))
            .collect();
        tokio::spawn(async move {
            let mut bytes = 0;
            for request in requests {
                let mut answer = request.send().await.expect("it is answered");
                while let Some(chunk) = answer.chunk().await.expect("it is answered to the end") {
                    bytes += chunk.len();
                }
            }
            bytes
        })
    };
    let lists = join_all(lists.into_iter().map(|(_, pages)| list(pages))).await;
    lists.into_iter().map(|bytes| bytes.expect("no list panics")).sum()
}

/// A client that trusts that authority.
pub fn client(ca: &str, compressed: bool) -> Client {
    Client::builder().tls_backend_preconfigured(tls(ca)).gzip(compressed).build().expect("a client")
}

/// A whole handshake with each kubelet, with the ordinary verification, by the name that all of them have.
async fn shake_hands(ca: &str, addresses: &[String]) {
    let connector = TlsConnector::from(Arc::new(tls(ca)));
    let shake = async move |at: SocketAddr, connector: TlsConnector| {
        let stream = TcpStream::connect(at).await.expect("the kubelet is there");
        stream.set_nodelay(true).expect("a socket takes it");
        let name = ServerName::try_from("localhost").expect("it is a name");
        let mut stream = connector.connect(name, stream).await.expect("its certificate is good");
        // the peer may be quicker to close
        let _ = stream.shutdown().await;
        let _ = stream.read(&mut [0; 1024]).await;
    };
    let shakes = stream::iter(addresses).map(|address| {
        let at: SocketAddr = address.parse().expect("an address and a port");
        tokio::spawn(shake(at, connector.clone()))
    });
    let shakes = shakes.buffer_unordered(AT_ONCE).for_each(|done| {
        done.expect("no handshake panics");
        ready(())
    });
    shakes.await;
}

fn tls(ca: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(ca.as_bytes()).filter_map(Result::ok));
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}
