//! Bytes as hex with their offsets and their ASCII characters.

use crate::text::write::{put, put_hex};

const BYTES_PER_LINE: usize = 16;

/// Appends lines of 16 bytes: `0000  a0 ff ff ff 47 …  ....GET /`. `offset` is
/// that of the first byte; every line begins with `indent`.
pub(crate) fn put_hexdump(out: &mut Vec<u8>, bytes: &[u8], offset: u64, indent: &str) {
    let mut at = offset;
    for line in bytes.chunks(BYTES_PER_LINE) {
        put(out, indent);
        put_offset(out, at);
        put(out, "  ");
        for index in 0..BYTES_PER_LINE {
            match line.get(index) {
                Some(byte) => put_hex(out, &[*byte]),
                None => put(out, "  "),
            }
            put(
                out,
                if index == BYTES_PER_LINE / 2 - 1 {
                    "  "
                } else {
                    " "
                },
            );
        }
        out.push(b' ');
        out.extend(line.iter().map(|&byte| match byte {
            b' '..=b'~' => byte,
            _ => b'.',
        }));
        out.push(b'\n');
        at += BYTES_PER_LINE as u64;
    }
}

/// Appends an offset in four hex digits, eight beyond 64 KiB, sixteen beyond 4 GiB.
fn put_offset(out: &mut Vec<u8>, offset: u64) {
    let digits = offset.to_be_bytes();
    let from = match offset {
        0..0x1_0000 => 6,
        0x1_0000..0x1_0000_0000 => 4,
        _ => 0,
    };
    put_hex(out, &digits[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_aligned_whatever_their_length() {
        let mut out = Vec::new();
        put_hexdump(&mut out, b"0123456789abcdef\x1b\xff[m", 0xfff0, "> ");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "> fff0  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef\n\
             > 00010000  1b ff 5b 6d                                       ..[m\n"
        );
    }

    #[test]
    fn no_bytes_give_no_line() {
        let mut out = Vec::new();
        put_hexdump(&mut out, &[], 0, "");
        assert!(out.is_empty());
    }
}
