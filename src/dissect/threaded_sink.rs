//! A sink that hands all that it gets to another sink, on a thread of its own.

use std::io;
use std::net::SocketAddr;
use std::panic;
use std::thread::{self, JoinHandle};

use super::{FlowReport, Sink};
use crate::buffer_pool::{Consumer, Disconnected, Producer, buffer_pool};
use crate::capture::InputInfo;
use crate::carrier::Carrier;
use crate::conversation::{
    Conversation, ConversationId, Finding, I2cpSession, Meaning, MessageEvent,
};
use crate::net::Encapsulation;
use crate::time::Timestamp;
use crate::wire::{DestinationHash, Direction, FrameType, RawFrame, RawMessage, StreamId};

/// Passes its input on to a sink that works on another thread, in the same order. Errors of the
/// sink come back with a delay.
#[derive(Debug)]
pub struct ThreadedSink<S: Sink> {
    batches: Producer<Batch, Batch>,
    batch: Batch,
    work: Work<S>,
}

/// The work of the sink.
#[derive(Debug)]
enum Work<S: Sink> {
    GoesOn(JoinHandle<Outcome<S>>),
    /// It ended early, by an error that was returned.
    Over,
}

/// The sink, and the result of its work.
type Outcome<S> = (S, Result<(), <S as Sink>::Error>);

/// Batches in the pool: one is filled, one worked on, and two lie between.
const BATCHES: usize = 4;

/// Bytes of messages after which a batch is handed on.
const BATCH_BYTES: usize = 256 << 10;

/// Items after which a batch is handed on. Both are counted where a packet ends; within a packet a
/// batch takes twice as much.
const BATCH_LENGTH: usize = 1_024;

impl<S> ThreadedSink<S>
where
    S: Sink + Send + 'static,
    S::Error: Send,
{
    /// Lets `sink` work on a thread of its own.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn spawn(sink: S) -> io::Result<Self> {
        let (batches, filled) = buffer_pool(BATCHES, 1);
        let thread = thread::Builder::new()
            .name("reporter".into())
            .spawn(move || work(sink, filled))?;
        Ok(Self {
            batches,
            batch: Batch::default(),
            work: Work::GoesOn(thread),
        })
    }

    /// Waits until everything is passed on, and gives the sink back; `None`
    /// when it has refused something, and that error was returned.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish(self) -> Result<Option<S>, S::Error> {
        let (sink, result) = match self.work {
            Work::Over => return Ok(None),
            Work::GoesOn(thread) => {
                match self.batches.hand_on(self.batch) {
                    // A sink that has ended early says why when it is joined.
                    Ok(()) | Err(Disconnected) => drop(self.batches),
                }
                join(thread)
            }
        };
        result.map(|()| Some(sink))
    }
}

impl<S: Sink> ThreadedSink<S> {
    /// Makes room for one more item. One packet may release a million of them, and behind the last
    /// packet of a capture come those of all that ends with it.
    #[inline]
    fn make_room(&mut self) -> Result<(), S::Error> {
        if self.batch.is_overfull() {
            self.pass_on()
        } else {
            Ok(())
        }
    }

    fn pass_on(&mut self) -> Result<(), S::Error> {
        let Some(empty) = self.batches.empty(Batch::default) else {
            return self.end_early();
        };
        let filled = std::mem::replace(&mut self.batch, empty);
        self.batch.inputs.clone_from(&filled.inputs);
        match self.batches.hand_on(filled) {
            Ok(()) => Ok(()),
            Err(Disconnected) => self.end_early(),
        }
    }

    /// The sink works no more: says why, once.
    fn end_early(&mut self) -> Result<(), S::Error> {
        match std::mem::replace(&mut self.work, Work::Over) {
            Work::GoesOn(thread) => join(thread).1,
            Work::Over => Ok(()),
        }
    }
}

fn join<S: Sink>(thread: JoinHandle<Outcome<S>>) -> Outcome<S> {
    match thread.join() {
        Ok(outcome) => outcome,
        Err(panic) => panic::resume_unwind(panic),
    }
}

impl<S: Sink> Sink for ThreadedSink<S> {
    type Error = S::Error;

    fn flow(&mut self, flow: &FlowReport) -> Result<(), S::Error> {
        self.make_room()?;
        self.batch.items.push(Item::Flow(Box::new(flow.clone())));
        Ok(())
    }

    fn message(&mut self, event: &MessageEvent<'_>) -> Result<(), S::Error> {
        self.make_room()?;
        self.batch.push(event);
        Ok(())
    }

    fn finding(&mut self, finding: &Finding) -> Result<(), S::Error> {
        self.make_room()?;
        let finding = Box::new(finding.clone());
        self.batch.items.push(Item::Finding(finding));
        Ok(())
    }

    fn conversation(&mut self, conversation: &Conversation) -> Result<(), S::Error> {
        self.make_room()?;
        let conversation = Box::new(conversation.clone());
        self.batch.items.push(Item::Conversation(conversation));
        Ok(())
    }

    fn awaits_packet_end(&self) -> bool {
        !matches!(self.batch.items.last(), None | Some(Item::PacketEnd))
    }

    fn packet_end(&mut self, inputs: &[InputInfo]) -> Result<(), S::Error> {
        // The first one shows the sink what the inputs are, before there is anything to say.
        let is_first = self.batch.inputs.is_empty() && !inputs.is_empty();
        if is_first || self.awaits_packet_end() {
            self.batch.items.push(Item::PacketEnd);
        }
        // The first batch may be handed on before it is full, and its inputs are asked for.
        if self.batch.is_full() || self.batch.inputs.is_empty() {
            self.batch.inputs.clear();
            self.batch.inputs.extend_from_slice(inputs);
        }
        if self.batch.is_full() {
            self.pass_on()?;
        }
        Ok(())
    }

    fn inputs_end(&mut self, inputs: &[InputInfo]) -> Result<(), S::Error> {
        self.make_room()?;
        self.batch.items.push(Item::InputsEnd(inputs.into()));
        Ok(())
    }
}

/// Consecutive items, packed: handing memory from core to core costs more than look-ups.
#[derive(Debug, Default)]
struct Batch {
    items: Vec<Item>,
    /// The messages among them.
    events: Vec<PackedEvent>,
    /// Their payloads.
    bytes: Vec<u8>,
    /// The routes of messages; runs of messages have the same.
    routes: Vec<Route>,
    /// Hashes of the destinations in SYNs.
    hashes: Vec<DestinationHash>,
    /// Findings about them.
    findings: Vec<Finding>,
    inputs: Vec<InputInfo>,
}

#[derive(Debug)]
enum Item {
    /// The next of the messages.
    Message,
    Flow(Box<FlowReport>),
    Finding(Box<Finding>),
    Conversation(Box<Conversation>),
    PacketEnd,
    InputsEnd(Box<[InputInfo]>),
}

/// The route of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    carrier: Carrier,
    source: SocketAddr,
    target: SocketAddr,
    session: Option<I2cpSession>,
}

/// A [`MessageEvent`]; its long and borrowed parts lie elsewhere in the batch.
#[derive(Debug)]
struct PackedEvent {
    number: u64,
    packet: u64,
    time: Timestamp,
    elapsed_us: i64,
    encapsulation: Encapsulation,
    conversation: Option<ConversationId>,
    meaning: Meaning,
    router_ns: Option<i64>,
    sent_as: Option<u64>,
    direction: Option<Direction>,
    form: Form,
    route: usize,
    payload_bytes: usize,
    finding_count: usize,
    has_hash: HasHash,
}

/// Whether a message has a destination hash, the next in the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HasHash {
    Yes,
    No,
}

/// The form of [`RawMessage`].
#[derive(Clone, Copy, Debug)]
enum Form {
    Frame(FrameType, StreamId),
    Ping,
    Short,
}

/// The part of a batch that was passed on.
#[derive(Debug, Default)]
struct Position {
    event: usize,
    byte: usize,
    hash: usize,
    finding: usize,
}

impl Batch {
    const fn is_full(&self) -> bool {
        self.items.len() >= BATCH_LENGTH || self.bytes.len() >= BATCH_BYTES
    }

    /// Whether it takes no more even within a packet.
    #[inline]
    const fn is_overfull(&self) -> bool {
        self.items.len() >= 2 * BATCH_LENGTH || self.bytes.len() >= 2 * BATCH_BYTES
    }

    fn clear(&mut self) {
        self.items.clear();
        self.events.clear();
        // A single huge message does not stay for good.
        if self.bytes.capacity() > 4 * BATCH_BYTES {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.routes.clear();
        self.hashes.clear();
        self.findings.clear();
    }

    fn push(&mut self, event: &MessageEvent<'_>) {
        let (form, payload) = match event.message {
            RawMessage::Frame(frame) => (Form::Frame(frame.frame_type, frame.id), frame.payload),
            RawMessage::Ping => (Form::Ping, &[][..]),
            RawMessage::Short(bytes) => (Form::Short, bytes),
        };
        self.bytes.extend_from_slice(payload);
        self.hashes.extend(event.destination_hash);
        self.findings.extend_from_slice(event.findings);
        let route = self.route(event);
        self.items.push(Item::Message);
        self.events.push(PackedEvent {
            number: event.number,
            packet: event.packet,
            time: event.time,
            elapsed_us: event.elapsed_us,
            encapsulation: event.encapsulation,
            conversation: event.conversation,
            meaning: event.meaning,
            router_ns: event.router_ns,
            sent_as: event.sent_as,
            direction: event.direction,
            form,
            route,
            payload_bytes: payload.len(),
            finding_count: event.findings.len(),
            has_hash: match event.destination_hash {
                Some(_) => HasHash::Yes,
                None => HasHash::No,
            },
        });
    }

    /// Index of the event's route. The two directions of a flow take turns.
    fn route(&mut self, event: &MessageEvent<'_>) -> usize {
        let is_same = |route: &Route| {
            route.source == event.source
                && route.target == event.target
                && route.carrier == event.carrier
                && route.session.as_ref() == event.session
        };
        let latest = self.routes.len().saturating_sub(2);
        if let Some(index) = self.routes[latest..].iter().position(is_same) {
            return latest + index;
        }
        self.routes.push(Route {
            carrier: event.carrier,
            source: event.source,
            target: event.target,
            session: event.session.cloned(),
        });
        self.routes.len() - 1
    }

    /// The message at `position`, which moves behind it.
    fn event(&self, position: &mut Position) -> MessageEvent<'_> {
        let packed = &self.events[position.event];
        let payload = &self.bytes[position.byte..][..packed.payload_bytes];
        let findings = &self.findings[position.finding..][..packed.finding_count];
        let destination_hash = match packed.has_hash {
            HasHash::Yes => Some(self.hashes[position.hash]),
            HasHash::No => None,
        };
        position.event += 1;
        position.byte += payload.len();
        position.finding += findings.len();
        position.hash += usize::from(destination_hash.is_some());
        let route = &self.routes[packed.route];
        MessageEvent {
            number: packed.number,
            packet: packed.packet,
            time: packed.time,
            elapsed_us: packed.elapsed_us,
            encapsulation: packed.encapsulation,
            carrier: route.carrier,
            source: route.source,
            target: route.target,
            direction: packed.direction,
            message: match packed.form {
                Form::Frame(frame_type, id) => RawMessage::Frame(RawFrame {
                    frame_type,
                    id,
                    payload,
                }),
                Form::Ping => RawMessage::Ping,
                Form::Short => RawMessage::Short(payload),
            },
            conversation: packed.conversation,
            meaning: packed.meaning,
            session: route.session.as_ref(),
            router_ns: packed.router_ns,
            sent_as: packed.sent_as,
            destination_hash,
            findings,
        }
    }

    fn deliver<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        let mut position = Position::default();
        for item in &self.items {
            match item {
                Item::Message => sink.message(&self.event(&mut position))?,
                Item::Flow(flow) => sink.flow(flow)?,
                Item::Finding(finding) => sink.finding(finding)?,
                Item::Conversation(conversation) => sink.conversation(conversation)?,
                Item::PacketEnd => sink.packet_end(&self.inputs)?,
                Item::InputsEnd(inputs) => sink.inputs_end(inputs)?,
            }
        }
        Ok(())
    }
}

/// Passes items on to the sink, until there are no more or the sink refuses.
fn work<S: Sink>(mut sink: S, mut batches: Consumer<Batch, Batch>) -> Outcome<S> {
    while let Some(mut batch) = batches.next() {
        if let Err(error) = batch.deliver(&mut sink) {
            return (sink, Err(error));
        }
        batch.clear();
        batches.recycle(batch);
    }
    (sink, Ok(()))
}

#[cfg(test)]
mod tests;
