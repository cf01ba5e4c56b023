//! Packets that are kept beside the records of `--tui`, where the input comes only once: a selection
//! is written from them later (`-w`).
//!
//! All are kept, with their times and interfaces, so that dissecting them gives the same messages in
//! conversations of the same numbers as dissecting the input. What a packet of another
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
        end_with_parent();
        let mut kept = Self { path, writer: None };
        match kept.open() {
            Ok(writer) => kept.writer = Some(writer),
            Err(error) => kept.give_up(&error),
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
            self.give_up(&error);
        }
    }

    /// Without some packets the others may give other conversations: none is better.
    fn give_up(&mut self, error: &io::Error) {
        self.writer = None;
        let help = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "; make room there, or have TMPDIR name another directory"
            }
            _ => "",
        };
        print_warning(format_args!(
            "cannot keep packets in {}: {}{help}",
            self.path.display(),
            reason(error)
        ));
        if error.kind() != io::ErrorKind::AlreadyExists {
            // It may be gone already, with whoever wanted it.
            fs::remove_file(&self.path).ok();
        }
    }
}

/// Has this process asked to end when the one that wants its packets is killed: between two records,
/// which nobody reads then, it would fill the disk.
fn end_with_parent() {
    #[cfg(all(target_os = "linux", feature = "tui"))]
    if let Err(error) =
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
    {
        print_warning(format_args!("this process may outlive --tui: {error}"));
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
