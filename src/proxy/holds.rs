//! Messages that wait for others.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hashbrown::HashMap;

use super::ConnectionId;
use super::carried::Waiting;
use crate::allocation::{ALLOCATION_BYTES, tree_entry_bytes};
use crate::conversation::{ConversationId, MessageEvent};
use crate::net::Side;
use crate::select::filter::Filter;
use crate::wire::Direction;

/// The event that a message waits for.
#[derive(Clone, Debug)]
pub(super) enum Until {
    /// A message that matches.
    Matches(Arc<Filter>),
    /// The next message in the direction.
    Next(Direction),
}

impl Until {
    /// Whether this message is the awaited one.
    fn is_met_by(&self, event: &MessageEvent<'_>) -> bool {
        match self {
            Self::Matches(filter) => filter.matches(event),
            Self::Next(direction) => event.direction == Some(*direction),
        }
    }

    /// Whether it is the same rule that waits.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Matches(one), Self::Matches(another)) => Arc::ptr_eq(one, another),
            (Self::Next(one), Self::Next(another)) => one == another,
            _ => false,
        }
    }
}

/// Messages that wait for the same, by their numbers, in order.
#[derive(Debug)]
struct Group {
    until: Until,
    numbers: VecDeque<u64>,
}

/// A message that waits.
#[derive(Debug)]
struct Held {
    waiting: Waiting,
    conversation: Option<ConversationId>,
}

/// Bytes that a message takes here beside those that [`Waiting`] keeps, where it is the only one of
/// its conversation that waits.
pub(super) const PLACE_BYTES: usize = tree_entry_bytes::<(u64, Held)>() + GROUP_BYTES;

/// Memory of a group of a single message: its number and the group, in lists of their own, and the
/// entry of these in a table of which seven of sixteen places may be in use.
const GROUP_BYTES: usize = size_of::<Group>()
    + 2 * size_of::<u64>()
    + ALLOCATION_BYTES
    + (size_of::<Entry>() + 1) * 16 / 7;

/// The groups of a conversation, or, without one, of the connection.
type Entry = (Option<ConversationId>, Vec<Group>);

/// All messages that wait for others.
///
/// A message that comes in is compared once for each rule that holds messages of its conversation,
/// however many these are.
#[derive(Debug, Default)]
pub(super) struct Holds {
    /// In the order in which they came.
    messages: BTreeMap<u64, Held>,
    next_number: u64,
    /// Those of a conversation, or, without one, of the connection.
    groups: HashMap<ConnectionId, HashMap<Option<ConversationId>, Vec<Group>>>,
    /// Numbers of those whose message has come.
    released: Vec<u64>,
}

impl Holds {
    /// Has a message wait.
    pub(super) fn push(
        &mut self,
        waiting: Waiting,
        conversation: Option<ConversationId>,
        until: Until,
    ) {
        let number = self.next_number;
        self.next_number += 1;
        let of_connection = self.groups.entry(waiting.connection).or_default();
        let groups = of_connection.entry(conversation).or_default();
        if groups.is_empty() {
            // There are no more nearly always.
            groups.reserve_exact(1);
        }
        match groups.iter_mut().find(|group| group.until.is_same(&until)) {
            Some(group) => group.numbers.push_back(number),
            None => groups.push(Group {
                until,
                numbers: VecDeque::from([number]),
            }),
        }
        let held = Held {
            waiting,
            conversation,
        };
        self.messages.insert(number, held);
    }

    /// Shows a message that came in to those that may wait for it.
    pub(super) fn look_at(&mut self, connection: ConnectionId, event: &MessageEvent<'_>) {
        let Some(of_connection) = self.groups.get_mut(&connection) else {
            return;
        };
        let own = event.conversation.map(Some);
        // Those of its conversation, and those of the connection that belong to none.
        for scope in own.into_iter().chain([None]) {
            let Some(groups) = of_connection.get_mut(&scope) else {
                continue;
            };
            groups.retain(|group| {
                let is_met = group.until.is_met_by(event);
                if is_met {
                    self.released.extend(&group.numbers);
                }
                !is_met
            });
            if groups.is_empty() {
                of_connection.remove(&scope);
            }
        }
        if of_connection.is_empty() {
            self.groups.remove(&connection);
        }
    }

    /// Takes those whose message has come, in the order in which they came.
    pub(super) fn take_released(&mut self) -> Vec<Waiting> {
        let mut numbers = std::mem::take(&mut self.released);
        numbers.sort_unstable();
        self.take(numbers)
    }

    /// Takes those that came from a side.
    pub(super) fn take_from(&mut self, connection: ConnectionId, from: Side) -> Vec<Waiting> {
        let Some(of_connection) = self.groups.get_mut(&connection) else {
            return Vec::new();
        };
        let messages = &self.messages;
        let mut numbers = Vec::new();
        of_connection.retain(|_, groups| {
            groups.retain_mut(|group| {
                group.numbers.retain(|number| {
                    let stays = messages[number].waiting.from != from;
                    if !stays {
                        numbers.push(*number);
                    }
                    stays
                });
                !group.numbers.is_empty()
            });
            !groups.is_empty()
        });
        if of_connection.is_empty() {
            self.groups.remove(&connection);
        }
        // Groups are in no order; numbers are in that of arrival.
        numbers.sort_unstable();
        self.take(numbers)
    }

    /// Takes the one that has waited longest.
    pub(super) fn take_oldest(&mut self) -> Option<Waiting> {
        let (number, held) = self.messages.pop_first()?;
        let connection = held.waiting.connection;
        if let Some(of_connection) = self.groups.get_mut(&connection)
            && let Some(groups) = of_connection.get_mut(&held.conversation)
        {
            // It is the first of its group, too.
            groups.retain_mut(|group| {
                if group.numbers.front() == Some(&number) {
                    group.numbers.pop_front();
                }
                !group.numbers.is_empty()
            });
            if groups.is_empty() {
                of_connection.remove(&held.conversation);
            }
            if of_connection.is_empty() {
                self.groups.remove(&connection);
            }
        }
        Some(held.waiting)
    }

    /// Takes those of a connection.
    pub(super) fn take_all(&mut self, connection: ConnectionId) -> Vec<Waiting> {
        let groups = self.groups.remove(&connection).unwrap_or_default();
        let groups = groups.into_values().flatten();
        self.take(groups.flat_map(|group| group.numbers).collect())
    }

    fn take(&mut self, numbers: Vec<u64>) -> Vec<Waiting> {
        let held = numbers
            .iter()
            .filter_map(|number| self.messages.remove(number));
        held.map(|held| held.waiting).collect()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::proxy::carried::{Carried, Content};
    use crate::testing;

    #[derive(Clone, Debug)]
    enum Step {
        Push {
            connection: u64,
            from: Side,
            conversation: Option<u64>,
            until: usize,
        },
        Look {
            connection: u64,
            conversation: Option<u64>,
            message: usize,
        },
        TakeFrom(u64, Side),
        TakeOldest,
        TakeAll(u64),
    }

    const MESSAGES: [&[u8]; 4] = [b"\xa0abcx", b"\xa2abc", b"\x50abcx", b"\x52abc"];

    fn any_step() -> impl Strategy<Value = Step> {
        let side = || prop_oneof![Just(Side::Initiator), Just(Side::Responder)];
        let conversation = || prop::option::of(0_u64..2);
        prop_oneof![
            8 => (0_u64..2, side(), conversation(), 0_usize..4).prop_map(
                |(connection, from, conversation, until)| Step::Push {
                    connection,
                    from,
                    conversation,
                    until,
                }
            ),
            4 => (0_u64..2, conversation(), 0_usize..4).prop_map(
                |(connection, conversation, message)| Step::Look {
                    connection,
                    conversation,
                    message,
                }
            ),
            1 => (0_u64..2, side()).prop_map(|(connection, from)| Step::TakeFrom(connection, from)),
            1 => Just(Step::TakeOldest),
            1 => (0_u64..2).prop_map(Step::TakeAll),
        ]
    }

    /// The text of a message, of those that differ.
    fn text(waiting: &Waiting) -> u8 {
        match &waiting.carried.content {
            Content::Message { bytes, .. } => bytes[0],
            _ => unreachable!("all are messages"),
        }
    }

    /// A message that waits, as simple as it can be.
    struct Simple {
        text: u8,
        connection: u64,
        from: Side,
        conversation: Option<u64>,
        until: Until,
    }

    /// A conversation is of one connection.
    fn id(connection: u64, conversation: u64) -> ConversationId {
        ConversationId(10 * connection + conversation)
    }

    proptest! {
        #[test]
        fn the_same_wait_and_go_as_where_all_are_looked_at_each_time(
            steps in prop::collection::vec(any_step(), 0..120),
        ) {
            let untils = ["type == data", "type == close"].map(|filter| {
                Until::Matches(Arc::new(Filter::parse(filter).unwrap()))
            });
            let next = [Direction::ClientToServer, Direction::ServerToClient].map(Until::Next);
            let untils: Vec<Until> = untils.into_iter().chain(next).collect();
            let mut holds = Holds::default();
            let mut simple: Vec<Simple> = Vec::new();
            for (number, step) in (0_u8..).zip(steps) {
                let mut taken = Vec::new();
                let mut take = |simple: &mut Vec<Simple>, wanted: &dyn Fn(&Simple) -> bool| {
                    simple.retain(|held| {
                        if wanted(held) {
                            taken.push(held.text);
                        }
                        !wanted(held)
                    });
                };
                let got = match step {
                    Step::Push { connection, from, conversation, until } => {
                        let waiting = Waiting {
                            connection: ConnectionId(connection),
                            from,
                            carried: Carried::message(Bytes::from(vec![number]), None),
                        };
                        let until = untils[until].clone();
                        let of = conversation.map(|number| id(connection, number));
                        holds.push(waiting, of, until.clone());
                        simple.push(Simple { text: number, connection, from, conversation, until });
                        Vec::new()
                    }
                    Step::Look { connection, conversation, message } => {
                        let mut event = testing::event(MESSAGES[message]);
                        event.conversation = conversation.map(|number| id(connection, number));
                        holds.look_at(ConnectionId(connection), &event);
                        take(&mut simple, &|held| {
                            held.connection == connection
                                && held.conversation.is_none_or(|own| Some(own) == conversation)
                                && held.until.is_met_by(&event)
                        });
                        holds.take_released()
                    }
                    Step::TakeFrom(connection, from) => {
                        take(&mut simple, &|held| held.connection == connection && held.from == from);
                        holds.take_from(ConnectionId(connection), from)
                    }
                    Step::TakeOldest => {
                        let first = simple.first().map(|held| held.text);
                        take(&mut simple, &|held| Some(held.text) == first);
                        holds.take_oldest().into_iter().collect()
                    }
                    Step::TakeAll(connection) => {
                        take(&mut simple, &|held| held.connection == connection);
                        holds.take_all(ConnectionId(connection))
                    }
                };
                let mut got: Vec<u8> = got.iter().map(text).collect();
                if matches!(step, Step::TakeAll(_)) {
                    got.sort_unstable();
                }
                prop_assert_eq!(got, taken);
                prop_assert_eq!(holds.messages.len(), simple.len());
                if simple.is_empty() {
                    prop_assert!(holds.groups.is_empty(), "{:?}", holds.groups);
                }
            }
        }
    }
}
