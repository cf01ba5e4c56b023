use ed25519_dalek::{Signature, VerifyingKey};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::*;

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
    let public = keys.destination().as_bytes()[352..384].try_into().unwrap();
    let public = VerifyingKey::from_bytes(public).unwrap();
    let signature = Signature::from_bytes(&keys.sign(b"lease set"));
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
    let mut bytes = keys(5).to_bytes();
    for length in 0..bytes.len() {
        let error = Keys::from_bytes(&bytes[..length]).unwrap_err();
        if length < 391 {
            assert!(matches!(error, KeysError::Destination(_)), "{length}");
        } else {
            assert_eq!(error, KeysError::Length(length));
        }
    }
    bytes.push(0);
    assert_eq!(
        Keys::from_bytes(&bytes).unwrap_err(),
        KeysError::Length(680)
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
            KeysError::Mismatch,
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
        "certificate 050004000b0000 at offset 384 is not 05000400070000: only Ed25519 \
         signatures (type 7) with ElGamal encryption (type 0) are supported"
    );
    // A DSA destination has a null certificate.
    let mut bytes = keys(7).to_bytes();
    bytes[384..387].fill(0);
    assert_eq!(
        Keys::from_bytes(&bytes).unwrap_err(),
        KeysError::Certificate(vec![0, 0, 0])
    );
}

#[test]
fn keys_that_are_logged_show_no_secret() {
    let keys = keys(8);
    assert_eq!(
        format!("{keys:?}"),
        format!("Keys({})", keys.destination().hash())
    );
}
