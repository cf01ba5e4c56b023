//! Messages that one session handed to a router and the other did not get.

use super::super::channel::Channels;
use super::super::finding::{FindingCode, Level};
use super::super::observation::EndOfInput;
use super::super::records::{Records, Slot};
use super::super::remarks::Words;
use super::super::views::Views;
use super::Ending;
use super::events::LateFinding;
use crate::time::{SECOND_NS, Timestamp};

/// A message that has been in the router for longer counts as lost.
pub(super) const ROUTER_GRACE_NS: i64 = 5 * SECOND_NS;

/// A message that the other session did not get.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    sender: Slot,
    number: u64,
    fate: Fate,
}

/// The fate of a message.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Lost,
    /// There was no time to see it arrive, because this ended so soon after it.
    NotSeen {
        what: &'static str,
        waited_ns: i64,
    },
}

impl Loss {
    pub(super) const fn finding(self) -> LateFinding {
        let (slot, code) = (self.sender, FindingCode::I2cpLost);
        LateFinding {
            level: match self.fate {
                Fate::Lost => code.level(),
                Fate::NotSeen { .. } => Level::Note,
            },
            message: Some(self.number),
            ..LateFinding::new(slot, code)
        }
    }

    pub(super) fn words(self) -> Words {
        let text = match self.fate {
            Fate::Lost => "sent through the router, but the other session did not get it".into(),
            Fate::NotSeen { what, waited_ns } => {
                let waited_us = waited_ns.max(0) / 1_000;
                let (ms, us) = (waited_us / 1_000, waited_us % 1_000);
                format!("not seen to arrive: {what} ended {ms}.{us:03} ms after it was sent")
            }
        };
        (text, Vec::new())
    }
}

/// The end of a view at a router.
#[derive(Clone, Copy, Debug)]
pub(super) struct ViewEnd {
    pub(super) slot: Slot,
    pub(super) time: Timestamp,
    pub(super) ending: Ending,
}

impl ViewEnd {
    /// Messages that this view or its other one sent and nobody received. The two are compared no
    /// more.
    pub(super) fn losses(
        self,
        views: &mut Views,
        records: &mut Records,
        channels: &Channels,
    ) -> Vec<Loss> {
        let details = records.details(self.slot);
        let Some(router) = &details.router else {
            return Vec::new();
        };
        let channel = records.live(self.slot).channel;
        let Some(link) = router.link else {
            if !router.awaits_other_view() || channels.at(channel).1.has_gaps {
                return Vec::new();
            }
            let ended = self.first_end([Some(channel), None], channel, channels);
            return Vec::from_iter(self.fate(details.start, ended).map(|fate| Loss {
                sender: self.slot,
                number: details.first_message,
                fate,
            }));
        };
        let unlinked = views.unlink(link, records, channels);
        let losses = unlinked.into_iter().filter_map(|sent| {
            let fate = if sent.is_overtaken {
                Fate::Lost
            } else {
                let of = |view| Some(records.live(view).channel);
                let sessions = [of(sent.sender), of(sent.receiver)];
                self.fate(sent.time, self.first_end(sessions, channel, channels))?
            };
            Some(Loss {
                sender: sent.sender,
                number: sent.number,
                fate,
            })
        });
        losses.collect()
    }

    /// The first channel of a sender and a receiver to end, and the time. The `own` channel of this
    /// view may be ending just now.
    fn first_end(
        self,
        sessions: [Option<u32>; 2],
        own: u32,
        channels: &Channels,
    ) -> Option<(Timestamp, &'static str)> {
        let ends_now = |channel| self.ending == Ending::ChannelClosed && channel == own;
        sessions
            .into_iter()
            .zip(["its sender's session", "its receiver's session"])
            .filter_map(|(channel, what)| {
                let channel = channel?;
                let ended = channels.ended(channel);
                let ended = ended.or_else(|| ends_now(channel).then_some(self.time))?;
                Some((ended, what))
            })
            .min()
    }

    /// The fate of a message that was sent at `time` and did not arrive: it is lost when the router
    /// had time to deliver it, between two sessions that were there, the first of which `ended`
    /// then. Nothing is known where the input was not read to its end.
    fn fate(self, time: Timestamp, ended: Option<(Timestamp, &'static str)>) -> Option<Fate> {
        let (end, what) = match (ended, self.ending) {
            (Some((end, what)), _) => (end, Some(what)),
            (None, Ending::Input(EndOfInput::Complete)) => (self.time, Some("the capture")),
            (None, _) => (self.time, None),
        };
        match (end.nanos_since(time), what) {
            (waited_ns, _) if waited_ns >= ROUTER_GRACE_NS => Some(Fate::Lost),
            (_, None) => None,
            (waited_ns, Some(what)) => Some(Fate::NotSeen { what, waited_ns }),
        }
    }
}
