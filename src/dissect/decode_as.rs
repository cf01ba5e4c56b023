//! The user's rule for a port, in the notation of tshark's `-d`.

use std::fmt;
use std::str::FromStr;

use crate::carrier::Carrier;
use crate::net::Transport;

/// A rule that a port carries ministreaming: `udp.port==9004,ministream`,
/// `tcp.port==9004,ministream:u16be`, `tcp.port==7654,i2cp`.
///
/// It holds for flows with that port at either end, and spares them the detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeAs {
    /// UDP or TCP.
    pub transport: Transport,
    /// The port, 1 to 65535.
    pub port: u16,
    /// The carrier.
    pub carrier: Carrier,
}

/// Why a text is no [`DecodeAs`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeAsError {
    /// It has no `==` or no comma.
    #[error("{0:?} is not of the form udp.port==9004,ministream")]
    Form(String),
    /// The left side is neither `udp.port` nor `tcp.port`.
    #[error("unknown field {0:?}; use udp.port or tcp.port")]
    Field(String),
    /// The port is no port.
    #[error("{0:?} is not a port from 1 to 65535")]
    Port(String),
    /// The transport has no such carrier.
    #[error("{transport} carries no {name:?}; use {choices}")]
    Carrier {
        /// `udp` or `tcp`.
        transport: &'static str,
        /// The requested name.
        name: String,
        /// The names there are.
        choices: String,
    },
}

impl FromStr for DecodeAs {
    type Err = DecodeAsError;

    fn from_str(text: &str) -> Result<Self, DecodeAsError> {
        let form = || DecodeAsError::Form(text.to_owned());
        let (field, rest) = text.split_once("==").ok_or_else(form)?;
        let (port, name) = rest.split_once(',').ok_or_else(form)?;
        let transport = match field.trim() {
            "udp.port" => Transport::Udp,
            "tcp.port" => Transport::Tcp,
            other => return Err(DecodeAsError::Field(other.to_owned())),
        };
        let port = match port.trim().parse() {
            Ok(port) if port != 0 => port,
            _ => return Err(DecodeAsError::Port(port.trim().to_owned())),
        };
        let name = name.trim();
        let carrier = named(transport, name).ok_or_else(|| DecodeAsError::Carrier {
            transport: transport.name(),
            name: name.to_owned(),
            choices: choices(transport),
        })?;
        Ok(Self {
            transport,
            port,
            carrier,
        })
    }
}

impl fmt::Display for DecodeAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            transport,
            port,
            carrier,
        } = self;
        write!(f, "{}.port=={port},{}", transport.name(), carrier.framing())
    }
}

/// The transport of a carrier.
pub(super) const fn transport_of(carrier: Carrier) -> Transport {
    match carrier {
        Carrier::Udp => Transport::Udp,
        _ => Transport::Tcp,
    }
}

/// The name for the most usual carrier of either transport.
const USUAL: &str = "ministream";

fn carriers(transport: Transport) -> impl Iterator<Item = Carrier> {
    let is_its = move |carrier: &Carrier| transport_of(*carrier) == transport;
    Carrier::ALL.into_iter().filter(is_its)
}

fn named(transport: Transport, name: &str) -> Option<Carrier> {
    let first = (name == USUAL).then(|| carriers(transport).next());
    first.unwrap_or_else(|| carriers(transport).find(|carrier| carrier.framing() == name))
}

/// The names of a transport's carriers, as in `a, b or c`.
fn choices(transport: Transport) -> String {
    let mut names = vec![USUAL];
    names.extend(carriers(transport).map(Carrier::framing));
    names.dedup();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_written_alike() {
        for (text, carrier) in [
            ("udp.port==9004,ministream", Carrier::Udp),
            ("tcp.port==9004,ministream:u32be", Carrier::TcpU32),
            ("tcp.port==1,ministream:u16be", Carrier::TcpU16),
            ("tcp.port==65535,ministream:segment", Carrier::Segment),
            ("tcp.port==7654,i2cp", Carrier::I2cp),
        ] {
            let rule: DecodeAs = text.parse().unwrap();
            assert_eq!((rule.carrier, rule.to_string().as_str()), (carrier, text));
        }
        assert_eq!(
            "tcp.port == 9004, ministream".parse(),
            "tcp.port==9004,ministream:u32be".parse::<DecodeAs>()
        );
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_said() {
        for (text, message) in [
            ("", "\"\" is not of the form udp.port==9004,ministream"),
            (
                "udp.port=9004,ministream",
                "\"udp.port=9004,ministream\" is not of the form udp.port==9004,ministream",
            ),
            (
                "ip.proto==6,ministream",
                "unknown field \"ip.proto\"; use udp.port or tcp.port",
            ),
            (
                "udp.port==0,ministream",
                "\"0\" is not a port from 1 to 65535",
            ),
            (
                "udp.port==65536,ministream",
                "\"65536\" is not a port from 1 to 65535",
            ),
            (
                "udp.port==9,i2cp",
                "udp carries no \"i2cp\"; use ministream",
            ),
            (
                "tcp.port==9,x",
                "tcp carries no \"x\"; use ministream, ministream:u32be, ministream:u16be, \
                 ministream:segment or i2cp",
            ),
        ] {
            assert_eq!(text.parse::<DecodeAs>().unwrap_err().to_string(), message);
        }
    }
}
