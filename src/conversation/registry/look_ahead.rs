//! Reading ahead what the next messages need.
//!
//! On a busy server a message finds its id and its conversation nowhere in the
//! processor's caches, and waits for memory twice. Nothing here changes or decides
//! anything: it reads what some hundred messages will need, one kind after the other,
//! so that the processor has many independent reads under way and waits for all of
//! them at once. What is returned is of no use but that the reads are not left out.

use super::*;
use crate::wire::{Direction, FrameKind, FrameType, RawFrame};

/// Where a message to come will look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prospect {
    slot: Slot,
    kind: FrameKind,
}

impl Prospect {
    /// Whether the message is a close.
    pub(crate) const fn is_close(self) -> bool {
        matches!(self.kind, FrameKind::Close)
    }
}

impl Registry {
    /// Reads where the index has the id of a message; the record that it names, if any.
    #[inline]
    pub(in crate::conversation) fn prospect(
        &self,
        channel: ChannelId,
        from: Side,
        frame: &RawFrame<'_>,
    ) -> Option<Prospect> {
        let direction = frame.frame_type.direction()?;
        let (owner, space) = match (frame.frame_type, direction) {
            (FrameType::SYN, _) => (from, Space::Client),
            (_, Direction::ClientToServer) => (from.opposite(), Space::Server),
            (_, Direction::ServerToClient) => (from.opposite(), Space::Client),
        };
        let slot = self.ids.peek(IdKey {
            channel,
            owner,
            space,
            id: frame.id,
        })?;
        Some(Prospect {
            slot,
            kind: frame.frame_type.kind(),
        })
    }

    /// Reads the record of a message to come.
    #[inline]
    pub(in crate::conversation) fn touch(&self, prospect: Prospect) -> u64 {
        let live = self.records.touch(prospect.slot);
        match prospect.kind {
            FrameKind::Data => live,
            _ => live ^ self.records.touch_details(prospect.slot),
        }
    }

    /// Reads the records of those that will be told when `count` others are closed, and
    /// where their ids stand and will be put.
    pub(in crate::conversation) fn touch_told(&self, count: usize) -> u64 {
        if count == 0 || !self.deadlines.is_crowded(self.max_lingering, count) {
            return 0;
        }
        let slots = self.deadlines.next_told(count);
        let mut touched = 0;
        for slot in slots.clone() {
            touched ^= self.records.touch(slot) ^ self.records.touch_details(slot);
        }
        for slot in slots {
            let live = self.records.live(slot);
            let Some(channel) = self.channels.id_at(live.channel) else {
                continue;
            };
            let owner = live.client_side;
            let client = live.client_id().map(|id| (owner, Space::Client, id.0));
            let server = live
                .server_id()
                .map(|id| (owner.opposite(), Space::Server, id.0));
            for (owner, space, id) in [client, server].into_iter().flatten() {
                let key = IdKey {
                    channel,
                    owner,
                    space,
                    id,
                };
                touched ^= self.tombstones.touch(key);
                touched ^= self.ids.peek(key).map_or(0, u64::from);
            }
        }
        touched
    }
}
