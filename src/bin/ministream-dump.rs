//! `ministream-dump`: dissects ministreaming traffic from captures.

use std::process::ExitCode;

fn main() -> ExitCode {
    ministream::cli::dump(std::env::args_os())
}
