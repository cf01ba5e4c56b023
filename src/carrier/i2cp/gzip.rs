//! The gzip wrapper around every message on I2CP (RFC 1952).
//!
//! I2P keeps two ports in the bytes of MTIME and a protocol number in the byte
//! of OS. Ministreaming leaves all of them 0.

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

/// The most bytes that an [`Inflater`] makes of one payload. The reference implementation takes
/// 40,960; longer messages are shown up to here, so that a finding can say.
pub const MAX_INFLATED_BYTES: usize = 64 * 1024;

/// Protocol number of a wrapper that names none, as ministreaming's.
pub const NO_PROTOCOL: u8 = 0;

/// The longest message that the reference implementation stores rather than compresses.
const MAX_STORED_BYTES: usize = 66;

/// The reference implementation's header before every message: magic and deflate, no flags, two
/// ports of 0 where MTIME stands, XFL 2 for best compression (RFC 1952, 2.3).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, NO_PROTOCOL];

/// The beginning of every gzip member with deflate, the only method.
pub(super) const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
/// CRC-32 and length, little-endian (RFC 1952, 2.3.1).
const TRAILER_BYTES: usize = 4 + 4;

// RFC 1952, 2.3.1. FTEXT, bit 0, changes nothing.
const FLAG_HEADER_CRC: u8 = 1 << 1;
const FLAG_EXTRA: u8 = 1 << 2;
const FLAG_NAME: u8 = 1 << 3;
const FLAG_COMMENT: u8 = 1 << 4;
const FLAGS_RESERVED: u8 = 0xe0;

/// Why a payload is not a message in gzip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GzipError {
    /// Not gzip at all.
    #[error("{payload_bytes} bytes that do not begin with the gzip header 1f 8b 08")]
    BadMagic {
        /// Bytes of the payload.
        payload_bytes: usize,
    },
    /// Flag bits that RFC 1952 reserves.
    #[error("gzip flags {0:#04x} use reserved bits")]
    BadFlags(u8),
    /// It ends too early.
    #[error("gzip ends early, after {payload_bytes} bytes")]
    Truncated {
        /// Bytes of the payload.
        payload_bytes: usize,
    },
    /// The compressed data cannot be read.
    #[error("compressed data are damaged")]
    BadData,
    /// More than [`MAX_INFLATED_BYTES`].
    #[error("more than {MAX_INFLATED_BYTES} bytes after decompression")]
    TooLarge,
    /// The checksum does not match.
    #[error("CRC-32 in the trailer is {claimed:08x}, but that of the data is {actual:08x}")]
    BadCrc {
        /// Value in the trailer.
        claimed: u32,
        /// Value of the data.
        actual: u32,
    },
    /// The length does not match.
    #[error("length in the trailer is {claimed}, but the data are {actual} bytes")]
    BadLength {
        /// Value in the trailer.
        claimed: u32,
        /// Value of the data.
        actual: usize,
    },
}

/// Unwraps payloads, one after the other into the same buffer.
#[derive(Debug)]
pub struct Inflater {
    state: Decompress,
    out: Vec<u8>,
}

/// The contents of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inflated<'a> {
    /// The message, at most [`MAX_INFLATED_BYTES`].
    pub message: &'a [u8],
    /// The protocol number: 6 streaming, 17 datagram, 0 or 255 none.
    pub protocol: u8,
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflater {
    /// An inflater with an empty buffer.
    pub fn new() -> Self {
        Self {
            // Raw deflate: gzip has a header and a trailer of its own.
            state: Decompress::new(false),
            out: Vec::new(),
        }
    }

    /// Unwraps a payload. Bytes behind the gzip member are ignored. An empty
    /// payload is an empty message: Java sends that unwrapped.
    ///
    /// # Errors
    /// The error in the payload.
    pub fn inflate(&mut self, payload: &[u8]) -> Result<Inflated<'_>, GzipError> {
        self.out.clear();
        if payload.is_empty() {
            return Ok(Inflated {
                message: &self.out,
                protocol: NO_PROTOCOL,
            });
        }
        let truncated = GzipError::Truncated {
            payload_bytes: payload.len(),
        };
        let (protocol, compressed) = skip_header(payload)?;
        let used = self.inflate_data(compressed, truncated)?;
        let trailer = compressed[used..].first_chunk().ok_or(truncated)?;
        check_trailer(trailer, &self.out)?;
        Ok(Inflated {
            message: &self.out,
            protocol,
        })
    }

    /// Inflates into `out` and returns the number of bytes of `compressed` taken.
    fn inflate_data(
        &mut self,
        compressed: &[u8],
        truncated: GzipError,
    ) -> Result<usize, GzipError> {
        const STEP_BYTES: usize = 4096;
        self.state.reset(false);
        let mut used = 0;
        loop {
            // One byte more than allowed reveals a payload that is too large.
            let room = MAX_INFLATED_BYTES + 1 - self.out.len();
            self.out.reserve(room.min(STEP_BYTES));
            let before = (used, self.out.len());
            let status = self
                .state
                .decompress_vec(&compressed[used..], &mut self.out, FlushDecompress::None)
                .map_err(|_| GzipError::BadData)?;
            used = usize::try_from(self.state.total_in())
                .expect("no more was taken than there is of the payload");
            if self.out.len() > MAX_INFLATED_BYTES {
                return Err(GzipError::TooLarge);
            }
            if status == Status::StreamEnd {
                return Ok(used);
            }
            // The decompressor stops at the end of its input and at that of its window, with
            // room left and more to come; when it has nothing left it does nothing.
            let has_room = self.out.len() < self.out.capacity();
            if has_room && (used, self.out.len()) == before {
                return Err(truncated);
            }
        }
    }
}

/// Wraps messages as the reference implementation does.
#[derive(Debug)]
pub struct Deflater {
    state: Compress,
}

impl Default for Deflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Deflater {
    /// A deflater.
    pub fn new() -> Self {
        Self {
            state: Compress::new(Compression::best(), false),
        }
    }

    /// Appends the wrapper of `message` to `out`: up to 66 bytes are stored,
    /// more are compressed at level 9, an empty message is nothing at all.
    pub fn deflate(&mut self, message: &[u8], out: &mut Vec<u8>) {
        if message.is_empty() {
            return;
        }
        out.extend_from_slice(&HEADER);
        match u16::try_from(message.len()) {
            Ok(length) if message.len() <= MAX_STORED_BYTES => store(length, message, out),
            _ => self.compress(message, out),
        }
        let mut crc = Crc::new();
        crc.update(message);
        out.extend_from_slice(&crc.sum().to_le_bytes());
        out.extend_from_slice(&crc.amount().to_le_bytes());
    }

    fn compress(&mut self, message: &[u8], out: &mut Vec<u8>) {
        self.state.reset();
        let mut taken = 0;
        loop {
            out.reserve(message.len() - taken + 64);
            let status = self
                .state
                .compress_vec(&message[taken..], out, FlushCompress::Finish)
                .expect("compressing into memory with a fresh state cannot fail");
            taken = usize::try_from(self.state.total_in())
                .expect("no more was taken than there is of the message");
            if status == Status::StreamEnd {
                return;
            }
        }
    }
}

/// One final stored block (RFC 1951, 3.2.4).
fn store(length: u16, message: &[u8], out: &mut Vec<u8>) {
    const FINAL_STORED: u8 = 1;
    // The three bits of the block's header are padded to a byte.
    out.push(FINAL_STORED);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
    out.extend_from_slice(message);
}

fn check_trailer(trailer: &[u8; TRAILER_BYTES], message: &[u8]) -> Result<(), GzipError> {
    let [a, b, c, d, e, f, g, h] = *trailer;
    let claimed_crc = u32::from_le_bytes([a, b, c, d]);
    let claimed_length = u32::from_le_bytes([e, f, g, h]);
    let mut crc = Crc::new();
    crc.update(message);
    if crc.sum() != claimed_crc {
        return Err(GzipError::BadCrc {
            claimed: claimed_crc,
            actual: crc.sum(),
        });
    }
    if crc.amount() != claimed_length {
        return Err(GzipError::BadLength {
            claimed: claimed_length,
            actual: message.len(),
        });
    }
    Ok(())
}

/// Returns the protocol number and the bytes behind the header (RFC 1952, 2.3).
fn skip_header(payload: &[u8]) -> Result<(u8, &[u8]), GzipError> {
    let truncated = GzipError::Truncated {
        payload_bytes: payload.len(),
    };
    // The beginning of the magic in a payload that ends there is a cut one, not another format.
    let magic = payload.len().min(GZIP_MAGIC.len());
    if payload[..magic] != GZIP_MAGIC[..magic] {
        return Err(GzipError::BadMagic {
            payload_bytes: payload.len(),
        });
    }
    let (header, mut rest) = payload
        .split_first_chunk::<{ HEADER.len() }>()
        .ok_or(truncated)?;
    let (flags, protocol) = (header[3], header[9]);
    if flags & FLAGS_RESERVED != 0 {
        return Err(GzipError::BadFlags(flags));
    }
    if flags & FLAG_EXTRA != 0 {
        let (length, after) = rest.split_first_chunk().ok_or(truncated)?;
        let length = usize::from(u16::from_le_bytes(*length));
        rest = after.get(length..).ok_or(truncated)?;
    }
    // In this order: extra field, name, comment, checksum of the header (RFC 1952, 2.3).
    for text in [FLAG_NAME, FLAG_COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|byte| *byte == 0).ok_or(truncated)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & FLAG_HEADER_CRC != 0 {
        rest = rest.get(2..).ok_or(truncated)?;
    }
    Ok((protocol, rest))
}

#[cfg(test)]
mod tests;
