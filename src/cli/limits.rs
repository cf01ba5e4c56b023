//! When reading stops before the end (`-c`, `-a`).

use std::time::Duration;

use super::args::DumpArgs;
use super::values::Stop;
use crate::dissect::CaptureStep;
use crate::time::Timestamp;

/// When to stop before the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Messages shown.
    pub(crate) messages: Option<u64>,
    /// Capture time since the first packet.
    pub(crate) duration: Option<Duration>,
    /// Captured bytes of packets.
    pub(crate) bytes: Option<u64>,
}

impl Limits {
    /// The least of the limits that the arguments ask for.
    pub(super) fn of(args: &DumpArgs) -> Self {
        let mut limits = Self {
            messages: args.count,
            ..Self::default()
        };
        let least = |old: Option<u64>, new: u64| Some(old.map_or(new, |old| old.min(new)));
        for stop in &args.stop {
            match *stop {
                Stop::Messages(messages) => limits.messages = least(limits.messages, messages),
                Stop::Bytes(bytes) => limits.bytes = least(limits.bytes, bytes),
                Stop::Duration(duration) => {
                    limits.duration =
                        Some(limits.duration.map_or(duration, |old| old.min(duration)));
                }
            }
        }
        limits
    }
}

/// The amounts that may be read before it is enough.
pub(super) struct Budget {
    limits: Limits,
    start: Option<Timestamp>,
    bytes: u64,
}

impl Budget {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            start: None,
            bytes: 0,
        }
    }

    /// Takes `step` into account; whether it is the last that may be taken.
    pub(super) fn is_spent_with(&mut self, step: &CaptureStep<'_>) -> bool {
        match step {
            CaptureStep::Packet(packet) => {
                self.is_spent_by(packet.arrival.time, packet.captured_bytes)
            }
            CaptureStep::Lost(_) => false,
        }
    }

    /// Takes a packet into account; whether it is the last that may be read.
    pub(super) fn is_spent_by(&mut self, time: Timestamp, captured_bytes: u32) -> bool {
        if self.limits.bytes.is_none() && self.limits.duration.is_none() {
            return false;
        }
        self.bytes = self.bytes.saturating_add(u64::from(captured_bytes));
        let start = *self.start.get_or_insert(time);
        let elapsed = u64::try_from(time.nanos_since(start)).unwrap_or(0);
        self.limits.bytes.is_some_and(|limit| self.bytes >= limit)
            || self
                .limits
                .duration
                .is_some_and(|limit| Duration::from_nanos(elapsed) >= limit)
    }
}
