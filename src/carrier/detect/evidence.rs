//! How much messages speak for our protocol.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::Standing;
use super::sketch::{Kind, Protocol, Sketch};
use crate::carrier::Way;

/// Points that decide at once.
pub(super) const CERTAIN_POINTS: u32 = 6;

/// Points of a handshake: an opening, and the answer to it from the other side.
const HANDSHAKE_POINTS: u32 = CERTAIN_POINTS;

/// Messages against us that are tolerated beside one for each two points.
const TOLERATED: u32 = 2;

/// Different messages that are remembered to find others of the same conversation.
const REMEMBERED: usize = 16;

/// Ids that are remembered to find answers to them.
const REMEMBERED_IDS: usize = 4_096;

/// Openings that no other protocol begins so many messages like, when nothing else passes.
const CERTAIN_OPENINGS: usize = 8;

/// From how many bytes on a payload that comes twice is no chance.
const TELLING_PAYLOAD_BYTES: usize = 8;

/// What follows the number of a call of ONC RPC (RFC 5531): its kind and version. The numbers
/// are counted up, so that many calls in a row may begin like openings.
const ONC_RPC_CALL: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 2];

/// How many bytes of a payload may be those of a header.
const HEAD_BYTES: usize = 12;

/// What the framing tells beside the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// A datagram or segment, which everything has.
    Any,
    /// A length in 2 bytes, which any 2 bytes are.
    Loose,
    /// A length in 4 bytes, two of them 0, which few other streams have.
    Tight,
}

/// The messages of a flow as one carrier delimits them, weighed.
#[derive(Debug)]
pub(super) struct Evidence {
    protocol: Protocol,
    framing: Framing,
    points: u32,
    /// Messages that speak for us. Openings do only when they are answered.
    fitting: u32,
    unfitting: u32,
    /// Fitting messages that may be those of any protocol.
    idle: u32,
    remembered: Vec<Remembered>,
    ids: Vec<(Way, Announced, [u8; 3])>,
    openings: Openings,
}

/// What messages of one conversation share, and what tells them apart.
#[derive(Debug, PartialEq, Eq)]
struct Remembered {
    from: Way,
    id: [u8; 3],
    content: u64,
}

/// What a message announced about an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announced {
    /// It opened a conversation.
    Opened,
    /// It answered an opening.
    Answered,
    /// It named the id under which the server is reached.
    Server,
}

/// The openings of a flow, as far as they tell something without an answer.
#[derive(Debug, Default)]
struct Openings {
    /// With different ids.
    count: usize,
    first: Option<Opening>,
    /// Whether all are from one side.
    both_sides: bool,
    lengths_differ: bool,
    payloads_differ: bool,
    /// Whether their ids differ in more than the first byte. (Ids that do not are a number of
    /// 16 bits and constant bytes behind it, as in DNS and NetBIOS.)
    ids_vary: bool,
    /// Whether payloads differ and have words in common, as headers do (RTP, RPC) and keys do not.
    have_headers: bool,
}

#[derive(Debug)]
struct Opening {
    from: Way,
    id: [u8; 3],
    length: usize,
    payload: u64,
    /// The first bytes of the payload, as far as there are any.
    head: [u8; HEAD_BYTES],
}

/// What a flow that was judged to be another protocol's had that is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Openings with different ids.
    pub openings: u32,
    /// Other messages that fit.
    pub fitting: u32,
    /// Messages that do not.
    pub unfitting: u32,
    /// The direction towards the server.
    pub to_server: Way,
}

impl Evidence {
    pub(super) const fn new(protocol: Protocol, framing: Framing) -> Self {
        Self {
            protocol,
            framing,
            points: 0,
            fitting: 0,
            unfitting: 0,
            idle: 0,
            remembered: Vec::new(),
            ids: Vec::new(),
            openings: Openings::new(),
        }
    }

    /// Weighs a message of `length` bytes of which `known` are known.
    pub(super) fn weigh(&mut self, from: Way, known: &[u8], length: usize) {
        let Some(sketch) = (self.protocol.recognise)(known, length) else {
            self.against();
            return;
        };
        match (sketch.kind, sketch.id) {
            (Kind::Opening, Some(id)) => self.weigh_opening(from, id, known, length),
            _ => {
                self.fitting += 1;
                self.points += self.points_for(from, sketch, known, length);
            }
        }
    }

    /// Something that speaks against the carrier.
    pub(super) const fn against(&mut self) {
        self.unfitting += 1;
    }

    /// What to make of it so far.
    pub(super) fn standing(&self) -> Standing {
        // A length that is written in a segment of its own makes every other
        // segment look like a message: more than half of them must.
        let outnumbered = match self.framing {
            Framing::Any => self.unfitting >= self.fitting,
            Framing::Loose | Framing::Tight => self.unfitting > self.fitting,
        };
        let enough = match self.framing {
            Framing::Tight => 5,
            Framing::Any | Framing::Loose => 4,
        };
        let openings = self.openings_alone();
        if self.unfitting > self.points / 2 + TOLERATED {
            Standing::Out
        } else if (self.points >= CERTAIN_POINTS && !outnumbered) || openings == Standing::Certain {
            Standing::Certain
        } else if (self.points >= enough && !outnumbered) || openings == Standing::Probable {
            Standing::Probable
        } else {
            Standing::Open
        }
    }

    /// What there is of ours in a flow that is not.
    pub(super) fn trace(&self) -> Option<Trace> {
        let has_some = match self.framing {
            Framing::Any | Framing::Loose => self.openings.count > 0 || self.points >= 2,
            Framing::Tight => self.openings.count > 0 || self.points > 0,
        };
        let is_mostly_ours = self.unfitting == 0
            || (self.points >= 4 && self.unfitting <= self.fitting + self.openings.fitting());
        if !has_some || !is_mostly_ours || self.openings.both_sides {
            return None;
        }
        Some(Trace {
            openings: self.openings.fitting(),
            fitting: self.fitting,
            unfitting: self.unfitting,
            to_server: self.to_server()?,
        })
    }

    /// Who the server is: the one that messages for a server go to.
    fn to_server(&self) -> Option<Way> {
        let by_opening = self.openings.first.as_ref().map(|first| first.from);
        by_opening.or_else(|| {
            self.ids
                .first()
                .map(|(from, announced, _)| match announced {
                    Announced::Opened => *from,
                    Announced::Answered | Announced::Server => from.reversed(),
                })
        })
    }

    /// An opening speaks for nothing by itself: the text allows any key in it, so that it is
    /// no more than a message that begins with its type.
    fn weigh_opening(&mut self, from: Way, id: [u8; 3], known: &[u8], length: usize) {
        if known
            .get(4..)
            .is_some_and(|payload| payload.starts_with(&ONC_RPC_CALL))
        {
            self.against();
            return;
        }
        let is_new = !self.has_announced(from, Announced::Opened, id);
        self.openings.add(from, id, known, length, is_new);
        if !is_new {
            return;
        }
        self.announce(from, Announced::Opened, id);
        // The answer may be captured before it.
        if self.has_announced(from.reversed(), Announced::Answered, id) {
            self.fitting += 1;
            self.points += HANDSHAKE_POINTS;
        }
    }

    fn points_for(&mut self, from: Way, sketch: Sketch, known: &[u8], length: usize) -> u32 {
        if sketch.kind == Kind::Idle {
            self.idle += 1;
            return u32::from(length == 1 && self.framing != Framing::Any);
        }
        let Some(id) = sketch.id else {
            return 0;
        };
        let known_by_id = self.points_for_id(from, sketch.kind, id);
        let repeated = self.repeats(from, id, known);
        let head = &known[..known.len().min(4)];
        // Text, or one byte again and again, names no id; nor does a small number, which after
        // a letter is a length: PostgreSQL's `P 00 00 00 1c`.
        let is_small = matches!(head, [_, 0, 0, ..]);
        if is_text(head) || is_small || head.iter().all(|byte| *byte == head[0]) {
            return known_by_id + self.points_for_length(sketch.kind, known, length);
        }
        let (framing, repetition) = match self.framing {
            Framing::Tight => (1, 3),
            Framing::Any | Framing::Loose => (0, 2),
        };
        known_by_id
            + framing
            + self.points_for_length(sketch.kind, known, length)
            + if repeated { repetition } else { 0 }
    }

    /// Points for an id that the other side announced: 24 bits that are not by chance.
    fn points_for_id(&mut self, from: Way, kind: Kind, id: [u8; 3]) -> u32 {
        let peer = from.reversed();
        match kind {
            Kind::Accept { server } => {
                self.announce(from, Announced::Answered, id);
                self.announce(from, Announced::Server, server);
            }
            Kind::ServerClose => self.announce(from, Announced::Answered, id),
            _ => {}
        }
        let (wanted, points) = match kind {
            Kind::Accept { .. } | Kind::ServerClose => (Announced::Opened, HANDSHAKE_POINTS),
            Kind::ServerData => (Announced::Opened, 4),
            Kind::ClientData | Kind::ClientClose => (Announced::Server, HANDSHAKE_POINTS),
            Kind::Opening | Kind::Destination | Kind::Other | Kind::Idle => return 0,
        };
        if !self.has_announced(peer, wanted, id) {
            return 0;
        }
        // The message that announced it is explained as well.
        if wanted == Announced::Opened {
            self.fitting += 1;
        }
        points
    }

    /// Points for a length that the content asks for: one byte less would be no message.
    fn points_for_length(&self, kind: Kind, known: &[u8], length: usize) -> u32 {
        let is_text = known.len() == length && is_text(known);
        match kind {
            Kind::Destination => CERTAIN_POINTS,
            _ if is_text => 0,
            Kind::Accept { .. } => 3,
            Kind::ServerClose if length > 4 => 3,
            Kind::ServerClose | Kind::ClientClose => 2,
            Kind::Other if length == 4 => 2,
            _ => 0,
        }
    }

    /// Whether openings are all there is, and so many, or so alike, that they are no chance.
    fn openings_alone(&self) -> Standing {
        let Openings {
            count,
            both_sides,
            lengths_differ,
            payloads_differ,
            ids_vary,
            have_headers,
            ..
        } = self.openings;
        if self.unfitting > 0 || self.fitting > self.idle || both_sides || !ids_vary || have_headers
        {
            return Standing::Open;
        }
        let is_enough = match (self.framing, count) {
            (_, 3..) => true,
            (Framing::Loose | Framing::Tight, 2) => !lengths_differ,
            (Framing::Any, 2) => !payloads_differ && self.openings.has_telling_payload(),
            (_, 0..=1) => false,
        };
        match is_enough {
            true if count >= CERTAIN_OPENINGS => Standing::Certain,
            true => Standing::Probable,
            false => Standing::Open,
        }
    }

    fn announce(&mut self, from: Way, announced: Announced, id: [u8; 3]) {
        if self.ids.len() < REMEMBERED_IDS {
            self.ids.push((from, announced, id));
        }
    }

    fn has_announced(&self, from: Way, announced: Announced, id: [u8; 3]) -> bool {
        self.ids.contains(&(from, announced, id))
    }

    /// Whether an earlier message in this direction has the same id and
    /// another content, and none has the same content.
    fn repeats(&mut self, from: Way, id: [u8; 3], known: &[u8]) -> bool {
        let new = Remembered {
            from,
            id,
            content: hash(known),
        };
        if self.remembered.contains(&new) {
            return false;
        }
        let repeats = self
            .remembered
            .iter()
            .any(|old| (old.from, old.id) == (from, new.id));
        if self.remembered.len() < REMEMBERED {
            self.remembered.push(new);
        }
        repeats
    }
}

impl Openings {
    const fn new() -> Self {
        Self {
            count: 0,
            first: None,
            both_sides: false,
            lengths_differ: false,
            payloads_differ: false,
            ids_vary: false,
            have_headers: false,
        }
    }

    fn add(&mut self, from: Way, id: [u8; 3], known: &[u8], length: usize, is_new: bool) {
        self.count += usize::from(is_new);
        let bytes = known.get(4..).unwrap_or_default();
        let payload = hash(bytes);
        let mut head = [0; HEAD_BYTES];
        let known = bytes.len().min(HEAD_BYTES);
        head[..known].copy_from_slice(&bytes[..known]);
        let Some(first) = &self.first else {
            self.first = Some(Opening {
                from,
                id,
                length,
                payload,
                head,
            });
            return;
        };
        self.both_sides |= first.from != from;
        self.lengths_differ |= first.length != length;
        self.payloads_differ |= first.payload != payload;
        let words = |head: [u8; HEAD_BYTES]| head.as_chunks::<4>().0.to_vec();
        let (one, other) = (words(first.head), words(head));
        let is_alike = one
            .iter()
            .zip(&other)
            .take(known / 4)
            .any(|(one, other)| one == other);
        self.have_headers |= first.payload != payload && is_alike;
        self.ids_vary |= first.id[1..] != id[1..];
    }

    fn has_telling_payload(&self) -> bool {
        self.first
            .as_ref()
            .is_some_and(|first| first.length >= 4 + TELLING_PAYLOAD_BYTES)
    }

    fn fitting(&self) -> u32 {
        u32::try_from(self.count).unwrap_or(u32::MAX)
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn is_text(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t'))
}
