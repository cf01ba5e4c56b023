//! One capture file or stream.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::slice;

use super::blocks::{BlockSize, ReadingThread};
use super::records::Records;
use super::{CaptureError, InputInfo, Packet, PacketSource, Progress};

/// The name that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// A capture that is read from a file or stream: pcap (microseconds or nanoseconds, either byte
/// order) or pcapng, possibly compressed with gzip or zstd. Its first bytes show its format, not
/// its name.
///
/// Reading and decompression run ahead on a thread of their own, by a few
/// blocks; memory does not grow with the capture.
pub struct CaptureFile {
    records: Records,
    info: InputInfo,
    total_bytes: Option<u64>,
    ended: bool,
}

impl CaptureFile {
    /// Opens a file.
    ///
    /// # Errors
    /// [`CaptureError::Open`] or [`CaptureError::NotACapture`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, CaptureError> {
        let path = path.into();
        match open_file(&path) {
            Ok((file, total_bytes)) => Self::new(path, file, total_bytes, BlockSize::DEFAULT),
            Err(source) => Err(CaptureError::Open { path, source }),
        }
    }

    /// Reads a capture from anything; `name` stands for it in errors.
    ///
    /// Waits until the capture's header has arrived.
    ///
    /// # Errors
    /// [`CaptureError::Open`] or [`CaptureError::NotACapture`].
    pub fn from_reader(
        name: impl Into<PathBuf>,
        reader: impl Read + Send + 'static,
    ) -> Result<Self, CaptureError> {
        Self::new(name.into(), reader, None, BlockSize::DEFAULT)
    }

    /// As [`Self::from_reader`], with blocks of a given size.
    pub(super) fn new(
        name: PathBuf,
        reader: impl Read + Send + 'static,
        total_bytes: Option<u64>,
        size: BlockSize,
    ) -> Result<Self, CaptureError> {
        let (records, info) = Records::open(name, reader, size, ReadingThread::Own)?;
        Ok(Self {
            records,
            info,
            total_bytes,
            ended: false,
        })
    }
}

/// A file and its length, when it has one (a pipe has none).
fn open_file(path: &Path) -> io::Result<(File, Option<u64>)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let total_bytes = metadata.is_file().then_some(metadata.len());
    Ok((file, total_bytes))
}

/// Opens an input from its beginning.
pub(super) fn open_records(
    path: PathBuf,
    size: BlockSize,
    thread: ReadingThread,
) -> Result<(Records, InputInfo), CaptureError> {
    if is_standard_input(&path) {
        return Records::open(path, io::stdin(), size, thread);
    }
    match open_file(&path) {
        Ok((file, _)) => Records::open(path, file, size, thread),
        Err(source) => Err(CaptureError::Open { path, source }),
    }
}

pub(super) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == STANDARD_INPUT
}

impl PacketSource for CaptureFile {
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        if self.ended {
            return Ok(None);
        }
        match self.records.advance(&mut self.info) {
            Ok(true) => Ok(self.records.packet(self.info.packet_count)),
            Ok(false) => {
                self.ended = true;
                Ok(None)
            }
            Err(error) => {
                self.ended = true;
                Err(error)
            }
        }
    }

    fn inputs(&self) -> &[InputInfo] {
        slice::from_ref(&self.info)
    }

    fn progress(&self) -> Progress {
        Progress {
            read_bytes: self.records.read_bytes(),
            total_bytes: self.total_bytes,
        }
    }
}
