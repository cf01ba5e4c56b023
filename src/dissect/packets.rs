//! Packets with their headers read, some of them at a time: one may look ahead at these.

use crate::capture::{CaptureError, Packet, PacketSource};
use crate::net::{
    Arrival, Decoded, Encapsulation, FlowKey, LostDatagram, PacketDecoder, Remainder, Skip,
};

/// The next step through a capture.
#[derive(Clone, Copy, Debug)]
pub enum CaptureStep<'a> {
    /// A packet.
    Packet(DecodedPacket<'a>),
    /// A datagram was given up, because fragments of it are missing.
    Lost(&'a LostDatagram),
}

/// A packet with its headers read.
#[derive(Clone, Copy, Debug)]
pub struct DecodedPacket<'a> {
    /// Its number and time.
    pub arrival: Arrival,
    /// Bytes of it that were captured.
    pub captured_bytes: u32,
    /// Bytes of it on the link.
    pub original_bytes: u32,
    /// Its contents, or the reason why there are none.
    pub content: Result<Decoded<'a>, Skip>,
}

impl<'a> DecodedPacket<'a> {
    #[inline(always)]
    pub(super) fn new(packet: &Packet<'a>, content: Result<Decoded<'a>, Skip>) -> Self {
        Self {
            arrival: arrival(packet, &content),
            captured_bytes: packet.captured_bytes(),
            original_bytes: packet.original_bytes,
            content,
        }
    }

    /// Whether the snap length cut it.
    pub(super) const fn is_cut(&self) -> bool {
        self.captured_bytes < self.original_bytes || self.missing_bytes() > 0
    }

    /// Bytes of it that were on the link at least. Some tools that cut packets write the length
    /// that is left as the original one; the headers within say more.
    pub(super) fn link_bytes(&self) -> u64 {
        let by_headers = u64::from(self.captured_bytes) + self.missing_bytes() as u64;
        by_headers.max(self.original_bytes.into())
    }

    const fn missing_bytes(&self) -> usize {
        match &self.content {
            Ok(decoded) => decoded.missing_bytes(),
            Err(_) => 0,
        }
    }
}

/// Number and time of a packet, and its encapsulation.
#[inline(always)]
fn arrival(packet: &Packet<'_>, content: &Result<Decoded<'_>, Skip>) -> Arrival {
    let encapsulation = match content {
        Ok(decoded) => decoded.encapsulation,
        Err(_) => Encapsulation::NONE,
    };
    Arrival {
        encapsulation,
        ..Arrival::of(packet)
    }
}

/// Whether there may be more packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reading {
    #[default]
    GoesOn,
    Over,
}

/// When a batch is full.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// Payload bytes.
    bytes: usize,
    packets: usize,
}

impl Size {
    /// Of a batch that is followed where it is filled: it is still in that processor's caches then.
    pub(super) const NEAR: Self = Self {
        bytes: 128 << 10,
        packets: 256,
    };

    /// Of a batch that is handed on: to wake a thread may take as long as decoding a hundred
    /// packets.
    pub(super) const FAR: Self = Self {
        bytes: 256 << 10,
        packets: 2_048,
    };
}

/// Consecutive steps through a capture, packed.
#[derive(Debug, Default)]
pub(super) struct Batch {
    steps: Vec<PackedStep>,
    /// The payloads of all packets.
    bytes: Vec<u8>,
    /// The flows of runs of packets.
    keys: Vec<FlowKey>,
    /// The hashes by which they are looked up.
    hashes: Vec<u32>,
    /// The error behind the steps.
    trouble: Option<CaptureError>,
    reading: Reading,
}

#[derive(Debug)]
enum PackedStep {
    Packet(PackedPacket),
    Lost(Box<LostDatagram>),
}

#[derive(Debug)]
struct PackedPacket {
    arrival: Arrival,
    captured_bytes: u32,
    original_bytes: u32,
    content: Result<PackedContent, Skip>,
}

#[derive(Clone, Copy, Debug)]
struct PackedContent {
    /// Index of the key.
    key: u32,
    /// Start and end of the payload.
    payload: (u32, u32),
    remainder: Remainder,
}

/// The reason why a number below 2^32 is enough in a batch.
const BATCHES_ARE_SMALL: &str = "a batch ends soon after its first 256 KiB";

impl Batch {
    /// Whether it is known how the source goes on behind it: by its end, or an error.
    pub(super) const fn has_end(&self) -> bool {
        self.trouble.is_some() || matches!(self.reading, Reading::Over)
    }

    /// Whether no other follows.
    pub(super) const fn is_last(&self) -> bool {
        self.trouble.is_none() && matches!(self.reading, Reading::Over)
    }

    /// One behind which nothing comes.
    pub(super) fn nothing_more() -> Self {
        Self {
            reading: Reading::Over,
            ..Self::default()
        }
    }

    pub(super) fn clear(&mut self) {
        self.steps.clear();
        // A single huge datagram does not stay for good.
        if self.bytes.capacity() > 4 * Size::FAR.bytes {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.keys.clear();
        self.hashes.clear();
        self.trouble = None;
        self.reading = Reading::GoesOn;
    }

    const fn is_full(&self, size: Size) -> bool {
        self.bytes.len() >= size.bytes || self.steps.len() >= size.packets
    }

    /// Reads packets until it is full, or there are no more for now.
    pub(super) fn fill<P: PacketSource>(
        &mut self,
        size: Size,
        source: &mut P,
        decoder: &mut PacketDecoder,
    ) {
        while !self.is_full(size) {
            match source.next_packet() {
                Ok(Some(packet)) => {
                    let content = decoder.decode(&packet);
                    self.push(&packet, content);
                    self.push_lost(decoder);
                }
                Ok(None) => {
                    decoder.finish();
                    self.push_lost(decoder);
                    self.reading = Reading::Over;
                    return;
                }
                Err(error) => {
                    self.trouble = Some(error);
                    return;
                }
            }
        }
    }

    #[inline(always)]
    fn push(&mut self, packet: &Packet<'_>, content: Result<Decoded<'_>, Skip>) {
        let arrival = arrival(packet, &content);
        let content = content.map(|decoded| self.pack(decoded));
        self.steps.push(PackedStep::Packet(PackedPacket {
            arrival,
            captured_bytes: packet.captured_bytes(),
            original_bytes: packet.original_bytes,
            content,
        }));
    }

    #[inline(always)]
    fn pack(&mut self, decoded: Decoded<'_>) -> PackedContent {
        let (key, payload, remainder) = decoded.split();
        if self.keys.last() != Some(key) {
            self.keys.push(*key);
            self.hashes.push(key.look_up_hash());
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        let position = |position| u32::try_from(position).expect(BATCHES_ARE_SMALL);
        PackedContent {
            key: position(self.keys.len() - 1),
            payload: (position(start), position(self.bytes.len())),
            remainder,
        }
    }

    #[inline(always)]
    fn push_lost(&mut self, decoder: &mut PacketDecoder) {
        while let Some(lost) = decoder.next_lost_datagram() {
            self.steps.push(PackedStep::Lost(Box::new(lost)));
        }
    }

    #[inline(always)]
    fn step(&self, index: usize) -> Option<CaptureStep<'_>> {
        Some(match self.steps.get(index)? {
            PackedStep::Packet(packet) => CaptureStep::Packet(DecodedPacket {
                arrival: packet.arrival,
                captured_bytes: packet.captured_bytes,
                original_bytes: packet.original_bytes,
                content: match packet.content {
                    Ok(content) => Ok(self.unpack(content, packet.arrival.encapsulation)),
                    Err(reason) => Err(reason),
                },
            }),
            PackedStep::Lost(lost) => CaptureStep::Lost(lost),
        })
    }

    #[inline(always)]
    fn unpack(&self, content: PackedContent, encapsulation: Encapsulation) -> Decoded<'_> {
        let (start, end) = content.payload;
        Decoded::join(
            &self.keys[content.key as usize],
            &self.bytes[start as usize..end as usize],
            content.remainder,
            encapsulation,
        )
    }
}

/// A way through a batch.
#[derive(Debug, Default)]
pub(super) struct Walk {
    batch: Batch,
    next: usize,
    /// Index of the first step that was not looked ahead at.
    seen: usize,
}

/// Steps that are looked at together: some nine cache lines each, so that these are still in a
/// processor's first caches when they are used, and more than it can have under way at once.
const WINDOW: usize = 64;

impl Walk {
    /// Fills the batch again, which is over, and begins anew.
    pub(super) fn go_on<P: PacketSource>(&mut self, source: &mut P, decoder: &mut PacketDecoder) {
        self.next = 0;
        self.seen = 0;
        self.batch.clear();
        self.batch.fill(Size::NEAR, source, decoder);
    }

    /// Goes on with another batch; returns the one that is done.
    pub(super) fn go_on_with(&mut self, batch: Batch) -> Batch {
        self.next = 0;
        self.seen = 0;
        std::mem::replace(&mut self.batch, batch)
    }

    pub(super) const fn is_over(&self) -> bool {
        self.next >= self.batch.steps.len()
    }

    /// Of a batch that is over: whether no other follows. The error behind its steps is returned
    /// once.
    pub(super) fn is_last(&mut self) -> Result<bool, CaptureError> {
        match self.batch.trouble.take() {
            Some(trouble) => Err(trouble),
            None => Ok(matches!(self.batch.reading, Reading::Over)),
        }
    }

    #[inline(always)]
    pub(super) fn step(&mut self) -> Option<CaptureStep<'_>> {
        self.next += 1;
        self.batch.step(self.next - 1)
    }

    /// Whether the next step has not been looked ahead at.
    #[inline]
    pub(super) const fn is_at_end_of_window(&self) -> bool {
        self.next >= self.seen && !self.is_over()
    }

    pub(super) fn next_window(&mut self) -> Window<'_> {
        self.seen = self.batch.steps.len().min(self.next + WINDOW);
        Window {
            batch: &self.batch,
            steps: &self.batch.steps[self.next..self.seen],
        }
    }
}

/// Some of the next steps, to look ahead at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'a> {
    batch: &'a Batch,
    steps: &'a [PackedStep],
}

impl<'a> Window<'a> {
    /// The contents of the packets that have any, and the hashes by which their flows are looked
    /// up.
    #[inline]
    pub(super) fn contents(self) -> impl Iterator<Item = (Decoded<'a>, u32)> {
        self.steps.iter().filter_map(move |step| match step {
            PackedStep::Packet(PackedPacket {
                content: Ok(content),
                ..
            }) => {
                let decoded = self.batch.unpack(*content, Encapsulation::NONE);
                Some((decoded, self.batch.hashes[content.key as usize]))
            }
            _ => None,
        })
    }
}
