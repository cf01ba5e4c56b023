//! Capture time.

use std::fmt;

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
                .saturating_mul(1_000_000_000)
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
        let seconds = self.0.div_euclid(1_000_000_000);
        let nanos = self.0.rem_euclid(1_000_000_000);
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
        let year = year_of_era + era * 400 + (month <= 2) as i64;
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
