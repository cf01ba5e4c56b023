//! The messages of conversations, kept until the conversations are over.

use hashbrown::HashMap;

use crate::conversation::{Conversation, ConversationId, Finding, Level, Meaning, MessageEvent};
use crate::net::Encapsulation;
use crate::number_set::NumberSet;
use crate::time::Timestamp;
use crate::wire::{Destination, Direction, FrameType, RawMessage};

/// Bounds of a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Messages of one conversation, and as many of its findings.
    pub(crate) messages: usize,
    /// Bytes of the beginning of each message.
    pub(crate) message_bytes: usize,
    /// Bytes of all messages of one conversation.
    pub(crate) conversation_bytes: usize,
    /// Messages of all conversations whose logs are held.
    pub(crate) messages_held: usize,
    /// Bytes of these.
    pub(crate) bytes_held: usize,
    /// Memory of the findings of these conversations.
    pub(crate) finding_bytes_held: usize,
}

/// Bytes of a message that are kept whatever the limits: type, id, and the id that an ACK
/// announces.
const LEAST_BYTES: usize = 7;

/// The messages of one conversation, in the order of the capture.
#[derive(Debug, Default)]
pub(crate) struct MessageLog {
    messages: Vec<LoggedMessage>,
    bytes: Vec<u8>,
    findings: Vec<Finding>,
    finding_bytes: usize,
    highest_level: Option<Level>,
    messages_left_out: u64,
    findings_left_out: u64,
}

/// A message, apart from its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoggedMessage {
    /// Its number in the dissection.
    pub(crate) number: u64,
    /// Its capture time.
    pub(crate) time: Timestamp,
    packet: u64,
    elapsed_us: i64,
    direction: Option<Direction>,
    meaning: Meaning,
    router_ns: Option<i64>,
    sent_as: Option<u64>,
    /// Its whole length, of which less may be kept.
    message_bytes: usize,
    /// The end of its bytes in those of the log.
    end: usize,
}

impl MessageLog {
    /// The messages that are kept.
    pub(crate) fn messages(&self) -> &[LoggedMessage] {
        &self.messages
    }

    /// The findings that are kept, in the order in which they came.
    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The highest level of all findings, kept or not.
    pub(crate) const fn highest_level(&self) -> Option<Level> {
        self.highest_level
    }

    /// Messages that are not kept.
    pub(crate) const fn messages_left_out(&self) -> u64 {
        self.messages_left_out
    }

    /// Findings that are not kept.
    pub(crate) const fn findings_left_out(&self) -> u64 {
        self.findings_left_out
    }

    /// Bytes of messages that are kept.
    pub(crate) const fn kept_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes kept of the message at `index`.
    pub(crate) fn message(&self, index: usize) -> &[u8] {
        let start = match index.checked_sub(1) {
            Some(before) => self.messages[before].end,
            None => 0,
        };
        &self.bytes[start..self.messages[index].end]
    }

    /// The message at `index` as it came, without its findings. Its payload is the part kept of it.
    pub(crate) fn event<'a>(
        &'a self,
        index: usize,
        conversation: &Conversation,
    ) -> MessageEvent<'a> {
        let step = &self.messages[index];
        let message = RawMessage::parse(self.message(index));
        let (client, server) = (conversation.client.address, conversation.server.address);
        let (source, target) = match step.direction {
            Some(Direction::ServerToClient) => (server, client),
            Some(Direction::ClientToServer) | None => (client, server),
        };
        MessageEvent {
            number: step.number,
            packet: step.packet,
            time: step.time,
            elapsed_us: step.elapsed_us,
            // A ladder does not show it.
            encapsulation: Encapsulation::NONE,
            carrier: conversation.carrier,
            source,
            target,
            direction: step.direction,
            message,
            conversation: Some(conversation.id),
            meaning: step.meaning,
            session: None,
            router_ns: step.router_ns,
            sent_as: step.sent_as,
            destination_hash: message
                .frame()
                .filter(|frame| frame.frame_type == FrameType::SYN)
                .and_then(|frame| Destination::split(frame.payload).ok())
                .map(|(destination, _)| destination.hash()),
            findings: &[],
        }
    }

    /// Length of the whole payload of the message at `index`.
    pub(crate) fn payload_bytes(&self, index: usize) -> usize {
        match RawMessage::parse(self.message(index)) {
            RawMessage::Frame(frame) => self.messages[index].message_bytes - frame.header().len(),
            RawMessage::Ping | RawMessage::Short(_) => 0,
        }
    }

    fn push(&mut self, event: &MessageEvent<'_>, room: usize) {
        let start = self.bytes.len();
        match &event.message {
            RawMessage::Frame(frame) => {
                let header = frame.header();
                self.bytes.extend_from_slice(&header);
                let room = room.max(LEAST_BYTES) - header.len();
                let kept = &frame.payload[..frame.payload.len().min(room)];
                self.bytes.extend_from_slice(kept);
            }
            RawMessage::Ping => self.bytes.push(FrameType::CHAFF.0),
            RawMessage::Short(bytes) => self.bytes.extend_from_slice(bytes),
        }
        debug_assert!(self.bytes.len() - start <= room.max(LEAST_BYTES));
        self.messages.push(LoggedMessage {
            number: event.number,
            time: event.time,
            packet: event.packet,
            elapsed_us: event.elapsed_us,
            direction: event.direction,
            meaning: event.meaning,
            router_ns: event.router_ns,
            sent_as: event.sent_as,
            message_bytes: event.message.message_bytes(),
            end: self.bytes.len(),
        });
    }
}

/// The logs of the conversations that are not over.
#[derive(Debug)]
pub(crate) struct MessageLogs {
    limits: Limits,
    open: HashMap<ConversationId, MessageLog>,
    /// Conversations that are over: nobody would take the log of a message that comes late.
    over: NumberSet,
    messages_held: usize,
    bytes_held: usize,
    finding_bytes_held: usize,
}

impl MessageLogs {
    /// No logs yet.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            open: HashMap::new(),
            over: NumberSet::default(),
            messages_held: 0,
            bytes_held: 0,
            finding_bytes_held: 0,
        }
    }

    /// Keeps a message, if it belongs to a conversation that is not over.
    pub(crate) fn message(&mut self, event: &MessageEvent<'_>) {
        let Some(id) = event.conversation else {
            return;
        };
        if self.over.contains(id.0) {
            return;
        }
        let limits = self.limits;
        let log = self.open.entry(id).or_default();
        if log.messages.len() >= limits.messages || self.messages_held >= limits.messages_held {
            log.messages_left_out += 1;
            return;
        }
        let before = log.bytes.len();
        let room = limits
            .message_bytes
            .min(limits.conversation_bytes.saturating_sub(before))
            .min(limits.bytes_held.saturating_sub(self.bytes_held));
        log.push(event, room);
        self.messages_held += 1;
        self.bytes_held += log.bytes.len() - before;
    }

    /// Keeps a finding of a conversation of which a message is kept.
    pub(crate) fn finding(&mut self, finding: &Finding) {
        let log = finding.conversation.and_then(|id| self.open.get_mut(&id));
        let Some(log) = log else {
            return;
        };
        log.highest_level = log.highest_level.max(Some(finding.level));
        let bytes = size_of::<Finding>() + finding.heap_bytes();
        if log.findings.len() < self.limits.messages
            && self.finding_bytes_held + bytes <= self.limits.finding_bytes_held
        {
            log.findings.push(finding.clone());
            log.finding_bytes += bytes;
            self.finding_bytes_held += bytes;
        } else {
            log.findings_left_out += 1;
        }
    }

    /// Whether anything is kept of a conversation that is not over.
    pub(crate) fn contains(&self, id: ConversationId) -> bool {
        self.open.contains_key(&id)
    }

    /// Hands out the log of a conversation that is over. It counts as held until it is
    /// [released](Self::release).
    pub(crate) fn take(&mut self, id: ConversationId) -> Option<MessageLog> {
        self.over.insert(id.0);
        self.open.remove(&id)
    }

    /// Messages in all logs that are not released.
    #[cfg(test)]
    pub(super) const fn messages_held(&self) -> usize {
        self.messages_held
    }

    /// Makes room for others in place of a log that is drawn, or is bounded elsewhere.
    pub(crate) fn release(&mut self, log: &MessageLog) {
        self.messages_held -= log.messages.len();
        self.bytes_held -= log.bytes.len();
        self.finding_bytes_held -= log.finding_bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::FindingCode;
    use crate::testing::{conversation, event, finding};

    const ROOMY: Limits = Limits {
        messages: 10,
        message_bytes: 100,
        conversation_bytes: 1000,
        messages_held: 20,
        bytes_held: 2000,
        finding_bytes_held: 1000,
    };

    fn message(payload_bytes: usize) -> Vec<u8> {
        let mut message = vec![0xa0, 0xff, 0xff, 0xff];
        message.extend((0..payload_bytes).map(|index| index as u8));
        message
    }

    #[test]
    fn messages_come_back_as_they_were_told() {
        for bytes in [
            &b"\xa0\xff\xff\xffGET"[..],
            b"\x51\x11\x11\x11\xff\xff\xff",
            b"\x53\x11\x11\x11",
            b"\xff",
            b"\xa0\x01",
            b"",
        ] {
            let mut logs = MessageLogs::new(ROOMY);
            let event = event(bytes);
            logs.message(&event);
            let log = logs.take(event.conversation.unwrap()).unwrap();
            let kept = log.event(0, &conversation(1));
            assert_eq!(format!("{kept:?}"), format!("{event:?}"), "{bytes:02x?}");
            assert_eq!(log.message(0), bytes);
        }
    }

    #[test]
    fn every_limit_cuts_what_is_kept_and_what_is_cut_is_known() {
        let id = ConversationId(1);
        // Limits, and then bytes kept of each of three messages of 54 bytes.
        for (limits, kept, left_out) in [
            (ROOMY, vec![54, 54, 54], 0),
            (
                Limits {
                    messages: 2,
                    ..ROOMY
                },
                vec![54, 54],
                1,
            ),
            (
                Limits {
                    messages_held: 1,
                    ..ROOMY
                },
                vec![54],
                2,
            ),
            (
                Limits {
                    message_bytes: 20,
                    ..ROOMY
                },
                vec![20, 20, 20],
                0,
            ),
            (
                Limits {
                    message_bytes: 0,
                    ..ROOMY
                },
                vec![7, 7, 7],
                0,
            ),
            (
                Limits {
                    conversation_bytes: 70,
                    ..ROOMY
                },
                vec![54, 16, 7],
                0,
            ),
            (
                Limits {
                    bytes_held: 60,
                    ..ROOMY
                },
                vec![54, 7, 7],
                0,
            ),
        ] {
            let mut logs = MessageLogs::new(limits);
            let bytes = message(50);
            for _ in 0..3 {
                logs.message(&event(&bytes));
            }
            let log = logs.take(id).unwrap();
            let lengths: Vec<usize> = (0..log.messages().len())
                .map(|index| log.message(index).len())
                .collect();
            assert_eq!((lengths, log.messages_left_out()), (kept, left_out));
            assert!((0..log.messages().len()).all(|index| log.payload_bytes(index) == 50));
            assert!(logs.messages_held > 0 && logs.bytes_held > 0);
            logs.release(&log);
            assert_eq!((logs.messages_held, logs.bytes_held), (0, 0));
        }
    }

    #[test]
    fn findings_are_kept_with_their_conversation_only() {
        let mut logs = MessageLogs::new(Limits {
            messages: 1,
            ..ROOMY
        });
        let bytes = message(1);
        logs.message(&event(&bytes));
        for conversation in [Some(1), Some(1), Some(2), None] {
            let mut finding = finding(FindingCode::ClosePayload);
            finding.conversation = conversation.map(ConversationId);
            logs.finding(&finding);
        }
        assert!(!logs.contains(ConversationId(2)));
        let log = logs.take(ConversationId(1)).unwrap();
        assert_eq!((log.findings().len(), log.findings_left_out()), (1, 1));
    }

    #[test]
    fn findings_of_all_conversations_are_bounded_in_bytes_and_the_worst_is_known() {
        let mut told = finding(FindingCode::ClosePayload);
        told.conversation = Some(ConversationId(1));
        let bytes = size_of::<Finding>() + told.heap_bytes();
        assert!(told.heap_bytes() >= told.text.len());
        let mut logs = MessageLogs::new(Limits {
            finding_bytes_held: 3 * bytes,
            ..ROOMY
        });
        let message = message(1);
        for number in [1, 2] {
            let id = Some(ConversationId(number));
            logs.message(&MessageEvent {
                conversation: id,
                ..event(&message)
            });
            told.conversation = id;
            told.level = Level::Note;
            logs.finding(&told);
            logs.finding(&told);
        }
        told.level = Level::Error;
        logs.finding(&told);
        assert_eq!(logs.finding_bytes_held, 3 * bytes);
        for (number, kept, left_out, level) in [(1, 2, 0, Level::Note), (2, 1, 2, Level::Error)] {
            let log = logs.take(ConversationId(number)).unwrap();
            assert_eq!(
                (log.findings().len(), log.findings_left_out()),
                (kept, left_out)
            );
            assert_eq!(log.highest_level(), Some(level));
            logs.release(&log);
        }
        assert_eq!(logs.finding_bytes_held, 0);
    }

    #[test]
    fn messages_that_come_late_take_no_room() {
        let mut logs = MessageLogs::new(ROOMY);
        let bytes = message(1);
        let late = event(&bytes);
        let id = late.conversation.unwrap();
        logs.message(&late);
        let log = logs.take(id).unwrap();
        logs.release(&log);
        for _ in 0..2 * ROOMY.messages_held {
            logs.message(&late);
        }
        assert_eq!((logs.messages_held, logs.open.len()), (0, 0));
        assert!(logs.take(id).is_none());
    }
}
