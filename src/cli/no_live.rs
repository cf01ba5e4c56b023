//! In place of live capture, where the program was built without libpcap.

use super::error::DumpError;
use super::exit::Ending;
use super::live_input::{LiveInput, NO_LIVE};
use super::options::DumpOptions;

pub(super) fn dump(_options: &mut DumpOptions, live: &LiveInput) -> Result<Ending, DumpError> {
    match *live {}
}

pub(super) fn list_interfaces() -> Result<Ending, DumpError> {
    Err(NO_LIVE)
}
