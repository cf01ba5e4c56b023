//! Where the records of a capture end, found without the library.

/// Where a whole record ends, and how many packets there are up to there.
#[derive(Clone, Copy)]
pub(crate) struct End {
    /// Where it ends, from the start of the file.
    pub(crate) offset: usize,
    /// Packets up to there.
    pub(crate) packets: usize,
}

/// The records of a capture, found without the library.
pub(crate) struct Layout {
    /// Before these bytes are there it cannot be told from other files.
    pub(crate) header_bytes: usize,
    /// The end of every whole record.
    pub(crate) ends: Vec<End>,
}

impl Layout {
    /// Of a pcap or pcapng, as far as its records are whole.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
            Self::of_pcapng(bytes)
        } else {
            Self::of_pcap(bytes)
        }
    }

    fn of_pcap(bytes: &[u8]) -> Self {
        const HEADER: usize = 24;
        const RECORD_HEADER: usize = 16;
        let big_endian = bytes[0] == 0xa1;
        let mut ends = vec![End {
            offset: HEADER,
            packets: 0,
        }];
        let mut offset = HEADER;
        while let Some(length) = number(bytes, offset + 8, big_endian) {
            offset += RECORD_HEADER + length;
            if offset > bytes.len() {
                break;
            }
            ends.push(End {
                offset,
                packets: ends.len(),
            });
        }
        Self {
            header_bytes: HEADER,
            ends,
        }
    }

    fn of_pcapng(bytes: &[u8]) -> Self {
        const SECTION_HEADER: usize = 0x0a0d_0d0a;
        let mut ends: Vec<End> = Vec::new();
        let (mut offset, mut packets, mut big_endian) = (0, 0, false);
        while let Some(mut kind) = number(bytes, offset, big_endian) {
            if kind == SECTION_HEADER {
                let magic = bytes.get(offset + 8..offset + 12);
                big_endian = magic == Some(&[0x1a, 0x2b, 0x3c, 0x4d]);
                kind = SECTION_HEADER;
            }
            let Some(length) = number(bytes, offset + 4, big_endian) else {
                break;
            };
            if length < 12 || offset + length > bytes.len() {
                break;
            }
            offset += length;
            packets += usize::from(matches!(kind, 2 | 3 | 6));
            ends.push(End { offset, packets });
        }
        Self {
            header_bytes: ends.first().map_or(0, |end| end.offset),
            ends,
        }
    }

    /// Packets that are whole within the first `length` bytes.
    pub(crate) fn packets_before(&self, length: usize) -> usize {
        self.ends
            .iter()
            .rfind(|end| end.offset <= length)
            .map_or(0, |end| end.packets)
    }

    /// Where the record begins that a cut at `length` goes through.
    pub(crate) fn begin_before(&self, length: usize) -> usize {
        self.ends
            .iter()
            .rfind(|end| end.offset <= length)
            .map_or(0, |end| end.offset)
    }
}

fn number(bytes: &[u8], offset: usize, big_endian: bool) -> Option<usize> {
    let four: [u8; 4] = bytes.get(offset..offset + 4)?.try_into().ok()?;
    let number = if big_endian {
        u32::from_be_bytes(four)
    } else {
        u32::from_le_bytes(four)
    };
    usize::try_from(number).ok()
}
