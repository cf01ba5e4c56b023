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

/// A file as Java's `PrivateKeyFile` writes it, put together from the common structures
/// specification: destination, private encryption key, private signing key.
fn java_file(
    encryption_field: &[u8; 256],
    signing_field: &[u8; 128],
    certificate: &[u8],
    private_keys: &[&[u8]],
) -> Vec<u8> {
    let destination = [&encryption_field[..], signing_field, certificate].concat();
    [&destination[..], &private_keys.concat()].concat()
}

#[test]
fn files_of_java_i2p_are_read_whatever_fills_their_unused_fields() {
    let seed = [0x42; 32];
    let public = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
    // Random; 32 random bytes again and again (since 0.9.57); the key that fits.
    let pattern: [u8; 256] = std::array::from_fn(|place| [0x9d, 0x03, 0xf1, 0x77][place % 4]);
    let fitting = elgamal::public_key(&[0x17; 256]);
    for encryption_field in [[0xa5; 256], pattern, fitting] {
        for padding in [0x00, 0xff, 0x5a] {
            let mut signing_field = [padding; 128];
            signing_field[96..].copy_from_slice(&public);
            let certificate = [5, 0, 4, 0, 7, 0, 0];
            for decryption_key in [[0x17; 256], [0; 256]] {
                let private: [&[u8]; 2] = [&decryption_key, &seed];
                let file = java_file(&encryption_field, &signing_field, &certificate, &private);
                assert_eq!(file.len(), 679);
                let keys = Keys::from_bytes(&file).unwrap();
                assert_eq!(keys.destination().as_bytes(), &file[..391]);
                assert_eq!(keys.verifying_key(), public);
                // The lease set's key works and is no secret that all know.
                let own = elgamal::public_key(keys.decryption_key());
                assert_eq!(keys.encryption_key(), &own);
                assert_ne!(keys.decryption_key(), &[0; 256]);
                let again = Keys::from_bytes(&file).unwrap();
                assert_eq!(again.decryption_key(), keys.decryption_key());
            }
        }
    }
}

#[test]
fn a_java_file_of_2004_is_read() {
    // The exponent 3 has leading zeros, which the file keeps.
    let mut exponent = [0; 20];
    exponent[19] = 3;
    let key = dsa::Key::from_private(&exponent).unwrap();
    let signing_field = key.to_public();
    let private: [&[u8]; 2] = [&[0x17; 256], &exponent];
    let file = java_file(&[0xa5; 256], &signing_field, &[0, 0, 0], &private);
    assert_eq!(file.len(), 663);
    let keys = Keys::from_bytes(&file).unwrap();
    assert_eq!(keys.key_type(), KeyType::Dsa);
    assert_eq!(keys.to_bytes(), file);
}

#[test]
fn files_with_a_key_that_is_kept_offline_are_refused_as_such() {
    let seed = [0x42; 32];
    let mut signing_field = [0; 128];
    signing_field[96..].copy_from_slice(&SigningKey::from_bytes(&seed).verifying_key().to_bytes());
    // When it expires, the type of the transient key, that key, the signature over these,
    // the private transient key.
    let block: [&[u8]; 5] = [&[0x66; 4], &[0, 7], &[1; 32], &[2; 64], &[3; 32]];
    let private = [&[0x17; 256][..], &[0; 32], &block.concat()];
    let certificate = [5, 0, 4, 0, 7, 0, 0];
    let file = java_file(&[0xa5; 256], &signing_field, &certificate, &private);
    let error = Keys::from_bytes(&file).unwrap_err();
    assert_eq!(error, KeysError::Offline(KeyType::Ed25519));
    assert_eq!(
        error.to_string(),
        "the private signing key at offset 647 is zeros, followed by an offline signature: \
         offline keys are not supported, use a file with the key itself"
    );
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
