//! From the body of a frame to its typed form.

use std::num::NonZeroU8;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::take;
use nom::combinator::{all_consuming, map, map_opt, map_res, opt, rest};
use nom::multi::length_data;
use nom::number::complete::{be_u16, be_u32, be_u64, u8 as byte};

use super::super::lease_set::LEASE_BYTES;
use super::super::{Leases, Mapping, MessageType};
use super::{Expiry, HOP_BYTES, Message, RouterHops};
use crate::wire::Destination;

type Parsed<'a, T> = nom::IResult<&'a [u8], T>;

pub(super) fn message(message_type: MessageType, body: &[u8]) -> Parsed<'_, Message<'_>> {
    match message_type {
        MessageType::CREATE_SESSION => create_session(body),
        MessageType::RECONFIGURE_SESSION => reconfigure_session(body),
        MessageType::DESTROY_SESSION => {
            map(be_u16, |session| Message::DestroySession { session }).parse(body)
        }
        MessageType::CREATE_LEASE_SET => create_lease_set(body),
        MessageType::SEND_MESSAGE => send_message(body, |rest| Ok((rest, None))),
        MessageType::SEND_MESSAGE_EXPIRES => {
            send_message(body, |rest| map(expiry, Some).parse(rest))
        }
        MessageType::RECEIVE_MESSAGE_BEGIN => map((be_u16, be_u32), |(session, message_id)| {
            Message::ReceiveMessageBegin {
                session,
                message_id,
            }
        })
        .parse(body),
        MessageType::RECEIVE_MESSAGE_END => map((be_u16, be_u32), |(session, message_id)| {
            Message::ReceiveMessageEnd {
                session,
                message_id,
            }
        })
        .parse(body),
        MessageType::GET_BANDWIDTH_LIMITS => Ok((body, Message::GetBandwidthLimits)),
        MessageType::SESSION_STATUS => map((be_u16, byte), |(session, status)| {
            Message::SessionStatus { session, status }
        })
        .parse(body),
        MessageType::REQUEST_LEASE_SET => request_lease_set(body),
        MessageType::MESSAGE_STATUS => message_status(body),
        MessageType::BANDWIDTH_LIMITS => {
            map(array, |limits| Message::BandwidthLimits { limits }).parse(body)
        }
        MessageType::DISCONNECT => map(string, |reason| Message::Disconnect { reason }).parse(body),
        MessageType::MESSAGE_PAYLOAD => message_payload(body),
        MessageType::GET_DATE => map((opt(string), rest), |(version, authentication)| {
            Message::GetDate {
                version,
                authentication,
            }
        })
        .parse(body),
        MessageType::SET_DATE => map((be_u64, opt(string)), |(date_ms, version)| {
            Message::SetDate { date_ms, version }
        })
        .parse(body),
        MessageType::DEST_LOOKUP => map(array, |hash| Message::DestLookup { hash }).parse(body),
        MessageType::DEST_REPLY => alt((
            map(all_consuming(array), |hash| Message::DestNotFound { hash }),
            map(destination, |destination| Message::DestFound {
                destination,
            }),
        ))
        .parse(body),
        MessageType::REQUEST_VARIABLE_LEASE_SET => request_variable_lease_set(body),
        MessageType::HOST_LOOKUP => host_lookup(body),
        MessageType::HOST_REPLY => host_reply(body),
        _ => map(rest, |body| Message::Other { message_type, body }).parse(body),
    }
}

fn create_session(body: &[u8]) -> Parsed<'_, Message<'_>> {
    map(
        (destination, mapping, be_u64, rest),
        |(destination, options, date_ms, signature)| Message::CreateSession {
            destination,
            options,
            date_ms,
            signature,
        },
    )
    .parse(body)
}

fn reconfigure_session(body: &[u8]) -> Parsed<'_, Message<'_>> {
    map(
        (be_u16, destination, mapping, be_u64, rest),
        |(session, destination, options, date_ms, signature)| Message::ReconfigureSession {
            session,
            destination,
            options,
            date_ms,
            signature,
        },
    )
    .parse(body)
}

fn create_lease_set(body: &[u8]) -> Parsed<'_, Message<'_>> {
    map(
        (be_u16, array, array, rest),
        |(session, revocation_key, decryption_key, lease_set)| Message::CreateLeaseSet {
            session,
            revocation_key,
            decryption_key,
            lease_set,
        },
    )
    .parse(body)
}

fn send_message<'a>(
    body: &'a [u8],
    tail: impl Fn(&'a [u8]) -> Parsed<'a, Option<Expiry>>,
) -> Parsed<'a, Message<'a>> {
    map(
        (be_u16, destination, length_data(be_u32), be_u32, tail),
        |(session, destination, payload, nonce, expiry)| Message::SendMessage {
            session,
            destination,
            payload,
            nonce,
            expiry,
        },
    )
    .parse(body)
}

fn expiry(input: &[u8]) -> Parsed<'_, Expiry> {
    map((be_u16, be_u16, be_u32), |(flags, high, low)| Expiry {
        flags,
        at_ms: u64::from(high) << 32 | u64::from(low),
    })
    .parse(input)
}

fn request_lease_set(body: &[u8]) -> Parsed<'_, Message<'_>> {
    let hops = map_opt(counted(HOP_BYTES), RouterHops::from_bytes);
    map((be_u16, hops, be_u64), |(session, hops, end_ms)| {
        Message::RequestLeaseSet {
            session,
            hops,
            end_ms,
        }
    })
    .parse(body)
}

fn request_variable_lease_set(body: &[u8]) -> Parsed<'_, Message<'_>> {
    let leases = map_opt(counted(LEASE_BYTES), Leases::from_bytes);
    map((be_u16, leases), |(session, leases)| {
        Message::RequestVariableLeaseSet { session, leases }
    })
    .parse(body)
}

fn message_status(body: &[u8]) -> Parsed<'_, Message<'_>> {
    map(
        (be_u16, be_u32, byte, be_u32, be_u32),
        |(session, message_id, status, size, nonce)| Message::MessageStatus {
            session,
            message_id,
            status,
            size,
            nonce,
        },
    )
    .parse(body)
}

fn message_payload(body: &[u8]) -> Parsed<'_, Message<'_>> {
    map(
        (be_u16, be_u32, length_data(be_u32)),
        |(session, message_id, payload)| Message::MessagePayload {
            session,
            message_id,
            payload,
        },
    )
    .parse(body)
}

fn host_lookup(body: &[u8]) -> Parsed<'_, Message<'_>> {
    let (body, (session, request_id, timeout_ms, kind)) =
        (be_u16, be_u32, be_u32, byte).parse(body)?;
    match kind {
        0 => map(array, |hash| Message::HostLookupByHash {
            session,
            request_id,
            timeout_ms,
            hash,
        })
        .parse(body),
        1 => map(string, |name| Message::HostLookupByName {
            session,
            request_id,
            timeout_ms,
            name,
        })
        .parse(body),
        _ => Err(malformed(body)),
    }
}

fn host_reply(body: &[u8]) -> Parsed<'_, Message<'_>> {
    let (body, (session, request_id, result)) = (be_u16, be_u32, byte).parse(body)?;
    match NonZeroU8::new(result) {
        Some(result) => Ok((
            body,
            Message::HostNotFound {
                session,
                request_id,
                result,
            },
        )),
        None => map(destination, |destination| Message::HostFound {
            session,
            request_id,
            destination,
        })
        .parse(body),
    }
}

fn destination(input: &[u8]) -> Parsed<'_, Destination<'_>> {
    match Destination::split(input) {
        Ok((destination, rest)) => Ok((rest, destination)),
        Err(_) => Err(malformed(input)),
    }
}

fn mapping(input: &[u8]) -> Parsed<'_, Mapping<'_>> {
    map_res(length_data(be_u16), Mapping::parse).parse(input)
}

fn string(input: &[u8]) -> Parsed<'_, &[u8]> {
    length_data(byte).parse(input)
}

fn array<const N: usize>(input: &[u8]) -> Parsed<'_, &[u8; N]> {
    map_opt(take(N), <[u8]>::first_chunk).parse(input)
}

/// Items of a fixed size behind their number in one byte.
fn counted(item_bytes: usize) -> impl Fn(&[u8]) -> Parsed<'_, &[u8]> {
    move |input| {
        let (input, count) = byte(input)?;
        take(usize::from(count) * item_bytes)(input)
    }
}

fn malformed(input: &[u8]) -> nom::Err<nom::error::Error<&[u8]>> {
    nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Verify))
}
