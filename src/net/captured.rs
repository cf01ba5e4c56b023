//! Bytes of which a snap length may have cut the end.

use super::Skip;

/// A part of a packet: the bytes that were captured, and the number of bytes behind them on the
/// link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Captured<'a> {
    bytes: &'a [u8],
    missing: usize,
}

impl<'a> Captured<'a> {
    /// `bytes`, and behind them `missing` bytes that were not captured.
    pub(super) const fn new(bytes: &'a [u8], missing: usize) -> Self {
        Self { bytes, missing }
    }

    /// The captured bytes.
    pub(super) const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Number of bytes at the end that were not captured.
    pub(super) const fn missing(self) -> usize {
        self.missing
    }

    /// Length on the link.
    pub(super) const fn len(self) -> usize {
        self.bytes.len() + self.missing
    }

    /// Whether there was nothing, captured or not.
    pub(super) const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The first `length` bytes, for a header that must be whole.
    ///
    /// # Errors
    /// [`Skip::BadHeader`] when there were never so many, [`Skip::CutHeader`]
    /// when they were not captured.
    pub(super) fn header(self, length: usize) -> Result<&'a [u8], Skip> {
        match self.bytes.get(..length) {
            Some(header) => Ok(header),
            None if length <= self.len() => Err(Skip::CutHeader),
            None => Err(Skip::BadHeader),
        }
    }

    /// The first `length` bytes, also where the packet seems to be shorter: whoever cut it may
    /// have written the length that was left into its record.
    pub(super) fn of_length(self, length: usize) -> Self {
        match length.checked_sub(self.len()) {
            None => self.first(length),
            Some(more) => Self {
                bytes: self.bytes,
                missing: self.missing + more,
            },
        }
    }

    /// The part behind the first `length` bytes; nothing when there are fewer.
    pub(super) fn after(self, length: usize) -> Self {
        match self.bytes.get(length..) {
            Some(bytes) => Self {
                bytes,
                missing: self.missing,
            },
            None => Self {
                bytes: &[],
                missing: self.len().saturating_sub(length),
            },
        }
    }

    /// The first `length` bytes, or all when there are fewer.
    pub(super) fn first(self, length: usize) -> Self {
        match self.bytes.get(..length) {
            Some(bytes) => Self { bytes, missing: 0 },
            None => Self {
                bytes: self.bytes,
                missing: self.missing.min(length - self.bytes.len()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_split_keeps_every_byte_on_one_side() {
        let bytes = [1, 2, 3, 4, 5];
        for captured in 0..=bytes.len() {
            let whole = Captured::new(&bytes[..captured], bytes.len() - captured);
            for at in 0..=bytes.len() {
                let (first, rest) = (whole.first(at), whole.after(at));
                assert_eq!(first.len(), at);
                assert_eq!(rest.len(), bytes.len() - at);
                assert_eq!(first.bytes(), &bytes[..at.min(captured)]);
                assert_eq!(rest.bytes(), &bytes[at.min(captured)..captured]);
            }
        }
    }

    #[test]
    fn a_split_behind_the_end_leaves_nothing() {
        let cut = Captured::new(&[1, 2], 3);
        assert_eq!(cut.first(9), cut);
        assert_eq!(cut.after(9), Captured::default());
    }

    #[test]
    fn a_header_is_whole_cut_or_was_never_there() {
        let cut = Captured::new(&[1, 2], 3);
        assert_eq!(cut.header(2), Ok(&[1, 2][..]));
        assert_eq!(cut.header(3), Err(Skip::CutHeader));
        assert_eq!(cut.header(5), Err(Skip::CutHeader));
        assert_eq!(cut.header(6), Err(Skip::BadHeader));
    }
}
