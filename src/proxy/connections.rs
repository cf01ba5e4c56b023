//! The open connections, and the counts of all there were.

use hashbrown::HashMap;

use super::connection::{Connection, ConnectionId, Flow};
use super::report::{DirectionReport, index};
use crate::net::Side;
use crate::wire::Direction;

/// The connections of clients.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: HashMap<ConnectionId, Connection>,
    /// Number of all there ever were.
    pub(super) count: u64,
    /// Number that did not reach the server.
    pub(super) failed_count: u64,
    /// Counts of their messages, by [`index`].
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

    /// The direction of a side's messages; those left of a connection that is gone count as a
    /// client's.
    pub(super) fn direction(&self, id: ConnectionId, from: Side) -> Direction {
        self.get(id)
            .map_or(Direction::ClientToServer, |connection| {
                connection.direction(from)
            })
    }

    /// The counts for a side's messages.
    pub(super) fn counts_mut(&mut self, id: ConnectionId, from: Side) -> &mut DirectionReport {
        &mut self.directions[index(self.direction(id, from))]
    }
}
