//! Bodies that end before their time, or never.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use flate2::{Compress, Compression, FlushCompress};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// Between two bytes of a body that comes in drops.
const PAUSE: Duration = Duration::from_millis(20);
/// Levels of [`nested`].
const DEEP: usize = 100_000;
const MEGABYTE: usize = 1024 * 1024;
/// Megabytes in a bomb.
const BOMB: usize = 1024;

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Complete,
    /// The connection ends before the promised length is there.
    Break,
    /// Nothing more comes.
    Stall,
    /// It does, one byte at a time.
    Drip,
}

/// A body that can end before its time.
pub(crate) struct Payload {
    data: Bytes,
    /// What it says its length is.
    declared: Option<u64>,
    end: End,
    flushed: bool,
    pause: Option<Pin<Box<Sleep>>>,
    /// This so often, after the data.
    again: (Bytes, usize),
}

impl Payload {
    pub fn new(data: Bytes, declared: u64, end: End) -> Payload {
        Payload { data, declared: Some(declared), end, flushed: false, pause: None, again: (Bytes::new(), 0) }
    }

    /// A list with an item whose name never ends.
    pub fn endless() -> Payload {
        let begin = br#"{"metadata":{},"items":[{"metadata":{"name":""#;
        let much = Bytes::from(vec![b'a'; 64 * 1024]);
        Payload {
            declared: None,
            again: (much, usize::MAX),
            ..Payload::new(Bytes::from_static(begin), 0, End::Complete)
        }
    }

    /// A gigabyte of blanks inside of a list, as gzip.
    pub fn bomb() -> Payload {
        static PARTS: OnceLock<(Bytes, Bytes)> = OnceLock::new();
        let (head, block) = PARTS.get_or_init(|| {
            // magic, deflate, no flags, no time, no extra flags, unknown system
            let mut head = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
            head.extend(deflated(br#"{"metadata":{},"items":["#));
            (head.into(), deflated(&vec![b' '; MEGABYTE]).into())
        });
        Payload {
            declared: None,
            again: (block.clone(), BOMB),
            ..Payload::new(head.clone(), 0, End::Complete)
        }
    }

    /// Bytes that are known to go out.
    pub fn sent(&self) -> usize {
        self.data.len()
    }
}

/// Deflate blocks that can stand behind any others: nothing in them refers to what was before.
fn deflated(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 64 + 1024);
    let full = Compress::new(Compression::best(), false).compress_vec(text, &mut out, FlushCompress::Full);
    full.expect("blanks can be compressed");
    out
}

/// A list, of Kubernetes or Hetzner, whose item is as deep as none is.
pub(crate) fn nested(path: &str) -> String {
    let key = path.strip_prefix("/v1/").unwrap_or("items");
    format!(r#"{{"metadata":{{}},"{key}":[{}{}]}}"#, "[".repeat(DEEP), "]".repeat(DEEP))
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(pause) = &mut self.pause {
            if pause.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
        }
        if !self.data.is_empty() {
            let drop = if self.end == End::Drip { 1 } else { self.data.len() };
            if self.end == End::Drip {
                self.pause = Some(Box::pin(sleep(PAUSE)));
            }
            return Poll::Ready(Some(Ok(Frame::data(self.data.split_to(drop)))));
        }
        if self.again.1 > 0 {
            self.again.1 -= 1;
            return Poll::Ready(Some(Ok(Frame::data(self.again.0.clone()))));
        }
        match self.end {
            End::Complete | End::Drip => Poll::Ready(None),
            // whoever polls is told of the end of the connection by others
            End::Stall => Poll::Pending,
            End::Break if !self.flushed => {
                // what was handed over is sent when the body has nothing more for the moment
                self.flushed = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            End::Break => Poll::Ready(Some(Err(io::Error::other("a fault ends the body")))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.again.1 == 0 && matches!(self.end, End::Complete | End::Drip)
    }

    fn size_hint(&self) -> SizeHint {
        self.declared.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
