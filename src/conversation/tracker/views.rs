//! Two views of one conversation at one router: found, linked and compared.

use super::*;

impl Tracker {
    /// On I2CP, finds the other view of a conversation that a SYN opens.
    pub(super) fn link_views(&mut self, seen: &Observation<'_>, slot: u32) {
        let live = &self.live[slot as usize];
        let (Some(client_id), Some(client_hash)) = (live.client_id, live.client_hash) else {
            return;
        };
        if self.channels[seen.channel.0 as usize].session.is_none() {
            return;
        }
        let key = (client_id.0, client_hash);
        match seen.from {
            Side::Initiator => self.unlinked.entry(key).or_default().push_back(slot),
            Side::Responder => {
                if let Some(opener) = self.take_unlinked(key, seen.channel) {
                    self.link(opener, slot, seen);
                }
            }
        }
    }

    /// The oldest view of a SYN on its way that can have arrived on `channel`.
    pub(super) fn take_unlinked(&mut self, key: LinkKey, channel: ChannelId) -> Option<u32> {
        let here = self.channels[channel.0 as usize]
            .session
            .as_ref()
            .and_then(|session| session.hash);
        let waiting = self.unlinked.get_mut(&key)?;
        let live = &self.live;
        let position = waiting.iter().position(|slot| {
            let addressee = live[*slot as usize].far_hash;
            here.is_none() || addressee.is_none() || addressee == here
        })?;
        let opener = waiting.remove(position);
        if waiting.is_empty() {
            self.unlinked.remove(&key);
        }
        opener
    }

    pub(super) fn link(&mut self, opener: u32, acceptor: u32, seen: &Observation<'_>) {
        let link = self.links.insert(Link {
            router: RouterLink::default(),
            views: [opener, acceptor],
        });
        let ids = [opener, acceptor].map(|slot| self.live[slot as usize].id);
        let nicknames = [opener, acceptor].map(|slot| {
            let channel = self.live[slot as usize].channel;
            self.channels[channel.0 as usize]
                .session
                .as_ref()
                .and_then(|session| session.nickname.clone())
        });
        let [opener_nickname, acceptor_nickname] = nicknames;
        for (slot, peer_view, far_nickname) in [
            (opener, ids[1], acceptor_nickname),
            (acceptor, ids[0], opener_nickname),
        ] {
            let live = &mut self.live[slot as usize];
            live.peer_view = Some(peer_view);
            live.link = Some(link);
            live.far_nickname = far_nickname;
        }
        let sent = &self.live[opener as usize];
        let (time, number) = (sent.start, sent.first_message);
        self.links[link]
            .router
            .sent(Direction::ClientToServer, &seen.message, time, number);
    }

    /// On I2CP, compares a message with its copy on the other view; returns the
    /// nanoseconds that it spent in the router.
    pub(super) fn compare_views(&mut self, seen: &Observation<'_>, place: Place) -> Option<i64> {
        let slot = place.slot?;
        let live = &self.live[slot as usize];
        let (id, link) = (live.id, live.link?);
        let direction = match live.client_side == seen.from {
            true => Direction::ClientToServer,
            false => Direction::ServerToClient,
        };
        let router = &mut self.links[link].router;
        match seen.from {
            Side::Initiator => {
                router.sent(direction, &seen.message, seen.time, self.message_count);
                None
            }
            Side::Responder => {
                let delivered = router.delivered(direction, &seen.message, seen.time)?;
                RouterTime::add(&mut self.live[slot as usize].router, delivered.router_ns);
                if delivered.overtaken_by > 0 {
                    let text = format!(
                        "came behind {} that {} sent after it",
                        plural(delivered.overtaken_by, "message"),
                        if delivered.overtaken_by == 1 {
                            "was"
                        } else {
                            "were"
                        },
                    );
                    self.find(seen, Some(id), FindingCode::I2cpReordered, text)
                        .extend([
                            ("sent_n", FindingDetail::Number(delivered.sent_as)),
                            ("overtaken_by_count", number(delivered.overtaken_by)),
                        ]);
                }
                Some(delivered.router_ns)
            }
        }
    }

    /// What this view or its other one sent and nobody received.
    pub(super) fn find_lost(&mut self, slot: u32, now: Timestamp, ending: Ending) {
        let live = &self.live[slot as usize];
        let Some(link) = live.link else {
            self.find_lost_syn(slot, now);
            return;
        };
        let link = self.links.remove(link);
        let complete = link.views.iter().all(|view| {
            let channel = self.live[*view as usize].channel;
            !self.channels[channel.0 as usize].has_gaps
        });
        let [opener, acceptor] = link.views;
        for (sender, direction) in [
            (opener, Direction::ClientToServer),
            (acceptor, Direction::ServerToClient),
        ] {
            self.live[sender as usize].link = None;
            if !complete {
                continue;
            }
            for sent in link.router.undelivered(direction) {
                let level =
                    if now.nanos_since(sent.time) >= ROUTER_GRACE_NS || sent.overtaken_by > 0 {
                        Level::Warn
                    } else if ending == Ending::ChannelClosed {
                        Level::Note
                    } else {
                        continue;
                    };
                let text =
                    "sent through the router, but the other session did not get it".to_owned();
                self.find_late(sender, FindingCode::I2cpLost, level, sent.number, text);
            }
        }
    }

    pub(super) fn find_lost_syn(&mut self, slot: u32, now: Timestamp) {
        let live = &self.live[slot as usize];
        let channel = &self.channels[live.channel.0 as usize];
        let is_lost = live.addressee_in_capture
            && live.peer_view.is_none()
            && !channel.has_gaps
            && now.nanos_since(live.start) >= ROUTER_GRACE_NS;
        if is_lost {
            let (message, level) = (live.first_message, FindingCode::I2cpLost.level());
            let text = "SYN sent to a session of this router, which did not get it".to_owned();
            self.find_late(slot, FindingCode::I2cpLost, level, message, text);
        }
    }
}
