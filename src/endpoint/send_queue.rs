//! Data that a conversation has been given to send and has not sent yet.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::config::Config;
use super::merging::Merging;

/// Memory of a queued write beside its bytes, so that a bound in bytes also bounds the memory of
/// many tiny writes.
const WRITE_OVERHEAD_BYTES: usize = 64;

/// Room for this many writes is kept by an empty queue.
const KEPT_CAPACITY: usize = 8;

/// Writes in their order, cut into messages when they are sent.
#[derive(Debug, Default)]
pub(super) struct SendQueue {
    writes: VecDeque<Bytes>,
    bytes: usize,
    /// The application knows that it is full.
    is_full: bool,
    /// Whether a message that is not full waits for more.
    merging: Merging,
    /// Of the writes, the oldest so many have waited since [`own_memory`](Self::own_memory) looked
    /// last.
    waiting_count: usize,
    /// The oldest so many have memory of their own.
    owned_count: usize,
    /// Length of the oldest when it became that, or was copied.
    first_bytes: usize,
}

impl SendQueue {
    /// Takes any write while it is not full. If it is, returns the bytes of memory that it
    /// stands for.
    pub(super) fn write(
        &mut self,
        now: Instant,
        write: Bytes,
        config: &Config,
    ) -> Result<(), usize> {
        let held = self.cost();
        self.is_full = held >= config.send_buffer;
        if self.is_full {
            return Err(held);
        }
        self.push(write);
        self.is_full = self.cost() >= config.send_buffer;
        self.merging.begin(now, config.merge);
        Ok(())
    }

    /// Length of the longest write after which it does not hold more than it may; at least 1.
    pub(super) fn room(&self, config: &Config) -> usize {
        let held = self.cost() + WRITE_OVERHEAD_BYTES;
        config.send_buffer.saturating_sub(held).max(1)
    }

    /// Whether the application knows that it is full.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Whether the application, which knows that it was full, may write again.
    pub(super) fn takes_again(&mut self, config: &Config) -> bool {
        // At half and not at once, lest each message sent wake the application for one write.
        let takes_again = self.is_full && self.cost() <= config.send_buffer / 2;
        if takes_again {
            self.is_full = false;
        }
        takes_again
    }

    /// Until when a message that is not full waits for more to merge.
    pub(super) const fn waits_until(&self) -> Option<Instant> {
        self.merging.until()
    }

    /// It is `now`: a message may have waited for long enough.
    pub(super) fn pass(&mut self, now: Instant) {
        self.merging.pass(now);
    }

    /// Bytes for the next message, at most `max`, merged if the settings say so.
    pub(super) fn next(&mut self, max: usize, config: &Config) -> Option<Bytes> {
        let bytes = match config.merge {
            None => self.cut(max)?,
            Some(_) => self.cut_merged(max)?,
        };
        if self.is_empty() {
            self.merging = Merging::Idle;
        }
        Some(bytes)
    }

    /// Appends a write; an empty one is nothing.
    fn push(&mut self, write: Bytes) {
        if !write.is_empty() {
            self.bytes += write.len();
            if self.writes.is_empty() {
                self.first_bytes = write.len();
            }
            self.writes.push_back(write);
        }
    }

    /// Copies the data that have waited since the last call: a write may be a small part of a large
    /// read, whose memory it keeps. Returns whether to call it again.
    ///
    /// Data that move are no exception: a peer that takes a byte a second would keep whole reads.
    pub(super) fn own_memory(&mut self) -> bool {
        let waited = self.writes.iter_mut().take(self.waiting_count);
        for write in waited.skip(self.owned_count) {
            *write = Bytes::copy_from_slice(write);
        }
        let Some(first) = self.writes.front_mut() else {
            return false;
        };
        if self.owned_count == 0 && self.waiting_count > 0 {
            self.first_bytes = first.len();
        } else if first.len() <= self.first_bytes / 2 && self.owned_count > 0 {
            // The rest of a copy keeps all of it.
            *first = Bytes::copy_from_slice(first);
            self.first_bytes = first.len();
        }
        self.owned_count = self.owned_count.max(self.waiting_count);
        self.waiting_count = self.writes.len();
        true
    }

    /// Bytes that wait.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    pub(super) const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Bytes of memory that the queue stands for.
    fn cost(&self) -> usize {
        self.bytes + self.writes.len() * WRITE_OVERHEAD_BYTES
    }

    /// The rest of the oldest write, at most `max` bytes of it.
    fn cut(&mut self, max: usize) -> Option<Bytes> {
        let first = self.writes.front_mut()?;
        let message = if first.len() > max {
            first.split_to(max)
        } else {
            let whole = self.writes.pop_front()?;
            self.waiting_count = self.waiting_count.saturating_sub(1);
            self.owned_count = self.owned_count.saturating_sub(1);
            self.first_bytes = self.writes.front().map_or(0, Bytes::len);
            whole
        };
        self.bytes -= message.len();
        if self.writes.is_empty() && self.writes.capacity() > KEPT_CAPACITY {
            self.writes = VecDeque::new();
        }
        Some(message)
    }

    /// As many writes as fit into `max` bytes, the last of them cut if need be.
    /// Copies, unless the oldest write fills the message or is alone.
    fn cut_merged(&mut self, max: usize) -> Option<Bytes> {
        let first = self.cut(max)?;
        if first.len() == max || self.is_empty() {
            return Some(first);
        }
        let mut message = BytesMut::with_capacity(max.min(first.len() + self.bytes));
        message.extend_from_slice(&first);
        while message.len() < max
            && let Some(next) = self.cut(max - message.len())
        {
            message.extend_from_slice(&next);
        }
        Some(message.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(writes: &[&'static [u8]]) -> SendQueue {
        let mut queue = SendQueue::default();
        for write in writes {
            queue.push(Bytes::from_static(write));
        }
        queue
    }

    fn drain(next: impl FnMut() -> Option<Bytes>) -> Vec<Bytes> {
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn writes_keep_their_bounds_unless_they_are_too_long() {
        let mut queue = queue(&[b"abcdefg", b"", b"hi", b"jkl"]);
        assert_eq!(queue.bytes(), 12);
        assert_eq!(
            drain(|| queue.cut(3)),
            [&b"abc"[..], b"def", b"g", b"hi", b"jkl"]
        );
        assert!(queue.is_empty());
    }

    #[test]
    fn merged_messages_are_full_but_for_the_last() {
        let mut queue = queue(&[b"a", b"bcdefg", b"hi", b"jkl"]);
        assert_eq!(
            drain(|| queue.cut_merged(5)),
            [&b"abcde"[..], b"fghij", b"kl"]
        );
        assert_eq!((queue.bytes(), queue.cost()), (0, 0));
    }

    #[test]
    fn no_byte_is_lost_or_moved_at_any_size() {
        for max in 1..=14 {
            for cut in [SendQueue::cut, SendQueue::cut_merged] {
                let mut queue = queue(&[b"abc", b"d", b"efghijk", b"lm"]);
                let messages = drain(|| cut(&mut queue, max));
                assert!(messages.iter().all(|m| (1..=max).contains(&m.len())));
                assert_eq!(messages.concat(), b"abcdefghijklm");
            }
        }
    }

    #[test]
    fn tiny_writes_cost_more_than_their_bytes() {
        let mut queue = SendQueue::default();
        for _ in 0..1_000 {
            queue.push(Bytes::from_static(b"x"));
        }
        assert_eq!(queue.cost(), 65_000);
        while queue.cut(1).is_some() {}
        assert!(
            queue.writes.capacity() <= KEPT_CAPACITY,
            "an idle conversation keeps no memory of its busy times"
        );
    }

    #[test]
    fn what_has_waited_keeps_no_read_alive_whether_it_moves_or_not() {
        for sent_between in [0, 1_000] {
            let mut read = BytesMut::zeroed(1 << 20);
            let [first, second] = [65_536, 65_536].map(|bytes| read.split_to(bytes).freeze());
            drop(read);
            let mut queue = SendQueue::default();
            queue.push(first.clone());
            assert!(queue.own_memory(), "it has not waited yet");
            queue.push(second.clone());
            assert!(!first.is_unique());
            queue.cut(sent_between);
            assert!(queue.own_memory());
            drop(first);
            assert!(!second.is_unique(), "the second has not waited yet");
            queue.cut(sent_between);
            assert!(queue.own_memory());
            assert!(second.is_unique());
            assert_eq!(queue.bytes(), 2 * 65_536 - 2 * sent_between);
            queue.push(second);
            let rest = drain(|| queue.cut(1 << 20)).concat();
            assert_eq!(rest.len(), 3 * 65_536 - 2 * sent_between);
            assert!(!queue.own_memory(), "nothing waits");
        }
    }

    #[test]
    fn the_rest_of_a_write_keeps_at_most_twice_its_memory() {
        let mut queue = SendQueue::default();
        queue.push(Bytes::from(vec![0; 1 << 20]));
        queue.own_memory();
        queue.own_memory();
        let whole = queue.writes[0].clone();
        assert!(queue.cut(1 << 19).is_some());
        queue.own_memory();
        assert!(whole.is_unique());
        assert_eq!(queue.bytes(), 1 << 19);
    }
}
