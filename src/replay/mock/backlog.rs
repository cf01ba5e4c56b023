//! Messages waiting for clients that take nothing at the moment.

use std::collections::VecDeque;
use std::hash::Hash;

use hashbrown::HashMap;

use crate::wire::Message;

/// Clients that take nothing, and the work for when they do. While a client takes nothing its
/// sessions send nothing, so that little more than one close for each of them waits.
#[derive(Debug)]
pub(super) struct Backlog<P>(HashMap<P, Waiting>);

/// Messages waiting for one client.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Messages, in their order.
    pub(super) messages: VecDeque<Message>,
    /// Sessions that have more to send.
    pub(super) slots: Vec<usize>,
}

impl<P: Copy + Eq + Hash> Backlog<P> {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// The client takes nothing more.
    pub(super) fn block(&mut self, client: P) {
        self.0.entry(client).or_default();
    }

    /// The client takes messages again, or is gone; returns those that waited for it.
    pub(super) fn unblock(&mut self, client: P) -> Waiting {
        self.0.remove(&client).unwrap_or_default()
    }

    pub(super) fn is_blocked(&self, client: P) -> bool {
        self.0.contains_key(&client)
    }

    /// Keeps a message for a client that takes nothing; gives it back if it takes messages.
    pub(super) fn keep(&mut self, client: P, message: Message) -> Option<Message> {
        match self.0.get_mut(&client) {
            Some(waiting) => {
                waiting.messages.push_back(message);
                None
            }
            None => Some(message),
        }
    }

    /// Has a session wait until its client takes messages again; false if it does.
    pub(super) fn hold(&mut self, client: P, slot: usize) -> bool {
        let waiting = self.0.get_mut(&client);
        waiting.map(|waiting| waiting.slots.push(slot)).is_some()
    }
}
