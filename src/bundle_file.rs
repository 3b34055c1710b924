//! Bundles on disk: `.json`, or `.json.gz`.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use kairos_doctor_checks::facts::Facts;

/// No bundle is read beyond this: a compressed one may unpack to anything.
const LARGEST: u64 = 1 << 28;

/// Reads a recorded cluster; whether it is compressed is seen from its first bytes.
///
/// # Errors
/// One sentence naming the file: it cannot be read, is cut off, is no JSON, or no bundle.
pub fn read(path: &Path) -> Result<Facts, String> {
    let name = path.display();
    let bundle = serde_json::from_slice(&bytes(path, "bundle")?).map_err(|e| match e.is_eof() {
        true => format!("{name} is cut off: collect it again"),
        false => format!("{name} is no bundle: it is no JSON ({e})"),
    })?;
    Facts::from_bundle(&bundle).map_err(|e| format!("{name} is no bundle: {e}"))
}

/// What stands in a file, unpacked where it is compressed. `what` is what it should be: `bundle`, `report`.
///
/// # Errors
/// One sentence naming the file.
pub fn bytes(path: &Path, what: &str) -> Result<Vec<u8>, String> {
    let name = path.display();
    let (mut raw, mut bytes) = (Vec::new(), Vec::new());
    let file = fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut raw));
    if file.map_err(|e| format!("cannot read {name}: {e}"))? as u64 == LARGEST {
        return Err(format!("{name} is larger than 256 MiB, which no {what} is"));
    }
    if raw.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = GzDecoder::new(&raw[..]).take(LARGEST);
        unpacked.read_to_end(&mut bytes).map_err(|e| format!("{name} is no whole gzip file: {e}"))?;
        if bytes.len() as u64 == LARGEST {
            return Err(format!("{name} unpacks to more than 256 MiB, which no {what} does"));
        }
    } else {
        bytes = raw;
    }
    Ok(bytes)
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
