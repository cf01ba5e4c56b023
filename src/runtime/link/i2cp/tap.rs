//! Records the bytes between us and the router for a capture.

use std::net::SocketAddr;

use crate::carrier::FlowDirection;
use crate::carrier::i2cp::MessageType;
use crate::runtime::recorder::{RecordedStream, Recorder};

/// The place of the private key in a CreateLeaseSet: behind the frame's header, the session and the
/// key that nobody uses.
const PRIVATE_KEY: std::ops::Range<usize> = 5 + 2 + 20..5 + 2 + 20 + 256;

/// Records one connection to the router. Private keys are recorded as zeros.
#[derive(Debug)]
pub(super) struct Tap {
    recorder: Recorder,
    stream: RecordedStream,
}

impl Tap {
    pub(super) fn new(recorder: &Recorder, own: SocketAddr, router: SocketAddr) -> Self {
        Self {
            recorder: recorder.clone(),
            stream: recorder.stream(own, router),
        }
    }

    /// Takes one frame, or the protocol byte.
    pub(super) fn sent(&mut self, frame: &[u8]) {
        if frame.get(4) != Some(&MessageType::CREATE_LEASE_SET.0) {
            return self.stream.bytes(FlowDirection::Forward, frame);
        }
        let mut frame = frame.to_vec();
        if let Some(key) = frame.get_mut(PRIVATE_KEY) {
            key.fill(0);
        }
        self.stream.bytes(FlowDirection::Forward, &frame);
    }

    /// Takes bytes as they arrived.
    pub(super) fn received(&mut self, bytes: &[u8]) {
        self.stream.bytes(FlowDirection::Backward, bytes);
    }

    pub(super) fn flush(&self) {
        self.recorder.flush();
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.stream.finish(FlowDirection::Forward);
        self.recorder.flush();
    }
}
