//! Headers that are read on a thread of its own, some packets ahead of the one that follows the
//! flows: for dissections that end with messages, where following flows is most of the rest.

use std::io;
use std::panic;
use std::thread::{self, JoinHandle};

use super::news::{Inputs, Known, News};
use super::packets::{self, Size, Walk};
use crate::buffer_pool::{Consumer, Disconnected, Producer, buffer_pool};
use crate::capture::{CaptureError, PacketSource};
use crate::net::{CopyCounts, PacketDecoder};

/// Batches in the pool: one is followed, one filled, and two lie between.
const BATCHES: usize = 4;

/// A batch that passes from thread to thread.
#[derive(Debug, Default)]
struct Batch {
    packets: packets::Batch,
    /// In the last one.
    copies: CopyCounts,
    news: News,
}

/// The end of the thread that follows.
#[derive(Debug)]
pub(super) struct Decoding {
    batches: Consumer<Batch, Batch>,
    walk: Walk,
    known: Known,
    thread: Option<JoinHandle<()>>,
}

impl Decoding {
    /// Begins to read headers.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(super) fn spawn<P: PacketSource + Send + 'static>(
        source: P,
        decoder: PacketDecoder,
    ) -> io::Result<Self> {
        let (producer, batches) = buffer_pool(BATCHES, 1);
        let known = Known::of(&source);
        let thread = thread::Builder::new()
            .name("packet-decoder".into())
            .spawn(move || fill_batches(source, decoder, producer))?;
        Ok(Self {
            batches,
            walk: Walk::default(),
            known,
            thread: Some(thread),
        })
    }

    /// The way through the batch that has the next step; `None` behind the last one.
    #[inline]
    pub(super) fn walk_on(&mut self) -> Result<Option<&mut Walk>, CaptureError> {
        while self.walk.is_over() {
            if self.walk.is_last()? {
                return Ok(None);
            }
            self.take_batch();
        }
        Ok(Some(&mut self.walk))
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
            self.walk.go_on_with(packets::Batch::nothing_more());
            return;
        };
        self.known.take_in(std::mem::take(&mut batch.news));
        self.known.copies = std::mem::take(&mut batch.copies);
        batch.packets = self.walk.go_on_with(batch.packets);
        batch.packets.clear();
        self.batches.recycle(batch);
    }
}

fn fill_batches<P: PacketSource>(
    mut source: P,
    mut decoder: PacketDecoder,
    mut producer: Producer<Batch, Batch>,
) {
    while let Some(mut batch) = producer.empty(Batch::default) {
        batch.packets.fill(Size::FAR, &mut source, &mut decoder);
        let inputs = if batch.packets.has_end() {
            Inputs::All
        } else {
            Inputs::IfFew
        };
        batch.news = News::of(&source, inputs);
        let is_last = batch.packets.is_last();
        if is_last {
            batch.copies = decoder.copies().clone();
        }
        if producer.hand_on(batch) == Err(Disconnected) || is_last {
            return;
        }
    }
}
