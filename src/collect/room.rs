//! Memory for bodies: small ones at will, large ones in turns, so that a server that sends without end to every request does
//! not take more than is known.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::yield_now;

/// Bodies up to this size need no turn.
pub const SMALL: usize = 512 * 1024;
/// Bodies up to this size are read three at a time, larger ones one at a time.
const MIDDLE: usize = 4 * 1024 * 1024;

/// How much is read in one go.
const STEP: usize = 64 * 1024;

static MIDDLE_TURNS: Semaphore = Semaphore::const_new(3);
static LARGE_TURNS: Semaphore = Semaphore::const_new(1);

/// Makes room in the buffer for so many bytes, in the steps for which turns are taken: a buffer that doubles would take twice
/// the cap, and half as much again while it moves.
pub fn grow(buffer: &mut Vec<u8>, bytes: usize, cap: usize) {
    if bytes <= buffer.capacity() {
        return;
    }
    let size = [STEP, SMALL, MIDDLE, cap].into_iter().find(|size| *size >= bytes).unwrap_or(bytes);
    if size == MIDDLE
        && let Some(mut spare) = spares().pop()
    {
        spare.extend_from_slice(buffer);
        *buffer = spare;
        return;
    }
    buffer.reserve_exact(size - buffer.len());
}

/// Keeps a buffer of the middle size for the next page: each new one is memory that the system clears first.
pub fn give_back(mut buffer: Vec<u8>) {
    let mut spares = spares();
    if buffer.capacity() == MIDDLE && spares.len() < MOST_SPARES {
        buffer.clear();
        spares.push(buffer);
    }
}

/// Gives the kept buffers back to the system, when all lists are read.
pub fn clear() {
    spares().clear();
    spares().shrink_to_fit();
}

/// As many as are read at the same time.
const MOST_SPARES: usize = 3;
static SPARES: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

fn spares() -> MutexGuard<'static, Vec<Vec<u8>>> {
    SPARES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The turns that one body has taken; given back when it is dropped. Whoever waits for the second kind has the first, so
/// nobody waits for somebody who waits.
#[derive(Default)]
pub struct Room {
    had: usize,
    middle: Option<SemaphorePermit<'static>>,
    large: Option<SemaphorePermit<'static>>,
}

impl Room {
    /// Waits until a body may grow to so many bytes. Lets others have their turn with the processor: what unpacks to much
    /// would otherwise keep all other answers waiting.
    pub async fn for_bytes(&mut self, bytes: usize) {
        if bytes / STEP != self.had / STEP {
            yield_now().await;
        }
        self.had = bytes;
        const OPEN: &str = "it is never closed";
        if bytes > SMALL && self.middle.is_none() {
            self.middle = Some(MIDDLE_TURNS.acquire().await.expect(OPEN));
        }
        if bytes > MIDDLE && self.large.is_none() {
            self.large = Some(LARGE_TURNS.acquire().await.expect(OPEN));
        }
    }
}
