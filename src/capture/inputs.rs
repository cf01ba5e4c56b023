//! Several captures, one after the other.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::vec;

use super::blocks::{BlockSize, ReadingThread};
use super::file::open_file;
use super::records::Records;
use super::{CaptureError, InputInfo, Packet, PacketSource, Progress};

/// The name that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// Capture files in their order, read as one: packets are numbered through.
///
/// After an error in one input, the next pull goes on with the next input.
/// Each is opened when it is its turn.
pub struct Inputs {
    waiting: vec::IntoIter<PathBuf>,
    current: Option<Records>,
    infos: Vec<InputInfo>,
    thread: ReadingThread,
    /// Packets read so far, of all inputs.
    packets: u64,
    /// Bytes read of the inputs before the current one.
    done_bytes: u64,
    total_bytes: Option<u64>,
}

impl Inputs {
    /// Takes these paths (`-` is standard input), and opens the first.
    ///
    /// # Errors
    /// [`CaptureError::Open`] when any of them is missing or may not be read,
    /// [`CaptureError::NotACapture`] when the first is none.
    pub fn open<P: Into<PathBuf>>(
        paths: impl IntoIterator<Item = P>,
    ) -> Result<Self, CaptureError> {
        Self::open_on(paths, ReadingThread::Own)
    }

    /// Like [`open`](Self::open), with a choice of the thread that reads.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_on<P: Into<PathBuf>>(
        paths: impl IntoIterator<Item = P>,
        thread: ReadingThread,
    ) -> Result<Self, CaptureError> {
        let paths: Vec<PathBuf> = paths.into_iter().map(Into::into).collect();
        let mut inputs = Self {
            total_bytes: total_bytes(&paths)?,
            waiting: paths.into_iter(),
            current: None,
            infos: Vec::new(),
            thread,
            packets: 0,
            done_bytes: 0,
        };
        inputs.open_next()?;
        Ok(inputs)
    }

    /// Whether all of these are regular files, which keep no reader waiting.
    pub fn are_files(paths: &[PathBuf]) -> bool {
        paths
            .iter()
            .all(|path| !is_standard_input(path) && path.is_file())
    }

    /// Reads the next packet of whichever input has one; `false` after the last.
    fn advance(&mut self) -> Result<bool, CaptureError> {
        loop {
            if let (Some(records), Some(info)) = (&mut self.current, self.infos.last_mut()) {
                match records.advance(info) {
                    Ok(true) => {
                        self.packets += 1;
                        return Ok(true);
                    }
                    Ok(false) => self.close(),
                    Err(error) => {
                        self.close();
                        return Err(error);
                    }
                }
            }
            if !self.open_next()? {
                return Ok(false);
            }
        }
    }

    /// Opens the next input; `false` when there is none.
    fn open_next(&mut self) -> Result<bool, CaptureError> {
        let Some(path) = self.waiting.next() else {
            return Ok(false);
        };
        let size = BlockSize::DEFAULT;
        let (records, info) = if is_standard_input(&path) {
            Records::open(path, io::stdin(), size, self.thread)?
        } else {
            match open_file(&path) {
                Ok((file, _)) => Records::open(path, file, size, self.thread)?,
                Err(source) => return Err(CaptureError::Open { path, source }),
            }
        };
        self.current = Some(records);
        self.infos.push(info);
        Ok(true)
    }

    fn close(&mut self) {
        if let Some(records) = self.current.take() {
            self.done_bytes += records.read_bytes();
        }
    }
}

impl PacketSource for Inputs {
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        self.advance()?;
        let number = self.packets;
        Ok(self
            .current
            .as_ref()
            .and_then(|records| records.packet(number)))
    }

    fn inputs(&self) -> &[InputInfo] {
        &self.infos
    }

    fn progress(&self) -> Progress {
        let current_bytes = self.current.as_ref().map_or(0, Records::read_bytes);
        Progress {
            read_bytes: self.done_bytes + current_bytes,
            total_bytes: self.total_bytes,
        }
    }
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == STANDARD_INPUT
}

/// The length of all inputs together, when all have one. Makes sure that they
/// are there and may be read.
fn total_bytes(paths: &[PathBuf]) -> Result<Option<u64>, CaptureError> {
    let mut total = Some(0_u64);
    for path in paths {
        let length = if is_standard_input(path) {
            None
        } else {
            file_length(path).map_err(|source| CaptureError::Open {
                path: path.clone(),
                source,
            })?
        };
        total = match (total, length) {
            (Some(total), Some(length)) => Some(total.saturating_add(length)),
            _ => None,
        };
    }
    Ok(total)
}

/// A regular file's length. Nothing else is opened for this: a pipe would
/// lose its writer.
fn file_length(path: &Path) -> io::Result<Option<u64>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Ok(None);
    }
    File::open(path)?;
    Ok(Some(metadata.len()))
}
