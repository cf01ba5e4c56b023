//! Packets that are kept beside the records of `--tui`, where the input comes only once: a selection
//! is written from them later (`-w`).
//!
//! All are kept, with their times and interfaces, so that dissecting them gives what dissecting the
//! input gave: the same messages in conversations of the same numbers. What a packet of another
//! protocol decides can be far from it: which flow gives way to a new one, or which of two packets
//! is a copy.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use super::error::{print_warning, reason};
use crate::capture::{CaptureError, InputInfo, Packet, PacketSource, PcapngWriter, Progress};

/// The packets, on their way to a file.
pub(super) struct KeptPackets {
    path: PathBuf,
    /// None once one could not be written.
    writer: Option<PcapngWriter<File>>,
}

impl KeptPackets {
    /// Begins to keep packets in a file that is there and empty.
    pub(super) fn begin(path: PathBuf) -> Self {
        let mut kept = Self { path, writer: None };
        match kept.open() {
            Ok(writer) => kept.writer = Some(writer),
            Err(error) => kept.warn(&error),
        }
        kept
    }

    fn open(&self) -> io::Result<PcapngWriter<File>> {
        let file = File::options().write(true).open(&self.path)?;
        if file.metadata()?.len() > 0 {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(PcapngWriter::new(file)?.with_all_interfaces())
    }

    /// Keeps a packet. It is in the file before anybody hears of it.
    pub(super) fn take(&mut self, packet: &Packet<'_>) {
        if let Some(writer) = &mut self.writer
            && let Err(error) = writer.write(packet)
        {
            self.writer = None;
            self.warn(&error);
            // Without some packets the others may give other conversations: none is better. The file
            // may be gone already, with whoever wanted it.
            fs::remove_file(&self.path).ok();
        }
    }

    fn warn(&self, error: &io::Error) {
        print_warning(format_args!(
            "cannot keep packets in {}: {}; make room there, or have TMPDIR name another directory",
            self.path.display(),
            reason(error)
        ));
    }
}

/// A source whose packets are kept as they come.
pub(super) struct Keeping<P> {
    source: P,
    kept: KeptPackets,
}

impl<P> Keeping<P> {
    pub(super) const fn new(source: P, kept: KeptPackets) -> Self {
        Self { source, kept }
    }
}

impl<P: PacketSource> PacketSource for Keeping<P> {
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        let packet = self.source.next_packet()?;
        if let Some(packet) = &packet {
            self.kept.take(packet);
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
