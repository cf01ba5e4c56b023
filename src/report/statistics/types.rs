//! `-z types`: messages by type.

use std::io;

use super::put_table;
use crate::conversation::{Conversation, MessageEvent};
use crate::field::payload;
use crate::record::printer::{Notice, Printer, SharedOutput};
use crate::record::tally::Sight;
use crate::report::grid::Align;
use crate::report::style::Style;
use crate::units::counted;
use crate::wire::{Direction, FrameType, RawMessage};

/// Places of the type bytes, of the ping and of short messages.
const PING: usize = 256;
const SHORT: usize = 257;
const PLACES: usize = 258;

/// Columns that are left out where the terminal is too narrow, first to last.
const EXPENDABLE: [usize; 4] = [6, 7, 4, 2];

/// Counts messages by their type byte.
#[derive(Debug)]
pub struct TypeTable {
    style: Style,
    counts: Box<[Count; PLACES]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    messages: u64,
    /// Those that were not shown before; only their data are counted.
    first: u64,
    payload_bytes: u64,
    largest: u64,
}

impl TypeTable {
    /// An empty table.
    pub fn new(style: Style) -> Self {
        Self {
            style,
            counts: Box::new([Count::default(); PLACES]),
        }
    }
}

/// The known types as the protocol lists them, then the others by number.
fn in_order() -> impl Iterator<Item = usize> {
    let known = FrameType::KNOWN.iter().map(|known| usize::from(known.0));
    let unknown = (0..=u8::MAX)
        .filter(|&byte| !FrameType::KNOWN.contains(&FrameType(byte)))
        .map(usize::from);
    known.chain([PING]).chain(unknown).chain([SHORT])
}

fn row(place: usize, count: Count, total: u64, style: &Style) -> [String; 8] {
    let (name, byte, arrow) = match u8::try_from(place) {
        Ok(byte) => {
            let frame_type = FrameType(byte);
            let arrow = match frame_type.direction() {
                Some(Direction::ClientToServer) => style.charset.right_arrow(),
                Some(Direction::ServerToClient) => style.charset.left_arrow(),
                None => "",
            };
            let name = frame_type.name().unwrap_or("unknown");
            (name, format!("{byte:#04x}"), arrow)
        }
        Err(_) if place == PING => ("PING", "0xff".to_owned(), ""),
        Err(_) => ("SHORT", "-".to_owned(), ""),
    };
    // Parts per thousand, so that a share has one decimal.
    let total = u128::from(total.max(1));
    let share = (u128::from(count.messages) * 1_000 + total / 2) / total;
    [
        name.to_owned(),
        byte,
        arrow.to_owned(),
        count.messages.to_string(),
        format!("{}.{} %", share / 10, share % 10),
        count.payload_bytes.to_string(),
        (count.payload_bytes / count.first.max(1)).to_string(),
        count.largest.to_string(),
    ]
}

impl Printer for TypeTable {
    fn counts_messages(&self) -> bool {
        true
    }

    fn notice(&self) -> Notice {
        Notice::Line
    }

    fn message(
        &mut self,
        event: &MessageEvent<'_>,
        sight: Sight,
        _: &mut Vec<u8>,
    ) -> io::Result<()> {
        let place = match event.message {
            RawMessage::Frame(frame) => usize::from(frame.frame_type.0),
            RawMessage::Ping => PING,
            RawMessage::Short(_) => SHORT,
        };
        let bytes = payload(&event.message).len() as u64;
        let count = &mut self.counts[place];
        count.messages += 1;
        if sight == Sight::First {
            count.first += 1;
            count.payload_bytes += bytes;
            count.largest = count.largest.max(bytes);
        }
        Ok(())
    }

    fn table(&mut self, _: &[&Conversation], out: &mut SharedOutput<'_>) -> io::Result<()> {
        let total: u64 = self.counts.iter().map(|count| count.messages).sum();
        let rows: Vec<_> = in_order()
            .map(|place| (place, self.counts[place]))
            .filter(|(_, count)| count.messages > 0)
            .map(|(place, count)| row(place, count, total, &self.style))
            .collect();
        put_table(
            &format!("Types ({})", counted(total, "message")),
            [
                ("Type", Align::Left),
                ("Byte", Align::Left),
                ("", Align::Left),
                ("Messages", Align::Right),
                ("Share", Align::Right),
                ("Payload B", Align::Right),
                ("Mean B", Align::Right),
                ("Max B", Align::Right),
            ],
            &rows,
            &EXPENDABLE,
            &self.style,
            out.buffer,
        );
        Ok(())
    }
}
