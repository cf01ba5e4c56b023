//! What one session handed to a router and the other did not get.

use super::super::channel::ChannelId;
use super::super::finding::{FindingCode, Level};
use super::super::observation::EndOfInput;
use super::super::records::Slot;
use super::super::remarks::Remarks;
use super::{Ending, Registry};
use crate::time::{SECOND_NS, Timestamp};

/// A message that has been in the router for longer is lost, as far as anyone can tell.
const ROUTER_GRACE_NS: i64 = 5 * SECOND_NS;

/// Sessions that have ended and are kept for what they sent at last.
const MAX_CLOSING: usize = 1_024;

/// What became of a message that the other session did not get.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Lost,
    /// There was no time to see it arrive, because this ended so soon after it.
    NotSeen {
        what: &'static str,
        waited_ns: i64,
    },
    /// Nothing is known.
    Unknown,
}

impl Registry {
    /// Whether a channel that has ended is kept for a while: what its session sent at last
    /// may still come out of the router.
    pub(super) fn puts_off_end(
        &mut self,
        channel: ChannelId,
        now: Timestamp,
        remarks: &Remarks,
    ) -> bool {
        let since = now.plus_nanos(-ROUTER_GRACE_NS);
        let mut slots = self.channels.get(channel).slots.as_slice().iter();
        let waits = slots.any(|slot| self.views.has_sent(*slot, since, &self.records));
        if waits {
            let until = now.plus_nanos(ROUTER_GRACE_NS);
            let channel = self.keep(channel, now);
            self.closing.push_back((until, channel));
            self.deadlines.wake_at(until);
            self.close_waiting(now, remarks);
        }
        waits
    }

    /// Keeps a channel that has ended where it is in nobody's way.
    fn keep(&mut self, channel: ChannelId, ended: Timestamp) -> ChannelId {
        let channel = self.channels.keep(channel, ended);
        for slot in self.channels.get(channel).slots.as_slice() {
            self.records.live_mut(*slot).channel = channel.slot;
        }
        channel
    }

    /// Forgets the channels whose sessions ended a while ago.
    pub(super) fn close_waiting(&mut self, now: Timestamp, remarks: &Remarks) {
        while let Some(&(until, channel)) = self.closing.front() {
            if until > now && self.closing.len() <= MAX_CLOSING {
                self.deadlines.wake_at(until);
                break;
            }
            self.closing.pop_front();
            let mut slots = self.channels.get(channel).slots.as_slice().to_vec();
            slots.sort_unstable_by_key(|slot| self.records.live(*slot).id());
            for slot in slots {
                self.end(slot, now, Ending::ChannelClosed, remarks);
            }
            self.channels.forget(channel);
        }
    }

    /// What this view or its other one sent and nobody received.
    pub(super) fn find_lost(
        &mut self,
        slot: Slot,
        now: Timestamp,
        ending: Ending,
        remarks: &Remarks,
    ) {
        let Some(router) = &self.records.details(slot).router else {
            return;
        };
        let closing = (ending == Ending::ChannelClosed).then_some(self.records.live(slot).channel);
        let Some(link) = router.link else {
            let (_, channel) = self.channels.at(self.records.live(slot).channel);
            if router.awaits_other_view() && !channel.has_gaps {
                let details = self.records.details(slot);
                let (time, number) = (details.start, details.first_message);
                let fate = self.fate(time, [Some(slot), None], closing, now, ending);
                self.tell_fate(slot, number, fate, remarks);
            }
            return;
        };
        for sent in self.views.unlink(link, &mut self.records, &self.channels) {
            let fate = if sent.is_overtaken {
                Fate::Lost
            } else {
                let views = [Some(sent.sender), Some(sent.receiver)];
                self.fate(sent.time, views, closing, now, ending)
            };
            self.tell_fate(sent.sender, sent.number, fate, remarks);
        }
    }

    /// What became of a message that was sent at `time` and did not arrive: it is lost
    /// when the router had time to deliver it, between two sessions that were there: those of
    /// `views`, its sender and its receiver, any of which may be on the channel that is closing.
    fn fate(
        &self,
        time: Timestamp,
        views: [Option<Slot>; 2],
        closing: Option<u32>,
        now: Timestamp,
        ending: Ending,
    ) -> Fate {
        let ended = |view: Slot| {
            let channel = self.records.live(view).channel;
            let ends_now = || (closing == Some(channel)).then_some(now);
            self.channels.ended(channel).or_else(ends_now)
        };
        let first = views
            .into_iter()
            .zip(["its sender's session", "its receiver's session"])
            .filter_map(|(view, what)| Some((ended(view?)?, what)))
            .min();
        let (end, what) = match (first, ending) {
            (Some((end, what)), _) => (end, what),
            (None, Ending::Input(EndOfInput::Complete)) => (now, "the capture"),
            (None, _) => (now, ""),
        };
        match end.nanos_since(time) {
            waited_ns if waited_ns >= ROUTER_GRACE_NS => Fate::Lost,
            _ if what.is_empty() => Fate::Unknown,
            waited_ns => Fate::NotSeen { what, waited_ns },
        }
    }

    fn tell_fate(&mut self, sender: Slot, number: u64, fate: Fate, remarks: &Remarks) {
        let code = FindingCode::I2cpLost;
        let (level, text) = match fate {
            Fate::Lost => (
                code.level(),
                "sent through the router, but the other session did not get it".to_owned(),
            ),
            Fate::NotSeen { what, waited_ns } => {
                let waited_us = waited_ns.max(0) / 1_000;
                let (ms, us) = (waited_us / 1_000, waited_us % 1_000);
                (
                    Level::Note,
                    format!("not seen to arrive: {what} ended {ms}.{us:03} ms after it was sent"),
                )
            }
            Fate::Unknown => return,
        };
        self.find_late(sender, code, level, Some(number), remarks, || {
            (text, Vec::new())
        });
    }
}
