//! The user's choices for text: characters, colours, ids, times, durations.

use super::grid::Colour;
use crate::conversation::{Level, MessageEvent};
use crate::field::PayloadDetail;
use crate::select::redact::Secrets;
use crate::text::escape::{Charset, escaped};
#[cfg(feature = "endpoints")]
use crate::text::wrap;
use crate::text::write::{
    TextBuffer, UtcClock, digits, put, put_id, put_number, put_padded, put_seconds,
};
use crate::time::{SECOND_NS, Timestamp};
use crate::units::LongUnit;
use crate::wire::{DestinationHash, FrameKind, RawMessage, StreamId};

/// Columns of a payload's preview in a picture, or where their number is not given.
pub const PREVIEW_COLUMNS: usize = 33;

/// Choices that all outputs for people share.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The characters that may be used.
    pub charset: Charset,
    /// Whether to colour.
    pub colour: Colouring,
    /// Columns of the terminal.
    pub width: usize,
    /// The form of ids.
    pub ids: IdFormat,
    /// The form of times.
    pub times: TimeStyle,
    /// The part of payloads that is shown.
    pub payload: PayloadDetail,
    /// Columns of a payload's preview in a line.
    pub previews: usize,
    /// The secrets replaced before; said where there is a place for it.
    pub redacted: Secrets,
}

/// Whether to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colouring {
    /// Text only.
    #[default]
    Never,
    /// ANSI colours.
    Ansi,
}

/// The form of ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdFormat {
    /// Six hex digits.
    #[default]
    Hex,
    /// Four characters of I2P base64, as in the logs of the Java implementation.
    Base64,
    /// Both, with a slash between them.
    Both,
}

/// The form of times.
#[derive(Clone, Copy, Debug, Default)]
pub enum TimeStyle {
    /// Seconds since the first packet.
    #[default]
    Relative,
    /// Seconds since the message before it.
    Delta,
    /// Date and time in the zone whose offset from UTC, in seconds east, this
    /// gives for each moment.
    Local(fn(Timestamp) -> i64),
    /// Date and time in UTC.
    Utc,
    /// Seconds since 1970.
    Epoch,
}

impl Style {
    /// Appends the last words of a report: `text` and, behind it, the verdict, which is one word.
    #[cfg(feature = "endpoints")]
    pub(crate) fn put_verdict(&self, text: &str, verdict: &str, colour: Colour, out: &mut Vec<u8>) {
        wrap::put_wrapped(&format!("{text}   {verdict}"), self.width, out);
        // Colour has no width.
        out.truncate(out.len() - verdict.len() - 1);
        self.colour(colour).put(out, verdict);
        out.push(b'\n');
    }

    /// `colour`, unless colours are off.
    pub(crate) const fn colour(&self, colour: Colour) -> Colour {
        match self.colour {
            Colouring::Ansi => colour,
            Colouring::Never => Colour::Plain,
        }
    }

    /// The colour of a message's type.
    pub(crate) const fn colour_of_type(&self, message: &RawMessage<'_>) -> Colour {
        let colour = match message {
            RawMessage::Frame(frame) => match frame.frame_type.kind() {
                FrameKind::Syn => Colour::Green,
                FrameKind::Ack => Colour::Cyan,
                FrameKind::Close => Colour::Yellow,
                FrameKind::Data => Colour::Plain,
                FrameKind::Chaff => Colour::Dim,
                FrameKind::Unknown => Colour::Red,
            },
            RawMessage::Ping => Colour::Dim,
            RawMessage::Short(_) => Colour::Red,
        };
        self.colour(colour)
    }

    /// The colour of a level.
    pub(crate) const fn colour_of_level(&self, level: Option<Level>) -> Colour {
        self.colour(match level {
            Some(Level::Error) => Colour::Red,
            Some(Level::Warn) => Colour::Yellow,
            Some(Level::Note) => Colour::Dim,
            None => Colour::Plain,
        })
    }

    /// Appends an id.
    pub(crate) fn put_id(&self, id: StreamId, out: &mut impl TextBuffer) {
        match self.ids {
            IdFormat::Hex => put_id(out, id),
            IdFormat::Base64 => out.put_bytes(&id.base64()),
            IdFormat::Both => {
                put_id(out, id);
                out.put_bytes(b"/");
                out.put_bytes(&id.base64());
            }
        }
    }

    /// Columns that an id takes.
    pub(crate) const fn id_width(&self) -> usize {
        match self.ids {
            IdFormat::Hex => 6,
            IdFormat::Base64 => 4,
            IdFormat::Both => 11,
        }
    }

    /// Text that may come from the wire, escaped.
    pub(crate) fn escaped(&self, text: &str) -> String {
        escaped(text.as_bytes(), self.charset)
    }

    /// The first and last three characters of a hash: `9kQ…zA=`.
    pub(crate) fn short_hash(&self, hash: DestinationHash) -> String {
        let text = hash.to_string();
        let (start, end) = (&text[..3], &text[text.len() - 3..]);
        format!("{start}{}{end}", self.charset.ellipsis())
    }
}

/// Writes the times of messages in one style.
#[derive(Debug)]
pub(crate) struct TimeWriter {
    style: TimeStyle,
    clock: UtcClock,
    previous: Option<Timestamp>,
}

impl TimeWriter {
    pub(crate) const fn new(style: TimeStyle) -> Self {
        Self {
            style,
            clock: UtcClock::new(b' '),
            previous: None,
        }
    }

    /// Appends the time of the next message.
    pub(crate) fn put(&mut self, event: &MessageEvent<'_>, out: &mut Vec<u8>) {
        match self.style {
            TimeStyle::Relative => put_seconds(out, event.elapsed_us, 6),
            TimeStyle::Delta => {
                let previous = self.previous.replace(event.time).unwrap_or(event.time);
                put_seconds(out, event.time.micros_since(previous), 6);
            }
            TimeStyle::Epoch => {
                put_seconds(out, event.time.as_nanos().div_euclid(1_000), 6);
            }
            TimeStyle::Utc => self.put_clock(event.time, out),
            TimeStyle::Local(offset_at) => {
                let offset = offset_at(event.time).saturating_mul(SECOND_NS);
                self.put_clock(event.time.plus_nanos(offset), out);
            }
        }
    }

    fn put_clock(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        self.clock.put_second(out, time);
        out.push(b'.');
        let micros = time.as_nanos().rem_euclid(SECOND_NS) / 1_000;
        put_padded(out, micros.unsigned_abs(), 6);
    }
}

/// A span of time as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct DurationText {
    sign: &'static str,
    whole: u64,
    tenth: Option<u64>,
    unit: &'static str,
    /// Columns that the unit takes.
    unit_columns: usize,
}

impl DurationText {
    pub(super) fn of(nanos: i64, charset: Charset) -> Self {
        let micros = nanos.unsigned_abs() / 1_000;
        let (tenths, unit, unit_columns) = match micros {
            0..100 if charset == Charset::Ascii => (micros * 10, "us", 2),
            0..100 => (micros * 10, "µs", 2),
            100..1_000_000 => (micros / 100, "ms", 2),
            _ => {
                let unit = LongUnit::of(micros.cast_signed());
                let tenths = micros / (unit.micros.unsigned_abs() / 10);
                (tenths, unit.name, unit.name.len())
            }
        };
        Self {
            sign: if nanos < 0 { "-" } else { "" },
            whole: tenths / 10,
            tenth: (tenths < 1_000 && micros >= 100).then_some(tenths % 10),
            unit,
            unit_columns,
        }
    }

    /// Columns that it takes.
    #[inline]
    pub(super) fn width(&self) -> usize {
        let tenth = if self.tenth.is_some() { ".0".len() } else { 0 };
        self.sign.len() + digits(self.whole) + tenth + 1 + self.unit_columns
    }

    #[inline]
    pub(super) fn put(&self, out: &mut impl TextBuffer) {
        out.put_bytes(self.sign.as_bytes());
        out.put_decimal(self.whole);
        if let Some(tenth) = self.tenth {
            out.put_bytes(b".");
            out.put_decimal(tenth);
        }
        out.put_bytes(b" ");
        out.put_bytes(self.unit.as_bytes());
    }
}

/// Appends a span of time in three digits or so: `980 µs`, `4.0 ms`, `206 ms`, `12.3 s`,
/// `83.3 min`, `7.5 h`, `12.0 d`.
pub(crate) fn put_duration(out: &mut impl TextBuffer, nanos: i64, charset: Charset) {
    DurationText::of(nanos, charset).put(out);
}

/// Columns that [`put_duration`] takes.
pub(crate) fn duration_width(nanos: i64) -> usize {
    DurationText::of(nanos, Charset::Ascii).width()
}

/// Appends a number of bytes: exact below 10 KiB, in three digits or so above.
pub(crate) fn put_size(out: &mut Vec<u8>, bytes: u64) {
    const UNITS: [&str; 5] = [" KiB", " MiB", " GiB", " TiB", " PiB"];
    if bytes < 10 * 1024 {
        put_number(out, bytes);
        return put(out, " B");
    }
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    put_number(out, tenths / 10);
    if tenths < 1_000 {
        out.push(b'.');
        put_number(out, tenths % 10);
    }
    put(out, UNITS[unit]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duration(nanos: i64) -> String {
        let mut out = Vec::new();
        put_duration(&mut out, nanos, Charset::Unicode);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn durations_change_their_unit_where_a_reader_would() {
        for (nanos, text) in [
            (0, "0 µs"),
            (999, "0 µs"),
            (12_345, "12 µs"),
            (99_999, "99 µs"),
            (100_000, "0.1 ms"),
            (4_000_000, "4.0 ms"),
            (99_949_999, "99.9 ms"),
            (206_000_000, "206 ms"),
            (999_999_999, "999 ms"),
            (1_000_000_000, "1.0 s"),
            (99_900_000_000, "99.9 s"),
            (599_999_999_999, "599 s"),
            (600_000_000_000, "10.0 min"),
            (5_000_000_000_000, "83.3 min"),
            (9_999_999_999_999, "166 min"),
            (18_000_000_000_000, "5.0 h"),
            (432_000_000_000_000, "5.0 d"),
            (-4_000_000, "-4.0 ms"),
            (i64::MIN, "-106751 d"),
        ] {
            assert_eq!(duration(nanos), text, "{nanos}");
        }
    }

    #[test]
    fn sizes_are_exact_until_ten_kibibytes() {
        for (bytes, text) in [
            (0, "0 B"),
            (10_239, "10239 B"),
            (10_240, "10.0 KiB"),
            (1024 * 1024 - 1, "1023 KiB"),
            (1024 * 1024, "1.0 MiB"),
            (u64::MAX, "16383 PiB"),
        ] {
            let mut out = Vec::new();
            put_size(&mut out, bytes);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn base64_ids_are_those_of_the_i2p_alphabet() {
        for (id, text) in [
            (0x00_0000, "AAAA"),
            (0xff_ffff, "~~~~"),
            (0xfb_f3ef, "-~Pv"),
        ] {
            assert_eq!(StreamId::from_u32(id).base64(), text.as_bytes());
            assert_eq!(StreamId::from_u32(id).to_base64(), text);
        }
    }
}
