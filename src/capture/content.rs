//! The contents of files that are no captures.

use super::{CaptureFormat, Damage};

/// The content of an input that is no capture, by its first bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Content {
    /// Nothing.
    #[error("it is empty")]
    Empty,
    /// A capture that ends inside its own header.
    #[error("it ends inside its {format} header ({got} of {needed} bytes)")]
    CutHeader {
        /// The format its first bytes announce.
        format: CaptureFormat,
        /// Bytes that are there.
        got: u64,
        /// Bytes of the header.
        needed: u64,
    },
    /// A pcapng section header that makes no sense.
    #[error("its pcapng header is damaged: {0}")]
    BadHeader(Damage),
    /// A version of pcap that has other record headers.
    #[error("pcap version {major}.{minor} is not supported, only 2.x")]
    PcapVersion {
        /// Major version.
        major: u16,
        /// Minor version.
        minor: u16,
    },
    /// The variant of pcap with longer record headers, magic number `a1b2cd34`.
    #[error("modified (Kuznetzov) pcap is not supported; editcap -F pcap converts it")]
    ModifiedPcap,
    /// [Records](crate::record) of a dissection.
    #[error("it looks like records")]
    Records,
    /// A known kind of file.
    #[error("it looks like {0}")]
    LooksLike(&'static str),
    /// Anything else, with up to eight of its first bytes.
    #[error("it begins with {}", hex::encode(first))]
    Unknown {
        /// The first bytes.
        first: Vec<u8>,
    },
}

/// Longest beginning of an unknown input that is shown.
const SHOWN_BYTES: usize = 8;

/// Kinds of file that are mistaken for captures, by their first bytes.
const KNOWN: &[(&[u8], &str)] = &[
    (&[0x1f, 0x8b], "gzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz; xz -dc unpacks it"),
    (b"BZh", "bzip2; bzip2 -dc unpacks it"),
    (&[0x04, 0x22, 0x4d, 0x18], "lz4; lz4 -dc unpacks it"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x7fELF", "an ELF program"),
    (b"snoop\0\0\0", "a snoop capture; editcap converts it"),
    (b"{", "JSON"),
];

impl Content {
    /// Guesses the content of an input that is neither pcap nor pcapng.
    pub(super) fn guess(head: &[u8]) -> Self {
        if head.is_empty() {
            return Self::Empty;
        }
        if let Some([0xa1, 0xb2, 0xcd, 0x34] | [0x34, 0xcd, 0xb2, 0xa1]) = head.first_chunk() {
            return Self::ModifiedPcap;
        }
        if head.starts_with(b"{\"record\":") {
            return Self::Records;
        }
        if let Some((_, name)) = KNOWN.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Self::LooksLike(name);
        }
        if is_text(head) {
            return Self::LooksLike("text");
        }
        Self::Unknown {
            first: head[..head.len().min(SHOWN_BYTES)].to_vec(),
        }
    }
}

/// Whether these bytes are UTF-8 without control characters other than white
/// space; they may end inside a character.
fn is_text(head: &[u8]) -> bool {
    let text = match str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty()
        && text
            .chars()
            .all(|character| !character.is_control() || character.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_mistaken_for_captures_are_called_what_they_are() {
        for (head, text) in [
            (&b""[..], "it is empty"),
            (b"\x7fELF\x02\x01", "it looks like an ELF program"),
            (b"Dear all,\r\n\tgr\xc3\xbc\xc3", "it looks like text"),
            (b"{\"record\":", "it looks like records"),
            (b"{\"header\":", "it looks like JSON"),
            (b"a\0b", "it begins with 610062"),
            (b"\xff", "it begins with ff"),
            (b"\xc3", "it begins with c3"),
            (b"0123456\xff89", "it begins with 30313233343536ff"),
            (
                b"\x34\xcd\xb2\xa1",
                "modified (Kuznetzov) pcap is not supported; editcap -F pcap converts it",
            ),
        ] {
            assert_eq!(Content::guess(head).to_string(), text);
        }
    }
}
