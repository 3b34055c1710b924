//! Bundles on disk: `.json`, or `.json.gz`.

mod source;

use std::fs;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use kairos_doctor_checks::facts::{BundleError, Document, FORMAT, Facts, Text};
use serde::Deserialize;

use source::{head, is_packed, open, unreadable};

/// So many bytes are read or written in one go.
const AT_ONCE: usize = 64 * 1024;

/// Reads a recorded cluster, from standard input when the path is `-`; whether it is compressed is seen from its first bytes.
/// It is read object by object, and never held as a whole.
///
/// # Errors
/// One sentence naming the file and what helps: it cannot be read, is cut off, is something else, or of a later version.
pub fn read(path: &Path) -> Result<Facts, String> {
    let name = named(path);
    let file = open(path).map_err(|e| unreadable(&name, "recording", e))?;
    let (head, packed) = (head(&file).to_vec(), is_packed(&file));
    if head.starts_with(b"PK\x03\x04") {
        return Err(format!("{name} is a zip archive: unpack it, and name the .json or .json.gz in it"));
    }
    let mut file = BufReader::with_capacity(AT_ONCE, file);
    let mut reader = serde_json::Deserializer::from_reader(&mut file);
    let document = Document::deserialize(&mut reader).and_then(|document| reader.end().map(|()| document));
    let document = document.map_err(|e| {
        if e.is_io() {
            return unreadable(&name, "recording", e.into());
        }
        // What unpacks to nonsense may have been damaged, of which only its end tells.
        match if packed { io::copy(&mut file, &mut io::sink()) } else { Ok(0) } {
            Ok(_) => no_json(&name, &head, &e),
            Err(e) => unreadable(&name, "recording", e),
        }
    })?;
    match document.facts {
        Ok(facts) => Ok(facts),
        Err(ref why) => Err(no_bundle(&name, &document, why)),
    }
}

/// What stands in a file, or on standard input when the path is `-`, unpacked where it is compressed. `what` is what it
/// should be: `report`.
///
/// # Errors
/// One sentence naming the file.
pub fn bytes(path: &Path, what: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let taken = open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    taken.map_err(|e| unreadable(&named(path), what, e))?;
    Ok(bytes)
}

fn named(path: &Path) -> String {
    if path == Path::new("-") { "standard input".into() } else { path.display().to_string() }
}

/// What makes a recording, for whoever named something else.
const RECORD: &str = "`kairos-doctor collect -o FILE` records a cluster";

fn no_json(name: &str, bytes: &[u8], e: &serde_json::Error) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
    if e.is_eof() {
        return format!("{name} is cut off: download it again, or collect it again");
    }
    if e.to_string().starts_with("trailing characters") {
        return format!("{name} holds more than one JSON document: name a file with one recording");
    }
    let what = match text.trim_start() {
        text if text.starts_with("<!-- kairos-doctor") => "is a report in Markdown and no recording",
        text if text.starts_with("<!DOCTYPE") || text.starts_with("<html") => {
            "is a web page and no recording"
        }
        text if text.starts_with("apiVersion:") => "is YAML and no recording",
        _ => return format!("{name} is no recording: it is no JSON ({e}); {RECORD}"),
    };
    format!("{name} {what}; {RECORD}")
}

fn no_bundle(name: &str, document: &Document, why: &BundleError) -> String {
    let format = &*document.format;
    if format.starts_with("kairos-doctor/bundle/") && format != FORMAT {
        let format = Text::new(format);
        return format!(
            "{name} is of another version, `{format}`: this one ({}) reads `{FORMAT}`; use the version of \
            kairos-doctor that recorded it, or the newest",
            env!("CARGO_PKG_VERSION")
        );
    }
    if document.schema.starts_with("kairos-doctor/report/") {
        return format!(
            "{name} is a report (`-o json`) and no recording: --from takes what `kairos-doctor collect -o FILE` writes"
        );
    }
    if document.is_of_kubernetes {
        return format!("{name} is an object of the Kubernetes API and no recording; {RECORD}");
    }
    if format == FORMAT {
        return format!("{name} is damaged: {why}");
    }
    format!("{name} is no recording: {why}; {RECORD}")
}

/// Writes a recorded cluster, whole or not at all, and says how many bytes that took; compressed when the name ends in `.gz`.
/// Only the owner may read it.
///
/// # Errors
/// One sentence naming the file.
pub fn write(path: &Path, facts: &Facts) -> Result<u64, String> {
    let packs = path.extension().is_some_and(|end| end == "gz");
    let written = write_by(path, OWNER, |file| {
        let mut counted = Counted { file: BufWriter::with_capacity(AT_ONCE, file), bytes: 0 };
        if packs {
            let packed = GzEncoder::new(&mut counted, Compression::best());
            let mut packed = BufWriter::with_capacity(AT_ONCE, packed);
            serde_json::to_writer_pretty(&mut packed, &facts.bundle())?;
            packed.into_inner()?.finish()?;
        } else {
            serde_json::to_writer_pretty(&mut counted, &facts.bundle())?;
        }
        counted.flush()?;
        Ok(counted.bytes)
    });
    written.map_err(|e| format!("cannot write {}: {e}", path.display()))
}

struct Counted<W> {
    file: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Who may read a new file: a bundle only its owner, a report whoever the umask lets.
pub const OWNER: u32 = 0o600;
pub const EVERYBODY: u32 = 0o666;

/// Writes beside the file and renames, so that nobody ever sees half of it (whoever is killed on the way leaves a `.part`); a
/// device or pipe is written to as it is.
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    write_by(path, mode, |file| file.write_all(bytes))
}

#[expect(clippy::disallowed_methods, reason = "what the user asked to be written")]
fn write_by<T>(path: &Path, mode: u32, write: impl FnOnce(&mut fs::File) -> io::Result<T>) -> io::Result<T> {
    if path.metadata().is_ok_and(|m| !m.is_file()) {
        return write(&mut fs::OpenOptions::new().write(true).open(path)?);
    }
    // Through a link, whose target is what is meant.
    let whole = path.canonicalize();
    let path = whole.as_deref().unwrap_or(path);
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let written = options.open(&beside).and_then(|mut file| {
        let written = write(&mut file)?;
        file.sync_all()?;
        Ok(written)
    });
    let moved = written.and_then(|written| fs::rename(&beside, path).map(|()| written));
    moved.inspect_err(|_| drop(fs::remove_file(&beside)))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_a_link() {
        let folder = std::env::temp_dir().join(format!("kairos-doctor-link-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (file, link) = (folder.join("file"), folder.join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        write_whole(&link, b"new", OWNER).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::remove_dir_all(&folder).unwrap();
    }
}
