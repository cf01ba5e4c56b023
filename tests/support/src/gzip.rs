//! gzip members, written without a compressor.

/// The header of every message that the reference implementation sends through
/// I2CP: both ports 0, protocol 0.
pub const REFERENCE_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0];

/// A member with stored blocks, as the reference sends up to 66 bytes.
pub fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut blocks = bytes.chunks(0xffff).peekable();
    let mut deflated = Vec::new();
    if bytes.is_empty() {
        stored_block(&mut deflated, &[], 1);
    }
    while let Some(block) = blocks.next() {
        stored_block(&mut deflated, block, u8::from(blocks.peek().is_none()));
    }
    member(&deflated, bytes)
}

/// A member with one block of fixed Huffman codes (RFC 1951, 3.2.6), all
/// literals: what a real inflater must work for.
pub fn fixed_huffman(bytes: &[u8]) -> Vec<u8> {
    let mut bits = BitWriter::default();
    bits.push(0b011, 3);
    for &byte in bytes {
        bits.push_literal(byte);
    }
    // End of block: the code 256, seven zero bits.
    bits.push(0, 7);
    member(&bits.finish(), bytes)
}

/// A member that says `repeat` times the same byte: a few bytes that inflate to many.
pub fn bomb(byte: u8, repeats_of_258: usize) -> Vec<u8> {
    let mut bits = BitWriter::default();
    bits.push(0b011, 3);
    bits.push_literal(byte);
    for _ in 0..repeats_of_258 {
        // Length 258 is code 285, 8 bits 11000101; distance 1 is code 0, 5 bits.
        bits.push_reversed(0b1100_0101, 8);
        bits.push(0, 5);
    }
    bits.push(0, 7);
    let whole = vec![byte; 1 + 258 * repeats_of_258];
    member(&bits.finish(), &whole)
}

fn member(deflated: &[u8], bytes: &[u8]) -> Vec<u8> {
    let length = crate::length_u32(bytes.len());
    [
        &REFERENCE_HEADER[..],
        deflated,
        &crc32(bytes).to_le_bytes(),
        &length.to_le_bytes(),
    ]
    .concat()
}

fn stored_block(out: &mut Vec<u8>, block: &[u8], last: u8) {
    let length = crate::length_u16(block.len());
    out.push(last);
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend_from_slice(block);
}

/// CRC-32 of gzip (RFC 1952, 8), bit by bit.
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc = (crc >> 1) ^ (carry * 0xedb8_8320);
        }
    }
    !crc
}

#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    used: u32,
}

impl BitWriter {
    /// The lowest bit first, as deflate packs numbers.
    fn push(&mut self, bits: u32, count: u32) {
        for place in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = u8::from(bits >> place & 1 == 1);
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << (self.used % 8);
            }
            self.used += 1;
        }
    }

    /// The highest bit first, as deflate packs Huffman codes.
    fn push_reversed(&mut self, code: u32, count: u32) {
        self.push(code.reverse_bits() >> (32 - count), count);
    }

    fn push_literal(&mut self, byte: u8) {
        let literal = u32::from(byte);
        match byte {
            0..=143 => self.push_reversed(0x30 + literal, 8),
            144..=255 => self.push_reversed(0x190 + literal - 144, 9),
        }
    }

    fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_is_wrapped_as_the_reference_wraps_it() {
        // A message of the real captures: CLOSE to server id e6b1a8.
        assert_eq!(
            stored(&[0xa2, 0xe6, 0xb1, 0xa8]),
            [
                0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0, 1, 4, 0, 0xfb, 0xff, 0xa2, 0xe6, 0xb1, 0xa8,
                0xa3, 0x16, 0x9a, 0x4e, 4, 0, 0, 0
            ]
        );
    }

    #[test]
    fn the_crc_is_that_of_the_check_string() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
