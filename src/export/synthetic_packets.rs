//! `-w` of redacted messages: packets made anew around them.
//!
//! The packets of the capture hold bytes that nobody looked at: of other protocols, of gaps and
//! retransmissions, in comments and options. None of them is written. The output is made of
//! redacted messages alone, so that nothing else can be in it; faults of the packets themselves are
//! not in it either.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::io::{self, Write};
use std::net::SocketAddr;

use crate::capture::{LinkType, Packet, PcapngWriter};
use crate::carrier::Carrier;
use crate::carrier::length_prefixed::{LengthError, Prefix, encode_prefix};
use crate::conversation::{ChannelStart, Finding, MessageEvent};
use crate::dissect::FlowReport;
use crate::export::packets::{MAX_COMMENT_BYTES, comment_line};
use crate::net::Side;
use crate::net::synthetic::{Connection, MAX_SEGMENT_BYTES, Segment, make_datagram};
use crate::record::Summary;
use crate::record::printer::{Printer, SharedOutput};
use crate::record::tally::{Sight, Totals};
use crate::select::redact::Secrets;
use crate::time::Timestamp;
use crate::wire::{FrameType, RawMessage};

/// Connections that are remembered; later messages of a forgotten one go on as a new connection. As
/// many as the dissection follows.
const MAX_CONNECTIONS: usize = 65_536;

/// Writes packets that carry the messages it is shown, and findings as comments.
#[derive(Debug)]
pub struct SyntheticPackets<W> {
    writer: PcapngWriter<W>,
    connections: HashMap<Ends, (Connection, Handshake)>,
    /// The same, the oldest first.
    ages: VecDeque<Ends>,
    /// The last packet of the latest message, which findings may follow.
    waiting: Option<Waiting>,
    /// The sequence number that the latest connection began with.
    sequence: u32,
    /// The comment on the next packet.
    comment: String,
    packet_count: u64,
    messages_left_out: u64,
    findings_left_out: u64,
    /// The message with its carrier's bytes before it.
    bytes: Vec<u8>,
}

/// Sequence numbers between the beginnings of two connections: odd, so that all come
/// round before one comes again, and near half of them.
const SEQUENCE_STEP: u32 = 0x6000_0001;

/// The addresses of a connection, the initiator's first.
type Ends = [SocketAddr; 2];

/// Whether a connection has begun with its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handshake {
    Due,
    /// It was written, or is not in the capture.
    Done,
}

/// A packet that is not written yet.
#[derive(Debug)]
struct Waiting {
    /// Number of its message.
    message: u64,
    time: Timestamp,
    packet: Vec<u8>,
}

impl<W: Write> SyntheticPackets<W> {
    /// Begins a capture whose header names the `redacted` secrets.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(out: W, redacted: Secrets) -> io::Result<Self> {
        let comment = format!(
            "{}; packets made anew by ministream-dump {}",
            redacted.notice().unwrap_or("not redacted"),
            env!("CARGO_PKG_VERSION")
        );
        let mut writer = PcapngWriter::new_commented(out, &comment)?;
        // Empty it can be read already.
        writer.flush()?;
        Ok(Self {
            writer,
            connections: HashMap::new(),
            ages: VecDeque::new(),
            waiting: None,
            sequence: 0,
            comment: String::new(),
            packet_count: 0,
            messages_left_out: 0,
            findings_left_out: 0,
            bytes: Vec::new(),
        })
    }

    /// Messages that are in no packet: those that I2CP carried.
    pub const fn messages_left_out(&self) -> u64 {
        self.messages_left_out
    }

    /// Findings that are in no comment, as there were too many on one packet.
    pub const fn findings_left_out(&self) -> u64 {
        self.findings_left_out
    }

    /// Writes the packets still waiting for findings, of which there are no more, and hands them
    /// on.
    fn write_waiting_and_flush(&mut self) -> io::Result<()> {
        self.write_waiting()?;
        self.writer.flush()
    }

    fn datagram(&mut self, event: &MessageEvent<'_>) -> io::Result<()> {
        let mut packet = Vec::new();
        self.bytes.clear();
        put_message(&event.message, &mut self.bytes);
        make_datagram(
            event.source,
            event.target,
            self.packet_count,
            &self.bytes,
            &mut packet,
        );
        self.push(event, packet)
    }

    fn put_stream_bytes(
        &mut self,
        message: &RawMessage<'_>,
        prefix: Option<Prefix>,
    ) -> Result<(), LengthError> {
        self.bytes.clear();
        if let Some(prefix) = prefix {
            encode_prefix(prefix, message.message_bytes(), &mut self.bytes)?;
        }
        put_message(message, &mut self.bytes);
        Ok(())
    }

    fn segments(&mut self, event: &MessageEvent<'_>) -> io::Result<()> {
        let (source, target) = (event.source, event.target);
        let (ends, from) = if self.connections.contains_key(&[target, source]) {
            ([target, source], Side::Responder)
        } else {
            ([source, target], Side::Initiator)
        };
        let mut packets = Vec::new();
        let mut make = |connection: &mut Connection, from, segment| {
            let mut packet = Vec::new();
            connection.make_segment(from, segment, &mut packet);
            packets.push(packet);
        };
        if !self.connections.contains_key(&ends) {
            self.remember(ends, Handshake::Due);
        }
        if let Some((connection, handshake)) = self.connections.get_mut(&ends) {
            if std::mem::replace(handshake, Handshake::Done) == Handshake::Due {
                for (from, segment) in Connection::HANDSHAKE {
                    make(connection, from, segment);
                }
            }
            for piece in self.bytes.chunks(MAX_SEGMENT_BYTES) {
                make(connection, from, Segment::Data(piece));
            }
        }
        for packet in packets {
            self.push(event, packet)?;
        }
        Ok(())
    }

    fn push(&mut self, event: &MessageEvent<'_>, packet: Vec<u8>) -> io::Result<()> {
        self.write_waiting()?;
        self.waiting = Some(Waiting {
            message: event.number,
            time: event.time,
            packet,
        });
        Ok(())
    }

    fn write_waiting(&mut self) -> io::Result<()> {
        let Some(waiting) = self.waiting.take() else {
            return Ok(());
        };
        self.packet_count += 1;
        let packet = Packet {
            number: self.packet_count,
            time: waiting.time,
            interface: crate::capture::InterfaceId::default(),
            link_type: LinkType::RawIp,
            data: &waiting.packet,
            // No packet of IP is longer than 64 KiB.
            original_bytes: u32::try_from(waiting.packet.len()).unwrap_or(u32::MAX),
        };
        let comment = std::mem::take(&mut self.comment);
        if comment.is_empty() {
            self.writer.write(&packet)
        } else {
            self.writer.write_commented(&packet, &comment)
        }
    }

    fn remember(&mut self, ends: Ends, handshake: Handshake) {
        if self.ages.len() >= MAX_CONNECTIONS
            && let Some(oldest) = self.ages.pop_front()
        {
            self.connections.remove(&oldest);
        }
        self.ages.push_back(ends);
        let [initiator, responder] = ends;
        // Far from those of the connections before it.
        self.sequence = self.sequence.wrapping_add(SEQUENCE_STEP);
        let connection = Connection::new(initiator, responder, self.sequence);
        self.connections.insert(ends, (connection, handshake));
    }
}

impl<W: Write + Debug + Send + 'static> Printer for SyntheticPackets<W> {
    /// Notes a connection: as in the capture, it has a beginning or none.
    fn flow(&mut self, flow: &FlowReport) {
        if matches!(flow.carrier, Carrier::Udp | Carrier::I2cp) {
            return;
        }
        let [initiator, responder] = flow.addresses;
        self.connections.remove(&[responder, initiator]);
        self.connections.remove(&flow.addresses);
        let handshake = match flow.start {
            ChannelStart::Missed => Handshake::Done,
            ChannelStart::Captured | ChannelStart::Unknown => Handshake::Due,
        };
        self.remember(flow.addresses, handshake);
    }

    /// Writes the packets that carry a message, but for the last, which waits for
    /// findings.
    fn message(&mut self, event: &MessageEvent<'_>, _: Sight, _: &mut Vec<u8>) -> io::Result<()> {
        let prefix = match (event.carrier, Prefix::of(event.carrier)) {
            (Carrier::Udp, _) => return self.datagram(event),
            (Carrier::Segment, _) => None,
            (_, Some(prefix)) => Some(prefix),
            // No packets are made for I2CP.
            (_, None) => {
                self.messages_left_out += 1;
                return Ok(());
            }
        };
        match self.put_stream_bytes(&event.message, prefix) {
            Ok(()) => self.segments(event),
            Err(LengthError { .. }) => {
                self.messages_left_out += 1;
                Ok(())
            }
        }
    }

    /// Notes the comment: on the packet of its message, or if it is about none on the next one.
    fn finding(&mut self, finding: &Finding, _: &mut Vec<u8>) -> io::Result<()> {
        let waits = self.waiting.as_ref().map(|waiting| waiting.message);
        if finding.packet.is_none() || finding.message.is_some() && finding.message != waits {
            return Ok(());
        }
        if finding.message.is_none() {
            self.write_waiting()?;
        }
        let line = comment_line(finding);
        if self.comment.len() + line.len() >= MAX_COMMENT_BYTES {
            self.findings_left_out += 1;
            return Ok(());
        }
        if !self.comment.is_empty() {
            self.comment.push('\n');
        }
        self.comment.push_str(&line);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_waiting_and_flush()
    }

    fn finish(&mut self, _: &Totals, _: &Summary<'_>, _: &mut SharedOutput<'_>) -> io::Result<()> {
        self.write_waiting_and_flush()
    }
}

fn put_message(message: &RawMessage<'_>, out: &mut Vec<u8>) {
    match message {
        RawMessage::Frame(frame) => frame.encode(out),
        RawMessage::Ping => out.push(FrameType::CHAFF.0),
        RawMessage::Short(bytes) => out.extend_from_slice(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{CaptureFile, PacketSource};
    use crate::conversation::FindingCode;
    use crate::dissect::DetectionSource;
    use crate::net::FlowId;
    use crate::testing::{self, Written};

    const REDACTED: Secrets = Secrets {
        payload: true,
        destinations: false,
    };

    /// Addresses, flags and payload lengths of the TCP segments that are written.
    fn segments(show: impl FnOnce(&mut Written<SyntheticPackets<Vec<u8>>>)) -> Vec<String> {
        let mut packets = Written::by(SyntheticPackets::new(Vec::new(), REDACTED).unwrap());
        show(&mut packets);
        packets.printer.write_waiting_and_flush().unwrap();
        let written = packets.printer.writer.into_inner();
        let mut file = CaptureFile::from_reader("made", io::Cursor::new(written)).unwrap();
        let mut segments = Vec::new();
        while let Some(packet) = file.next_packet().unwrap() {
            let sliced = etherparse::SlicedPacket::from_ip(packet.data).unwrap();
            let Some(etherparse::TransportSlice::Tcp(tcp)) = sliced.transport else {
                panic!("no TCP header");
            };
            segments.push(format!(
                "{} {}{}",
                tcp.source_port(),
                if tcp.syn() { "SYN" } else { "" },
                tcp.payload().len()
            ));
        }
        segments
    }

    fn flow(start: ChannelStart) -> FlowReport {
        FlowReport {
            id: FlowId(0),
            addresses: [testing::client(), testing::server()],
            carrier: Carrier::TcpU32,
            detection: DetectionSource::Content,
            start,
        }
    }

    fn over(carrier: Carrier, message: &[u8]) -> MessageEvent<'_> {
        MessageEvent {
            carrier,
            ..testing::event(message)
        }
    }

    #[test]
    fn a_connection_has_the_beginning_that_the_capture_showed() {
        let server_first = over(Carrier::TcpU32, b"\x52\x01\x02\x03");
        let whole = segments(|packets| {
            packets.printer.flow(&flow(ChannelStart::Captured));
            packets.message(&server_first);
            packets.message(&server_first);
        });
        assert_eq!(
            whole,
            ["40112 SYN0", "9004 SYN0", "40112 0", "9004 8", "9004 8"]
        );
        let cut = segments(|packets| {
            packets.printer.flow(&flow(ChannelStart::Missed));
            packets.message(&server_first);
        });
        assert_eq!(cut, ["9004 8"]);
    }

    #[test]
    fn a_long_message_takes_several_segments() {
        let message = [b"\xa0\x01\x02\x03", &[b'*'; 65_532][..]].concat();
        let long = segments(|packets| {
            packets.printer.flow(&flow(ChannelStart::Missed));
            packets.message(&over(Carrier::TcpU32, &message));
        });
        assert_eq!(long, ["40112 65495", "40112 45"]);
    }

    #[test]
    fn what_cannot_be_written_is_counted() {
        let mut packets = Written::by(SyntheticPackets::new(Vec::new(), REDACTED).unwrap());
        let too_long = [b'*'; 65_537];
        for (carrier, message) in [
            (Carrier::I2cp, &b"\xa0\x01\x02\x03"[..]),
            (Carrier::TcpU16, &too_long),
            (Carrier::TcpU32, &too_long),
        ] {
            packets.message(&over(carrier, message));
        }
        assert_eq!(
            (
                packets.printer.messages_left_out(),
                packets.printer.packet_count
            ),
            (3, 0)
        );
        packets.message(&over(Carrier::Udp, b"\xff"));
        for _ in 0..1_000 {
            packets.finding(&testing::finding(FindingCode::Ping));
        }
        assert!(packets.printer.comment.len() <= MAX_COMMENT_BYTES);
        let said = packets.printer.comment.lines().count() as u64;
        assert!(said > 10 && said + packets.printer.findings_left_out() == 1_000);
    }

    #[test]
    fn findings_are_said_on_the_packet_of_their_message() {
        let mut packets = Written::by(SyntheticPackets::new(Vec::new(), REDACTED).unwrap());
        let of_another = Finding {
            message: Some(2),
            ..testing::finding(FindingCode::Chaff)
        };
        packets.message(&over(Carrier::Udp, b"\xff"));
        packets.finding(&testing::finding(FindingCode::Ping));
        packets.finding(&of_another);
        assert_eq!(packets.printer.comment, "note ms.ping: seen");
        packets.message(&over(Carrier::Udp, b"\xff"));
        assert_eq!(packets.printer.comment, "");
        let of_none = Finding {
            message: None,
            ..testing::finding(FindingCode::TcpGap)
        };
        packets.finding(&of_none);
        assert_eq!(packets.printer.comment, "warn tcp.gap: seen");
        assert_eq!(
            packets.printer.packet_count, 2,
            "it is said on the next packet"
        );
    }

    #[test]
    fn of_too_many_connections_the_oldest_is_forgotten() {
        let mut packets = SyntheticPackets::new(Vec::new(), REDACTED).unwrap();
        let ends = |number: u32| {
            let address = std::net::Ipv4Addr::from(0x0a00_0000 + number);
            [(address, 40_000).into(), testing::server()]
        };
        let count = u32::try_from(MAX_CONNECTIONS).unwrap();
        for number in 0..=count {
            packets.remember(ends(number), Handshake::Done);
        }
        assert_eq!(packets.connections.len(), MAX_CONNECTIONS);
        assert_eq!(packets.ages.len(), MAX_CONNECTIONS);
        assert!(!packets.connections.contains_key(&ends(0)));
        assert!(packets.connections.contains_key(&ends(1)));
        assert!(packets.connections.contains_key(&ends(count)));
    }
}
