//! The contents of one I2CP connection: sessions, and the messages they send and receive.

use super::gzip::{GzipError, Inflated, Inflater};
use super::{
    Frame, FrameItem, FrameReader, Message, MessageError, MessageType, Sender, SessionStatus,
};
use crate::carrier::Problem;
use crate::wire::Destination;

/// An item of a [`Decoder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum I2cpItem<'a> {
    /// The application asked for a session (CreateSession). The router's next
    /// [`I2cpItem::SessionStatus`] that creates one, or refuses it, is the answer.
    SessionRequested {
        /// The session's own destination.
        destination: Destination<'a>,
        /// Option `inbound.nickname`, else `outbound.nickname`.
        nickname: Option<String>,
    },
    /// The router reported the state of a session.
    SessionStatus {
        /// The session.
        session: u16,
        /// 0 destroyed, 1 created, 2 updated, 3 invalid, 4 refused.
        status: SessionStatus,
    },
    /// The application ended a session.
    SessionDestroyed {
        /// The session.
        session: u16,
    },
    /// The application handed a message to the router.
    Sent {
        /// The session that sends.
        session: u16,
        /// The receiver's destination.
        destination: Destination<'a>,
        /// The application's name for the message.
        nonce: u32,
        /// Of the gzip header: 0 (or 255) none, as ministreaming, 6 streaming, 17 datagram.
        protocol: u8,
        /// The message.
        message: &'a [u8],
    },
    /// The router handed a message to the application.
    Delivered {
        /// The session that receives.
        session: u16,
        /// The router's name for the message.
        message_id: u32,
        /// As in [`I2cpItem::Sent`].
        protocol: u8,
        /// The message.
        message: &'a [u8],
    },
    /// A payload that is no message in gzip.
    UnreadablePayload {
        /// Its sender.
        sender: Sender,
        /// The session that sends or receives.
        session: u16,
        /// The error.
        reason: GzipError,
    },
    /// A frame whose body is not as its type asks.
    BadFrame {
        /// Its sender.
        sender: Sender,
        /// Its offset in its direction of the stream.
        offset: u64,
        /// The error.
        reason: MessageError,
    },
    /// A frame that carries no message: of another type, known or not.
    Other {
        /// Its sender.
        sender: Sender,
        /// Its type.
        message_type: MessageType,
    },
    /// Bytes of the stream are not frames.
    Problem {
        /// Their sender.
        sender: Sender,
        /// The reason.
        problem: Problem,
    },
}

/// Reads both directions of an I2CP connection.
///
/// It holds one frame for each direction (while lost, three); see [`FrameReader`] for gaps. An
/// [`Inflater`] takes some 43 KB, and with a message in it 64 KiB more, and remembers nothing from
/// one payload to the next: it is lent, so that many connections need only one.
#[derive(Debug)]
pub struct Decoder {
    application: FrameReader,
    router: FrameReader,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the beginning of a connection.
    pub fn new() -> Self {
        Self {
            application: FrameReader::new(Sender::Application),
            router: FrameReader::new(Sender::Router),
        }
    }

    /// Bytes of memory that are held until there are more bytes.
    pub fn held_bytes(&self) -> usize {
        self.application.held_bytes() + self.router.held_bytes()
    }

    /// Takes the next bytes that `sender` sent.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn push<E>(
        &mut self,
        sender: Sender,
        bytes: &[u8],
        inflater: &mut Inflater,
        emit: &mut impl FnMut(I2cpItem<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.of(sender)
            .push(bytes, &mut |item| read(sender, item, inflater, emit))
    }

    /// Notes a gap of `missing` bytes; `None` if the number is unknown.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn gap<E>(
        &mut self,
        sender: Sender,
        missing: Option<u64>,
        inflater: &mut Inflater,
        emit: &mut impl FnMut(I2cpItem<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.of(sender)
            .gap(missing, &mut |item| read(sender, item, inflater, emit))
    }

    /// Notes the end of the stream from `sender`.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn finish<E>(
        &mut self,
        sender: Sender,
        inflater: &mut Inflater,
        emit: &mut impl FnMut(I2cpItem<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.of(sender)
            .finish(&mut |item| read(sender, item, inflater, emit))
    }

    const fn of(&mut self, sender: Sender) -> &mut FrameReader {
        match sender {
            Sender::Application => &mut self.application,
            Sender::Router => &mut self.router,
        }
    }
}

fn read<E>(
    sender: Sender,
    item: FrameItem<'_>,
    inflater: &mut Inflater,
    emit: &mut impl FnMut(I2cpItem<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let frame = match item {
        FrameItem::Frame(frame) => frame,
        FrameItem::Problem(problem) => return emit(I2cpItem::Problem { sender, problem }),
    };
    emit(interpret(sender, frame, inflater))
}

fn interpret<'a>(sender: Sender, frame: Frame<'a>, inflater: &'a mut Inflater) -> I2cpItem<'a> {
    let message = match Message::decode(frame.message_type, frame.body) {
        Ok(message) => message,
        Err(reason) => {
            return I2cpItem::BadFrame {
                sender,
                offset: frame.offset,
                reason,
            };
        }
    };
    match message {
        Message::CreateSession {
            destination,
            options,
            ..
        } => I2cpItem::SessionRequested {
            destination,
            nickname: options
                .get("inbound.nickname")
                .or_else(|| options.get("outbound.nickname"))
                .map(|name| String::from_utf8_lossy(name).into_owned()),
        },
        Message::SessionStatus { session, status } => I2cpItem::SessionStatus { session, status },
        Message::DestroySession { session } => I2cpItem::SessionDestroyed { session },
        Message::SendMessage {
            session,
            destination,
            payload,
            nonce,
        }
        | Message::SendMessageExpires {
            session,
            destination,
            payload,
            nonce,
            ..
        } => match inflater.inflate(payload) {
            Ok(Inflated { message, protocol }) => I2cpItem::Sent {
                session,
                destination,
                nonce,
                protocol,
                message,
            },
            Err(reason) => I2cpItem::UnreadablePayload {
                sender,
                session,
                reason,
            },
        },
        Message::MessagePayload {
            session,
            message_id,
            payload,
        } => match inflater.inflate(payload) {
            Ok(Inflated { message, protocol }) => I2cpItem::Delivered {
                session,
                message_id,
                protocol,
                message,
            },
            Err(reason) => I2cpItem::UnreadablePayload {
                sender,
                session,
                reason,
            },
        },
        _ => I2cpItem::Other {
            sender,
            message_type: frame.message_type,
        },
    }
}

#[cfg(test)]
mod tests;
