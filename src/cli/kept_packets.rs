//! Packets that are kept beside the records of `--tui`, where the input comes only once: a selection
//! is written from them later (`-w`).
//!
//! Dissected again they give the same messages in conversations of the same numbers: what is left
//! out decided nothing. These are packets that belong to no flow, second copies among them, and the
//! data of flows that were known to be of other protocols before; the packets that showed that are
//! kept.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use super::error::{print_warning, reason};
use crate::capture::{
    CaptureError, InputInfo, InterfaceId, LinkType, Packet, PacketSource, PcapngWriter, Progress,
};
use crate::dissect::DissectCounts;
use crate::net::Skip;
use crate::time::Timestamp;

/// The packets, on their way to a file.
pub(super) struct KeptPackets {
    path: PathBuf,
    /// None once one could not be written.
    writer: Option<PcapngWriter<File>>,
    before: Progressed,
    noted: Rc<RefCell<Noted>>,
}

impl KeptPackets {
    /// Begins to keep packets in a file that is there.
    pub(super) fn begin(path: PathBuf) -> Self {
        let mut kept = Self {
            path,
            writer: None,
            before: Progressed::default(),
            noted: Rc::default(),
        };
        let file = File::options().write(true).open(&kept.path);
        match file.and_then(PcapngWriter::new) {
            Ok(writer) => kept.writer = Some(writer),
            Err(error) => kept.give_up(&error),
        }
        kept
    }

    /// Keeps a packet, once it was dissected, if it may be of use.
    pub(super) fn take(&mut self, packet: &Packet<'_>, counts: &DissectCounts) {
        let now = Progressed::of(counts);
        let is_of_use = now.is_of_use_after(&self.before);
        self.before = now;
        if let Some(writer) = self.writer.as_mut().filter(|_| is_of_use)
            && let Err(error) = writer.write(packet)
        {
            self.give_up(&error);
        }
    }

    /// The same source, whose packets are noted one by one for [`Self::take_noted`].
    pub(super) fn noting<P>(&self, source: P) -> Noting<P> {
        Noting {
            source,
            noted: Rc::clone(&self.noted),
        }
    }

    /// [`Self::take`] of the packet that was noted last, if it was not taken yet.
    pub(super) fn take_noted(&mut self, counts: &DissectCounts) {
        let noted = Rc::clone(&self.noted);
        let mut noted = noted.borrow_mut();
        if let Some(head) = noted.head.take() {
            self.take(&head.packet(&noted.data), counts);
        }
    }

    /// Without some packets the others may give other conversations: none is better.
    fn give_up(&mut self, error: &io::Error) {
        self.writer = None;
        print_warning(format_args!(
            "cannot keep packets in {}: {}",
            self.path.display(),
            reason(error)
        ));
        // It may be gone already, with whoever wanted it.
        fs::remove_file(&self.path).ok();
    }
}

/// What a dissection has come to, as far as it tells of which use its last packet was.
#[derive(Default)]
struct Progressed {
    /// Packets that belong to no flow.
    skipped: u64,
    /// Deliveries to flows that were known to be foreign.
    foreign: u64,
    /// Everything that packets decide.
    decided: [u64; 4],
}

impl Progressed {
    fn of(counts: &DissectCounts) -> Self {
        // Fragments belong to a flow once the last is there.
        let reasons = Skip::ALL.iter().filter(|&&why| why != Skip::Fragment);
        Self {
            skipped: reasons.map(|&why| counts.network.skipped(why)).sum(),
            foreign: counts.foreign.payloads,
            decided: [
                counts.messages,
                counts.conversations,
                counts.foreign.flows,
                counts.foreign.sealed_flows,
            ],
        }
    }

    /// Whether the packet since then may be of use. A segment that fills a hole delivers others, too,
    /// and may decide with its own bytes that these are foreign.
    fn is_of_use_after(&self, before: &Self) -> bool {
        let is_foreign = self.foreign == before.foreign + 1 && self.decided == before.decided;
        self.skipped == before.skipped && !is_foreign
    }
}

/// A source whose packets are noted.
pub(super) struct Noting<P> {
    source: P,
    noted: Rc<RefCell<Noted>>,
}

/// The last packet of a source.
#[derive(Default)]
struct Noted {
    head: Option<Head>,
    data: Vec<u8>,
}

/// A packet without its bytes.
#[derive(Clone, Copy)]
struct Head {
    number: u64,
    time: Timestamp,
    interface: InterfaceId,
    link_type: LinkType,
    original_bytes: u32,
}

impl Head {
    const fn of(packet: &Packet<'_>) -> Self {
        Self {
            number: packet.number,
            time: packet.time,
            interface: packet.interface,
            link_type: packet.link_type,
            original_bytes: packet.original_bytes,
        }
    }

    const fn packet(self, data: &[u8]) -> Packet<'_> {
        Packet {
            number: self.number,
            time: self.time,
            interface: self.interface,
            link_type: self.link_type,
            data,
            original_bytes: self.original_bytes,
        }
    }
}

impl<P: PacketSource> PacketSource for Noting<P> {
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        let packet = self.source.next_packet()?;
        if let Some(packet) = &packet {
            let mut noted = self.noted.borrow_mut();
            noted.head = Some(Head::of(packet));
            noted.data.clear();
            noted.data.extend_from_slice(packet.data);
        }
        Ok(packet)
    }

    fn inputs(&self) -> &[InputInfo] {
        self.source.inputs()
    }

    fn progress(&self) -> Progress {
        self.source.progress()
    }
}
