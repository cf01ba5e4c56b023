//! Silence that the reference's leftover stall would explain.

use super::super::finding::FindingCode;
use super::super::records::Slot;
use super::super::remarks::Remarks;
use super::super::stall;
use super::Registry;
use crate::time::Timestamp;
use crate::wire::{Direction, MAX_DATA_PAYLOAD_BYTES};

impl Registry {
    /// Data come; where the message before them was full, or they fill theirs, that may
    /// be, or become, a stall.
    #[cold]
    pub(in crate::conversation) fn go_on(
        &mut self,
        slot: Slot,
        by: Direction,
        now: Timestamp,
        payload: &[u8],
        remarks: &mut Remarks,
    ) {
        let is_full = payload.len() == MAX_DATA_PAYLOAD_BYTES;
        if !is_full && self.records.live(slot).filled_by().is_none() {
            return;
        }
        let missing = self.missing_bytes(slot, by);
        let live = self.records.live_mut(slot);
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

    /// Somebody closes. The reference sends its rest first, so that what stays away is
    /// missed by the other side.
    pub(in crate::conversation) fn close_in_silence(
        &mut self,
        slot: Slot,
        by: Direction,
        now: Timestamp,
        remarks: &mut Remarks,
    ) {
        let live = self.records.live(slot);
        let Some(sender) = live.filled_by().filter(|sender| *sender != by) else {
            return;
        };
        let silent_ns = now.nanos_since(live.end);
        let missing = self.missing_bytes(slot, sender).unwrap_or(0);
        if silent_ns >= stall::SHORT_NS && stall::is_rest(missing) {
            remarks.find(Some(live.id()), FindingCode::LeftoverStall, || {
                stall::stayed_away(silent_ns, missing)
            });
        }
    }

    /// An open conversation is seen no more.
    pub(super) fn find_stall(&mut self, slot: Slot, now: Timestamp, remarks: &Remarks) {
        let live = self.records.live(slot);
        let Some(sender) = live.filled_by() else {
            return;
        };
        let silent_ns = now.nanos_since(live.end);
        let missing = self.missing_bytes(slot, sender).unwrap_or(0);
        if silent_ns >= stall::LONG_NS && stall::is_rest(missing) {
            let code = FindingCode::LeftoverStall;
            self.find_late(slot, code, code.level(), None, remarks, || {
                stall::stayed_away(silent_ns, missing)
            });
        }
    }

    /// Bytes of a direction that its head announced and that did not come.
    fn missing_bytes(&self, slot: Slot, direction: Direction) -> Option<u64> {
        let announced = self.records.details(slot).announced(direction);
        let (channel, live) = (self.records.live(slot).channel, self.records.live(slot));
        if announced == 0 || self.channels.at(channel).1.has_gaps {
            return None;
        }
        let came = live.tallies[direction as usize].payload_bytes;
        Some(announced.saturating_sub(came))
    }
}
