//! Each message after its length, in 4 or 2 bytes, big-endian. The length
//! counts the message only.

use super::framer::{Cut, Framer, Layout};
use super::{Carrier, Item, Plausibility, Plausible};

/// The longest message that a decoder accepts, in bytes.
///
/// The reference implementation takes 40,960 bytes and the text sets no
/// limit; whatever is longer than this is read as a length that is none.
pub const MAX_PREFIXED_BYTES: usize = 64 * 1024;

/// The length before each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prefix {
    /// 4 bytes, big-endian: `u32be`.
    U32,
    /// 2 bytes, big-endian: `u16be`.
    U16,
}

impl Prefix {
    /// All that there are, in the order in which detection tries them.
    pub const ALL: [Self; 2] = [Self::U32, Self::U16];

    /// `u32be` or `u16be`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::U32 => "u32be",
            Self::U16 => "u16be",
        }
    }

    /// The prefix of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|prefix| prefix.name() == name)
    }

    /// The prefix of this carrier, if it has one.
    pub fn of(carrier: Carrier) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|prefix| prefix.carrier() == carrier)
    }

    /// Bytes of the length.
    pub const fn bytes(self) -> usize {
        match self {
            Self::U32 => 4,
            Self::U16 => 2,
        }
    }

    /// The carrier that has this prefix.
    pub const fn carrier(self) -> Carrier {
        match self {
            Self::U32 => Carrier::TcpU32,
            Self::U16 => Carrier::TcpU16,
        }
    }

    /// The longest message that can stand behind it, in bytes.
    pub const fn max_message_bytes(self) -> usize {
        match self {
            Self::U32 => MAX_PREFIXED_BYTES,
            Self::U16 => 65_535,
        }
    }

    /// The value of a prefix; `bytes` are as many as it has.
    fn value(self, bytes: &[u8]) -> u64 {
        bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    }
}

/// Appends the length of a message of `message_bytes`; the message is to follow it.
///
/// # Errors
/// The message is empty, or longer than a receiver accepts.
pub fn encode_prefix(
    prefix: Prefix,
    message_bytes: usize,
    out: &mut Vec<u8>,
) -> Result<(), LengthError> {
    let fits = (1..=prefix.max_message_bytes()).contains(&message_bytes);
    let length = u32::try_from(message_bytes).ok().filter(|_| fits);
    let Some(length) = length else {
        return Err(LengthError {
            message_bytes,
            max_bytes: prefix.max_message_bytes(),
        });
    };
    let encoded = length.to_be_bytes();
    out.extend_from_slice(&encoded[encoded.len() - prefix.bytes()..]);
    Ok(())
}

/// A message that does not fit behind a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message on this carrier is 1 to {max_bytes} bytes, not {message_bytes}")]
pub struct LengthError {
    /// Its bytes.
    pub message_bytes: usize,
    /// The most there may be.
    pub max_bytes: usize,
}

/// Cuts one direction of a stream into messages.
///
/// A message that lies whole in one push is handed on where it stands; others
/// are put together in a buffer of at most [`MAX_PREFIXED_BYTES`] and its prefix.
///
/// # Finding the place again
/// A gap of known size inside a message costs that message only. Behind any
/// other gap, and behind a length that no message has, the decoder looks for
/// whole, plausible messages in a row: 3 with [`Prefix::U32`], 4 with
/// [`Prefix::U16`], of which the first is not believed unless it begins right
/// behind the gap. At the next gap or the end of the stream one fewer is
/// enough, and the end of a message at the end of what is known counts as one.
/// Until then at most 4 messages are held.
///
/// With [`Prefix::U32`] one message is enough if it is all of a segment and its contents
/// [prove it](Plausibility::proves_place). Behind a missed start (a first gap of unknown size),
/// once the place in the other direction is [known](Self::join), whole messages that begin with
/// a segment and end with one are, too: 1 with [`Prefix::U32`], 2 with [`Prefix::U16`].
#[derive(Debug)]
pub struct Decoder<P = Plausible> {
    framer: Framer<Prefixed<P>>,
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    pub fn new(prefix: Prefix, plausible: Plausible) -> Self {
        Self::with_rule(prefix, plausible)
    }
}

impl<P: Plausibility> Decoder<P> {
    /// The same by a rule that is a type, which takes no memory where there are many decoders.
    pub fn with_rule(prefix: Prefix, plausible: P) -> Self {
        Self {
            framer: Framer::new(Prefixed { prefix, plausible }),
        }
    }

    /// Bytes of memory that are held until there are more bytes.
    #[inline]
    pub fn held_bytes(&self) -> usize {
        self.framer.held_bytes()
    }

    /// Reads the fields that the next bytes need.
    #[inline]
    pub(crate) const fn touch(&self) -> u64 {
        self.framer.touch()
    }

    /// The known part of the first message in `bytes`, if they begin with one as far as this
    /// decoder knows.
    #[inline]
    pub(crate) fn first_message<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let prefix = self.framer.layout().prefix.bytes();
        (self.framer.held_bytes() == 0)
            .then(|| bytes.get(prefix..))
            .flatten()
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn push<E>(
        &mut self,
        bytes: &[u8],
        emit: &mut impl FnMut(Item<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let prefix = self.framer.layout().prefix;
        self.framer.push(bytes, &mut |cut| emit(item(prefix, cut)))
    }

    /// Takes the next bytes, which are a whole segment as it was sent.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn push_segment<E>(
        &mut self,
        bytes: &[u8],
        emit: &mut impl FnMut(Item<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let prefix = self.framer.layout().prefix;
        self.framer
            .push_segment(bytes, &mut |cut| emit(item(prefix, cut)))
    }

    /// The place in the other direction is known: see [above](Self#finding-the-place-again). To be
    /// called again behind each gap; does nothing where the place is known or nothing follows
    /// from that.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn join<E>(&mut self, emit: &mut impl FnMut(Item<'_>) -> Result<(), E>) -> Result<(), E> {
        let prefix = self.framer.layout().prefix;
        self.framer.join(&mut |cut| emit(item(prefix, cut)))
    }

    /// Notes a gap of `missing` bytes; `None` if the number is unknown.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn gap<E>(
        &mut self,
        missing: Option<u64>,
        emit: &mut impl FnMut(Item<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let prefix = self.framer.layout().prefix;
        self.framer.gap(missing, &mut |cut| emit(item(prefix, cut)))
    }

    /// Takes note of bytes that a snap length cut from the end of a segment. A message of which
    /// the length is known is handed on without them, and the next is expected where it ends.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn cut<E>(
        &mut self,
        missing: u64,
        emit: &mut impl FnMut(Item<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let prefix = self.framer.layout().prefix;
        self.framer.cut(missing, &mut |cut| emit(item(prefix, cut)))
    }

    /// Whether bytes showed where the next message begins, and none were lost since.
    pub const fn is_in_place(&self) -> bool {
        self.framer.is_in_place()
    }

    /// Whether nobody knows where the next message begins.
    pub const fn is_lost(&self) -> bool {
        self.framer.is_lost()
    }

    /// Takes note of the end of the stream.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn finish<E>(&mut self, emit: &mut impl FnMut(Item<'_>) -> Result<(), E>) -> Result<(), E> {
        let prefix = self.framer.layout().prefix;
        self.framer.finish(&mut |cut| emit(item(prefix, cut)))
    }
}

fn item(prefix: Prefix, cut: Cut<'_>) -> Item<'_> {
    match cut {
        Cut::Frame { bytes, .. } => Item::Message(&bytes[prefix.bytes()..]),
        Cut::Partial { bytes, missing, .. } => Item::Cut {
            message: &bytes[prefix.bytes()..],
            missing_bytes: missing,
        },
        Cut::Problem(problem) => Item::Problem(problem),
    }
}

#[derive(Debug)]
struct Prefixed<P> {
    prefix: Prefix,
    plausible: P,
}

impl<P: Plausibility> Layout for Prefixed<P> {
    fn header_bytes(&self) -> usize {
        self.prefix.bytes()
    }

    fn frame_bytes(&self, header: &[u8]) -> Result<usize, u64> {
        let value = self.prefix.value(header);
        match usize::try_from(value) {
            Ok(length @ 1..=MAX_PREFIXED_BYTES) => Ok(self.prefix.bytes() + length),
            _ => Err(value),
        }
    }

    fn plausible(&self, known: &[u8], frame_bytes: usize) -> bool {
        let message = &known[self.prefix.bytes()..];
        // Nothing speaks against a message of which nothing is known.
        message.is_empty() || {
            let length = frame_bytes - self.prefix.bytes();
            self.plausible.is_plausible(message, length)
        }
    }

    fn proof_frames(&self) -> usize {
        match self.prefix {
            Prefix::U32 => 3,
            // Nearly any 2 bytes are a length, and prove less.
            Prefix::U16 => 4,
        }
    }

    fn worth(&self, _frame: &[u8]) -> usize {
        1
    }

    fn proves_alone(&self, frame: &[u8]) -> bool {
        // A length of 2 bytes proves too little beside: every response of DNS that ends in an empty
        // option would be a chance.
        self.prefix == Prefix::U32 && self.plausible.proves_place(&frame[self.prefix.bytes()..])
    }

    fn trusts_first(&self) -> bool {
        // Any 2 bytes are a length, so that chance bytes that happen to end
        // where a message begins are not rare.
        self.prefix == Prefix::U32
    }

    fn preamble(&self) -> Option<u8> {
        None
    }
}

#[cfg(test)]
mod tests;
