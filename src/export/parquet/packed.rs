//! Numbers of a few bits, and runs of them, as the encodings of the format have them.

/// Appends numbers of so many bits, the lowest bit of a byte first.
#[derive(Debug)]
pub(super) struct Packer<'a> {
    out: &'a mut Vec<u8>,
    waiting: u64,
    held: u32,
}

impl<'a> Packer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            waiting: 0,
            held: 0,
        }
    }

    /// Appends a number of at most 32 bits.
    #[inline]
    pub(super) fn put(&mut self, number: u32, bits: u32) {
        self.waiting |= u64::from(number) << self.held;
        self.held += bits;
        if self.held >= u32::BITS {
            // The cast keeps the lower half, which is full.
            let full = self.waiting as u32;
            self.out.extend_from_slice(&full.to_le_bytes());
            self.waiting >>= u32::BITS;
            self.held -= u32::BITS;
        }
    }

    /// Appends a number of any size.
    #[inline]
    pub(super) fn put_wide(&mut self, number: u64, bits: u32) {
        // The lower half first, as bits go from the lowest to the highest.
        self.put(number as u32, bits.min(u32::BITS));
        if let Some(more) = bits.checked_sub(u32::BITS) {
            self.put((number >> u32::BITS) as u32, more);
        }
    }

    /// Ends with a whole byte.
    pub(super) fn end(self) {
        let rest = self.held.div_ceil(8) as usize;
        self.out
            .extend_from_slice(&self.waiting.to_le_bytes()[..rest]);
    }
}

/// Numbers of so many bits, as the format's hybrid of runs and packed groups has them: one run
/// if all are the same, otherwise packed in groups of eight. Compression finds other runs.
pub(super) fn put_hybrid(out: &mut Vec<u8>, bits: u32, numbers: &[u32]) {
    let Some(first) = numbers.first() else {
        return;
    };
    if numbers.iter().all(|number| number == first) {
        let bytes = bits.div_ceil(8) as usize;
        return put_run(out, numbers.len(), &first.to_le_bytes()[..bytes]);
    }
    put_groups_header(out, numbers.len());
    let end = out.len() + numbers.len().div_ceil(8) * bits as usize;
    out.reserve(end - out.len());
    let mut packer = Packer::new(out);
    for &number in numbers {
        packer.put(number, bits);
    }
    packer.end();
    // The last group is padded with zeros.
    out.resize(end, 0);
}

/// A number that is there so many times.
pub(super) fn put_run(out: &mut Vec<u8>, count: usize, number: &[u8]) {
    // The lowest bit is 0 for a run and 1 for groups (Parquet's Encodings.md, "Run Length Encoding
    // / Bit-Packing Hybrid").
    put_varint(out, (count as u64) << 1);
    out.extend_from_slice(number);
}

/// The header of so many numbers that are packed in groups of eight.
pub(super) fn put_groups_header(out: &mut Vec<u8>, count: usize) {
    put_varint(out, (count.div_ceil(8) as u64) << 1 | 1);
}

/// An unsigned LEB128.
pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        // The lowest seven bits; the eighth says that more follow.
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The same of a number with a sign, which comes last.
pub(super) fn put_zigzag(out: &mut Vec<u8>, number: i64) {
    // The cast keeps all bits: the sign is the lowest now.
    put_varint(out, (number << 1 ^ number >> 63) as u64);
}
