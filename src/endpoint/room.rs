//! Room for new conversations, at the cost of those that only wait.

use std::hash::Hash;
use std::time::Instant;

use super::conversation::Conversation;
use super::output::Handle;
use super::session::Endpoint;
use super::state::{State, Stimulus};

/// One of so many conversations is closed at once, so that the search for them
/// is rare.
const SHARE: usize = 16;

impl<P: Copy + Eq + Hash> Endpoint<P> {
    /// Whether [`close_answered`](Self::close_answered) should be called before
    /// the next conversation is opened: there is no room, or has just become so
    /// little that the peer may have none. It still has to hear of conversations
    /// that we gave up before its ACK.
    pub fn is_short_of_room(&self) -> bool {
        let free = self
            .config
            .limits
            .total
            .saturating_sub(self.conversations.live_count());
        free == 0 || free == self.share()
    }

    fn share(&self) -> usize {
        self.config.limits.total.div_ceil(SHARE)
    }

    /// Ends the waiting of some of the conversations that the application has
    /// finished and that have been answered since: nearly always it has left, and
    /// the protocol has no way to say so. The longest silent go first, as if their
    /// time had run out. There is room as soon as their closes are on their way, see
    /// [`Event::Closed`](super::Event::Closed).
    pub fn close_answered(&mut self, now: Instant) {
        let mut answered: Vec<(Instant, Handle)> = self
            .conversations
            .iter()
            .filter(|(_, conversation)| is_answered(conversation))
            .map(|(_, conversation)| (conversation.last_message, conversation.handle))
            .collect();
        let count = self.share();
        if let Some(last) = count.checked_sub(1)
            && answered.len() > count
        {
            answered.select_nth_unstable(last);
            answered.truncate(count);
        }
        for (_, handle) in answered {
            self.apply_to(now, handle, Stimulus::Deadline);
        }
    }
}

fn is_answered(conversation: &Conversation) -> bool {
    conversation.state == State::Draining
        && conversation.queue.is_empty()
        && !conversation.awaits_answer
}
