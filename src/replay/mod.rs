//! Recorded traffic played against live peers, without sockets and without a clock.
//!
//! A [`Recording`] is the content of a capture; a [`Plan`] the part of it that is sent, with its
//! times; a [`Player`] is the state machine that plays one side of it and judges the live peer's
//! answers. Nothing counts as success without an answer that was seen.
//!
//! The first message of a replay of a capture, for whatever carrier there is:
//!
//! ```
//! use std::time::Instant;
//!
//! use ministream::replay::{Masks, Plan, PlayOptions, Player, PlayerOutput, RecordingSink, Wanted};
//! use ministream::wire::FrameType;
//! use ministream::{DissectOptions, Dissector, EndOfInput, Inputs, PacketSource};
//!
//! let mut capture = Inputs::open(["captures/spec-samples.pcap"])?;
//! let mut dissector = Dissector::new(DissectOptions::default());
//! let mut sink = RecordingSink::new(Wanted::default(), |_| true);
//! while let Some(packet) = capture.next_packet()? {
//!     dissector.push(&packet, &mut sink)?;
//! }
//! dissector.finish(EndOfInput::Complete, &mut sink)?;
//!
//! let options = PlayOptions::default();
//! let plan = Plan::new(&sink.into_recording(), &options)?;
//! let now = Instant::now();
//! let mut player = Player::new(plan, options, Masks::default(), [1; 32], now);
//! let PlayerOutput::Transmit(message) = player.poll_output(now) else {
//!     panic!("the first message is due at once");
//! };
//! assert_eq!(message.frame_type, FrameType::SYN);
//! // What the server answers goes to `player.handle_message`.
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compare;
pub mod conform;
mod id_map;
pub mod inject;
mod memory;
pub mod mock;
mod ndjson;
mod options;
mod outcome;
mod plan;
mod player;
mod recorder;
mod recording;
mod suggest;
mod transcript;

pub use self::compare::{CONTEXT_BYTES, Compare, Difference, Excerpt, Mask, MaskError, Masks};
pub use self::id_map::id_map_line;
pub(crate) use self::id_map::identity;
pub use self::memory::{MAX_RECORDING_BYTES, RecordingTooLarge};
pub use self::ndjson::NdjsonReader;
pub use self::options::{IdPolicy, Load, Loops, Order, Pace, PlayOptions, SynPayload, Timeouts};
pub use self::outcome::{Note, PlayOutcome, ReplayResult, ResultCounts, Verdict};
pub use self::plan::{GapsCut, Plan, PlanError, ScheduledMessage, Substitution};
pub use self::player::{Percentiles, PlayEnd, PlayStats, Player, PlayerOutput};
pub use self::recorder::RecordingSink;
pub use self::recording::{
    Effect, MAX_SKIPPED_LISTED, MidStream, NotExpected, RecordedConversation, RecordedMessage,
    Recording, SkipReason, Skipped, Wanted,
};
pub use self::transcript::{
    Exchange, MAX_TRANSCRIPT_MESSAGES, MAX_TRANSCRIPT_PAYLOAD, Transcript, TranscriptMessage,
    Transcripts,
};

#[cfg(test)]
mod tests;
