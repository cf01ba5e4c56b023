//! The conversations of a capture, one after the other: the simple case.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;

use crate::capture::{CaptureError, Inputs, PacketSource};
use crate::conversation::{Conversation, EndOfInput};
use crate::dissect::{DissectOptions, Dissector, Sink};

/// Opens a capture (pcap or pcapng, also in gzip or zstd; `-` is standard input) and dissects it
/// while its conversations are asked for.
///
/// ```
/// for conversation in ministream::open("captures/spec-samples.pcap")? {
///     let conversation = conversation?;
///     println!("{}: {}", conversation.id, conversation.state);
/// }
/// # Ok::<(), ministream::CaptureError>(())
/// ```
///
/// # Errors
/// [`CaptureError::Open`] when it is missing or may not be read, [`CaptureError::NotACapture`]
/// when it is none.
pub fn open(path: impl Into<PathBuf>) -> Result<Conversations, CaptureError> {
    Ok(Conversations {
        capture: Inputs::open([path])?,
        dissector: Dissector::new(DissectOptions::default()),
        ended: Ended::default(),
        is_over: false,
    })
}

/// Conversations in the order in which they ended; see [`open`].
///
/// A capture that is cut or damaged gives its error in between, and then the other conversations:
/// those open at the damage, too.
pub struct Conversations {
    capture: Inputs,
    dissector: Dissector,
    ended: Ended,
    is_over: bool,
}

/// Without its contents.
impl fmt::Debug for Conversations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversations")
            .field("ended", &self.ended)
            .field("is_over", &self.is_over)
            .finish_non_exhaustive()
    }
}

impl Iterator for Conversations {
    type Item = Result<Conversation, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(conversation) = self.ended.0.pop_front() {
                return Some(Ok(conversation));
            }
            if self.is_over {
                return None;
            }
            let Ok(()) = match self.capture.next_packet() {
                Ok(Some(packet)) => self.dissector.push(&packet, &mut self.ended),
                Ok(None) => {
                    self.is_over = true;
                    self.dissector.finish(EndOfInput::Complete, &mut self.ended)
                }
                Err(error) => {
                    let Ok(()) = self.dissector.note_damage(&error, &mut self.ended);
                    return Some(Err(error));
                }
            };
        }
    }
}

/// Conversations that nobody has taken yet.
#[derive(Debug, Default)]
struct Ended(VecDeque<Conversation>);

impl Sink for Ended {
    type Error = Infallible;

    fn only_counts(&self) -> bool {
        true
    }

    fn conversation(&mut self, conversation: &Conversation) -> Result<(), Infallible> {
        self.0.push_back(conversation.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::Collected;

    /// The conversations that a sink gets of the same capture.
    fn collected(path: &str) -> Vec<Conversation> {
        let mut capture = Inputs::open([path]).unwrap();
        let mut dissector = Dissector::new(DissectOptions::default());
        let mut seen = Collected::default();
        loop {
            match capture.next_packet() {
                Ok(Some(packet)) => dissector.push(&packet, &mut seen).unwrap(),
                Ok(None) => break,
                Err(_) => {}
            }
        }
        dissector.finish(EndOfInput::Complete, &mut seen).unwrap();
        seen.conversations
    }

    #[test]
    fn every_conversation_of_a_capture_comes_once() {
        for path in ["captures/spec-samples.pcap", "captures/i2cp-java.pcap"] {
            let opened: Result<Vec<_>, _> = open(path).unwrap().collect();
            let opened = opened.unwrap();
            assert!(!opened.is_empty(), "{path}");
            assert_eq!(opened, collected(path), "{path}");
        }
    }

    #[test]
    fn a_cut_capture_gives_its_error_once_and_what_came_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.pcap");
        let whole = std::fs::read("captures/spec-samples.pcap").unwrap();
        std::fs::write(&path, &whole[..whole.len() - 10]).unwrap();
        let (conversations, errors): (Vec<_>, Vec<_>) =
            open(&path).unwrap().partition(Result::is_ok);
        assert_eq!(errors.len(), 1);
        assert!(matches!(errors[0], Err(CaptureError::Truncated { .. })));
        let conversations: Vec<Conversation> =
            conversations.into_iter().map(Result::unwrap).collect();
        assert_eq!(conversations, collected(path.to_str().unwrap()));
        assert_eq!(conversations.len(), 3);
    }

    #[test]
    fn what_is_no_capture_cannot_be_opened() {
        assert!(matches!(
            open("Cargo.toml"),
            Err(CaptureError::NotACapture { .. })
        ));
        assert!(matches!(
            open("captures/none.pcap"),
            Err(CaptureError::Open { .. })
        ));
    }
}
