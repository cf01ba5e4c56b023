//! What packagers ship beside the programs: completions, manual pages, the schema, a
//! dissector for Wireshark.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::{DumpArgs, Generate};
use crate::report::record::JSON_SCHEMA;
use crate::report::wireshark::LUA_DISSECTOR;

/// Prints what `ministream-dump --generate` asks for.
pub(super) fn print_for_dump(what: Generate) -> io::Result<()> {
    let command = DumpArgs::command();
    match what {
        Generate::CompletionsBash => print(&completions(command, Shell::Bash)),
        Generate::CompletionsZsh => print(&completions(command, Shell::Zsh)),
        Generate::CompletionsFish => print(&completions(command, Shell::Fish)),
        Generate::CompletionsPowershell => print(&completions(command, Shell::PowerShell)),
        Generate::CompletionsElvish => print(&completions(command, Shell::Elvish)),
        Generate::Man => print(&man(command)?),
        Generate::Schema => print(JSON_SCHEMA.as_bytes()),
        Generate::WiresharkLua => print(LUA_DISSECTOR.as_bytes()),
    }
}

/// The completions of a command for a shell.
pub(super) fn completions(mut command: clap::Command, shell: Shell) -> Vec<u8> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}

/// The manual of a command: the program's page, and behind it one for each subcommand.
pub(super) fn man(command: clap::Command) -> io::Result<Vec<u8>> {
    // Its page would say nothing.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut pages)?;
    for subcommand in command.get_subcommands() {
        clap_mangen::Man::new(subcommand.clone()).render(&mut pages)?;
    }
    Ok(pages)
}

/// Prints to standard output.
pub(super) fn print(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
