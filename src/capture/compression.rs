//! Takes the compression off a capture file.

use std::io::{self, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;

use super::Compression;

/// Compressed bytes read at a time.
const COMPRESSED_CHUNK: usize = 64 << 10;

/// RFC 1952, section 2.3.1: ID1, ID2 and the only compression method there is.
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b, 8];
/// RFC 8878, section 3.1.1.
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The longest window of zstd, in powers of two: 128 MiB, which is what the tool itself takes unless it is
/// asked for more. Each open capture may take as much memory.
const MAX_WINDOW_LOG: u32 = 27;

/// What is wrong with a longer one.
const WINDOW_TOO_LONG: &str =
    "its zstd window is longer than 128 MiB; decompress it first, with zstd -d --long=31";

/// `reader` without its compression, which its first bytes show.
pub(super) fn decompress(
    mut reader: impl Read + Send + 'static,
) -> io::Result<(Option<Compression>, Box<dyn Read + Send>)> {
    let head = read_head(&mut reader)?;
    let compression = detect(&head);
    let whole = Cursor::new(head).chain(reader);
    let plain: Box<dyn Read + Send> = match compression {
        None => Box::new(whole),
        Some(Compression::Gzip) => Box::new(MultiGzDecoder::new(BufReader::with_capacity(
            COMPRESSED_CHUNK,
            whole,
        ))),
        Some(Compression::Zstd) => Box::new(ZstdReader::new(whole)?),
    };
    Ok((compression, plain))
}

/// Reads what zstd compressed, with an error that says what to do where that takes too much memory.
struct ZstdReader<R: Read>(zstd::Decoder<'static, BufReader<R>>);

impl<R: Read> ZstdReader<R> {
    fn new(compressed: R) -> io::Result<Self> {
        let buffered = BufReader::with_capacity(COMPRESSED_CHUNK, compressed);
        let mut decoder = zstd::Decoder::with_buffer(buffered)?;
        decoder.window_log_max(MAX_WINDOW_LOG)?;
        Ok(Self(decoder))
    }
}

impl<R: Read> Read for ZstdReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| {
            let reason = error.get_ref().and_then(|reason| reason.downcast_ref());
            let is_too_long = reason.is_some_and(|reason: &zstd::Error| {
                reason.is(ZSTD_ErrorCode::ZSTD_error_frameParameter_windowTooLarge)
            });
            if is_too_long {
                io::Error::new(error.kind(), WINDOW_TOO_LONG)
            } else {
                error
            }
        })
    }
}

/// The compression that these first bytes announce.
pub(super) fn detect(head: &[u8]) -> Option<Compression> {
    if head.starts_with(GZIP_MAGIC) {
        Some(Compression::Gzip)
    } else if head.starts_with(ZSTD_MAGIC) {
        Some(Compression::Zstd)
    } else {
        None
    }
}

/// The first four bytes, or all when there are fewer.
fn read_head(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(4);
    reader.take(4).read_to_end(&mut head)?;
    Ok(head)
}
