//! What was shown, in numbers.

use std::collections::BTreeMap;

use super::field::{TYPE_NAMES, kind_index, payload, type_index};
use crate::conversation::{
    Carried, Conversation, Finding, FindingCode, Level, MessageEvent, State, Tally,
};
use crate::wire::{Direction, FrameKind};

/// Counts over all messages, conversations and findings shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages by type, in the order of the summary record.
    pub by_type: [u64; TYPE_NAMES.len()],
    /// Conversations by state, in the order of [`State::ALL`].
    pub by_state: [u64; State::ALL.len()],
    /// DATA from clients, within conversations.
    pub c2s: Tally,
    /// DATA from servers, within conversations.
    pub s2c: Tally,
    by_level: [u64; 3],
    by_code: BTreeMap<(Level, FindingCode), u64>,
}

/// Bytes that a message carries from one application to the other: the payload of data in a
/// conversation, and of nothing else.
#[inline]
pub(crate) fn carried_bytes(event: &MessageEvent<'_>) -> Option<u64> {
    let is_data = event
        .message
        .frame()
        .is_some_and(|frame| frame.frame_type.kind() == FrameKind::Data);
    (is_data && event.conversation.is_some()).then(|| payload(&event.message).len() as u64)
}

impl Totals {
    /// Counts a message.
    #[inline]
    pub fn message(&mut self, event: &MessageEvent<'_>) {
        self.by_type[type_index(&event.message)] += 1;
        if let Some(bytes) = carried_bytes(event) {
            let direction = event.direction.unwrap_or(Direction::ClientToServer);
            self.carry(direction, bytes);
        }
    }

    /// Counts data of which nothing else is known.
    #[inline]
    pub(crate) const fn carried(&mut self, carried: Carried) {
        self.by_type[kind_index(FrameKind::Data)] += 1;
        self.carry(carried.direction, carried.payload_bytes);
    }

    #[inline]
    const fn carry(&mut self, direction: Direction, bytes: u64) {
        let tally = match direction {
            Direction::ServerToClient => &mut self.s2c,
            Direction::ClientToServer => &mut self.c2s,
        };
        tally.message_count += 1;
        tally.payload_bytes += bytes;
    }

    /// Counts a finding.
    pub fn finding(&mut self, finding: &Finding) {
        self.by_level[level_index(finding.level)] += 1;
        *self
            .by_code
            .entry((finding.level, finding.code))
            .or_default() += 1;
    }

    /// Counts a conversation.
    pub fn conversation(&mut self, conversation: &Conversation) {
        self.by_state[state_index(conversation.state)] += 1;
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
    pub const fn conversations_in(&self, state: State) -> u64 {
        self.by_state[state_index(state)]
    }

    /// Findings of a level.
    pub const fn findings_at(&self, level: Level) -> u64 {
        self.by_level[level_index(level)]
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

const fn level_index(level: Level) -> usize {
    match level {
        Level::Note => 0,
        Level::Warn => 1,
        Level::Error => 2,
    }
}

/// The place of a state in [`State::ALL`].
pub(crate) const fn state_index(state: State) -> usize {
    match state {
        State::SynSent => 0,
        State::Refused => 1,
        State::Open => 2,
        State::ClientClosed => 3,
        State::ServerClosed => 4,
        State::NoAnswer => 5,
        State::MidStream => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_counted_in_its_own_place() {
        for (index, state) in State::ALL.into_iter().enumerate() {
            assert_eq!(state_index(state), index);
        }
    }
}
