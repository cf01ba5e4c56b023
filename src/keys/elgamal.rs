//! ElGamal public keys. A lease set of the first kind holds one, and every
//! router up to today can encrypt to it.

use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{Odd, U2048};

/// Bytes of a private and of a public key.
pub(super) const KEY_BYTES: usize = 256;

/// The 2048-bit MODP group, number 14 of RFC 3526, section 3; its generator is 2.
const PRIME: Odd<U2048> = Odd::<U2048>::from_be_hex(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74\
     020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437\
     4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED\
     EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05\
     98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB\
     9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B\
     E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718\
     3995497CEA956AE515D2261898FA051015728E5A8AACAA68FFFFFFFFFFFFFFFF",
);

/// 2 to the power of `private` modulo the prime, in time that does not depend
/// on `private`; a few milliseconds of work.
pub(super) fn public_key(private: &[u8; KEY_BYTES]) -> [u8; KEY_BYTES] {
    let group = FixedMontyParams::new_vartime(PRIME);
    let generator = FixedMontyForm::new(&U2048::from_u8(2), &group);
    let public = generator.pow(&U2048::from_be_slice(private)).retrieve();
    public.to_be_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn a_public_key_is_two_to_the_power_of_the_private_one() {
        let mut one = [0; KEY_BYTES];
        one[255] = 1;
        let mut two = [0; KEY_BYTES];
        two[255] = 2;
        assert_eq!(public_key(&one), two);

        // 00 01 02 … ff, computed with Python's pow().
        let private = std::array::from_fn(|index| u8::try_from(index).unwrap());
        let public = public_key(&private);
        assert_eq!(
            hex::encode(Sha256::digest(public)),
            "bb0c4d90d2b23b77668382a8cff7ba3a5b8b9076015ae378cd6e41e6dfe2022f"
        );
    }

    #[test]
    fn an_exponent_beyond_the_prime_is_taken_as_it_is() {
        // 2 has order (p - 1) / 2, so that the power p - 1 is 1, and 2^2048 - 1 = p - 1 + k.
        let minus_one = PRIME.get().wrapping_sub(&U2048::ONE);
        let mut one = [0; KEY_BYTES];
        one[255] = 1;
        assert_eq!(public_key(&minus_one.to_be_bytes().into()), one);
        let rest = U2048::MAX.wrapping_sub(&minus_one);
        assert_eq!(
            public_key(&[0xff; KEY_BYTES]),
            public_key(&rest.to_be_bytes().into())
        );
    }
}
