//! Flows that are followed on a thread of its own, some packets ahead of the one that tracks
//! conversations.

use std::io;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::flows::Flows;
use super::located::{Located, Walk};
use super::news::{Inputs, Known, News};
use super::packets::{self, CaptureStep};
use super::passage::{Event, Passage, Passed};
use crate::buffer_pool::{Consumer, Disconnected, Producer, buffer_pool};
use crate::capture::{CaptureError, PacketSource};
use crate::net::{Arrival, CopyCounts, PacketDecoder};

/// Batches in the pool: one is worked on, one filled, and two lie between.
const BATCHES: usize = 4;

/// Packets after which a batch is handed on even if little is in it: progress is shown.
const BATCH_PACKETS: usize = 16_384;

/// A batch that passes from thread to thread.
#[derive(Debug, Default)]
struct Batch {
    located: Located,
    /// The error behind its contents.
    trouble: Option<CaptureError>,
    stage: Stage,
    /// None where a batch ends within a step.
    news: Option<News>,
}

/// The progress of the flows.
#[derive(Debug, Default)]
enum Stage {
    #[default]
    Packets,
    /// There are no more packets, and so many were second copies.
    NoMorePackets(Box<CopyCounts>),
    /// All flows have ended.
    Over,
}

/// Flows that are followed on another thread.
#[derive(Debug)]
pub(super) struct Following {
    batches: Consumer<Batch, Batch>,
    walk: Walk,
    /// The error of the batch that is walked through.
    trouble: Option<CaptureError>,
    stage: Stage,
    known: Known,
    /// Asks the thread to read no more.
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Flows>>,
}

impl Following {
    /// Begins to follow flows.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(super) fn spawn<P: PacketSource + Send + 'static>(
        source: P,
        decoder: PacketDecoder,
        flows: Flows,
    ) -> io::Result<Self> {
        let (producer, batches) = buffer_pool(BATCHES, 1);
        let known = Known::of(&source);
        let stop = Arc::new(AtomicBool::new(false));
        let follower = Follower {
            source,
            decoder,
            packets: packets::Walk::default(),
            packet_count: 0,
            outbox: Outbox {
                producer,
                batch: Batch::default(),
            },
            stop: Arc::clone(&stop),
        };
        let thread = thread::Builder::new()
            .name("flow-follower".into())
            .spawn(move || follower.follow(flows))?;
        Ok(Self {
            batches,
            walk: Walk::default(),
            trouble: None,
            stage: Stage::Packets,
            known,
            stop,
            thread: Some(thread),
        })
    }

    /// The walk through the next batch, which may be empty for now; `None` when there are no more
    /// packets.
    #[inline]
    pub(super) fn walk_on(&mut self) -> Result<Option<&mut Walk>, CaptureError> {
        if self.walk.is_over() {
            if let Some(trouble) = self.trouble.take() {
                return Err(trouble);
            }
            if !matches!(self.stage, Stage::Packets) {
                return Ok(None);
            }
            self.take_batch();
        }
        Ok(Some(&mut self.walk))
    }

    /// The same when no more packets are asked for: the output of flows that end, if it is still on
    /// its way.
    pub(super) fn walk_to_end(&mut self) -> Option<&mut Walk> {
        self.stop.store(true, Ordering::Relaxed);
        if self.walk.is_over() {
            if matches!(self.stage, Stage::Over) {
                return None;
            }
            self.take_batch();
        }
        Some(&mut self.walk)
    }

    /// The flows, when all have ended.
    pub(super) fn take_flows(&mut self) -> Option<Flows> {
        match self.thread.take()?.join() {
            Ok(flows) => Some(flows),
            Err(panic) => panic::resume_unwind(panic),
        }
    }

    /// State of the source by now.
    pub(super) const fn known(&self) -> &Known {
        &self.known
    }

    fn take_batch(&mut self) {
        let Some(mut batch) = self.batches.next() else {
            // It ends after its last batch only, unless it panicked.
            if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
                panic::resume_unwind(panic);
            }
            self.stage = Stage::Over;
            return;
        };
        if let Some(news) = batch.news.take() {
            self.known.take_in(news);
        }
        self.trouble = batch.trouble.take();
        self.stage = std::mem::take(&mut batch.stage);
        if let Stage::NoMorePackets(copies) = &mut self.stage {
            self.known.copies = std::mem::take(copies);
        }
        batch.located = self.walk.go_on(batch.located);
        batch.located.clear();
        self.batches.recycle(batch);
    }
}

/// The thread that follows.
struct Follower<P> {
    source: P,
    decoder: PacketDecoder,
    packets: packets::Walk,
    /// Packets since a batch was handed on.
    packet_count: usize,
    outbox: Outbox,
    stop: Arc<AtomicBool>,
}

impl<P: PacketSource> Follower<P> {
    fn follow(mut self, mut flows: Flows) -> Flows {
        match self.follow_all(&mut flows) {
            // A tracker that is gone asks for nothing more.
            Ok(()) | Err(Disconnected) => flows,
        }
    }

    fn follow_all(&mut self, flows: &mut Flows) -> Result<(), Disconnected> {
        while !self.stop.load(Ordering::Relaxed) {
            self.packets.go_on(&mut self.source, &mut self.decoder);
            self.follow_packets(flows)?;
            match self.packets.is_last() {
                Ok(false) => {}
                Ok(true) => {
                    let copies = Box::new(self.decoder.copies().clone());
                    self.outbox.batch.stage = Stage::NoMorePackets(copies);
                    self.hand_on()?;
                    break;
                }
                Err(trouble) => {
                    self.outbox.batch.trouble = Some(trouble);
                    self.hand_on()?;
                }
            }
        }
        flows.finish(&mut self.outbox)?;
        self.outbox.batch.stage = Stage::Over;
        self.hand_on()
    }

    fn follow_packets(&mut self, flows: &mut Flows) -> Result<(), Disconnected> {
        while !self.packets.is_over() {
            if self.packets.is_at_end_of_window() {
                let window = self.packets.next_window();
                if flows.are_many() {
                    flows.look(window);
                } else {
                    flows.look_no_more();
                }
            }
            let Some(step) = self.packets.step() else {
                break;
            };
            match &step {
                CaptureStep::Packet(packet) => flows.next_packet(packet, &mut self.outbox)?,
                CaptureStep::Lost(lost) => flows.lost_datagram(lost, &mut self.outbox)?,
            }
            self.outbox.batch.located.end_step();
            self.packet_count += 1;
            if self.outbox.batch.located.is_full() || self.packet_count >= BATCH_PACKETS {
                self.hand_on()?;
            }
        }
        Ok(())
    }

    fn hand_on(&mut self) -> Result<(), Disconnected> {
        self.packet_count = 0;
        let batch = &mut self.outbox.batch;
        let inputs = if matches!(batch.stage, Stage::Packets) && batch.trouble.is_none() {
            Inputs::IfFew
        } else {
            Inputs::All
        };
        batch.news = Some(News::of(&self.source, inputs));
        self.outbox.hand_on()
    }
}

/// Output to be handed on.
struct Outbox {
    producer: Producer<Batch, Batch>,
    batch: Batch,
}

impl Outbox {
    fn hand_on(&mut self) -> Result<(), Disconnected> {
        let empty = self.producer.empty(Batch::default).ok_or(Disconnected)?;
        self.producer
            .hand_on(std::mem::replace(&mut self.batch, empty))
    }
}

impl Passage for Outbox {
    type Error = Disconnected;

    #[inline]
    fn message(&mut self, arrival: Arrival, passed: Passed<'_>) -> Result<(), Disconnected> {
        // One packet may release a hundred thousand messages.
        if self.batch.located.is_overfull() {
            self.hand_on()?;
        }
        self.batch.located.push_message(arrival, &passed);
        Ok(())
    }

    fn event(&mut self, event: Event) -> Result<(), Disconnected> {
        if self.batch.located.is_overfull() {
            self.hand_on()?;
        }
        self.batch.located.push_event(event);
        Ok(())
    }
}
