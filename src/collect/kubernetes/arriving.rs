//! A body, unpacked while it comes in: straight into the buffer from which it is read, for a large list passes through here
//! with hundreds of megabytes.

use std::io::{self, ErrorKind};

use flate2::{Decompress, FlushDecompress, Status};
use http::header::CONTENT_ENCODING;
use http::{Response, response};
use http_body_util::BodyExt;
use kube::client::Body;

use super::failure::Failure;
use crate::collect::budget::Came;
use crate::collect::room::{Room, grow};

/// The largest window that gzip has.
const WINDOW_BITS: u8 = 15;

/// What is left of an answer.
pub(super) struct Arriving {
    body: Body,
    gzip: Option<Gzip>,
}

struct Gzip {
    state: Decompress,
    ended: bool,
}

impl Arriving {
    /// The head of an answer, and its body to come.
    pub fn of(response: Response<Body>) -> (response::Parts, Arriving) {
        let (head, body) = response.into_parts();
        let encoding = head.headers.get(CONTENT_ENCODING).and_then(|encoding| encoding.to_str().ok());
        let is_gzip = encoding.is_some_and(|encoding| encoding.eq_ignore_ascii_case("gzip"));
        let gzip = || Gzip { state: Decompress::new_gzip(WINDOW_BITS), ended: false };
        (head, Arriving { body, gzip: is_gzip.then(gzip) })
    }

    /// The body up to the cap, and whether it ended there. `look` is shown what there is of it, until it has seen enough.
    ///
    /// # Errors
    /// When it breaks off, or is no gzip and says it is.
    pub async fn read(
        mut self,
        cap: usize,
        came: &Came,
        room: &mut Room,
        mut look: impl FnMut(&[u8]) -> bool,
    ) -> Result<(Vec<u8>, bool), Failure> {
        let (mut bytes, mut enough) = (Vec::new(), false);
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|e| Failure::of(&e).in_body())?;
            let Some(data) = frame.data_ref() else { continue };
            came.bytes(data.len());
            let fits = match &mut self.gzip {
                Some(gzip) => gzip.unpack(data, &mut bytes, cap, room).await?,
                None => copy(data, &mut bytes, cap, room).await,
            };
            if !fits {
                return Ok((bytes, false));
            }
            enough = enough || look(&bytes);
        }
        match self.gzip {
            Some(gzip) if !gzip.ended => {
                Err(Failure::of(&io::Error::from(ErrorKind::UnexpectedEof)).in_body())
            }
            _ => Ok((bytes, true)),
        }
    }
}

async fn copy(data: &[u8], bytes: &mut Vec<u8>, cap: usize, room: &mut Room) -> bool {
    let wanted = bytes.len() + data.len();
    if wanted > cap {
        return false;
    }
    room.for_bytes(wanted).await;
    grow(bytes, wanted, cap);
    bytes.extend_from_slice(data);
    true
}

impl Gzip {
    /// Whether what comes out fits.
    async fn unpack(
        &mut self,
        mut data: &[u8],
        bytes: &mut Vec<u8>,
        cap: usize,
        room: &mut Room,
    ) -> Result<bool, Failure> {
        // The end may still be to come when nothing is left to be taken in.
        while !self.ended {
            if bytes.len() == bytes.capacity() {
                let wanted = bytes.len() + 1;
                if wanted > cap {
                    return Ok(false);
                }
                room.for_bytes(wanted).await;
                grow(bytes, wanted, cap);
            }
            let (taken, made) = (self.state.total_in(), bytes.len());
            let status = self.state.decompress_vec(data, bytes, FlushDecompress::None);
            let broken = |_| Failure::new("malformed", "its answer says that it is gzip, and is not");
            self.ended = status.map_err(broken)? == Status::StreamEnd;
            data = &data[(self.state.total_in() - taken) as usize..];
            let went_on = self.state.total_in() > taken || bytes.len() > made;
            if (data.is_empty() && bytes.len() < bytes.capacity()) || !went_on {
                break;
            }
        }
        Ok(bytes.len() <= cap)
    }
}
