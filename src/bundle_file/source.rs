//! A file as it unpacks, within limits.

use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use flate2::read::GzDecoder;

/// No file is read beyond this: a compressed one may unpack to anything.
const LARGEST: u64 = 1 << 28;
/// So many tell what a file is.
const HEAD: u64 = 200;

type Source = Box<dyn Read>;

/// A file as it unpacks, of which the head was read already.
pub type Unpacked = io::Chain<Cursor<Vec<u8>>, AtMost>;

/// Opens a file, or standard input when the path is `-`.
///
/// # Errors
/// When it cannot be read, or begins like a gzip file and is none.
pub fn open(path: &Path) -> io::Result<Unpacked> {
    let source: Source = match path == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(path)?),
    };
    let raw = unpacked(source, false)?;
    if !head(&raw).starts_with(&[0x1f, 0x8b]) {
        return Ok(raw);
    }
    unpacked(Box::new(Gzip(GzDecoder::new(raw))), true)
}

fn unpacked(source: Source, unpacks: bool) -> io::Result<Unpacked> {
    let mut head = Vec::new();
    let mut rest = AtMost { source, left: LARGEST, unpacks };
    rest.by_ref().take(HEAD).read_to_end(&mut head)?;
    Ok(Cursor::new(head).chain(rest))
}

/// What it begins with.
pub fn head(file: &Unpacked) -> &[u8] {
    file.get_ref().0.get_ref()
}

/// It was compressed.
pub fn is_packed(file: &Unpacked) -> bool {
    file.get_ref().1.unpacks
}

/// Says of what is no whole gzip file that it is none.
struct Gzip(GzDecoder<Unpacked>);

impl Read for Gzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|e| {
            let of_the_file = e.raw_os_error().is_some()
                || e.kind() == io::ErrorKind::Interrupted
                || e.get_ref().is_some_and(|inner| inner.is::<Wrong>());
            if of_the_file { e } else { io::Error::other(Wrong::NoGzip(e.to_string())) }
        })
    }
}

/// Reads so much and no more.
pub struct AtMost {
    source: Source,
    left: u64,
    unpacks: bool,
}

impl Read for AtMost {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::other(if self.unpacks { Wrong::UnpacksToMore } else { Wrong::TooLarge })
        })?;
        Ok(read)
    }
}

/// What is wrong with a file that could be read.
#[derive(Debug)]
enum Wrong {
    NoGzip(String),
    TooLarge,
    UnpacksToMore,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::NoGzip(why) => {
                write!(f, "is no whole gzip file ({why}): download it again, or collect it again")
            }
            Wrong::TooLarge => f.write_str("is larger than 256 MiB, which no"),
            Wrong::UnpacksToMore => f.write_str("unpacks to more than 256 MiB, which no"),
        }
    }
}
impl std::error::Error for Wrong {}

/// One sentence on what went wrong in reading a file that should be a `what`.
pub fn unreadable(name: &str, what: &str, e: io::Error) -> String {
    match e.get_ref().and_then(|inner| inner.downcast_ref::<Wrong>()) {
        Some(wrong @ Wrong::NoGzip(_)) => format!("{name} {wrong}"),
        Some(wrong @ Wrong::TooLarge) => format!("{name} {wrong} {what} is"),
        Some(wrong @ Wrong::UnpacksToMore) => format!("{name} {wrong} {what} does"),
        None => format!("cannot read {name}: {e}"),
    }
}
