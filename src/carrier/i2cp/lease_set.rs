//! Leases, and the lease set of the first kind ("LS1"), in which an application
//! says where it can be reached.

/// Bytes of a lease.
pub const LEASE_BYTES: usize = 32 + 4 + 8;

/// A tunnel through which a destination can be reached for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Hash of the router at the tunnel's gateway.
    pub gateway: [u8; 32],
    /// The tunnel's id at that router.
    pub tunnel_id: u32,
    /// When it ends, in milliseconds since the Unix epoch.
    pub end_ms: u64,
}

impl Lease {
    /// The lease as it stands on the wire.
    pub fn to_bytes(&self) -> [u8; LEASE_BYTES] {
        let mut bytes = [0; LEASE_BYTES];
        bytes[..32].copy_from_slice(&self.gateway);
        bytes[32..36].copy_from_slice(&self.tunnel_id.to_be_bytes());
        bytes[36..].copy_from_slice(&self.end_ms.to_be_bytes());
        bytes
    }

    /// The lease from its bytes.
    pub fn from_bytes(bytes: &[u8; LEASE_BYTES]) -> Self {
        let [gateway @ .., t0, t1, t2, t3, e0, e1, e2, e3, e4, e5, e6, e7] = *bytes;
        Self {
            gateway,
            tunnel_id: u32::from_be_bytes([t0, t1, t2, t3]),
            end_ms: u64::from_be_bytes([e0, e1, e2, e3, e4, e5, e6, e7]),
        }
    }
}

/// Leases one after the other, as they stand in RequestVariableLeaseSet: 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leases<'a>(&'a [[u8; LEASE_BYTES]]);

impl<'a> Leases<'a> {
    /// Takes bytes for leases; `None` unless they are whole ones, at most 255.
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        match bytes.as_chunks() {
            (leases, []) if leases.len() <= 255 => Some(Self(leases)),
            _ => None,
        }
    }

    /// Their bytes.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0.as_flattened()
    }

    /// The leases in the order in which they were sent.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Lease> + use<'a> {
        self.0.iter().map(Lease::from_bytes)
    }
}

/// A lease set of the first kind, without its signature.
#[derive(Clone, Copy, Debug)]
pub struct LeaseSet<'a> {
    /// The destination that can be reached.
    pub destination: &'a [u8],
    /// ElGamal public key to which others encrypt.
    pub encryption_key: &'a [u8; 256],
    /// As long as a signing key of the destination: 128 bytes for DSA, 32 for
    /// Ed25519. Nobody uses it.
    pub revocation_key: &'a [u8],
    /// The leases; i2pd takes at most 16, Java 0.8.8 at most 6.
    pub leases: Leases<'a>,
}

impl LeaseSet<'_> {
    /// Appends the bytes to be signed; the signature goes right behind them (common structures
    /// specification, "LeaseSet").
    pub fn encode_unsigned(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.destination);
        out.extend_from_slice(self.encryption_key);
        out.extend_from_slice(self.revocation_key);
        out.push(u8::try_from(self.leases.iter().len()).expect("there are at most 255 leases"));
        out.extend_from_slice(self.leases.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_gateway_tunnel_and_end() {
        let lease = Lease {
            gateway: [7; 32],
            tunnel_id: 0x0102_0304,
            end_ms: 0x0a0b_0c0d_0e0f_1011,
        };
        let mut expected = vec![7; 32];
        expected.extend_from_slice(&[1, 2, 3, 4, 10, 11, 12, 13, 14, 15, 16, 17]);
        assert_eq!(lease.to_bytes().as_slice(), expected);
        assert_eq!(Lease::from_bytes(&lease.to_bytes()), lease);
    }

    #[test]
    fn only_whole_leases_up_to_255_are_leases() {
        let bytes = vec![0; 256 * LEASE_BYTES];
        for count in [0, 1, 2, 255] {
            let leases = Leases::from_bytes(&bytes[..count * LEASE_BYTES]).unwrap();
            assert_eq!(leases.iter().len(), count);
        }
        assert_eq!(Leases::from_bytes(&bytes[..LEASE_BYTES + 1]), None);
        assert_eq!(Leases::from_bytes(&bytes), None, "their number is one byte");
    }

    #[test]
    fn what_is_signed_of_a_lease_set_has_the_documented_length() {
        let destination = [1; 387];
        let leases = [3; LEASE_BYTES];
        let lease_set = LeaseSet {
            destination: &destination,
            encryption_key: &[2; 256],
            revocation_key: &[4; 128],
            leases: Leases::from_bytes(&leases).unwrap(),
        };
        let mut out = Vec::new();
        lease_set.encode_unsigned(&mut out);
        // The reference's CreateLeaseSet is 2 + 20 + 256 before and 40 after this.
        assert_eq!(out.len() + 2 + 20 + 256 + 40, 1134);
        assert_eq!(out[387 + 256 + 128], 1);
        assert_eq!(&out[387 + 256 + 128 + 1..], leases);
    }
}
