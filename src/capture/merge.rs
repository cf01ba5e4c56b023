//! The packets of several inputs, in one order.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::blocks::{BlockSize, ReadingThread};
use super::file::open_records;
use super::records::Records;
use super::{CaptureError, InputInfo, Packet};
use crate::time::Timestamp;

/// An input that has not had its turn.
pub(super) struct Waiting {
    /// Time of its first packet, where the order is by time; otherwise it waits for
    /// the inputs before it to end.
    pub(super) first: Option<Timestamp>,
    /// Its place among the inputs.
    pub(super) input: usize,
    /// It, where it was opened already and its first packet read.
    pub(super) records: Option<Box<Records>>,
}

/// A merge of inputs: of those that are open, each has one packet read, and the
/// earliest is next. At the same time the input that was named first comes first, and
/// the packets of one input keep their order, whatever their times.
pub(super) struct Merge {
    infos: Vec<InputInfo>,
    /// By input.
    open: Vec<Option<Box<Records>>>,
    /// The next in turn is last.
    waiting: Vec<Waiting>,
    /// The open inputs but the current one, by the time of the packet that each has read.
    heads: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// The input whose packet was given last.
    current: Option<usize>,
    troubles: VecDeque<CaptureError>,
    thread: ReadingThread,
    /// Packets given so far.
    packets: u64,
    /// Bytes read of the inputs that are done with.
    done_bytes: u64,
}

impl Merge {
    pub(super) const fn new(thread: ReadingThread) -> Self {
        Self {
            infos: Vec::new(),
            open: Vec::new(),
            waiting: Vec::new(),
            heads: BinaryHeap::new(),
            current: None,
            troubles: VecDeque::new(),
            thread,
            packets: 0,
            done_bytes: 0,
        }
    }

    /// Adds an input; returns its place.
    pub(super) fn add(&mut self, info: InputInfo) -> usize {
        self.infos.push(info);
        self.open.push(None);
        self.infos.len() - 1
    }

    /// Adds an input whose turn it is at once, and of which nothing was read.
    pub(super) fn begin_with(&mut self, records: Records, info: InputInfo) {
        let input = self.add(info);
        self.open[input] = Some(Box::new(records));
        self.current = Some(input);
    }

    /// Lets these inputs wait for their turns; `troubles` come first.
    pub(super) fn wait(&mut self, mut waiting: Vec<Waiting>, troubles: Vec<CaptureError>) {
        // Stable, so that those without a time, or of one time, stay as they were named.
        waiting.sort_by_key(|waiting| waiting.first);
        waiting.reverse();
        self.waiting = waiting;
        self.troubles = troubles.into();
    }

    pub(super) fn inputs(&self) -> &[InputInfo] {
        &self.infos
    }

    #[cfg(test)]
    pub(super) fn open_count(&self) -> usize {
        self.open.iter().flatten().count()
    }

    /// Bytes read so far, of all inputs.
    pub(super) fn read_bytes(&self) -> u64 {
        let open = self.open.iter().flatten();
        self.done_bytes + open.map(|records| records.read_bytes()).sum::<u64>()
    }

    #[inline(always)]
    pub(super) fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        if !self.advance_current()? {
            let Some(next) = self.choose()? else {
                return Ok(None);
            };
            self.current = Some(next);
        }
        self.packets += 1;
        let number = self.packets;
        let Some(input) = self.current else {
            return Ok(None);
        };
        let packet = (self.open[input].as_ref()).and_then(|records| records.packet(number));
        Ok(packet.map(|mut packet| {
            packet.interface.input = u32::try_from(input).unwrap_or(u32::MAX);
            packet
        }))
    }

    /// Reads the current input's next packet; whether it is the next of all.
    #[inline(always)]
    fn advance_current(&mut self) -> Result<bool, CaptureError> {
        let Some(input) = self.current else {
            return Ok(false);
        };
        if !self.advance(input)? {
            self.current = None;
            return Ok(false);
        }
        if self.heads.is_empty() && self.waiting.is_empty() {
            return Ok(true);
        }
        let time = self.head_time(input);
        let is_before_heads = (self.heads.peek()).is_none_or(|Reverse(head)| (time, input) < *head);
        let is_before_waiting =
            (self.waiting.last()).is_none_or(|next| next.first.is_none_or(|first| time < first));
        if is_before_heads && is_before_waiting {
            return Ok(true);
        }
        self.heads.push(Reverse((time, input)));
        self.current = None;
        Ok(false)
    }

    /// The input with the earliest packet; opens those whose turn may have come.
    fn choose(&mut self) -> Result<Option<usize>, CaptureError> {
        if let Some(trouble) = self.troubles.pop_front() {
            return Err(trouble);
        }
        while let Some(next) = self.waiting.last() {
            let may_come_first = match (self.heads.peek(), next.first) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(Reverse((earliest, _))), Some(first)) => first <= *earliest,
            };
            if !may_come_first {
                break;
            }
            let Some(next) = self.waiting.pop() else {
                break;
            };
            self.open(next)?;
        }
        Ok(self.heads.pop().map(|Reverse((_, input))| input))
    }

    fn open(&mut self, waiting: Waiting) -> Result<(), CaptureError> {
        let Waiting { input, records, .. } = waiting;
        let has_packet = match records {
            Some(records) => {
                records.count_current(&mut self.infos[input]);
                self.open[input] = Some(records);
                true
            }
            None => {
                let path = self.infos[input].path.clone();
                let (records, _) = open_records(path, BlockSize::DEFAULT, self.thread)?;
                self.open[input] = Some(Box::new(records));
                self.advance(input)?
            }
        };
        if has_packet {
            self.heads.push(Reverse((self.head_time(input), input)));
        }
        Ok(())
    }

    /// Reads an input's next packet; closes it when there is none.
    ///
    /// Inlined like all on the way of a packet from its file: the results are large.
    #[inline(always)]
    fn advance(&mut self, input: usize) -> Result<bool, CaptureError> {
        let Some(records) = &mut self.open[input] else {
            return Ok(false);
        };
        let advanced = records.advance(&mut self.infos[input]);
        if !matches!(advanced, Ok(true)) {
            self.done_bytes += records.read_bytes();
            self.open[input] = None;
            self.current = None;
        }
        advanced
    }

    fn head_time(&self, input: usize) -> Timestamp {
        let records = self.open[input].as_ref();
        records.map_or(Timestamp::default(), |records| records.packet_time())
    }
}
