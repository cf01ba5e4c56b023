//! Silence that the reference's leftover stall would explain.

use super::super::channel::Channels;
use super::super::finding::FindingCode;
use super::super::records::{Details, Live, Records, Slot};
use super::super::remarks::{Remarks, Words};
use super::super::stall;
use crate::time::Timestamp;
use crate::wire::{Direction, MAX_DATA_PAYLOAD_BYTES};

/// A conversation, while nobody says anything, and just behind that.
#[derive(Debug)]
pub(super) struct Silence<'a> {
    live: &'a mut Live,
    details: &'a Details,
    channels: &'a Channels,
}

impl<'a> Silence<'a> {
    pub(super) fn of(slot: Slot, records: &'a mut Records, channels: &'a Channels) -> Self {
        let (live, details) = records.both_mut(slot);
        Self {
            live,
            details,
            channels,
        }
    }

    /// Data come; where the message before them was full, or they fill theirs, that may
    /// be, or become, a stall.
    pub(super) fn go_on(
        self,
        by: Direction,
        now: Timestamp,
        payload: &[u8],
        remarks: &mut Remarks,
    ) {
        let is_full = payload.len() == MAX_DATA_PAYLOAD_BYTES;
        if !is_full && self.live.filled_by().is_none() {
            return;
        }
        let missing = self.missing_bytes(by);
        let live = self.live;
        let silent_ns = now.nanos_since(live.end);
        if live.filled_by() == Some(by) && silent_ns >= stall::SHORT_NS {
            if is_full {
                live.note_blocks();
            } else if silent_ns >= stall::LONG_NS
                && !live.is_in_blocks()
                && missing.is_none_or(stall::is_rest)
            {
                remarks.find(Some(live.id()), FindingCode::LeftoverStall, || {
                    stall::went_on(silent_ns, payload.len())
                });
            }
        }
        live.note_filled(is_full.then_some(by));
    }

    /// One side closes. The reference sends its rest first, so that bytes that do not come are
    /// missed by the other side.
    pub(super) fn close(self, by: Direction, now: Timestamp, remarks: &mut Remarks) {
        if self.live.filled_by() != Some(by)
            && let Some(words) = self.stall(now, stall::SHORT_NS)
        {
            let id = self.live.id();
            remarks.find(Some(id), FindingCode::LeftoverStall, words);
        }
    }

    /// The words for a rest that stayed away for so long at least.
    pub(super) fn stall(
        &self,
        now: Timestamp,
        least_ns: i64,
    ) -> Option<impl FnOnce() -> Words + use<>> {
        let sender = self.live.filled_by()?;
        let silent_ns = now.nanos_since(self.live.end);
        let missing = self.missing_bytes(sender).unwrap_or(0);
        (silent_ns >= least_ns && stall::is_rest(missing))
            .then_some(move || stall::stayed_away(silent_ns, missing))
    }

    /// Bytes of a direction that its head announced and that did not come.
    fn missing_bytes(&self, direction: Direction) -> Option<u64> {
        let announced = self.details.announced(direction);
        if announced == 0 || self.channels.at(self.live.channel).1.has_gaps {
            return None;
        }
        let came = self.live.tallies[direction as usize].payload_bytes;
        Some(announced.saturating_sub(came))
    }
}
