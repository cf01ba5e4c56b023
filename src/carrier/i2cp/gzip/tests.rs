use proptest::prelude::*;

use super::*;

fn wrap(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Deflater::new().deflate(message, &mut out);
    out
}

fn unwrap(payload: &[u8]) -> Result<Vec<u8>, GzipError> {
    let mut inflater = Inflater::new();
    let inflated = inflater.inflate(payload)?;
    Ok(inflated.message.to_vec())
}

/// A close to server id e6b1a8, as the reference implementation sent it.
const CLOSE: &str = "1f8b0800000000000200 01 0400 fbff a2e6b1a8 a3169a4e 04000000";

/// 976 bytes of data to server id 3593db, which the reference implementation
/// compressed with zlib at level 9.
const DATA: &str = "\
    1f8b08000000000002005b603af9764e665eaa82b1427e9a42496a45898ec228\
    7f943fca1fba7c004ec4c19ed4030000";

fn bytes(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    hex::decode(digits).unwrap()
}

#[test]
fn a_close_is_wrapped_byte_for_byte_as_by_the_reference() {
    assert_eq!(wrap(&[0xa2, 0xe6, 0xb1, 0xa8]), bytes(CLOSE));
    assert_eq!(unwrap(&bytes(CLOSE)), Ok(vec![0xa2, 0xe6, 0xb1, 0xa8]));
}

#[test]
fn data_that_the_reference_compressed_can_be_read() {
    let message = unwrap(&bytes(DATA)).unwrap();
    let mut expected = vec![0xa0, 0x35, 0x93, 0xdb];
    expected.extend(b"line 3 of text, ".repeat(61));
    assert_eq!(message, expected);
}

#[test]
fn up_to_66_bytes_are_stored_with_23_bytes_around_them() {
    for length in 1..=66_u8 {
        let message = vec![b'x'; usize::from(length)];
        let wrapped = wrap(&message);
        assert_eq!(wrapped.len(), message.len() + 23);
        assert_eq!(wrapped[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0]);
        assert_eq!(wrapped[10..15], [1, length, 0, !length, 0xff]);
        assert_eq!(wrapped[15..15 + message.len()], message);
    }
    assert!(wrap(&[b'x'; 67]).len() < 67, "67 bytes are compressed");
}

#[test]
fn an_empty_message_is_not_wrapped_at_all() {
    assert!(wrap(&[]).is_empty());
    assert_eq!(unwrap(&[]), Ok(vec![]));
}

#[test]
fn the_protocol_number_is_the_byte_of_the_operating_system() {
    let mut wrapped = wrap(b"message");
    wrapped[9] = 6;
    let mut inflater = Inflater::new();
    let inflated = inflater.inflate(&wrapped).unwrap();
    assert_eq!((inflated.protocol, inflated.message), (6, &b"message"[..]));
}

#[test]
fn every_cut_says_that_it_is_one() {
    for message in [&b"short"[..], &[b'y'; 5_000]] {
        let wrapped = wrap(message);
        for cut in 1..wrapped.len() {
            assert_eq!(
                unwrap(&wrapped[..cut]),
                Err(GzipError::Truncated { payload_bytes: cut }),
                "{cut} of {}",
                wrapped.len()
            );
        }
    }
}

#[test]
fn every_flipped_bit_of_data_or_trailer_is_found() {
    let message = b"The quick brown fox jumps over the lazy dog. ".repeat(3);
    let wrapped = wrap(&message);
    let mut without_effect = Vec::new();
    for at in 10..wrapped.len() {
        for bit in 0..8 {
            let mut damaged = wrapped.clone();
            damaged[at] ^= 1 << bit;
            if let Ok(read) = unwrap(&damaged) {
                assert_eq!(read, message, "byte {at} bit {bit}");
                without_effect.push((at, bit));
            }
        }
    }
    // The last block fills half a byte, and the trailer begins with the next (RFC 1952, 2.3).
    assert_eq!(without_effect, [(63, 4), (63, 5), (63, 6), (63, 7)]);
    assert_eq!(wrapped.len(), 64 + 8);
}

#[test]
fn what_is_wrong_is_said() {
    let good = wrap(b"message");
    let with = |at: usize, byte: u8| {
        let mut damaged = good.clone();
        damaged[at] = byte;
        unwrap(&damaged)
    };
    let payload_bytes = good.len();
    for at in 0..3 {
        assert_eq!(with(at, 0), Err(GzipError::BadMagic { payload_bytes }));
    }
    assert_eq!(
        unwrap(b"hello"),
        Err(GzipError::BadMagic { payload_bytes: 5 })
    );
    assert_eq!(with(3, 0x20), Err(GzipError::BadFlags(0x20)));
    assert_eq!(with(10, 7), Err(GzipError::BadData));
    let crc = u32::from_le_bytes(*good[payload_bytes - 8..].first_chunk().unwrap());
    let last_of_crc = payload_bytes - 5;
    assert_eq!(
        with(last_of_crc, 0),
        Err(GzipError::BadCrc {
            claimed: crc & 0x00ff_ffff,
            actual: crc
        })
    );
    assert_eq!(
        with(payload_bytes - 4, 8),
        Err(GzipError::BadLength {
            claimed: 8,
            actual: 7
        })
    );
}

#[test]
fn extra_fields_names_and_comments_are_skipped_and_may_be_cut() {
    let plain = wrap(b"message");
    for flags in 0..0x20_u8 {
        let mut wrapped = plain[..10].to_vec();
        wrapped[3] = flags;
        if flags & FLAG_EXTRA != 0 {
            wrapped.extend_from_slice(&[3, 0, 1, 2, 3]);
        }
        if flags & FLAG_NAME != 0 {
            wrapped.extend_from_slice(b"name\0");
        }
        if flags & FLAG_COMMENT != 0 {
            wrapped.extend_from_slice(b"\0");
        }
        if flags & FLAG_HEADER_CRC != 0 {
            wrapped.extend_from_slice(&[0xab, 0xcd]);
        }
        wrapped.extend_from_slice(&plain[10..]);
        assert_eq!(unwrap(&wrapped), Ok(b"message".to_vec()), "{flags:#x}");
        for cut in 1..wrapped.len() {
            assert_eq!(
                unwrap(&wrapped[..cut]),
                Err(GzipError::Truncated { payload_bytes: cut })
            );
        }
    }
}

#[test]
fn bytes_behind_the_member_are_ignored() {
    let mut wrapped = wrap(b"message");
    wrapped.extend_from_slice(b"more");
    assert_eq!(unwrap(&wrapped), Ok(b"message".to_vec()));
}

#[test]
fn the_largest_message_passes_and_one_byte_more_does_not() {
    for (length, passes) in [
        (40_960, true),
        (MAX_INFLATED_BYTES, true),
        (MAX_INFLATED_BYTES + 1, false),
        (1_000_000, false),
    ] {
        let message = vec![0; length];
        let read = unwrap(&wrap(&message));
        if passes {
            assert_eq!(read.map(|message| message.len()), Ok(length));
        } else {
            assert_eq!(read, Err(GzipError::TooLarge));
        }
    }
}

#[test]
fn a_bomb_takes_no_more_memory_than_a_message() {
    let bomb = wrap(&vec![0; 3_000_000]);
    let mut inflater = Inflater::new();
    assert_eq!(inflater.inflate(&bomb), Err(GzipError::TooLarge));
    assert!(inflater.out.capacity() <= 3 * MAX_INFLATED_BYTES);
}

#[test]
fn an_inflater_is_good_again_after_an_error() {
    let mut inflater = Inflater::new();
    let good = wrap(&[b'z'; 300]);
    assert_eq!(
        inflater.inflate(&wrap(&vec![1; 99_999])),
        Err(GzipError::TooLarge)
    );
    assert_eq!(
        inflater.inflate(&good[..20]),
        Err(GzipError::Truncated { payload_bytes: 20 })
    );
    assert_eq!(inflater.inflate(&good).unwrap().message, [b'z'; 300]);
}

#[test]
fn a_buffer_that_has_grown_changes_nothing() {
    let mut grown = Inflater::new();
    let bomb = wrap(&vec![1; 99_999]);
    assert_eq!(grown.inflate(&bomb), Err(GzipError::TooLarge));
    // All of the input is read, while some of what it makes is still to come.
    for cut in 0..bomb.len() {
        assert_eq!(
            grown.inflate(&bomb[..cut]),
            Inflater::new().inflate(&bomb[..cut]),
            "{cut} of {} bytes",
            bomb.len()
        );
    }
    for length in (30_000..MAX_INFLATED_BYTES + 10).step_by(331) {
        let wrapped = wrap(&vec![0; length]);
        assert_eq!(
            grown.inflate(&wrapped),
            Inflater::new().inflate(&wrapped),
            "{length} bytes"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_message_survives_one_deflater_and_inflater(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..5),
        repeat in 1_usize..80,
    ) {
        let (mut deflater, mut inflater) = (Deflater::new(), Inflater::new());
        for message in messages {
            let message = message.repeat(repeat);
            let mut wrapped = vec![0xee];
            deflater.deflate(&message, &mut wrapped);
            let inflated = inflater.inflate(&wrapped[1..]).unwrap();
            prop_assert_eq!(inflated.message, &message);
            prop_assert_eq!(inflated.protocol, NO_PROTOCOL);
        }
    }

    #[test]
    fn arbitrary_payloads_never_panic(mut payload in prop::collection::vec(any::<u8>(), 0..300), gzip in any::<bool>()) {
        if gzip && payload.len() >= 10 {
            payload[..10].copy_from_slice(&HEADER);
        }
        if let Ok(inflated) = Inflater::new().inflate(&payload) {
            prop_assert!(inflated.message.len() <= MAX_INFLATED_BYTES);
        }
    }
}
