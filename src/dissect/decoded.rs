//! Packets with their headers read: where they are needed, or on a thread of
//! its own, some packets ahead of the one who follows the flows.

use std::io;
use std::panic;
use std::thread::{self, JoinHandle};

use crate::capture::{CaptureError, InputInfo, Packet, PacketSource, Progress};
use crate::circulation::{Deserted, Emptier, Filler, circulation};
use crate::net::{
    Arrival, CopyCounts, Decoded, Encapsulation, FlowKey, LostDatagram, NetworkLimits,
    PacketDecoder, Remainder, Skip,
};

/// The next step through a capture.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
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
    /// What it holds, or why that is nothing.
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
    /// that is left as the original one; the headers within tell more.
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

/// Number and time of a packet, and what it was wrapped in.
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

/// A source of packets with their headers read.
#[derive(Debug)]
pub struct DecodedSource<P> {
    place: Place<P>,
}

/// Where headers are read.
#[derive(Debug)]
enum Place<P> {
    Here(Box<Here<P>>),
    InBatches(Box<InBatches<P>>),
    Ahead(Box<Ahead>),
}

impl<P: PacketSource> DecodedSource<P> {
    /// Reads the headers of a packet when it is asked for: for sources that
    /// may keep one waiting, and for those that are not read to their end.
    pub fn here(source: P, limits: &NetworkLimits) -> Self {
        Self {
            place: Place::Here(Box::new(Here {
                source,
                decoder: PacketDecoder::new(limits),
                reading: Reading::GoesOn,
                lost: None,
            })),
        }
    }

    /// Reads the headers of some hundred packets at a time, so that one may look
    /// ahead at them, on the thread that asks.
    pub fn in_batches(source: P, limits: &NetworkLimits) -> Self {
        Self {
            place: Place::InBatches(Box::new(InBatches {
                source,
                decoder: PacketDecoder::new(limits),
                walk: Walk::new(Batch::default()),
            })),
        }
    }

    /// Reads packets and their headers on a thread of its own, up to some
    /// hundred kilobytes ahead.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn ahead(source: P, limits: &NetworkLimits) -> io::Result<Self>
    where
        P: Send + 'static,
    {
        Ok(Self {
            place: Place::Ahead(Box::new(Ahead::spawn(source, limits)?)),
        })
    }

    /// The next step; `None` at the end of the source.
    ///
    /// # Errors
    /// Those of [`PacketSource::next_packet`]; one may go on after them in the same way.
    #[inline]
    pub fn next_step(&mut self) -> Result<Option<Step<'_>>, CaptureError> {
        Ok(self.next_steps()?.and_then(Steps::into_next))
    }

    /// The next steps that are at hand, one at least; `None` at the end of the source.
    /// Those that are not taken come again.
    ///
    /// # Errors
    /// As those of [`next_step`](Self::next_step).
    #[inline]
    pub fn next_steps(&mut self) -> Result<Option<Steps<'_>>, CaptureError> {
        let walk = match &mut self.place {
            Place::Here(here) => {
                let step = here.next_step()?;
                return Ok(step.map(|step| Steps(AtHand::One(Some(step)))));
            }
            Place::InBatches(batches) => batches.walk_on()?,
            Place::Ahead(ahead) => ahead.walk_on()?,
        };
        Ok(walk.map(|walk| Steps(AtHand::Window(walk))))
    }

    /// The inputs so far, as [`PacketSource::inputs`].
    pub fn inputs(&self) -> &[InputInfo] {
        match &self.place {
            Place::Here(here) => here.source.inputs(),
            Place::InBatches(batches) => batches.source.inputs(),
            Place::Ahead(ahead) => &ahead.inputs,
        }
    }

    /// The second copies that were left out; of a source that is read ahead, once it has ended.
    pub fn copies(&self) -> &CopyCounts {
        match &self.place {
            Place::Here(here) => here.decoder.copies(),
            Place::InBatches(batches) => batches.decoder.copies(),
            Place::Ahead(ahead) => &ahead.walk.batch.copies,
        }
    }

    /// How far reading has come, as [`PacketSource::progress`].
    pub fn progress(&self) -> Progress {
        match &self.place {
            Place::Here(here) => here.source.progress(),
            Place::InBatches(batches) => batches.source.progress(),
            Place::Ahead(ahead) => ahead.walk.batch.progress,
        }
    }
}

/// Steps that are at hand together.
#[derive(Debug)]
pub struct Steps<'a>(AtHand<'a>);

#[derive(Debug)]
enum AtHand<'a> {
    /// The next one, until it is taken.
    One(Option<Step<'a>>),
    /// Some dozen of a batch.
    Window(&'a mut Walk),
}

impl<'a> Steps<'a> {
    /// The next one only.
    fn into_next(self) -> Option<Step<'a>> {
        match self.0 {
            AtHand::One(step) => step,
            AtHand::Window(walk) => walk.step(),
        }
    }

    /// The next step, if nothing is read ahead of it.
    pub const fn only(&self) -> Option<&Step<'_>> {
        match &self.0 {
            AtHand::One(step) => step.as_ref(),
            AtHand::Window(_) => None,
        }
    }

    /// All of them, to look ahead at before the first is taken: each is shown once.
    #[inline]
    pub(super) fn unseen(&mut self) -> Option<Window<'_>> {
        match &mut self.0 {
            AtHand::One(_) => None,
            AtHand::Window(walk) => walk.is_at_end_of_window().then(|| walk.next_window()),
        }
    }

    /// Takes the next step, of those that were shown if any were.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<Step<'_>> {
        match &mut self.0 {
            AtHand::One(step) => step.take(),
            AtHand::Window(walk) => {
                if walk.is_at_end_of_window() {
                    None
                } else {
                    walk.step()
                }
            }
        }
    }
}

/// Whether there may be more packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reading {
    #[default]
    GoesOn,
    Over,
}

#[derive(Debug)]
struct Here<P> {
    source: P,
    decoder: PacketDecoder,
    reading: Reading,
    /// The datagram that was told last.
    lost: Option<LostDatagram>,
}

impl<P: PacketSource> Here<P> {
    #[inline]
    fn next_step(&mut self) -> Result<Option<Step<'_>>, CaptureError> {
        if let Some(lost) = self.decoder.next_lost_datagram() {
            return Ok(Some(Step::Lost(self.lost.insert(lost))));
        }
        if self.reading == Reading::Over {
            return Ok(None);
        }
        match self.source.next_packet()? {
            Some(packet) => {
                let content = self.decoder.decode(&packet);
                Ok(Some(Step::Packet(DecodedPacket::new(&packet, content))))
            }
            None => {
                self.reading = Reading::Over;
                self.decoder.finish();
                self.lost = self.decoder.next_lost_datagram();
                Ok(self.lost.as_ref().map(Step::Lost))
            }
        }
    }
}

/// Batches in circulation: one is followed, one filled, and two lie between.
const BATCHES: usize = 4;

/// Payload bytes after which a batch is handed on, and room for those of its
/// last packet. Large, because to wake a thread may take as long as decoding a
/// hundred packets.
const BATCH_BYTES: usize = 256 << 10;

/// Inputs whose counts are told with every batch.
const FEW_INPUTS: usize = 16;

/// Packets after which a batch is handed on.
const BATCH_PACKETS: usize = 2_048;

/// Consecutive steps through a capture, packed: what is handed from core to core
/// costs more than what is looked up.
#[derive(Debug, Default)]
struct Batch {
    steps: Vec<PackedStep>,
    /// The payloads of all packets.
    bytes: Vec<u8>,
    /// The flows of runs of packets.
    keys: Vec<FlowKey>,
    /// By what each of them is looked up.
    hashes: Vec<u32>,
    /// What went wrong behind the steps.
    trouble: Option<CaptureError>,
    reading: Reading,
    /// Where something about them has changed that matters before the end.
    inputs: Option<Vec<InputInfo>>,
    /// In the last one.
    copies: CopyCounts,
    progress: Progress,
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
    /// Where the payload begins and ends.
    payload: (u32, u32),
    remainder: Remainder,
}

/// Why a number below 2^32 is enough in a batch.
const BATCHES_ARE_SMALL: &str = "a batch ends soon after its first 256 KiB";

impl Batch {
    fn clear(&mut self) {
        self.steps.clear();
        // A single huge datagram does not stay for good.
        if self.bytes.capacity() > 4 * BATCH_BYTES {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.keys.clear();
        self.hashes.clear();
        self.trouble = None;
        self.reading = Reading::GoesOn;
    }

    const fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES || self.steps.len() >= BATCH_PACKETS
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
    fn step(&self, index: usize) -> Option<Step<'_>> {
        Some(match self.steps.get(index)? {
            PackedStep::Packet(packet) => Step::Packet(DecodedPacket {
                arrival: packet.arrival,
                captured_bytes: packet.captured_bytes,
                original_bytes: packet.original_bytes,
                content: match packet.content {
                    Ok(content) => Ok(self.unpack(content, packet.arrival.encapsulation)),
                    Err(reason) => Err(reason),
                },
            }),
            PackedStep::Lost(lost) => Step::Lost(lost),
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
#[derive(Debug)]
struct Walk {
    batch: Batch,
    next: usize,
    /// Up to which step was looked ahead.
    seen: usize,
}

/// Steps that are looked at together: some nine cache lines each, so that what they need is
/// still in a processor's first caches when it is used, and more than it can have under way
/// at once.
const WINDOW: usize = 64;

impl Walk {
    const fn new(batch: Batch) -> Self {
        Self {
            batch,
            next: 0,
            seen: 0,
        }
    }

    /// Goes on with another batch; returns the one that is done.
    fn go_on(&mut self, batch: Batch) -> Batch {
        self.next = 0;
        self.seen = 0;
        std::mem::replace(&mut self.batch, batch)
    }

    const fn is_over(&self) -> bool {
        self.next >= self.batch.steps.len()
    }

    /// Of a batch that is over: whether no other follows. What went wrong behind its steps
    /// is told once.
    fn is_last(&mut self) -> Result<bool, CaptureError> {
        match self.batch.trouble.take() {
            Some(trouble) => Err(trouble),
            None => Ok(self.batch.reading == Reading::Over),
        }
    }

    #[inline(always)]
    fn step(&mut self) -> Option<Step<'_>> {
        self.next += 1;
        self.batch.step(self.next - 1)
    }

    /// Whether the next step has not been looked ahead at.
    #[inline]
    const fn is_at_end_of_window(&self) -> bool {
        self.next >= self.seen && !self.is_over()
    }

    fn next_window(&mut self) -> Window<'_> {
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
    /// What the packets hold, of those that hold something, and by what their flows are
    /// looked up.
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

/// Batches that are filled where they are followed.
#[derive(Debug)]
struct InBatches<P> {
    source: P,
    decoder: PacketDecoder,
    walk: Walk,
}

impl<P: PacketSource> InBatches<P> {
    /// The way through the batch that has the next step; `None` behind the last one.
    #[inline]
    fn walk_on(&mut self) -> Result<Option<&mut Walk>, CaptureError> {
        while self.walk.is_over() {
            if self.walk.is_last()? {
                return Ok(None);
            }
            let mut batch = self.walk.go_on(Batch::default());
            batch.clear();
            fill(&mut batch, &mut self.source, &mut self.decoder);
            self.walk.go_on(batch);
        }
        Ok(Some(&mut self.walk))
    }
}

/// The end of the thread that follows.
#[derive(Debug)]
struct Ahead {
    batches: Emptier<Batch, Batch>,
    walk: Walk,
    inputs: Vec<InputInfo>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    fn spawn<P: PacketSource + Send + 'static>(
        source: P,
        limits: &NetworkLimits,
    ) -> io::Result<Self> {
        let (filler, batches) = circulation(BATCHES, 1);
        let inputs = source.inputs().to_vec();
        let decoder = PacketDecoder::new(limits);
        let thread = thread::Builder::new()
            .name("packet-decoder".into())
            .spawn(move || fill_batches(source, decoder, filler))?;
        Ok(Self {
            batches,
            walk: Walk::new(Batch::default()),
            inputs,
            thread: Some(thread),
        })
    }

    /// The way through the batch that has the next step; `None` behind the last one.
    #[inline]
    fn walk_on(&mut self) -> Result<Option<&mut Walk>, CaptureError> {
        while self.walk.is_over() {
            if self.walk.is_last()? {
                return Ok(None);
            }
            self.take_batch();
        }
        Ok(Some(&mut self.walk))
    }

    fn take_batch(&mut self) {
        match self.batches.next() {
            Some(mut batch) => {
                if let Some(inputs) = batch.inputs.take() {
                    self.inputs = inputs;
                }
                let mut spent = self.walk.go_on(batch);
                spent.clear();
                self.batches.recycle(spent);
            }
            // It ends after its last batch only, unless it panicked.
            None => {
                if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
                    panic::resume_unwind(panic);
                }
                self.walk.batch.reading = Reading::Over;
            }
        }
    }
}

fn fill_batches<P: PacketSource>(
    mut source: P,
    mut decoder: PacketDecoder,
    mut filler: Filler<Batch, Batch>,
) {
    while let Some(mut batch) = filler.empty(Batch::default) {
        fill(&mut batch, &mut source, &mut decoder);
        // Of many inputs that would cost more than all else.
        let is_told = batch.reading == Reading::Over || batch.trouble.is_some();
        if is_told || source.inputs().len() <= FEW_INPUTS {
            batch.inputs = Some(source.inputs().to_vec());
        }
        batch.progress = source.progress();
        let reading = batch.reading;
        if filler.hand_on(batch) == Err(Deserted) || reading == Reading::Over {
            return;
        }
    }
}

fn fill<P: PacketSource>(batch: &mut Batch, source: &mut P, decoder: &mut PacketDecoder) {
    while !batch.is_full() {
        match source.next_packet() {
            Ok(Some(packet)) => {
                let content = decoder.decode(&packet);
                batch.push(&packet, content);
                batch.push_lost(decoder);
            }
            Ok(None) => {
                decoder.finish();
                batch.push_lost(decoder);
                batch.copies = decoder.copies().clone();
                batch.reading = Reading::Over;
                return;
            }
            Err(error) => {
                batch.trouble = Some(error);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
