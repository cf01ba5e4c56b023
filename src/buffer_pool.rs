//! A pool of buffers between two threads: the producer fills them, the consumer
//! empties them and hands them back, so memory stays the same however much passes.

use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};

/// A pool of at most `limit` buffers besides those that the consumer
/// brings in itself. Empty ones are handed back `together` at a time, because
/// each time the other thread has to be woken, which costs as much as parsing
/// some packets.
///
/// `F` is the type handed on: a buffer `B`, or a message that may hold one.
pub(crate) fn buffer_pool<F, B>(limit: usize, together: usize) -> (Producer<F, B>, Consumer<F, B>) {
    let (filled_sender, filled) = mpsc::channel();
    let (empty, empty_receiver) = mpsc::channel();
    let producer = Producer {
        limit,
        created: 0,
        empty: empty_receiver,
        filled: filled_sender,
    };
    let consumer = Consumer {
        filled,
        empty,
        spent: Vec::with_capacity(together),
        together,
    };
    (producer, consumer)
}

/// The end of the thread that fills buffers.
#[derive(Debug)]
pub(crate) struct Producer<F, B> {
    limit: usize,
    created: usize,
    empty: Receiver<B>,
    filled: Sender<F>,
}

/// Nobody takes filled buffers any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Disconnected;

impl<F, B> Producer<F, B> {
    /// A buffer to fill, which may be waited for; `None` when the consumer is gone.
    pub(crate) fn empty(&mut self, create: impl FnOnce() -> B) -> Option<B> {
        match self.empty.try_recv() {
            Ok(buffer) => Some(buffer),
            Err(TryRecvError::Empty) if self.created < self.limit => {
                self.created += 1;
                Some(create())
            }
            Err(TryRecvError::Empty) => self.empty.recv().ok(),
            Err(TryRecvError::Disconnected) => None,
        }
    }

    /// Hands on a filled buffer.
    pub(crate) fn hand_on(&self, filled: F) -> Result<(), Disconnected> {
        self.filled.send(filled).map_err(|_| Disconnected)
    }
}

/// The end of the thread that empties buffers.
#[derive(Debug)]
pub(crate) struct Consumer<F, B> {
    filled: Receiver<F>,
    empty: Sender<B>,
    /// Empty buffers that wait to be handed back.
    spent: Vec<B>,
    together: usize,
}

impl<F, B> Consumer<F, B> {
    /// The next filled buffer, which may be waited for; `None` when the producer is gone.
    pub(crate) fn next(&mut self) -> Option<F> {
        self.filled.recv().ok()
    }

    /// Takes an empty buffer back.
    pub(crate) fn recycle(&mut self, buffer: B) {
        self.spent.push(buffer);
        if self.spent.len() < self.together {
            return;
        }
        for buffer in self.spent.drain(..) {
            if let Err(mpsc::SendError(unwanted)) = self.empty.send(buffer) {
                // The producer has filled all that there was, and is gone.
                drop(unwanted);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn everything_passes_in_order_through_a_bounded_number_of_buffers() {
        for (limit, together) in [(1, 1), (2, 1), (2, 2), (7, 4)] {
            let (mut producer, mut consumer) = buffer_pool::<Vec<u32>, Vec<u32>>(limit, together);
            let thread = thread::spawn(move || {
                for number in 0..1_000 {
                    let mut buffer = producer.empty(|| Vec::with_capacity(1)).unwrap();
                    buffer.push(number);
                    producer.hand_on(buffer).unwrap();
                }
                producer.created
            });
            for number in 0..1_000 {
                let mut buffer = consumer.next().unwrap();
                assert_eq!(buffer, [number]);
                buffer.clear();
                consumer.recycle(buffer);
            }
            assert_eq!(consumer.next(), None);
            assert!(thread.join().unwrap() <= limit);
        }
    }

    #[test]
    fn the_filler_learns_that_the_emptier_is_gone() {
        let (mut producer, consumer) = buffer_pool::<u8, u8>(1, 1);
        assert_eq!(producer.empty(|| 1), Some(1));
        drop(consumer);
        assert_eq!(producer.hand_on(1), Err(Disconnected));
        assert_eq!(producer.empty(|| 2), None);
    }
}
