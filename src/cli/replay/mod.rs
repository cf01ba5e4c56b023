//! `ministream-replay`: endpoints, and traffic played against live ones.

mod args;
mod conform;
mod conform_args;
mod error;
mod inject;
mod keys;
mod line_queue;
mod logging;
mod mock;
mod output_file;
mod peer;
mod people;
mod play;
mod play_args;
mod progress;
mod proxy;
mod proxy_args;
mod ready;
mod recording;
mod shared_args;
mod tls;
mod tunnel;
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use self::args::{Command, ReplayArgs};
use self::error::{ReplayError, print_error, print_warning};
use super::exit::Ending;
use super::generate;

/// Runs `ministream-replay`.
pub(super) fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match ReplayArgs::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            // A closed terminal shows nothing.
            return match error.print() {
                Ok(()) if !error.use_stderr() => Ending::Fine.into(),
                Ok(()) | Err(_) => Ending::Failed.into(),
            };
        }
    };
    let ending = run(args).unwrap_or_else(|error| {
        print_error(&error);
        error.ending()
    });
    let lost_lines = line_queue::finish_stdout();
    if lost_lines > 0 {
        print_warning(format_args!(
            "lines of standard output that could not be written: {lost_lines}"
        ));
    }
    logging::finish();
    ending.into()
}

fn run(args: ReplayArgs) -> Result<Ending, ReplayError> {
    match args.command {
        Command::Replay(play) => return play::run(&play, args.verbose),
        Command::Mock(mock) => return mock::run(&mock, args.verbose),
        Command::Inject(inject) => return inject::run(&inject, args.verbose),
        Command::Conform(conform) => return conform::run(&conform, args.verbose),
        Command::Proxy(proxy) => return proxy::run(&proxy, args.verbose),
        Command::Client(client) => tunnel::client(&client, args.verbose),
        Command::Server(server) => tunnel::server(&server, args.verbose),
        Command::Keys(command) => keys::run(&command),
        Command::Completions { shell } => {
            let script = generate::completions(ReplayArgs::command(), shell);
            generate::print(&script).map_err(ReplayError::from)
        }
        Command::Man => generate::man(ReplayArgs::command())
            .and_then(|pages| generate::print(&pages))
            .map_err(ReplayError::from),
    }
    .map(|()| Ending::Fine)
}
