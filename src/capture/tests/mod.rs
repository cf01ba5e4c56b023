//! Tests of the readers and writers together.

mod compressed;
mod hostile;
mod inputs;
mod pcap;
mod pcapng;
mod streams;
mod writer;

use std::io::Cursor;

use super::blocks::BlockSize;
use super::{CaptureError, CaptureFile, LinkType, Packet, PacketSource};
use crate::time::Timestamp;

/// A packet that outlives the source.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    number: u64,
    nanos: i64,
    link_type: LinkType,
    data: Vec<u8>,
    original_bytes: u32,
}

impl From<Packet<'_>> for Owned {
    fn from(packet: Packet<'_>) -> Self {
        Self {
            number: packet.number,
            nanos: packet.time.as_nanos(),
            link_type: packet.link_type,
            data: packet.data.to_vec(),
            original_bytes: packet.original_bytes,
        }
    }
}

impl Owned {
    fn borrow(&self) -> Packet<'_> {
        Packet {
            number: self.number,
            time: Timestamp::from_nanos(self.nanos),
            interface: crate::capture::InterfaceId::default(),
            link_type: self.link_type,
            data: &self.data,
            original_bytes: self.original_bytes,
        }
    }
}

/// All packets of a source, and the error that ended it.
fn drain(source: &mut impl PacketSource) -> (Vec<Owned>, Option<CaptureError>) {
    let mut packets = Vec::new();
    loop {
        match source.next_packet() {
            Ok(Some(packet)) => packets.push(packet.into()),
            Ok(None) => return (packets, None),
            Err(error) => return (packets, Some(error)),
        }
    }
}

fn open(bytes: &[u8], size: BlockSize) -> Result<CaptureFile, CaptureError> {
    CaptureFile::new("test".into(), Cursor::new(bytes.to_vec()), None, size)
}

/// Reads a capture from memory.
fn read(bytes: &[u8]) -> (Vec<Owned>, Option<CaptureError>) {
    match open(bytes, BlockSize::DEFAULT) {
        Ok(mut file) => drain(&mut file),
        Err(error) => (Vec::new(), Some(error)),
    }
}

/// Reads a capture that is whole.
fn read_whole(bytes: &[u8]) -> Vec<Owned> {
    let (packets, error) = read(bytes);
    assert!(error.is_none(), "{error:?}");
    packets
}

/// The text of the error that ends a capture, and the packets before it.
fn read_damaged(bytes: &[u8]) -> (usize, String) {
    let (packets, error) = read(bytes);
    let error = error.expect("the capture is damaged");
    (packets.len(), error.to_string())
}

/// A small capture with the ends of its records.
struct Sample {
    bytes: Vec<u8>,
    /// End of the file's header.
    header: usize,
    /// End of each record, and the number of packets that are whole there.
    ends: Vec<(usize, usize)>,
}

/// Classic pcap, little-endian, of packets of 0 to 6 bytes.
fn pcap_sample() -> Sample {
    let mut bytes = vec![
        0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
    ];
    let header = bytes.len();
    let mut ends = Vec::new();
    for length in 0..7_u8 {
        bytes.extend_from_slice(&[0x10 + length, 0, 0, 0, length, 0, 0, 0]);
        bytes.extend_from_slice(&[length, 0, 0, 0, 60, 0, 0, 0]);
        bytes.extend((0..length).map(|byte| 0xa0 | byte));
        ends.push((bytes.len(), ends.len() + 1));
    }
    Sample {
        bytes,
        header,
        ends,
    }
}

/// A pcapng block around this body.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
    [&kind.to_le_bytes(), &length, body, &length].concat()
}

/// As [`block`], big-endian.
fn block_be(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap().to_be_bytes();
    [&kind.to_be_bytes(), &length, body, &length].concat()
}

/// A section header, little-endian.
fn section() -> Vec<u8> {
    let mut body = vec![0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0];
    body.extend_from_slice(&[0xff; 8]);
    block(0x0a0d_0d0a, &body)
}

/// A section header, big-endian.
fn section_be() -> Vec<u8> {
    let mut body = vec![0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0];
    body.extend_from_slice(&[0xff; 8]);
    block_be(0x0a0d_0d0a, &body)
}

/// An interface of this link type, without limits or options.
fn interface(link_type: u8) -> Vec<u8> {
    block(1, &[link_type, 0, 0, 0, 0, 0, 0, 0])
}

/// An enhanced packet of interface 0 at a time in microseconds.
fn enhanced(micros: u8, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len()).unwrap();
    let mut body = vec![0, 0, 0, 0, 0, 0, 0, 0, micros, 0, 0, 0];
    body.extend_from_slice(&[length, 0, 0, 0, 60, 0, 0, 0]);
    body.extend_from_slice(data);
    body.resize(body.len().next_multiple_of(4), 0);
    block(6, &body)
}

/// pcapng with all kinds of packet blocks, and blocks of no interest between.
fn pcapng_sample() -> Sample {
    let mut bytes = section();
    let header = bytes.len();
    let mut ends = Vec::new();
    let mut packets = 0;
    let mut push = |record: Vec<u8>, brought: usize| {
        bytes.extend_from_slice(&record);
        packets += brought;
        ends.push((bytes.len(), packets));
    };
    push(interface(1), 0);
    push(enhanced(1, &[]), 1);
    push(enhanced(2, b"abcde"), 1);
    push(block(0xbad, b"whatever"), 0);
    push(block(3, b"\x05\0\0\0simpl\0\0\0"), 1);
    push(
        block(2, b"\0\0\x07\0\0\0\0\0\x09\0\0\0\x02\0\0\0\x02\0\0\0ob\0\0"),
        1,
    );
    push(enhanced(3, b"last"), 1);
    Sample {
        bytes,
        header,
        ends,
    }
}

/// Every sample, with a name for messages.
fn samples() -> [(&'static str, Sample); 2] {
    [("pcap", pcap_sample()), ("pcapng", pcapng_sample())]
}
