//! Counts of the messages shown.

use std::collections::BTreeMap;

use crate::carrier::Carrier;
use crate::conversation::{
    Carried, Conversation, ConversationState, Finding, FindingCode, Level, MessageEvent, Tally,
};
use crate::field::payload;
use crate::number_set::NumberSet;
use crate::select::Selection;
use crate::wire::{Direction, MessageKind};

/// Counts over all messages, conversations and findings shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages by type, in the order of [`MessageKind::ALL`].
    pub by_type: [u64; MessageKind::ALL.len()],
    /// Conversations by state, in the order of [`ConversationState::ALL`].
    pub by_state: [u64; ConversationState::ALL.len()],
    /// DATA within conversations, as often as it was seen.
    pub data: Carriage,
    /// Messages that were seen a second time.
    again: u64,
    /// The data among them.
    data_again: Carriage,
    by_level: [u64; 3],
    by_code: BTreeMap<(Level, FindingCode), u64>,
}

/// Data of both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carriage {
    /// From clients.
    pub c2s: Tally,
    /// From servers.
    pub s2c: Tally,
}

impl Carriage {
    #[inline]
    const fn add(&mut self, direction: Direction, bytes: u64) {
        let tally = match direction {
            Direction::ServerToClient => &mut self.s2c,
            Direction::ClientToServer => &mut self.c2s,
        };
        tally.message_count += 1;
        tally.payload_bytes += bytes;
    }
}

/// Whether a message is shown for the first time. Both sides of a router may be seen: the messages
/// that one session gives to it, and those that it gives to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It is.
    First,
    /// It was shown where it was sent.
    Again,
}

impl Sight {
    /// The sight of a message where all are shown.
    #[inline]
    pub const fn of(event: &MessageEvent<'_>) -> Self {
        match event.sent_as {
            Some(_) => Self::Again,
            None => Self::First,
        }
    }
}

/// Knows which messages are shown a second time.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    /// Messages shown that may come out of a router, unless all are shown.
    sent: NumberSet,
}

impl Sightings {
    /// Takes note of a message that is shown. Where all are, none need be remembered.
    #[inline]
    pub(crate) fn see(&mut self, event: &MessageEvent<'_>, selection: &Selection) -> Sight {
        if selection.admits_all() || event.carrier != Carrier::I2cp {
            return Sight::of(event);
        }
        match event.sent_as {
            Some(number) if self.sent.contains(number) => Sight::Again,
            Some(_) => Sight::First,
            None => {
                self.sent.insert(event.number);
                Sight::First
            }
        }
    }
}

/// Bytes that a message carries from one application to the other: the payload of data in a
/// conversation, and of nothing else.
#[inline]
pub(crate) fn carried_bytes(event: &MessageEvent<'_>) -> Option<u64> {
    let is_data = event.message.kind() == MessageKind::Data;
    (is_data && event.conversation.is_some()).then(|| payload(&event.message).len() as u64)
}

impl Totals {
    /// Counts a message.
    #[inline]
    pub fn message(&mut self, event: &MessageEvent<'_>, sight: Sight) {
        self.by_type[event.message.kind() as usize] += 1;
        self.again += u64::from(sight == Sight::Again);
        if let Some(bytes) = carried_bytes(event) {
            let direction = event.direction.unwrap_or(Direction::ClientToServer);
            self.data.add(direction, bytes);
            if sight == Sight::Again {
                self.data_again.add(direction, bytes);
            }
        }
    }

    /// The data, where a message that is there twice counts once: those carried from one
    /// application to the other.
    pub const fn once(&self) -> Carriage {
        const fn less(all: Tally, again: Tally) -> Tally {
            Tally {
                message_count: all.message_count - again.message_count,
                payload_bytes: all.payload_bytes - again.payload_bytes,
            }
        }
        Carriage {
            c2s: less(self.data.c2s, self.data_again.c2s),
            s2c: less(self.data.s2c, self.data_again.s2c),
        }
    }

    /// Says that messages are there twice, if any are.
    pub fn notice(&self) -> Option<String> {
        (self.again > 0).then(|| {
            format!(
                "Both sides of a router were seen: {} there twice, in conversations that name \
                 each other as peer; payload is counted once",
                match self.again {
                    1 => "1 message is".to_owned(),
                    many => format!("{many} messages are"),
                }
            )
        })
    }

    /// Counts data of which nothing else is known.
    #[inline]
    pub(crate) const fn carried(&mut self, carried: Carried) {
        self.by_type[MessageKind::Data as usize] += 1;
        self.data.add(carried.direction, carried.payload_bytes);
    }

    /// Counts a finding.
    pub fn finding(&mut self, finding: &Finding) {
        self.by_level[finding.level as usize] += 1;
        *self
            .by_code
            .entry((finding.level, finding.code))
            .or_default() += 1;
    }

    /// Counts a conversation.
    pub fn conversation(&mut self, conversation: &Conversation) {
        self.by_state[conversation.state as usize] += 1;
    }

    /// Messages counted.
    pub fn messages(&self) -> u64 {
        self.by_type.iter().sum()
    }

    /// Conversations counted.
    pub fn conversations(&self) -> u64 {
        self.by_state.iter().sum()
    }

    /// Conversations that ended in a state.
    pub const fn conversations_in(&self, state: ConversationState) -> u64 {
        self.by_state[state as usize]
    }

    /// Findings of a level.
    pub const fn findings_at(&self, level: Level) -> u64 {
        self.by_level[level as usize]
    }

    /// Findings of `least` and above by level and code, the worst first.
    pub fn findings_from(
        &self,
        least: Level,
    ) -> impl Iterator<Item = (Level, FindingCode, u64)> + '_ {
        self.by_code
            .iter()
            .rev()
            .filter(move |((level, _), _)| *level >= least)
            .map(|(&(level, code), &count)| (level, code, count))
    }

    /// The highest level of any finding.
    pub fn highest_level(&self) -> Option<Level> {
        [Level::Error, Level::Warn, Level::Note]
            .into_iter()
            .find(|&level| self.findings_at(level) > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_and_level_is_counted_in_its_own_place() {
        for (index, state) in ConversationState::ALL.into_iter().enumerate() {
            assert_eq!(state as usize, index);
        }
        for (index, level) in Level::ALL.into_iter().enumerate() {
            assert_eq!(level as usize, index);
        }
    }
}
