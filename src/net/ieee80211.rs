//! Frames of wireless networks (IEEE 802.11), and the headers that capturing adds to them.

use super::Skip;
use super::captured::Captured;
use super::encapsulation::Encapsulation;
use super::layers::{Layer, descend};

/// Padding between the header of a frame and its content.
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
/// then words that say which fields follow (<https://www.radiotap.org>).
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
        // A field is aligned to its own size (<https://www.radiotap.org>).
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

#[cfg(test)]
mod tests {
    use super::super::testing::{CLIENT, SERVER, UDP, ipv4, udp};
    use super::*;

    const FLAG_PADDED: u8 = 0x20;

    fn ip() -> Vec<u8> {
        ipv4(CLIENT, SERVER, UDP, &udp(b"x"))
    }

    /// A data frame with the fields that its header announces, and the IP packet.
    fn data_frame(subtype: u8, flags: u8, to_four: bool) -> Vec<u8> {
        let mut frame = vec![subtype << 4 | 0x08, flags];
        frame.extend([0xee; 20]);
        frame.extend([0x10, 0xee]);
        if flags & 3 == 3 {
            frame.extend([0xee; 6]);
        }
        if subtype & 8 != 0 {
            frame.extend([0x0f, 0xee]);
            if flags & 0x80 != 0 {
                frame.extend([0xee; 4]);
            }
        }
        if to_four {
            frame.resize(frame.len().next_multiple_of(4), 0xee);
        }
        frame.extend([0xaa, 0xaa, 3, 0, 0, 0, 8, 0]);
        frame.extend(ip());
        frame
    }

    type Open = for<'a> fn(Captured<'a>, &mut Encapsulation) -> Result<Captured<'a>, Skip>;

    fn opened(open: Open, header: &[u8], rest: &[u8]) -> Result<Vec<u8>, Skip> {
        let packet = [header, rest].concat();
        let mut encapsulation = Encapsulation::NONE;
        open(Captured::new(&packet, 0), &mut encapsulation).map(|ip| ip.bytes().to_vec())
    }

    #[test]
    fn ip_lies_behind_every_header_of_data() {
        for subtype in [0, 1, 2, 3, 8, 9, 10, 11] {
            for directions in 0..4 {
                for others in [0, 0x80, 0x38] {
                    let flags = directions | others;
                    let plain = data_frame(subtype, flags, false);
                    assert_eq!(opened(frame, &[], &plain), Ok(ip()), "{subtype} {flags:#x}");
                    let padded = data_frame(subtype, flags, true);
                    let header = [0, 0, 9, 0, 2, 0, 0, 0, FLAG_PADDED];
                    assert_eq!(
                        opened(radiotap, &header, &padded),
                        Ok(ip()),
                        "{subtype} {flags:#x}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_holds_no_ip_packet_is_told() {
        let bare = |control: u8, flags| {
            let mut frame = data_frame(0, flags, false);
            frame[0] = control;
            frame
        };
        for (packet, expected) in [
            (bare(0x48, 0), Skip::NotIp),
            (bare(0x04, 0), Skip::NotIp),
            (bare(0x09, 0), Skip::NotIp),
            (bare(0x08, 0x40), Skip::Encrypted),
            (bare(0x08, 0x04), Skip::Fragment),
        ] {
            assert_eq!(opened(frame, &[], &packet), Err(expected), "{packet:02x?}");
        }
        let mut fragment = data_frame(0, 0, false);
        fragment[22] = 0x11;
        assert_eq!(opened(frame, &[], &fragment), Err(Skip::Fragment));
        let mut aggregate = data_frame(8, 0, false);
        aggregate[24] = 0x80;
        assert_eq!(opened(frame, &[], &aggregate), Err(Skip::NotIp));
    }

    #[test]
    fn headers_of_captures_say_how_long_they_are() {
        let data = data_frame(8, 3, false);
        for length in 8..40_u8 {
            let filled = |header: &[u8]| {
                let mut header = header.to_vec();
                header.resize(length.into(), 0);
                header
            };
            for (name, open, header) in [
                ("radiotap", radiotap as Open, filled(&[0, 0, length, 0])),
                (
                    "Prism",
                    prism_or_avs,
                    filled(&[0, 0, 0, 0x44, length, 0, 0, 0]),
                ),
                (
                    "AVS",
                    prism_or_avs,
                    filled(&[0x80, 0x21, 0x10, 2, 0, 0, 0, length]),
                ),
            ] {
                assert_eq!(opened(open, &header, &data), Ok(ip()), "{name} {length}");
                let cut = &header[..header.len() - 1];
                assert_eq!(
                    opened(open, cut, &[]),
                    Err(Skip::BadHeader),
                    "{name} {length}"
                );
            }
        }
        for length in 0..8 {
            let headers = [
                [0, 0, length, 0, 0, 0, 0, 0],
                [0, 0, 0, 0x44, length, 0, 0, 0],
            ];
            for (open, header) in [radiotap as Open, prism_or_avs].into_iter().zip(headers) {
                assert_eq!(
                    opened(open, &header, &data),
                    Err(Skip::BadHeader),
                    "{length}"
                );
            }
        }
        let other_version = [1, 0, 8, 0, 0, 0, 0, 0];
        assert_eq!(
            opened(radiotap, &other_version, &data),
            Err(Skip::BadHeader)
        );
    }
}
