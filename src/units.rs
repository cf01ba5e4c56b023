//! Numbers with a unit or a noun, as people write them: `20ms`, `64KiB`, `0.5%`, `2 messages`; and
//! the unit in which people count a long time.

use std::time::Duration;

/// A time in whole microseconds, as many as 64 bits hold: a number that every log format writes as
/// one, which it would not do for 128 bits.
pub(crate) fn whole_micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The longest time that faults, rules and scripts wait: a clock can be moved by it with certainty.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(30 * 24 * 3600);

/// A hundred years, by which every clock can be moved, also more than once.
pub(crate) const LONGEST_TIME: Duration = Duration::from_secs(36_500 * 24 * 3_600);

/// Units of time, in microseconds.
const TIME: [(&str, u64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// A unit in which people count times of a second and more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LongUnit {
    /// As it is written behind a number.
    pub(crate) name: &'static str,
    /// Its length in microseconds.
    pub(crate) micros: i64,
    /// Times of so many microseconds and more are given in it.
    from_us: i64,
}

/// All of them, the shortest first. 90 s, 90 min and 90 h stay as they are; ten minutes, five hours
/// and five days are where a reader would count in the next one.
const LONG_UNITS: [LongUnit; 4] = [
    LongUnit::new("s", 1, 0),
    LongUnit::new("min", 60, 600),
    LongUnit::new("h", 3_600, 5 * 3_600),
    LongUnit::new("d", 86_400, 5 * 86_400),
];

impl LongUnit {
    const fn new(name: &'static str, seconds: i64, from_seconds: i64) -> Self {
        Self {
            name,
            micros: seconds * 1_000_000,
            from_us: from_seconds * 1_000_000,
        }
    }

    /// The unit in which so long a time is given.
    pub(crate) fn of(span_us: i64) -> Self {
        let fitting = LONG_UNITS.into_iter().rev();
        let mut fitting = fitting.filter(|unit| unit.from_us <= span_us);
        fitting.next().unwrap_or(LONG_UNITS[0])
    }

    /// The largest unit of which `step_us` is a multiple, but none larger than that in which
    /// `span_us` is given; `None` where it is not whole seconds.
    pub(crate) fn of_steps(step_us: i64, span_us: i64) -> Option<Self> {
        let most = Self::of(span_us).micros;
        let whole = |unit: &Self| unit.micros <= most && step_us % unit.micros == 0;
        LONG_UNITS.into_iter().rev().find(whole)
    }

    /// A time that is a multiple of a unit, in the largest such: `90 s`, `2 h`.
    pub(crate) fn exactly(micros: i64) -> Option<String> {
        let unit = Self::of_steps(micros, i64::MAX)?;
        Some(format!("{} {}", micros / unit.micros, unit.name))
    }
}

/// Units of size, in bytes, the largest first.
const SIZE: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// The reason why a text is no number with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotRead {
    /// A number without a unit.
    NoUnit,
    /// No number, a unit that there is not, or a value out of range.
    Malformed,
}

/// `500us`, `20ms`, `1.5s`, `2m`, `1h`, `7d`: whole microseconds.
pub(crate) fn duration(text: &str) -> Result<Duration, NotRead> {
    let micros = with_unit(text, time_factor)?;
    let seconds = u64::try_from(micros / 1_000_000).map_err(|_| NotRead::Malformed)?;
    let nanos = u32::try_from(micros % 1_000_000 * 1_000).expect("below a second");
    Ok(Duration::new(seconds, nanos))
}

/// Bytes of `512B`, `64KiB`, `1.5MiB`, `1GiB`: whole ones.
pub(crate) fn size(text: &str) -> Result<u64, NotRead> {
    u64::try_from(with_unit(text, size_factor)?).map_err(|_| NotRead::Malformed)
}

/// Microseconds of a unit of time.
pub(crate) fn time_factor(unit: &str) -> Option<u64> {
    factor(&TIME, unit)
}

/// Bytes of a unit of size.
pub(crate) fn size_factor(unit: &str) -> Option<u64> {
    factor(&SIZE, unit)
}

/// A time as [`duration`] reads it, in its largest unit up to seconds.
pub(crate) fn shown_duration(time: Duration) -> String {
    let micros = time.as_micros();
    match (micros % 1_000, micros % 1_000_000) {
        (_, 0) => format!("{}s", micros / 1_000_000),
        (0, _) => format!("{}ms", micros / 1_000),
        _ => format!("{micros}us"),
    }
}

/// A size as [`size`] reads it, in the largest unit of which it is a multiple.
pub(crate) fn shown_size(bytes: u64) -> String {
    let largest = SIZE
        .into_iter()
        .find(|(_, factor)| bytes.is_multiple_of(*factor) && bytes > 0);
    let (unit, factor) = largest.unwrap_or(("B", 1));
    format!("{}{unit}", bytes / factor)
}

/// A share from 0 to 1, as in `0.5%`.
pub(crate) fn share(text: &str) -> Option<f64> {
    let percent: f64 = text.trim().strip_suffix('%')?.parse().ok()?;
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

/// A share as [`share`] reads it.
pub(crate) fn shown_share(share: f64) -> String {
    // Shares are written with few digits; their hundredths would show many.
    let percent = (share * 100.0 * 1e9).round() / 1e9;
    format!("{percent}%")
}

fn with_unit(text: &str, factor: impl Fn(&str) -> Option<u64>) -> Result<u128, NotRead> {
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let decimal = Decimal::read(number).ok_or(NotRead::Malformed)?;
    if unit.is_empty() {
        return Err(NotRead::NoUnit);
    }
    let factor = factor(unit).ok_or(NotRead::Malformed)?;
    decimal.times(factor).ok_or(NotRead::Malformed)
}

/// A number with or without decimals, `20` or `0.5`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal {
    whole: u64,
    /// The decimals, of which the last is not 0, as a number, and ten to the power of how many
    /// there are.
    fraction: (u64, u64),
}

impl Decimal {
    /// Digits, and behind a point more of them.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if decimals.is_empty() || !is_digits(whole) || !is_digits(decimals) {
            return None;
        }
        let decimals = decimals.trim_end_matches('0');
        let fraction = match decimals {
            "" => 0,
            decimals => decimals.parse().ok()?,
        };
        let count = u32::try_from(decimals.len()).ok()?;
        Some(Self {
            whole: whole.parse().ok()?,
            fraction: (fraction, 10_u64.checked_pow(count)?),
        })
    }

    /// So many times `factor`, if that is a whole number.
    pub(crate) fn times(self, factor: u64) -> Option<u128> {
        let (parts, of) = self.parts(factor);
        parts
            .is_multiple_of(of)
            .then(|| self.times_rounded_down(factor))
    }

    /// So many times `factor`, without the decimals of that.
    pub(crate) fn times_rounded_down(self, factor: u64) -> u128 {
        let (parts, of) = self.parts(factor);
        u128::from(self.whole) * u128::from(factor) + parts / of
    }

    /// The decimals times `factor`: so many parts, and of what.
    fn parts(self, factor: u64) -> (u128, u128) {
        let (number, of) = self.fraction;
        (u128::from(number) * u128::from(factor), u128::from(of))
    }
}

fn factor(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    Some(*factor)
}

/// `1 message`, `2 messages`
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_needs_a_unit_and_is_exact_to_its_end() {
        for (text, expected) in [
            ("500us", Ok(Duration::from_micros(500))),
            ("20ms", Ok(Duration::from_millis(20))),
            ("1s", Ok(Duration::from_secs(1))),
            ("2m", Ok(Duration::from_secs(120))),
            ("3h", Ok(Duration::from_secs(10_800))),
            ("7d", Ok(Duration::from_secs(604_800))),
            ("18446744073709551615s", Ok(Duration::from_secs(u64::MAX))),
            (
                "18446744073709551615us",
                Ok(Duration::from_micros(u64::MAX)),
            ),
            (
                "18446744073709551615ms",
                Ok(Duration::from_millis(u64::MAX)),
            ),
            ("18446744073709551615m", Err(NotRead::Malformed)),
            ("99999999999999999999s", Err(NotRead::Malformed)),
            ("99999999999999999999", Err(NotRead::Malformed)),
            ("0.5s", Ok(Duration::from_millis(500))),
            ("1.50ms", Ok(Duration::from_micros(1_500))),
            ("83.3m", Ok(Duration::from_secs(4_998))),
            ("0.000001s", Ok(Duration::from_micros(1))),
            ("1.000000000000000000000us", Ok(Duration::from_micros(1))),
            ("0.0000001s", Err(NotRead::Malformed)),
            ("0.5us", Err(NotRead::Malformed)),
            ("0.00000000000000000001d", Err(NotRead::Malformed)),
            ("1.s", Err(NotRead::Malformed)),
            (".5s", Err(NotRead::Malformed)),
            ("1.2.3s", Err(NotRead::Malformed)),
            ("10", Err(NotRead::NoUnit)),
            ("0.5", Err(NotRead::NoUnit)),
            ("", Err(NotRead::Malformed)),
            ("s", Err(NotRead::Malformed)),
            ("1min", Err(NotRead::Malformed)),
            ("1KiB", Err(NotRead::Malformed)),
            ("-1s", Err(NotRead::Malformed)),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    #[test]
    fn a_size_takes_binary_units_only() {
        for (text, expected) in [
            ("512B", Ok(512)),
            ("64KiB", Ok(65_536)),
            ("2MiB", Ok(2 << 20)),
            ("3GiB", Ok(3 << 30)),
            ("1.5KiB", Ok(1_536)),
            ("0.3B", Err(NotRead::Malformed)),
            ("512", Err(NotRead::NoUnit)),
            ("1kB", Err(NotRead::Malformed)),
            ("KiB", Err(NotRead::Malformed)),
            ("18446744073709551615KiB", Err(NotRead::Malformed)),
        ] {
            assert_eq!(size(text), expected, "{text}");
        }
    }

    #[test]
    fn a_long_time_is_told_in_the_largest_unit_of_which_it_has_a_good_many() {
        for (seconds, name) in [
            (-5, "s"),
            (0, "s"),
            (599, "s"),
            (600, "min"),
            (17_999, "min"),
            (18_000, "h"),
            (431_999, "h"),
            (432_000, "d"),
        ] {
            assert_eq!(LongUnit::of(seconds * 1_000_000).name, name, "{seconds}");
        }
        for (step_us, span_s, name) in [
            (500_000, 9_000, None),
            (7_000_000, 500_000, Some("s")),
            (60_000_000, 500, Some("s")),
            (60_000_000, 600, Some("min")),
            (3_600_000_000, 9_000, Some("min")),
            (3_600_000_000, 90_000, Some("h")),
            (86_400_000_000, 864_000, Some("d")),
        ] {
            let unit = LongUnit::of_steps(step_us, span_s * 1_000_000);
            assert_eq!(unit.map(|unit| unit.name), name, "{step_us} {span_s}");
        }
    }

    #[test]
    fn what_is_shown_is_read_as_the_same() {
        for exponent in 0..63 {
            for number in [1_u64 << exponent, (1 << exponent) + 1, 3 << exponent] {
                assert_eq!(size(&shown_size(number)), Ok(number));
                let time = Duration::from_micros(number / 3 * 2);
                assert_eq!(duration(&shown_duration(time)), Ok(time));
            }
        }
        assert_eq!(shown_size(0), "0B");
        assert_eq!(shown_duration(Duration::ZERO), "0s");
    }
}
