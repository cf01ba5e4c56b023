//! TCP connections whose sequence numbers are kept, so that a test can send,
//! resend, overlap and forget what it likes.

use std::net::SocketAddr;
use std::ops::Range;

use crate::ip::{self, Path};
use crate::{End, Wire, length_u32};

const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// One TCP segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgment number; 0 without the ACK flag.
    pub acknowledgment: u32,
    /// FIN 1, SYN 2, RST 4, PSH 8, ACK 16.
    pub flags: u8,
    /// The data.
    pub payload: Vec<u8>,
}

impl Segment {
    /// Header (with a maximum segment size option on a SYN) and data.
    pub fn encode(&self, path: Path) -> Vec<u8> {
        let options: &[u8] = match self.flags & SYN {
            0 => &[],
            _ => &[2, 4, 0xff, 0xd7],
        };
        let words = if options.is_empty() { 5 } else { 6 };
        let mut bytes = Vec::with_capacity(24 + self.payload.len());
        bytes.extend(path.source.port().to_be_bytes());
        bytes.extend(path.target.port().to_be_bytes());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.acknowledgment.to_be_bytes());
        bytes.extend([words << 4, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        bytes.extend_from_slice(options);
        bytes.extend_from_slice(&self.payload);
        let sum = ip::transport_checksum(path, ip::TCP, &bytes);
        bytes[16..18].copy_from_slice(&sum.to_be_bytes());
        bytes
    }
}

/// One direction of a connection.
#[derive(Clone, Debug)]
struct Direction {
    initial: u32,
    sent: Vec<u8>,
}

/// A TCP connection. It remembers what each end has sent, so that any part can
/// be sent again.
#[derive(Clone, Debug)]
pub struct TcpFlow {
    addresses: [SocketAddr; 2],
    directions: [Direction; 2],
}

impl TcpFlow {
    /// A connection between two addresses of one IP version.
    pub fn new(client: SocketAddr, server: SocketAddr) -> Self {
        Self::with_initial_sequence(client, server, [1_000_000, 2_000_000])
    }

    /// A connection whose ends begin at these sequence numbers, the client's first.
    pub fn with_initial_sequence(
        client: SocketAddr,
        server: SocketAddr,
        initial: [u32; 2],
    ) -> Self {
        Self {
            addresses: [client, server],
            directions: initial.map(|initial| Direction {
                initial,
                sent: Vec::new(),
            }),
        }
    }

    /// The three packets that open it.
    pub fn open(&mut self, wire: &mut Wire) {
        let [client, server] = [0, 1].map(|side: usize| self.directions[side].initial);
        let packets = [
            (End::Client, SYN, client, 0),
            (End::Server, SYN | ACK, server, client.wrapping_add(1)),
            (
                End::Client,
                ACK,
                client.wrapping_add(1),
                server.wrapping_add(1),
            ),
        ];
        for (from, flags, sequence, acknowledgment) in packets {
            self.put(
                wire,
                from,
                &Segment {
                    sequence,
                    acknowledgment,
                    flags,
                    payload: Vec::new(),
                },
            );
        }
    }

    /// Sends bytes in one segment.
    pub fn send(&mut self, wire: &mut Wire, from: End, bytes: &[u8]) {
        let start = self.directions[from.index()].sent.len();
        self.directions[from.index()].sent.extend_from_slice(bytes);
        self.resend(wire, from, start..start + bytes.len());
    }

    /// Sends bytes in segments of at most `size` bytes.
    pub fn send_in_segments(&mut self, wire: &mut Wire, from: End, bytes: &[u8], size: usize) {
        for part in bytes.chunks(size) {
            self.send(wire, from, part);
        }
    }

    /// Bytes are sent and received, but the capture does not see them.
    pub fn send_unseen(&mut self, from: End, bytes: &[u8]) {
        self.directions[from.index()].sent.extend_from_slice(bytes);
    }

    /// Sends bytes again that were sent before, by their place in the stream.
    pub fn resend(&self, wire: &mut Wire, from: End, range: Range<usize>) {
        let payload = self.directions[from.index()].sent[range.clone()].to_vec();
        self.put(
            wire,
            from,
            &Segment {
                sequence: self.sequence_at(from, range.start),
                acknowledgment: self.next_sequence(from.opposite()),
                flags: PSH | ACK,
                payload,
            },
        );
    }

    /// A segment without data that acknowledges all that the other end has sent.
    pub fn acknowledge(&self, wire: &mut Wire, from: End) {
        self.put_control(wire, from, ACK);
    }

    /// Both ends close, `first` first.
    pub fn close(&self, wire: &mut Wire, first: End) {
        self.put_control(wire, first, FIN | ACK);
        let second = first.opposite();
        // The FIN takes a sequence number of its own.
        self.put_raw(wire, second, FIN | ACK, 0, 1);
        self.put_raw(wire, first, ACK, 1, 1);
    }

    /// One end resets the connection.
    pub fn reset(&self, wire: &mut Wire, from: End) {
        self.put_control(wire, from, RST | ACK);
    }

    /// A keep-alive: one byte that was acknowledged long ago, sent again.
    pub fn keep_alive(&self, wire: &mut Wire, from: End) {
        let sent = self.directions[from.index()].sent.len();
        self.resend(wire, from, sent.saturating_sub(1)..sent);
    }

    /// Forgets what an end has sent; it cannot be sent again. Keeps a long
    /// connection small, and many of them.
    pub fn forget(&mut self, from: End) {
        let direction = &mut self.directions[from.index()];
        direction.initial = direction
            .initial
            .wrapping_add(length_u32(direction.sent.len()));
        direction.sent = Vec::new();
    }

    /// How many bytes an end has sent.
    pub fn sent_bytes(&self, from: End) -> usize {
        self.directions[from.index()].sent.len()
    }

    /// Puts any segment on the wire.
    pub fn put(&self, wire: &mut Wire, from: End, segment: &Segment) {
        let path = self.path(from);
        let packet = ip::packet(
            path,
            ip::TCP,
            wire.next_identification(),
            &segment.encode(path),
        );
        wire.push(&packet);
    }

    /// From whom to whom a segment of that end goes.
    pub const fn path(&self, from: End) -> Path {
        Path {
            source: self.addresses[from.index()],
            target: self.addresses[from.opposite().index()],
        }
    }

    fn put_control(&self, wire: &mut Wire, from: End, flags: u8) {
        self.put_raw(wire, from, flags, 0, 0);
    }

    fn put_raw(&self, wire: &mut Wire, from: End, flags: u8, ahead: u32, acknowledged: u32) {
        let segment = Segment {
            sequence: self.next_sequence(from).wrapping_add(ahead),
            acknowledgment: self
                .next_sequence(from.opposite())
                .wrapping_add(acknowledged),
            flags,
            payload: Vec::new(),
        };
        self.put(wire, from, &segment);
    }

    fn next_sequence(&self, end: End) -> u32 {
        self.sequence_at(end, self.directions[end.index()].sent.len())
    }

    fn sequence_at(&self, end: End, offset: usize) -> u32 {
        let direction = &self.directions[end.index()];
        direction
            .initial
            .wrapping_add(1)
            .wrapping_add(length_u32(offset))
    }
}
