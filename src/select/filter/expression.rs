//! Conditions as trees.

use std::net::{IpAddr, SocketAddr};

use super::comparison::Comparison;
use super::count::Counted;
use crate::conversation::{ConversationId, FindingCode, Level};
use crate::field::Field;
use crate::time::Timestamp;
use crate::wire::{DestinationHash, StreamId};

/// A condition as a tree.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    /// The message has the field.
    Present(Field),
    Compare(Field, Comparison, Literal),
    Contains(Field, Vec<u8>),
    ContainsCode(FindingCode),
    Matches(Field, regex::bytes::Regex),
    OneOf(Field, Vec<Literal>),
    /// The message's conversation passes the test of that number.
    OfConversation(usize),
    /// The message has such a number among those that match.
    Count(Counted, Comparison, u64),
    /// Every message.
    Always,
}

/// A value that a field is compared with, of the field's own kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Number(i64),
    Time(Timestamp),
    Text(Vec<u8>),
    Id(StreamId),
    Conversation(ConversationId),
    Address(IpAddr),
    AddressAndPort(SocketAddr),
    Port(u16),
    Bytes(Vec<u8>),
    Hash(DestinationHash),
    Code(FindingCode),
    Level(Level),
}
