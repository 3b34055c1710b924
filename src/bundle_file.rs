//! Bundles on disk: `.json`, or `.json.gz`.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use kairos_doctor_checks::facts::{FORMAT, Facts, Text};
use serde_json::Value;

/// No bundle is read beyond this: a compressed one may unpack to anything.
const LARGEST: u64 = 1 << 28;

/// Reads a recorded cluster, from standard input when the path is `-`; whether it is compressed is seen from its first bytes.
///
/// # Errors
/// One sentence naming the file and what helps: it cannot be read, is cut off, is something else, or of a later version.
pub fn read(path: &Path) -> Result<Facts, String> {
    let name = if path == Path::new("-") { "standard input".to_string() } else { path.display().to_string() };
    let bytes = bytes(path, "recording")?;
    if bytes.starts_with(b"PK\x03\x04") {
        return Err(format!("{name} is a zip archive: unpack it, and name the .json or .json.gz in it"));
    }
    let bundle: Value = serde_json::from_slice(&bytes).map_err(|e| no_json(&name, &bytes, &e))?;
    Facts::from_bundle(&bundle).map_err(|e| no_bundle(&name, &bundle, &e.to_string()))
}

/// What stands in a file, or on standard input when the path is `-`, unpacked where it is compressed. `what` is what it
/// should be: `recording`, `report`.
///
/// # Errors
/// One sentence naming the file.
pub fn bytes(path: &Path, what: &str) -> Result<Vec<u8>, String> {
    let stdin = path == Path::new("-");
    let name = if stdin { "standard input".to_string() } else { path.display().to_string() };
    let (mut raw, mut bytes) = (Vec::new(), Vec::new());
    let taken = match stdin {
        true => std::io::stdin().lock().take(LARGEST).read_to_end(&mut raw),
        false => fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut raw)),
    };
    if taken.map_err(|e| format!("cannot read {name}: {e}"))? as u64 == LARGEST {
        return Err(format!("{name} is larger than 256 MiB, which no {what} is"));
    }
    if !raw.starts_with(&[0x1f, 0x8b]) {
        return Ok(raw);
    }
    let cut = |e| format!("{name} is no whole gzip file ({e}): download it again, or collect it again");
    if GzDecoder::new(&raw[..]).take(LARGEST).read_to_end(&mut bytes).map_err(cut)? as u64 == LARGEST {
        return Err(format!("{name} unpacks to more than 256 MiB, which no {what} does"));
    }
    Ok(bytes)
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

fn no_bundle(name: &str, bundle: &Value, why: &str) -> String {
    let format = bundle["format"].as_str().unwrap_or_default();
    if format.starts_with("kairos-doctor/bundle/") && format != FORMAT {
        let format = Text::new(format);
        return format!(
            "{name} is of another version, `{format}`: this one ({}) reads `{FORMAT}`; use the version of \
            kairos-doctor that recorded it, or the newest",
            env!("CARGO_PKG_VERSION")
        );
    }
    let schema = bundle["schema"].as_str().unwrap_or_default();
    if schema.starts_with("kairos-doctor/report/") {
        return format!(
            "{name} is a report (`-o json`) and no recording: --from takes what `kairos-doctor collect -o FILE` writes"
        );
    }
    if bundle["kind"].is_string() && bundle["apiVersion"].is_string() {
        return format!("{name} is an object of the Kubernetes API and no recording; {RECORD}");
    }
    if format == FORMAT {
        return format!("{name} is damaged: {why}");
    }
    format!("{name} is no recording: {why}; {RECORD}")
}

/// Writes a recorded cluster, whole or not at all; compressed when the name ends in `.gz`. Only the owner may read it.
///
/// # Errors
/// One sentence naming the file.
pub fn write(path: &Path, facts: &Facts) -> Result<u64, String> {
    let json = serde_json::to_vec_pretty(&facts.to_bundle()).expect("a bundle is plain data");
    let bytes = if path.extension().is_some_and(|end| end == "gz") {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&json).and_then(|()| packed.finish()).map_err(|e| format!("cannot compress: {e}"))?
    } else {
        json
    };
    write_whole(path, &bytes, OWNER).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    Ok(bytes.len() as u64)
}

/// Who may read a new file: a bundle only its owner, a report whoever the umask lets.
pub const OWNER: u32 = 0o600;
pub const EVERYBODY: u32 = 0o666;

/// Writes beside the file and renames, so that nobody ever sees half of it; a device or pipe is written to as it is.
#[expect(clippy::disallowed_methods, reason = "what the user asked to be written")]
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    if path.metadata().is_ok_and(|m| !m.is_file()) {
        return fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
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
    let written =
        options.open(&beside).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.and_then(|()| fs::rename(&beside, path)).inspect_err(|_| drop(fs::remove_file(&beside)))
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
