//! TCP connections over TLS whose secrets are known: their records are opened, and what is
//! inside is followed as if it had come without.

use std::sync::Arc;

use super::flows::{FlowState, Messages};
use super::streams::about_connection;
use super::{FlowReport, Sink};
use crate::capture::InputInfo;
use crate::carrier::tls::hello::Hello;
use crate::carrier::tls::{Beginning, DecryptError, Decryptor, End, KeyLog};
use crate::conversation::{ChannelStart, Conversation, Finding, FindingCode, MessageEvent};
use crate::net::{Arrival, Delivery, Flow, Side, Transport};
use crate::wire::Destination;

/// A connection that begins as TLS does.
#[derive(Debug)]
pub(super) struct Encrypted {
    /// Who began, which is TLS's client.
    client: Side,
    stage: Stage,
    /// What follows what is inside.
    inside: FlowState,
}

#[derive(Debug)]
enum Stage {
    /// The client's random has not all come.
    Begun(Vec<Held>),
    Opening(Box<Opening>),
}

/// A piece of the client's stream that was held back.
#[derive(Debug)]
struct Held {
    arrival: Arrival,
    bytes: Vec<u8>,
    whole_segment: bool,
    cut_bytes: u32,
}

#[derive(Debug)]
struct Opening {
    decryptor: Decryptor,
    /// By [`Side::index`].
    hellos: [Heard; 2],
    /// Directions of which nothing more can be opened.
    closed: [bool; 2],
    /// Directions that are over.
    ended: [bool; 2],
}

/// What is known of a direction's hello.
#[derive(Debug)]
enum Heard {
    /// What has come of it.
    Part(Vec<u8>),
    /// Whom it names.
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
    ) -> Option<Box<Self>> {
        match (secrets, transport, delivery) {
            (Some(_), Transport::Tcp, Delivery::Bytes { from, bytes, .. })
                if Beginning::of(bytes) != Beginning::Other =>
            {
                Some(Box::new(Self {
                    client: from,
                    stage: Stage::Begun(Vec::new()),
                    inside: FlowState::New,
                }))
            }
            _ => None,
        }
    }

    /// Bytes of memory that are held until there are more.
    pub(super) fn held_bytes(&self) -> usize {
        let held = match &self.stage {
            Stage::Begun(held) => held.iter().map(|piece| piece.bytes.capacity()).sum(),
            Stage::Opening(opening) => opening.decryptor.held_bytes(),
        };
        size_of::<Self>() + held + self.inside.held_bytes()
    }

    fn end_of(&self, side: Side) -> End {
        if side == self.client {
            End::Client
        } else {
            End::Server
        }
    }
}

impl Messages {
    /// Takes what a connection delivers that begins as TLS does.
    pub(super) fn open_records<S: Sink>(
        &mut self,
        flow: &mut Flow<FlowState>,
        arrival: Arrival,
        delivery: Delivery<'_>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let FlowState::Encrypted(mut encrypted) = std::mem::take(&mut flow.state) else {
            return Ok(());
        };
        let Stage::Begun(held) = &mut encrypted.stage else {
            return self.open_more(flow, encrypted, arrival, delivery, sink);
        };
        let piece = match delivery {
            Delivery::Bytes {
                from,
                bytes,
                whole_segment,
                cut_bytes,
            } if from == encrypted.client => Held {
                arrival,
                bytes: bytes.to_vec(),
                whole_segment,
                cut_bytes,
            },
            _ => {
                // The server of TLS does not speak first, and what is missing is not read.
                let held = std::mem::take(held);
                self.begin_plain(flow, encrypted.client, held, sink)?;
                return self.deliver_other(flow, arrival, delivery, sink);
            }
        };
        held.push(piece);
        let mut begun = Vec::new();
        for piece in &*held {
            begun.extend_from_slice(&piece.bytes);
        }
        let decryptor = match Beginning::of(&begun) {
            Beginning::Open => {
                flow.state = FlowState::Encrypted(encrypted);
                return Ok(());
            }
            Beginning::Hello(random) => self
                .secrets()
                .and_then(|secrets| Decryptor::new(secrets, &random)),
            Beginning::Other => None,
        };
        let held = std::mem::take(held);
        let Some(decryptor) = decryptor else {
            return self.begin_plain(flow, encrypted.client, held, sink);
        };
        let client = encrypted.client;
        encrypted.stage = Stage::Opening(Box::new(Opening {
            decryptor,
            hellos: [Heard::Part(Vec::new()), Heard::Part(Vec::new())],
            closed: [false; 2],
            ended: [false; 2],
        }));
        flow.state = FlowState::Encrypted(encrypted);
        for piece in held {
            self.open_records(flow, piece.arrival, piece.delivery(client), sink)?;
        }
        Ok(())
    }

    /// It is no TLS, or its secrets are not known: what was held back is followed as it is.
    fn begin_plain<S: Sink>(
        &mut self,
        flow: &mut Flow<FlowState>,
        client: Side,
        held: Vec<Held>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        self.begin(flow, ChannelStart::Captured, sink)?;
        for piece in held {
            self.deliver_other(flow, piece.arrival, piece.delivery(client), sink)?;
        }
        Ok(())
    }

    fn open_more<S: Sink>(
        &mut self,
        flow: &mut Flow<FlowState>,
        mut encrypted: Box<Encrypted>,
        arrival: Arrival,
        delivery: Delivery<'_>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let mut inside = Vec::new();
        let mut problem = None;
        let (client, end) = (encrypted.client, encrypted.end_of(from_of(delivery)));
        let side_of = |end| match end {
            End::Client => client,
            End::Server => client.opposite(),
        };
        if let Stage::Opening(opening) = &mut encrypted.stage {
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
        let [one, other] = flow.addresses();
        if let Some(problem) = &problem {
            let text = format!("{one} - {other}: {problem}");
            let detail = Vec::new();
            sink.finding(&about_connection(
                FindingCode::TlsUnreadable,
                arrival,
                text,
                detail,
            ))?;
        }
        flow.state = std::mem::take(&mut encrypted.inside);
        let mut proving = Proving {
            proven: encrypted.proven(),
            sink,
        };
        for (from, bytes) in inside {
            let piece = Delivery::Bytes {
                from,
                bytes: &bytes,
                whole_segment: false,
                cut_bytes: 0,
            };
            if let FlowState::New = flow.state {
                self.begin(flow, ChannelStart::Captured, &mut proving)?;
            }
            self.deliver_other(flow, arrival, piece, &mut proving)?;
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
        if let Some(delivery) = passes_on
            && !matches!(flow.state, FlowState::New)
        {
            self.deliver_other(flow, arrival, delivery, &mut proving)?;
        }
        let inside = std::mem::replace(&mut flow.state, FlowState::Foreign);
        if !encrypted.is_over() {
            encrypted.inside = inside;
            flow.state = FlowState::Encrypted(encrypted);
        }
        Ok(())
    }
}

/// Why what is inside cannot be read any further.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("{0}")]
    Record(DecryptError),
    #[error("bytes are missing from the capture, and what follows them cannot be opened")]
    Gap,
}

impl Encrypted {
    /// Whether both directions are over.
    fn is_over(&self) -> bool {
        matches!(&self.stage, Stage::Opening(opening) if opening.ended == [true; 2])
    }

    /// The destination that the client has proven.
    fn proven(&self) -> Option<&[u8]> {
        match &self.stage {
            Stage::Opening(opening) => match &opening.hellos[self.client.index()] {
                Heard::Destination(destination) => Some(destination),
                Heard::Part(_) | Heard::None => None,
            },
            Stage::Begun(_) => None,
        }
    }
}

impl Heard {
    /// Takes the hello off the beginning of what is inside.
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
    fn delivery(&self, from: Side) -> Delivery<'_> {
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

/// Looks at the SYNs of a client that has proven who it is.
struct Proving<'a, E> {
    proven: Option<&'a [u8]>,
    sink: &'a mut dyn Sink<Error = E>,
}

impl<E> Sink for Proving<'_, E> {
    type Error = E;

    fn flow(&mut self, flow: &FlowReport) -> Result<(), E> {
        self.sink.flow(flow)
    }

    fn message(&mut self, event: &MessageEvent<'_>) -> Result<(), E> {
        self.sink.message(event)?;
        let named = event.message.frame().and_then(Destination::named_by);
        match (named, self.proven) {
            (Some((named, _)), Some(proven)) if named.as_bytes() != proven => {
                let code = FindingCode::TlsUnprovenSyn;
                self.sink.finding(&Finding {
                    code,
                    level: code.level(),
                    message: Some(event.number),
                    packet: Some(event.packet),
                    conversation: event.conversation,
                    text: "SYN names another destination than its connection has proven".to_owned(),
                    detail: Vec::new(),
                })
            }
            _ => Ok(()),
        }
    }

    fn finding(&mut self, finding: &Finding) -> Result<(), E> {
        self.sink.finding(finding)
    }

    fn conversation(&mut self, conversation: &Conversation) -> Result<(), E> {
        self.sink.conversation(conversation)
    }

    fn wants_more(&self) -> bool {
        self.sink.wants_more()
    }

    fn is_settled(&self) -> bool {
        self.sink.is_settled()
    }

    fn settle(&mut self, inputs: &[InputInfo]) -> Result<(), E> {
        self.sink.settle(inputs)
    }
}
