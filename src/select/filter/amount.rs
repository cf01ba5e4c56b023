//! Times and sizes, with their units as tables show them: `1.5 ms`, `83.3 KiB`.

use super::token::MICRO;
use crate::field::FieldKind;
use crate::units::{Decimal, size_factor, time_factor};

/// The quantity that a value is an amount of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    /// In microseconds.
    Time,
    /// In bytes.
    Size,
}

/// The reason why a text is no amount, though its unit is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAmount {
    NoNumber,
    /// It is not as many microseconds or bytes as a whole number says.
    NotWhole,
    TooLarge,
}

impl Quantity {
    /// The quantity of a kind of values.
    pub(super) const fn of(kind: FieldKind) -> Option<Self> {
        match kind {
            FieldKind::Micros => Some(Self::Time),
            FieldKind::Size => Some(Self::Size),
            _ => None,
        }
    }

    /// Microseconds or bytes of a unit, also as tables write it.
    pub(super) fn factor(self, unit: &str) -> Option<u64> {
        match (self, unit) {
            (Self::Time, "min") => time_factor("m"),
            (Self::Time, unit) => match unit.strip_prefix(MICRO) {
                Some("s") => time_factor("us"),
                Some(_) => None,
                None => time_factor(unit),
            },
            (Self::Size, "TiB") => Some(1 << 40),
            (Self::Size, "PiB") => Some(1 << 50),
            (Self::Size, unit) => size_factor(unit),
        }
    }

    /// The names of the units, for a hint.
    pub(super) const fn units(self) -> &'static str {
        match self {
            Self::Time => "us, ms, s, min, h and d",
            Self::Size => "B, KiB, MiB, GiB, TiB and PiB",
        }
    }

    /// A number, also one with decimals or below zero, times the factor of its unit.
    pub(super) fn times(self, number: &str, factor: u64) -> Result<i64, NoAmount> {
        if !is_number(number) {
            return Err(NoAmount::NoNumber);
        }
        let digits = unsigned(number);
        let Some(decimal) = Decimal::read(digits) else {
            let whole = digits.split('.').next().unwrap_or_default();
            return Err(match whole.parse::<u64>() {
                Ok(_) => NoAmount::NotWhole,
                Err(_) => NoAmount::TooLarge,
            });
        };
        let product = match (self, factor) {
            // As tables show sizes: 83.3 KiB are no whole number of bytes.
            (Self::Size, 2..) => decimal.times_rounded_down(factor),
            _ => decimal.times(factor).ok_or(NoAmount::NotWhole)?,
        };
        let value = i64::try_from(product).map_err(|_| NoAmount::TooLarge)?;
        Ok(if number.starts_with('-') {
            -value
        } else {
            value
        })
    }

    /// What is wrong with the number of an amount, and a hint.
    pub(super) const fn problem(self, reason: NoAmount) -> Option<(&'static str, &'static str)> {
        match (self, reason) {
            (_, NoAmount::NoNumber) => None,
            (Self::Time, NoAmount::NotWhole) => {
                Some(("this time is no whole number of microseconds", ""))
            }
            (Self::Time, NoAmount::TooLarge) => {
                Some(("this time is too long", "the longest is 106751991d"))
            }
            (Self::Size, NoAmount::NotWhole) => Some(("this size is no whole number of bytes", "")),
            (Self::Size, NoAmount::TooLarge) => {
                Some(("this size is too large", "the largest is 8191PiB"))
            }
        }
    }
}

fn unsigned(number: &str) -> &str {
    number.strip_prefix(['-', '+']).unwrap_or(number)
}

/// Whether a text is a number as people write it, however large.
pub(super) fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, decimals) = unsigned(text)
        .split_once('.')
        .unwrap_or((unsigned(text), "0"));
    digits(whole) && digits(decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_down_as_tables_do_and_times_are_exact() {
        for (quantity, number, unit, expected) in [
            (Quantity::Size, "83.3", "KiB", Ok(85_299)),
            (Quantity::Size, "-0.5", "KiB", Ok(-512)),
            (Quantity::Size, "1.7", "TiB", Ok(1_869_169_767_219)),
            (Quantity::Size, "2", "PiB", Ok(2 << 50)),
            (Quantity::Size, "8191", "PiB", Ok(8_191 << 50)),
            (Quantity::Size, "8192", "PiB", Err(NoAmount::TooLarge)),
            (Quantity::Size, "0.5", "B", Err(NoAmount::NotWhole)),
            (Quantity::Time, "1.5", "ms", Ok(1_500)),
            (Quantity::Time, "-83.3", "min", Ok(-4_998_000_000)),
            (Quantity::Time, "0.5", "us", Err(NoAmount::NotWhole)),
            (
                Quantity::Time,
                "0.000000000000000000001",
                "d",
                Err(NoAmount::NotWhole),
            ),
            (
                Quantity::Time,
                "106751991",
                "d",
                Ok(9_223_372_022_400_000_000),
            ),
            (Quantity::Time, "106751992", "d", Err(NoAmount::TooLarge)),
            (
                Quantity::Time,
                "99999999999999999999",
                "\u{b5}s",
                Err(NoAmount::TooLarge),
            ),
            (Quantity::Time, "0x10", "s", Err(NoAmount::NoNumber)),
            (Quantity::Time, "1.", "s", Err(NoAmount::NoNumber)),
            (Quantity::Time, "", "s", Err(NoAmount::NoNumber)),
        ] {
            let factor = quantity.factor(unit).unwrap();
            assert_eq!(quantity.times(number, factor), expected, "{number}{unit}");
        }
    }
}
