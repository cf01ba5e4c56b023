//! Ends that are put off: of sessions whose last messages are still in the router, and of
//! everything once the input is over.

use std::collections::VecDeque;
use std::vec;

use super::super::channel::{ChannelId, Channels};
use super::super::observation::EndOfInput;
use super::super::records::{Records, Slot};
use crate::time::Timestamp;

/// Sessions that have ended and are kept for their last messages.
const MAX_CHANNELS: usize = 1_024;

/// Channels and conversations that end later.
#[derive(Debug, Default)]
pub(super) struct Postponed {
    /// Channels that have ended, kept until the last messages of their sessions must have come out
    /// of the router.
    channels: VecDeque<(Timestamp, ChannelId)>,
    /// The conversations still tracked when the input ends, and the time of that: one end after the
    /// other, each when it is polled.
    input: Option<(vec::IntoIter<Slot>, Timestamp, EndOfInput)>,
}

impl Postponed {
    /// Keeps a channel that has ended where it is in nobody's way, until that time.
    pub(super) fn keep_channel(
        &mut self,
        channel: ChannelId,
        ended: Timestamp,
        until: Timestamp,
        records: &mut Records,
        channels: &mut Channels,
    ) {
        let kept = channels.keep(channel, ended);
        for slot in channels.get(kept).slots.as_slice() {
            records.live_mut(*slot).channel = kept.slot;
        }
        self.channels.push_back((until, kept));
    }

    /// The next of those channels whose time is over, or which is one too many.
    pub(super) fn next_channel(&mut self, now: Timestamp) -> Option<ChannelId> {
        let (until, channel) = *self.channels.front()?;
        let waits = until > now && self.channels.len() <= MAX_CHANNELS;
        if waits {
            return None;
        }
        self.channels.pop_front();
        Some(channel)
    }

    /// When the next of them is due.
    pub(super) fn next_time(&self) -> Option<Timestamp> {
        self.channels.front().map(|(until, _)| *until)
    }

    /// The input ends, and with it these conversations.
    pub(super) fn end_input(&mut self, slots: Vec<Slot>, now: Timestamp, end: EndOfInput) {
        self.input = Some((slots.into_iter(), now, end));
    }

    /// Whether the end of the input may bring about more.
    #[inline]
    pub(super) const fn has_conversations(&self) -> bool {
        self.input.is_some()
    }

    /// The next conversation that ends with the input.
    pub(super) fn next_conversation(&mut self) -> Option<(Slot, Timestamp, EndOfInput)> {
        let (slots, now, end) = self.input.as_mut()?;
        let next = slots.next().map(|slot| (slot, *now, *end));
        if next.is_none() {
            self.input = None;
        }
        next
    }
}
