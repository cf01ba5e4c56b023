//! The weight of messages as evidence of our protocol.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::sketch::{Kind, Protocol, Sketch};
use super::{CarrierVerdict, Standing};
use crate::carrier::FlowDirection;

/// Points that decide at once.
pub(super) const CERTAIN_POINTS: u32 = 6;

/// Points of a handshake: an opening, and the answer to it from the other side.
const HANDSHAKE_POINTS: u32 = CERTAIN_POINTS;

/// Messages against us that are tolerated beside one for each two points.
const TOLERATED: u32 = 2;

/// Different messages that are remembered to find others of the same conversation.
const REMEMBERED: usize = 16;

/// Messages of few possible lengths that prove something without an id in common: for a
/// protocol whose messages all have such a length, two are 2^-14.
const TELLING_LENGTHS: u32 = 3;

/// Ids that are remembered to find answers to them.
const REMEMBERED_IDS: usize = 4_096;

/// Openings that no other protocol begins so many messages like, when nothing else passes.
const CERTAIN_OPENINGS: usize = 8;

/// The shortest payload, in bytes, whose repetition is no chance.
const TELLING_PAYLOAD_BYTES: usize = 8;

/// Kind and version of a call of ONC RPC (RFC 5531), behind its number. The numbers are counted up,
/// so that many calls in a row may begin like openings.
const ONC_RPC_CALL: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 2];

/// Bytes of a payload that may belong to a header.
const HEAD_BYTES: usize = 12;

/// The evidence in the framing, apart from the message.
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
    /// Messages that have points for their lengths, as long as the first bytes of their ids
    /// change: where only the last do, they are numbers of another protocol (CoAP's).
    by_length: u32,
    latest_head: Option<u8>,
    /// Whether messages have an id in common, or one has a destination.
    is_linked: bool,
    remembered: Vec<Remembered>,
    /// The sender of different messages with one id, by direction.
    repeats: [Option<Role>; 2],
    announcements: Announcements,
    openings: Openings,
}

/// The common and the distinguishing properties of messages of one conversation.
#[derive(Debug, PartialEq, Eq)]
struct Remembered {
    from: FlowDirection,
    message_type: u8,
    id: [u8; 3],
    content: u64,
}

/// The sender of messages of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Client,
    Server,
}

/// The ids that messages announced, up to [`REMEMBERED_IDS`].
#[derive(Debug)]
struct Announcements {
    first: Option<Announcement>,
    /// All of them, sorted: each further message asks for one.
    sorted: Vec<Announcement>,
}

/// An id, the sender of the message that announced it, and how.
type Announcement = (FlowDirection, Announced, [u8; 3]);

impl Announcements {
    const fn new() -> Self {
        Self {
            first: None,
            sorted: Vec::new(),
        }
    }

    fn add(&mut self, new: Announcement) {
        self.first.get_or_insert(new);
        if self.sorted.len() < REMEMBERED_IDS
            && let Err(index) = self.sorted.binary_search(&new)
        {
            self.sorted.insert(index, new);
        }
    }

    fn contains(&self, one: Announcement) -> bool {
        self.sorted.binary_search(&one).is_ok()
    }
}

/// The announcement of an id in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Announced {
    /// It opened a conversation.
    Opened,
    /// It answered an opening.
    Answered,
    /// It named the id under which the server is reached.
    Server,
}

/// The openings of a flow, as far as they prove something without an answer.
#[derive(Clone, Debug, Default)]
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
    /// Those that go on as CBOR maps do.
    text_keys: usize,
}

#[derive(Clone, Debug)]
struct Opening {
    from: FlowDirection,
    id: [u8; 3],
    length: usize,
    payload: u64,
    /// The first bytes of the payload, as far as there are any.
    head: [u8; HEAD_BYTES],
    head_length: usize,
}

/// Evidence for judging other flows to the same server, from a flow that holds nothing but openings
/// without an answer, too few by themselves.
#[derive(Clone, Debug)]
pub struct Unanswered {
    verdict: CarrierVerdict,
    framing: Framing,
    openings: Openings,
}

/// Traces of our protocol in a flow that was judged to be another protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Openings with different ids.
    pub openings: u32,
    /// Other messages that fit.
    pub fitting: u32,
    /// Messages that do not.
    pub unfitting: u32,
    /// The direction towards the server.
    pub to_server: FlowDirection,
}

impl Unanswered {
    /// The verdict that they speak for.
    pub const fn verdict(&self) -> CarrierVerdict {
        self.verdict
    }

    /// The direction towards the server.
    pub fn to_server(&self) -> Option<FlowDirection> {
        self.openings.first.as_ref().map(|first| first.from)
    }

    /// Adds the evidence of another flow to the same server.
    pub fn join(&mut self, other: &Self) {
        self.openings.join(&other.openings);
    }

    /// Whether all together are no chance.
    pub fn is_enough(&self) -> bool {
        self.openings.standing(self.framing) != Standing::Open
    }
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
            by_length: 0,
            latest_head: None,
            is_linked: false,
            remembered: Vec::new(),
            repeats: [None; 2],
            announcements: Announcements::new(),
            openings: Openings::new(),
        }
    }

    /// Bytes of memory that it takes beside its own.
    pub(super) fn held_bytes(&self) -> usize {
        self.remembered.capacity() * size_of::<Remembered>()
            + self.announcements.sorted.capacity() * size_of::<Announcement>()
    }

    /// Weighs a message of `length` bytes of which `known` are known.
    pub(super) fn weigh(&mut self, from: FlowDirection, known: &[u8], length: usize) {
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

    /// The verdict so far.
    pub(super) fn standing(&self) -> Standing {
        // A length that is written in a segment of its own makes every other
        // segment look like a message: more than half of them must.
        let outnumbered = match self.framing {
            Framing::Any => self.unfitting >= self.fitting,
            Framing::Loose | Framing::Tight => self.unfitting > self.fitting,
        };
        // Behind a length of 4 bytes every message has a point for the length alone.
        let enough = match self.framing {
            Framing::Tight => 5,
            Framing::Any | Framing::Loose => 4,
        };
        let counts = !outnumbered && (self.is_linked || self.by_length >= TELLING_LENGTHS);
        let openings = self.openings_alone();
        if self.unfitting > self.points / 2 + TOLERATED {
            Standing::Out
        } else if (self.points >= CERTAIN_POINTS && counts) || openings == Standing::Certain {
            Standing::Certain
        } else if (self.points >= enough && counts) || openings == Standing::Probable {
            Standing::Probable
        } else {
            Standing::Open
        }
    }

    /// Traces of our protocol in a flow that is not ours.
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

    /// The direction towards the server: that of messages for a server.
    fn to_server(&self) -> Option<FlowDirection> {
        let by_opening = self.openings.first.as_ref().map(|first| first.from);
        by_opening.or_else(|| {
            self.announcements
                .first
                .map(|(from, announced, _)| match announced {
                    Announced::Opened => from,
                    Announced::Answered | Announced::Server => from.reversed(),
                })
        })
    }

    /// An opening speaks for nothing by itself: the text allows any key in it, so that it is
    /// no more than a message that begins with its type.
    fn weigh_opening(&mut self, from: FlowDirection, id: [u8; 3], known: &[u8], length: usize) {
        if known
            .get(4..)
            .is_some_and(|payload| payload.starts_with(&ONC_RPC_CALL))
        {
            self.against();
            return;
        }
        let is_new = !self.has_announced(from, Announced::Opened, id);
        self.openings.add(from, id, known, length);
        if !is_new {
            return;
        }
        self.openings.count(known);
        self.announce(from, Announced::Opened, id);
        // The answer may be captured before it.
        if self.has_announced(from.reversed(), Announced::Answered, id) {
            self.fitting += 1;
            self.points += HANDSHAKE_POINTS;
            self.is_linked = true;
        }
    }

    fn points_for(
        &mut self,
        from: FlowDirection,
        sketch: Sketch,
        known: &[u8],
        length: usize,
    ) -> u32 {
        if sketch.kind == Kind::Idle {
            self.idle += 1;
            let counts = length == 1 && self.framing != Framing::Any;
            self.by_length += u32::from(counts);
            return u32::from(counts);
        }
        let Some(id) = sketch.id else {
            return 0;
        };
        let known_by_id = self.points_for_id(from, sketch.kind, id);
        let repeated = self.repeats(from, id, known);
        let by_length = self.points_for_length(sketch.kind, known, length);
        if by_length > 0 && self.latest_head.replace(id[0]) != Some(id[0]) {
            self.by_length += 1;
        }
        self.is_linked |= known_by_id > 0 || sketch.kind == Kind::Destination;
        let head = &known[..known.len().min(4)];
        // Text, or one byte again and again, names no id; nor does a small number, which after
        // a letter is a length: PostgreSQL's `P 00 00 00 1c`.
        let is_small = matches!(head, [_, 0, 0, ..]);
        let is_one_byte = head.iter().all(|byte| *byte == head[0]);
        if is_text(head) || is_small || is_one_byte || begins_with_text_key(known) {
            return known_by_id + by_length;
        }
        if repeated {
            self.note_repetition(from, sketch.kind);
        }
        let (framing, repetition) = match self.framing {
            Framing::Tight => (1, 3),
            Framing::Any | Framing::Loose => (0, 2),
        };
        known_by_id + framing + by_length + if repeated { repetition } else { 0 }
    }

    /// Points for an id that the other side announced: 24 bits that are not by chance.
    fn points_for_id(&mut self, from: FlowDirection, kind: Kind, id: [u8; 3]) -> u32 {
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

    /// Whether the flow holds only openings, and messages of no protocol.
    const fn has_openings_alone(&self) -> bool {
        self.openings.count > 0 && self.unfitting == 0 && self.fitting <= self.idle
    }

    fn openings_alone(&self) -> Standing {
        if self.has_openings_alone() {
            self.openings.standing(self.framing)
        } else {
            Standing::Open
        }
    }

    /// Whether there was anything to weigh.
    pub(super) const fn has_any(&self) -> bool {
        self.openings.count > 0 || self.unfitting > 0 || self.fitting > 0
    }

    /// The openings, if they are all there is and come from one side.
    pub(super) fn unanswered(&self, verdict: CarrierVerdict) -> Option<Unanswered> {
        let is_some = self.has_openings_alone() && !self.openings.both_sides;
        is_some.then(|| Unanswered {
            verdict,
            framing: self.framing,
            openings: self.openings.clone(),
        })
    }

    fn announce(&mut self, from: FlowDirection, announced: Announced, id: [u8; 3]) {
        self.announcements.add((from, announced, id));
    }

    fn has_announced(&self, from: FlowDirection, announced: Announced, id: [u8; 3]) -> bool {
        self.announcements.contains((from, announced, id))
    }

    /// Whether an earlier message in this direction has the same id and another content, and
    /// none has the same content. A head that both directions have is that of a protocol with
    /// a constant one: here each type has its direction, and each direction its ids.
    fn repeats(&mut self, from: FlowDirection, id: [u8; 3], known: &[u8]) -> bool {
        let new = Remembered {
            from,
            message_type: known[0],
            id,
            content: hash(known),
        };
        if self.remembered.contains(&new) {
            return false;
        }
        let has_id = |from| move |old: &&Remembered| (old.from, old.id) == (from, id);
        let (mut repeats, mut is_of_another_type) = (false, false);
        for old in self.remembered.iter().filter(has_id(from)) {
            repeats = true;
            is_of_another_type |= old.message_type != new.message_type;
        }
        let is_constant = self
            .remembered
            .iter()
            .filter(has_id(from.reversed()))
            .any(|old| old.message_type == new.message_type);
        if self.remembered.len() < REMEMBERED {
            self.remembered.push(new);
        }
        self.is_linked |= is_of_another_type;
        repeats && !is_constant
    }

    /// Without a length before them, data with one id in one direction are no more than a
    /// constant header, which many protocols have, until the other direction has an id as
    /// well, in the other role.
    fn note_repetition(&mut self, from: FlowDirection, kind: Kind) {
        let role = match kind {
            Kind::ClientData | Kind::ClientClose => Role::Client,
            Kind::ServerData | Kind::ServerClose | Kind::Accept { .. } => Role::Server,
            Kind::Opening | Kind::Destination | Kind::Other | Kind::Idle => return,
        };
        self.repeats[from.index()] = Some(role);
        self.is_linked |= match (self.framing, self.repeats) {
            (Framing::Loose | Framing::Tight, _) => true,
            (Framing::Any, [Some(one), Some(other)]) => one != other,
            (Framing::Any, _) => false,
        };
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
            text_keys: 0,
        }
    }

    /// Counts one with an id that no other had. One that is sent again stands for no conversation
    /// of its own, but may differ from the first.
    fn count(&mut self, known: &[u8]) {
        self.count += 1;
        self.text_keys += usize::from(begins_with_text_key(known));
    }

    fn add(&mut self, from: FlowDirection, id: [u8; 3], known: &[u8], length: usize) {
        let bytes = known.get(4..).unwrap_or_default();
        let head_length = bytes.len().min(HEAD_BYTES);
        let mut head = [0; HEAD_BYTES];
        head[..head_length].copy_from_slice(&bytes[..head_length]);
        self.compare(Opening {
            from,
            id,
            length,
            payload: hash(bytes),
            head,
            head_length,
        });
    }

    /// Compares one with the first.
    fn compare(&mut self, new: Opening) {
        let Some(first) = &self.first else {
            self.first = Some(new);
            return;
        };
        self.both_sides |= first.from != new.from;
        self.lengths_differ |= first.length != new.length;
        self.payloads_differ |= first.payload != new.payload;
        let words = |head: [u8; HEAD_BYTES]| head.as_chunks::<4>().0.to_vec();
        let (one, other) = (words(first.head), words(new.head));
        let is_alike = one
            .iter()
            .zip(&other)
            .take(new.head_length / 4)
            .any(|(one, other)| one == other);
        self.have_headers |= first.payload != new.payload && is_alike;
        self.ids_vary |= first.id[1..] != new.id[1..];
    }

    /// Whether they are so many, or so alike, that they are no chance.
    fn standing(&self, framing: Framing) -> Standing {
        let Self {
            count,
            both_sides,
            lengths_differ,
            payloads_differ,
            ids_vary,
            have_headers,
            text_keys,
            ..
        } = *self;
        if both_sides || !ids_vary || have_headers || text_keys == count {
            return Standing::Open;
        }
        // docs/protocol.md, "How often other traffic is taken for ministreaming", has the
        // probabilities of these ("SYNs alone").
        let is_enough = match (framing, count) {
            (_, 3..) => true,
            (Framing::Loose | Framing::Tight, 2) => !lengths_differ,
            (Framing::Any, 2) => !payloads_differ && self.has_telling_payload(),
            (_, 0..=1) => false,
        };
        if !is_enough {
            Standing::Open
        } else if count >= CERTAIN_OPENINGS {
            Standing::Certain
        } else {
            Standing::Probable
        }
    }

    /// Adds those of another flow.
    fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.text_keys += other.text_keys;
        self.both_sides |= other.both_sides;
        self.lengths_differ |= other.lengths_differ;
        self.payloads_differ |= other.payloads_differ;
        self.ids_vary |= other.ids_vary;
        self.have_headers |= other.have_headers;
        // The side that dialled a flow, or was seen first, says nothing of another flow.
        let side = self.first.as_ref().map(|first| first.from);
        if let Some(first) = other.first.clone() {
            let from = side.unwrap_or(first.from);
            self.compare(Opening { from, ..first });
        }
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
    // Without a random key, so that a capture gives the same verdicts in every run.
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn is_text(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t'))
}

/// Whether a message goes on like a map with a text as its first key, in CBOR (RFC 8949, 3.1)
/// or MessagePack, which `A0` to `A2` may begin: messages of one kind have the same keys.
fn begins_with_text_key(known: &[u8]) -> bool {
    let Some((0xa0..=0xa2, [header, text @ ..])) = known.split_first() else {
        return false;
    };
    // The lowest bits are the length of a short text.
    let length = match header {
        0x61..=0x77 | 0xa1..=0xbf => usize::from(header & 0x1f),
        _ => return false,
    };
    is_text(&text[..text.len().min(length)])
}

#[cfg(test)]
mod tests;
