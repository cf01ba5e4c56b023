//! TCP connections over TLS whose secrets are known: their records are opened, and the plaintext is
//! followed as if it had come without TLS.

use std::sync::Arc;

use super::passage::{Event, Passage, Passed, Sender};
use crate::carrier::tls::hello::Hello;
use crate::carrier::tls::{Beginning, DecryptError, Decryptor, KeyLog, TlsRole};
use crate::net::{Arrival, Delivery, Side, Transport};
use crate::wire::Destination;

/// A connection that begins as TLS does.
#[derive(Debug)]
pub(super) struct Encrypted {
    /// The initiator, which is TLS's client.
    client: Side,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The client's random has not all come.
    Begun(Vec<Held>),
    Opening(Box<Opening>),
}

/// A piece of the client's stream that was held back.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) arrival: Arrival,
    bytes: Vec<u8>,
    whole_segment: bool,
    cut_bytes: u32,
}

#[derive(Debug)]
struct Opening {
    decryptor: Decryptor,
    /// By [`Side::index`].
    hellos: [HelloState; 2],
    /// Directions of which nothing more can be opened.
    closed: [bool; 2],
    /// Directions that are over.
    ended: [bool; 2],
}

/// State of a direction's hello.
#[derive(Debug)]
enum HelloState {
    /// Its bytes so far.
    Part(Vec<u8>),
    /// The destination that the hello names.
    Destination(Vec<u8>),
    /// There is none: identities are proven by certificates.
    None,
}

impl Encrypted {
    /// A state for a connection whose first piece may begin TLS, if there are secrets.
    pub(super) fn meet(
        secrets: Option<&Arc<KeyLog>>,
        transport: Transport,
        delivery: Delivery<'_>,
    ) -> Option<Self> {
        match (secrets, transport, delivery) {
            (Some(_), Transport::Tcp, Delivery::Bytes { from, bytes, .. })
                if Beginning::of(bytes) != Beginning::Other =>
            {
                Some(Self {
                    client: from,
                    stage: Stage::Begun(Vec::new()),
                })
            }
            _ => None,
        }
    }

    /// Bytes of memory that are held until there are more.
    pub(super) fn held_bytes(&self) -> usize {
        match &self.stage {
            Stage::Begun(held) => {
                let bytes: usize = held.iter().map(|piece| piece.bytes.capacity()).sum();
                held.capacity() * size_of::<Held>() + bytes
            }
            Stage::Opening(opening) => opening.held_bytes(),
        }
    }

    fn end_of(&self, side: Side) -> TlsRole {
        if side == self.client {
            TlsRole::Client
        } else {
            TlsRole::Server
        }
    }

    /// Takes deliveries until the client's random has come, by which its secrets are found.
    pub(super) fn begin<'a>(
        &mut self,
        arrival: Arrival,
        delivery: Delivery<'a>,
        secrets: Option<&KeyLog>,
    ) -> Begun<'a> {
        let Stage::Begun(held) = &mut self.stage else {
            return Begun::Opens;
        };
        match delivery {
            Delivery::Bytes {
                from,
                bytes,
                whole_segment,
                cut_bytes,
            } if from == self.client => held.push(Held {
                arrival,
                bytes: bytes.to_vec(),
                whole_segment,
                cut_bytes,
            }),
            // The server of TLS does not speak first, and missing bytes are not read.
            _ => return Begun::Plain(std::mem::take(held), Some(delivery)),
        }
        let mut begun = Vec::new();
        for piece in &*held {
            begun.extend_from_slice(&piece.bytes);
        }
        let decryptor = match Beginning::of(&begun) {
            Beginning::Open => return Begun::Waits,
            Beginning::Hello(random) => {
                secrets.and_then(|secrets| Decryptor::new(secrets, &random))
            }
            Beginning::Other => None,
        };
        let held = std::mem::take(held);
        let Some(decryptor) = decryptor else {
            return Begun::Plain(held, None);
        };
        self.stage = Stage::Opening(Box::new(Opening {
            decryptor,
            hellos: [HelloState::Part(Vec::new()), HelloState::Part(Vec::new())],
            closed: [false; 2],
            ended: [false; 2],
        }));
        Begun::OpensWith(held)
    }

    /// Opens a delivery behind the client's random.
    pub(super) fn open<'a>(&mut self, delivery: Delivery<'a>) -> Opened<'a> {
        let mut inside = Vec::new();
        let mut problem = None;
        let (client, end) = (self.client, self.end_of(from_of(delivery)));
        let side_of = |end| match end {
            TlsRole::Client => client,
            TlsRole::Server => client.opposite(),
        };
        if let Stage::Opening(opening) = &mut self.stage {
            let closed = &mut opening.closed[from_of(delivery).index()];
            match delivery {
                Delivery::Bytes { .. } if *closed => {}
                Delivery::Bytes { bytes, .. } => {
                    let opened = opening.decryptor.push(end, bytes, &mut |end, bytes| {
                        inside.push((side_of(end), bytes.to_vec()));
                    });
                    if let Err((end, error)) = opened {
                        opening.closed[side_of(end).index()] = true;
                        problem = Some(Unreadable::Record(error));
                    }
                }
                // Whoever misses a part of a record cannot count records any more.
                Delivery::Gap { .. } | Delivery::Cut { .. } if !*closed => {
                    *closed = true;
                    problem = Some(Unreadable::Gap);
                }
                Delivery::End { from, .. } => opening.ended[from.index()] = true,
                _ => {}
            }
            inside.retain_mut(|(side, bytes)| {
                opening.hellos[side.index()].take_off(bytes);
                !bytes.is_empty()
            });
        }
        let passes_on = match delivery {
            Delivery::Bytes { .. } => None,
            // Nothing comes behind it any more, so that its length in plain does not matter.
            Delivery::Cut {
                from,
                missing_bytes,
            } => Some(Delivery::Gap {
                from,
                missing_bytes: Some(missing_bytes),
            }),
            other => Some(other),
        };
        Opened {
            inside,
            problem,
            passes_on,
        }
    }

    /// The initiator of the connection.
    pub(super) const fn client(&self) -> Side {
        self.client
    }

    /// Whether both directions are over.
    pub(super) fn is_over(&self) -> bool {
        matches!(&self.stage, Stage::Opening(opening) if opening.ended == [true; 2])
    }

    /// The destination that the client has proven.
    pub(super) fn proven(&self) -> Option<&[u8]> {
        match &self.stage {
            Stage::Opening(opening) => match &opening.hellos[self.client.index()] {
                HelloState::Destination(destination) => Some(destination),
                HelloState::Part(_) | HelloState::None => None,
            },
            Stage::Begun(_) => None,
        }
    }
}

impl Opening {
    fn held_bytes(&self) -> usize {
        let hellos: usize = self.hellos.iter().map(HelloState::held_bytes).sum();
        size_of::<Self>() + self.decryptor.held_bytes() + hellos
    }
}

/// The verdict on a connection that begins as TLS does.
#[derive(Debug)]
pub(super) enum Begun<'a> {
    /// Nothing yet.
    Waits,
    /// It is no TLS, or its secrets are not known: the held deliveries are followed as they are,
    /// and then the current one.
    Plain(Vec<Held>, Option<Delivery<'a>>),
    /// Its records can be opened from the current delivery on.
    Opens,
    /// The same, from the held deliveries on.
    OpensWith(Vec<Held>),
}

/// The result of opening a delivery.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    /// Plaintext, and its sender.
    pub(super) inside: Vec<(Side, Vec<u8>)>,
    pub(super) problem: Option<Unreadable>,
    /// The delivery that concerns the connection inside, too.
    pub(super) passes_on: Option<Delivery<'a>>,
}

/// The reason why the plaintext cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("{0}")]
    Record(DecryptError),
    #[error("bytes are missing from the capture, and what follows them cannot be opened")]
    Gap,
}

impl HelloState {
    fn held_bytes(&self) -> usize {
        match self {
            Self::Part(bytes) | Self::Destination(bytes) => bytes.capacity(),
            Self::None => 0,
        }
    }

    /// Takes the hello off the beginning of the plaintext.
    fn take_off(&mut self, bytes: &mut Vec<u8>) {
        let Self::Part(part) = self else { return };
        part.append(bytes);
        match Hello::decode(part) {
            Ok(None) => {}
            Ok(Some((hello, length))) => {
                bytes.extend_from_slice(&part[length..]);
                *self = match hello {
                    Hello::Destination(destination) => {
                        Self::Destination(destination.as_bytes().to_vec())
                    }
                    Hello::Refusal => Self::None,
                };
            }
            Err(_) => {
                bytes.append(part);
                *self = Self::None;
            }
        }
    }
}

impl Held {
    pub(super) fn delivery(&self, from: Side) -> Delivery<'_> {
        Delivery::Bytes {
            from,
            bytes: &self.bytes,
            whole_segment: self.whole_segment,
            cut_bytes: self.cut_bytes,
        }
    }
}

const fn from_of(delivery: Delivery<'_>) -> Side {
    match delivery {
        Delivery::Datagram { from, .. }
        | Delivery::Bytes { from, .. }
        | Delivery::Cut { from, .. }
        | Delivery::Gap { from, .. }
        | Delivery::Ignored { from, .. }
        | Delivery::End { from, .. } => from,
    }
}

/// Looks at the SYNs of a client whose destination is proven.
pub(super) struct Proving<'a, E> {
    pub(super) proven: Option<&'a [u8]>,
    /// Behind a pointer, because the output of a connection could be one again, to the compiler.
    pub(super) passage: &'a mut dyn Passage<Error = E>,
}

impl<E> Passage for Proving<'_, E> {
    type Error = E;

    fn message(&mut self, arrival: Arrival, passed: Passed<'_>) -> Result<(), E> {
        let named = passed.message.frame().and_then(Destination::named_by);
        let sender = match (named, self.proven) {
            (Some((named, _)), Some(proven)) if named.as_bytes() != proven => Sender::Unproven,
            _ => passed.sender,
        };
        self.passage.message(arrival, Passed { sender, ..passed })
    }

    fn event(&mut self, event: Event) -> Result<(), E> {
        self.passage.event(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_counts_while_it_comes_and_when_it_has() {
        let destination = [&[7; 384][..], &[0, 0, 0]].concat();
        let hello = Hello::Destination(Destination::split(&destination).unwrap().0).encode();
        let mut state = HelloState::Part(Vec::new());
        for (number, byte) in hello.iter().enumerate() {
            assert!(state.held_bytes() >= number, "of {number}");
            state.take_off(&mut vec![*byte]);
        }
        assert!(matches!(state, HelloState::Destination(_)));
        assert!((387..1_000).contains(&state.held_bytes()));
    }
}
