//! The carrier as it is named on the command line: `udp://127.0.0.1:9004`.

use std::fmt;
use std::str::FromStr;

use crate::carrier::length_prefixed::Prefix;
use crate::endpoint::AddressProof;
use crate::session::{self, Tunnels};

/// The port of a router's I2CP service.
const I2CP_PORT: u16 = 7654;

/// The longest UDP payload over IPv4.
pub(super) const MAX_DATAGRAM_BYTES: usize = 65_507;

/// The address and the carrier of messages.
///
/// The role decides whether the address is bound or connected to; `i2cp` always
/// connects to the router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CarrierUrl {
    /// `udp://host:port`
    Udp(Authority),
    /// `tcp://host:port`, `tcp://host:port?prefix=u16be`
    Tcp(Authority, Prefix),
    /// `tls://host:port`, `tls://host:port?prefix=u16be`
    Tls(Authority, Prefix),
    /// `i2cp://host`, `i2cp://host:7654?length=0&quantity=1`
    I2cp(Authority, Tunnels),
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// The port; 0 lets the system choose where it is bound.
    pub port: u16,
}

/// The reason why a text is not a carrier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CarrierUrlError {
    /// No `scheme://`, or one that is none of ours.
    #[error("unknown carrier {0:?}; use udp://, tcp://, tls:// or i2cp://")]
    Scheme(String),
    /// No host.
    #[error("{0:?} names no host")]
    Host(String),
    /// No port, or one that is not 0 to 65535.
    #[error("{0:?} names no port between 0 and 65535")]
    Port(String),
    /// Something behind the port that is not understood.
    #[error("unknown option {0:?}; tcp:// and tls:// take ?prefix=u32be or ?prefix=u16be")]
    Option(String),
    /// An option of I2CP that is unknown or out of range.
    #[error("{0:?} is no option of i2cp://; there are length=0 to 7 and quantity=1 to 16")]
    Tunnels(String),
}

impl CarrierUrl {
    /// The address in it.
    pub const fn authority(&self) -> &Authority {
        match self {
            Self::Udp(authority)
            | Self::Tcp(authority, _)
            | Self::Tls(authority, _)
            | Self::I2cp(authority, _) => authority,
        }
    }

    /// Whether each peer has a connection, whose end it notices.
    pub const fn has_connections(&self) -> bool {
        matches!(self, Self::Tcp(..) | Self::Tls(..))
    }

    /// Whether the source address of a message may be a forgery.
    pub const fn address_proof(&self) -> AddressProof {
        match self {
            Self::Udp(_) => AddressProof::Required,
            Self::Tcp(..) | Self::Tls(..) | Self::I2cp(..) => AddressProof::NotNeeded,
        }
    }

    /// The longest message that it can carry, in bytes.
    pub const fn max_message_bytes(&self) -> usize {
        match self {
            Self::Udp(_) => MAX_DATAGRAM_BYTES,
            Self::Tcp(_, prefix) | Self::Tls(_, prefix) => prefix.max_message_bytes(),
            Self::I2cp(..) => session::MAX_MESSAGE_BYTES,
        }
    }

    /// The same carrier at another address, such as the one that was bound.
    #[must_use]
    pub fn at(&self, address: std::net::SocketAddr) -> Self {
        let authority = Authority {
            host: address.ip().to_string(),
            port: address.port(),
        };
        match self {
            Self::Udp(_) => Self::Udp(authority),
            Self::Tcp(_, prefix) => Self::Tcp(authority, *prefix),
            Self::Tls(_, prefix) => Self::Tls(authority, *prefix),
            Self::I2cp(_, tunnels) => Self::I2cp(authority, *tunnels),
        }
    }
}

impl FromStr for CarrierUrl {
    type Err = CarrierUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || {
            let scheme = text.split("://").next().unwrap_or(text);
            CarrierUrlError::Scheme(scheme.to_owned())
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(unknown)?;
        let (address, query) = match rest.split_once('?') {
            Some((address, query)) => (address, Some(query)),
            None => (rest, None),
        };
        let address = address.strip_suffix('/').unwrap_or(address);
        let unused = |query: Option<&str>| match query {
            Some(query) => Err(CarrierUrlError::Option(query.to_owned())),
            None => Ok(()),
        };
        match scheme {
            "udp" => {
                unused(query)?;
                Ok(Self::Udp(Authority::parse(address, None)?))
            }
            "tcp" => Ok(Self::Tcp(Authority::parse(address, None)?, prefix(query)?)),
            "tls" => Ok(Self::Tls(Authority::parse(address, None)?, prefix(query)?)),
            "i2cp" => {
                let tunnels = tunnels(query)?;
                Ok(Self::I2cp(
                    Authority::parse(address, Some(I2CP_PORT))?,
                    tunnels,
                ))
            }
            _ => Err(unknown()),
        }
    }
}

fn prefix(query: Option<&str>) -> Result<Prefix, CarrierUrlError> {
    let Some(option) = query else {
        return Ok(Prefix::U32);
    };
    option
        .strip_prefix("prefix=")
        .and_then(Prefix::named)
        .ok_or_else(|| CarrierUrlError::Option(option.to_owned()))
}

fn prefix_query(prefix: Prefix) -> String {
    match prefix {
        Prefix::U32 => String::new(),
        other => format!("?prefix={}", other.name()),
    }
}

fn tunnels(query: Option<&str>) -> Result<Tunnels, CarrierUrlError> {
    let mut tunnels = Tunnels::default();
    for option in query.into_iter().flat_map(|query| query.split('&')) {
        let error = || CarrierUrlError::Tunnels(option.to_owned());
        let (name, value) = option.split_once('=').ok_or_else(error)?;
        let number: u8 = value.parse().map_err(|_| error())?;
        match (name, number) {
            ("length", 0..=7) => tunnels.length = Some(number),
            ("quantity", 1..=16) => tunnels.quantity = Some(number),
            _ => return Err(error()),
        }
    }
    Ok(tunnels)
}

/// The query that [`tunnels`] reads.
fn tunnels_query(tunnels: &Tunnels) -> String {
    let length = tunnels.length.map(|length| format!("length={length}"));
    let quantity = tunnels
        .quantity
        .map(|quantity| format!("quantity={quantity}"));
    let options: Vec<String> = length.into_iter().chain(quantity).collect();
    if options.is_empty() {
        String::new()
    } else {
        format!("?{}", options.join("&"))
    }
}

impl Authority {
    fn parse(text: &str, default_port: Option<u16>) -> Result<Self, CarrierUrlError> {
        let no_port = || CarrierUrlError::Port(text.to_owned());
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(no_port)?;
                match port {
                    "" => (host, None),
                    port => (host, Some(port.strip_prefix(':').ok_or_else(no_port)?)),
                }
            }
            None => match text.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() || host.contains(['[', ']']) {
            return Err(CarrierUrlError::Host(text.to_owned()));
        }
        let port = match port {
            Some(port) => port.parse().map_err(|_| no_port())?,
            None => default_port.ok_or_else(no_port)?,
        };
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for CarrierUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(authority) => write!(f, "udp://{authority}"),
            Self::Tcp(authority, prefix) => write!(f, "tcp://{authority}{}", prefix_query(*prefix)),
            Self::Tls(authority, prefix) => write!(f, "tls://{authority}{}", prefix_query(*prefix)),
            Self::I2cp(authority, tunnels) => {
                write!(f, "i2cp://{authority}{}", tunnels_query(tunnels))
            }
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_are_shown_as_they_are_written() {
        for text in [
            "udp://127.0.0.1:9004",
            "udp://[::1]:0",
            "tcp://localhost:65535",
            "tcp://[fe80::1]:1?prefix=u16be",
            "tls://h:1",
            "tls://[::1]:65535?prefix=u16be",
            "i2cp://router.example:7655",
            "i2cp://127.0.0.1:7654?length=0&quantity=1",
            "i2cp://127.0.0.1:7654?quantity=16",
        ] {
            assert_eq!(text.parse::<CarrierUrl>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn defaults_are_filled_in() {
        for (text, shown) in [
            ("i2cp://127.0.0.1", "i2cp://127.0.0.1:7654"),
            ("i2cp://[::1]/", "i2cp://[::1]:7654"),
            ("tcp://h:1?prefix=u32be", "tcp://h:1"),
            ("udp://h:1/", "udp://h:1"),
        ] {
            assert_eq!(text.parse::<CarrierUrl>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_carrier_is_told_why() {
        for (text, error) in [
            (
                "http://h:80",
                r#"unknown carrier "http"; use udp://, tcp://, tls:// or i2cp://"#,
            ),
            (
                "127.0.0.1:80",
                r#"unknown carrier "127.0.0.1:80"; use udp://, tcp://, tls:// or i2cp://"#,
            ),
            ("udp://:80", r#"":80" names no host"#),
            ("udp://", r#""" names no host"#),
            ("tcp://:[:1]:80", r#"":[:1]:80" names no host"#),
            (
                "tcp://[[::1]]:80",
                r#""[[::1]]:80" names no port between 0 and 65535"#,
            ),
            ("tcp://[[::1]:80", r#""[[::1]:80" names no host"#),
            ("udp://h", r#""h" names no port between 0 and 65535"#),
            (
                "tcp://h:65536",
                r#""h:65536" names no port between 0 and 65535"#,
            ),
            ("tcp://[::1", r#""[::1" names no port between 0 and 65535"#),
            (
                "tcp://[::1]80",
                r#""[::1]80" names no port between 0 and 65535"#,
            ),
            (
                "udp://h:1?prefix=u16be",
                r#"unknown option "prefix=u16be"; tcp:// and tls:// take ?prefix=u32be or ?prefix=u16be"#,
            ),
            (
                "i2cp://h?length=8",
                r#""length=8" is no option of i2cp://; there are length=0 to 7 and quantity=1 to 16"#,
            ),
            (
                "i2cp://h?length=0&quantity=0",
                r#""quantity=0" is no option of i2cp://; there are length=0 to 7 and quantity=1 to 16"#,
            ),
            (
                "i2cp://h?length",
                r#""length" is no option of i2cp://; there are length=0 to 7 and quantity=1 to 16"#,
            ),
            (
                "tcp://h:1?prefix=u8",
                r#"unknown option "prefix=u8"; tcp:// and tls:// take ?prefix=u32be or ?prefix=u16be"#,
            ),
        ] {
            assert_eq!(text.parse::<CarrierUrl>().unwrap_err().to_string(), error);
        }
    }
}
