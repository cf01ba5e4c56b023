//! Whether a TCP flow is I2CP, and which side the application is.

use std::convert::Infallible;

use super::Standing;
use super::held::Piece;
use crate::carrier::i2cp::{Frame, FrameItem, FrameReader, Message, PROTOCOL_BYTE, Sender};
use crate::carrier::{FlowDirection, Problem};

/// Points that decide at once: a frame that is as its type asks gives 2 from 8
/// bytes of body on, and 1 below; the application's first byte gives 2.
const CERTAIN_POINTS: u32 = 3;
const PROBABLE_POINTS: u32 = 2;
const TELLING_BODY_BYTES: usize = 8;
const PROTOCOL_BYTE_POINTS: u32 = 2;

/// I2CP tried on a flow, with the application at one side.
#[derive(Debug)]
pub(super) struct Trial {
    application: FlowDirection,
    readers: [FrameReader; 2],
    begun: [bool; 2],
    points: u32,
    fitting: u32,
    unfitting: u32,
    out: bool,
}

impl Trial {
    /// Bytes of memory that its readers hold.
    pub(super) fn held_bytes(&self) -> usize {
        self.readers.iter().map(FrameReader::held_bytes).sum()
    }

    pub(super) fn new(application: FlowDirection) -> Self {
        let reader = |direction| {
            FrameReader::new(if direction == application {
                Sender::Application
            } else {
                Sender::Router
            })
        };
        Self {
            application,
            readers: FlowDirection::BOTH.map(reader),
            begun: [false; 2],
            points: 0,
            fitting: 0,
            unfitting: 0,
            out: false,
        }
    }

    pub(super) const fn application(&self) -> FlowDirection {
        self.application
    }

    pub(super) fn push(&mut self, piece: Piece<'_>) {
        let from = piece.from();
        self.look_at_first(piece);
        if self.out {
            return;
        }
        let (mut points, mut fitting, mut unfitting) = (0, 0, 0);
        let reader = &mut self.readers[from.index()];
        let sender = reader.sender();
        let mut weigh = |item: FrameItem<'_>| -> Result<(), Infallible> {
            match item {
                FrameItem::Frame(frame) if is_proper(frame, sender) => {
                    fitting += 1;
                    points += points_for(frame);
                }
                FrameItem::Frame(_) | FrameItem::Problem(Problem::BadPrefix { .. }) => {
                    unfitting += 1;
                }
                FrameItem::Problem(_) => {}
            }
            Ok(())
        };
        let Ok(()) = match piece {
            Piece::Bytes { bytes, .. } => reader.push(bytes, &mut weigh),
            Piece::Gap { missing, .. } => reader.gap(missing, &mut weigh),
            Piece::Cut { missing, .. } => reader.gap(Some(missing), &mut weigh),
            Piece::End { .. } => reader.finish(&mut weigh),
        };
        self.points += points;
        self.fitting += fitting;
        self.unfitting += unfitting;
    }

    /// An application's bytes begin with its protocol byte.
    fn look_at_first(&mut self, piece: Piece<'_>) {
        let begun = std::mem::replace(&mut self.begun[piece.from().index()], true);
        match piece {
            Piece::Bytes { from, bytes, .. } if !begun && from == self.application => {
                if bytes.first() == Some(&PROTOCOL_BYTE) {
                    self.points += PROTOCOL_BYTE_POINTS;
                } else {
                    self.out = true;
                }
            }
            _ => {}
        }
    }

    pub(super) fn standing(&self) -> Standing {
        if self.out || self.unfitting > self.fitting {
            Standing::Out
        } else if self.fitting == 0 {
            Standing::Open
        } else if self.points >= CERTAIN_POINTS {
            Standing::Certain
        } else if self.points >= PROBABLE_POINTS {
            Standing::Probable
        } else {
            Standing::Open
        }
    }
}

fn is_proper(frame: Frame<'_>, sender: Sender) -> bool {
    frame.message_type.is_sent_by(sender) && Message::decode(frame.message_type, frame.body).is_ok()
}

fn points_for(frame: Frame<'_>) -> u32 {
    if frame.body.len() < TELLING_BODY_BYTES {
        1
    } else {
        2
    }
}
