//! `ministream-replay`: endpoints, and traffic played against live ones.

use std::process::ExitCode;

fn main() -> ExitCode {
    ministream::cli::replay(std::env::args_os())
}
