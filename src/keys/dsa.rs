//! DSA-SHA1 with I2P's fixed group: the signatures of every destination of 2004. Too weak for
//! anything but talking to routers and peers of that time.

use ::dsa::{BoxedUint, Components, SigningKey, VerifyingKey};
use rand::CryptoRng;
use sha1::{Digest, Sha1};

/// Bytes of a private key.
pub(super) const PRIVATE_KEY_BYTES: usize = 20;
/// Bytes of a public key, which fills its field in a destination.
pub(super) const PUBLIC_KEY_BYTES: usize = 128;
/// Bytes of a signature: r, then s.
pub(super) const SIGNATURE_BYTES: usize = 2 * PRIVATE_KEY_BYTES;

/// I2P's prime, of 1,024 bits ("Cryptography: DSA" of its specification).
const P: &str = "9c05b2aa960d9b97b8931963c9cc9e8c3026e9b8ed92fad0a69cc886d5bf8015\
                 fcadae31a0ad18fab3f01b00a358de237655c4964afaa2b337e96ad316b9fb1c\
                 c564b5aec5b69a9ff6c3e4548707fef8503d91dd8602e867e6d35d2235c1869c\
                 e2479c3b9d5401de04e0727fb33d6511285d4cf29538d9e3b6051f5b22cc1c93";
/// I2P's order, of 160 bits.
const Q: &str = "a5dfc28fef4ca1e286744cd8eed9d29d684046b7";
/// I2P's generator.
const G: &str = "0c1f4d27d40093b429e962d7223824e0bbc47e7c832a39236fc683af84889581\
                 075ff9082ed32353d4374d7301cda1d23c431f4698599dda02451824ff369752\
                 593647cc3ddc197de985e43d136cdcfc6bd5409cd2f450821142a5e6f8eb1c3a\
                 b5d0484b8129fcf17bce4f7f33321c3cb3dbb14a905e7b2b3e93be4708cbcc82";

/// A private key, with its public one.
#[derive(Clone)]
pub(super) struct Key(SigningKey);

impl Key {
    pub(super) fn generate(rng: &mut impl CryptoRng) -> Self {
        loop {
            let mut private = [0; PRIVATE_KEY_BYTES];
            rng.fill_bytes(&mut private);
            // Two of five are at or above the order, and 0 is none either.
            if let Some(key) = Self::from_private(&private) {
                return key;
            }
        }
    }

    /// `None` if it is 0, or not below the order.
    pub(super) fn from_private(private: &[u8; PRIVATE_KEY_BYTES]) -> Option<Self> {
        let group = group()?;
        let x = number(private)?;
        let params = crypto_bigint::modular::BoxedMontyParams::new_vartime(group.p().clone());
        let generator =
            crypto_bigint::modular::BoxedMontyForm::new(group.g().as_ref().clone(), &params);
        let y = generator.pow(&x).retrieve();
        let public = VerifyingKey::from_components(group, y).ok()?;
        SigningKey::from_components(public, x).ok().map(Self)
    }

    pub(super) fn to_private(&self) -> [u8; PRIVATE_KEY_BYTES] {
        last_bytes(self.0.x())
    }

    pub(super) fn to_public(&self) -> [u8; PUBLIC_KEY_BYTES] {
        last_bytes(self.0.verifying_key().y())
    }

    /// Signs with a nonce that follows from key and message (RFC 6979).
    pub(super) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let digest = Sha1::digest(message);
        let signature = self
            .0
            .sign_prehashed_rfc6979::<Sha1>(&digest)
            .expect("r or s is 0 for one of 2^160 messages");
        let mut bytes = [0; SIGNATURE_BYTES];
        let (r, s) = bytes.split_at_mut(PRIVATE_KEY_BYTES);
        r.copy_from_slice(&last_bytes::<PRIVATE_KEY_BYTES>(signature.r()));
        s.copy_from_slice(&last_bytes::<PRIVATE_KEY_BYTES>(signature.s()));
        bytes
    }
}

fn group() -> Option<Components> {
    let part = |text: &str| number(&hex::decode(text).ok()?);
    Components::from_components(part(P)?, part(Q)?, part(G)?).ok()
}

fn number(bytes: &[u8]) -> Option<BoxedUint> {
    let bits = u32::try_from(8 * bytes.len()).ok()?;
    BoxedUint::from_be_slice(bytes, bits).ok()
}

/// The low end of a number, in whose memory more zeros may go before it.
fn last_bytes<const N: usize>(number: &BoxedUint) -> [u8; N] {
    let bytes = number.to_be_bytes();
    let mut last = [0; N];
    let count = bytes.len().min(N);
    last[N - count..].copy_from_slice(&bytes[bytes.len() - count..]);
    last
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha12Rng;

    use super::*;

    #[test]
    fn the_public_key_and_a_signature_are_those_that_python_computes() {
        // x = 01 02 … 14; y, and r and s with the nonce of RFC 6979, by Python's integers.
        let private = std::array::from_fn(|index| u8::try_from(index + 1).unwrap());
        let key = Key::from_private(&private).unwrap();
        assert_eq!(key.to_private(), private);
        let public = Sha1::digest(key.to_public());
        assert_eq!(hex::encode(public), PUBLIC_SHA1);
        assert_eq!(hex::encode(key.sign(b"ministreaming")), SIGNATURE);
    }

    const PUBLIC_SHA1: &str = "f7fe785dbe9b28d2d3aa09d7b7e8b55b1fc52f0e";
    const SIGNATURE: &str =
        "552b580dedd62b2aa4938c2a0bdf9116f78832ff2ae5eb9db2019f600a7ad9e7863e15ab72f05016";

    #[test]
    fn signatures_verify_and_others_do_not() {
        use ::dsa::signature::hazmat::PrehashVerifier;
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        for round in 0..20_u8 {
            let key = Key::generate(&mut rng);
            let bytes = key.sign(&[round]);
            let signature = ::dsa::Signature::from_components(
                number(&bytes[..20]).unwrap(),
                number(&bytes[20..]).unwrap(),
            )
            .unwrap();
            let public =
                VerifyingKey::from_components(group().unwrap(), number(&key.to_public()).unwrap())
                    .unwrap();
            let right = Sha1::digest([round]);
            public.verify_prehash(&right, &signature).unwrap();
            let wrong = Sha1::digest([round, 0]);
            public.verify_prehash(&wrong, &signature).unwrap_err();
        }
    }

    #[test]
    fn a_private_key_is_above_0_and_below_the_order() {
        let order: [u8; 20] = hex::decode(Q).unwrap().try_into().unwrap();
        let mut below = order;
        below[19] -= 1;
        assert!(Key::from_private(&below).is_some());
        for wrong in [[0; 20], order, [0xff; 20]] {
            assert!(Key::from_private(&wrong).is_none());
        }
    }
}
