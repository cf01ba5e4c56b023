//! A line of a table whose columns have known widths.

use super::write::{TRIPLES, TextBuffer};

/// Bytes that most lines need.
const USUAL_BYTES: usize = 256;

/// A line at the end of a buffer. It begins as spaces, and texts and numbers are stored over them:
/// the padding of columns is skipped, and nothing is copied twice.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    bytes: &'a mut Vec<u8>,
    /// End of the line so far.
    end: usize,
}

impl Line<'_> {
    /// Appends a line to a buffer.
    #[inline]
    pub(crate) fn append(bytes: &mut Vec<u8>, write: impl FnOnce(&mut Line<'_>)) {
        let end = bytes.len();
        bytes.resize(end + USUAL_BYTES, b' ');
        let mut line = Line { bytes, end };
        write(&mut line);
        let end = line.end;
        bytes.resize(end, b' ');
    }

    /// Leaves spaces.
    #[inline]
    pub(crate) const fn skip(&mut self, columns: usize) {
        self.end += columns;
    }

    /// Goes on by so many bytes and returns these.
    #[inline(always)]
    fn take(&mut self, length: usize) -> &mut [u8] {
        let start = self.end;
        self.end += length;
        if self.end > self.bytes.len() {
            self.grow();
        }
        &mut self.bytes[start..self.end]
    }

    /// Writes a number below 1,000.
    #[inline(always)]
    fn put_leading(&mut self, number: usize) {
        let start = self.end;
        self.take(4).copy_from_slice(&LEADING[number]);
        self.end = start + 1 + usize::from(number > 9) + usize::from(number > 99);
    }

    /// Writes a number of 1,000 or more.
    #[inline(never)]
    fn put_long(&mut self, number: u64) {
        // Both casts are of numbers below 1,000.
        let (above, rest) = (number / 1_000, (number % 1_000) as usize);
        if above < 1_000 {
            self.put_leading(above as usize);
        } else {
            self.put_long(above);
        }
        self.put_bytes(&TRIPLES[rest]);
    }

    #[cold]
    fn grow(&mut self) {
        self.bytes.resize(self.end + USUAL_BYTES, b' ');
    }
}

impl TextBuffer for Line<'_> {
    #[inline(always)]
    fn put_bytes(&mut self, text: &[u8]) {
        self.take(text.len()).copy_from_slice(text);
    }

    #[inline(always)]
    fn put_decimal(&mut self, number: u64) {
        if number < 1_000 {
            self.put_leading(number as usize);
        } else {
            self.put_long(number);
        }
    }
}

/// Every number below a thousand without leading zeros, and spaces behind it: a store of constant
/// length is cheaper than a copy of the exact length.
static LEADING: [[u8; 4]; 1_000] = {
    let mut texts = [*b"    "; 1_000];
    let mut number = 0;
    while number < 1_000 {
        let zeros = if number < 10 {
            2
        } else if number < 100 {
            1
        } else {
            0
        };
        let mut index = zeros;
        while index < 3 {
            texts[number][index - zeros] = TRIPLES[number][index];
            index += 1;
        }
        number += 1;
    }
    texts
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_longer_than_usual_is_whole() {
        let mut bytes = b"before ".to_vec();
        Line::append(&mut bytes, |line| {
            for number in 0..100 {
                line.put_decimal(number);
                line.skip(3);
                line.put_bytes(b",");
            }
            line.skip(2);
        });
        let numbers: String = (0..100).map(|number| format!("{number}   ,")).collect();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            format!("before {numbers}  ")
        );
    }

    proptest! {
        #[test]
        fn a_number_is_written_as_anywhere_else(number: u64, shift in 0_u32..64) {
            let mut bytes = Vec::new();
            Line::append(&mut bytes, |line| line.put_decimal(number >> shift));
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), (number >> shift).to_string());
        }
    }
}
