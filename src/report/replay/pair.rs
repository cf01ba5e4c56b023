//! Two ladders beside each other: the recorded and the live messages.

use std::ops::Range;
use std::time::Duration;

use crate::replay::{Difference, Exchange, TranscriptMessage};
use crate::report::ladder::{COLUMN_TENTHS, Heading, fitted, put_stroke, put_words};
use crate::report::style::{Style, put_duration, put_size};
use crate::report::table::put_type;
use crate::text::escape::preview;
use crate::text::write::{put, put_display, text_of};
use crate::wire::{Direction, FrameKind, RawFrame, RawMessage};

const TIMES: usize = 84;
const GAP: usize = 250;
const BETWEEN: usize = 140;
const RECORDED: [usize; 2] = [TIMES + 12, TIMES + 12 + GAP];
const LIVE: [usize; 2] = [RECORDED[1] + BETWEEN, RECORDED[1] + BETWEEN + GAP];
const WIDTH: usize = LIVE[1] + 12 + TIMES;
const HEAD: usize = 44;
const ROW: usize = 44;
const REMARK: usize = 22;

/// A row: a message of either side, or of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    recorded: Option<usize>,
    live: Option<usize>,
}

/// Puts the messages of both sides that have the same sender and type beside each other, as
/// many as possible in the order of both.
fn rows(recorded: &[TranscriptMessage], live: &[TranscriptMessage]) -> Vec<Row> {
    let alike = |one: &TranscriptMessage, other: &TranscriptMessage| {
        one.direction == other.direction && one.frame_type.kind() == other.frame_type.kind()
    };
    // The longest common subsequence of the rest; both sides are bounded by
    // `MAX_TRANSCRIPT_MESSAGES`.
    let width = live.len() + 1;
    let mut longest = vec![0_u16; (recorded.len() + 1) * width];
    for one in (0..recorded.len()).rev() {
        for other in (0..live.len()).rev() {
            longest[one * width + other] = if alike(&recorded[one], &live[other]) {
                longest[(one + 1) * width + other + 1] + 1
            } else {
                longest[(one + 1) * width + other].max(longest[one * width + other + 1])
            };
        }
    }
    let (mut one, mut other) = (0, 0);
    let mut rows = Vec::new();
    while one < recorded.len() || other < live.len() {
        let both = one < recorded.len() && other < live.len();
        let (takes_recorded, takes_live) = if both && alike(&recorded[one], &live[other]) {
            (true, true)
        } else {
            let without_recorded =
                both && longest[(one + 1) * width + other] >= longest[one * width + other + 1];
            let takes_recorded = other == live.len() || without_recorded;
            (takes_recorded, !takes_recorded)
        };
        rows.push(Row {
            recorded: takes_recorded.then_some(one),
            live: takes_live.then_some(other),
        });
        one += usize::from(takes_recorded);
        other += usize::from(takes_live);
    }
    rows
}

/// Appends both ladders as one picture.
pub(super) fn put_pair(
    exchange: &Exchange,
    differences: &[Difference],
    name: &str,
    style: &Style,
    out: &mut Vec<u8>,
) {
    let (recorded, live) = (&exchange.recorded.messages, &exchange.live.messages);
    let judge = Judge::new(recorded, live, differences);
    let rows = rows(recorded, live);
    let left_out = exchange.recorded.messages_left_out + exchange.live.messages_left_out;
    let remark = if left_out > 0 { REMARK } else { 0 };
    let foot = HEAD + rows.len() * ROW;
    let height = foot + remark + 10;
    put_display(
        out,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ladder pair\" role=\"img\" \
             viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
             aria-label=\"{name} as recorded and live\">\n"
        ),
    );
    for (title, lanes) in [("recorded", RECORDED), ("live", LIVE)] {
        let middle = usize::midpoint(lanes[0], lanes[1]);
        put_words(out, "role", "middle", middle, 14, title);
        for (role, x) in ["client", "server"].into_iter().zip(lanes) {
            put_words(out, "name", "middle", x, 32, role);
            put_display(
                out,
                format_args!(
                    "<line class=\"lane\" x1=\"{x}\" y1=\"{HEAD}\" x2=\"{x}\" y2=\"{foot}\"/>\n"
                ),
            );
        }
    }
    let between = usize::midpoint(RECORDED[1], LIVE[0]);
    put_words(out, "name", "middle", between, 14, "live later by");
    for (index, row) in rows.iter().enumerate() {
        let y = HEAD + index * ROW;
        let one = row.recorded.map(|index| &recorded[index]);
        let other = row.live.map(|index| &live[index]);
        let mark = judge.mark(*row);
        if !matches!(mark, Mark::Same | Mark::CutElsewhere) {
            put_display(
                out,
                format_args!(
                    "<rect class=\"mark\" x=\"2\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"4\"/>",
                    y + 2,
                    WIDTH - 4,
                    ROW - 2
                ),
            );
        }
        if let Some(message) = one {
            let time = time_text(message.after, style);
            put_words(out, "time", "end", TIMES, y + 18, &time);
            put_arrow(message, RECORDED, y, style, out);
        }
        if let Some(message) = other {
            let time = time_text(message.after, style);
            put_words(out, "time", "start", LIVE[1] + 12, y + 18, &time);
            put_arrow(message, LIVE, y, style, out);
        }
        let words = match mark {
            Mark::Same => "",
            Mark::Differs => "differs",
            Mark::CutElsewhere => "cut elsewhere",
            Mark::OnlyRecorded => "did not come",
            Mark::OnlyLive => "not recorded",
        };
        if let (Some(one), Some(other)) = (one, other) {
            let later = later_text(one.after, other.after, style);
            put_words(out, "since", "middle", between, y + 18, &later);
        }
        let class = match mark {
            Mark::CutElsewhere => "name",
            _ => "odd",
        };
        put_words(out, class, "middle", between, y + 34, words);
    }
    if left_out > 0 {
        let text = format!("{left_out} more messages not drawn");
        put_words(out, "name", "start", RECORDED[0], foot + 16, &text);
    }
    put(out, "</svg>\n");
}

/// The relation of a message to the one beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Same,
    Differs,
    /// The bytes are the same, but the messages begin and end at other places.
    CutElsewhere,
    OnlyRecorded,
    OnlyLive,
}

/// Compares messages: the server's by the places where its stream differs, since its bytes may come
/// in other messages.
struct Judge<'a> {
    recorded: &'a [TranscriptMessage],
    live: &'a [TranscriptMessage],
    recorded_places: Vec<Range<usize>>,
    live_places: Vec<Range<usize>>,
    differences: &'a [Difference],
}

impl<'a> Judge<'a> {
    fn new(
        recorded: &'a [TranscriptMessage],
        live: &'a [TranscriptMessage],
        differences: &'a [Difference],
    ) -> Self {
        Self {
            recorded,
            live,
            recorded_places: places(recorded),
            live_places: places(live),
            differences,
        }
    }

    fn mark(&self, row: Row) -> Mark {
        let differs = |place: &Range<usize>| {
            let mut offsets = self.differences.iter().map(|difference| difference.offset);
            offsets.any(|offset| place.contains(&offset))
        };
        match (row.recorded, row.live) {
            (Some(one), Some(other)) => {
                let (recorded, live) = (&self.recorded[one], &self.live[other]);
                let same_bytes = recorded.payload_bytes == live.payload_bytes;
                if !carries_answer(recorded) {
                    // Ids and destinations are meant to be others.
                    Mark::Same
                } else if differs(&self.recorded_places[one]) || differs(&self.live_places[other]) {
                    Mark::Differs
                } else if same_bytes {
                    Mark::Same
                } else {
                    Mark::CutElsewhere
                }
            }
            (Some(one), None) => match end_of(&self.live_places) {
                came if carries_answer(&self.recorded[one])
                    && self.recorded_places[one].end <= came =>
                {
                    Mark::CutElsewhere
                }
                _ => Mark::OnlyRecorded,
            },
            (None, Some(other)) => match end_of(&self.recorded_places) {
                _ if differs(&self.live_places[other]) => Mark::Differs,
                there
                    if carries_answer(&self.live[other])
                        && self.live_places[other].end <= there =>
                {
                    Mark::CutElsewhere
                }
                _ => Mark::OnlyLive,
            },
            (None, None) => Mark::Same,
        }
    }
}

/// Whether a message carries bytes of the server.
fn carries_answer(message: &TranscriptMessage) -> bool {
    message.direction == Direction::ServerToClient && message.frame_type.kind() == FrameKind::Data
}

/// The places of each message's bytes in the stream of the server; empty if it has none.
fn places(messages: &[TranscriptMessage]) -> Vec<Range<usize>> {
    let mut end = 0;
    let mut place = |message: &TranscriptMessage| {
        let start = end;
        if carries_answer(message) {
            end += message.payload_bytes;
        }
        start..end
    };
    messages.iter().map(&mut place).collect()
}

fn end_of(places: &[Range<usize>]) -> usize {
    places.last().map_or(0, |place| place.end)
}

fn put_arrow(
    message: &TranscriptMessage,
    lanes: [usize; 2],
    y: usize,
    style: &Style,
    out: &mut Vec<u8>,
) {
    let frame = RawMessage::Frame(RawFrame {
        frame_type: message.frame_type,
        id: message.id,
        payload: &message.payload,
    });
    let (from, to) = match message.direction {
        Direction::ClientToServer => (lanes[0], lanes[1]),
        Direction::ServerToClient => (lanes[1], lanes[0]),
    };
    put_display(
        out,
        format_args!("<g class=\"arrow {}\">", frame.kind().name()),
    );
    let columns = (GAP - 16) * 10 / COLUMN_TENTHS;
    let label = text_of(|out| {
        put_type(&frame, out);
        out.push(b' ');
        style.put_id(message.id, out);
        if message.payload_bytes > 0 {
            put(out, "  ");
            put_size(out, message.payload_bytes as u64);
        }
    });
    let middle = usize::midpoint(lanes[0], lanes[1]);
    let label = fitted(&label, columns, style);
    put_words(out, "label", "middle", middle, y + 18, &label);
    put_stroke(Heading::Known, from, to, y + 24, out);
    if message.frame_type.kind() == FrameKind::Data {
        let text = text_of(|out| preview(&message.payload, style.charset, columns, out));
        put_words(out, "name", "middle", middle, y + 38, &text);
    }
    put(out, "</g>\n");
}

fn time_text(after: Duration, style: &Style) -> String {
    text_of(|out| put_duration(out, nanos(after), style.charset))
}

/// `+1.2 ms`
fn later_text(recorded: Duration, live: Duration, style: &Style) -> String {
    let later = nanos(live).saturating_sub(nanos(recorded));
    let sign = if later < 0 { "" } else { "+" };
    sign.to_owned() + &text_of(|out| put_duration(out, later, style.charset))
}

fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{FrameType, StreamId};
    use bytes::Bytes;

    const SYN: FrameType = FrameType::SYN;
    const ACK: FrameType = FrameType::ACK;
    const DATA: FrameType = FrameType::SERVER_DATA;
    const CLOSE: FrameType = FrameType::SERVER_CLOSE;

    fn messages(types: &[FrameType]) -> Vec<TranscriptMessage> {
        let message = |frame_type: &FrameType| TranscriptMessage {
            after: Duration::ZERO,
            direction: frame_type.direction().unwrap(),
            frame_type: *frame_type,
            id: StreamId([1; 3]),
            payload: Bytes::new(),
            payload_bytes: 0,
        };
        types.iter().map(message).collect()
    }

    #[test]
    fn messages_of_the_same_kind_stand_beside_each_other_and_every_message_stands_once() {
        for (recorded, live, both) in [
            (
                &[SYN, ACK, DATA, CLOSE][..],
                &[SYN, ACK, DATA, CLOSE][..],
                4,
            ),
            (&[SYN, ACK, DATA, CLOSE], &[SYN, ACK, DATA, DATA, CLOSE], 4),
            (&[SYN, ACK, DATA, CLOSE], &[SYN, CLOSE], 2),
            (&[SYN, ACK], &[], 0),
            (&[], &[ACK], 0),
            (&[], &[], 0),
        ] {
            let rows = rows(&messages(recorded), &messages(live));
            let of =
                |side: fn(&Row) -> Option<usize>| rows.iter().filter_map(side).collect::<Vec<_>>();
            let all = |messages: &[FrameType]| (0..messages.len()).collect::<Vec<_>>();
            assert_eq!(of(|row| row.recorded), all(recorded));
            assert_eq!(of(|row| row.live), all(live));
            let paired = rows
                .iter()
                .filter(|row| row.recorded.is_some() && row.live.is_some());
            assert_eq!(paired.count(), both, "{recorded:?} {live:?}");
        }
    }

    #[test]
    fn bytes_that_come_in_other_messages_do_not_differ_and_those_that_differ_do() {
        let sized = |sizes: &[usize]| -> Vec<TranscriptMessage> {
            let types = vec![DATA; sizes.len()];
            let mut messages = messages(&types);
            for (message, size) in messages.iter_mut().zip(sizes) {
                message.payload_bytes = *size;
            }
            messages
        };
        let at = |offset| Difference {
            direction: Direction::ServerToClient,
            offset,
            want: Default::default(),
            got: Default::default(),
        };
        use Mark::{CutElsewhere, Differs, OnlyLive, OnlyRecorded, Same};
        for (recorded, live, differences, expected) in [
            (&[9, 5][..], &[9, 5][..], vec![], &[Same, Same][..]),
            (&[9], &[4, 5], vec![], &[CutElsewhere, CutElsewhere]),
            (&[9], &[4, 5], vec![at(5)], &[Differs, Differs]),
            (&[9], &[9, 5], vec![], &[Same, OnlyLive]),
            (&[9, 5], &[9], vec![], &[Same, OnlyRecorded]),
            (&[4, 5], &[9], vec![], &[CutElsewhere, CutElsewhere]),
            (&[4, 5], &[4, 5], vec![at(4)], &[Same, Differs]),
        ] {
            let (recorded, live) = (sized(recorded), sized(live));
            let judge = Judge::new(&recorded, &live, &differences);
            let rows = rows(&recorded, &live);
            let marks: Vec<Mark> = rows.into_iter().map(|row| judge.mark(row)).collect();
            assert_eq!(marks, expected, "{recorded:?} {live:?}");
        }
    }
}
