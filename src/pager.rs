//! Long pages on a terminal go through the reader's pager.

use std::io::{IsTerminal, Write};
#[expect(clippy::disallowed_types, reason = "the reader's pager")]
use std::process::{Command, Stdio};

/// A pipe takes this much before anybody reads from it.
const PIPE: usize = 60_000;

/// Becomes the pager where there is one to become; returns where the caller is to print: standard output is no terminal,
/// or `PAGER` is `cat` or empty.
///
/// # Errors
/// The pager cannot be started.
#[expect(clippy::disallowed_types, reason = "the reader's pager")]
pub fn show(text: &str) -> Result<(), String> {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if !std::io::stdout().is_terminal() || dumb || text.len() > PIPE {
        return Ok(());
    }
    let Some(script) = script(std::env::var("PAGER").ok().as_deref()) else { return Ok(()) };
    let start = || -> std::io::Result<Command> {
        let (reader, mut writer) = std::io::pipe()?;
        writer.write_all(text.as_bytes())?;
        let mut pager = Command::new("sh");
        pager.args(["-c", &script]).stdin(Stdio::from(reader));
        if std::env::var_os("LESS").is_none() {
            pager.env("LESS", "FRX");
        }
        Ok(pager)
    };
    let failed = |e: std::io::Error| format!("cannot start the pager: {e}");
    become_it(start().map_err(failed)?).map_err(failed)
}

/// What the shell runs. Nobody chose `less`, so that its absence is no error.
fn script(pager: Option<&str>) -> Option<String> {
    match pager.map(str::trim) {
        None => Some("command -v less >/dev/null 2>&1 && exec less; exec cat".into()),
        Some("" | "cat") => None,
        Some(chosen) => Some(chosen.into()),
    }
}

/// The pager takes this process's place, so that ^C, ^Z and its exit status are the pager's own.
#[cfg(unix)]
#[expect(clippy::disallowed_types, reason = "the reader's pager")]
fn become_it(mut pager: Command) -> std::io::Result<()> {
    Err(std::os::unix::process::CommandExt::exec(&mut pager))
}

#[cfg(not(unix))]
#[expect(clippy::disallowed_types, reason = "the reader's pager")]
fn become_it(_: Command) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pager_is_chosen_or_declined() {
        assert!(script(None).unwrap().contains("less"));
        assert_eq!(script(Some("more -e")).as_deref(), Some("more -e"));
        assert_eq!(script(Some("cat")), None);
        assert_eq!(script(Some(" ")), None);
    }
}
