//! What the user says about a port, in the notation of tshark's `-d`.

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
        /// What was asked for.
        name: String,
        /// What there is.
        choices: &'static str,
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
        let carrier = match (transport, name.trim()) {
            (Transport::Udp, "ministream") => Carrier::Udp,
            (Transport::Tcp, "ministream" | "ministream:u32be") => Carrier::TcpU32,
            (Transport::Tcp, "ministream:u16be") => Carrier::TcpU16,
            (Transport::Tcp, "ministream:segment") => Carrier::Segment,
            (Transport::Tcp, "i2cp") => Carrier::I2cp,
            (Transport::Udp, other) => {
                return Err(DecodeAsError::Carrier {
                    transport: "udp",
                    name: other.to_owned(),
                    choices: "ministream",
                });
            }
            (Transport::Tcp, other) => {
                return Err(DecodeAsError::Carrier {
                    transport: "tcp",
                    name: other.to_owned(),
                    choices: "ministream, ministream:u32be, ministream:u16be, ministream:segment or i2cp",
                });
            }
        };
        Ok(Self {
            transport,
            port,
            carrier,
        })
    }
}

impl fmt::Display for DecodeAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, name) = match self.carrier {
            Carrier::Udp => ("udp.port", "ministream"),
            Carrier::TcpU32 => ("tcp.port", "ministream:u32be"),
            Carrier::TcpU16 => ("tcp.port", "ministream:u16be"),
            Carrier::Segment => ("tcp.port", "ministream:segment"),
            Carrier::I2cp => ("tcp.port", "i2cp"),
        };
        write!(f, "{field}=={},{name}", self.port)
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
        ] {
            assert_eq!(text.parse::<DecodeAs>().unwrap_err().to_string(), message);
        }
    }
}
