//! The tables, one for each kind of record.

use super::{Column, EachColumn, FieldKind, Nesting, Numbers, Range, SCHEMA, Shape, Table, fields};
use crate::capture::{CaptureFormat, Compression, LinkType};
use crate::carrier::Carrier;
use crate::conversation::{ConversationState, Level, MeaningKind};
use crate::wire::{Direction, IdOwner, MessageKind};

/// The meaning of a column of messages: how it is listed, that and more, or something else.
macro_rules! meaning {
    ($about:literal) => {
        $about
    };
    ($about:literal + $more:literal) => {
        concat!($about, $more)
    };
    ($about:literal / $meaning:literal) => {
        $meaning
    };
}

/// What Wireshark calls a field, if its messages have it there.
macro_rules! title {
    () => {
        None
    };
    ($title:literal) => {
        Some($title)
    };
}

/// Whether a column may be null.
macro_rules! is_nullable {
    () => {
        false
    };
    (null) => {
        true
    };
}

/// Columns of messages, which are fields, and in brackets the fields that are no columns.
///
/// What `--list-fields` says of a column is the beginning of its meaning (`+`), or differs (`/`).
/// What Wireshark shows it `as` comes last.
macro_rules! message_columns {
    (
        $($variant:ident = $name:literal $(or $null:ident)?: $kind:expr,
            $about:literal $(+ $more:literal)? $(/ $meaning:literal)? $(as $title:literal)?;)*
        [$($field:ident = $field_name:literal: $field_kind:expr,
            $field_about:literal $(as $field_title:literal)?;)*]
    ) => {
        fields! {
            /// A field of a message: its name is the key in the JSON record, and so is the order.
            Field;
            $($variant = $name, $kind, $about;)*
            $($field = $field_name, $field_kind, $field_about;)*
        }

        impl Field {
            /// What Wireshark calls it; `None` where the dissector does not have it.
            pub(crate) const fn title(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => title!($($title)?),)*
                    $(Self::$field => title!($($field_title)?),)*
                }
            }

            /// Goes through the columns of the record, in order.
            ///
            /// It is compiled column by column, so that nothing is left of the choice of what a
            /// column has.
            #[inline(always)]
            pub(crate) fn for_each_column(each: &mut impl EachColumn) {
                $(each.column(Self::$variant);)*
            }
        }

        const MESSAGE_COLUMNS: &[Column] = &[$(Column {
            name: $name,
            shape: Shape::Value($kind),
            is_nullable: is_nullable!($($null)?),
            meaning: meaning!($about $(+ $more)? $(/ $meaning)?),
        }),*];
    };
}

/// Columns of other records.
macro_rules! columns {
    ($($name:literal $(or $null:ident)?: $shape:expr, $meaning:literal;)*) => {
        &[$(Column {
            name: $name,
            shape: $shape,
            is_nullable: is_nullable!($($null)?),
            meaning: $meaning,
        }),*]
    };
}

/// Columns of other records, with a module of their names for whoever writes and reads them one by one.
macro_rules! named_columns {
    (
        $(#[$doc:meta])* $names:ident, $columns:ident;
        $($constant:ident = $name:literal $(or $null:ident)?: $shape:expr, $meaning:literal;)*
    ) => {
        $(#[$doc])*
        pub(crate) mod $names {
            $(pub(crate) const $constant: &str = $name;)*
        }

        const $columns: &[Column] = columns! {
            $($name $(or $null)?: $shape, $meaning;)*
        };
    };
}

/// The names of all that there are of a type.
macro_rules! names_of {
    ($kind:ident) => {{
        const NAMES: [&str; $kind::ALL.len()] = {
            let mut names = [""; $kind::ALL.len()];
            let mut index = 0;
            while index < names.len() {
                names[index] = $kind::ALL[index].name();
                index += 1;
            }
            names
        };
        &NAMES
    }};
}

const ORDINAL: FieldKind = FieldKind::Number(Range::Ordinal);
pub(super) const COUNT: FieldKind = FieldKind::Number(Range::Count);

message_columns! {
    N = "n": ORDINAL,
        "number of the message, from 1" + "; messages that are not shown count, too"
        as "Message number";
    PacketN = "packet_n": ORDINAL,
        "number of the packet that completed it, from 1" + ", over all inputs" as "Packet number";
    Ts = "ts": FieldKind::Time,
        "capture time, UTC" / "capture time of that packet";
    TUs = "t_us": FieldKind::Micros,
        "microseconds since the first packet" + "; negative when time went backwards"
        as "Microseconds since the first packet";
    Carrier = "carrier": FieldKind::Word(CARRIER_NAMES),
        "its carrier" / "`udp`, `tcp_u32be`, `tcp_u16be`, `segment`, `i2cp`" as "Carrier";
    Src = "src": FieldKind::Address,
        "who sent the packet" / "address and port that sent the packet" as "Source";
    Dst = "dst": FieldKind::Address,
        "who received it" / "address and port that it went to" as "Destination";
    Dir = "dir" or null: FieldKind::Word(DIRECTION_NAMES),
        "direction of the message"
        / "direction: `c2s` from the client, `s2c` from the server; null when neither type nor sender determine it"
        as "Direction";
    Type = "type": FieldKind::Word(TYPE_NAMES),
        "type of the message"
        / "`syn`, `ack`, `data`, `close`, `ping`, `chaff`, `unknown`, `short` (fewer than 4 bytes and no ping)"
        as "Type";
    TypeByte = "type_byte" or null: FieldKind::Number(Range::UpTo(u8::MAX)),
        "its first byte" + "; null when it is empty" as "Type byte";
    Id = "id" or null: FieldKind::Id,
        "the connection id in it" + "; null when it is too short to have one" as "Id";
    IdOwner = "id_owner" or null: FieldKind::Word(OWNER_NAMES),
        "which side chose that id"
        + ": `client`, `server`; null when the type does not determine it"
        as "Id chosen by";
    Conv = "conv" or null: FieldKind::Conversation,
        "the conversation it belongs to" / "the conversation that it belongs to, `c1`"
        as "Conversation";
    Meaning = "meaning": FieldKind::Word(MEANING_NAMES),
        "its effect on the conversation"
        / "its effect there: `opens`, `accepts`, `refuses`, `carries`, `closes`, `closes_again` (closes cross), `ignored`, `orphan`, `idle` (ping, chaff), `meaningless`; `untracked` when conversations were not asked for"
        as "Meaning";
    PayloadBytes = "payload_bytes": FieldKind::Size,
        "length of the payload" / "bytes after type and id" as "Payload length";
    PayloadHex = "payload_hex" or null: FieldKind::HexBytes,
        "the payload in hex"
        / "the payload: all of it, with `--payload preview` its first 64 bytes, with `--payload none` null"
        as "Payload";
    PayloadText = "payload_text" or null: FieldKind::Bytes,
        "the payload's first 64 bytes as text, escaped"
        / r"its first 64 bytes as text, escaped (`\n`, `\x1b`, `\u{202e}`, `\\`), with `…` if there are more; null with `--payload none`";
    ShortHex = "short_hex" or null: FieldKind::HexBytes,
        "the whole message in hex, when it is shorter than 4 bytes"
        / "the whole message, if it has fewer than 4 bytes";
    ServerId = "server_id" or null: FieldKind::Id,
        "the server id that an ACK announces" as "Server id";
    DestinationHash = "destination_hash" or null: FieldKind::Hash,
        "hash of the destination in a SYN" / "SHA-256 of the destination in a SYN, in I2P's base64";
    Session = "session" or null: COUNT,
        "the I2CP session, from 0" / "the I2CP session that carried it, from 0" as "I2CP session";
    SessionName = "session_name" or null: FieldKind::Text,
        "nickname of the I2CP session" / "nickname of that session" as "Name of the I2CP session";
    RouterUs = "router_us" or null: FieldKind::Micros,
        "time in the router since the other session sent it"
        / "microseconds since the other session gave it to the router, where the capture shows both";
    SentN = "sent_n" or null: COUNT,
        "number of the same message where the other session sent it"
        / "number of the same message where the other session gave it to the router: the capture has it twice";
    Encapsulation = "encapsulation" or null: FieldKind::Text,
        "encapsulation of its packet: vlan:vxlan"
        / "[encapsulation](captures.md#links-and-encapsulations) of its packet between the link header and the innermost IP header, outermost first: `vlan:vxlan`";
    Findings = "findings": FieldKind::Codes,
        "codes of its findings" / "codes of the findings about it" as "Finding";
    [
        Level = "level": FieldKind::Level, "highest level of its findings" as "Level";
        Payload = "payload": FieldKind::Bytes, "the payload";
    ]
}

pub(crate) const MESSAGE: &Table = &Table {
    name: "message",
    nesting: Nesting::Line,
    columns: MESSAGE_COLUMNS,
};

pub(crate) const HEADER: &Table = &Table {
    name: "header",
    nesting: Nesting::Line,
    columns: columns! {
        "schema": Shape::Constant(SCHEMA), "";
        "tool_version": TEXT, "version of ministream";
        "redacted": Shape::Words(&["payload", "dest"]),
            "what [`--redact`](sharing.md) replaced in all records: `payload`, `dest`; empty without it";
        "inputs": Shape::Objects(INPUT), "the inputs opened so far, in order; the summary has them all";
    },
};

pub(crate) const INPUT: &Table = &Table {
    name: "input",
    nesting: Nesting::List,
    columns: columns! {
        "path": TEXT, "as the user gave it; `-` is standard input; the interface of a live capture";
        "format": Shape::Value(FieldKind::Word(FORMAT_NAMES)),
            "`pcap`, `pcap_ns` (times in nanoseconds), `pcapng`, `live`";
        "compression" or null: Shape::Value(FieldKind::Word(COMPRESSION_NAMES)),
            "`gzip`, `zstd`; null when it is not compressed";
        "link_type" or null: Shape::Value(FieldKind::Word(LinkType::NAMES)),
            "of its first interface: `null`, `ethernet`, `ppp`, `ppp_hdlc`, `pppoe`, `raw_ip`, `cisco_hdlc`, `ieee802_11`, `loop`, `linux_cooked`, `ieee802_11_prism`, `ieee802_11_radiotap`, `ieee802_11_avs`, `ppp_with_direction`, `mpls`, `ipv4`, `ipv6`, `nflog`, `ip_over_infiniband`, `pktap`, `linux_cooked_2`, or `other` for one that is not read; null before the first packet";
        "link_type_number" or null: Shape::Value(COUNT),
            "its number in the [registry of link types](https://www.tcpdump.org/linktypes.html); 101 for every kind of raw IP";
        "packet_count" or null: Shape::Value(COUNT),
            "packets read; null in the header of a long or live capture, where reading goes on";
        "truncated": Shape::Bool, "whether it ended inside a packet, or is damaged";
    },
};

named_columns! {
    /// Names of the columns of a conversation.
    of_conversation, CONVERSATION_COLUMNS;
    CONV = "conv": CONV, "its name, `c1`";
    CLIENT = "client": ADDRESS,
        "address and port of the end that opened it; on I2CP that of the application or of the router";
    CLIENT_NAME = "client_name" or null: TEXT, "nickname of the client's I2CP session";
    CLIENT_HASH = "client_hash" or null: HASH, "hash of the client's destination, in I2P's base64";
    SERVER = "server": ADDRESS, "address and port of the other end";
    SERVER_NAME = "server_name" or null: TEXT, "nickname of the server's I2CP session";
    SERVER_HASH = "server_hash" or null: HASH, "hash of the server's destination";
    CARRIER = "carrier": Shape::Value(FieldKind::Word(CARRIER_NAMES)), "as in `message`";
    CLIENT_ID = "client_id" or null: ID, "null when only messages to the server were seen";
    SERVER_ID = "server_id" or null: ID, "null until an ACK or a message to the server shows it";
    STATE = "state": Shape::Value(FieldKind::Word(STATE_NAMES)),
        "`syn_sent`, `refused`, `open`, `client_closed`, `server_closed`, `no_answer`, `mid_stream` (its SYN is not in the capture)";
    START_T_US = "start_t_us": MICROS, "microseconds from the first packet to its first message";
    DURATION_US = "duration_us": MICROS, "from its first to its last message that had an effect";
    HANDSHAKE_US = "handshake_us" or null: MICROS, "from SYN to ACK";
    FIRST_BYTE_US = "first_byte_us" or null: MICROS, "from SYN to the first data of either side";
    C2S = "c2s": Shape::Numbers(TALLY), "data from the client: `message_count`, `payload_bytes`";
    S2C = "s2c": Shape::Numbers(TALLY), "data from the server, likewise";
    FINDING_COUNT = "finding_count": Shape::Value(COUNT), "findings about it";
    PEER_VIEW = "peer_view" or null: CONV,
        "the same conversation as seen on the other session's connection to the router";
    ROUTER_TIME_US = "router_time_us" or null: Shape::Numbers(ROUTER_TIME),
        "time that its messages spent in the router: `min`, `mean`, `max`";
}

pub(crate) const CONVERSATION: &Table = &Table {
    name: "conversation",
    nesting: Nesting::Line,
    columns: CONVERSATION_COLUMNS,
};

named_columns! {
    /// Names of the columns of a finding.
    of_finding, FINDING_COLUMNS;
    LEVEL = "level": Shape::Value(FieldKind::Level), "`note`, `warn`, `error`";
    CODE = "code": Shape::Code, "stable code, `ms.orphan_id`";
    N = "n" or null: Shape::Value(ORDINAL), "the message that caused it";
    PACKET_N = "packet_n" or null: Shape::Value(ORDINAL), "the packet that caused it";
    CONV = "conv" or null: CONV, "the conversation that it belongs to";
    TEXT = "text": TEXT, "a description of one line";
    DETAIL = "detail": Shape::Details,
        "the same facts by name: numbers and strings; which ones depends on the code";
}

pub(crate) const FINDING: &Table = &Table {
    name: "finding",
    nesting: Nesting::Line,
    columns: FINDING_COLUMNS,
};

pub(crate) const SUMMARY: &Table = &Table {
    name: "summary",
    nesting: Nesting::Line,
    columns: columns! {
        "message_count": Shape::Value(COUNT), "messages";
        "conversation_count": Shape::Value(COUNT), "conversations";
        "by_type": Shape::Counts(TYPE_NAMES), "messages by `type`; every type is there";
        "by_state": Shape::Counts(STATE_NAMES), "conversations by `state`; every state is there";
        "by_level": Shape::Counts(&[Level::Error.name(), Level::Warn.name(), Level::Note.name()]),
            "findings by `level`; every level is there";
        "c2s": Shape::Numbers(TALLY), "data from clients within conversations: `message_count`, `payload_bytes`";
        "s2c": Shape::Numbers(TALLY), "data from servers, likewise";
        "c2s_once": Shape::Numbers(TALLY),
            "`c2s` without second copies: where a capture shows both sides of a router, a message that one session gave to the router and the router gave to the other counts once";
        "s2c_once": Shape::Numbers(TALLY), "`s2c`, likewise";
        "packet_count": Shape::Value(COUNT), "packets read";
        "skipped": Shape::SomeCounts, "packets without usable payload, by reason";
        "foreign": Shape::Counts(&["flow_count", "tls_flow_count", "payload_count", "payload_bytes", "i2cp_message_count"]),
            "traffic of other protocols: `flow_count`; `tls_flow_count`, TCP connections that offer ministreaming inside TLS and whose secrets are not known; the payloads of these flows, `payload_count` and `payload_bytes`; `i2cp_message_count`, messages of other protocols in I2CP";
        "near_flows": Shape::Objects(NEAR_FLOW),
            "flows of other protocols that resemble ours, by server and carrier: `client`, `server`, `carrier`, `flow_count`, `reason`, and `decode_as`, the rule of `-d` that reads them; at most 64 groups";
        "warning" or null: TEXT,
            "a warning of what was not read and may hold messages, as on standard error";
        "inputs": Shape::Objects(INPUT), "as in the header, with final counts";
        "dropped_by_kernel_count" or null: Shape::Value(COUNT),
            "packets that the kernel dropped in a live capture";
        "evicted": Shape::Counts(&["flow_count", "conversation_count", "closed_conversation_count"]),
            "numbers evicted for want of memory, as `cap.evicted` reports them: `flow_count`, `conversation_count`, and `closed_conversation_count`, conversations whose late messages are no longer recognised; `--memory` raises the bound";
        "duration_us" or null: MICROS, "from the first to the latest packet; null without packets";
        "exit_code": Shape::Value(FieldKind::Number(Range::UpTo(3))), "exit code of the program";
    },
};

pub(super) const NEAR_FLOW: &Table = &Table {
    name: "near_flow",
    nesting: Nesting::List,
    columns: columns! {
        "client": TEXT, "address of the first client";
        "server": TEXT, "address of the server";
        "carrier": TEXT, "the carrier that they would have";
        "flow_count": Shape::Value(COUNT), "how many flows";
        "reason": TEXT, "what resembles ours";
        "decode_as": TEXT, "the rule of `-d` that reads them";
    },
};

const TEXT: Shape = Shape::Value(FieldKind::Text);
const ID: Shape = Shape::Value(FieldKind::Id);
const CONV: Shape = Shape::Value(FieldKind::Conversation);
const ADDRESS: Shape = Shape::Value(FieldKind::Address);
const HASH: Shape = Shape::Value(FieldKind::Hash);
const MICROS: Shape = Shape::Value(FieldKind::Micros);

/// Names of the numbers of a tally.
pub(crate) mod of_tally {
    pub(crate) const MESSAGE_COUNT: &str = "message_count";
    pub(crate) const PAYLOAD_BYTES: &str = "payload_bytes";
}

pub(super) const TALLY: &Numbers = &Numbers {
    name: "tally",
    members: &[of_tally::MESSAGE_COUNT, of_tally::PAYLOAD_BYTES],
    kind: COUNT,
};

/// Names of the times that messages spent in a router.
pub(crate) mod of_router_time {
    pub(crate) const MIN: &str = "min";
    pub(crate) const MEAN: &str = "mean";
    pub(crate) const MAX: &str = "max";
}

pub(super) const ROUTER_TIME: &Numbers = &Numbers {
    name: "router_time",
    members: &[
        of_router_time::MIN,
        of_router_time::MEAN,
        of_router_time::MAX,
    ],
    kind: FieldKind::Micros,
};

const FORMAT_NAMES: &[&str] = names_of!(CaptureFormat);
const COMPRESSION_NAMES: &[&str] = names_of!(Compression);
const CARRIER_NAMES: &[&str] = names_of!(Carrier);
const DIRECTION_NAMES: &[&str] = names_of!(Direction);
pub(super) const LEVEL_NAMES: &[&str] = names_of!(Level);
/// Values of `state`.
pub(crate) const STATE_NAMES: &[&str] = names_of!(ConversationState);

/// Values of `type`, in the order of the summary's `by_type`.
pub(crate) const TYPE_NAMES: &[&str] = names_of!(MessageKind);

const OWNER_NAMES: &[&str] = names_of!(IdOwner);

const MEANING_NAMES: &[&str] = names_of!(MeaningKind);
