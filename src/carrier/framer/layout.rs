//! The interface from the framer to a carrier.

/// A carrier's layout of frames: a header of fixed size that gives the length.
pub(in crate::carrier) trait Layout {
    /// Bytes of the header.
    fn header_bytes(&self) -> usize;

    /// Bytes of the whole frame, header included, by its whole header.
    ///
    /// # Errors
    /// The length in the header, when no frame has it.
    fn frame_bytes(&self, header: &[u8]) -> Result<usize, u64>;

    /// Whether `known`, a whole header and more, may begin a proper frame of
    /// `frame_bytes`. More bytes may turn true to false, never back.
    fn plausible(&self, known: &[u8], frame_bytes: usize) -> bool;

    /// Plausible frames in a row that prove a place in the stream.
    fn proof_frames(&self) -> usize;

    /// The worth of a whole and plausible frame, in plausible frames.
    fn worth(&self, frame: &[u8]) -> usize;

    /// Whether `frame`, a whole and plausible one that is all of a segment, proves the place
    /// in which it stands.
    fn proves_alone(&self, _frame: &[u8]) -> bool {
        false
    }

    /// Whether the first frame of a proof is to be believed. It is not where
    /// so little makes a frame plausible that chance bytes may lead to a true one.
    fn trusts_first(&self) -> bool;

    /// A byte that may stand before the first frame.
    fn preamble(&self) -> Option<u8>;
}
