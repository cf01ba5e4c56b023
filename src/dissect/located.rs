//! Messages with their places, and other events from the flows for tracking, packed: handing memory
//! from core to core costs more than look-ups.

use super::ahead::Glimpse;
use super::passage::{Event, Passed, Sender};
use crate::conversation::ChannelId;
use crate::net::{Arrival, Side};
use crate::wire::{DestinationHash, FrameType, RawFrame, RawMessage, StreamId};

/// Bytes of messages after which a batch is full, and its events. Large, because to wake a thread
/// may take as long as following a hundred packets.
const BATCH_BYTES: usize = 256 << 10;
const BATCH_LENGTH: usize = 2_048;

/// Messages and events in their order.
#[derive(Debug, Default)]
pub(super) struct Located {
    items: Vec<Item>,
    /// The payloads of all messages. A dissection that only counts does not look at them, and they
    /// stay where they are: in the caches of another core.
    bytes: Vec<u8>,
    /// Addressees of the messages that have one.
    addressees: Vec<DestinationHash>,
}

#[derive(Debug)]
enum Item {
    Message(PackedMessage),
    Event(Box<Event>, InStep),
    /// The end of a step whose last item is in another batch.
    StepEnds,
}

/// A [`Passed`]; its long parts lie elsewhere in the batch.
#[derive(Clone, Copy, Debug)]
struct PackedMessage {
    arrival: Arrival,
    channel: ChannelId,
    /// End of its payload; it begins at the end of the one before it.
    end: u32,
    cut_bytes: u32,
    form: Form,
    from: Side,
    sender: Sender,
    addressee: Addressee,
    in_step: InStep,
}

/// The form of [`RawMessage`].
#[derive(Clone, Copy, Debug)]
enum Form {
    Frame(FrameType, StreamId),
    Ping,
    Short,
}

impl Form {
    /// The form of a message, and its payload.
    #[inline(always)]
    const fn split(message: RawMessage<'_>) -> (Self, &[u8]) {
        match message {
            RawMessage::Frame(RawFrame {
                frame_type,
                id,
                payload,
            }) => (Self::Frame(frame_type, id), payload),
            RawMessage::Ping => (Self::Ping, &[]),
            RawMessage::Short(bytes) => (Self::Short, bytes),
        }
    }

    /// The message that was [`split`](Self::split).
    #[inline(always)]
    const fn join(self, payload: &[u8]) -> RawMessage<'_> {
        match self {
            Self::Frame(frame_type, id) => RawMessage::Frame(RawFrame {
                frame_type,
                id,
                payload,
            }),
            Self::Ping => RawMessage::Ping,
            Self::Short => RawMessage::Short(payload),
        }
    }
}

/// Whether a message has an addressee, the next in the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Addressee {
    Next,
    None,
}

/// The place of an item in its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InStep {
    /// More of the step follows.
    Within,
    Last,
}

/// The reason why a number below 2^32 is enough in a batch.
const BATCHES_ARE_SMALL: &str = "a batch ends soon after its first 256 KiB";

impl Located {
    pub(super) fn clear(&mut self) {
        self.items.clear();
        // A single huge message does not stay for good.
        if self.bytes.capacity() > 4 * BATCH_BYTES {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.addressees.clear();
    }

    pub(super) const fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES || self.items.len() >= BATCH_LENGTH
    }

    /// Whether it takes no more even within a step.
    #[inline]
    pub(super) const fn is_overfull(&self) -> bool {
        self.bytes.len() >= 2 * BATCH_BYTES || self.items.len() >= 2 * BATCH_LENGTH
    }

    #[inline(always)]
    pub(super) fn push_message(&mut self, arrival: Arrival, passed: &Passed<'_>) {
        let (form, payload) = Form::split(passed.message);
        self.bytes.extend_from_slice(payload);
        let addressee = match passed.addressee {
            None => Addressee::None,
            Some(hash) => {
                self.addressees.push(hash);
                Addressee::Next
            }
        };
        self.items.push(Item::Message(PackedMessage {
            arrival,
            channel: passed.channel,
            end: u32::try_from(self.bytes.len()).expect(BATCHES_ARE_SMALL),
            cut_bytes: passed.cut_bytes,
            form,
            from: passed.from,
            sender: passed.sender,
            addressee,
            in_step: InStep::Within,
        }));
    }

    pub(super) fn push_event(&mut self, event: Event) {
        self.items
            .push(Item::Event(Box::new(event), InStep::Within));
    }

    /// A step through the capture is over.
    #[inline(always)]
    pub(super) fn end_step(&mut self) {
        match self.items.last_mut() {
            Some(Item::Message(PackedMessage { in_step, .. }) | Item::Event(_, in_step)) => {
                *in_step = InStep::Last;
            }
            Some(Item::StepEnds) => {}
            None => self.items.push(Item::StepEnds),
        }
    }
}

/// A walk through messages and events.
#[derive(Debug, Default)]
pub(super) struct Walk {
    located: Located,
    next: usize,
    /// Index of the first item that was not looked ahead at.
    seen: usize,
    byte: usize,
    addressee: usize,
}

/// The next thing that passes.
pub(super) enum Next<'a> {
    Message(Arrival, Passed<'a>),
    Event(Box<Event>),
    Nothing,
}

/// Items that are looked at together, as many as packets are.
const WINDOW: usize = 64;

impl Walk {
    /// Goes on with another batch; returns the one that is done.
    pub(super) fn go_on(&mut self, located: Located) -> Located {
        let done = std::mem::replace(&mut self.located, located);
        (self.next, self.seen, self.byte, self.addressee) = (0, 0, 0, 0);
        done
    }

    pub(super) const fn is_over(&self) -> bool {
        self.next >= self.located.items.len()
    }

    /// Whether the next item has not been looked ahead at.
    #[inline]
    pub(super) const fn is_at_end_of_window(&self) -> bool {
        self.next >= self.seen && !self.is_over()
    }

    /// The messages among the next items, to look ahead at.
    pub(super) fn next_window(&mut self) -> impl Iterator<Item = Option<Glimpse<'_>>> {
        self.seen = self.located.items.len().min(self.next + WINDOW);
        let mut start = self.byte;
        let Located { items, bytes, .. } = &self.located;
        items[self.next..self.seen]
            .iter()
            .filter_map(move |item| match item {
                Item::Message(message) => {
                    let end = message.end as usize;
                    let payload = &bytes[start..end];
                    start = end;
                    let head = message.form.join(payload);
                    Some(Some((message.channel, message.from, head)))
                }
                Item::Event(..) | Item::StepEnds => None,
            })
    }

    /// The next item, which must be there, and where in its step it stands.
    #[inline(always)]
    pub(super) fn step(&mut self) -> (Next<'_>, InStep) {
        let Self {
            located,
            next,
            byte,
            addressee: position,
            ..
        } = self;
        let item = &mut located.items[*next];
        *next += 1;
        match item {
            Item::Message(message) => {
                let start = std::mem::replace(byte, message.end as usize);
                let addressee = match message.addressee {
                    Addressee::None => None,
                    Addressee::Next => {
                        *position += 1;
                        Some(located.addressees[*position - 1])
                    }
                };
                let passed = Passed {
                    channel: message.channel,
                    from: message.from,
                    message: message.form.join(&located.bytes[start..*byte]),
                    cut_bytes: message.cut_bytes,
                    addressee,
                    sender: message.sender,
                };
                (Next::Message(message.arrival, passed), message.in_step)
            }
            Item::StepEnds => (Next::Nothing, InStep::Last),
            item @ Item::Event(..) => match std::mem::replace(item, Item::StepEnds) {
                Item::Event(event, in_step) => (Next::Event(event), in_step),
                Item::Message(_) | Item::StepEnds => (Next::Nothing, InStep::Last),
            },
        }
    }
}
