//! Capture time.

use std::fmt;
use std::str::FromStr;

/// Nanoseconds of a second.
pub(crate) const SECOND_NS: i64 = 1_000_000_000;

/// Whole microseconds of a number of nanoseconds, rounded down.
pub(crate) const fn micros(nanos: i64) -> i64 {
    nanos.div_euclid(1_000)
}

/// A moment of capture time, in nanoseconds since 1970-01-01 00:00:00 UTC.
///
/// This is the clock of the capture, not of the machine that reads it: it may
/// stand still, jump or go backwards. Range: the years 1677 to 2262; times
/// outside it saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// A moment from its nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// A moment from whole seconds and nanoseconds (0 to 999,999,999) since the Unix epoch.
    pub const fn from_parts(seconds: i64, nanos: u32) -> Self {
        Self(
            seconds
                .saturating_mul(SECOND_NS)
                .saturating_add(nanos as i64),
        )
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Nanoseconds from `earlier` to `self`; negative when capture time went backwards.
    pub const fn nanos_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Microseconds from `earlier` to `self`, rounded down; negative when capture time went backwards.
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.nanos_since(earlier).div_euclid(1_000)
    }

    /// `self` moved forward by `nanos` nanoseconds (backward when negative).
    pub const fn plus_nanos(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// The UTC calendar fields of this moment.
    pub const fn to_utc(self) -> Utc {
        let seconds = self.0.div_euclid(SECOND_NS);
        let nanos = self.0.rem_euclid(SECOND_NS);
        let days = seconds.div_euclid(86_400);
        let second_of_day = seconds.rem_euclid(86_400);
        // Days to civil date in the proleptic Gregorian calendar, counted in
        // 400-year eras that begin on 1 March so that the leap day comes last.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        // Counted from March, January and February end the year before theirs.
        let year = year_of_era + era * 400 + (month <= 2) as i64;
        // Each cast keeps its value: the fields have the ranges of `Utc`.
        Utc {
            year: year as i32,
            month: month as u8,
            day: day as u8,
            hour: (second_of_day / 3_600) as u8,
            minute: (second_of_day / 60 % 60) as u8,
            second: (second_of_day % 60) as u8,
            nanos: nanos as u32,
        }
    }
}

/// RFC 3339 in UTC with nine fractional digits: `2004-05-25T12:00:00.005000000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = self.to_utc();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z",
            utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.nanos
        )
    }
}

/// A text that is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time is RFC 3339 in UTC, as in 2004-05-25T12:00:00.005Z")]
pub struct TimeParseError;

/// Reads RFC 3339 in UTC with none to nine fractional digits, from
/// 1677-09-21T00:12:43.145224192Z to 2262-04-11T23:47:16.854775807Z, which is all that
/// nanoseconds since 1970 hold.
impl FromStr for Timestamp {
    type Err = TimeParseError;

    fn from_str(text: &str) -> Result<Self, TimeParseError> {
        parse_rfc_3339(text).ok_or(TimeParseError)
    }
}

fn parse_rfc_3339(text: &str) -> Option<Timestamp> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let in_range = (1677..=2262).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && (1..=9).contains(&fraction.len())
        && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !in_range {
        return None;
    }
    let nanos: i128 = format!("{fraction:0<9}").parse().ok()?;
    let seconds = days_from_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let nanos = i128::from(seconds) * i128::from(SECOND_NS) + nanos;
    i64::try_from(nanos).ok().map(Timestamp::from_nanos)
}

/// Three numbers of exactly so many digits.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        let plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = plain.then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(numbers)
}

const fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The inverse of [`Timestamp::to_utc`]: days since 1970-01-01, again in years
/// that begin on 1 March.
const fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Calendar fields of a [`Timestamp`] in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    /// Year, 1677 to 2262.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
    /// Nanosecond, 0 to 999,999,999.
    pub nanos: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates_display_as_rfc_3339() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_399, 999_999_999, "2000-02-28T23:59:59.999999999Z"),
            (951_782_400, 0, "2000-02-29T00:00:00.000000000Z"),
            (1_085_486_400, 5_000_000, "2004-05-25T12:00:00.005000000Z"),
            (4_107_542_399, 0, "2100-02-28T23:59:59.000000000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000000000Z"),
            (-1, 0, "1969-12-31T23:59:59.000000000Z"),
        ] {
            assert_eq!(Timestamp::from_parts(seconds, nanos).to_string(), text);
        }
    }

    #[test]
    fn every_display_is_read_back() {
        for day in -106_000..106_000_i64 {
            let time = Timestamp::from_parts(day * 86_400 + 86_399, 123_456_789);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        for nanos in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            let time = Timestamp::from_nanos(nanos);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        assert_eq!(
            "2004-05-25T12:00:00Z".parse(),
            Ok(Timestamp::from_parts(1_085_486_400, 0))
        );
    }

    #[test]
    fn texts_that_are_no_time_are_refused() {
        for text in [
            "",
            "2004-05-25",
            "2004-05-25T12:00:00",
            "2004-05-25 12:00:00Z",
            "2004-5-25T12:00:00Z",
            "2004-02-30T12:00:00Z",
            "1900-02-29T12:00:00Z",
            "2004-05-25T24:00:00Z",
            "2004-05-25T12:00:00.Z",
            "2004-05-25T12:00:00.1234567890Z",
            "2004-05-25T12:00:+1Z",
            "9999-05-25T12:00:00Z",
            "1677-09-21T00:12:43.145224191Z",
            "2262-04-11T23:47:16.854775808Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimeParseError), "{text}");
        }
    }

    #[test]
    fn times_out_of_range_saturate() {
        assert_eq!(
            Timestamp::from_parts(i64::MAX, 0).as_nanos(),
            i64::MAX,
            "the far future is the last representable moment"
        );
        assert_eq!(
            Timestamp::from_nanos(i64::MIN).nanos_since(Timestamp::from_nanos(1)),
            i64::MIN
        );
    }

    #[test]
    fn microseconds_round_down_also_before_the_start() {
        let start = Timestamp::from_nanos(10_000);
        assert_eq!(Timestamp::from_nanos(11_999).micros_since(start), 1);
        assert_eq!(Timestamp::from_nanos(9_999).micros_since(start), -1);
    }
}
