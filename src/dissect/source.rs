//! The source of a dissector's steps: headers are read, and flows followed, where they are needed
//! or on a thread of their own.

use std::io;

use super::decoding::Decoding;
use super::flows::Flows;
use super::following::Following;
use super::located;
use super::packets::{CaptureStep, DecodedPacket, Reading, Walk};
use super::{Depth, DissectOptions};
use crate::capture::{CaptureError, InputInfo, PacketSource, Progress};
use crate::net::{CopyCounts, LostDatagram, NetworkLimits, PacketDecoder};

/// A source of steps for a [`Dissector`](super::Dissector).
#[derive(Debug)]
pub struct StepSource<P> {
    reader: Reader<P>,
}

/// The thread on which headers are read, and flows followed.
#[derive(Debug)]
enum Reader<P> {
    Here(Box<Here<P>>),
    InBatches(Box<InBatches<P>>),
    Decoded(Box<Decoding>),
    Followed(Box<Following>),
}

impl<P: PacketSource> StepSource<P> {
    /// Reads the headers of a packet when it is asked for: for sources that
    /// may keep one waiting, and for those that are not read to their end.
    pub fn here(source: P, limits: &NetworkLimits) -> Self {
        Self {
            reader: Reader::Here(Box::new(Here {
                source,
                decoder: PacketDecoder::new(limits),
                reading: Reading::GoesOn,
                lost: None,
            })),
        }
    }

    /// Reads the headers of some hundred packets at a time, so that one may look
    /// ahead at them, on the thread that asks.
    pub fn in_batches(source: P, limits: &NetworkLimits) -> Self {
        Self {
            reader: Reader::InBatches(Box::new(InBatches {
                source,
                decoder: PacketDecoder::new(limits),
                walk: Walk::default(),
            })),
        }
    }

    /// Reads packets and their headers on a thread of its own, up to a megabyte ahead, and follows
    /// flows there where conversations are tracked: each thread has about half of the work then.
    /// The dissector that takes these steps is to have the same options.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn ahead(source: P, options: &DissectOptions) -> io::Result<Self>
    where
        P: Send + 'static,
    {
        let decoder = PacketDecoder::new(&options.network);
        let reader = match options.depth {
            Depth::Messages => Reader::Decoded(Box::new(Decoding::spawn(source, decoder)?)),
            Depth::Conversations => {
                let following = Following::spawn(source, decoder, Flows::new(options))?;
                Reader::Followed(Box::new(following))
            }
        };
        Ok(Self { reader })
    }

    /// The next steps that are at hand; `None` when there are no more packets. Those that are
    /// not taken come again.
    ///
    /// # Errors
    /// Those of [`PacketSource::next_packet`]; one may go on after them in the same way.
    #[inline]
    pub fn next_steps(&mut self) -> Result<Option<Steps<'_>>, CaptureError> {
        Ok(match &mut self.reader {
            Reader::Here(here) => here.next_step()?.map(|step| AtHand::One(Some(step))),
            Reader::InBatches(batches) => batches.walk_on()?.map(AtHand::Window),
            Reader::Decoded(decoding) => decoding.walk_on()?.map(AtHand::Window),
            Reader::Followed(following) => following.walk_on()?.map(AtHand::Located),
        }
        .map(Steps))
    }

    /// Flows that are followed elsewhere, if they are, with their output on its way.
    pub(super) const fn following(&mut self) -> Option<&mut Following> {
        match &mut self.reader {
            Reader::Here(_) | Reader::InBatches(_) | Reader::Decoded(_) => None,
            Reader::Followed(following) => Some(following),
        }
    }

    /// The inputs so far, as [`PacketSource::inputs`].
    pub fn inputs(&self) -> &[InputInfo] {
        match &self.reader {
            Reader::Here(here) => here.source.inputs(),
            Reader::InBatches(batches) => batches.source.inputs(),
            Reader::Decoded(decoding) => &decoding.known().inputs,
            Reader::Followed(following) => &following.known().inputs,
        }
    }

    /// The second copies that were left out; of a source that is read ahead, once it has ended.
    pub fn copies(&self) -> &CopyCounts {
        match &self.reader {
            Reader::Here(here) => here.decoder.copies(),
            Reader::InBatches(batches) => batches.decoder.copies(),
            Reader::Decoded(decoding) => &decoding.known().copies,
            Reader::Followed(following) => &following.known().copies,
        }
    }

    /// The progress of reading, as [`PacketSource::progress`].
    pub fn progress(&self) -> Progress {
        match &self.reader {
            Reader::Here(here) => here.source.progress(),
            Reader::InBatches(batches) => batches.source.progress(),
            Reader::Decoded(decoding) => decoding.known().progress,
            Reader::Followed(following) => following.known().progress,
        }
    }
}

/// Steps that are at hand together.
#[derive(Debug)]
pub struct Steps<'a>(pub(super) AtHand<'a>);

#[derive(Debug)]
pub(super) enum AtHand<'a> {
    /// The next one, until it is taken.
    One(Option<CaptureStep<'a>>),
    /// Some dozen of a batch.
    Window(&'a mut Walk),
    /// Their flows are followed already.
    Located(&'a mut located::Walk),
}

impl Steps<'_> {
    /// The next step, if nothing is read ahead of it.
    pub const fn only(&self) -> Option<&CaptureStep<'_>> {
        match &self.0 {
            AtHand::One(step) => step.as_ref(),
            AtHand::Window(_) | AtHand::Located(_) => None,
        }
    }
}

#[derive(Debug)]
struct Here<P> {
    source: P,
    decoder: PacketDecoder,
    reading: Reading,
    /// The datagram that was given up last.
    lost: Option<LostDatagram>,
}

impl<P: PacketSource> Here<P> {
    #[inline]
    fn next_step(&mut self) -> Result<Option<CaptureStep<'_>>, CaptureError> {
        if let Some(lost) = self.decoder.next_lost_datagram() {
            return Ok(Some(CaptureStep::Lost(self.lost.insert(lost))));
        }
        if self.reading == Reading::Over {
            return Ok(None);
        }
        match self.source.next_packet()? {
            Some(packet) => {
                let content = self.decoder.decode(&packet);
                Ok(Some(CaptureStep::Packet(DecodedPacket::new(
                    &packet, content,
                ))))
            }
            None => {
                self.reading = Reading::Over;
                self.decoder.finish();
                self.lost = self.decoder.next_lost_datagram();
                Ok(self.lost.as_ref().map(CaptureStep::Lost))
            }
        }
    }
}

/// Batches that are filled where they are followed.
#[derive(Debug)]
struct InBatches<P> {
    source: P,
    decoder: PacketDecoder,
    walk: Walk,
}

impl<P: PacketSource> InBatches<P> {
    /// The way through the batch that has the next step; `None` behind the last one.
    #[inline]
    fn walk_on(&mut self) -> Result<Option<&mut Walk>, CaptureError> {
        while self.walk.is_over() {
            if self.walk.is_last()? {
                return Ok(None);
            }
            self.walk.go_on(&mut self.source, &mut self.decoder);
        }
        Ok(Some(&mut self.walk))
    }
}

#[cfg(test)]
mod tests;
