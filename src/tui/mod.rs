//! Conversations to walk through in a terminal: a model without I/O.
//!
//! [`App`] is a state machine. A [`Key`] changes it and may ask for something to be done, an
//! [`Task`]; its state is drawn into a buffer of cells. The rows come from a [`Source`], a few at a
//! time, so that the model costs the same with three conversations and with a million.

mod app;
mod draw;
mod page;
#[cfg(test)]
mod tests;

pub(crate) use app::App;
pub(crate) use draw::Colours;

use std::io;

use crate::conversation::Level;
use crate::wire::Direction;

/// Something that the user did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A character.
    Char(char),
    /// A letter with Ctrl.
    Ctrl(char),
    /// Enter.
    Enter,
    /// Escape.
    Escape,
    /// Backspace.
    Backspace,
    /// An arrow.
    Up,
    /// An arrow.
    Down,
    /// An arrow.
    Left,
    /// An arrow.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// A click into a line of the screen, counted from 0.
    Click(u16),
    /// The wheel, up or down.
    WheelUp,
    /// The wheel, up or down.
    WheelDown,
}

/// A task outside of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Nothing.
    None,
    /// End.
    Quit,
    /// Show only conversations in which a message matches; all again with an empty text.
    Filter(String),
    /// Write these conversations.
    Write {
        /// The format.
        format: ExportFormat,
        /// The path.
        path: String,
        /// Their numbers.
        numbers: Vec<u32>,
    },
}

/// The format in which conversations are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    /// Packets (`-w`).
    Packets,
    /// Streams in files (`--export`).
    Streams,
    /// A page for a browser (`--html`).
    Page,
}

/// The key by which conversations are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SortKey {
    /// Their order in the capture.
    Capture,
    /// Their last states.
    State,
    /// Their durations.
    Duration,
    /// The durations of their openings.
    Handshake,
    /// Bytes of the client.
    ClientBytes,
    /// Bytes of the server.
    ServerBytes,
    /// The worst of their findings, and the number.
    Findings,
}

/// A conversation in the list; all texts are escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its number; 0 for messages outside of conversations.
    pub(crate) number: u32,
    /// `c1`.
    pub(crate) name: String,
    /// Addresses or names of client and server.
    pub(crate) ends: [String; 2],
    /// Ids of client and server.
    pub(crate) ids: String,
    /// `open`, `refused`.
    pub(crate) state: String,
    /// Seconds since the first packet.
    pub(crate) start: String,
    /// Its duration.
    pub(crate) duration: String,
    /// Its opening.
    pub(crate) handshake: String,
    /// Bytes of client and server.
    pub(crate) bytes: [String; 2],
    /// Number of findings, and the worst of them.
    pub(crate) findings: u64,
    /// The worst of its findings.
    pub(crate) level: Option<Level>,
}

/// The messages of a conversation, without their bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ladder {
    /// `c1  server closed, udp, 206 ms, 127.0.0.1:40112 → 127.0.0.1:9004`.
    pub(crate) title: String,
    /// Messages and findings, in the order of the capture.
    pub(crate) steps: Vec<LadderLine>,
    /// Earlier messages, which are not here.
    pub(crate) left_out: u64,
    /// Where the conversation ended when this was read ([`Source::end_of`]).
    pub(crate) end: u64,
}

/// One line of a ladder.
#[derive(Clone, Debug)]
pub(crate) enum LadderLine {
    /// A message.
    Message(MessageLine),
    /// Something odd.
    Finding(Level, String),
}

/// A message in a ladder; all texts are escaped.
#[derive(Clone, Debug)]
pub(crate) struct MessageLine {
    /// Its place in the source.
    pub(crate) place: u64,
    /// Its number.
    pub(crate) number: u64,
    /// Its time.
    pub(crate) time: String,
    /// Its direction.
    pub(crate) direction: Option<Direction>,
    /// `DATA ffffff  27 B`.
    pub(crate) label: String,
    /// Its meaning.
    pub(crate) info: String,
}

/// All of a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Detail {
    /// Its fields as lines.
    pub(crate) fields: Vec<String>,
    /// Its bytes.
    pub(crate) hex: Vec<String>,
}

/// Data from one side.
#[derive(Clone, Debug)]
pub(crate) struct StreamChunk {
    /// Their direction.
    pub(crate) direction: Option<Direction>,
    /// Their time and length.
    pub(crate) head: String,
    /// Its text, in lines.
    pub(crate) lines: Vec<String>,
}

/// The source of conversations.
pub(crate) trait Source {
    /// Conversations that are shown, in the order that was asked for.
    fn count(&self) -> usize;

    /// Rows among them that are no conversation: of messages outside of all.
    fn outside(&self) -> usize;

    /// Conversations that were read twice, as both sides of a router were seen.
    fn seen_twice(&self) -> usize;

    /// Lines that say why there is no conversation.
    fn emptiness(&self) -> Vec<String>;

    /// The conversation at a place of that order.
    ///
    /// # Errors
    /// It cannot be read.
    fn row(&mut self, at: usize) -> io::Result<Row>;

    /// Sorts them.
    ///
    /// # Errors
    /// They cannot be read.
    fn sort(&mut self, key: SortKey, order: SortOrder) -> io::Result<()>;

    /// A number that grows with what comes to a conversation.
    ///
    /// # Errors
    /// It cannot be read.
    fn end_of(&self, number: u32) -> io::Result<u64>;

    /// The messages of a conversation.
    ///
    /// # Errors
    /// They cannot be read.
    fn ladder(&mut self, number: u32) -> io::Result<Ladder>;

    /// All of one message.
    ///
    /// # Errors
    /// It cannot be read.
    fn message(&mut self, place: u64) -> io::Result<Detail>;

    /// The data of a conversation.
    ///
    /// # Errors
    /// It cannot be read.
    fn follow(&mut self, number: u32) -> io::Result<Vec<StreamChunk>>;
}

/// The order in which conversations are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SortOrder {
    /// The least first.
    Up,
    /// The greatest first.
    Down,
}
