//! One message per TCP segment, as simple test programs write it.

use super::{Extent, Item, Problem};

/// Takes each whole segment of one direction for a message.
///
/// Where the capture does not hold a segment as it was sent (a part of it came
/// before, in a retransmission cut elsewhere, or is missing) there is a
/// [`Problem::PartOfSegment`] instead.
#[derive(Debug, Default)]
pub struct Decoder {
    offset: u64,
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes, all of one segment.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn push<E>(
        &mut self,
        bytes: &[u8],
        extent: Extent,
        emit: &mut impl FnMut(Item<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let offset = self.offset;
        self.offset += bytes.len() as u64;
        emit(match extent {
            Extent::WholeSegment => Item::Message(bytes),
            Extent::CutSegment(missing) => Item::Cut {
                message: bytes,
                missing_bytes: missing.into(),
            },
            Extent::PartOfSegment => Item::Problem(Problem::PartOfSegment {
                offset,
                bytes: bytes.len() as u64,
            }),
        })
    }

    /// Notes a gap of `missing` bytes; `None` if the number is unknown.
    pub fn gap(&mut self, missing: Option<u64>) {
        self.offset += missing.unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_segments_are_messages_and_parts_are_problems_at_their_offset() {
        let mut decoder = Decoder::new();
        let mut seen = Vec::new();
        let mut emit = |item: Item<'_>| -> Result<(), ()> {
            seen.push(match item {
                Item::Message(message) => Ok(message.to_vec()),
                Item::Cut { message, .. } => Ok(message.to_vec()),
                Item::Problem(problem) => Err(problem),
            });
            Ok(())
        };
        decoder
            .push(b"one", Extent::WholeSegment, &mut emit)
            .unwrap();
        decoder.gap(Some(10));
        decoder
            .push(b"tw", Extent::PartOfSegment, &mut emit)
            .unwrap();
        decoder.gap(None);
        decoder.push(b"3", Extent::WholeSegment, &mut emit).unwrap();
        assert_eq!(
            seen,
            [
                Ok(b"one".to_vec()),
                Err(Problem::PartOfSegment {
                    offset: 13,
                    bytes: 2
                }),
                Ok(b"3".to_vec()),
            ]
        );
    }

    #[test]
    fn an_error_of_the_sink_comes_back() {
        let refused = Decoder::new().push(b"x", Extent::WholeSegment, &mut |_| Err("full"));
        assert_eq!(refused, Err("full"));
    }
}
