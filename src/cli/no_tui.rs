//! In place of `--tui`, where the program was built without it.

use std::ffi::OsString;

use super::args::DumpArgs;
use super::error::DumpError;
use super::exit::Ending;

pub(super) fn run(_args: &DumpArgs, _arguments: &[OsString]) -> Result<Ending, DumpError> {
    Err(DumpError::Usage {
        wrong: "this program was built without --tui (feature `tui`)",
        help: "cargo install --path . --features tui; --html has a report for a browser",
    })
}
