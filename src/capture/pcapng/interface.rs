//! Interfaces of a pcapng section, and their clocks.

use pcap_parser::{InterfaceDescriptionBlock, OptionCode};

use crate::capture::{ByteOrder, LinkType};
use crate::time::{SECOND_NS, Timestamp};

/// The common properties of an interface's packets.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) link_type: LinkType,
    pub(super) clock: Clock,
    /// `if_name`.
    pub(super) name: Option<String>,
    /// Bytes kept of each packet; 0 for all.
    snaplen: u32,
}

impl Interface {
    pub(super) fn new(block: &InterfaceDescriptionBlock<'_>, order: ByteOrder) -> Self {
        let link_type = u32::from_ne_bytes(block.linktype.0.to_ne_bytes());
        Self {
            link_type: LinkType::from_number(link_type),
            clock: Clock::new(block, order),
            name: name(block),
            snaplen: block.snaplen,
        }
    }

    /// Number of `bytes` that the snap length leaves.
    pub(super) fn cut(&self, bytes: usize) -> usize {
        match usize::try_from(self.snaplen) {
            Ok(0) | Err(_) => bytes,
            Ok(snaplen) => bytes.min(snaplen),
        }
    }
}

/// The longest name that is kept, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// `if_name` (section 4.2).
fn name(block: &InterfaceDescriptionBlock<'_>) -> Option<String> {
    let mut options = block.options.iter();
    let option = options.find(|option| option.code == OptionCode::IfName)?;
    let bytes = option.as_bytes().ok()?;
    let bytes = &bytes[..bytes.len().min(MAX_NAME_BYTES)];
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.to_owned())
}

/// The unit and offset of an interface's times (section 4.2: `if_tsresol`, `if_tsoffset`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    resolution: Resolution,
    offset_seconds: i64,
}

/// The unit of a clock, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    /// 10 to the power of minus this.
    Decimal(u8),
    /// 2 to the power of minus this.
    Binary(u8),
}

impl Clock {
    /// The crate's own reading of these options takes no power of two, and
    /// the offset as little-endian always, so they are read here. An option of
    /// the wrong length is as good as none.
    fn new(block: &InterfaceDescriptionBlock<'_>, order: ByteOrder) -> Self {
        let mut clock = Self {
            resolution: Resolution::Decimal(6),
            offset_seconds: 0,
        };
        let options = block.options.iter();
        for option in options.take_while(|option| option.code != OptionCode::EndOfOpt) {
            match (option.code, option.as_bytes()) {
                (OptionCode::IfTsresol, Ok(&[resolution])) => {
                    clock.resolution = Resolution::from_option(resolution);
                }
                (OptionCode::IfTsoffset, Ok(bytes)) => {
                    if let Ok(bytes) = bytes.try_into() {
                        clock.offset_seconds = order.i64(bytes);
                    }
                }
                _ => {}
            }
        }
        clock
    }

    /// The moment that this many units mean; saturates.
    #[inline]
    pub(super) fn time(self, units: u64) -> Timestamp {
        let offset = i128::from(self.offset_seconds) * i128::from(SECOND_NS);
        let nanos = (self.resolution.nanos(units) + offset).clamp(i64::MIN.into(), i64::MAX.into());
        Timestamp::from_nanos(i64::try_from(nanos).expect("clamped to the range of i64"))
    }
}

impl Resolution {
    /// The most significant bit gives the base, the others the exponent.
    const fn from_option(value: u8) -> Self {
        match value & 0x80 {
            0 => Self::Decimal(value),
            _ => Self::Binary(value & 0x7f),
        }
    }

    /// This many units in nanoseconds, rounded down.
    #[inline]
    fn nanos(self, units: u64) -> i128 {
        match self {
            Self::Decimal(exponent @ 0..=9) => {
                i128::from(units) * 10_i128.pow(u32::from(9 - exponent))
            }
            // A unit below 10^-28 s leaves no nanosecond of any 64-bit count.
            Self::Decimal(exponent) => 10_u64
                .checked_pow(u32::from(exponent - 9))
                .map_or(0, |units_per_nano| i128::from(units / units_per_nano)),
            // 64 bits of count and 30 of the factor; the shift is at most 127.
            Self::Binary(exponent) => (i128::from(units) * i128::from(SECOND_NS)) >> exponent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(resolution: u8, offset_seconds: i64, units: u64) -> i64 {
        let clock = Clock {
            resolution: Resolution::from_option(resolution),
            offset_seconds,
        };
        clock.time(units).as_nanos()
    }

    #[test]
    fn every_decimal_resolution_up_to_nanoseconds_counts_one_second_right() {
        for exponent in 0..=9 {
            assert_eq!(nanos(exponent, 0, 10_u64.pow(exponent.into())), SECOND_NS);
            assert_eq!(nanos(exponent, 0, 1), 10_i64.pow(9 - u32::from(exponent)));
        }
    }

    #[test]
    fn finer_decimal_resolutions_round_down() {
        for exponent in 10..=19_u8 {
            let second = 10_u64.pow(exponent.into());
            assert_eq!(nanos(exponent, 0, second), 1_000_000_000);
            assert_eq!(nanos(exponent, 0, second - 1), 999_999_999);
        }
        assert_eq!(nanos(28, 0, u64::MAX), 1);
        for exponent in 29..=127 {
            assert_eq!(nanos(exponent, 0, u64::MAX), 0);
        }
    }

    #[test]
    fn binary_resolutions_are_powers_of_two() {
        for exponent in 0..=63_u8 {
            assert_eq!(nanos(0x80 | exponent, 0, 1 << exponent), 1_000_000_000);
        }
        assert_eq!(nanos(0x80 | 1, 0, 3), 1_500_000_000);
        assert_eq!(nanos(0x80 | 32, 0, (7 << 32) | 0x8000_0000), 7_500_000_000);
        assert_eq!(nanos(0xff, 0, u64::MAX), 0);
    }

    #[test]
    fn times_out_of_range_saturate_and_offsets_may_be_negative() {
        assert_eq!(nanos(0, 0, u64::MAX), i64::MAX);
        assert_eq!(nanos(6, -1, 500_000), -500_000_000);
        assert_eq!(nanos(9, i64::MIN, 0), i64::MIN);
        assert_eq!(nanos(9, i64::MAX, 5), i64::MAX);
        assert_eq!(nanos(9, -9_223_372_037, 9_223_372_036_999_999_999), -1);
    }
}
