//! I2CP messages, as one table: each type with its fields, in their order on the wire.

use std::num::NonZeroU8;

use super::{
    EncodeError, Leases, MAX_BODY_BYTES, Mapping, MessageStatus, MessageType, SessionStatus,
};
use crate::wire::Destination;

mod field;
mod value;

use self::field::Field;
pub use self::value::{Expiry, RouterHops};

/// The type, the readers and the writers of all messages.
///
/// A field stands on the wire as its type says ([`Field`]), or as the module of `field` says
/// that is named behind `as`. Of several rows with one type the first that can be read holds.
macro_rules! messages {
    ($(
        $(#[$doc:meta])*
        $type:ident => $variant:ident $({
            $($(#[$field_doc:meta])* $field:ident: $field_type:ty $(as $form:ident)?,)*
        })?;
    )*) => {
        /// An I2CP message. Times are milliseconds since the Unix epoch; strings are
        /// the bytes that were sent, at most 255, mostly UTF-8.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Message<'a> {
            $(
                $(#[$doc])*
                $variant $({ $($(#[$field_doc])* $field: $field_type,)* })?,
            )*
            /// Any other type, and CreateLeaseSet2, whose body is not taken apart.
            Other {
                /// The type.
                message_type: MessageType,
                /// The whole body.
                body: &'a [u8],
            },
        }

        impl<'a> Message<'a> {
            /// The type byte of its frame.
            pub const fn message_type(&self) -> MessageType {
                match self {
                    $(Self::$variant { .. } => MessageType::$type,)*
                    Self::Other { message_type, .. } => *message_type,
                }
            }

            /// The message, and the bytes of its body that are left over.
            fn read(message_type: MessageType, body: &'a [u8]) -> field::Read<'a, Self> {
                $(
                    if message_type == MessageType::$type {
                        let read = |input: &'a [u8]| {
                            $($(let (input, $field) = form!(read $field_type $(as $form)?)(input)?;)*)?
                            Ok((input, Self::$variant $({ $($field,)* })?))
                        };
                        let message: field::Read<'a, Self> = read(body);
                        if message.is_ok() {
                            return message;
                        }
                    }
                )*
                if [$(MessageType::$type),*].contains(&message_type) {
                    return Err(field::malformed(body));
                }
                Ok((&[], Self::Other { message_type, body }))
            }

            fn write_body(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                match self {
                    $(Self::$variant $({ $($field,)* })? => {
                        $($(form!(write $field_type $(as $form)?)($field, out)?;)*)?
                    })*
                    Self::Other { body, .. } => out.extend_from_slice(body),
                }
                Ok(())
            }
        }
    };
}

/// The reader and writer of a field.
macro_rules! form {
    ($action:ident $type:ty as $form:ident) => {
        field::$form::$action
    };
    ($action:ident $type:ty) => {
        <$type as Field<'_>>::$action
    };
}

messages! {
    /// The application asks for a session.
    CREATE_SESSION => CreateSession {
        /// The session's own destination.
        destination: Destination<'a>,
        /// Its options.
        options: Mapping<'a>,
        /// When it was made.
        date_ms: u64,
        /// By the destination's signing key over all before: 40 bytes for DSA, 64 for Ed25519.
        signature: &'a [u8] as rest,
    };
    /// The application changes the options of a session.
    RECONFIGURE_SESSION => ReconfigureSession {
        /// The session.
        session: u16,
        /// The session's own destination.
        destination: Destination<'a>,
        /// Its new options.
        options: Mapping<'a>,
        /// When it was made.
        date_ms: u64,
        /// As in CreateSession.
        signature: &'a [u8] as rest,
    };
    /// The application ends a session.
    DESTROY_SESSION => DestroySession {
        /// The session.
        session: u16,
    };
    /// The application answers a request for a lease set.
    CREATE_LEASE_SET => CreateLeaseSet {
        /// The session.
        session: u16,
        /// Private key of the revocation key; unused, zeros work.
        revocation_key: &'a [u8; 20],
        /// ElGamal private key by which the router decrypts.
        decryption_key: &'a [u8; 256],
        /// The [lease set](super::LeaseSet) with its signature.
        lease_set: &'a [u8] as rest,
    };
    /// The application sends a message.
    SEND_MESSAGE => SendMessage {
        /// The session that sends.
        session: u16,
        /// The receiver.
        destination: Destination<'a>,
        /// The message in gzip.
        payload: &'a [u8] as long_bytes,
        /// The router's reports name it by this; with 0 an i2pd does not report.
        nonce: u32,
    };
    /// The application sends a message and says when it is no longer of use.
    SEND_MESSAGE_EXPIRES => SendMessageExpires {
        /// The session that sends.
        session: u16,
        /// The receiver.
        destination: Destination<'a>,
        /// The message in gzip.
        payload: &'a [u8] as long_bytes,
        /// The router's reports name it by this; with 0 an i2pd does not report.
        nonce: u32,
        /// When the router may drop it.
        expiry: Expiry,
    };
    /// The application wants a message that MessageStatus announced.
    RECEIVE_MESSAGE_BEGIN => ReceiveMessageBegin {
        /// The session that receives.
        session: u16,
        /// The message.
        message_id: u32,
    };
    /// The application has the message.
    RECEIVE_MESSAGE_END => ReceiveMessageEnd {
        /// The session that received.
        session: u16,
        /// The message.
        message_id: u32,
    };
    /// The application asks for limits.
    GET_BANDWIDTH_LIMITS => GetBandwidthLimits;
    /// The router reports the state of a session.
    SESSION_STATUS => SessionStatus {
        /// The session.
        session: u16,
        /// Its state.
        status: SessionStatus,
    };
    /// The router wants a lease set for tunnels that end at one time.
    REQUEST_LEASE_SET => RequestLeaseSet {
        /// The session.
        session: u16,
        /// The tunnels' gateways.
        hops: RouterHops<'a>,
        /// When all of them end.
        end_ms: u64,
    };
    /// The router reports on a message.
    MESSAGE_STATUS => MessageStatus {
        /// The session.
        session: u16,
        /// The router's name for the message.
        message_id: u32,
        /// The report.
        status: MessageStatus,
        /// Bytes of an available message.
        size: u32,
        /// The application's name for the message.
        nonce: u32,
    };
    /// The router's limits, sixteen numbers of 4 bytes.
    BANDWIDTH_LIMITS => BandwidthLimits {
        /// In and out in KB/s, and further numbers.
        limits: &'a [u8; 64],
    };
    /// Either end is about to close the connection.
    DISCONNECT => Disconnect {
        /// The reason.
        reason: &'a [u8] as string,
    };
    /// The router delivers a message.
    MESSAGE_PAYLOAD => MessagePayload {
        /// The session that receives.
        session: u16,
        /// The router's name for the message.
        message_id: u32,
        /// The message in gzip.
        payload: &'a [u8] as long_bytes,
    };
    /// The application asks for the date.
    GET_DATE => GetDate {
        /// Its version; older ones send none.
        version: Option<&'a [u8]> as optional_string,
        /// Fields that newer applications add.
        authentication: &'a [u8] as rest,
    };
    /// The router's date.
    SET_DATE => SetDate {
        /// Now.
        date_ms: u64,
        /// Its version; older ones send none.
        version: Option<&'a [u8]> as optional_string,
    };
    /// The application asks for a destination.
    DEST_LOOKUP => DestLookup {
        /// The destination's hash.
        hash: &'a [u8; 32],
    };
    // The length distinguishes the two kinds of DestReply: a destination has at least 387 bytes.
    /// A destination that was not found (DestReply with the hash).
    DEST_REPLY => DestNotFound {
        /// The hash that was asked for.
        hash: &'a [u8; 32] as alone,
    };
    /// A destination that was found.
    DEST_REPLY => DestFound {
        /// The destination.
        destination: Destination<'a>,
    };
    /// The application asks for a destination by hash (kind 0).
    HOST_LOOKUP => HostLookupByHash {
        /// The session, or ffff.
        session: u16,
        /// The number by which the reply is matched.
        request_id: u32,
        /// The router's time for the look-up.
        timeout_ms: u32,
        /// The destination's hash.
        hash: &'a [u8; 32] as hash_kind,
    };
    /// The application asks for a destination by name (kind 1).
    HOST_LOOKUP => HostLookupByName {
        /// The session, or ffff.
        session: u16,
        /// The number by which the reply is matched.
        request_id: u32,
        /// The router's time for the look-up.
        timeout_ms: u32,
        /// The name.
        name: &'a [u8] as name_kind,
    };
    /// The answer to a HostLookup that found something (HostReply with result 0).
    HOST_REPLY => HostFound {
        /// The session, or ffff.
        session: u16,
        /// The number of the lookup.
        request_id: u32,
        /// The destination.
        destination: Destination<'a> as found,
    };
    /// The answer to a HostLookup that found nothing.
    HOST_REPLY => HostNotFound {
        /// The session, or ffff.
        session: u16,
        /// The number of the lookup.
        request_id: u32,
        /// The reason.
        result: NonZeroU8,
    };
    /// The router wants a lease set.
    REQUEST_VARIABLE_LEASE_SET => RequestVariableLeaseSet {
        /// The session.
        session: u16,
        /// The leases that are to be in it.
        leases: Leases<'a>,
    };
}

impl<'a> Message<'a> {
    /// The message in a frame's body. Every body of an unknown type is [`Message::Other`].
    ///
    /// # Errors
    /// The body is not as its type asks.
    pub fn decode(message_type: MessageType, body: &'a [u8]) -> Result<Self, MessageError> {
        match Self::read(message_type, body) {
            Ok(([], message)) => Ok(message),
            Ok((extra, _)) => Err(MessageError::ExtraBytes {
                message_type,
                extra_bytes: extra.len(),
            }),
            Err(_) => Err(MessageError::Malformed {
                message_type,
                body_bytes: body.len(),
            }),
        }
    }

    /// Appends the whole frame, length and type included.
    ///
    /// # Errors
    /// A string or the body is too long for its length field; nothing is
    /// appended then.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        let result = self.append(out);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    fn append(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        // The length is written when it is known.
        out.extend_from_slice(&[0; 4]);
        out.push(self.message_type().0);
        let body_start = out.len();
        self.write_body(out)?;
        let body_bytes = out.len() - body_start;
        let length = u32::try_from(body_bytes)
            .ok()
            .filter(|_| body_bytes <= MAX_BODY_BYTES)
            .ok_or(EncodeError::BodyTooLong(body_bytes))?;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

/// Why a body is not that of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// A field is cut short, or holds a value that it cannot have.
    #[error("body of {message_type}, {body_bytes} bytes, is not as its type asks")]
    Malformed {
        /// The type.
        message_type: MessageType,
        /// Bytes of the body.
        body_bytes: usize,
    },
    /// Bytes are left over, on which a Java peer loses its place.
    #[error("body of {message_type} has {extra_bytes} bytes too many")]
    ExtraBytes {
        /// The type.
        message_type: MessageType,
        /// Number of bytes left.
        extra_bytes: usize,
    },
}

#[cfg(test)]
mod tests;
