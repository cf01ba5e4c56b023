//! `ministream-replay`: endpoints, and traffic played against live ones.

mod args;
mod error;
mod generate;
mod logging;
mod tunnel;
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use self::args::{Command, ReplayArgs};
use self::error::{ReplayError, print_error};

/// Runs `ministream-replay`.
pub(super) fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match ReplayArgs::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            // A closed terminal cannot be told anything.
            return match error.print() {
                Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)),
                Err(_) => ExitCode::from(2),
            };
        }
    };
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(args: ReplayArgs) -> Result<(), ReplayError> {
    match args.command {
        Command::Client(client) => tunnel::client(&client, args.verbose),
        Command::Server(server) => tunnel::server(&server, args.verbose),
        Command::Completions { shell } => generate::completions(ReplayArgs::command(), shell),
        Command::Man => generate::man(ReplayArgs::command()),
    }
}
