//! The classic pcap format (draft-ietf-opsawg-pcap).

use pcap_parser::nom;
use pcap_parser::{PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header};

use super::window::{Current, Window};
use super::{
    ByteOrder, CaptureError, CaptureFormat, Content, Damage, FileRecord, LinkType,
    MAX_CAPTURED_BYTES,
};
use crate::time::{SECOND_NS, Timestamp};

/// Length of the file header (section 4 of the draft).
const FILE_HEADER: usize = 24;
/// Length of a record's header (section 5).
const RECORD_HEADER: usize = 16;
/// The link type in the header's last field; above it stand the length of the
/// frame check sequence and reserved bits (section 4).
const LINK_TYPE_MASK: u32 = 0x0000_ffff;
/// The fields of the file header that the records need.
#[derive(Debug)]
pub(super) struct Pcap {
    order: ByteOrder,
    link_type: LinkType,
    /// Length of the unit of a record's sub-second field.
    unit_nanos: i64,
    /// Packets read so far.
    packets: u64,
}

/// The format that the first bytes announce; both variants of pcap have
/// magic numbers of four bytes.
pub(super) fn detect(head: &[u8]) -> Option<CaptureFormat> {
    match head.first_chunk()? {
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xd4, 0xc3, 0xb2, 0xa1] => Some(CaptureFormat::Pcap),
        [0xa1, 0xb2, 0x3c, 0x4d] | [0x4d, 0x3c, 0xb2, 0xa1] => Some(CaptureFormat::PcapNanosecond),
        _ => None,
    }
}

impl Pcap {
    /// Reads the file header.
    pub(super) fn open(window: &mut Window, format: CaptureFormat) -> Result<Self, CaptureError> {
        window.require(FILE_HEADER);
        let content = match parse_pcap_header(window.available()) {
            Ok((_, header)) if header.version_major == 2 => {
                window.take(FILE_HEADER);
                return Ok(Self::from_header(&header));
            }
            Ok((_, header)) => Content::PcapVersion {
                major: header.version_major,
                minor: header.version_minor,
            },
            Err(_) => Content::CutHeader {
                format,
                got: window.available().len() as u64,
                needed: FILE_HEADER as u64,
            },
        };
        Err(window.not_a_capture(content))
    }

    fn from_header(header: &PcapHeader) -> Self {
        // Unsigned in the format, signed in the parser: the bits stay.
        let network = u32::from_ne_bytes(header.network.0.to_ne_bytes());
        Self {
            order: if header.is_bigendian() {
                ByteOrder::Big
            } else {
                ByteOrder::Little
            },
            link_type: LinkType::from_number(network & LINK_TYPE_MASK),
            unit_nanos: if header.is_nanosecond_precision() {
                1
            } else {
                1_000
            },
            packets: 0,
        }
    }

    /// The link type of every packet.
    pub(super) fn link_type(&self) -> LinkType {
        self.link_type
    }

    /// Reads the next record.
    #[inline]
    pub(super) fn advance(&mut self, window: &mut Window) -> Result<Option<Current>, CaptureError> {
        loop {
            let bytes = window.available();
            if let Some((captured, original_bytes, time)) = self.whole_record(bytes) {
                let record = window.take(RECORD_HEADER + captured);
                self.packets += 1;
                return Ok(Some(Current {
                    time,
                    interface: 0,
                    link_type: self.link_type,
                    data: record.start + RECORD_HEADER..record.end,
                    original_bytes,
                }));
            }
            let parsed = match self.order {
                ByteOrder::Little => parse_pcap_frame(bytes),
                ByteOrder::Big => parse_pcap_frame_be(bytes),
            };
            let missing = match parsed {
                // A whole record was taken above, unless its length is beyond the bound.
                Ok((_, frame)) => return Err(self.absurd(window, frame.caplen.into())),
                Err(nom::Err::Incomplete(needed)) => missing_bytes(needed),
                Err(nom::Err::Error(_) | nom::Err::Failure(_)) => {
                    return Err(window.damaged(self.record(), window.offset(), Damage::Malformed));
                }
            };
            let needed = bytes.len() as u64 + missing;
            let captured = needed.saturating_sub(RECORD_HEADER as u64);
            if captured > MAX_CAPTURED_BYTES.into() {
                return Err(self.absurd(window, captured));
            }
            if !window.refill() {
                return self.end(window, needed).map(|()| None);
            }
        }
    }

    /// Captured and original length and time of the record that `bytes` begin with, if all of it is
    /// at hand: most are, and need no parser with exact errors.
    #[inline]
    fn whole_record(&self, bytes: &[u8]) -> Option<(usize, u32, Timestamp)> {
        let header: &[u8; RECORD_HEADER] = bytes.first_chunk()?;
        let (fields, _) = header.as_chunks::<4>();
        let field = |index: usize| match self.order {
            ByteOrder::Little => u32::from_le_bytes(fields[index]),
            ByteOrder::Big => u32::from_be_bytes(fields[index]),
        };
        let captured = usize::try_from(field(2)).ok()?;
        let is_whole = field(2) <= MAX_CAPTURED_BYTES && bytes.len() - RECORD_HEADER >= captured;
        is_whole.then(|| (captured, field(3), self.time(field(0), field(1))))
    }

    /// The input has ended: between two records, or inside one that needs so many bytes.
    fn end(&self, window: &mut Window, needed: u64) -> Result<(), CaptureError> {
        if window.available().is_empty() {
            window.finish()
        } else {
            Err(window.truncated(self.record(), window.offset(), needed))
        }
    }

    fn absurd(&self, window: &Window, captured: u64) -> CaptureError {
        let damage = Damage::CapturedLength {
            captured,
            bound: MAX_CAPTURED_BYTES.into(),
        };
        window.damaged(self.record(), window.offset(), damage)
    }

    /// The record that is being read.
    fn record(&self) -> FileRecord {
        FileRecord::Packet(self.packets + 1)
    }

    /// Both fields have 32 bits, so the sum stays far from the ends of an `i64`.
    #[inline]
    fn time(&self, seconds: u32, units: u32) -> Timestamp {
        Timestamp::from_nanos(i64::from(seconds) * SECOND_NS + i64::from(units) * self.unit_nanos)
    }
}

/// Number of bytes that a record lacks, as far as is known.
fn missing_bytes(needed: nom::Needed) -> u64 {
    match needed {
        nom::Needed::Size(count) => count.get() as u64,
        nom::Needed::Unknown => 1,
    }
}
