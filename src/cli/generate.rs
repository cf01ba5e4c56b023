//! Files that packagers ship beside the programs: completions, manual pages, the schema, a
//! dissector for Wireshark.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::{DumpArgs, Generate};
use crate::export::wireshark::lua_dissector;
use crate::record::json_schema;

/// Prints the file that `ministream-dump --generate` names.
pub(super) fn print_for_dump(what: Generate) -> io::Result<()> {
    let command = DumpArgs::command();
    match what {
        Generate::CompletionsBash => print(&completions(command, Shell::Bash)),
        Generate::CompletionsZsh => print(&completions(command, Shell::Zsh)),
        Generate::CompletionsFish => print(&completions(command, Shell::Fish)),
        Generate::CompletionsPowershell => print(&completions(command, Shell::PowerShell)),
        Generate::CompletionsElvish => print(&completions(command, Shell::Elvish)),
        Generate::Man => print(&man(command)?),
        Generate::Schema => print(json_schema().as_bytes()),
        Generate::WiresharkLua => print(lua_dissector().as_bytes()),
    }
}

/// The completions of a command for a shell.
pub(super) fn completions(mut command: clap::Command, shell: Shell) -> Vec<u8> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}

/// The manual of a command: the program's page, and behind it one for each subcommand and those below.
pub(super) fn man(command: clap::Command) -> io::Result<Vec<u8>> {
    // Its page would say nothing.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    put_pages(&command, &mut pages)?;
    Ok(pages)
}

fn put_pages(command: &clap::Command, out: &mut Vec<u8>) -> io::Result<()> {
    put_page(command, out)?;
    for subcommand in command.get_subcommands() {
        put_pages(subcommand, out)?;
    }
    Ok(())
}

/// The beginning of every piece of `clap_mangen`; a page needs it once.
const PREAMBLE: &[u8] = b".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

fn put_page(command: &clap::Command, out: &mut Vec<u8>) -> io::Result<()> {
    // Options that the short help leaves out would be left unexplained here.
    let mut command = command.clone().mut_args(|arg| arg.hide_short_help(false));
    let usage = command.render_usage().to_string();
    let man = clap_mangen::Man::new(command.clone());
    man.render_title(out)?;
    put_section(out, |out| man.render_name_section(out))?;
    put_heading("SYNOPSIS", out);
    put_lines(usage.trim_start_matches("Usage: ").lines(), out);
    put_section(out, |out| man.render_description_section(out))?;
    if command.get_arguments().next().is_some() {
        put_section(out, |out| man.render_options_section(out))?;
    }
    if command.has_subcommands() {
        put_section(out, |out| man.render_subcommands_section(out))?;
    }
    let examples = command.get_before_long_help();
    if let Some(examples) = examples.or(command.get_before_help()) {
        put_heading("EXAMPLES", out);
        let examples = examples.to_string();
        let examples = examples.trim_start_matches("Examples:\n");
        put_lines(examples.lines(), out);
    }
    let codes = command.get_after_help().or(command.get_after_long_help());
    if let Some(codes) = codes {
        put_heading("EXIT STATUS", out);
        put_lines(
            codes
                .to_string()
                .trim_start_matches("Exit codes: ")
                .split("; "),
            out,
        );
    }
    if command.get_version().is_some() {
        put_section(out, |out| man.render_version_section(out))?;
    }
    Ok(())
}

fn put_section(
    out: &mut Vec<u8>,
    render: impl Fn(&mut Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    let mut section = Vec::new();
    render(&mut section)?;
    out.extend_from_slice(section.strip_prefix(PREAMBLE).unwrap_or(&section));
    Ok(())
}

fn put_heading(title: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!(".SH \"{title}\"\n").as_bytes());
}

/// Lines that stay as they are, with characters escaped that have a meaning in a manual page.
fn put_lines<'a>(lines: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
    out.extend_from_slice(b".nf\n");
    for line in lines {
        let line = line.trim();
        let line = line
            .replace('\\', "\\e")
            .replace('-', "\\-")
            .replace('\'', "\\(aq");
        // A dot would begin a request.
        out.extend_from_slice(format!("\\&{line}\n").as_bytes());
    }
    out.extend_from_slice(b".fi\n");
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
