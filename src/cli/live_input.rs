//! The interface that `-i` names.

use super::args::DumpArgs;
use super::error::DumpError;

/// An interface, and the options for capturing on it.
#[cfg(feature = "live")]
pub(super) type LiveInput = crate::capture::LiveOptions;

/// There is no way to have one.
#[cfg(not(feature = "live"))]
#[derive(Clone, Debug)]
pub(super) enum LiveInput {}

/// The reason why there is none.
#[cfg(not(feature = "live"))]
pub(super) const NO_LIVE: DumpError = DumpError::Usage {
    wrong: "this program was built without live capture (feature `live`)",
    help: "capture with tcpdump: sudo tcpdump -i lo -U -w - | ministream-dump -l -r -",
};

#[cfg(not(feature = "live"))]
pub(super) fn input(_interface: &str, _args: &DumpArgs) -> Result<LiveInput, DumpError> {
    Err(NO_LIVE)
}

/// The capture that the arguments ask for.
#[cfg(feature = "live")]
pub(super) fn input(interface: &str, args: &DumpArgs) -> Result<LiveInput, DumpError> {
    let mut options = LiveInput::new(interface);
    options.filter = args.capture_filter.clone();
    options.is_promiscuous = !args.not_promiscuous;
    if let Some(bytes) = args.snap_length.filter(|&bytes| bytes > 0) {
        options.snaplen_bytes = bytes;
    }
    options.buffer_bytes =
        args.buffer
            .map(u32::try_from)
            .transpose()
            .map_err(|_| DumpError::Usage {
                wrong: "-B is above 4 GiB",
                help: "the default is 2 MiB; try 64MiB",
            })?;
    Ok(options)
}
