//! Values of arguments: durations, sizes, lists, statistics.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use crate::conversation::ConversationId;
use crate::field::Field;
use crate::report::follow::FollowFormat;
use crate::report::ladder::{DrawnConversations, LadderFormat};
use crate::text::suggest::closest;
use crate::units::{self, LONGEST_TIME, NotRead};

/// A text that is no value of its argument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    /// A duration without a unit, or with one that is not known.
    #[error("a duration needs a unit: us, ms, s, m, h or d; did you mean {0}s?")]
    BareDuration(String),
    /// No duration at all.
    #[error("a duration is a number and a unit, as in 500us, 20ms, 1s, 2m or 1h")]
    Duration,
    /// A duration by which no clock can be moved.
    #[error("a duration is 36500d at most")]
    LongDuration,
    /// A size without a unit.
    #[error("a size needs a unit: KiB, MiB or GiB; did you mean {0}MiB?")]
    BareSize(String),
    /// No size.
    #[error("a size is a number of bytes, or of KiB, MiB or GiB, as in 64KiB")]
    Size,
    /// No number of messages.
    #[error("a count is a whole number from 1")]
    Count,
    /// No snap length.
    #[error("a snap length is a number of bytes, or 0 for whole packets")]
    SnapLength,
    /// No stop condition.
    #[error("a stop condition is duration:10s, messages:N or bytes:N")]
    Stop,
    /// No list of conversations.
    #[error("conversations are named c1,c3 and so on; {0:?} is none")]
    Conversations(String),
    /// No statistic.
    #[error(
        "unknown statistic {name:?}; there are {}{}",
        statistics(),
        hint(suggestion)
    )]
    Statistic {
        /// The requested name.
        name: String,
        /// A statistic with a similar name.
        suggestion: Option<&'static str>,
    },
    /// A statistic that needs more than its name, or something else.
    #[error("{0}")]
    Form(&'static str),
    /// No field.
    #[error(
        "unknown field {name:?}{} (fields: ministream-dump --list-fields)",
        hint(suggestion)
    )]
    Field {
        /// The requested name.
        name: String,
        /// A field with a similar name.
        suggestion: Option<&'static str>,
    },
}

fn hint(suggestion: &Option<&'static str>) -> String {
    match suggestion {
        Some(name) => format!("; did you mean {name}?"),
        None => String::new(),
    }
}

/// `500us`, `20ms`, `1s`, `2m`, `1h`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, ValueError> {
    match units::duration(text) {
        Ok(duration) if duration <= LONGEST_TIME => Ok(duration),
        Ok(_) => Err(ValueError::LongDuration),
        Err(NotRead::NoUnit) => Err(ValueError::BareDuration(text.to_owned())),
        Err(NotRead::Malformed) => Err(ValueError::Duration),
    }
}

/// `512`, `64KiB`, `2MiB`: bytes.
pub(crate) fn size(text: &str) -> Result<u64, ValueError> {
    match units::size(text) {
        Err(NotRead::NoUnit) => text.parse().map_err(|_| ValueError::Size),
        size => size.map_err(|_| ValueError::Size),
    }
}

/// Messages to show: `1` and more.
pub(crate) fn count(text: &str) -> Result<u64, ValueError> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(ValueError::Count),
    }
}

/// Bytes to capture of a packet.
pub(crate) fn snap_length(text: &str) -> Result<u32, ValueError> {
    text.parse().map_err(|_| ValueError::SnapLength)
}

/// A size with its unit: a bare number means MiB to some programs, and bytes to others.
pub(crate) fn size_with_unit(text: &str) -> Result<u64, ValueError> {
    units::size(text).map_err(|error| match error {
        NotRead::NoUnit => ValueError::BareSize(text.to_owned()),
        NotRead::Malformed => ValueError::Size,
    })
}

/// When to stop reading (`-a`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// After so much capture time.
    Duration(Duration),
    /// After so many messages shown.
    Messages(u64),
    /// After so many captured bytes.
    Bytes(u64),
}

impl FromStr for Stop {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.split_once(':') {
            Some(("duration", value)) => duration(value).map(Self::Duration),
            Some(("messages", value)) => count(value).map(Self::Messages),
            Some(("bytes", value)) => size(value).map(Self::Bytes),
            _ => Err(ValueError::Stop),
        }
    }
}

/// Conversations by name: `c1,c3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConversationNames(pub(crate) BTreeSet<ConversationId>);

impl FromStr for ConversationNames {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.split(',')
            .map(|name| {
                name.trim()
                    .parse()
                    .map_err(|_| ValueError::Conversations(name.to_owned()))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// A table to print (`-z`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatisticName {
    /// `conv`
    Conversations,
    /// `types`
    Types,
    /// `timing`
    Timing,
    /// `findings`
    Findings,
    /// `io,1s`
    Io(Duration),
    /// `follow,c1[,text|hex|raw]`
    Follow(ConversationId, FollowFormat),
    /// `ladder[,c1[,text|mermaid|svg]]`
    Ladder(DrawnConversations, LadderFormat),
}

/// The needs of a statistic, each more than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Needs {
    Messages,
    /// Conversations, and how many findings there are.
    Conversations,
    /// The words of findings, too.
    Wording,
    /// All of it, and the place of the messages: rows would be in its way.
    PlaceOfMessages,
}

impl StatisticName {
    /// The parts of a dissection that it needs.
    pub(crate) const fn needs(self) -> Needs {
        match self {
            Self::Types => Needs::Messages,
            Self::Conversations | Self::Timing => Needs::Conversations,
            Self::Findings | Self::Io(_) => Needs::Wording,
            Self::Follow(..) | Self::Ladder(..) => Needs::PlaceOfMessages,
        }
    }
}

/// The statistics, as they are written: all that reads and explains their names goes by this.
const STATISTICS: &[(&str, Form)] = &[
    ("conv", Form::Alone(StatisticName::Conversations)),
    ("types", Form::Alone(StatisticName::Types)),
    ("timing", Form::Alone(StatisticName::Timing)),
    ("findings", Form::Alone(StatisticName::Findings)),
    (
        "io",
        Form::WithValues {
            values: ",1s",
            purpose: "counts messages in intervals",
            read: io_of,
        },
    ),
    (
        "follow",
        Form::WithValues {
            values: ",c1[,text|hex|raw]",
            purpose: "prints the contents of a conversation",
            read: follow_of,
        },
    ),
    (
        "ladder",
        Form::WithValues {
            values: "[,c1[,text|mermaid|svg]]",
            purpose: "draws it",
            read: ladder_of,
        },
    ),
];

/// What stands behind the name of a statistic.
enum Form {
    /// Nothing.
    Alone(StatisticName),
    /// Values, which `read` takes.
    WithValues {
        /// An example of them.
        values: &'static str,
        /// What the statistic does with them, for the help.
        purpose: &'static str,
        read: fn(&[&str]) -> Result<StatisticName, ValueError>,
    },
}

impl FromStr for StatisticName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut parts = text.split(',');
        let name = parts.next().unwrap_or_default();
        let values: Vec<&str> = parts.collect();
        match STATISTICS.iter().find(|(known, _)| *known == name) {
            Some((_, Form::Alone(statistic))) if values.is_empty() => Ok(*statistic),
            Some((_, Form::Alone(_))) => {
                Err(ValueError::Form("this statistic takes no further value"))
            }
            Some((_, Form::WithValues { read, .. })) => read(&values),
            None => Err(ValueError::Statistic {
                name: name.to_owned(),
                suggestion: closest(name, STATISTICS.iter().map(|(name, _)| *name)),
            }),
        }
    }
}

/// Every statistic with an example of its values.
fn statistics() -> String {
    let forms = STATISTICS.iter().map(|(name, form)| match form {
        Form::Alone(_) => (*name).to_owned(),
        Form::WithValues { values, .. } => format!("{name}{values}"),
    });
    let forms: Vec<String> = forms.collect();
    match forms.split_last() {
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// The names of the statistics without values, for the help.
pub(crate) fn plain_statistics() -> String {
    let names = STATISTICS.iter().filter_map(|(name, form)| match form {
        Form::Alone(_) => Some(*name),
        Form::WithValues { .. } => None,
    });
    names.collect::<Vec<_>>().join(", ")
}

/// What the others do, for the help.
pub(crate) fn statistics_with_values() -> String {
    let purposes = STATISTICS.iter().filter_map(|(name, form)| match form {
        Form::Alone(_) => None,
        Form::WithValues {
            values, purpose, ..
        } => Some(format!("{name}{values} {purpose}")),
    });
    purposes.collect::<Vec<_>>().join("; ")
}

fn io_of(values: &[&str]) -> Result<StatisticName, ValueError> {
    let [interval] = values else {
        return Err(ValueError::Form("io needs an interval, as in io,1s"));
    };
    match duration(interval)? {
        Duration::ZERO => Err(ValueError::Form("an interval must be longer than zero")),
        interval => Ok(StatisticName::Io(interval)),
    }
}

fn follow_of(values: &[&str]) -> Result<StatisticName, ValueError> {
    match values {
        [conversation] | [conversation, "text"] => follow(conversation, FollowFormat::Text),
        [conversation, "hex"] => follow(conversation, FollowFormat::Hex),
        [conversation, "raw"] => follow(conversation, FollowFormat::Raw),
        _ => Err(ValueError::Form(
            "follow needs a conversation and takes a format, as in follow,c1 or follow,c1,hex",
        )),
    }
}

fn ladder_of(values: &[&str]) -> Result<StatisticName, ValueError> {
    match values {
        [] => Ok(StatisticName::Ladder(
            DrawnConversations::All,
            LadderFormat::Text,
        )),
        [conversation] | [conversation, "text"] => ladder(conversation, LadderFormat::Text),
        [conversation, "mermaid"] => ladder(conversation, LadderFormat::Mermaid),
        [conversation, "svg"] => ladder(conversation, LadderFormat::Svg),
        _ => Err(ValueError::Form(
            "ladder takes a conversation and a format, as in ladder,c1 or ladder,c1,svg",
        )),
    }
}

fn ladder(conversation: &str, format: LadderFormat) -> Result<StatisticName, ValueError> {
    conversation
        .parse()
        .map(|id| StatisticName::Ladder(DrawnConversations::One(id), format))
        .map_err(|_| ValueError::Conversations(conversation.to_owned()))
}

fn follow(conversation: &str, format: FollowFormat) -> Result<StatisticName, ValueError> {
    conversation
        .parse()
        .map(|id| StatisticName::Follow(id, format))
        .map_err(|_| ValueError::Conversations(conversation.to_owned()))
}

/// A field by name (`-e`), or as tables show it, as in filters.
pub(crate) fn field(name: &str) -> Result<Field, ValueError> {
    let lower_case = name.to_ascii_lowercase();
    Field::named(name)
        .or_else(|| Field::named(&lower_case))
        .ok_or_else(|| ValueError::Field {
            name: name.to_owned(),
            suggestion: Field::suggestion(&lower_case),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        for (text, expected) in [
            ("2m", Ok(Duration::from_secs(120))),
            ("10", Err(ValueError::BareDuration("10".to_owned()))),
            ("", Err(ValueError::Duration)),
            ("1h", Ok(Duration::from_secs(3_600))),
            ("1min", Err(ValueError::Duration)),
            ("36500d", Ok(LONGEST_TIME)),
            ("36501d", Err(ValueError::LongDuration)),
            ("10000000000000000000s", Err(ValueError::LongDuration)),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
        assert_eq!(
            duration("10").unwrap_err().to_string(),
            "a duration needs a unit: us, ms, s, m, h or d; did you mean 10s?"
        );
    }

    #[test]
    fn sizes_take_binary_units() {
        for (text, expected) in [
            ("512", Ok(512)),
            ("64KiB", Ok(65_536)),
            ("1kB", Err(ValueError::Size)),
        ] {
            assert_eq!(size(text), expected, "{text}");
        }
    }

    #[test]
    fn a_size_without_a_unit_is_refused_where_it_could_be_misread() {
        assert_eq!(size_with_unit("8MiB"), Ok(8 << 20));
        assert_eq!(
            size_with_unit("8").unwrap_err().to_string(),
            "a size needs a unit: KiB, MiB or GiB; did you mean 8MiB?"
        );
        assert_eq!(size_with_unit(""), Err(ValueError::Size));
    }

    #[test]
    fn a_count_is_at_least_one() {
        for (text, expected) in [
            ("1", Ok(1)),
            ("18446744073709551615", Ok(u64::MAX)),
            ("18446744073709551616", Err(ValueError::Count)),
            ("0", Err(ValueError::Count)),
            ("x", Err(ValueError::Count)),
            ("-1", Err(ValueError::Count)),
            ("", Err(ValueError::Count)),
        ] {
            assert_eq!(count(text), expected, "{text}");
            let stop = format!("messages:{text}").parse();
            assert_eq!(stop, expected.map(Stop::Messages), "{text}");
        }
        assert_eq!(snap_length("0"), Ok(0));
        assert_eq!(snap_length("64K"), Err(ValueError::SnapLength));
    }

    #[test]
    fn statistics_are_read_with_their_values() {
        for (text, expected) in [
            ("conv", StatisticName::Conversations),
            ("io,500ms", StatisticName::Io(Duration::from_millis(500))),
            (
                "follow,c3",
                StatisticName::Follow(ConversationId(3), FollowFormat::Text),
            ),
            (
                "follow,c12,raw",
                StatisticName::Follow(ConversationId(12), FollowFormat::Raw),
            ),
            (
                "ladder",
                StatisticName::Ladder(DrawnConversations::All, LadderFormat::Text),
            ),
            (
                "ladder,c3,svg",
                StatisticName::Ladder(
                    DrawnConversations::One(ConversationId(3)),
                    LadderFormat::Svg,
                ),
            ),
        ] {
            assert_eq!(text.parse(), Ok(expected));
        }
        let unknown = |name: &str, suggestion| ValueError::Statistic {
            name: name.to_owned(),
            suggestion,
        };
        let no_conversation = |text: &str| ValueError::Conversations(text.to_owned());
        let (no_more, io, follow, ladder) = (
            ValueError::Form("this statistic takes no further value"),
            ValueError::Form("io needs an interval, as in io,1s"),
            ValueError::Form(
                "follow needs a conversation and takes a format, as in follow,c1 or follow,c1,hex",
            ),
            ValueError::Form(
                "ladder takes a conversation and a format, as in ladder,c1 or ladder,c1,svg",
            ),
        );
        for (text, error) in [
            ("", unknown("", None)),
            ("conf", unknown("conf", Some("conv"))),
            ("conv,1", no_more),
            ("io", io),
            ("io,1", ValueError::BareDuration("1".to_owned())),
            (
                "io,0s",
                ValueError::Form("an interval must be longer than zero"),
            ),
            ("follow", follow.clone()),
            ("follow,3", no_conversation("3")),
            ("follow,c0", no_conversation("c0")),
            ("follow,c1,xml", follow),
            ("ladder,3", no_conversation("3")),
            ("ladder,svg", no_conversation("svg")),
            ("ladder,c1,png", ladder),
        ] {
            assert_eq!(text.parse::<StatisticName>(), Err(error), "{text}");
        }
    }
}
