//! The carriers' direction of a flow, by the network layer's side from which it comes.

use crate::carrier::FlowDirection;
use crate::net::Side;

/// The direction of this side's bytes.
pub(crate) const fn direction_of(side: Side) -> FlowDirection {
    match side {
        Side::Initiator => FlowDirection::Forward,
        Side::Responder => FlowDirection::Backward,
    }
}

/// The side that sends in this direction.
pub(crate) const fn side_of(direction: FlowDirection) -> Side {
    match direction {
        FlowDirection::Forward => Side::Initiator,
        FlowDirection::Backward => Side::Responder,
    }
}
