//! What packagers ship beside the program.

use std::io::{self, Write};

use clap_complete::Shell;

use super::error::ReplayError;

/// Prints the completions for a shell.
pub(super) fn completions(mut command: clap::Command, shell: Shell) -> Result<(), ReplayError> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    print(&script)
}

/// Prints the manual: the program's page, and behind it one for each command.
pub(super) fn man(mut command: clap::Command) -> Result<(), ReplayError> {
    command.build();
    let mut pages = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut pages)?;
    for subcommand in command.get_subcommands() {
        clap_mangen::Man::new(subcommand.clone()).render(&mut pages)?;
    }
    print(&pages)
}

fn print(text: &[u8]) -> Result<(), ReplayError> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
