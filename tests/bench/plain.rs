//! The yardstick: the requests of a doctor's run, asked again by a client that does nothing with the answers. Lists at
//! once, the pages of one list one after the other, as a `continue` token allows no other way.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::{join, join_all};
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

/// As many handshakes at once as the doctor makes.
const AT_ONCE: usize = 64;

#[derive(Serialize, Deserialize)]
pub struct Plan {
    pub way: Way,
    pub traffic: Traffic,
    /// Shake hands with the kubelets as well.
    pub handshakes: bool,
}

/// Asks everything, and gives the number of bytes that the answers have when they are unpacked.
pub fn run(plan: &Plan) -> usize {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // as many threads as the doctor has
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("threads can be started").block_on(async {
        let (way, traffic) = (&plan.way, &plan.traffic);
        let kubernetes = lists(&way.cluster_ca, &way.server, &way.kubernetes_token, &traffic.kubernetes);
        let hetzner = lists(&way.hetzner_ca, &way.hetzner, &way.hetzner_token, &traffic.hetzner);
        let shakes = async {
            if plan.handshakes {
                shake_hands(&way.cluster_ca, &traffic.handshakes).await;
            }
        };
        let ((kubernetes, hetzner), ()) = join(join(kubernetes, hetzner), shakes).await;
        kubernetes + hetzner
    })
}

async fn lists(ca: &str, endpoint: &str, token: &str, targets: &[String]) -> usize {
    let client = Client::builder().tls_backend_preconfigured(tls(ca)).build().expect("a client");
    let mut lists: Vec<(&str, Vec<&str>)> = Vec::new();
    for target in targets {
        let path = target.split('?').next().unwrap_or_default();
        match lists.iter_mut().find(|(known, _)| *known == path) {
            Some((_, pages)) => pages.push(target),
            None => lists.push((path, vec![target])),
        }
    }
    let list = async |pages: Vec<&str>| {
        let mut bytes = 0;
        for page in pages {
            let request = client.get(format!("{endpoint}{page}")).bearer_auth(token);
            let mut answer = request.send().await.unwrap_or_else(|e| panic!("{page}: {e:?}"));
            while let Some(chunk) = answer.chunk().await.unwrap_or_else(|e| panic!("{page}: {e:?}")) {
                bytes += chunk.len();
            }
        }
        bytes
    };
    join_all(lists.into_iter().map(|(_, pages)| list(pages))).await.into_iter().sum()
}

/// A whole handshake with each kubelet, with the ordinary verification: the generated ones are all good.
async fn shake_hands(ca: &str, addresses: &[String]) {
    let connector = TlsConnector::from(Arc::new(tls(ca)));
    let shake = async |address: &String| {
        let at: SocketAddr = address.parse().expect("an address and a port");
        let stream = TcpStream::connect(at).await.expect("the kubelet is there");
        stream.set_nodelay(true).expect("a socket takes it");
        let name = ServerName::IpAddress(at.ip().into());
        let mut stream = connector.connect(name, stream).await.expect("its certificate is good");
        // the peer may be quicker to close
        let _ = stream.shutdown().await;
        let _ = stream.read(&mut [0; 1024]).await;
    };
    stream::iter(addresses).map(shake).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

fn tls(ca: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(ca.as_bytes()).filter_map(Result::ok));
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}
