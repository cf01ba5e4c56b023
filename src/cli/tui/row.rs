//! The stored form of a conversation and of a record, in so many bytes on disk.

use serde_json::Value;

use crate::columns::{of_conversation, of_tally};
use crate::conversation::{ConversationState, Level, MeaningKind};
use crate::field::Field;
use crate::tui::SortKey;
use crate::wire::{Direction, MessageKind};

/// The text behind the name of a column. Within a string a quote has a backslash before it, so that
/// `,"name":` occurs nowhere else.
pub(super) fn text_after(record: &[u8], column: Field) -> Option<&[u8]> {
    let name = column.name().as_bytes();
    let mut from = record;
    loop {
        let comma = from.iter().position(|byte| *byte == b',')?;
        from = &from[comma + 1..];
        let value = from
            .strip_prefix(b"\"")
            .and_then(|key| key.strip_prefix(name)?.strip_prefix(b"\":"));
        if value.is_some() {
            return value;
        }
    }
}

/// The text in a column, if it needs no escapes.
fn word_after(record: &[u8], column: Field) -> Option<&str> {
    let text = text_after(record, column)?.strip_prefix(b"\"")?;
    let end = text.iter().position(|byte| *byte == b'"')?;
    str::from_utf8(&text[..end]).ok()
}

fn number_after(record: &[u8], column: Field) -> i64 {
    let Some(text) = text_after(record, column) else {
        return 0;
    };
    let end = text
        .iter()
        .position(|byte| !matches!(byte, b'-' | b'0'..=b'9'));
    let digits = std::str::from_utf8(&text[..end.unwrap_or(text.len())]);
    digits
        .ok()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

/// The kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Message = 1,
    Finding = 2,
    Conversation = 3,
}

impl Kind {
    pub(super) fn of(record: &[u8]) -> Option<Self> {
        let name = record.strip_prefix(b"{\"record\":\"")?;
        [
            (&b"message\""[..], Self::Message),
            (b"finding\"", Self::Finding),
            (b"conversation\"", Self::Conversation),
        ]
        .into_iter()
        .find_map(|(text, kind)| name.starts_with(text).then_some(kind))
    }
}

/// The place of a record, and of the one before it of the same conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) offset: u64,
    pub(super) bytes: u32,
    pub(super) kind: Kind,
    /// Counted from 1; 0 is none.
    pub(super) previous: u64,
}

impl Entry {
    pub(super) const BYTES: usize = 24;

    pub(super) fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[12] = self.kind as u8;
        bytes[16..].copy_from_slice(&self.previous.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; Self::BYTES]) -> Self {
        let [a, b, c, d] = [bytes[8], bytes[9], bytes[10], bytes[11]];
        Self {
            offset: word(bytes, 0),
            bytes: u32::from_le_bytes([a, b, c, d]),
            kind: match bytes[12] {
                1 => Kind::Message,
                2 => Kind::Finding,
                _ => Kind::Conversation,
            },
            previous: word(bytes, 2),
        }
    }
}

/// The eight bytes with an index.
fn word(bytes: &[u8], index: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[8 * index..8 * (index + 1)]);
    u64::from_le_bytes(word)
}

/// State of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RowState {
    pub(super) is_over: bool,
    pub(super) level: Option<Level>,
    /// As far as it is known.
    pub(super) state: Option<ConversationState>,
    /// Counted from 1; 0 is none.
    pub(super) last_entry: u64,
    /// Offset and length of the record that says most of it: its own, or its first message.
    pub(super) record: (u64, usize),
    pub(super) messages: u64,
    pub(super) bytes: [u64; 2],
    /// Unknown where there is no message yet.
    pub(super) start_us: Option<i64>,
    pub(super) duration_us: i64,
    pub(super) handshake_us: Option<i64>,
    pub(super) findings: u64,
}

/// The messages of a conversation that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All.
    Whole,
    /// All, where only conversations that were asked for are there.
    Conversations,
    /// Those that match a filter: they do not tell its state.
    Selected,
}

/// The number that stands for none. No time is so early.
const NONE: i64 = i64::MIN;

impl RowState {
    pub(super) const BYTES: usize = 88;

    /// Whether there was a record of it.
    pub(super) const fn is_known(&self) -> bool {
        self.record.1 > 0
    }

    /// Its first record is there.
    pub(super) fn begin(&mut self, place: (u64, usize)) {
        self.record = place;
    }

    pub(super) fn count_message(&mut self, head: &[u8], scope: Scope) {
        self.messages += 1;
        if self.is_over {
            return;
        }
        let at_us = number_after(head, Field::TUs);
        self.duration_us = at_us - *self.start_us.get_or_insert(at_us);
        let direction = word_after(head, Field::Dir).and_then(Direction::named);
        if word_after(head, Field::Type) == Some(MessageKind::Data.name()) {
            let server = direction == Some(Direction::ServerToClient);
            let bytes = number_after(head, Field::PayloadBytes);
            self.bytes[usize::from(server)] += u64::try_from(bytes).unwrap_or(0);
        }
        let meaning = word_after(head, Field::Meaning).and_then(MeaningKind::named);
        if let (Some(meaning), Scope::Whole | Scope::Conversations) = (meaning, scope) {
            self.undergo(meaning, direction);
        }
    }

    /// The state until its own record is there, which on an idle link may take long.
    fn undergo(&mut self, meaning: MeaningKind, direction: Option<Direction>) {
        if (self.state, meaning) == (Some(ConversationState::SynSent), MeaningKind::Accepts) {
            self.handshake_us = Some(self.duration_us);
        }
        self.state = Some(ConversationState::after(self.state, meaning, direction));
    }

    pub(super) fn count_finding(&mut self, head: &[u8]) {
        self.findings += 1;
        let level = word_after(head, Field::Level).and_then(Level::named);
        self.level = self.level.max(level);
    }

    /// Its own record is there.
    pub(super) fn conclude(&mut self, place: (u64, usize), record: &Value) {
        let number = |value: &Value| value.as_i64().unwrap_or(0);
        let bytes = |direction: Direction| {
            let tally = &record[direction.name()];
            tally[of_tally::PAYLOAD_BYTES].as_u64().unwrap_or(0)
        };
        self.is_over = true;
        self.record = place;
        self.state = record[of_conversation::STATE]
            .as_str()
            .and_then(ConversationState::named);
        self.bytes = Direction::ALL.map(bytes);
        self.start_us = Some(number(&record[of_conversation::START_T_US]));
        self.duration_us = number(&record[of_conversation::DURATION_US]);
        self.handshake_us = record[of_conversation::HANDSHAKE_US].as_i64();
    }

    /// Its sort key.
    pub(super) fn key(&self, key: SortKey) -> i64 {
        let of_bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        match key {
            SortKey::Capture => 0,
            SortKey::State => by_name(self.state),
            SortKey::Duration => self.duration_us,
            SortKey::Handshake => self.handshake_us.unwrap_or(NONE),
            SortKey::ClientBytes => of_bytes(self.bytes[0]),
            SortKey::ServerBytes => of_bytes(self.bytes[1]),
            SortKey::Findings => {
                let level = i64::from(level_number(self.level));
                (level << 40) + of_bytes(self.findings).min((1 << 40) - 1)
            }
        }
    }

    pub(super) fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0] = u8::from(self.is_over);
        bytes[1] = level_number(self.level);
        bytes[2] = self.state.map_or(0, |state| 1 + state as u8);
        let signed = |value: i64| value.cast_unsigned();
        let words = [
            self.last_entry,
            self.record.0,
            self.record.1 as u64,
            self.messages,
            self.bytes[0],
            self.bytes[1],
            signed(self.start_us.unwrap_or(NONE)),
            signed(self.duration_us),
            signed(self.handshake_us.unwrap_or(NONE)),
            self.findings,
        ];
        for (index, word) in words.into_iter().enumerate() {
            bytes[8 * (index + 1)..8 * (index + 2)].copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8; Self::BYTES]) -> Self {
        let word = |index: usize| word(bytes, index + 1);
        let known = |index: usize| Some(word(index).cast_signed()).filter(|&value| value != NONE);
        Self {
            is_over: bytes[0] == 1,
            level: match bytes[1] {
                1 => Some(Level::Note),
                2 => Some(Level::Warn),
                3 => Some(Level::Error),
                _ => None,
            },
            state: bytes[2]
                .checked_sub(1)
                .and_then(|index| ConversationState::ALL.get(usize::from(index)).copied()),
            last_entry: word(0),
            record: (word(1), usize::try_from(word(2)).unwrap_or(usize::MAX)),
            messages: word(3),
            bytes: [word(4), word(5)],
            start_us: known(6),
            duration_us: word(7).cast_signed(),
            handshake_us: known(8),
            findings: word(9),
        }
    }
}

/// The place of a state in the order of their names.
fn by_name(state: Option<ConversationState>) -> i64 {
    let Some(state) = state else { return 0 };
    let is_before = |other: &&ConversationState| other.name() <= state.name();
    let before = ConversationState::ALL.iter().filter(is_before).count();
    i64::try_from(before).unwrap_or(i64::MAX)
}

const fn level_number(level: Option<Level>) -> u8 {
    match level {
        None => 0,
        Some(Level::Note) => 1,
        Some(Level::Warn) => 2,
        Some(Level::Error) => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{CONVERSATION, FINDING};

    #[test]
    fn columns_that_are_looked_for_have_the_same_names_in_records_of_other_kinds() {
        for (table, column) in [
            (CONVERSATION, Field::Conv),
            (FINDING, Field::Conv),
            (FINDING, Field::Level),
        ] {
            let mut columns = table.columns.iter();
            assert!(columns.any(|one| one.name == column.name()), "{column:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let states = ConversationState::ALL.map(Some);
        let levels = [
            None,
            Some(Level::Note),
            Some(Level::Warn),
            Some(Level::Error),
        ];
        for (index, state) in [None].into_iter().chain(states).enumerate() {
            let level = levels[index % levels.len()];
            let row = RowState {
                is_over: level.is_some(),
                level,
                state,
                last_entry: 1,
                record: (2, 3),
                messages: 4,
                bytes: [5, 6],
                start_us: state.map(|_| -7),
                duration_us: 8,
                handshake_us: level.map(|_| 0),
                findings: 9,
            };
            assert_eq!(RowState::decode(&row.encode()), row);
        }
        for kind in [Kind::Message, Kind::Finding, Kind::Conversation] {
            let entry = Entry {
                offset: u64::MAX,
                bytes: 2,
                kind,
                previous: 3,
            };
            assert_eq!(Entry::decode(&entry.encode()), entry);
        }
    }

    #[test]
    fn fields_are_found_where_they_stand_and_not_within_strings() {
        let record =
            br#"{"record":"message","n":1,"src":"x,\"conv\":\"c9\"","conv":"c3","t_us":-12}"#;
        assert_eq!(Kind::of(record), Some(Kind::Message));
        assert!(
            text_after(record, Field::Conv)
                .unwrap()
                .starts_with(b"\"c3\"")
        );
        assert_eq!(number_after(record, Field::TUs), -12);
        assert_eq!(text_after(record, Field::Level), None);
    }
}
