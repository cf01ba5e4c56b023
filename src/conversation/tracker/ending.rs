//! How conversations end: deadlines, bounds, and the telling.

use super::*;

impl Tracker {
    /// Tells the tenth of the conversations that was silent for the longest time.
    pub(super) fn evict_silent(&mut self, now: Timestamp) {
        let mut by_silence: Vec<_> = self
            .live
            .iter()
            .map(|(slot, live)| (live.end, live.id, slot))
            .collect();
        by_silence.sort_unstable();
        by_silence.truncate(by_silence.len() / 10 + 1);
        for (_, _, slot) in by_silence {
            self.evicted_count += 1;
            self.finalize(slot_number(slot), now, Ending::Over);
        }
    }

    pub(super) fn wait_for_answer(&mut self, slot: u32, now: Timestamp) {
        let deadline = self.set_deadline(slot, now, self.options.handshake_limit_ns);
        self.unanswered.push_back(deadline);
    }

    pub(super) fn linger(&mut self, slot: u32, now: Timestamp) {
        let deadline = self.set_deadline(slot, now, self.options.linger_ns);
        self.lingering.push_back(deadline);
        while self.lingering.len() > self.options.max_lingering {
            self.tell_oldest_lingering(now);
        }
    }

    pub(super) fn set_deadline(&mut self, slot: u32, now: Timestamp, after_ns: i64) -> Deadline {
        let live = &mut self.live[slot as usize];
        live.deadline += 1;
        Deadline {
            time: now.plus_nanos(after_ns),
            slot,
            id: live.id,
            deadline: live.deadline,
        }
    }

    pub(super) fn still_holds(&self, deadline: &Deadline) -> bool {
        self.live
            .get(deadline.slot as usize)
            .is_some_and(|live| live.id == deadline.id && live.deadline == deadline.deadline)
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        while let Some(deadline) = self.unanswered.front().copied() {
            let holds = self.still_holds(&deadline);
            if holds && deadline.time > now {
                break;
            }
            self.unanswered.pop_front();
            if holds && self.live[deadline.slot as usize].state == State::SynSent {
                self.give_up_answer(deadline.slot, now, Level::Warn);
                self.linger(deadline.slot, now);
            }
        }
        while self
            .lingering
            .front()
            .is_some_and(|deadline| deadline.time <= now || !self.still_holds(deadline))
        {
            self.tell_oldest_lingering(now);
        }
    }

    pub(super) fn tell_oldest_lingering(&mut self, now: Timestamp) {
        if let Some(deadline) = self.lingering.pop_front()
            && self.still_holds(&deadline)
            && self.live[deadline.slot as usize].state != State::Open
        {
            self.finalize(deadline.slot, now, Ending::Over);
        }
    }

    pub(super) fn give_up_answer(&mut self, slot: u32, now: Timestamp, level: Level) {
        let live = &mut self.live[slot as usize];
        live.state = State::NoAnswer;
        let waited_us = now.micros_since(live.start).max(0);
        let text = format!(
            "SYN of {} not answered within {}.{:03} s",
            live.id,
            waited_us / 1_000_000,
            waited_us / 1_000 % 1_000
        );
        let message = live.first_message;
        self.find_late(slot, FindingCode::SynNoAnswer, level, message, text);
    }

    /// Tells a conversation and forgets it.
    pub(super) fn finalize(&mut self, slot: u32, now: Timestamp, ending: Ending) {
        match (self.live[slot as usize].state, ending) {
            (State::SynSent, Ending::ChannelClosed | Ending::Input(EndOfInput::Complete)) => {
                let waited_ns = now.nanos_since(self.live[slot as usize].start);
                let level = match waited_ns < ACCEPT_LIMIT_NS {
                    true => Level::Note,
                    false => Level::Warn,
                };
                self.give_up_answer(slot, now, level);
            }
            (State::Open, Ending::ChannelClosed | Ending::Input(EndOfInput::Complete)) => {
                let live = &self.live[slot as usize];
                let text = match ending {
                    Ending::ChannelClosed => format!("{} is open when its carrier ends", live.id),
                    _ => format!("{} is open when the capture ends", live.id),
                };
                let message = live.first_message;
                let level = FindingCode::NoClose.level();
                self.find_late(slot, FindingCode::NoClose, level, message, text);
            }
            _ => {}
        }
        self.find_never_announced(slot);
        self.find_lost(slot, now, ending);
        self.forget_ids(slot);
        let live = self.live.remove(slot as usize);
        self.remove_from_channel(&live);
        let conversation = self.describe(&live);
        self.outcomes
            .push_back(Outcome::Ended(Box::new(conversation)));
    }

    pub(super) fn forget_ids(&mut self, slot: u32) {
        let live = &self.live[slot as usize];
        let (channel, client_side) = (live.channel, live.client_side);
        if let Some(ClientId(id)) = live.client_id {
            self.ids
                .remove(IdKey::new(channel, client_side, Space::Client, id), slot);
            if let Some(hash) = live.client_hash
                && let Some(waiting) = self.unlinked.get_mut(&(id, hash))
            {
                waiting.retain(|other| *other != slot);
                if waiting.is_empty() {
                    self.unlinked.remove(&(id, hash));
                }
            }
        }
        if let Some(ServerId(id)) = live.server_id {
            let server_side = client_side.opposite();
            self.ids
                .remove(IdKey::new(channel, server_side, Space::Server, id), slot);
        }
    }

    pub(super) fn remove_from_channel(&mut self, live: &Live) {
        let slots = &mut self.channels[live.channel.0 as usize].slots;
        slots.swap_remove(live.channel_position);
        if let Some(moved) = slots.get(live.channel_position) {
            self.live[*moved as usize].channel_position = live.channel_position;
        }
    }

    pub(super) fn describe(&self, live: &Live) -> Conversation {
        let channel = &self.channels[live.channel.0 as usize];
        let far_side = Side::Responder;
        let mut client = channel.endpoint(live.client_side, live.far_hash);
        let mut server = channel.endpoint(live.client_side.opposite(), live.far_hash);
        if channel.session.is_none() {
            (client.hash, server.hash) = (live.client_hash, None);
        } else if live.client_side == far_side {
            client.nickname.clone_from(&live.far_nickname);
        } else {
            server.nickname.clone_from(&live.far_nickname);
            client.hash = client.hash.or(live.client_hash);
        }
        let [c2s, s2c] = live.tallies;
        Conversation {
            id: live.id,
            carrier: channel.carrier,
            client,
            server,
            client_id: live.client_id,
            server_id: live.server_id,
            state: match live.syn_seen {
                true => live.state,
                false => State::MidStream,
            },
            start: live.start,
            start_us: live.start_us,
            end: live.end,
            handshake_ns: live.handshake_ns,
            first_byte_ns: live.first_byte_ns,
            c2s,
            s2c,
            finding_count: live.finding_count,
            peer_view: live.peer_view,
            router: live.router,
        }
    }
}
