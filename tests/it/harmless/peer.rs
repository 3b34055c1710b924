//! A server on loopback that answers as a test says and counts everything that reaches it, to the byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    bytes: AtomicUsize,
    heads: Mutex<Vec<String>>,
}

pub struct Peer {
    pub address: SocketAddr,
    seen: Arc<Seen>,
}

impl Peer {
    /// Gives each request the bytes that `answer` makes of its number and its head.
    pub fn answering(answer: impl Fn(usize, &str) -> Vec<u8> + Send + Sync + 'static) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::new(Seen::default());
        let (counted, answer) = (seen.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                counted.connections.fetch_add(1, SeqCst);
                let (counted, answer) = (counted.clone(), answer.clone());
                std::thread::spawn(move || {
                    let mut head = Vec::new();
                    let mut byte = [0];
                    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                        counted.bytes.fetch_add(1, SeqCst);
                        head.push(byte[0]);
                    }
                    if head.is_empty() {
                        return;
                    }
                    let head = String::from_utf8_lossy(&head).into_owned();
                    let number = {
                        let mut heads = counted.heads.lock().expect("nobody panics while noting");
                        heads.push(head.clone());
                        heads.len()
                    };
                    let _ = stream.write_all(&answer(number, &head));
                });
            }
        });
        Peer { address, seen }
    }

    /// Whom nobody has a reason to talk to.
    pub fn trap() -> Peer {
        Peer::answering(|_, _| answer("200 OK", "", "{}"))
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn connections(&self) -> usize {
        self.seen.connections.load(SeqCst)
    }

    pub fn bytes(&self) -> usize {
        self.seen.bytes.load(SeqCst)
    }

    pub fn heads(&self) -> Vec<String> {
        self.seen.heads.lock().expect("nobody panics while noting").clone()
    }
}

/// An HTTP answer; `headers` are whole lines.
pub fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into()
}

/// Method and target of a request.
pub fn line(head: &str) -> (&str, &str) {
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    (words.next().unwrap_or_default(), words.next().unwrap_or_default())
}

/// Names and values of a request's headers, the names in small letters.
pub fn headers(head: &str) -> impl Iterator<Item = (String, &str)> {
    let lines = head.lines().skip(1).filter(|line| !line.is_empty());
    lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
}
