//! The memory that a recording takes while it is read, up to its bound.

use bytes::Bytes;

use crate::allocation::ALLOCATION_BYTES;

/// Bytes of memory that a recording takes at most: it is kept in memory as a whole.
pub const MAX_RECORDING_BYTES: u64 = 1 << 31;

/// A capture holds more than can be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the recording holds more than {MAX_RECORDING_BYTES} bytes")]
pub struct RecordingTooLarge;

/// The memory that is taken: payloads, and what is kept beside them, which of small messages is most.
#[derive(Debug)]
pub(super) struct Memory {
    taken_bytes: u64,
    most_bytes: u64,
}

impl Memory {
    pub(super) const fn up_to(most_bytes: u64) -> Self {
        Self {
            taken_bytes: 0,
            most_bytes,
        }
    }

    pub(super) const fn take(&mut self, bytes: usize) -> Result<(), RecordingTooLarge> {
        self.taken_bytes += bytes as u64;
        if self.taken_bytes > self.most_bytes {
            return Err(RecordingTooLarge);
        }
        Ok(())
    }

    pub(super) const fn give_back(&mut self, bytes: usize) {
        self.taken_bytes -= bytes as u64;
    }

    /// Appends to a list, whose room counts as it grows.
    pub(super) fn push<T>(&mut self, list: &mut Vec<T>, item: T) -> Result<(), RecordingTooLarge> {
        let room_before = room_bytes(list);
        list.push(item);
        self.take(room_bytes(list) - room_before)
    }
}

/// The memory of a list, without the memory that its items point to.
pub(super) const fn room_bytes<T>(list: &Vec<T>) -> usize {
    list.capacity() * size_of::<T>()
}

/// The memory of bytes that are kept.
pub(super) const fn kept_bytes(bytes: &Bytes) -> usize {
    bytes.len() + ALLOCATION_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_taken_up_to_its_bound_and_what_was_given_back_again() {
        let mut memory = Memory::up_to(100);
        assert_eq!(memory.take(100), Ok(()));
        assert_eq!(memory.take(0), Ok(()));
        memory.give_back(40);
        assert_eq!(memory.take(40), Ok(()));
        assert_eq!(memory.take(1), Err(RecordingTooLarge));
    }

    #[test]
    fn a_list_takes_its_room() {
        let (mut memory, mut list) = (Memory::up_to(u64::MAX), Vec::new());
        for number in 0..1_000_u64 {
            assert_eq!(memory.push(&mut list, number), Ok(()));
            assert_eq!(memory.taken_bytes, 8 * list.capacity() as u64);
        }
    }
}
