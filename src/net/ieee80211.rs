//! Frames of wireless networks (IEEE 802.11), and the headers that capturing adds to them.

use super::Skip;
use super::captured::Captured;
use super::encapsulation::Encapsulation;
use super::layers::{Layer, descend};

/// What stands between the header of a frame and its content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Padding {
    /// Nothing.
    #[default]
    None,
    /// Bytes that make the header's length a multiple of four.
    ToFour,
}

/// The IP packet in a frame (`LINKTYPE_IEEE802_11`, 105).
pub(super) fn frame<'a>(
    frame: Captured<'a>,
    encapsulation: &mut Encapsulation,
) -> Result<Captured<'a>, Skip> {
    data(frame, Padding::None, encapsulation)
}

/// The IP packet in a frame behind a radiotap header (127): version, padding, length,
/// then words that tell which fields follow (<https://www.radiotap.org>).
pub(super) fn radiotap<'a>(
    packet: Captured<'a>,
    encapsulation: &mut Encapsulation,
) -> Result<Captured<'a>, Skip> {
    const FIXED: usize = 8;
    let fixed = packet.header(FIXED)?;
    let length = usize::from(u16::from_le_bytes([fixed[2], fixed[3]]));
    if fixed[0] != 0 || length < FIXED {
        return Err(Skip::BadHeader);
    }
    let padding = radiotap_padding(packet.header(length)?);
    data(packet.after(length), padding, encapsulation)
}

/// The flags say it; they are the second field, behind a time of eight bytes.
fn radiotap_padding(header: &[u8]) -> Padding {
    const TIME: u8 = 0x01;
    const FLAGS: u8 = 0x02;
    /// Another word of presence follows.
    const MORE: u8 = 0x80;
    const PADDED: u8 = 0x20;
    let present = header[4];
    if present & FLAGS == 0 {
        return Padding::None;
    }
    let words = header[4..].chunks_exact(4);
    let word_count = 1 + words.take_while(|word| word[3] & MORE != 0).count();
    let mut at = 4 + 4 * word_count;
    if present & TIME != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    match header.get(at) {
        Some(flags) if flags & PADDED != 0 => Padding::ToFour,
        _ => Padding::None,
    }
}

/// The IP packet in a frame behind a Prism header (119), whose length stands in its
/// second word, or behind AVS's (163), whose length does so too, in network byte order.
pub(super) fn prism_or_avs<'a>(
    packet: Captured<'a>,
    encapsulation: &mut Encapsulation,
) -> Result<Captured<'a>, Skip> {
    let fixed = packet.header(8)?;
    let word = [fixed[4], fixed[5], fixed[6], fixed[7]];
    // Prism's is in the byte order of its writer: lengths are small.
    let length = u32::from_be_bytes(word).min(u32::from_le_bytes(word));
    let length = usize::try_from(length).map_err(|_| Skip::BadHeader)?;
    if length < 8 {
        return Err(Skip::BadHeader);
    }
    packet.header(length)?;
    data(packet.after(length), Padding::None, encapsulation)
}

/// IEEE 802.11, 9.3.2: frame control, duration, three addresses, sequence control; then
/// a fourth address, quality of service and high throughput control, where these are.
fn data<'a>(
    frame: Captured<'a>,
    padding: Padding,
    encapsulation: &mut Encapsulation,
) -> Result<Captured<'a>, Skip> {
    const DATA: u8 = 2;
    /// Subtypes of data: with this bit they carry none, with that they have a QoS field.
    const NO_DATA: u8 = 0x4;
    const QOS: u8 = 0x8;
    /// Both directions: between access points.
    const FOUR_ADDRESSES: u8 = 0x03;
    const MORE_FRAGMENTS: u8 = 0x04;
    const PROTECTED: u8 = 0x40;
    const ORDER: u8 = 0x80;
    const FRAGMENT_NUMBER: u8 = 0x0f;
    /// In the QoS field: several frames in one (A-MSDU).
    const AGGREGATE: u8 = 0x80;

    let header = frame.header(24)?;
    let (control, flags) = (header[0], header[1]);
    let (kind, subtype) = (control >> 2 & 0x3, control >> 4);
    if control & 0x3 != 0 || kind != DATA || subtype & NO_DATA != 0 {
        return Err(Skip::NotIp);
    }
    if flags & PROTECTED != 0 {
        return Err(Skip::Encrypted);
    }
    // Fragments of frames are not put together: IP seldom leaves a use for them.
    if flags & MORE_FRAGMENTS != 0 || header[22] & FRAGMENT_NUMBER != 0 {
        return Err(Skip::Fragment);
    }
    let mut length = 24;
    if flags & FOUR_ADDRESSES == FOUR_ADDRESSES {
        length += 6;
    }
    if subtype & QOS != 0 {
        let qos = frame.header(length + 2)?[length];
        if qos & AGGREGATE != 0 {
            return Err(Skip::NotIp);
        }
        length += 2;
        if flags & ORDER != 0 {
            length += 4;
        }
    }
    if padding == Padding::ToFour {
        length = length.next_multiple_of(4);
    }
    frame.header(length)?;
    descend(Layer::Llc, frame.after(length), encapsulation)
}
