//! Values of arguments that only this program has.

use std::str::FromStr;
use std::time::Duration;

use crate::cli::values::{ValueError, duration};
use crate::endpoint::{OnEof, SlowReader};

/// A text that is no value of its argument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReplayValueError {
    /// No policy for the end of input.
    #[error("what follows the end of input is drain:5s or close")]
    OnEof,
    /// No policy for slow readers.
    #[error("a slow reader is met with pause or close")]
    SlowReader,
    /// A duration in it is none.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// `drain:5s`, `drain`, `close`.
pub(super) fn on_eof(text: &str) -> Result<OnEof, ReplayValueError> {
    match text.split_once(':') {
        None if text == "close" => Ok(OnEof::Close),
        None if text == "drain" => Ok(OnEof::Drain(Duration::from_secs(5))),
        Some(("drain", time)) => Ok(OnEof::Drain(duration(time)?)),
        _ => Err(ReplayValueError::OnEof),
    }
}

/// `pause`, `close`.
pub(super) fn slow_reader(text: &str) -> Result<SlowReader, ReplayValueError> {
    match text {
        "pause" => Ok(SlowReader::Pause),
        "close" => Ok(SlowReader::Close),
        _ => Err(ReplayValueError::SlowReader),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_by_their_names() {
        assert_eq!(on_eof("close"), Ok(OnEof::Close));
        assert_eq!(on_eof("drain"), Ok(OnEof::Drain(Duration::from_secs(5))));
        assert_eq!(
            on_eof("drain:20ms"),
            Ok(OnEof::Drain(Duration::from_millis(20)))
        );
        for text in ["", "drains", "close:5s", "keep"] {
            assert_eq!(on_eof(text), Err(ReplayValueError::OnEof), "{text}");
        }
        assert_eq!(
            on_eof("drain:5").unwrap_err().to_string(),
            "a duration needs a unit: us, ms, s or m; did you mean 5s?"
        );
        assert_eq!(slow_reader("pause"), Ok(SlowReader::Pause));
        assert!(slow_reader("stop").is_err());
    }

    #[test]
    fn a_time_can_be_off() {
        assert_eq!("off".parse(), Ok(TimeOrOff(None)));
        assert_eq!("1s".parse(), Ok(TimeOrOff(Some(Duration::from_secs(1)))));
        assert!("never".parse::<TimeOrOff>().is_err());
    }
}
