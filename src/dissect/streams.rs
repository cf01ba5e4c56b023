//! The carriers over TCP: the items of their decoders, as messages and findings.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::channels::{Channels, Forgets};
use super::findings::{about_connection, from_problem};
use super::flow_direction::side_of;
use super::passage::{Event, Passage, Passed};
use super::recognise::{is_ours_on_i2cp, is_syn_with_destination};
use crate::carrier::detect::{CarrierVerdict, Piece};
use crate::carrier::i2cp::gzip::Inflater;
use crate::carrier::i2cp::{self, I2cpItem, Sender, SessionStatus};
use crate::carrier::{
    Carrier, Extent, FlowDirection, Item, Plausibility, length_prefixed, segment,
};
use crate::conversation::{
    Channel, ChannelId, ChannelStart, DetailName, FindingCode, FindingDetail, I2cpSession,
};
use crate::net::{Arrival, Side};
use crate::time::Timestamp;
use crate::wire::{DestinationHash, looks_like_message};

/// A TCP connection with ministreaming in it.
#[derive(Debug)]
pub(super) struct Streams {
    carrier: Carrier,
    decoder: Decoder,
    ended: [bool; 2],
    /// Whether a direction's beginning is not in the capture.
    missed_start: bool,
}

/// Whether a piece stands for bytes that the capture lacks.
pub(super) const fn lacks_bytes(piece: Piece<'_>) -> bool {
    matches!(piece, Piece::Gap { .. } | Piece::Cut { .. })
}

/// The rest of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// At least one direction goes on.
    Something,
    /// Both have ended.
    Nothing,
}

#[derive(Debug)]
enum Decoder {
    Prefixed(ChannelId, [length_prefixed::Decoder<Ministreaming>; 2]),
    Segment(ChannelId, [segment::Decoder; 2]),
    I2cp(Box<I2cp>),
}

/// The rule that distinguishes messages from noise.
#[derive(Debug)]
struct Ministreaming;

impl Plausibility for Ministreaming {
    #[inline]
    fn is_plausible(&self, prefix: &[u8], length: usize) -> bool {
        looks_like_message(prefix, length)
    }

    fn proves_place(&self, message: &[u8]) -> bool {
        is_syn_with_destination(message)
    }
}

#[derive(Debug)]
struct I2cp {
    decoder: i2cp::Decoder,
    application: FlowDirection,
    /// Addresses of the application and of the router.
    addresses: [SocketAddr; 2],
    sessions: Sessions,
}

/// The sessions of one I2CP connection.
#[derive(Debug, Default)]
struct Sessions {
    /// In order: reports of all of them must be the same in each run.
    open: BTreeMap<u16, OpenSession>,
    /// Their bytes, with those of their channels.
    bytes: usize,
    /// The application's request that the router has not answered yet.
    requested: Option<(DestinationHash, Option<String>)>,
    has_gaps: bool,
}

#[derive(Clone, Copy, Debug)]
struct OpenSession {
    channel: ChannelId,
    /// Whether a message of ministreaming passed in it.
    is_ours: bool,
    /// Bytes that it is reckoned to take.
    bytes: usize,
}

/// Sessions of one connection that are kept; routers allow one or a few.
const MAX_SESSIONS: usize = 1_024;

/// Bytes that a session is reckoned to take beside its name, with its channel.
const SESSION_BYTES: usize = 250;

impl Streams {
    /// The decoders for a connection; `None` when it carries something else.
    pub(super) fn new<P: Passage>(
        verdict: CarrierVerdict,
        addresses: [SocketAddr; 2],
        channels: &mut Channels,
        passage: &mut P,
    ) -> Result<Option<Self>, P::Error> {
        let Some(carrier) = verdict.carrier() else {
            return Ok(None);
        };
        let mut open = || {
            let channel = Channel::new(carrier, addresses, ChannelStart::Captured, None);
            channels.open(channel, passage)
        };
        let decoder = match verdict {
            CarrierVerdict::LengthPrefixed(prefix) => {
                let decoder = || length_prefixed::Decoder::with_rule(prefix, Ministreaming);
                Decoder::Prefixed(open()?, [decoder(), decoder()])
            }
            CarrierVerdict::Segments => {
                let decoders = [segment::Decoder::new(), segment::Decoder::new()];
                Decoder::Segment(open()?, decoders)
            }
            CarrierVerdict::I2cp { application } => {
                let [one, other] = addresses;
                let connection = I2cp {
                    decoder: i2cp::Decoder::new(),
                    application,
                    addresses: match application {
                        FlowDirection::Forward => addresses,
                        FlowDirection::Backward => [other, one],
                    },
                    sessions: Sessions::default(),
                };
                Decoder::I2cp(Box::new(connection))
            }
            CarrierVerdict::NeedMore | CarrierVerdict::Datagrams | CarrierVerdict::Foreign => {
                return Ok(None);
            }
        };
        Ok(Some(Self {
            carrier,
            decoder,
            ended: [false; 2],
            missed_start: false,
        }))
    }

    /// Addresses of the channels' initiator (on I2CP the application) and responder, of those of
    /// the flow.
    pub(super) fn addresses(&self, of_flow: [SocketAddr; 2]) -> [SocketAddr; 2] {
        match &self.decoder {
            Decoder::I2cp(connection) => connection.addresses,
            Decoder::Prefixed(..) | Decoder::Segment(..) => of_flow,
        }
    }

    pub(super) const fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// Takes the next piece of either direction. `addresses` are those of the flow, and needed
    /// where the piece [lacks bytes](lacks_bytes). All connections are lent the same `inflater`.
    pub(super) fn take<P: Passage>(
        &mut self,
        arrival: Arrival,
        addresses: Option<[SocketAddr; 2]>,
        piece: Piece<'_>,
        channels: &mut Channels,
        inflater: &mut Inflater,
        passage: &mut P,
    ) -> Result<Left, P::Error> {
        if let Some(addresses) = addresses {
            self.note_missing(arrival, addresses, piece, channels, passage)?;
        }
        if let Piece::End { from } = piece {
            self.ended[from.index()] = true;
        }
        self.decode(arrival, piece, channels, inflater, passage)?;
        Ok(match self.ended {
            [true, true] => Left::Nothing,
            _ => Left::Something,
        })
    }

    /// Bytes of memory that are held until there are more bytes.
    #[inline]
    pub(super) fn held_bytes(&self) -> usize {
        match &self.decoder {
            Decoder::Prefixed(_, decoders) => decoders
                .iter()
                .map(length_prefixed::Decoder::held_bytes)
                .sum(),
            Decoder::Segment(..) => 0,
            // Its state is in a box of its own.
            Decoder::I2cp(connection) => {
                size_of::<I2cp>() + connection.decoder.held_bytes() + connection.sessions.bytes
            }
        }
    }

    /// Prefetches for the next piece. The returned value is of no other use.
    #[inline]
    pub(super) fn touch(&self) -> u64 {
        let decoders = match &self.decoder {
            Decoder::Prefixed(_, [one, other]) => one.touch() ^ other.touch(),
            Decoder::Segment(..) | Decoder::I2cp(_) => 0,
        };
        decoders ^ u64::from(self.missed_start)
    }

    /// The first message of a segment, if its direction is between two messages.
    #[inline]
    pub(super) fn first_message<'a>(
        &self,
        from: Side,
        segment: &'a [u8],
    ) -> Option<(ChannelId, &'a [u8])> {
        match &self.decoder {
            Decoder::Prefixed(channel, decoders) => {
                Some((*channel, decoders[from.index()].first_message(segment)?))
            }
            Decoder::Segment(channel, _) => Some((*channel, segment)),
            Decoder::I2cp(_) => None,
        }
    }

    /// The memory of the connection is needed.
    pub(super) fn evict_channels<P: Passage>(
        &self,
        time: Timestamp,
        channels: &mut Channels,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        self.channels()
            .into_iter()
            .try_for_each(|channel| channels.evict(channel, time, passage))
    }

    /// The connection is gone, and with it the channels on it.
    pub(super) fn close_channels<P: Passage>(
        &self,
        time: Timestamp,
        channels: &mut Channels,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        self.channels()
            .into_iter()
            .try_for_each(|channel| channels.close(channel, time, passage))
    }

    fn channels(&self) -> Vec<ChannelId> {
        match &self.decoder {
            Decoder::Prefixed(channel, _) | Decoder::Segment(channel, _) => vec![*channel],
            Decoder::I2cp(connection) => connection.sessions.channels(),
        }
    }

    fn note_missing<P: Passage>(
        &mut self,
        arrival: Arrival,
        addresses: [SocketAddr; 2],
        piece: Piece<'_>,
        channels: &mut Channels,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        let missing = match piece {
            Piece::Gap { missing, .. } => missing,
            // I2CP is compressed: nothing can be read of a message that was cut.
            Piece::Cut { missing, .. } if self.carrier == Carrier::I2cp => Some(missing),
            Piece::Bytes { .. } | Piece::Cut { .. } | Piece::End { .. } => return Ok(()),
        };
        let [one, other] = self.addresses(addresses);
        if let Some(bytes) = missing {
            match &mut self.decoder {
                Decoder::I2cp(connection) => connection.sessions.note_gap(passage)?,
                Decoder::Prefixed(channel, _) | Decoder::Segment(channel, _) => {
                    passage.event(Event::Gap(*channel))?;
                }
            }
            let text = format!("{bytes} bytes of {one} - {other} are not in the capture");
            let detail = vec![(DetailName::MissingBytes, FindingDetail::Number(bytes))];
            let code = FindingCode::TcpGap;
            return passage.finding(about_connection(code, arrival, text, detail));
        }
        if std::mem::replace(&mut self.missed_start, true) {
            return Ok(());
        }
        for channel in self.channels() {
            passage.event(Event::MissedStart(channel))?;
        }
        let doubt = match channels.forgets {
            Forgets::Nothing => "",
            Forgets::Flows => ", or was forgotten for want of memory",
        };
        let text = format!("{one} - {other} began before the capture{doubt}");
        let code = FindingCode::TcpNoStart;
        passage.finding(about_connection(code, arrival, text, Vec::new()))
    }

    fn decode<P: Passage>(
        &mut self,
        arrival: Arrival,
        piece: Piece<'_>,
        channels: &mut Channels,
        inflater: &mut Inflater,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        let from = piece.from();
        match &mut self.decoder {
            Decoder::Prefixed(channel, decoders) => {
                let channel = *channel;
                let [one, other] = decoders;
                let (decoder, peer) = match from {
                    FlowDirection::Forward => (one, other),
                    FlowDirection::Backward => (other, one),
                };
                let emit = &mut |item: Item<'_>| hand_on(arrival, channel, from, item, passage);
                match piece {
                    Piece::Bytes { bytes, extent, .. } if self.missed_start => {
                        let was_lost = decoder.is_lost();
                        let peer_ended = self.ended[from.reversed().index()];
                        if was_lost && peer.is_in_place() && !peer_ended {
                            decoder.join(emit)?;
                        }
                        match extent {
                            Extent::WholeSegment => decoder.push_segment(bytes, emit)?,
                            Extent::CutSegment(_) | Extent::PartOfSegment => {
                                decoder.push(bytes, emit)?;
                            }
                        }
                        // What proves a place in one direction holds for what waits in the other.
                        if was_lost && decoder.is_in_place() && peer.is_lost() {
                            let from = from.reversed();
                            peer.join(&mut |item: Item<'_>| {
                                hand_on(arrival, channel, from, item, passage)
                            })?;
                        }
                        Ok(())
                    }
                    Piece::Bytes { bytes, .. } => decoder.push(bytes, emit),
                    Piece::Gap { missing, .. } => decoder.gap(missing, emit),
                    Piece::Cut { missing, .. } => {
                        decoder.cut(missing, emit)?;
                        // Whole messages may have been in the cut bytes.
                        if decoder.is_lost() {
                            passage.event(Event::Gap(channel))?;
                        }
                        Ok(())
                    }
                    Piece::End { .. } => decoder.finish(emit),
                }
            }
            Decoder::Segment(channel, decoders) => {
                let (channel, decoder) = (*channel, &mut decoders[from.index()]);
                match piece {
                    Piece::Bytes { bytes, extent, .. } => {
                        decoder.push(bytes, extent, &mut |item| {
                            hand_on(arrival, channel, from, item, passage)
                        })
                    }
                    Piece::Gap { missing, .. } => {
                        decoder.gap(missing);
                        Ok(())
                    }
                    Piece::Cut { missing, .. } => {
                        decoder.gap(Some(missing));
                        Ok(())
                    }
                    Piece::End { .. } => Ok(()),
                }
            }
            Decoder::I2cp(connection) => {
                let I2cp {
                    decoder,
                    application,
                    addresses,
                    sessions,
                } = &mut **connection;
                let sender = if from == *application {
                    Sender::Application
                } else {
                    Sender::Router
                };
                let provenance = Provenance {
                    arrival,
                    addresses: *addresses,
                    missed_start: self.missed_start,
                };
                let emit =
                    &mut |item: I2cpItem<'_>| sessions.take(&provenance, item, channels, passage);
                match piece {
                    Piece::Bytes { bytes, .. } => decoder.push(sender, bytes, inflater, emit),
                    Piece::Gap { missing, .. } => decoder.gap(sender, missing, inflater, emit),
                    Piece::Cut { missing, .. } => {
                        decoder.gap(sender, Some(missing), inflater, emit)
                    }
                    Piece::End { .. } => decoder.finish(sender, inflater, emit),
                }
            }
        }
    }
}

/// The place of an item on a connection.
struct Provenance {
    arrival: Arrival,
    addresses: [SocketAddr; 2],
    missed_start: bool,
}

impl Sessions {
    /// Their channels, by the ids of the sessions.
    fn channels(&self) -> Vec<ChannelId> {
        self.open.values().map(|session| session.channel).collect()
    }

    fn take<P: Passage>(
        &mut self,
        provenance: &Provenance,
        item: I2cpItem<'_>,
        channels: &mut Channels,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        match item {
            I2cpItem::SessionRequested {
                destination,
                nickname,
            } => {
                self.requested = Some((channels.hash(destination), nickname));
                Ok(())
            }
            I2cpItem::SessionStatus { session, status } => {
                self.follow_status(provenance, session, status, channels, passage)
            }
            I2cpItem::SessionDestroyed { session } => {
                self.close(provenance, session, channels, passage)
            }
            I2cpItem::Sent {
                session,
                destination,
                protocol,
                message,
                ..
            } => {
                let addressee = Some(channels.hash(destination));
                let Some(channel) =
                    self.of_message(provenance, (session, protocol), message, channels, passage)?
                else {
                    return Ok(());
                };
                let passed = Passed {
                    addressee,
                    ..Passed::new(channel, Side::Initiator, message)
                };
                passage.message(provenance.arrival, passed)
            }
            I2cpItem::Delivered {
                session,
                protocol,
                message,
                ..
            } => {
                let Some(channel) =
                    self.of_message(provenance, (session, protocol), message, channels, passage)?
                else {
                    return Ok(());
                };
                let passed = Passed::new(channel, Side::Responder, message);
                passage.message(provenance.arrival, passed)
            }
            I2cpItem::UnreadablePayload {
                sender,
                session,
                reason,
            } => {
                self.note_gap(passage)?;
                let text = format!("payload of session {session:04x}, {}: {reason}", by(sender));
                let code = FindingCode::I2cpUnreadablePayload;
                passage.finding(about_connection(code, provenance.arrival, text, Vec::new()))
            }
            I2cpItem::BadFrame {
                sender,
                offset,
                reason,
            } => {
                self.note_gap(passage)?;
                let text = format!("frame at offset {offset}, {}: {reason}", by(sender));
                let detail = vec![(DetailName::OffsetBytes, FindingDetail::Number(offset))];
                let code = FindingCode::I2cpBadFrame;
                passage.finding(about_connection(code, provenance.arrival, text, detail))
            }
            I2cpItem::Problem { sender, problem } => {
                if problem.hides_messages() {
                    self.note_gap(passage)?;
                }
                let mut finding = from_problem(problem, provenance.arrival);
                if finding.code == FindingCode::TcpBadPrefix {
                    finding.code = FindingCode::I2cpBadFrame;
                }
                finding.text = format!("{}, {}", finding.text, by(sender));
                passage.finding(finding)
            }
            I2cpItem::Other { .. } => Ok(()),
        }
    }

    /// From now on messages may have passed that nobody saw. Sessions learn it once, those that
    /// open later when they do: what is known of a channel with gaps never gets whole again.
    fn note_gap<P: Passage>(&mut self, passage: &mut P) -> Result<(), P::Error> {
        if std::mem::replace(&mut self.has_gaps, true) {
            return Ok(());
        }
        self.channels()
            .into_iter()
            .try_for_each(|channel| passage.event(Event::Gap(channel)))
    }

    fn follow_status<P: Passage>(
        &mut self,
        provenance: &Provenance,
        session: u16,
        status: SessionStatus,
        channels: &mut Channels,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        match status {
            SessionStatus::CREATED => {
                self.close(provenance, session, channels, passage)?;
                let (hash, nickname) = self.requested.take().unzip();
                if !self.has_room() {
                    return Ok(());
                }
                let start = match hash {
                    Some(_) => ChannelStart::Captured,
                    None => ChannelStart::Missed,
                };
                let nickname = nickname.flatten();
                self.open(
                    provenance,
                    session,
                    (start, hash, nickname),
                    channels,
                    passage,
                )?;
                Ok(())
            }
            SessionStatus::DESTROYED => self.close(provenance, session, channels, passage),
            SessionStatus::INVALID | SessionStatus::REFUSED => {
                self.requested = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether one more session is kept.
    fn has_room(&self) -> bool {
        self.open.len() < MAX_SESSIONS
    }

    /// Opens a session: the known part of its past, its destination and its name.
    fn open<P: Passage>(
        &mut self,
        provenance: &Provenance,
        wire_id: u16,
        (start, hash, nickname): (ChannelStart, Option<DestinationHash>, Option<String>),
        channels: &mut Channels,
        passage: &mut P,
    ) -> Result<ChannelId, P::Error> {
        let bytes = SESSION_BYTES + nickname.as_ref().map_or(0, String::capacity);
        let session = I2cpSession {
            id: channels.next_session(),
            wire_id: Some(wire_id),
            nickname,
            hash,
        };
        let channel = Channel::new(Carrier::I2cp, provenance.addresses, start, Some(session));
        let channel = channels.open(channel, passage)?;
        if self.has_gaps {
            passage.event(Event::Gap(channel))?;
        }
        self.bytes += bytes;
        self.open.insert(
            wire_id,
            OpenSession {
                channel,
                is_ours: false,
                bytes,
            },
        );
        Ok(channel)
    }

    fn close<P: Passage>(
        &mut self,
        provenance: &Provenance,
        session: u16,
        channels: &mut Channels,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        match self.open.remove(&session) {
            Some(session) => {
                self.bytes -= session.bytes;
                channels.close(session.channel, provenance.arrival.time, passage)
            }
            None => Ok(()),
        }
    }

    /// The channel of a message; `None` when it is of another protocol, which
    /// is counted. A session that carried ministreaming once carries nothing
    /// else; before that, a message must look like ours or name no protocol.
    fn of_message<P: Passage>(
        &mut self,
        provenance: &Provenance,
        (wire_id, protocol): (u16, u8),
        message: &[u8],
        channels: &mut Channels,
        passage: &mut P,
    ) -> Result<Option<ChannelId>, P::Error> {
        let looks_like_ours = is_ours_on_i2cp(message);
        let known = self.open.get(&wire_id).copied();
        let is_ours = looks_like_ours || known.is_some_and(|session| session.is_ours);
        if !is_ours && !matches!(protocol, PROTOCOL_NONE | PROTOCOL_UNSET) {
            channels.foreign_messages += 1;
            return Ok(None);
        }
        let channel = match known {
            Some(session) => session.channel,
            None if self.has_room() => {
                let start = if provenance.missed_start || self.has_gaps {
                    ChannelStart::Missed
                } else {
                    // A session of which nobody saw the creation.
                    ChannelStart::Unknown
                };
                self.open(provenance, wire_id, (start, None, None), channels, passage)?
            }
            None => {
                channels.foreign_messages += 1;
                return Ok(None);
            }
        };
        if let Some(session) = self.open.get_mut(&wire_id) {
            session.is_ours |= looks_like_ours;
        }
        Ok(Some(channel))
    }
}

/// The protocol number of messages without a protocol, as the reference sends them.
const PROTOCOL_NONE: u8 = 0;

/// The same from senders before February 2009.
const PROTOCOL_UNSET: u8 = 0xff;

fn hand_on<P: Passage>(
    arrival: Arrival,
    channel: ChannelId,
    from: FlowDirection,
    item: Item<'_>,
    passage: &mut P,
) -> Result<(), P::Error> {
    match item {
        Item::Message(message) => {
            let passed = Passed::new(channel, side_of(from), message);
            passage.message(arrival, passed)
        }
        Item::Cut {
            message,
            missing_bytes,
        } => {
            let passed = Passed {
                cut_bytes: u32::try_from(missing_bytes).unwrap_or(u32::MAX),
                ..Passed::new(channel, side_of(from), message)
            };
            passage.message(arrival, passed)
        }
        Item::Problem(problem) => passage.finding(from_problem(problem, arrival)),
    }
}

const fn by(sender: Sender) -> &'static str {
    match sender {
        Sender::Application => "from the application",
        Sender::Router => "from the router",
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::carrier::Extent;
    use crate::conversation::Destinations;

    #[test]
    fn what_is_kept_of_an_idle_connection_is_small() {
        // With what allocators add, 112.
        assert!(size_of::<Streams>() <= 104, "{}", size_of::<Streams>());
    }

    /// What a connection told beside messages.
    #[derive(Debug, Default)]
    struct Told {
        opened: Vec<ChannelId>,
        gaps: Vec<ChannelId>,
        messages: usize,
    }

    impl Passage for Told {
        type Error = Infallible;

        fn message(&mut self, _: Arrival, _: Passed<'_>) -> Result<(), Infallible> {
            self.messages += 1;
            Ok(())
        }

        fn event(&mut self, event: Event) -> Result<(), Infallible> {
            match event {
                Event::Opened(channel, _) => self.opened.push(channel),
                Event::Gap(channel) => self.gaps.push(channel),
                _ => {}
            }
            Ok(())
        }
    }

    struct Connection {
        streams: Streams,
        channels: Channels,
        inflater: Inflater,
        told: Told,
    }

    impl Connection {
        fn new() -> Self {
            let mut channels = Channels::new(Destinations::Hash);
            let mut told = Told::default();
            let verdict = CarrierVerdict::I2cp {
                application: FlowDirection::Forward,
            };
            let addresses = [40_000, 7_654].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
            let Ok(streams) = Streams::new(verdict, addresses, &mut channels, &mut told);
            Self {
                streams: streams.unwrap(),
                channels,
                inflater: Inflater::new(),
                told,
            }
        }

        fn says(&mut self, from: FlowDirection, bytes: &[u8]) {
            let piece = Piece::Bytes {
                from,
                bytes,
                extent: Extent::PartOfSegment,
            };
            let Self {
                streams,
                channels,
                inflater,
                told,
            } = self;
            let Ok(_) = streams.take(Arrival::default(), None, piece, channels, inflater, told);
        }
    }

    /// The router says that a session is created, or over.
    fn status(session: u16, status: u8) -> Vec<u8> {
        let [high, low] = session.to_be_bytes();
        vec![0, 0, 0, 3, 20, high, low, status]
    }

    /// A frame of a type that does not go without a body.
    const BAD_FRAME: [u8; 5] = [0, 0, 0, 0, 20];

    #[test]
    fn the_sessions_of_a_connection_are_bounded_and_count() {
        let mut connection = Connection::new();
        for session in 0..3_000 {
            connection.says(FlowDirection::Backward, &status(session, 1));
        }
        assert_eq!(connection.told.opened.len(), 1_024);
        let idle = Connection::new().streams.held_bytes();
        let held = connection.streams.held_bytes();
        assert!((200 * 1_024..400 * 1_024).contains(&held), "{held}");
        // One that ends leaves room for another, and so does one that begins anew.
        connection.says(FlowDirection::Backward, &status(7, 0));
        connection.says(FlowDirection::Backward, &status(2_999, 1));
        connection.says(FlowDirection::Backward, &status(8, 1));
        connection.says(FlowDirection::Backward, &status(2_998, 1));
        assert_eq!(connection.told.opened.len(), 1_026);
        assert_eq!(connection.streams.held_bytes(), held);
        for session in 0..3_000 {
            connection.says(FlowDirection::Backward, &status(session, 0));
        }
        assert_eq!(connection.streams.held_bytes(), idle);
    }

    #[test]
    fn each_session_learns_once_that_messages_may_be_missing() {
        let mut connection = Connection::new();
        for session in 0..5 {
            connection.says(FlowDirection::Backward, &status(session, 1));
        }
        for _ in 0..3 {
            connection.says(FlowDirection::Backward, &BAD_FRAME);
        }
        assert_eq!(connection.told.gaps, connection.told.opened);
        connection.says(FlowDirection::Backward, &status(5, 1));
        assert_eq!(connection.told.gaps, connection.told.opened);
        connection.says(FlowDirection::Backward, &BAD_FRAME);
        assert_eq!(connection.told.gaps.len(), 6);
    }
}
