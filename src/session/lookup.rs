//! Destinations that are looked for through the router.

use std::time::{Duration, Instant};

use crate::carrier::i2cp::{EncodeError, Message};
use crate::wire::{Destination, DestinationHash};

/// Time for each of the router's searches.
const ROUTER_TIMEOUT_MS: u32 = 10_000;
/// When it is asked again because no answer came; later than its own timeout.
const REPLY_TIMEOUT: Duration = Duration::from_secs(12);
/// When it is asked again because it found nothing: the other side may be
/// about to publish its lease set.
const PAUSE: Duration = Duration::from_secs(2);

/// The object of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// The destination with this hash, that of a `.b32.i2p` name.
    Hash(DestinationHash),
    /// The destination that the router's address book has under a host name;
    /// at most 255 bytes.
    Name(String),
}

/// Names a lookup of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LookupId(u32);

/// The reason why a lookup found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// The router says so, or does not answer.
    #[error("the router does not find it: is the name right, and the other side online?")]
    NotFound,
    /// Routers before 0.9.11 do not look up names.
    #[error("this router looks up no names: use the destination or its .b32.i2p name")]
    NamesUnsupported,
}

/// The messages by which a router can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// DestLookup, by hash only: Java 0.8.8 ends the connection on types that
    /// it does not know.
    Hashes,
    /// HostLookup, since 0.9.11.
    HashesAndNames,
}

impl Dialect {
    /// The dialect of a router of this version; older ones name none.
    pub(super) fn of_version(version: Option<&[u8]>) -> Self {
        const HOST_LOOKUP_SINCE: [u32; 3] = [0, 9, 11];
        let text = version.and_then(|version| std::str::from_utf8(version).ok());
        let numbers: Option<Vec<u32>> = text.and_then(|text| {
            let release = text.split('-').next()?;
            release.split('.').map(|part| part.parse().ok()).collect()
        });
        match numbers {
            // Numbers and not text are compared: 0.9.11 is later than 0.9.9.
            Some(numbers) if numbers.as_slice() >= HOST_LOOKUP_SINCE.as_slice() => {
                Self::HashesAndNames
            }
            _ => Self::Hashes,
        }
    }
}

/// The router's answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reply<'a> {
    Host(u32, Destination<'a>),
    NoHost(u32),
    Dest(Destination<'a>),
    NoDest(DestinationHash),
}

/// The end of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) id: LookupId,
    pub(super) result: Result<Vec<u8>, LookupError>,
}

/// The lookups under way.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    pending: Vec<Lookup>,
    next_id: u32,
}

#[derive(Debug)]
struct Lookup {
    id: LookupId,
    query: Query,
    /// When it is given up.
    until: Instant,
    /// When the router is asked, for the first time or again.
    ask_at: Instant,
}

impl Lookups {
    pub(super) fn start(&mut self, now: Instant, query: Query, timeout: Duration) -> LookupId {
        let id = LookupId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        self.pending.push(Lookup {
            id,
            query,
            until: now + timeout,
            ask_at: now,
        });
        id
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let times = self.pending.iter();
        times.map(|lookup| lookup.ask_at.min(lookup.until)).min()
    }

    /// Appends the frames of the questions that are due, and returns a lookup that ended without them.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        session: u16,
        dialect: Dialect,
        out: &mut Vec<Vec<u8>>,
    ) -> Result<Option<Answer>, EncodeError> {
        let ended = self.pending.iter().position(|lookup| {
            lookup.until <= now
                || (dialect == Dialect::Hashes && matches!(lookup.query, Query::Name(_)))
        });
        if let Some(place) = ended {
            let error = if self.pending[place].until <= now {
                LookupError::NotFound
            } else {
                LookupError::NamesUnsupported
            };
            return Ok(Some(self.answer(place, Err(error))));
        }
        for lookup in self
            .pending
            .iter_mut()
            .filter(|lookup| lookup.ask_at <= now)
        {
            let mut frame = Vec::new();
            lookup.question(session, dialect).encode(&mut frame)?;
            out.push(frame);
            lookup.ask_at = now + REPLY_TIMEOUT;
        }
        Ok(None)
    }

    /// Takes an answer; one that nobody waits for is ignored.
    pub(super) fn handle(&mut self, now: Instant, reply: Reply<'_>) -> Option<Answer> {
        let place = self.pending.iter().position(|lookup| match reply {
            Reply::Host(id, _) | Reply::NoHost(id) => lookup.id == LookupId(id),
            // DestReply names no lookup (I2CP specification, "DestReplyMessage").
            Reply::Dest(destination) => lookup.query == Query::Hash(destination.hash()),
            Reply::NoDest(hash) => lookup.query == Query::Hash(hash),
        })?;
        match reply {
            Reply::Host(_, destination) | Reply::Dest(destination)
                if self.pending[place].query.fits(destination) =>
            {
                Some(self.answer(place, Ok(destination.as_bytes().to_vec())))
            }
            _ => {
                self.pending[place].ask_at = now + PAUSE;
                None
            }
        }
    }

    fn answer(&mut self, place: usize, result: Result<Vec<u8>, LookupError>) -> Answer {
        let id = self.pending.remove(place).id;
        Answer { id, result }
    }
}

impl Query {
    /// A router could name any destination; that of a hash can be checked.
    fn fits(&self, destination: Destination<'_>) -> bool {
        match self {
            Self::Hash(hash) => destination.hash() == *hash,
            Self::Name(_) => true,
        }
    }
}

impl Lookup {
    fn question(&self, session: u16, dialect: Dialect) -> Message<'_> {
        let LookupId(request_id) = self.id;
        let timeout_ms = ROUTER_TIMEOUT_MS;
        match (&self.query, dialect) {
            (Query::Hash(hash), Dialect::Hashes) => Message::DestLookup { hash: &hash.0 },
            (Query::Hash(hash), Dialect::HashesAndNames) => Message::HostLookupByHash {
                session,
                request_id,
                timeout_ms,
                hash: &hash.0,
            },
            (Query::Name(name), _) => Message::HostLookupByName {
                session,
                request_id,
                timeout_ms,
                name: name.as_bytes(),
            },
        }
    }
}
