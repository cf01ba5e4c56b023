//! The settings of an endpoint.

use std::time::Duration;

use crate::wire::MAX_DATA_PAYLOAD_BYTES;

/// The limits, times and policies of an [`Endpoint`](super::Endpoint).
///
/// The default is the reference implementation's behaviour of 2004 with bounds
/// added, for a carrier that loses nothing and whose peers cannot lie about
/// their address (`tcp://`, `i2cp://`); [`Config::for_datagrams`] is for the others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Treatment of a SYN from a peer.
    pub incoming: Incoming,
    /// Treatment of a second SYN with the client id of a live conversation from the same peer.
    pub duplicate_syn: DuplicateSyn,
    /// Whether a peer must show that it receives at the address it sends from.
    pub address_proof: AddressProof,
    /// Time that an opener waits for the answer to its SYN; `None`: for ever.
    pub handshake_timeout: Option<Duration>,
    /// Time for the application to accept or refuse before the peer is refused.
    pub accept_timeout: Duration,
    /// Time that an accepted conversation may go on without [`AddressProof`], where it is required.
    pub proof_timeout: Duration,
    /// Time that a closing conversation may go without sending anything of its rest, before that is
    /// given up; while its link takes nothing, [`LONGEST_HOLD_UP`](Self::LONGEST_HOLD_UP). At least
    /// [`SHORTEST_TIME`](Self::SHORTEST_TIME).
    pub close_timeout: Duration,
    /// Time after an ACK without a server id in which data prove that it is no close, as which the
    /// specification's sample (c) has it.
    pub empty_ack_time: Duration,
    /// Time that a conversation may go without a message either way; `None`: for ever. Of a peer
    /// that has sent two [keep-alives](Self::keep_alive) only its own messages count. At least
    /// [`SHORTEST_TIME`](Self::SHORTEST_TIME).
    pub idle_timeout: Option<Duration>,
    /// Time without a message to the peer after which an empty data message tells it that the
    /// conversation goes on; `None`: never. It delivers nothing, and is no sign of life for our own
    /// [`idle_timeout`](Self::idle_timeout), but one for the peer's. At least
    /// [`SHORTEST_KEEP_ALIVE`](Self::SHORTEST_KEEP_ALIVE).
    ///
    /// The first two are sent whatever else is, so that the peer knows of them. Where both ends send
    /// them, an idle conversation ends without a close before the application has finished: the peer
    /// notices silence by its own idle timeout, and a close would say that all was sent.
    pub keep_alive: Option<Duration>,
    /// Policy for the application's end of input on conversations that we opened.
    pub client_eof: OnEof,
    /// The same on conversations that we accepted. A service that has answered
    /// usually closes, and its client waits for that.
    pub server_eof: OnEof,
    /// Most payload bytes in one data message. Values outside 1 to
    /// [`MAX_DATA_PAYLOAD_BYTES`] are moved to the nearest in range.
    pub max_payload: usize,
    /// `None`: each write becomes its own message, or several if it is too long for one. `Some`:
    /// writes are merged into messages, and a message that is not full waits at most this long for
    /// more (zero merges only queued writes). The reference waits 100 ms.
    pub merge: Option<Duration>,
    /// Conversations take turns at the link. One that has full messages to send
    /// goes on until it has sent this many bytes: its peer can then pass them on
    /// in one piece, and the others wait for longer. With 0 a turn is one message.
    pub turn: usize,
    /// Unsent bytes a conversation may hold before writes are refused.
    pub send_buffer: usize,
    /// Bytes a conversation may have delivered without the application having
    /// consumed them, before [`SlowReader`] applies.
    pub receive_buffer: usize,
    /// The same, for all conversations together.
    pub receive_total: usize,
    /// Treatment of an application that reads too slowly.
    pub slow_reader: SlowReader,
    /// Most conversations at once.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            incoming: Incoming::Offer,
            duplicate_syn: DuplicateSyn::NewConversation,
            address_proof: AddressProof::NotNeeded,
            handshake_timeout: Some(Duration::from_secs(60)),
            accept_timeout: Duration::from_secs(5),
            proof_timeout: Duration::from_secs(60),
            close_timeout: Duration::from_secs(60),
            empty_ack_time: Duration::from_secs(5),
            idle_timeout: None,
            keep_alive: None,
            client_eof: OnEof::Drain(Some(Duration::from_secs(5))),
            server_eof: OnEof::Close,
            max_payload: MAX_DATA_PAYLOAD_BYTES,
            merge: None,
            turn: 0,
            send_buffer: 256 * 1024,
            receive_buffer: 1024 * 1024,
            receive_total: 64 * 1024 * 1024,
            slow_reader: SlowReader::CloseAfter(Duration::from_secs(30)),
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// The shortest [`idle_timeout`](Self::idle_timeout) and
    /// [`close_timeout`](Self::close_timeout); shorter times count as this.
    pub const SHORTEST_TIME: Duration = Duration::from_millis(1);

    /// Time for which a closing conversation keeps its rest for a link that takes nothing: longer than
    /// the ten minutes for which an end is expected to stand still.
    pub const LONGEST_HOLD_UP: Duration = Duration::from_secs(15 * 60);

    /// The shortest [`keep_alive`](Self::keep_alive); shorter times count as this.
    pub const SHORTEST_KEEP_ALIVE: Duration = Duration::from_secs(1);

    /// The default for a carrier of datagrams, whose network may duplicate a
    /// SYN and whose senders may forge their address.
    pub fn for_datagrams() -> Self {
        Self {
            duplicate_syn: DuplicateSyn::AnswerAgain,
            address_proof: AddressProof::Required,
            ..Self::default()
        }
    }
}

/// Treatment of a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// The application is asked.
    Offer,
    /// It is answered with a close, as the reference does before its
    /// application listens.
    Refuse,
}

/// Treatment of a second SYN that has the client id of a live conversation and comes from the same
/// peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateSyn {
    /// Another conversation with a server id of its own, as in the reference.
    NewConversation,
    /// The network's copy of the first: the ACK is sent once more, if it has
    /// been sent, and nothing else happens.
    AnswerAgain,
}

/// Whether the source address of a message may be a forgery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressProof {
    /// The carrier vouches for it, or has no addresses that could be flooded.
    NotNeeded,
    /// Until a client message carries the server id that we sent to that
    /// address, at most three times the bytes that came from it go back, and
    /// the conversation counts as half-open.
    ///
    /// As an opener the endpoint gives that proof at once: with nothing else to
    /// send it answers the ACK with an empty data message, which delivers nothing.
    Required,
}

/// Effect of the application's end of input; the protocol has no half-close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnEof {
    /// Our close is held back until the peer closes, or until no data has come from it, and none of
    /// ours has gone, for this long; `None`: without limit. The data until then may be a part of
    /// the answer: the end is [`End::DrainTimeout`](super::End::DrainTimeout).
    Drain(Option<Duration>),
    /// All written data are sent and the conversation closed, as in the reference.
    Close,
}

/// Treatment of a conversation whose delivered but unconsumed bytes exceed their bound. The
/// protocol has no flow control: nothing can be said to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowReader {
    /// [`wants_input`](super::Endpoint::wants_input) turns false for the link:
    /// the carrier is not read, and its own flow control holds all its conversations.
    Pause,
    /// As `Pause`; but a conversation that has been over its bound for this long without a
    /// break, or has read nothing for this long while all together are over theirs, is
    /// closed, and the others go on.
    CloseAfter(Duration),
    /// The carrier is always read. A conversation over its bound for a second, over
    /// four times its bound, or that gets more while all together are over theirs, is closed.
    Close,
}

/// The most conversations at once.
///
/// A SYN beyond a limit is refused with a close; an own opening fails. Half-open
/// are accepted conversations that wait for the application, or for [`AddressProof`].
///
/// Conversations that have ended, but whose bytes the application has not consumed,
/// do not take the places of live ones: a peer with the same limit has forgotten
/// them, and would be refused. But nothing begins while there are as many of them
/// as there may be live ones.
///
/// These four are all: a fifth would be a breaking change, so that code that writes the limits out
/// does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Live conversations of both roles. At most [`Limits::MAX_TOTAL`].
    pub total: usize,
    /// Live accepted conversations of one peer, or of all with the same origin
    /// ([`Endpoint::with_origins`](super::Endpoint::with_origins)).
    pub per_peer: usize,
    /// Half-open conversations.
    pub half_open: usize,
    /// Half-open conversations of one peer, or of one origin.
    pub half_open_per_peer: usize,
}

impl Limits {
    /// The highest `total`: a quarter of all ids, so that a free one is found in few draws.
    pub const MAX_TOTAL: usize = 1 << 22;

    /// Number of conversations only waiting that are closed at once: so many that the search for
    /// them is rare.
    pub(super) const fn share(&self) -> usize {
        self.total.div_ceil(16)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total: 256,
            per_peer: 32,
            half_open: 128,
            half_open_per_peer: 32,
        }
    }
}
