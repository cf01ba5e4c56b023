//! The connections that are open, and what came over all there were.

use hashbrown::HashMap;

use super::connection::{Connection, ConnectionId, Flow};
use super::report::{DirectionReport, index};
use crate::net::Side;
use crate::wire::Direction;

/// The connections of clients.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: HashMap<ConnectionId, Connection>,
    /// How many there ever were.
    pub(super) count: u64,
    /// How many did not reach the server.
    pub(super) failed_count: u64,
    /// What went over them, by [`index`].
    pub(super) directions: [DirectionReport; 2],
}

impl Connections {
    /// The name of the next connection.
    pub(super) const fn next_id(&mut self) -> ConnectionId {
        self.count += 1;
        ConnectionId(self.count)
    }

    pub(super) fn insert(&mut self, id: ConnectionId, flow: Flow) {
        self.open.insert(id, Connection::new(flow));
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.open.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.open.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        self.open.remove(&id)
    }

    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Which way the messages of a side go; what is left of a connection that is gone counts
    /// as a client's.
    pub(super) fn direction(&self, id: ConnectionId, from: Side) -> Direction {
        self.get(id)
            .map_or(Direction::ClientToServer, |connection| {
                connection.direction(from)
            })
    }

    /// Where that is counted which a side sends.
    pub(super) fn counts_mut(&mut self, id: ConnectionId, from: Side) -> &mut DirectionReport {
        &mut self.directions[index(self.direction(id, from))]
    }
}
