//! Events for the tests of modules that show them, made by hand.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::capture::{CaptureFormat, InputInfo, LinkType};
use crate::carrier::Carrier;
use crate::conversation::{
    Conversation, ConversationId, ConversationState, DetailName, Finding, FindingCode,
    FindingDetail, I2cpSession, Meaning, MessageEvent, Party, SessionId, Tally,
};
use crate::dissect::{EvictedCounts, ForeignCounts, NearFlows};
use crate::field::PayloadDetail;
use crate::net::Encapsulation;
use crate::record::Summary;
use crate::record::printer::{Printer, SharedOutput};
use crate::record::tally::{Sight, Totals};
use crate::report::style::{Colouring, IdFormat, PREVIEW_COLUMNS, Style, TimeStyle};
use crate::select::redact::Secrets;
use crate::text::escape::Charset;
use crate::time::Timestamp;
use crate::wire::{ClientId, DestinationHash, Direction, RawMessage, ServerId, StreamId};

pub(crate) const START: Timestamp = Timestamp::from_parts(1_085_486_400, 0);

pub(crate) fn client() -> SocketAddr {
    "127.0.0.1:40112".parse().unwrap()
}

pub(crate) fn server() -> SocketAddr {
    "127.0.0.1:9004".parse().unwrap()
}

/// Message 3 of the sample: data from the client, or whatever `message` is.
pub(crate) fn event(message: &[u8]) -> MessageEvent<'_> {
    let message = RawMessage::parse(message);
    let direction = message
        .frame()
        .and_then(|frame| frame.frame_type.direction());
    let (source, target) = match direction {
        Some(Direction::ServerToClient) => (server(), client()),
        _ => (client(), server()),
    };
    MessageEvent {
        number: 3,
        packet: 3,
        time: START.plus_nanos(5_000_000),
        elapsed_us: 5_000,
        encapsulation: Encapsulation::NONE,
        carrier: Carrier::Udp,
        source,
        target,
        direction,
        message,
        conversation: Some(ConversationId(1)),
        meaning: Meaning::Carries,
        session: None,
        router_ns: None,
        sent_as: None,
        destination_hash: None,
        findings: &[],
    }
}

pub(crate) fn session() -> I2cpSession {
    I2cpSession {
        id: SessionId(2),
        wire_id: Some(0x1f2e),
        nickname: Some("evil\u{1b}[2J\"\u{202e}".to_owned()),
        hash: None,
    }
}

pub(crate) fn finding(code: FindingCode) -> Finding {
    Finding {
        code,
        level: code.level(),
        message: Some(3),
        packet: Some(3),
        conversation: Some(ConversationId(1)),
        text: "seen".to_owned(),
        detail: vec![
            (DetailName::Id, FindingDetail::Text("0bad1d".to_owned())),
            (DetailName::OffsetBytes, FindingDetail::Number(7)),
        ],
    }
}

pub(crate) fn conversation(number: u64) -> Conversation {
    let end = |address, hash| Party {
        address,
        nickname: None,
        hash,
    };
    Conversation {
        id: ConversationId(number),
        carrier: Carrier::Udp,
        client: end(client(), Some(DestinationHash::of(&[]))),
        server: end(server(), None),
        client_id: Some(ClientId(StreamId([0x11; 3]))),
        server_id: Some(ServerId(StreamId([0xff; 3]))),
        state: ConversationState::ServerClosed,
        start: START,
        start_us: 0,
        end: START.plus_nanos(206_000_000),
        handshake_ns: Some(4_000_000),
        first_byte_ns: Some(5_000_999),
        c2s: Tally {
            message_count: 1,
            payload_bytes: 27,
        },
        s2c: Tally {
            message_count: 1,
            payload_bytes: 44,
        },
        finding_count: 0,
        peer_view: None,
        router: None,
    }
}

pub(crate) fn input() -> InputInfo {
    InputInfo {
        path: PathBuf::from("capture.pcap"),
        format: CaptureFormat::Pcap,
        compression: None,
        link_type: Some(LinkType::Ethernet),
        interfaces: Vec::new(),
        packet_count: 14,
        truncated: false,
    }
}

pub(crate) const fn style() -> Style {
    Style {
        charset: Charset::Unicode,
        colour: Colouring::Never,
        width: 92,
        ids: IdFormat::Hex,
        times: TimeStyle::Relative,
        payload: PayloadDetail::Preview,
        previews: PREVIEW_COLUMNS,
        redacted: Secrets::NONE,
    }
}

/// The summary of a capture of which nothing else is known.
pub(crate) fn summary<'a>(inputs: &'a [InputInfo], near: &'a NearFlows) -> Summary<'a> {
    Summary {
        inputs,
        packet_count: 14,
        span: None,
        skipped: &[],
        foreign: ForeignCounts::default(),
        near,
        warning: None,
        dropped_by_kernel: None,
        evicted: EvictedCounts::default(),
        exit_code: 0,
    }
}

/// An output, and the bytes that it has written to the shared one.
pub(crate) struct Written<P> {
    pub(crate) printer: P,
    out: Vec<u8>,
}

impl<P: Printer> Written<P> {
    pub(crate) const fn by(printer: P) -> Self {
        Self {
            printer,
            out: Vec::new(),
        }
    }

    pub(crate) fn message(&mut self, event: &MessageEvent<'_>) {
        let written = self.printer.message(event, Sight::First, &mut self.out);
        written.unwrap();
    }

    pub(crate) fn finding(&mut self, finding: &Finding) {
        self.printer.finding(finding, &mut self.out).unwrap();
    }

    pub(crate) fn conversation(&mut self, conversation: &Conversation) {
        let written = self.printer.conversation(conversation, &mut self.out);
        written.unwrap();
    }

    /// Ends a capture of which nothing else is known.
    pub(crate) fn finish(&mut self, totals: &Totals, inputs: &[InputInfo]) {
        let near = NearFlows::default();
        let summary = summary(inputs, &near);
        let mut out = SharedOutput {
            buffer: &mut self.out,
            drain: &mut |_| Ok(()),
        };
        self.printer.finish(totals, &summary, &mut out).unwrap();
    }

    /// The table as it stands, with `open` conversations.
    pub(crate) fn table(&mut self, open: &[&Conversation]) -> String {
        let mut out = SharedOutput {
            buffer: &mut self.out,
            drain: &mut |_| Ok(()),
        };
        self.printer.table(open, &mut out).unwrap();
        self.text()
    }

    /// Takes the text written since it was last taken.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.out)).unwrap()
    }
}
