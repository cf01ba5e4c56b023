//! Prefetching for the next messages.
//!
//! On a busy server a message finds its id and its conversation nowhere in the processor's caches,
//! and waits for memory twice. Nothing here changes or decides anything: it reads the memory that
//! some hundred messages will need, one kind after the other, so that the processor has many
//! independent reads under way and waits for all of them at once.

use super::super::channel::{ChannelId, Channels};
use super::super::deadlines::Deadlines;
use super::super::id_table::{IdKey, IdTable, Space};
use super::super::records::Records;
use super::super::tombstone::Tombstones;
use super::names::ExpectedRecord;
use crate::net::Side;
use crate::wire::{FrameKind, RawFrame, ServerId};

/// The addresses at which a message to come will look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prospect {
    /// That of its id.
    hash: u32,
    /// That of the id that it announces, or else the same again.
    announced: u32,
    kind: FrameKind,
    channel: u32,
}

impl Prospect {
    /// Whether the message opens a conversation.
    pub(crate) const fn is_syn(self) -> bool {
        matches!(self.kind, FrameKind::Syn)
    }

    /// Whether the message is a close.
    pub(crate) const fn is_close(self) -> bool {
        matches!(self.kind, FrameKind::Close)
    }
}

/// The tables to prefetch from.
#[derive(Clone, Copy, Debug)]
pub(in crate::conversation) struct LookAhead<'a> {
    pub(super) ids: &'a IdTable,
    pub(super) records: &'a Records,
    pub(super) channels: &'a Channels,
    pub(super) deadlines: &'a Deadlines,
    pub(super) tombstones: &'a Tombstones,
}

impl LookAhead<'_> {
    /// The known part of the addresses at which a message will look.
    #[inline]
    pub(in crate::conversation) fn prospect(
        self,
        channel: ChannelId,
        from: Side,
        frame: &RawFrame<'_>,
    ) -> Option<Prospect> {
        let direction = frame.frame_type.direction()?;
        let kind = frame.frame_type.kind();
        let (owner, space) = match (kind, direction) {
            (FrameKind::Syn, _) => (from, Space::Client),
            (_, direction) => (from.opposite(), Space::of_receiver(direction)),
        };
        let hash = self.ids.hash(IdKey {
            channel,
            owner,
            space,
            id: frame.id,
        });
        let announced = match frame.announced_id() {
            Some(ServerId(id)) => self.ids.hash(IdKey {
                channel,
                owner: from,
                space: Space::Server,
                id,
            }),
            None => hash,
        };
        Some(Prospect {
            hash,
            announced,
            kind,
            channel: channel.slot,
        })
    }

    /// The record that the index has for a message's id. Reads the line of the index.
    #[inline]
    pub(in crate::conversation) fn look_up(self, prospect: Prospect) -> Option<ExpectedRecord> {
        self.ids.peek(prospect.hash).map(ExpectedRecord)
    }

    /// Reads the record of a message to come, its channel, and where its id will be put.
    #[inline]
    pub(in crate::conversation) fn touch(self, prospect: Prospect, record: ExpectedRecord) -> u64 {
        let slot = record.0;
        let live = self.records.touch(slot) ^ self.channels.touch(prospect.channel);
        match prospect.kind {
            FrameKind::Data => live,
            FrameKind::Ack => {
                let announced = self.ids.peek(prospect.announced).map_or(0, u64::from);
                live ^ self.records.touch_details(slot) ^ announced
            }
            _ => live ^ self.records.touch_details(slot),
        }
    }

    /// Reads the records of those that will be reported when `count` others are closed, and
    /// where their ids stand.
    pub(in crate::conversation) fn touch_reported(self, count: usize) -> u64 {
        if count == 0 || !self.deadlines.is_crowded(count) {
            return 0;
        }
        let slots = self.deadlines.next_reported(count);
        let mut touched = 0;
        for slot in slots.clone() {
            touched ^= self.records.touch(slot) ^ self.records.touch_details(slot);
        }
        for slot in slots.clone() {
            touched ^= self.channels.touch(self.records.live(slot).channel);
        }
        // Hashes first, so that the reads follow each other closely.
        let mut hashes = [0; MAX_REPORTED_IDS];
        let mut free = hashes.iter_mut();
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
                let Some(hash) = free.next() else {
                    break;
                };
                *hash = self.ids.hash(IdKey {
                    channel,
                    owner,
                    space,
                    id,
                });
            }
            if let Some(last) = self.channels.last_of(live.channel) {
                touched ^= self.records.touch_details(last);
            }
        }
        let unused = free.len();
        for hash in &hashes[..MAX_REPORTED_IDS - unused] {
            // They leave the one index and come into the other.
            touched ^= self.ids.peek(*hash).map_or(0, u64::from) ^ self.tombstones.touch(*hash);
        }
        touched
    }

    /// Prefetches the place at which the tombstone of a conversation will be looked for, by a
    /// message that finds nothing else of it.
    #[inline]
    pub(in crate::conversation) fn touch_late(self, prospect: Prospect) -> u64 {
        self.tombstones.touch(prospect.hash)
    }

    /// Prefetches the tombstone found there.
    #[inline]
    pub(in crate::conversation) fn touch_found_late(self, prospect: Prospect) -> u64 {
        self.tombstones.touch_found(prospect.hash)
    }
}

/// Ids of reported conversations that are looked at together.
const MAX_REPORTED_IDS: usize = 128;
