//! The command line programs: typed arguments, resolved to options, run.

mod allowance;
mod args;
mod capture_set;
mod conclusion;
mod dump;
mod error;
mod exit;
mod generate;
mod interrupt;
mod kept_packets;
mod limits;
#[cfg(feature = "live")]
mod live;
#[cfg(not(feature = "live"))]
#[path = "no_live.rs"]
mod live;
mod live_input;
mod options;
mod output;
mod pager;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(not(feature = "parquet"))]
#[path = "no_parquet.rs"]
mod parquet;
mod progress;
mod records;
mod redaction;
#[cfg(feature = "replay")]
mod replay;
mod secrets;
mod targets;
mod terminal;
#[cfg(feature = "tui")]
mod tui;
#[cfg(not(feature = "tui"))]
#[path = "no_tui.rs"]
mod tui;
mod unfinished;
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs `ministream-dump` with these arguments, the program's name first.
pub fn dump(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    dump::main(arguments).into()
}

/// Runs `ministream-replay` with these arguments, the program's name first.
#[cfg(feature = "replay")]
pub fn replay(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    replay::main(arguments)
}
