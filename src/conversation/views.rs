//! Two views of one conversation at one router: found, linked and compared.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap};
use slab::Slab;

use super::channel::{ChannelId, Channels};
use super::event::RouterTime;
use super::finding::{DetailName, FindingCode, FindingDetail};
use super::id::ConversationId;
use super::id_table::MAX_NAMESAKES;
use super::observation::Observation;
use super::records::{Records, Slot};
use super::remarks::{Remarks, number};
use super::router::{Delivered, LinkKey, RouterLink};
use crate::net::Side;
use crate::time::Timestamp;
use crate::wire::Direction;

/// The views of conversations at routers that belong together.
#[derive(Debug, Default)]
pub(super) struct Views {
    /// Views of SYNs on their way through a router. Of one id and content there are no more than a side may
    /// have open of one id, so that none takes long to be found: the oldest finds its other view no more.
    unlinked: HashMap<LinkKey, VecDeque<Slot>>,
    links: Slab<Link>,
    /// Bytes that messages on their way through a router take.
    bytes: usize,
    hasher: DefaultHashBuilder,
}

#[derive(Debug)]
struct Link {
    router: RouterLink,
    views: [Slot; 2],
}

/// A message that one view sent and the other did not get.
#[derive(Clone, Copy, Debug)]
pub(super) struct Undelivered {
    pub(super) sender: Slot,
    pub(super) receiver: Slot,
    pub(super) time: Timestamp,
    pub(super) number: u64,
    /// Whether a later one came out before the link ended.
    pub(super) is_overtaken: bool,
}

impl Views {
    /// Bytes that messages on their way through a router take.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Finds the other view of a conversation that a SYN opens.
    pub(super) fn meet(
        &mut self,
        seen: &Observation<'_>,
        slot: Slot,
        records: &mut Records,
        channels: &Channels,
    ) {
        let client_id = records.live(slot).client_id();
        let (Some(client_id), Some(content)) = (client_id, records.details(slot).syn_content())
        else {
            return;
        };
        if channels.get(seen.channel).session().is_none() {
            return;
        }
        let key = (client_id.0, content);
        match seen.from {
            Side::Initiator => {
                let waiting = self.unlinked.entry(key).or_default();
                if waiting.len() == MAX_NAMESAKES
                    && let Some(given_up) = waiting.pop_front()
                {
                    // It may well come out: nobody will see that it is this one.
                    records
                        .details_mut(given_up)
                        .at_router()
                        .addressee_in_capture = false;
                }
                waiting.push_back(slot);
            }
            Side::Responder => {
                let opener = self.take_unlinked(key, seen.channel, records, channels);
                if let Some(opener) = opener {
                    self.link(opener, slot, seen, records, channels);
                }
            }
        }
    }

    /// The oldest view of a SYN on its way that can have arrived on `channel`.
    fn take_unlinked(
        &mut self,
        key: LinkKey,
        channel: ChannelId,
        records: &Records,
        channels: &Channels,
    ) -> Option<Slot> {
        let session = channels.get(channel).session();
        let here = session.and_then(|session| session.hash);
        let waiting = self.unlinked.get_mut(&key)?;
        let position = waiting.iter().position(|slot| {
            let addressee = records.details(*slot).far_hash();
            here.is_none() || addressee.is_none() || addressee == here
        })?;
        let opener = waiting.remove(position);
        if waiting.is_empty() {
            self.unlinked.remove(&key);
        }
        opener
    }

    fn link(
        &mut self,
        opener: Slot,
        acceptor: Slot,
        seen: &Observation<'_>,
        records: &mut Records,
        channels: &Channels,
    ) {
        let link = self.links.insert(Link {
            router: RouterLink::default(),
            views: [opener, acceptor],
        });
        for (view, other) in [(opener, acceptor), (acceptor, opener)] {
            let (peer, (_, channel)) = (
                records.live(other).id(),
                channels.at(records.live(other).channel),
            );
            let nickname = channel
                .session()
                .and_then(|session| session.nickname.clone());
            let at_router = records.details_mut(view).at_router();
            at_router.peer_view = Some(peer);
            at_router.link = Some(link);
            at_router.far_nickname = nickname;
        }
        let sent = records.details(opener);
        self.links[link].router.sent(
            Direction::ClientToServer,
            &seen.message,
            sent.start,
            sent.first_message,
        );
        self.bytes += self.links[link].router.bytes();
    }

    /// Compares a message with its copy on the other view; returns its delivery by the router.
    pub(super) fn compare(
        &mut self,
        seen: &Observation<'_>,
        slot: Slot,
        records: &mut Records,
        remarks: &mut Remarks,
    ) -> Option<Delivered> {
        let link = records.details(slot).link()?;
        let live = records.live(slot);
        let direction = seen.direction(live.client_side);
        let router = &mut self.links[link].router;
        let bytes_before = router.bytes();
        let delivered = match seen.from {
            Side::Initiator => {
                router.sent(direction, &seen.message, seen.time, remarks.message());
                None
            }
            Side::Responder => router.delivered(direction, &seen.message, seen.time),
        };
        self.bytes = self.bytes + router.bytes() - bytes_before;
        let delivered = delivered?;
        let id = live.id();
        let at_router = records.details_mut(slot).at_router();
        RouterTime::add(&mut at_router.time, delivered.router_ns);
        if delivered.overtaken_by > 0 {
            find_reordered(remarks, id, delivered);
        }
        Some(delivered)
    }

    /// The hash by which a SYN that carries no destination is found again.
    pub(super) fn fingerprint(&self, payload: &[u8]) -> u64 {
        self.hasher.hash_one(payload)
    }

    /// Forgets that a SYN is on its way.
    pub(super) fn forget_unlinked(&mut self, key: LinkKey, slot: Slot) {
        if let Some(waiting) = self.unlinked.get_mut(&key) {
            waiting.retain(|other| *other != slot);
            if waiting.is_empty() {
                self.unlinked.remove(&key);
            }
        }
    }

    /// Whether something that this view sent at `since` or later has not come out yet.
    pub(super) fn has_sent(&self, slot: Slot, since: Timestamp, records: &Records) -> bool {
        let details = records.details(slot);
        let Some(router) = &details.router else {
            return false;
        };
        let is_opener = records.live(slot).client_side == Side::Initiator;
        match router.link {
            Some(link) => {
                let direction = if is_opener {
                    Direction::ClientToServer
                } else {
                    Direction::ServerToClient
                };
                self.links[link].router.has_sent(direction, since)
            }
            None => is_opener && router.awaits_other_view() && details.start >= since,
        }
    }

    /// Ends a comparison: reports messages that one view sent and the other did not get, unless
    /// parts of either are missing from the capture.
    pub(super) fn unlink(
        &mut self,
        link: usize,
        records: &mut Records,
        channels: &Channels,
    ) -> Vec<Undelivered> {
        let link = self.links.remove(link);
        self.bytes -= link.router.bytes();
        let is_complete = link
            .views
            .iter()
            .all(|view| !channels.at(records.live(*view).channel).1.has_gaps);
        let [opener, acceptor] = link.views;
        let mut undelivered = Vec::new();
        for (sender, receiver, direction) in [
            (opener, acceptor, Direction::ClientToServer),
            (acceptor, opener, Direction::ServerToClient),
        ] {
            records.details_mut(sender).at_router().link = None;
            if is_complete {
                let sent = link.router.undelivered(direction).map(|sent| Undelivered {
                    sender,
                    receiver,
                    time: sent.time,
                    number: sent.number,
                    is_overtaken: sent.overtaken_by > 0,
                });
                undelivered.extend(sent);
            }
        }
        undelivered
    }
}

fn find_reordered(remarks: &mut Remarks, id: ConversationId, delivered: Delivered) {
    remarks.find(Some(id), FindingCode::I2cpReordered, || {
        let text = match delivered.overtaken_by {
            1 => "came behind 1 message that was sent after it".to_owned(),
            count => format!("came behind {count} messages that were sent after it"),
        };
        let detail = vec![
            (DetailName::SentN, FindingDetail::Number(delivered.sent_as)),
            (DetailName::OvertakenByCount, number(delivered.overtaken_by)),
        ];
        (text, detail)
    });
}
