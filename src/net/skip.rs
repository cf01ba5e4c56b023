//! The reasons why packets deliver nothing.

/// The reason why a packet, or a part of it, delivered nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Skip {
    /// The link type is not supported.
    LinkType,
    /// Not IPv4 or IPv6 (ARP, ...).
    NotIp,
    /// Neither TCP nor UDP.
    NotTransport,
    /// A header is damaged or does not fit in its packet.
    BadHeader,
    /// The snap length cut a header.
    CutHeader,
    /// The second copy of a packet that the capture holds twice.
    DuplicateCopy,
    /// A fragment that waits for others, which may never come.
    Fragment,
    /// It is encrypted on its link (802.11).
    Encrypted,
    /// It is wrapped in more headers than are followed.
    Nesting,
}

impl Skip {
    /// Every reason, in the order of the declaration.
    // None may be missing: counts are indexed by `reason as usize`.
    pub const ALL: [Self; 9] = [
        Self::LinkType,
        Self::NotIp,
        Self::NotTransport,
        Self::BadHeader,
        Self::CutHeader,
        Self::DuplicateCopy,
        Self::Fragment,
        Self::Encrypted,
        Self::Nesting,
    ];

    /// Its name in the JSON records: `not_ip`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LinkType => "link_type",
            Self::NotIp => "not_ip",
            Self::NotTransport => "not_tcp_or_udp",
            Self::BadHeader => "bad_header",
            Self::CutHeader => "cut_header",
            Self::DuplicateCopy => "duplicate_copy",
            Self::Fragment => "fragment",
            Self::Encrypted => "encrypted",
            Self::Nesting => "nesting",
        }
    }
}
