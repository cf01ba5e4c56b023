//! Several captures, read as one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::blocks::{BlockSize, ReadingThread};
use super::file::{is_standard_input, open_records};
use super::merge::{Merge, Waiting};
use super::records::Records;
use super::{CaptureError, Content, InputInfo, Packet, PacketSource, Progress};
use crate::time::Timestamp;

/// In which order the packets of several captures come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputOrder {
    /// By their times, whatever the order of the captures: they are parts of one.
    #[default]
    ByTime,
    /// One capture after the other, as they are named.
    AsNamed,
}

/// A capture of a set in which there is no packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmptyInput {
    /// Its path.
    pub path: PathBuf,
    /// The rest of it.
    pub rest: EmptyRest,
}

/// The contents of an input without packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyRest {
    /// Not one byte.
    Nothing,
    /// A capture's header.
    Header,
}

/// Captures, read as one: packets are numbered through.
///
/// Of several, each is looked into when they are opened, for the time of its first
/// packet, and opened for good when it is its turn: a set of rotated files takes no
/// more memory than one of them. After an error in one input, the next pull goes on
/// with the others.
pub struct Inputs {
    merge: Merge,
    empty: Vec<EmptyInput>,
    total_bytes: Option<u64>,
}

impl Inputs {
    /// Takes these paths (`-` is standard input), and merges their packets by time.
    ///
    /// # Errors
    /// [`CaptureError::Open`] when any of them is missing or may not be read,
    /// [`CaptureError::NotACapture`] when none is a capture.
    pub fn open<P: Into<PathBuf>>(
        paths: impl IntoIterator<Item = P>,
    ) -> Result<Self, CaptureError> {
        Self::open_on(paths, InputOrder::ByTime, ReadingThread::Own)
    }

    /// Like [`open`](Self::open), with a choice of the order and of the thread that reads.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_on<P: Into<PathBuf>>(
        paths: impl IntoIterator<Item = P>,
        order: InputOrder,
        thread: ReadingThread,
    ) -> Result<Self, CaptureError> {
        let paths: Vec<PathBuf> = paths.into_iter().map(Into::into).collect();
        let mut inputs = Self {
            total_bytes: total_bytes(&paths)?,
            merge: Merge::new(thread),
            empty: Vec::new(),
        };
        match <[PathBuf; 1]>::try_from(paths) {
            // A single input need not be looked into.
            Ok([path]) => {
                let (records, info) = open_records(path, BlockSize::DEFAULT, thread)?;
                inputs.merge.begin_with(records, info);
            }
            Err(paths) => inputs.look_into(paths, order, thread)?,
        }
        Ok(inputs)
    }

    /// Whether all of these are regular files, which keep no reader waiting.
    pub fn are_files(paths: &[PathBuf]) -> bool {
        paths
            .iter()
            .all(|path| !is_standard_input(path) && path.is_file())
    }

    /// Number of inputs that are open now.
    #[cfg(test)]
    pub(super) fn open_count(&self) -> usize {
        self.merge.open_count()
    }

    /// The inputs of a set in which there is no packet, in their order.
    pub fn empty_inputs(&self) -> &[EmptyInput] {
        &self.empty
    }

    fn look_into(
        &mut self,
        paths: Vec<PathBuf>,
        order: InputOrder,
        thread: ReadingThread,
    ) -> Result<(), CaptureError> {
        let mut troubles = Vec::new();
        let mut waiting = Vec::new();
        for path in paths {
            match look(path, thread) {
                Ok(Found::Packets {
                    info,
                    first,
                    records,
                }) => waiting.push(Waiting {
                    first: match order {
                        InputOrder::ByTime => Some(first),
                        InputOrder::AsNamed => None,
                    },
                    input: self.merge.add(info),
                    records,
                }),
                Ok(Found::Header(info)) => {
                    self.empty.push(EmptyInput {
                        path: info.path.clone(),
                        rest: EmptyRest::Header,
                    });
                    self.merge.add(info);
                }
                Err(CaptureError::NotACapture {
                    path,
                    content: Content::Empty,
                    compression: None,
                }) => self.empty.push(EmptyInput {
                    path,
                    rest: EmptyRest::Nothing,
                }),
                Err(trouble) => troubles.push(trouble),
            }
        }
        if self.merge.inputs().is_empty() {
            if let Some(empty) = self.empty.first() {
                troubles.push(CaptureError::NotACapture {
                    path: empty.path.clone(),
                    compression: None,
                    content: Content::Empty,
                });
            }
            if !troubles.is_empty() {
                return Err(troubles.swap_remove(0));
            }
        }
        self.merge.wait(waiting, troubles);
        Ok(())
    }
}

impl PacketSource for Inputs {
    #[inline]
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        self.merge.next_packet()
    }

    fn inputs(&self) -> &[InputInfo] {
        self.merge.inputs()
    }

    fn progress(&self) -> Progress {
        Progress {
            read_bytes: self.merge.read_bytes(),
            total_bytes: self.total_bytes,
        }
    }
}

/// The result of a first look into an input.
enum Found {
    Packets {
        info: InputInfo,
        /// Time of the first packet.
        first: Timestamp,
        /// The input itself, where it cannot be opened a second time.
        records: Option<Box<Records>>,
    },
    /// A capture without packets.
    Header(InputInfo),
}

/// Reads an input up to its first packet.
fn look(path: PathBuf, thread: ReadingThread) -> Result<Found, CaptureError> {
    /// Enough for a header and a usual packet.
    const SHORT: BlockSize = BlockSize {
        read: 4 << 10,
        headroom: 1 << 10,
    };
    let comes_once = is_standard_input(&path) || !path.is_file();
    let (mut records, mut info) = if comes_once {
        open_records(path, BlockSize::DEFAULT, thread)?
    } else {
        open_records(path, SHORT, ReadingThread::Parsers)?
    };
    let mut seen = info.clone();
    let advanced = records.advance(&mut seen);
    info.link_type = seen.link_type;
    let first = match advanced {
        Ok(true) => records.packet_time(),
        Ok(false) => return Ok(Found::Header(info)),
        // The error comes when it is the input's turn, which is at once.
        Err(_) => Timestamp::default(),
    };
    Ok(Found::Packets {
        info,
        first,
        records: comes_once.then(|| Box::new(records)),
    })
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
