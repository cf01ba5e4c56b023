//! The tracker's events: one for each message, and one conversation when it is over.

use std::net::SocketAddr;

use super::{ConversationId, ConversationState, Finding, Meaning};
use crate::carrier::Carrier;
use crate::net::Encapsulation;
use crate::time::Timestamp;
use crate::wire::{ClientId, DestinationHash, Direction, RawMessage, ServerId};

/// Names an I2CP session within a dissection, from 0 in order of appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u32);

/// An I2CP session, as far as the capture shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct I2cpSession {
    /// Its name in this dissection.
    pub id: SessionId,
    /// The two bytes by which application and router call it; `None` where records are
    /// read, which do not have them.
    pub wire_id: Option<u16>,
    /// `inbound.nickname` (else `outbound.nickname`) of its CreateSession.
    pub nickname: Option<String>,
    /// Hash of its own destination, from its CreateSession.
    pub hash: Option<DestinationHash>,
}

/// One end of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// Its address on the wire. On I2CP both ends of a view have the
    /// addresses of that view's TCP connection: the session's end has the
    /// application's address, the far end the router's.
    pub address: SocketAddr,
    /// The I2CP session it is, on the end whose session the view belongs to.
    pub nickname: Option<String>,
    /// Hash of its destination, where the capture shows it: from the SYN, from
    /// CreateSession, or from the address of a SendMessage.
    pub hash: Option<DestinationHash>,
}

/// One message and its meaning; borrowed for the time of the call.
#[derive(Clone, Copy, Debug)]
pub struct MessageEvent<'a> {
    /// Number of the message in the dissection, from 1.
    pub number: u64,
    /// Number of the packet that completed it, from 1.
    pub packet: u64,
    /// Capture time of that packet.
    pub time: Timestamp,
    /// Microseconds since the first packet of the capture.
    pub elapsed_us: i64,
    /// The packet's encapsulation.
    pub encapsulation: Encapsulation,
    /// Its carrier.
    pub carrier: Carrier,
    /// The packet's sender.
    pub source: SocketAddr,
    /// Its receiver.
    pub target: SocketAddr,
    /// Whose message it is: by its type byte, or where the type says nothing
    /// by the role of its sender; `None` when neither is known.
    pub direction: Option<Direction>,
    /// The message itself.
    pub message: RawMessage<'a>,
    /// The conversation it belongs to.
    pub conversation: Option<ConversationId>,
    /// Its effect there.
    pub meaning: Meaning,
    /// The I2CP session that sent or received it.
    pub session: Option<&'a I2cpSession>,
    /// On I2CP, the nanoseconds since the other session handed this message to
    /// the router, where the capture shows both.
    pub router_ns: Option<i64>,
    /// The number of this message when the other session handed it to the router: it is in
    /// the capture twice.
    pub sent_as: Option<u64>,
    /// Hash of the SYN's destination, when it was asked for.
    pub destination_hash: Option<DestinationHash>,
    /// Findings about it.
    pub findings: &'a [Finding],
}

/// Data within a conversation, as far as they are needed for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Number of the message in the dissection, from 1.
    pub number: u64,
    /// The side whose message it is.
    pub direction: Direction,
    /// Bytes of its payload.
    pub payload_bytes: u64,
}

/// Data messages of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// DATA messages.
    pub message_count: u64,
    /// Their payload bytes.
    pub payload_bytes: u64,
}

/// Time that messages of a conversation spent between the two sessions of one router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterTime {
    /// Messages whose both copies were seen.
    pub message_count: u64,
    /// The shortest time, in nanoseconds.
    pub min_ns: i64,
    /// The sum of all times, in nanoseconds.
    pub total_ns: i64,
    /// The longest time, in nanoseconds.
    pub max_ns: i64,
}

impl RouterTime {
    /// The mean time, in nanoseconds.
    pub fn mean_ns(self) -> i64 {
        // Only messages that were seen make one of these.
        let count = self.message_count.max(1);
        i64::try_from(count).map_or(0, |count| self.total_ns / count)
    }
}

/// A conversation, reported when it is over or the capture is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Its name.
    pub id: ConversationId,
    /// The carrier of its messages.
    pub carrier: Carrier,
    /// The end that opened it.
    pub client: Party,
    /// The end that was called.
    pub server: Party,
    /// The client's id, unless only messages to the server were seen.
    pub client_id: Option<ClientId>,
    /// The server's id, once an ACK or a message to the server showed it.
    pub server_id: Option<ServerId>,
    /// Its last state.
    pub state: ConversationState,
    /// Time of its first message.
    pub start: Timestamp,
    /// Microseconds from the start of the capture to its first message.
    pub start_us: i64,
    /// Time of its last message that had an effect: none after its close but another close.
    pub end: Timestamp,
    /// Nanoseconds from SYN to ACK; `None` when it was not accepted or the SYN was not seen.
    pub handshake_ns: Option<i64>,
    /// Nanoseconds from SYN to the first DATA message of either side.
    pub first_byte_ns: Option<i64>,
    /// DATA from the client.
    pub c2s: Tally,
    /// DATA from the server.
    pub s2c: Tally,
    /// Findings that name this conversation.
    pub finding_count: u64,
    /// The same conversation as the other session's connection to the router shows it.
    pub peer_view: Option<ConversationId>,
    /// Time in the router, on the view of the receiving session's messages.
    pub router: Option<RouterTime>,
}

impl Conversation {
    /// Nanoseconds from its first to its last message.
    pub const fn duration_ns(&self) -> i64 {
        self.end.nanos_since(self.start)
    }
}
