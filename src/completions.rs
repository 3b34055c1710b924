//! Completion scripts.

use clap::Command;
use clap_complete::{Shell, generate};

/// The script for that shell.
pub fn script(shell: Shell, mut command: Command) -> String {
    let mut script = Vec::new();
    generate(shell, &mut command, "kairos-doctor", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        // clap_complete 4.6.11 writes a hyphen in the program's name one way where it enters a command and another where it
        // completes it (`shells/bash.rs`, `subcommand_details`): no command's options would be completed.
        Shell::Bash => script.replace("kairos__subcmd__doctor", "kairos__doctor"),
        _ => script,
    }
}
