//! Buffers that go round between two threads: one fills them, the other empties
//! them and hands them back, so memory stays the same however much passes.

use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};

/// A circulation of at most `limit` buffers besides those that the emptier
/// brings in itself. Empty ones are handed back `together` at a time, because
/// each time the other thread has to be woken, which costs as much as parsing
/// some packets.
///
/// `F` is what is handed on: a buffer `B`, or a message that may hold one.
pub(crate) fn circulation<F, B>(limit: usize, together: usize) -> (Filler<F, B>, Emptier<F, B>) {
    let (filled_sender, filled) = mpsc::channel();
    let (empty, empty_receiver) = mpsc::channel();
    let filler = Filler {
        limit,
        created: 0,
        empty: empty_receiver,
        filled: filled_sender,
    };
    let emptier = Emptier {
        filled,
        empty,
        spent: Vec::with_capacity(together),
        together,
    };
    (filler, emptier)
}

/// The end of the thread that fills buffers.
#[derive(Debug)]
pub(crate) struct Filler<F, B> {
    limit: usize,
    created: usize,
    empty: Receiver<B>,
    filled: Sender<F>,
}

/// Nobody takes filled buffers any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deserted;

impl<F, B> Filler<F, B> {
    /// A buffer to fill, which may be waited for; `None` when the emptier is gone.
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

    /// Hands on what was filled.
    pub(crate) fn hand_on(&self, filled: F) -> Result<(), Deserted> {
        self.filled.send(filled).map_err(|_| Deserted)
    }
}

/// The end of the thread that empties buffers.
#[derive(Debug)]
pub(crate) struct Emptier<F, B> {
    filled: Receiver<F>,
    empty: Sender<B>,
    /// Empty buffers that wait to be handed back.
    spent: Vec<B>,
    together: usize,
}

impl<F, B> Emptier<F, B> {
    /// What was filled next, which may be waited for; `None` when the filler is gone.
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
                // The filler has filled all that there was, and is gone.
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
            let (mut filler, mut emptier) = circulation::<Vec<u32>, Vec<u32>>(limit, together);
            let thread = thread::spawn(move || {
                for number in 0..1_000 {
                    let mut buffer = filler.empty(|| Vec::with_capacity(1)).unwrap();
                    buffer.push(number);
                    filler.hand_on(buffer).unwrap();
                }
                filler.created
            });
            for number in 0..1_000 {
                let mut buffer = emptier.next().unwrap();
                assert_eq!(buffer, [number]);
                buffer.clear();
                emptier.recycle(buffer);
            }
            assert_eq!(emptier.next(), None);
            assert!(thread.join().unwrap() <= limit);
        }
    }

    #[test]
    fn the_filler_learns_that_the_emptier_is_gone() {
        let (mut filler, emptier) = circulation::<u8, u8>(1, 1);
        assert_eq!(filler.empty(|| 1), Some(1));
        drop(emptier);
        assert_eq!(filler.hand_on(1), Err(Deserted));
        assert_eq!(filler.empty(|| 2), None);
    }
}
