//! Ports that are bound at once, and connections whose bytes are counted.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::log::Log;
use crate::options::Source;

/// A port of this machine that belongs to the simulator.
pub(crate) enum Port {
    Open(TcpListener),
    /// Bound and not listening: whoever connects is refused, and nobody else can take the port meanwhile.
    Closed {
        _kept: Socket,
        address: SocketAddr,
    },
}

impl Port {
    /// Binds an address; port 0 is any that is free.
    pub fn bind(ip: IpAddr, port: u16, open: bool) -> io::Result<Port> {
        let wanted = SocketAddr::new(ip, port);
        if open {
            let listener = TcpListener::bind(wanted)?;
            listener.set_nonblocking(true)?;
            return Ok(Port::Open(listener));
        }
        let socket = Socket::new(Domain::for_address(wanted), Type::STREAM, None)?;
        socket.bind(&wanted.into())?;
        let address = socket.local_addr()?.as_socket().unwrap_or(wanted);
        Ok(Port::Closed { _kept: socket, address })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Port::Open(listener) => listener.local_addr(),
            Port::Closed { address, .. } => Ok(*address),
        }
    }
}

/// A connection of which every byte is counted, and which can be made to end with a reset.
pub(crate) struct Counted {
    stream: TcpStream,
    log: Arc<Log>,
    source: Source,
    reset: Arc<AtomicBool>,
}

impl Counted {
    pub fn new(stream: TcpStream, log: Arc<Log>, source: Source) -> Counted {
        log.traffic(source).connections.fetch_add(1, Relaxed);
        // as Go's servers do; without it a short answer may wait 40 ms for an acknowledgement
        let _ = stream.set_nodelay(true);
        Counted { stream, log, source, reset: Arc::default() }
    }

    /// Set it, and the connection ends with a TCP reset instead of an orderly close.
    pub fn reset(&self) -> Arc<AtomicBool> {
        self.reset.clone()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.reset.load(Relaxed) {
            // an orderly close is a milder fault, and all that is left when this fails
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        let read = (buf.filled().len() - before) as u64;
        self.log.traffic(self.source).received.fetch_add(read, Relaxed);
        outcome
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = outcome {
            self.log.traffic(self.source).sent.fetch_add(written as u64, Relaxed);
        }
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
