use ed25519_dalek::{Signature, VerifyingKey};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::*;

const TYPES: [KeyType; 2] = [KeyType::Dsa, KeyType::Ed25519];

fn keys(seed: u8) -> Keys {
    Keys::generate(&mut ChaCha12Rng::from_seed([seed; 32]))
}

#[test]
fn a_new_destination_holds_both_public_keys_and_says_their_types() {
    let keys = keys(1);
    let destination = keys.destination();
    let bytes = destination.as_bytes();
    assert_eq!(bytes.len(), 391);
    assert_eq!(&bytes[..256], keys.encryption_key());
    assert_eq!(bytes[352..384], keys.verifying_key());
    assert_eq!(bytes[384..], [5, 0, 4, 0, 7, 0, 0]);
    assert_ne!(bytes[256..352], [0; 96], "padding is random");
    assert_ne!(keys.decryption_key(), keys.encryption_key());
}

#[test]
fn no_two_destinations_are_the_same() {
    assert_ne!(keys(1).destination(), keys(2).destination());
}

#[test]
fn signatures_verify_by_the_key_at_its_place_in_the_destination() {
    let keys = keys(3);
    let destination = keys.destination();
    let public = destination.as_bytes()[352..384].try_into().unwrap();
    let public = VerifyingKey::from_bytes(public).unwrap();
    let signature = Signature::from_slice(&keys.sign(b"lease set")).unwrap();
    public.verify_strict(b"lease set", &signature).unwrap();
    public.verify_strict(b"lease seT", &signature).unwrap_err();
}

#[test]
fn keys_survive_being_written_and_read() {
    let keys = keys(4);
    let bytes = keys.to_bytes();
    assert_eq!(bytes.len(), 391 + 256 + 32);
    let read = Keys::from_bytes(&bytes).unwrap();
    assert_eq!(read.to_bytes(), bytes);
    assert_eq!(read.encryption_key(), keys.encryption_key());
    assert_eq!(read.sign(b"x"), keys.sign(b"x"));
}

#[test]
fn every_other_length_is_refused() {
    for key_type in TYPES {
        let mut bytes =
            Keys::generate_as(key_type, &mut ChaCha12Rng::from_seed([5; 32])).to_bytes();
        for length in 0..bytes.len() {
            let error = Keys::from_bytes(&bytes[..length]).unwrap_err();
            if length < key_type.destination_bytes() {
                assert!(matches!(error, KeysError::Destination(_)), "{length}");
            } else {
                let bytes = length;
                assert_eq!(error, KeysError::Length { bytes, key_type });
            }
        }
        bytes.push(0);
        let error = KeysError::Length {
            bytes: bytes.len(),
            key_type,
        };
        assert_eq!(Keys::from_bytes(&bytes).unwrap_err(), error);
    }
    let error = KeysError::Length {
        bytes: 1,
        key_type: KeyType::Dsa,
    };
    assert_eq!(
        error.to_string(),
        "1 bytes instead of 663: destination 387, encryption key 256, signing key 20"
    );
}

#[test]
fn a_signing_key_of_another_destination_is_refused() {
    let whole = keys(6).to_bytes();
    for place in (352..384).chain(647..679) {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        assert_eq!(
            Keys::from_bytes(&bytes).unwrap_err(),
            KeysError::Mismatch(KeyType::Ed25519),
            "{place}"
        );
    }
}

#[test]
fn other_kinds_of_keys_are_refused_by_their_certificate() {
    let mut bytes = keys(7).to_bytes();
    bytes[388] = 11;
    assert_eq!(
        Keys::from_bytes(&bytes).unwrap_err().to_string(),
        "certificate 050004000b0000 at offset 384 is neither 000000 (DSA) nor 05000400070000: \
         only DSA and Ed25519 signatures (types 0 and 7) with ElGamal encryption (type 0) are \
         supported"
    );
}

#[test]
fn a_dsa_destination_is_that_of_2004() {
    let keys = Keys::generate_as(KeyType::Dsa, &mut ChaCha12Rng::from_seed([9; 32]));
    let bytes = keys.to_bytes();
    assert_eq!(bytes.len(), 387 + 256 + 20);
    assert_eq!(&bytes[..256], keys.encryption_key());
    assert_eq!(bytes[256..384], keys.verifying_key());
    assert_eq!(bytes[384..387], [0, 0, 0], "null certificate");
    assert_eq!(&bytes[387..643], keys.decryption_key());
    assert_eq!(keys.sign(b"lease set").len(), 40);
    let read = Keys::from_bytes(&bytes).unwrap();
    assert_eq!(
        (read.to_bytes(), read.key_type()),
        (bytes.clone(), KeyType::Dsa)
    );
    assert_eq!(read.sign(b"x"), keys.sign(b"x"));
    for place in (256..384).chain(643..663) {
        let mut bytes = bytes.clone();
        bytes[place] ^= 1;
        assert_eq!(
            Keys::from_bytes(&bytes).unwrap_err(),
            KeysError::Mismatch(KeyType::Dsa),
            "{place}"
        );
    }
}

#[test]
fn keys_that_are_logged_show_no_secret() {
    let keys = keys(8);
    assert_eq!(
        format!("{keys:?}"),
        format!("Keys({})", keys.destination().hash())
    );
}
