//! The records of one input, whatever its format and compression.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::blocks::{BlockSize, Blocks, ReadingThread};
use super::pcap::{self, Pcap};
use super::pcapng::{self, Pcapng};
use super::window::{Current, Window};
use super::{
    CaptureError, CaptureFormat, Content, InputInfo, InterfaceId, InterfaceInfo, LinkType, Packet,
    compression,
};
use crate::time::Timestamp;

/// Bytes of an input that decide its format.
const SNIFFED_BYTES: usize = 512;

/// Reads the records of one input.
pub(super) struct Records {
    window: Window,
    format: Format,
    current: Option<Current>,
    read_bytes: Arc<AtomicU64>,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl Records {
    /// Finds out the compression and format of an input, and its name.
    pub(super) fn open(
        path: PathBuf,
        reader: impl Read + Send + 'static,
        size: BlockSize,
        thread: ReadingThread,
    ) -> Result<(Self, InputInfo), CaptureError> {
        let read_bytes = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            reader,
            count: Arc::clone(&read_bytes),
        };
        let cannot_open = |source| CaptureError::Open {
            path: path.clone(),
            source,
        };
        let (compression, plain) = compression::decompress(counted).map_err(cannot_open)?;
        let blocks = match (thread, compression) {
            (ReadingThread::Parsers, None) => Blocks::in_place(plain, size),
            _ => Blocks::ahead(plain, size).map_err(cannot_open)?,
        };
        let mut window = Window::new(path.clone(), compression, blocks);
        let (format, name) = open_format(&mut window)?;
        let info = InputInfo {
            path,
            format: name,
            compression,
            link_type: format.link_type(),
            interfaces: Vec::new(),
            packet_count: 0,
            truncated: false,
        };
        let records = Self {
            window,
            format,
            current: None,
            read_bytes,
        };
        Ok((records, info))
    }

    /// Reads the next packet; `false` at the end. Keeps `info` up to date.
    #[inline(always)]
    pub(super) fn advance(&mut self, info: &mut InputInfo) -> Result<bool, CaptureError> {
        let advanced = match &mut self.format {
            Format::Pcap(pcap) => pcap.advance(&mut self.window),
            Format::Pcapng(pcapng) => pcapng.advance(&mut self.window),
        };
        match advanced {
            Ok(Some(current)) => {
                info.count(current.interface, |number| self.format.interface(number));
                info.link_type.get_or_insert(current.link_type);
                self.current = Some(current);
                Ok(true)
            }
            Ok(None) => {
                self.current = None;
                info.link_type = info.link_type.or(self.format.link_type());
                Ok(false)
            }
            Err(error) => {
                self.current = None;
                info.truncated = true;
                Err(error)
            }
        }
    }

    /// Counts the packet that was read last in `info`, if it was not by reading it.
    pub(super) fn count_current(&self, info: &mut InputInfo) {
        if let Some(current) = &self.current {
            info.count(current.interface, |number| self.format.interface(number));
        }
    }

    /// The packet that was read last, under a number; `None` after the end.
    #[inline]
    pub(super) fn packet(&self, number: u64) -> Option<Packet<'_>> {
        let current = self.current.as_ref()?;
        Some(Packet {
            number,
            time: current.time,
            interface: InterfaceId {
                input: 0,
                number: current.interface,
            },
            link_type: current.link_type,
            data: self.window.bytes(current.data.clone()),
            original_bytes: current.original_bytes,
        })
    }

    /// Time of the packet that was read last.
    #[inline]
    pub(super) fn packet_time(&self) -> Timestamp {
        self.current
            .as_ref()
            .map_or(Timestamp::default(), |current| current.time)
    }

    /// Bytes read so far, as stored.
    pub(super) fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Ordering::Relaxed)
    }
}

impl Format {
    /// Description of an interface.
    fn interface(&self, number: u32) -> InterfaceInfo {
        match self {
            Self::Pcap(pcap) => InterfaceInfo {
                name: None,
                link_type: pcap.link_type(),
                packet_count: 0,
            },
            Self::Pcapng(pcapng) => pcapng.interface(number),
        }
    }

    fn link_type(&self) -> Option<LinkType> {
        match self {
            Self::Pcap(pcap) => Some(pcap.link_type()),
            Self::Pcapng(pcapng) => pcapng.link_type(),
        }
    }
}

/// Reads the header of whatever format the input has.
fn open_format(window: &mut Window) -> Result<(Format, CaptureFormat), CaptureError> {
    window.require(4);
    let head = window.available();
    match pcap::detect(head).or_else(|| pcapng::detect(head)) {
        Some(CaptureFormat::Pcapng) => {
            let pcapng = Pcapng::open(window)?;
            Ok((Format::Pcapng(pcapng), CaptureFormat::Pcapng))
        }
        Some(format) => {
            let pcap = Pcap::open(window, format)?;
            Ok((Format::Pcap(pcap), format))
        }
        None => {
            window.require(SNIFFED_BYTES);
            let content = Content::guess(window.available());
            Err(window.not_a_capture(content))
        }
    }
}

/// Counts the bytes read, for [`super::Progress`].
struct Counted<R> {
    reader: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
