//! The last messages of a proxy, to be shown on request.

use std::collections::VecDeque;
use std::time::Instant;

use serde_json::{Value, json};

use crate::conversation::{ConversationId, MessageEvent};
use crate::field::payload;
use crate::text::escape::{Charset, escaped};
use crate::wire::{Direction, RawMessage};

/// Messages that are remembered to be shown.
const MAX_RECENT: usize = 4_096;

/// Payload bytes of a message that are remembered.
pub(super) const PREVIEW_BYTES: usize = 48;

/// The last messages: those that came in, and those that the proxy made.
#[derive(Debug, Default)]
pub(super) struct Recent {
    messages: VecDeque<Value>,
    count: u64,
    /// When the first message came in.
    began: Option<Instant>,
}

/// The fate of a message when it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// It goes on, at once or when it is due.
    Passed,
    /// It waits for another message, or for somebody's leave.
    Held,
    /// It went no further.
    Dropped,
}

impl Became {
    const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Held => "held",
            Self::Dropped => "dropped",
        }
    }
}

impl Recent {
    /// Takes note of a message that came in.
    pub(super) fn add(&mut self, now: Instant, event: &MessageEvent<'_>, rule: Option<usize>) {
        let conversation = event.conversation;
        self.push(now, conversation, event.direction, &event.message);
        if let (Some(last), Some(rule)) = (self.messages.back_mut(), rule) {
            last["rule"] = rule.into();
        }
    }

    /// Takes note of a message that the proxy made.
    pub(super) fn add_made(
        &mut self,
        now: Instant,
        conversation: Option<ConversationId>,
        direction: Direction,
        bytes: &[u8],
        why: Option<&str>,
    ) {
        let message = RawMessage::parse(bytes);
        self.push(now, conversation, Some(direction), &message);
        if let Some(last) = self.messages.back_mut() {
            last["became"] = "made".into();
            last["done"] = why.into();
        }
    }

    fn push(
        &mut self,
        now: Instant,
        conversation: Option<ConversationId>,
        direction: Option<Direction>,
        message: &RawMessage<'_>,
    ) {
        if self.messages.len() >= MAX_RECENT {
            self.messages.pop_front();
        }
        self.count += 1;
        let began = *self.began.get_or_insert(now);
        let elapsed = now.saturating_duration_since(began).as_micros();
        let bytes = payload(message);
        let shown = &bytes[..bytes.len().min(PREVIEW_BYTES)];
        self.messages.push_back(json!({
            "n": self.count,
            "t_us": u64::try_from(elapsed).unwrap_or(u64::MAX),
            "conv": conversation.map(|id| id.to_string()),
            "dir": direction.map(Direction::name),
            "type": message.kind().name(),
            "id": message.frame().map(|frame| frame.id.to_string()),
            "payload_bytes": bytes.len(),
            "payload_text": escaped(shown, Charset::Unicode),
            "rule": null,
            "became": Became::Passed.name(),
            "done": null,
        }));
    }

    /// Notes the fate of the message of this number, and the comment on it.
    pub(super) fn note_outcome(&mut self, number: u64, became: Became, done: Option<&str>) {
        let place = self.count.checked_sub(number).and_then(|back| {
            let back = usize::try_from(back).ok()?;
            self.messages.len().checked_sub(back + 1)
        });
        if let Some(message) = place.and_then(|place| self.messages.get_mut(place)) {
            message["became"] = became.name().into();
            message["done"] = done.into();
        }
    }

    /// The lines on each, the oldest first.
    pub(super) fn messages(&self) -> impl Iterator<Item = &Value> {
        self.messages.iter()
    }

    /// The number of the last of them.
    pub(super) const fn last(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_oldest_messages_are_forgotten() {
        let now = Instant::now();
        let mut recent = Recent::default();
        for _ in 0..MAX_RECENT + 10 {
            recent.add(now, &testing::event(b"\xa0abcx"), None);
        }
        recent.note_outcome(10, Became::Dropped, None);
        recent.note_outcome(11, Became::Dropped, Some("loss"));
        let shown: Vec<(u64, &str)> = recent
            .messages()
            .map(|message| {
                (
                    message["n"].as_u64().unwrap(),
                    message["became"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(shown.len(), MAX_RECENT);
        assert_eq!(shown[..2], [(11, "dropped"), (12, "passed")]);
        assert_eq!(shown.last(), Some(&(MAX_RECENT as u64 + 10, "passed")));
    }
}
