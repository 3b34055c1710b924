//! Servers for tests, on loopback: as wayward as a test needs them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// What is done with one request.
pub enum Reply {
    /// These bytes, head and all.
    Bytes(Vec<u8>),
    /// The first bytes, and the others when somebody says so.
    InTwo(Vec<u8>, Arc<Notify>, Vec<u8>),
    /// These bytes, and the connection is closed.
    Torn(Vec<u8>),
    /// Nothing, for ever.
    Silence,
    /// A list whose first item never ends.
    Endless,
    /// The connection is closed.
    Cut,
}

/// What came in.
#[derive(Default)]
struct Seen {
    heads: Mutex<Vec<String>>,
    bytes: AtomicUsize,
    connections: AtomicUsize,
}

pub struct Loopback {
    pub address: SocketAddr,
    seen: Arc<Seen>,
}

/// An answer with a status and a body.
pub fn reply(status: u16, body: &str) -> Reply {
    reply_with(status, "content-type: application/json\r\n", body)
}

pub fn reply_with(status: u16, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Bytes(format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}").into())
}

impl Loopback {
    /// Answers each request by its target (path and query).
    pub async fn serve(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Loopback {
        Loopback::start(None, answer).await
    }

    pub async fn serve_tls(
        config: rustls::ServerConfig,
        answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Loopback {
        Loopback::start(Some(TlsAcceptor::from(Arc::new(config))), answer).await
    }

    async fn start(
        tls: Option<TlsAcceptor>,
        answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Loopback {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (counted, answer) = (Arc::clone(&seen), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.connections.fetch_add(1, Relaxed);
                let (counted, answer, tls) = (Arc::clone(&counted), Arc::clone(&answer), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => talk(stream, &counted, &*answer).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                talk(stream, &counted, &*answer).await;
                            }
                        }
                    }
                });
            }
        });
        Loopback { address, seen }
    }

    /// The targets that were asked for.
    pub fn targets(&self) -> Vec<String> {
        self.heads().iter().map(|head| head.split(' ').nth(1).unwrap_or_default().to_owned()).collect()
    }

    /// Request lines and headers.
    pub fn heads(&self) -> Vec<String> {
        self.seen.heads.lock().unwrap().clone()
    }

    pub fn bytes(&self) -> usize {
        self.seen.bytes.load(Relaxed)
    }

    pub fn connections(&self) -> usize {
        self.seen.connections.load(Relaxed)
    }
}

async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: &Seen,
    answer: &(dyn Fn(&str) -> Reply + Sync),
) {
    let mut waiting = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        while let Some(end) = waiting.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&waiting[..end]).into_owned();
            waiting.drain(..end + 4);
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            seen.heads.lock().unwrap().push(head);
            let done = match answer(&target) {
                Reply::Bytes(bytes) => stream.write_all(&bytes).await,
                Reply::InTwo(first, until, rest) => {
                    // That the client is gone shows itself at the next write.
                    let _ = stream.write_all(&first).await.and(stream.flush().await);
                    until.notified().await;
                    stream.write_all(&rest).await
                }
                Reply::Torn(bytes) => {
                    let _ = stream.write_all(&bytes).await.and(stream.flush().await);
                    return;
                }
                Reply::Silence => std::future::pending().await,
                Reply::Endless => endless(&mut stream).await,
                Reply::Cut => return,
            };
            if done.is_err() {
                return;
            }
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(n) => {
                seen.bytes.fetch_add(n, Relaxed);
                waiting.extend_from_slice(&chunk[..n]);
            }
        }
    }
}

async fn endless(stream: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
    let head =
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{\"items\":[{\"metadata\":{\"name\":\"";
    stream.write_all(head).await?;
    let much = vec![b'a'; 256 * 1024];
    loop {
        stream.write_all(&much).await?;
    }
}
