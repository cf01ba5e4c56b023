//! In place of live capture, where the program was built without libpcap.

use super::args::DumpArgs;
use super::error::DumpError;
use super::exit::Ending;
use super::options::DumpOptions;

/// There is no way to have one.
#[derive(Clone, Debug)]
pub(super) enum LiveInput {}

const NO_LIVE: DumpError = DumpError::Usage(
    "this program was built without live capture (feature `live`)",
    "capture with tcpdump: sudo tcpdump -i lo -U -w - | ministream-dump -l -r -",
);

pub(super) fn input(_interface: &str, _args: &DumpArgs) -> Result<LiveInput, DumpError> {
    Err(NO_LIVE)
}

pub(super) fn dump(_options: &mut DumpOptions, live: &LiveInput) -> Result<Ending, DumpError> {
    match *live {}
}

pub(super) fn list_interfaces() -> Result<Ending, DumpError> {
    Err(NO_LIVE)
}
