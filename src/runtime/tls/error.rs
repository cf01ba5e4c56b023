//! Errors of TLS, in words that say what to do.

use std::path::PathBuf;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

use crate::carrier::tls::hello::HelloError;
use crate::private_file::PrivateFileError;
use crate::wire::DestinationHash;

/// The reason why a connection over TLS could not be had, or was lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The other end's key is not that of the destination that was asked for.
    #[error("the server is not {expected}: its key is not that of the expected destination", expected = .0.to_b32_name())]
    WrongKey(DestinationHash),
    /// The other end has another destination than the one that was asked for.
    #[error("the server is {}, not {}", found.to_b32_name(), expected.to_b32_name())]
    WrongDestination {
        /// The expected destination.
        expected: DestinationHash,
        /// The destination there, proven.
        found: DestinationHash,
    },
    /// The other end names a destination whose key it did not prove.
    #[error("the other end says it is {}, and its key is another", .0.to_b32_name())]
    NotProven(DestinationHash),
    /// A client that the allow list does not name.
    #[error("{} is not in the allow list", .0.to_b32_name())]
    NotAllowed(DestinationHash),
    /// The server does not admit us.
    #[error("the server does not admit {}: its allow list has to name it", .0.to_b32_name())]
    NotAdmitted(DestinationHash),
    /// Something else than a hello.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// The bytes are no TLS.
    #[error("the other end does not send TLS: is the other end tcp://?")]
    NotTls,
    /// No version in common.
    #[error("the other end does not speak TLS 1.3, and older versions are not supported here")]
    Version,
    /// The other end has a certificate, or nothing, where a raw public key is wanted, or
    /// the other way round.
    #[error(
        "the other end does not take part in what proves identities here: raw public keys \
         (RFC 7250) at one end, X.509 certificates at the other?"
    )]
    CertificateType,
    /// A client without a key or certificate.
    #[error("the client has shown no key or certificate")]
    NoCertificate,
    /// The certificate is over, too early, of another name, or of an unknown authority.
    #[error("the other end's certificate {}", flaw(.0))]
    Certificate(Box<CertificateError>),
    /// The other end ended the handshake.
    #[error("the other end refused: {}", refusal(*.0))]
    Refused(AlertDescription),
    /// The other end closed the connection before the handshake was over.
    #[error("the other end closed the connection during the TLS handshake")]
    CutInHandshake,
    /// The connection ended without the end of TLS: somebody may have cut it.
    #[error("the connection ended without TLS's own end: bytes may be missing")]
    Cut,
    /// It took too long.
    #[error("the TLS handshake was not over after {0} s")]
    Late(u64),
    /// Anything else that the library has to say.
    #[error("TLS: {0}")]
    Protocol(Box<Error>),
}

/// The flaw of a certificate.
fn flaw(error: &CertificateError) -> String {
    let words = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is for another name"
        }
        CertificateError::UnknownIssuer => {
            "is from an authority that is not among the trusted ones"
        }
        CertificateError::BadSignature => "is not signed by the authority that it names",
        CertificateError::BadEncoding => "cannot be read",
        error => return format!("is not valid: {error}"),
    };
    words.to_owned()
}

/// The meaning of an alert that the other end sent.
fn refusal(alert: AlertDescription) -> String {
    let words = match alert {
        AlertDescription::CertificateRequired => "it wants a key or certificate of ours",
        AlertDescription::UnsupportedCertificate | AlertDescription::UnsupportedExtension => {
            "it wants raw public keys where we show an X.509 certificate, or the other way round"
        }
        AlertDescription::AccessDenied
        | AlertDescription::CertificateUnknown
        | AlertDescription::BadCertificate => "it does not take our key or certificate",
        AlertDescription::UnknownCA => "it does not know who signed our certificate",
        AlertDescription::CertificateExpired => "our certificate has expired",
        AlertDescription::ProtocolVersion => "it does not speak TLS 1.3",
        AlertDescription::NoApplicationProtocol => "it does not speak ministreaming over TLS",
        AlertDescription::HandshakeFailure => {
            "nothing in common; raw public keys (RFC 7250) at one end, X.509 certificates at the \
             other?"
        }
        alert => return format!("alert {}, {alert:?}", u8::from(alert)),
    };
    format!("{words} (alert {})", u8::from(alert))
}

impl From<Error> for TlsError {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge,
            ) => Self::NotTls,
            Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled,
            ) => Self::Version,
            Error::PeerIncompatible(
                PeerIncompatible::IncorrectCertificateTypeExtension
                | PeerIncompatible::UnsolicitedCertificateTypeExtension,
            ) => Self::CertificateType,
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::InvalidCertificate(error) => Self::Certificate(Box::new(error)),
            Error::AlertReceived(alert) => Self::Refused(alert),
            error => Self::Protocol(Box::new(error)),
        }
    }
}

/// The reason why TLS cannot be set up as the flags say.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// Keys that TLS has no signature for.
    #[error("the keys are for DSA, which TLS does not have: tls:// needs Ed25519 keys")]
    Dsa,
    /// A destination whose key no handshake can prove.
    #[error("the server's destination signs by {0}, and tls:// needs Ed25519")]
    PinnedType(&'static str),
    /// A name that only a router could look up.
    #[error("{0}: tls:// cannot look up names; give HASH.b32.i2p, the destination, or @FILE")]
    HostName(String),
    /// A file of certificates or a key.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error.
        source: rustls::pki_types::pem::Error,
    },
    /// A file without the expected contents.
    #[error("{} holds no certificate in PEM", .0.display())]
    Empty(PathBuf),
    /// A certificate or key that cannot be used.
    #[error("{} cannot be used: {source}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: Box<Error>,
    },
    /// No name or address.
    #[error("{0:?} is no host name or address that a certificate can have")]
    Name(String),
    /// The verifier cannot be built.
    #[error("{} cannot be used: {reason}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The file for secrets.
    #[error(transparent)]
    KeyLog(#[from] PrivateFileError),
    /// The library does not take its own settings.
    #[error("TLS cannot be set up: {0}")]
    Library(Box<Error>),
}

impl From<Error> for TlsConfigError {
    fn from(error: Error) -> Self {
        Self::Library(Box::new(error))
    }
}
