//! Conversations in the page: rows of its table, and their ladders.

use crate::conversation::{Conversation, ConversationId, Level};
use crate::report::ladder::message_log::MessageLog;
use crate::report::ladder::{Ladder, View};
use crate::report::style::Style;

/// A conversation that is over, with its messages.
#[derive(Debug)]
pub(super) struct Over {
    pub(super) conversation: Conversation,
    pub(super) log: MessageLog,
}

/// A conversation in the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) conversation: Conversation,
    /// The worst of its findings.
    pub(super) level: Option<Level>,
}

/// A ladder in the page.
pub(super) struct Picture<'a> {
    pub(super) ladder: Ladder<'a>,
    pub(super) view: View<'a>,
    pub(super) other: Option<View<'a>>,
}

impl<'a> Picture<'a> {
    pub(super) fn new(first: &'a Over, other: Option<&'a Over>, style: &Style) -> Self {
        let view = first.view();
        let other = other.map(Over::view);
        Self {
            ladder: Ladder::new(view, other, style),
            view,
            other,
        }
    }

    /// The conversation that names the picture.
    pub(super) const fn id(&self) -> ConversationId {
        self.ladder.conversation.id
    }

    pub(super) fn views(&self) -> impl Iterator<Item = View<'a>> {
        std::iter::once(self.view).chain(self.other)
    }
}

impl Over {
    pub(super) const fn view(&self) -> View<'_> {
        View {
            conversation: &self.conversation,
            log: &self.log,
        }
    }
}
