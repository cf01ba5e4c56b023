//! Wrappers of packets between the link header and the innermost IP header.

use std::fmt;

use super::Skip;

macro_rules! wrappers {
    ($($variant:ident = $name:literal, $about:literal;)*) => {
        /// A header that wraps a packet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Wrapper {
            $(#[doc = $about] $variant,)*
        }

        impl Wrapper {
            /// Every wrapper, in the order of the declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name in [`Encapsulation`]'s text: `vxlan`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

wrappers! {
    Vlan = "vlan", "A VLAN tag (IEEE 802.1Q and 802.1ad).";
    Llc = "llc", "LLC in an Ethernet frame with a length (IEEE 802.2), with or without SNAP.";
    Mpls = "mpls", "A stack of MPLS labels (RFC 3032).";
    Ethernet = "ethernet", "A whole Ethernet frame within another header.";
    PppOe = "pppoe", "A PPPoE session (RFC 2516), and PPP in it.";
    Ppp = "ppp", "PPP (RFC 1661) within another header.";
    IpIp = "ipip", "IPv4 in IPv4 (RFC 2003).";
    SixInFour = "6in4", "IPv6 in IPv4 (RFC 4213).";
    FourInSix = "4in6", "IPv4 in IPv6 (RFC 2473).";
    SixInSix = "6in6", "IPv6 in IPv6 (RFC 2473).";
    Gre = "gre", "GRE (RFC 2784, RFC 2890), or its variant for PPTP (RFC 2637).";
    Erspan = "erspan", "ERSPAN, types I to III: a mirrored Ethernet frame.";
    EtherIp = "etherip", "Ethernet in IP (RFC 3378).";
    Vxlan = "vxlan", "VXLAN (RFC 7348), also with the generic protocol extension.";
    Geneve = "geneve", "Geneve (RFC 8926).";
    GtpU = "gtp_u", "GTP-U (3GPP TS 29.281).";
    Teredo = "teredo", "Teredo (RFC 4380): IPv6 in UDP.";
}

/// Most wrappers that are followed: one more than a `u64` holds would be lost.
const MAX_DEPTH: u32 = 8;

/// The wrappers of a packet, outermost first; at most eight.
///
/// Its text joins their names with colons, as in `vlan:vxlan`; that of a packet in
/// no wrapper is empty.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Encapsulation(
    /// A byte each, the innermost lowest: its place in [`Wrapper::ALL`], plus one.
    u64,
);

impl Encapsulation {
    /// That of a packet right behind its link header.
    pub const NONE: Self = Self(0);

    /// Whether there are no wrappers.
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// A number for it.
    pub(super) const fn number(self) -> u64 {
        self.0
    }

    /// The wrappers, outermost first.
    pub fn wrappers(self) -> impl Iterator<Item = Wrapper> {
        self.0.to_be_bytes().into_iter().filter_map(|number| {
            Wrapper::ALL
                .get(usize::from(number.checked_sub(1)?))
                .copied()
        })
    }

    /// The encapsulation that has this text; `None` when none has.
    pub fn parse(text: &str) -> Option<Self> {
        let mut encapsulation = Self::NONE;
        for name in text.split(':').filter(|_| !text.is_empty()) {
            let wrapper = Wrapper::ALL.iter().find(|known| known.name() == name)?;
            encapsulation.enter(*wrapper).ok()?;
        }
        Some(encapsulation)
    }

    /// Enters one more wrapper.
    ///
    /// # Errors
    /// [`Skip::Nesting`] when it is one too many.
    pub(super) fn enter(&mut self, wrapper: Wrapper) -> Result<(), Skip> {
        if self.0.leading_zeros() < u8::BITS {
            return Err(Skip::Nesting);
        }
        self.0 = self.0 << u8::BITS | (wrapper as u64 + 1);
        Ok(())
    }
}

const _: () = assert!(MAX_DEPTH * u8::BITS == u64::BITS);

impl fmt::Display for Encapsulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, wrapper) in self.wrappers().enumerate() {
            if index > 0 {
                f.write_str(":")?;
            }
            f.write_str(wrapper.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Encapsulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encapsulation({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_wrappers_of_any_kind_are_told_in_their_order_and_a_ninth_is_refused() {
        for start in 0..Wrapper::ALL.len() {
            let mut encapsulation = Encapsulation::NONE;
            let mut expected = Vec::new();
            for step in 0..8 {
                let text = |names: &[&str]| names.join(":");
                assert_eq!(encapsulation.to_string(), text(&expected));
                assert_eq!(encapsulation.is_none(), step == 0);
                assert_eq!(
                    Encapsulation::parse(&encapsulation.to_string()),
                    Some(encapsulation)
                );
                let wrapper = Wrapper::ALL[(start + step) % Wrapper::ALL.len()];
                assert_eq!(encapsulation.enter(wrapper), Ok(()));
                expected.push(wrapper.name());
            }
            assert_eq!(encapsulation.to_string(), expected.join(":"));
            assert_eq!(encapsulation.enter(Wrapper::Vlan), Err(Skip::Nesting));
        }
    }
}
