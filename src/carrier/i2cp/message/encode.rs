//! From the typed form to a whole frame.

use super::super::MAX_BODY_BYTES;
use super::{EncodeError, Expiry, Message};

pub(super) fn frame(message: &Message<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    let result = append(message, out);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn append(message: &Message<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.push(message.message_type().0);
    let body_start = out.len();
    body(message, out)?;
    let body_bytes = out.len() - body_start;
    let length = u32::try_from(body_bytes)
        .ok()
        .filter(|_| body_bytes <= MAX_BODY_BYTES)
        .ok_or(EncodeError::BodyTooLong(body_bytes))?;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

fn body(message: &Message<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    match *message {
        Message::CreateSession {
            destination,
            options,
            date_ms,
            signature,
        } => {
            out.extend_from_slice(destination.as_bytes());
            mapping(options.as_bytes(), out)?;
            out.extend_from_slice(&date_ms.to_be_bytes());
            out.extend_from_slice(signature);
        }
        Message::ReconfigureSession {
            session,
            destination,
            options,
            date_ms,
            signature,
        } => {
            out.extend_from_slice(&session.to_be_bytes());
            out.extend_from_slice(destination.as_bytes());
            mapping(options.as_bytes(), out)?;
            out.extend_from_slice(&date_ms.to_be_bytes());
            out.extend_from_slice(signature);
        }
        Message::DestroySession { session } => out.extend_from_slice(&session.to_be_bytes()),
        Message::CreateLeaseSet {
            session,
            revocation_key,
            decryption_key,
            lease_set,
        } => {
            out.extend_from_slice(&session.to_be_bytes());
            out.extend_from_slice(revocation_key);
            out.extend_from_slice(decryption_key);
            out.extend_from_slice(lease_set);
        }
        Message::SendMessage {
            session,
            destination,
            payload: wrapped,
            nonce,
            expiry,
        } => {
            out.extend_from_slice(&session.to_be_bytes());
            out.extend_from_slice(destination.as_bytes());
            payload(wrapped, out)?;
            out.extend_from_slice(&nonce.to_be_bytes());
            if let Some(Expiry { flags, at_ms }) = expiry {
                out.extend_from_slice(&flags.to_be_bytes());
                let [_, _, lower_48_bits @ ..] = at_ms.to_be_bytes();
                out.extend_from_slice(&lower_48_bits);
            }
        }
        Message::ReceiveMessageBegin {
            session,
            message_id,
        }
        | Message::ReceiveMessageEnd {
            session,
            message_id,
        } => {
            out.extend_from_slice(&session.to_be_bytes());
            out.extend_from_slice(&message_id.to_be_bytes());
        }
        Message::GetBandwidthLimits => {}
        Message::SessionStatus { session, status } => {
            out.extend_from_slice(&session.to_be_bytes());
            out.push(status);
        }
        Message::RequestLeaseSet {
            session,
            hops,
            end_ms,
        } => {
            out.extend_from_slice(&session.to_be_bytes());
            out.push(u8::try_from(hops.iter().len()).expect("there are at most 255 hops"));
            out.extend_from_slice(hops.as_bytes());
            out.extend_from_slice(&end_ms.to_be_bytes());
        }
        Message::MessageStatus {
            session,
            message_id,
            status,
            size,
            nonce,
        } => {
            out.extend_from_slice(&session.to_be_bytes());
            out.extend_from_slice(&message_id.to_be_bytes());
            out.push(status);
            out.extend_from_slice(&size.to_be_bytes());
            out.extend_from_slice(&nonce.to_be_bytes());
        }
        Message::BandwidthLimits { limits } => out.extend_from_slice(limits),
        Message::Disconnect { reason } => string(reason, out)?,
        Message::MessagePayload {
            session,
            message_id,
            payload: wrapped,
        } => {
            out.extend_from_slice(&session.to_be_bytes());
            out.extend_from_slice(&message_id.to_be_bytes());
            payload(wrapped, out)?;
        }
        Message::GetDate {
            version,
            authentication,
        } => {
            version.map_or(Ok(()), |version| string(version, out))?;
            out.extend_from_slice(authentication);
        }
        Message::SetDate { date_ms, version } => {
            out.extend_from_slice(&date_ms.to_be_bytes());
            version.map_or(Ok(()), |version| string(version, out))?;
        }
        Message::DestLookup { hash } | Message::DestNotFound { hash } => {
            out.extend_from_slice(hash);
        }
        Message::DestFound { destination } => out.extend_from_slice(destination.as_bytes()),
        Message::HostLookupByHash {
            session,
            request_id,
            timeout_ms,
            hash,
        } => {
            out.extend_from_slice(&session.to_be_bytes());
            out.extend_from_slice(&request_id.to_be_bytes());
            out.extend_from_slice(&timeout_ms.to_be_bytes());
            out.push(0);
            out.extend_from_slice(hash);
        }
        Message::HostLookupByName {
            session,
            request_id,
            timeout_ms,
            name,
        } => {
            out.extend_from_slice(&session.to_be_bytes());
            out.extend_from_slice(&request_id.to_be_bytes());
            out.extend_from_slice(&timeout_ms.to_be_bytes());
            out.push(1);
            string(name, out)?;
        }
        Message::HostFound {
            session,
            request_id,
            destination,
        } => {
            out.extend_from_slice(&session.to_be_bytes());
            out.extend_from_slice(&request_id.to_be_bytes());
            out.push(0);
            out.extend_from_slice(destination.as_bytes());
        }
        Message::HostNotFound {
            session,
            request_id,
            result,
        } => {
            out.extend_from_slice(&session.to_be_bytes());
            out.extend_from_slice(&request_id.to_be_bytes());
            out.push(result.get());
        }
        Message::RequestVariableLeaseSet { session, leases } => {
            out.extend_from_slice(&session.to_be_bytes());
            out.push(u8::try_from(leases.iter().len()).expect("there are at most 255 leases"));
            out.extend_from_slice(leases.as_bytes());
        }
        Message::Other { body, .. } => out.extend_from_slice(body),
    }
    Ok(())
}

fn string(text: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let length = u8::try_from(text.len()).map_err(|_| EncodeError::StringTooLong(text.len()))?;
    out.push(length);
    out.extend_from_slice(text);
    Ok(())
}

fn mapping(entries: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let length =
        u16::try_from(entries.len()).map_err(|_| EncodeError::BodyTooLong(entries.len()))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(entries);
    Ok(())
}

fn payload(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let length = u32::try_from(bytes.len()).map_err(|_| EncodeError::BodyTooLong(bytes.len()))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}
