//! Takes the compression off a capture file.

use std::io::{self, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::Compression;

/// Compressed bytes read at a time.
const COMPRESSED_CHUNK: usize = 64 << 10;

/// RFC 1952, section 2.3.1: ID1, ID2 and the only compression method there is.
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b, 8];
/// RFC 8878, section 3.1.1.
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

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
        Some(Compression::Zstd) => Box::new(zstd::Decoder::with_buffer(BufReader::with_capacity(
            COMPRESSED_CHUNK,
            whole,
        ))?),
    };
    Ok((compression, plain))
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
