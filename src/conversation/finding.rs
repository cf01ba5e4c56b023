//! Findings: oddities of the traffic, under stable codes.

use std::fmt;

use super::ConversationId;

/// The severity of a finding.
// The order is that of `ALL`: counts are indexed by `level as usize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Worth knowing; proper peers do it.
    Note,
    /// A peer or the capture is probably at fault.
    Warn,
    /// The protocol was broken, or messages could not be read.
    Error,
}

impl Level {
    /// Every level, from the lowest to the highest.
    pub const ALL: [Self; 3] = [Self::Note, Self::Warn, Self::Error];

    /// `note`, `warn` or `error`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// The level of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

macro_rules! finding_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $level:ident, $meaning:literal;)*) => {
        /// The kind of a finding. The codes are stable: scripts may rely on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingCode {
            $($(#[$doc])* $variant,)*
        }

        impl FindingCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The code as it is written: `ms.unknown_type`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The finding with that code.
            pub fn named(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.code() == code)
            }

            /// The level that findings of this code have, unless one says otherwise.
            pub const fn level(self) -> Level {
                match self { $(Self::$variant => Level::$level,)* }
            }

            /// The meaning of findings of this code, in a line.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

finding_codes! {
    /// Fewer than four bytes and not the ping.
    TooShort = "ms.too_short", Error, "fewer than 4 bytes: no message";
    /// A type that the protocol does not define.
    UnknownType = "ms.unknown_type", Error, "type is not in the protocol";
    /// The reserved id `00 00 00`, as an id or handed out by an ACK.
    ZeroId = "ms.zero_id", Error, "id 000000 is reserved";
    /// No conversation on this flow announced the id.
    OrphanId = "ms.orphan_id", Warn, "id never announced: late capture or sender bug";
    /// The type belongs to the other role of this conversation.
    WrongDirection = "ms.wrong_direction", Error, "type belongs to the other peer";
    /// The payload of a SYN is not a destination: an error on I2CP, which asks for one.
    SynBadDestination = "ms.syn_bad_destination", Note, "payload of SYN is not an I2P destination";
    /// A SYN was never answered.
    SynNoAnswer = "ms.syn_no_answer", Warn, "no answer to SYN in the capture";
    /// An id was announced while a conversation that uses it is open.
    IdReuse = "ms.id_reuse", Warn, "id announced again while still in use";
    /// The payload of an ACK is neither empty nor 3 bytes.
    AckBadLength = "ms.ack_bad_length", Error, "ACK without a 3-byte server id";
    /// An ACK without payload: the close of the specification's sample (c).
    AckEmpty = "ms.ack_empty", Warn, "ACK without server id, read as close";
    /// A second ACK of a conversation.
    AckDuplicate = "ms.ack_duplicate", Warn, "conversation was acknowledged before";
    /// Data overtook the ACK.
    DataBeforeAck = "ms.data_before_ack", Note, "data came before the ACK";
    /// Data or a close for a conversation that was closed before.
    DataAfterClose = "ms.data_after_close", Note, "message for a closed conversation";
    /// A close with a payload.
    ClosePayload = "ms.close_payload", Note, "close carries a payload";
    /// A conversation whose end is not in the capture.
    NoClose = "ms.no_close", Note, "no close in the capture";
    /// A data message larger than the reference sends, or than it accepts.
    Oversize = "ms.oversize", Warn, "more bytes than the reference implementation sends";
    /// Silence that the reference's habit of holding back a message's rest would explain.
    LeftoverStall = "ms.leftover_stall", Note, "perhaps a rest that its sender holds back";
    /// The single byte `ff`.
    Ping = "ms.ping", Note, "ping call of the Java library; not answered";
    /// A message of type `ff`.
    Chaff = "ms.chaff", Note, "chaff: ignored by the receiver";
    /// Bytes of a TCP connection are not in the capture.
    TcpGap = "tcp.gap", Warn, "TCP bytes missing from the capture";
    /// A TCP connection whose beginning is not in the capture.
    TcpNoStart = "tcp.no_start", Note, "TCP connection began before the capture";
    /// A RST with another sequence number than the receiver expected, which ignores it.
    TcpResetIgnored = "tcp.reset_ignored", Warn, "TCP reset that the receiver ignores";
    /// A SYN within an open connection, which the receiver ignores.
    TcpSynIgnored = "tcp.syn_ignored", Warn, "TCP SYN within an open connection";
    /// A length prefix that cannot be one.
    TcpBadPrefix = "tcp.bad_prefix", Error, "length prefix that no message has";
    /// A message of which bytes are missing: in a gap, or behind the end of its connection.
    TcpIncomplete = "tcp.incomplete", Note, "message is not whole in the capture";
    /// Bytes that belong to no message for certain.
    TcpSkipped = "tcp.skipped", Note, "bytes skipped in search of the next message";
    /// Records of a TLS connection whose secrets are known, and that cannot be opened.
    TlsUnreadable = "tls.unreadable", Warn, "TLS records that cannot be opened";
    /// A SYN of a client that proved to be somebody else.
    TlsUnprovenSyn = "tls.unproven_syn", Warn, "SYN names another destination than was proven";
    /// A datagram of which fragments are not in the capture.
    UdpFragmentMissing = "udp.fragment_missing", Warn, "IP fragments missing from the capture";
    /// An I2CP frame that cannot be one.
    I2cpBadFrame = "i2cp.bad_frame", Error, "I2CP frame that cannot be read";
    /// An I2CP payload that does not inflate.
    I2cpUnreadablePayload = "i2cp.unreadable_payload", Error, "I2CP payload is not readable gzip";
    /// A message that one session sent and the other did not get.
    I2cpLost = "i2cp.lost", Warn, "message sent through the router did not arrive";
    /// A message that arrived in another order than it was sent.
    I2cpReordered = "i2cp.reordered", Warn, "router delivered in another order than sent";
    /// The capture file ends inside a packet, or is damaged.
    CaptureTruncated = "cap.truncated", Warn, "capture is damaged or ends inside a packet";
    /// Packets were cut by a snap length.
    CaptureSnaplen = "cap.snaplen", Warn, "packets cut by the snap length";
    /// The kernel dropped packets during a live capture.
    CaptureDropped = "cap.dropped", Warn, "packets dropped during capture";
    /// Packets are in the capture twice.
    CaptureDuplicates = "cap.duplicates", Note, "packets captured twice, read once";
    /// Memory was short, and something was forgotten.
    CaptureEvicted = "cap.evicted", Warn, "forgotten for want of memory: raise the bound of memory";
    /// Capture time went backwards.
    CaptureTimeBackwards = "cap.time_backwards", Note, "capture time went backwards";
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// One oddity, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its code.
    pub code: FindingCode,
    /// Its severity here.
    pub level: Level,
    /// The message that showed it; `None` when no single message did.
    pub message: Option<u64>,
    /// The packet that showed it, from 1; `None` when no single packet did.
    pub packet: Option<u64>,
    /// The conversation it belongs to, if any.
    pub conversation: Option<ConversationId>,
    /// The observation, in one line without wire bytes.
    pub text: String,
    /// The same facts by name, for programs.
    pub detail: Vec<(DetailName, FindingDetail)>,
}

impl Finding {
    /// Bytes of memory that it takes beside itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        let details = self.detail.iter().map(|(_, detail)| match detail {
            FindingDetail::Number(_) => 0,
            FindingDetail::Text(text) => text.len(),
        });
        self.text.len() + size_of_val(self.detail.as_slice()) + details.sum::<usize>()
    }
}

/// The end of a finding's text when its message came after the close of its conversation.
pub(crate) const AFTER_CLOSE: &str = ", after close";

macro_rules! detail_names {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// The name of a value in [`Finding::detail`], with its unit.
        // The order is that in which a finding has them: the records, which are JSON objects,
        // are read back in it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DetailName {
            $($(#[$doc])* $variant,)*
        }

        impl DetailName {
            /// Every name, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name as it is written: `payload_bytes`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The one that is written so.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }
        }
    };
}

detail_names! {
    /// Bytes of a packet that are in the capture.
    CapturedBytes = "captured_bytes";
    /// Bytes that it had when it was captured.
    OriginalBytes = "original_bytes";
    /// Bytes of a datagram that are in the capture, in fragments.
    ReceivedBytes = "received_bytes";
    /// A connection id, in hex.
    Id = "id";
    /// The conversation that uses that id, too.
    OtherConv = "other_conv";
    /// Length of the message.
    MessageBytes = "message_bytes";
    /// The length that it exceeds.
    LimitBytes = "limit_bytes";
    /// Length of the payload.
    PayloadBytes = "payload_bytes";
    /// Bytes of a TCP connection that are not in the capture.
    MissingBytes = "missing_bytes";
    /// Offset in one direction of a TCP connection.
    OffsetBytes = "offset_bytes";
    /// The first byte of the message.
    TypeByte = "type_byte";
    /// Number of the message where the other session sent it.
    SentN = "sent_n";
    /// Messages that were sent after it and came before it.
    OvertakenByCount = "overtaken_by_count";
    /// Packets that were captured twice, or dropped.
    PacketCount = "packet_count";
    /// The interfaces that captured the first one twice.
    Between = "between";
    /// How far a sequence number is from the one that was expected.
    DistanceBytes = "distance_bytes";
    /// Milliseconds of silence in both directions.
    SilentMs = "silent_ms";
    /// Bytes that its sender perhaps held back.
    RestBytes = "rest_bytes";
    /// Flows that were forgotten.
    FlowCount = "flow_count";
    /// Conversations that were reported before they were over.
    ConversationCount = "conversation_count";
    /// Conversations whose late messages are no longer recognised.
    ClosedConversationCount = "closed_conversation_count";
    /// Microseconds from the first packet until the first of them was forgotten.
    SinceUs = "since_us";
    /// Microseconds by which time went backwards.
    BackUs = "back_us";
}

/// A value in [`Finding::detail`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindingDetail {
    /// A count, size or offset; the name carries the unit.
    Number(u64),
    /// An id, a type, an address.
    Text(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_lower_case() {
        let mut codes: Vec<_> = FindingCode::ALL.iter().map(|code| code.code()).collect();
        assert!(
            codes
                .iter()
                .all(|code| code.contains('.') && code.to_lowercase() == **code)
        );
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), FindingCode::ALL.len());
    }
}
