//! A peer that answers as a test says: over HTTP or HTTPS, on loopback, well or badly.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What a server of a test does with a request.
pub enum Reply {
    /// Status line, headers and body.
    Send(String, Vec<(&'static str, String)>, String),
    /// A body without an end.
    Endless,
    Silent,
    /// Closes before it says anything.
    Close,
}
/// A server on loopback that answers the n-th request as `reply(n, head)` says.
pub struct Fake {
    pub address: SocketAddr,
    pub heads: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    pub async fn start(reply: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Fake {
        Fake::start_tls(None, reply).await
    }

    pub async fn start_tls(
        tls: Option<TlsAcceptor>,
        reply: impl Fn(usize, &str) -> Reply + Send + Sync + 'static,
    ) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (seen, reply) = (heads.clone(), Arc::new(reply));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, reply, tls) = (seen.clone(), reply.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &seen, &*reply).await;
                            }
                        }
                        None => serve(stream, &seen, &*reply).await,
                    }
                });
            }
        });
        Fake { address, heads }
    }

    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: &Mutex<Vec<String>>,
    reply: &(dyn Fn(usize, &str) -> Reply + Send + Sync),
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(head.clone());
        seen.len()
    };
    let answer = match reply(number, &head) {
        Reply::Send(status, headers, body) => {
            let headers: String = headers.iter().map(|(k, v)| format!("{k}: {v}\r\n")).collect();
            let length = body.len();
            format!(
                "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
        }
        Reply::Endless => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"servers\":[").await;
            while stream.write_all(&[b' '; 1 << 16]).await.is_ok() {}
            return;
        }
        Reply::Silent => return std::future::pending().await,
        Reply::Close => return,
    };
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
