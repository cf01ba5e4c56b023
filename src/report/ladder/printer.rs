//! Draws conversations when they are over.

use std::io;
use std::mem;

use hashbrown::HashMap;

use super::message_log::{Limits, MessageLog, MessageLogs};
use super::{Ladder, MAX_MESSAGES, MAX_MESSAGES_HELD, View, mermaid, svg, text};
use crate::carrier::Carrier;
use crate::conversation::{Conversation, ConversationId, Finding, MessageEvent};
use crate::record::Summary;
use crate::record::printer::{Printer, SharedOutput};
use crate::record::tally::{Sight, Totals};
use crate::report::style::{PREVIEW_COLUMNS, Style};
use crate::text::write::{put, put_conversation};

/// Bytes of a message that are kept for its picture: a SYN with its destination,
/// or more of a payload than is shown.
const MESSAGE_BYTES: usize = 512;

const LIMITS: Limits = Limits {
    messages: MAX_MESSAGES,
    message_bytes: MESSAGE_BYTES,
    conversation_bytes: MAX_MESSAGES * MESSAGE_BYTES,
    messages_held: MAX_MESSAGES_HELD,
    bytes_held: 64 << 20,
    finding_bytes_held: 64 << 20,
};

/// Views that wait for the one of the other side of the router.
const MAX_WAITING: usize = 4096;

/// The conversations that are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrawnConversations {
    /// All that are selected.
    All,
    /// One, with its view from the other side of a router.
    One(ConversationId),
}

/// The form of ladders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LadderFormat {
    /// For a terminal.
    #[default]
    Text,
    /// As fenced Mermaid diagrams, for Markdown documents.
    Mermaid,
    /// As an SVG file.
    Svg,
}

/// Keeps the messages of conversations, and writes each ladder when its
/// conversation is over.
#[derive(Debug)]
pub struct LadderPrinter {
    wanted: DrawnConversations,
    format: LadderFormat,
    style: Style,
    logs: MessageLogs,
    /// Views whose conversation is over, but not on the other side of the router.
    waiting: HashMap<ConversationId, Over>,
    outcome: Outcome,
}

/// A conversation that is over.
#[derive(Debug)]
struct Over {
    conversation: Conversation,
    log: MessageLog,
}

/// Whether there was anything to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    NothingDrawn,
    Drawn,
}

impl LadderPrinter {
    /// A printer of ladders.
    pub fn new(wanted: DrawnConversations, format: LadderFormat, style: Style) -> Self {
        Self {
            wanted,
            format,
            style: match format {
                LadderFormat::Text => style,
                // Pictures are as wide as they are.
                LadderFormat::Mermaid | LadderFormat::Svg => Style {
                    previews: PREVIEW_COLUMNS,
                    ..style
                },
            },
            logs: MessageLogs::new(LIMITS),
            waiting: HashMap::new(),
            outcome: Outcome::NothingDrawn,
        }
    }

    fn draw(&mut self, over: &Over, other: Option<&Over>, out: &mut Vec<u8>) {
        for over in [Some(over), other].into_iter().flatten() {
            self.logs.release(&over.log);
        }
        let ladder = Ladder::new(over.view(), other.map(Over::view), &self.style);
        self.outcome = Outcome::Drawn;
        match self.format {
            LadderFormat::Text => text::put_text(&ladder, &self.style, out),
            LadderFormat::Mermaid => mermaid::put_mermaid(&ladder, &self.style, out),
            LadderFormat::Svg => svg::put_svg(&ladder, &self.style, svg::Container::File, out),
        }
    }
}

impl Over {
    const fn view(&self) -> View<'_> {
        View {
            conversation: &self.conversation,
            log: &self.log,
        }
    }
}

impl Printer for LadderPrinter {
    /// Keeps a message until its conversation is over.
    fn message(&mut self, event: &MessageEvent<'_>, _: Sight, _: &mut Vec<u8>) -> io::Result<()> {
        let is_wanted = match self.wanted {
            DrawnConversations::All => true,
            // On I2CP any conversation may turn out to be the other view.
            DrawnConversations::One(id) => {
                event.conversation == Some(id) || event.carrier == Carrier::I2cp
            }
        };
        if is_wanted {
            self.logs.message(event);
        }
        Ok(())
    }

    /// Keeps a finding until its conversation is over.
    fn finding(&mut self, finding: &Finding, _: &mut Vec<u8>) -> io::Result<()> {
        self.logs.finding(finding);
        Ok(())
    }

    /// Appends the ladder of a conversation that is over, unless it is not wanted
    /// or its other view is still to come.
    fn conversation(&mut self, conversation: &Conversation, out: &mut Vec<u8>) -> io::Result<()> {
        let Some(log) = self.logs.take(conversation.id) else {
            return Ok(());
        };
        if let DrawnConversations::One(id) = self.wanted
            && id != conversation.id
            && Some(id) != conversation.peer_view
        {
            self.logs.release(&log);
            return Ok(());
        }
        let over = Over {
            conversation: conversation.clone(),
            log,
        };
        let peer = conversation.peer_view;
        if let Some(other) = peer.and_then(|peer| self.waiting.remove(&peer)) {
            self.draw(&over, Some(&other), out);
        } else if peer.is_some_and(|peer| self.logs.contains(peer))
            && self.waiting.len() < MAX_WAITING
        {
            self.waiting.insert(conversation.id, over);
        } else {
            self.draw(&over, None, out);
        }
        Ok(())
    }

    /// Appends the rest, or that there was nothing.
    fn finish(
        &mut self,
        _: &Totals,
        _: &Summary<'_>,
        out: &mut SharedOutput<'_>,
    ) -> io::Result<()> {
        let out = &mut *out.buffer;
        let mut waiting: Vec<Over> = mem::take(&mut self.waiting).into_values().collect();
        waiting.sort_unstable_by_key(|over| over.conversation.id);
        for over in &waiting {
            self.draw(over, None, out);
        }
        if let (Outcome::NothingDrawn, DrawnConversations::One(id)) = (self.outcome, self.wanted) {
            let [before, after] = match self.format {
                LadderFormat::Text => ["", "\n"],
                LadderFormat::Mermaid | LadderFormat::Svg => ["<!-- ", " -->\n"],
            };
            put(out, before);
            put(out, "no conversation ");
            put_conversation(out, id);
            put(out, " among the messages shown");
            put(out, after);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{conversation, event, style};

    #[test]
    fn what_waits_for_its_other_view_counts_as_held() {
        let format = LadderFormat::Text;
        let mut printer = LadderPrinter::new(DrawnConversations::All, format, style());
        let mut out = Vec::new();
        for number in [1, 2] {
            let event = MessageEvent {
                conversation: Some(ConversationId(number)),
                ..event(b"\xa0\xff\xff\xffa")
            };
            printer.message(&event, Sight::First, &mut out).unwrap();
        }
        for (number, held) in [(1, 2), (2, 0)] {
            let mut over = conversation(number);
            over.peer_view = Some(ConversationId(3 - number));
            printer.conversation(&over, &mut out).unwrap();
            assert_eq!(printer.logs.messages_held(), held);
        }
    }
}
