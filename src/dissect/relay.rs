//! A sink that hands all that it is told to another sink, on a thread of its own.

use std::io;
use std::panic;
use std::thread::{self, JoinHandle};

use super::{FlowReport, Sink};
use crate::capture::InputInfo;
use crate::circulation::{Deserted, Emptier, Filler, circulation};
use crate::conversation::{Conversation, Finding, MessageEvent, Session};
use crate::wire::{FrameType, RawFrame, RawMessage, StreamId};

/// Passes what it is told on to a sink that works on another thread, in the
/// same order. What the sink refuses comes back with a delay.
#[derive(Debug)]
pub struct Relay<S: Sink> {
    batches: Filler<Batch, Batch>,
    batch: Batch,
    work: Work<S>,
}

/// The work of the sink.
#[derive(Debug)]
enum Work<S: Sink> {
    GoesOn(JoinHandle<Outcome<S>>),
    /// It ended early, by an error that was told.
    Over,
}

/// The sink, and how its work ended.
type Outcome<S> = (S, Result<(), <S as Sink>::Error>);

/// Batches in circulation: one is filled, one worked on, and two lie between.
const BATCHES: usize = 4;

/// Bytes of messages after which a batch is handed on.
const BATCH_BYTES: usize = 64 << 10;

/// Things told after which a batch is handed on.
const BATCH_LENGTH: usize = 256;

impl<S> Relay<S>
where
    S: Sink + Send + 'static,
    S::Error: Send,
{
    /// Lets `sink` work on a thread of its own.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn spawn(sink: S) -> io::Result<Self> {
        let (batches, filled) = circulation(BATCHES, 1);
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
    /// when it has refused something, and that was told.
    ///
    /// # Errors
    /// What the sink refuses now.
    pub fn finish(self) -> Result<Option<S>, S::Error> {
        let (sink, result) = match self.work {
            Work::Over => return Ok(None),
            Work::GoesOn(thread) => {
                match self.batches.hand_on(self.batch) {
                    // A sink that has ended early tells why when it is joined.
                    Ok(()) | Err(Deserted) => drop(self.batches),
                }
                join(thread)
            }
        };
        result.map(|()| Some(sink))
    }
}

impl<S: Sink> Relay<S> {
    fn pass_on(&mut self) -> Result<(), S::Error> {
        let Some(empty) = self.batches.empty(Batch::default) else {
            return self.end_early();
        };
        let filled = std::mem::replace(&mut self.batch, empty);
        self.batch.inputs.clone_from(&filled.inputs);
        match self.batches.hand_on(filled) {
            Ok(()) => Ok(()),
            Err(Deserted) => self.end_early(),
        }
    }

    /// The sink works no more: tells why, once.
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

impl<S: Sink> Sink for Relay<S> {
    type Error = S::Error;

    fn flow(&mut self, flow: &FlowReport) -> Result<(), S::Error> {
        self.batch.told.push(Told::Flow(Box::new(flow.clone())));
        Ok(())
    }

    fn message(&mut self, event: &MessageEvent<'_>) -> Result<(), S::Error> {
        self.batch.push(event);
        Ok(())
    }

    fn finding(&mut self, finding: &Finding) -> Result<(), S::Error> {
        let finding = Box::new(finding.clone());
        self.batch.told.push(Told::Finding(finding));
        Ok(())
    }

    fn conversation(&mut self, conversation: &Conversation) -> Result<(), S::Error> {
        let conversation = Box::new(conversation.clone());
        self.batch.told.push(Told::Conversation(conversation));
        // At the end of a capture, many come between two packets.
        if self.batch.is_full() {
            self.pass_on()?;
        }
        Ok(())
    }

    fn settle(&mut self, inputs: &[InputInfo]) -> Result<(), S::Error> {
        if !matches!(self.batch.told.last(), None | Some(Told::Settled)) {
            self.batch.told.push(Told::Settled);
        }
        if self.batch.is_full() {
            self.batch.inputs.clear();
            self.batch.inputs.extend_from_slice(inputs);
            self.pass_on()?;
        }
        Ok(())
    }
}

/// Consecutive things told.
#[derive(Debug, Default)]
struct Batch {
    told: Vec<Told>,
    /// The payloads of all messages.
    bytes: Vec<u8>,
    /// What is odd about the messages.
    findings: Vec<Finding>,
    /// The sessions of runs of messages.
    sessions: Vec<Session>,
    inputs: Vec<InputInfo>,
}

#[derive(Debug)]
enum Told {
    Message(StoredEvent),
    Flow(Box<FlowReport>),
    Finding(Box<Finding>),
    Conversation(Box<Conversation>),
    Settled,
}

/// A [`MessageEvent`] apart from what it borrows.
#[derive(Debug)]
struct StoredEvent {
    event: MessageEvent<'static>,
    form: Form,
    /// Where the payload begins and ends.
    payload: (usize, usize),
    /// Index of the session.
    session: Option<usize>,
    /// Where the findings begin and end.
    findings: (usize, usize),
}

/// Which form of [`RawMessage`] it is.
#[derive(Clone, Copy, Debug)]
enum Form {
    Frame(FrameType, StreamId),
    Ping,
    Short,
}

impl Batch {
    const fn is_full(&self) -> bool {
        self.told.len() >= BATCH_LENGTH || self.bytes.len() >= BATCH_BYTES
    }

    fn clear(&mut self) {
        self.told.clear();
        self.bytes.clear();
        self.findings.clear();
        self.sessions.clear();
    }

    fn push(&mut self, event: &MessageEvent<'_>) {
        let (form, payload) = match event.message {
            RawMessage::Frame(frame) => (Form::Frame(frame.frame_type, frame.id), frame.payload),
            RawMessage::Ping => (Form::Ping, &[][..]),
            RawMessage::Short(bytes) => (Form::Short, bytes),
        };
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        let first_finding = self.findings.len();
        self.findings.extend_from_slice(event.findings);
        let session = event.session.map(|session| {
            if self.sessions.last() != Some(session) {
                self.sessions.push(session.clone());
            }
            self.sessions.len() - 1
        });
        self.told.push(Told::Message(StoredEvent {
            event: MessageEvent {
                number: event.number,
                packet: event.packet,
                time: event.time,
                elapsed_us: event.elapsed_us,
                carrier: event.carrier,
                source: event.source,
                target: event.target,
                direction: event.direction,
                message: RawMessage::Ping,
                conversation: event.conversation,
                meaning: event.meaning,
                session: None,
                router_ns: event.router_ns,
                destination_hash: event.destination_hash,
                findings: &[],
            },
            form,
            payload: (begin, self.bytes.len()),
            session,
            findings: (first_finding, self.findings.len()),
        }));
    }

    fn event(&self, stored: &StoredEvent) -> MessageEvent<'_> {
        let payload = &self.bytes[stored.payload.0..stored.payload.1];
        MessageEvent {
            message: match stored.form {
                Form::Frame(frame_type, id) => RawMessage::Frame(RawFrame {
                    frame_type,
                    id,
                    payload,
                }),
                Form::Ping => RawMessage::Ping,
                Form::Short => RawMessage::Short(payload),
            },
            session: stored.session.map(|index| &self.sessions[index]),
            findings: &self.findings[stored.findings.0..stored.findings.1],
            ..stored.event
        }
    }

    fn tell<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        for told in &self.told {
            match told {
                Told::Message(stored) => sink.message(&self.event(stored))?,
                Told::Flow(flow) => sink.flow(flow)?,
                Told::Finding(finding) => sink.finding(finding)?,
                Told::Conversation(conversation) => sink.conversation(conversation)?,
                Told::Settled => sink.settle(&self.inputs)?,
            }
        }
        Ok(())
    }
}

/// Tells the sink what is passed on, until there is no more or the sink refuses.
fn work<S: Sink>(mut sink: S, mut batches: Emptier<Batch, Batch>) -> Outcome<S> {
    while let Some(mut batch) = batches.next() {
        if let Err(error) = batch.tell(&mut sink) {
            return (sink, Err(error));
        }
        batch.clear();
        batches.recycle(batch);
    }
    (sink, Ok(()))
}

#[cfg(test)]
mod tests;
