//! Values of arguments that only this program has.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::cli::values::{ValueError, duration, size_with_unit};
use crate::endpoint::{Config, OnEof, SlowReader};
use crate::replay::mock::Unmatched;
use crate::replay::{Compare, IdPolicy, Loops, Order};
use crate::runtime::CarrierUrl;
use crate::wire::MAX_DATA_PAYLOAD_BYTES;

/// A text that is no value of its argument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReplayValueError {
    /// No policy for the end of input.
    #[error("a policy for the end of input is drain:5s, drain:off or close")]
    OnEof,
    /// No policy for slow readers.
    #[error("a policy for slow readers is close:30s, close or pause")]
    SlowReader,
    /// A time that is too short.
    #[error("a keep-alive time is 1s at least, or off")]
    KeepAlive,
    /// Not one of the words that there are.
    #[error("there are {0}")]
    Choice(&'static str),
    /// A message that is empty, or longer than the reference implementation sends.
    #[error("a message carries 1 byte to {}KiB", MAX_DATA_PAYLOAD_BYTES / 1024)]
    MessageSize,
    /// Such a size without a unit.
    #[error("a size needs a unit: B or KiB; did you mean {0}B?")]
    BareMessageSize(String),
    /// No factor.
    #[error("a speed is a number above 0, as in 2, 0.5 or 10x")]
    Speed,
    /// No rate.
    #[error("a rate is a number above 0 and /s, as in 100/s")]
    Rate,
    /// A bound that lets nothing through.
    #[error("a size above 0")]
    NoSize,
    /// No number of times.
    #[error("a number from 1, or forever")]
    Loops,
    /// No number of copies.
    #[error("a number from 1")]
    Copies,
    /// A duration in it is none.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// `drain:5s`, `drain:off`, `drain`, `close`.
pub(super) fn on_eof(text: &str) -> Result<OnEof, ReplayValueError> {
    match text.split_once(':') {
        None if text == "close" => Ok(OnEof::Close),
        None if text == "drain" => Ok(OnEof::Drain(Some(Duration::from_secs(5)))),
        Some(("drain", "off")) => Ok(OnEof::Drain(None)),
        Some(("drain", time)) => Ok(OnEof::Drain(Some(duration(time)?))),
        _ => Err(ReplayValueError::OnEof),
    }
}

/// `pause`, `close`.
pub(super) fn slow_reader(text: &str) -> Result<SlowReader, ReplayValueError> {
    match text {
        "pause" => Ok(SlowReader::Pause),
        "close" => Ok(SlowReader::Close),
        _ => {
            let time = text.strip_prefix("close:").map(duration);
            match time {
                Some(Ok(time)) => Ok(SlowReader::CloseAfter(time)),
                Some(Err(_)) | None => Err(ReplayValueError::SlowReader),
            }
        }
    }
}

/// `32KiB`: the most bytes that a data message may carry.
pub(super) fn message_size(text: &str) -> Result<usize, ReplayValueError> {
    let bytes = size_with_unit(text).map_err(|error| match error {
        ValueError::BareSize(number) => ReplayValueError::BareMessageSize(number),
        error => error.into(),
    })?;
    usize::try_from(bytes)
        .ok()
        .filter(|bytes| (1..=MAX_DATA_PAYLOAD_BYTES).contains(bytes))
        .ok_or(ReplayValueError::MessageSize)
}

/// `2`, `0.5`, `10x`.
pub(super) fn speed(text: &str) -> Result<f64, ReplayValueError> {
    positive(text.strip_suffix('x').unwrap_or(text)).ok_or(ReplayValueError::Speed)
}

/// `100/s`
pub(super) fn rate(text: &str) -> Result<f64, ReplayValueError> {
    text.strip_suffix("/s")
        .and_then(positive)
        .ok_or(ReplayValueError::Rate)
}

/// `8MiB`: a bound in bytes.
pub(super) fn positive_size(text: &str) -> Result<u64, ReplayValueError> {
    match size_with_unit(text)? {
        0 => Err(ReplayValueError::NoSize),
        bytes => Ok(bytes),
    }
}

fn positive(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    (number.is_finite() && number > 0.0).then_some(number)
}

/// A number, or `forever`.
pub(super) fn loops(text: &str) -> Result<Loops, ReplayValueError> {
    match (text, text.parse()) {
        ("forever", _) => Ok(Loops::Forever),
        (_, Ok(times)) if times > 0 => Ok(Loops::Times(times)),
        _ => Err(ReplayValueError::Loops),
    }
}

/// `1`, `1000`.
pub(super) fn copies(text: &str) -> Result<NonZeroU32, ReplayValueError> {
    text.parse().map_err(|_| ReplayValueError::Copies)
}

/// `ids`, `replies`, `none`.
pub(super) fn order(text: &str) -> Result<Order, ReplayValueError> {
    let choices = [Order::Ids, Order::Replies, Order::None];
    choose(text, choices, Order::name, "ids, replies and none")
}

/// `fresh`, `recorded`, `raw`.
pub(super) fn ids(text: &str) -> Result<IdPolicy, ReplayValueError> {
    let choices = [IdPolicy::Fresh, IdPolicy::Recorded, IdPolicy::Raw];
    choose(text, choices, IdPolicy::name, "fresh, recorded and raw")
}

/// `stream`, `messages`, `shape`, `none`.
pub(super) fn compare(text: &str) -> Result<Compare, ReplayValueError> {
    let choices = [
        Compare::Stream,
        Compare::Messages,
        Compare::Shape,
        Compare::None,
    ];
    choose(
        text,
        choices,
        Compare::name,
        "stream, messages, shape and none",
    )
}

/// `refuse`, `close`, `silence`.
pub(super) fn unmatched(text: &str) -> Result<Unmatched, ReplayValueError> {
    match text {
        "refuse" => Ok(Unmatched::Refuse),
        "close" => Ok(Unmatched::Close),
        "silence" => Ok(Unmatched::Silence),
        _ => Err(ReplayValueError::Choice("refuse, close and silence")),
    }
}

/// The source of a SYN's payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SynSource {
    /// The recording.
    Keep,
    /// Our own destination.
    Own,
    /// A file.
    File(PathBuf),
}

impl SynSource {
    /// The chosen source, or else the one that fits the carrier: on I2CP answers go to the
    /// destination in a SYN, and over TLS it must be the one that was proven.
    pub(super) const fn or_default<'a>(chosen: Option<&'a Self>, carrier: &CarrierUrl) -> &'a Self {
        match (chosen, carrier) {
            (Some(chosen), _) => chosen,
            (None, CarrierUrl::I2cp(..) | CarrierUrl::Tls(..)) => &Self::Own,
            (None, _) => &Self::Keep,
        }
    }
}

/// `keep`, `own`, `@FILE`.
pub(super) fn syn_source(text: &str) -> Result<SynSource, ReplayValueError> {
    match (text, text.strip_prefix('@')) {
        ("keep", _) => Ok(SynSource::Keep),
        ("own", _) => Ok(SynSource::Own),
        (_, Some(path)) => Ok(SynSource::File(path.into())),
        _ => Err(ReplayValueError::Choice("keep, own and @FILE")),
    }
}

fn choose<T: Copy>(
    text: &str,
    choices: impl IntoIterator<Item = T>,
    name: impl Fn(T) -> &'static str,
    all: &'static str,
) -> Result<T, ReplayValueError> {
    choices
        .into_iter()
        .find(|choice| name(*choice) == text)
        .ok_or(ReplayValueError::Choice(all))
}

/// A time, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeOrOff(pub(crate) Option<Duration>);

/// `100ms`, `off`.
impl FromStr for TimeOrOff {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "off" => Ok(Self(None)),
            time => duration(time).map(|time| Self(Some(time))),
        }
    }
}

/// As [`TimeOrOff`]; below a second there is none.
pub(super) fn keep_alive(text: &str) -> Result<TimeOrOff, ReplayValueError> {
    let time = text.parse()?;
    match time {
        TimeOrOff(Some(time)) if time < Config::SHORTEST_KEEP_ALIVE => {
            Err(ReplayValueError::KeepAlive)
        }
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_by_their_names() {
        assert_eq!(on_eof("close"), Ok(OnEof::Close));
        let drain = |time| Ok(OnEof::Drain(time));
        assert_eq!(on_eof("drain"), drain(Some(Duration::from_secs(5))));
        assert_eq!(on_eof("drain:off"), drain(None));
        assert_eq!(on_eof("drain:20ms"), drain(Some(Duration::from_millis(20))));
        for text in ["", "drains", "close:5s", "keep"] {
            assert_eq!(on_eof(text), Err(ReplayValueError::OnEof), "{text}");
        }
        assert_eq!(
            on_eof("drain:5").unwrap_err().to_string(),
            "a duration needs a unit: us, ms, s, m, h or d; did you mean 5s?"
        );
        assert_eq!(slow_reader("pause"), Ok(SlowReader::Pause));
        assert_eq!(
            slow_reader("close:1500ms"),
            Ok(SlowReader::CloseAfter(Duration::from_millis(1500)))
        );
        for text in ["stop", "close:", "close:soon", "pause:1s"] {
            assert_eq!(
                slow_reader(text),
                Err(ReplayValueError::SlowReader),
                "{text}"
            );
        }
    }

    #[test]
    fn a_message_carries_1_byte_to_32_kib() {
        assert_eq!(message_size("1B"), Ok(1));
        assert_eq!(message_size("32KiB"), Ok(32_768));
        for text in ["0B", "32769B", "1GiB"] {
            let error = message_size(text).unwrap_err().to_string();
            assert_eq!(error, "a message carries 1 byte to 32KiB", "{text}");
        }
        assert_eq!(
            message_size("1024").unwrap_err().to_string(),
            "a size needs a unit: B or KiB; did you mean 1024B?"
        );
        assert_eq!(
            message_size("x").unwrap_err().to_string(),
            "a size is a number of bytes, or of KiB, MiB or GiB, as in 64KiB"
        );
    }

    #[test]
    fn speeds_rates_and_times_are_numbers_above_zero() {
        assert_eq!(speed("2"), Ok(2.0));
        assert_eq!(speed("0.5x"), Ok(0.5));
        assert_eq!(rate("100/s"), Ok(100.0));
        assert_eq!(loops("3"), Ok(Loops::Times(3)));
        assert_eq!(loops("forever"), Ok(Loops::Forever));
        for text in ["0", "-1", "x", "", "inf", "NaN"] {
            assert_eq!(speed(text), Err(ReplayValueError::Speed), "{text}");
            assert_eq!(loops(text), Err(ReplayValueError::Loops), "{text}");
            assert_eq!(copies(text), Err(ReplayValueError::Copies), "{text}");
        }
        for text in ["100", "0/s", "/s"] {
            assert_eq!(rate(text), Err(ReplayValueError::Rate), "{text}");
        }
        assert_eq!(positive_size("1B"), Ok(1));
        for text in ["0B", "0MiB"] {
            assert_eq!(positive_size(text), Err(ReplayValueError::NoSize), "{text}");
        }
        assert_eq!(
            positive_size("1").unwrap_err().to_string(),
            "a size needs a unit: KiB, MiB or GiB; did you mean 1MiB?"
        );
    }

    #[test]
    fn a_keep_alive_takes_a_second_at_least() {
        assert_eq!(keep_alive("off"), Ok(TimeOrOff(None)));
        let second = Duration::from_secs(1);
        assert_eq!(keep_alive("1s"), Ok(TimeOrOff(Some(second))));
        for text in ["0s", "999ms"] {
            let error = keep_alive(text).unwrap_err().to_string();
            assert_eq!(error, "a keep-alive time is 1s at least, or off", "{text}");
        }
    }

    #[test]
    fn a_time_can_be_off() {
        assert_eq!("off".parse(), Ok(TimeOrOff(None)));
        assert_eq!("1s".parse(), Ok(TimeOrOff(Some(Duration::from_secs(1)))));
        assert_eq!(
            "never".parse::<TimeOrOff>().unwrap_err().to_string(),
            "a duration is a number and a unit, as in 500us, 20ms, 1s, 2m or 1h"
        );
    }
}
